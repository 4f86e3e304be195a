//! The loop around a kernel that computes the rows of a tile together.

use model_format::{Dense, Multiplier, Precision};

use super::requantize::Output;

/// A kernel's inner loops, each called for the next rows in turn.
pub(super) trait Rows<const R: usize> {
    /// Adds the weighted sums of the next R rows to their biases.
    fn tile(&mut self, accumulators: &mut [i32; R]);
    /// Adds the weighted sum of the next row to its bias.
    fn single(&mut self, accumulator: &mut i32);
}

/// Writes the output of a layer: tiles of `R` rows, then one row at a time.
///
/// # Shapes
/// `biases` has one entry an output, `output` as many bytes as the layer's outputs.
#[inline(always)]
pub(super) fn compute<const R: usize>(
    layer: &Dense<'_>,
    biases: &[[u8; 4]],
    output: &mut [u8],
    rows: impl Rows<R>,
) {
    match layer.output.precision {
        Precision::Int8 => compute_as(layer, biases, output, rows, |y| y as u8),
        Precision::Int16 => {
            compute_as(layer, biases, output.as_chunks_mut().0, rows, |y| (y as i16).to_le_bytes())
        }
    }
}

#[inline(always)]
fn compute_as<const R: usize, Y>(
    layer: &Dense<'_>,
    biases: &[[u8; 4]],
    output: &mut [Y],
    mut rows: impl Rows<R>,
    store: impl Fn(i32) -> Y,
) {
    let output_of = Output::of(layer);
    // In arrays of R, so that nothing within a tile is checked for its length.
    let (bias_tiles, biases) = biases.as_chunks::<R>();
    let (mantissa_tiles, mantissas) = layer.mantissas().as_chunks::<R>();
    let (shift_tiles, shifts) = layer.shifts().as_chunks::<R>();
    let (output_tiles, output) = output.as_chunks_mut::<R>();
    let parameters = bias_tiles.iter().zip(mantissa_tiles).zip(shift_tiles);
    for (((biases, mantissas), shifts), outputs) in parameters.zip(output_tiles) {
        let mut accumulators = biases.map(i32::from_le_bytes);
        rows.tile(&mut accumulators);
        quantize(&accumulators, mantissas, shifts, output_of, outputs, &store);
    }
    let parameters = biases.iter().zip(mantissas).zip(shifts);
    for (((bias, mantissa), shift), output) in parameters.zip(output) {
        let mut accumulator = i32::from_le_bytes(*bias);
        rows.single(&mut accumulator);
        let mut value = [store(0)];
        quantize(&[accumulator], &[*mantissa], &[*shift], output_of, &mut value, &store);
        [*output] = value;
    }
}

/// Out of line, and so once in the flash and with registers of its own.
#[inline(never)]
fn quantize<const R: usize, Y>(
    accumulators: &[i32; R],
    mantissas: &[[u8; 4]; R],
    shifts: &[u8; R],
    output_of: Output,
    output: &mut [Y; R],
    store: &impl Fn(i32) -> Y,
) {
    let parameters = accumulators.iter().zip(mantissas).zip(shifts);
    for (((accumulator, mantissa), shift), output) in parameters.zip(output) {
        let mantissa = i32::from_le_bytes(*mantissa);
        let multiplier = Multiplier { mantissa, shift: *shift as i8 };
        *output = store(output_of.quantize(*accumulator, multiplier));
    }
}
