//! The kernel of computers with AVX2, for int8 weights row by row.
//!
//! [`portable`](super::portable) computes the same, four products at a time. Sums of integers do not
//! depend on their order.

use core::arch::x86_64::{
    __m256i, _mm256_add_epi32, _mm256_cvtepi8_epi16, _mm256_madd_epi16, _mm256_setzero_si256,
};

use model_format::{DataType, Dense, Multiplier};

use super::requantize::Output;
use super::widen;
use super::{Prepared, Values, Workspace};

/// Products per vector instruction.
const LANES: usize = 16;

/// Rows of weights per pass over the input.
const ROWS: usize = 4;

/// Proof that the processor has AVX2.
#[derive(Clone, Copy)]
pub(super) struct Avx2(());

impl Avx2 {
    /// Returns the proof, if the processor has AVX2.
    pub fn detect() -> Option<Self> {
        std::is_x86_feature_detected!("avx2").then_some(Avx2(()))
    }
}

/// Makes x − zero point in 16 bits. Zeros stay, since leaving them out takes longer.
pub(super) fn prepare<'s>(
    layer: &Dense<'_>,
    x: Values<'_>,
    workspace: &'s mut Workspace<'_>,
) -> Prepared<'s> {
    let len = layer.layout.row_len(layer.inputs());
    let words = workspace.words.get_mut(..len / 2).unwrap_or_default();
    let halves: &mut [i16] = bytemuck::must_cast_slice_mut(words);
    widen::all(layer, x, halves.as_chunks_mut().0);
    Prepared { words, list: None, correction: 0 }
}

/// Writes the output of a layer whose input was [prepared](prepare).
pub(super) fn compute(avx2: Avx2, layer: &Dense<'_>, x: &Prepared<'_>, output: &mut [u8]) {
    let output_of = Output::of(layer);
    match layer.output.data_type {
        DataType::Int8 => {
            each_row(avx2, layer, x, output, |y, accumulator, multiplier| {
                *y = output_of.quantize(accumulator, multiplier) as u8;
            });
        }
        DataType::Int16 => {
            each_row(avx2, layer, x, output.as_chunks_mut().0, |y, accumulator, multiplier| {
                *y = (output_of.quantize(accumulator, multiplier) as i16).to_le_bytes();
            });
        }
    }
}

#[allow(unsafe_code)]
#[inline(always)]
fn each_row<Y>(
    _: Avx2,
    layer: &Dense<'_>,
    x: &Prepared<'_>,
    output: &mut [Y],
    write: impl Fn(&mut Y, i32, Multiplier),
) {
    let row_len = layer.layout.row_len(layer.inputs());
    let x: &[i16] = bytemuck::must_cast_slice(x.words);
    // A parsed layer has as many of each as outputs.
    let (biases, mantissas) = (layer.biases(), layer.mantissas());
    let parameters = biases.iter().zip(mantissas).zip(layer.shifts());
    let mut rows = output.iter_mut().zip(parameters);
    for weights in layer.weight_bytes().chunks(row_len.wrapping_mul(ROWS).max(1)) {
        let (first, rest) = weights.split_at_checked(row_len).unwrap_or((weights, &[]));
        let (second, rest) = rest.split_at_checked(row_len).unwrap_or_default();
        let (third, fourth) = rest.split_at_checked(row_len).unwrap_or_default();
        // SAFETY: the processor has AVX2, of which an `Avx2` is the proof.
        let sums = unsafe { dots([first, second, third, fourth], x) };
        for (sum, (y, ((bias, mantissa), shift))) in sums.into_iter().zip(rows.by_ref()) {
            let multiplier =
                Multiplier { mantissa: i32::from_le_bytes(*mantissa), shift: *shift as i8 };
            write(y, i32::from_le_bytes(*bias).wrapping_add(sum), multiplier);
        }
    }
}

/// Returns the products of rows of weights with the input. A row that is not there has no weights.
#[target_feature(enable = "avx2")]
fn dots(rows: [&[u8]; ROWS], x: &[i16]) -> [i32; ROWS] {
    let (blocks, behind) = x.as_chunks::<LANES>();
    let mut sums = [_mm256_setzero_si256(); ROWS];
    let weights = rows.map(|row| row.as_chunks::<LANES>().0);
    for (index, x) in blocks.iter().enumerate() {
        let x: __m256i = bytemuck::must_cast(*x);
        for (sum, weights) in sums.iter_mut().zip(&weights) {
            let Some(weights) = weights.get(index) else { continue };
            let weights = _mm256_cvtepi8_epi16(bytemuck::must_cast(*weights));
            *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(weights, x));
        }
    }
    let done = blocks.len().wrapping_mul(LANES);
    let mut totals = [0; ROWS];
    for ((total, sum), row) in totals.iter_mut().zip(sums).zip(rows) {
        let sum: [i32; 8] = bytemuck::must_cast(sum);
        let rest = row.get(done..).unwrap_or_default().as_chunks::<4>().0;
        let rest = rest.iter().zip(behind.as_chunks::<4>().0);
        *total = rest.fold(sum.into_iter().fold(0, i32::wrapping_add), |sum, (w, x)| {
            let product = |k: usize| i32::from(w[k] as i8).wrapping_mul(i32::from(x[k]));
            sum.wrapping_add(product(0))
                .wrapping_add(product(1))
                .wrapping_add(product(2))
                .wrapping_add(product(3))
        });
    }
    totals
}

#[cfg(test)]
mod tests {
    use model_format::build::*;
    use model_format::{Clamp, Encoding, Layer, Model, Quantization, WeightLayout};

    use super::*;
    use crate::kernels::portable;

    /// Numbers without a pattern.
    fn numbers(seed: u32) -> impl Iterator<Item = i16> {
        let next = |state: &u32| Some(state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
        core::iter::successors(Some(seed), next).skip(1).map(|state| (state >> 16) as i16)
    }

    fn compare(inputs: usize, outputs: usize, input: Quantization, output: Quantization) {
        let mut random = numbers((inputs * 31 + outputs) as u32);
        let multiplier = Multiplier::from_real(0.004).unwrap();
        let spec = ModelSpec {
            name: "x86".into(),
            input: InputSpec {
                shape: vec![inputs],
                quantization: input,
                encoding: Encoding::Quantized,
            },
            output: OutputSpec::Values(vec![]),
            layers: vec![LayerSpec::Dense(DenseSpec {
                inputs,
                outputs,
                weights: random
                    .by_ref()
                    .take(inputs * outputs)
                    .map(|w| (w as i8).max(-127))
                    .collect(),
                biases: random.by_ref().take(outputs).map(i32::from).collect(),
                multipliers: vec![multiplier; outputs],
                output,
                clamp: Clamp::all(output.data_type),
                layout: WeightLayout::RowMajor,
            })],
            self_tests: vec![],
            details: Default::default(),
        };
        let file = spec.to_bytes().unwrap();
        let model = Model::parse(&file).unwrap();
        let Some(Layer::Dense(layer)) = model.layers().next() else { panic!("not dense") };
        let bytes: Vec<u8> = random
            .take(inputs)
            .flat_map(|x| x.to_le_bytes().into_iter().take(input.data_type.bytes()))
            .collect();
        let x = Values { bytes: &bytes, data_type: input.data_type };
        let run = |fast: bool| {
            // Memory full of other numbers, as an earlier layer leaves it.
            let (mut words, mut blocks) = ([0x5555_5555; 64], [0x5555; 32]);
            let mut workspace = Workspace { words: &mut words, blocks: &mut blocks };
            let mut out = vec![0x55; outputs * output.data_type.bytes()];
            match fast {
                true => compute(
                    Avx2::detect().unwrap(),
                    &layer,
                    &prepare(&layer, x, &mut workspace),
                    &mut out,
                ),
                false => {
                    portable::compute(&layer, &widen::widen(&layer, x, &mut workspace), &mut out);
                }
            }
            out
        };
        assert_eq!(run(true), run(false), "{inputs} × {outputs}");
    }

    #[test]
    fn the_outputs_are_those_of_the_portable_kernel() {
        assert!(Avx2::detect().is_some(), "AVX2 is needed to test its kernel");
        for inputs in [1, 3, 4, 5, 15, 16, 17, 20, 31, 32, 33, 64, 97] {
            for outputs in [1, 2, 3, 4, 5, 9] {
                let (int8, int16) = (Quantization::int8(1.0, -9), Quantization::int16(1.0));
                compare(inputs, outputs, int8, int8);
                compare(inputs, outputs, int16, int16);
                compare(inputs, outputs, int8, int16);
            }
        }
    }
}
