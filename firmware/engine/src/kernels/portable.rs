//! The kernel in plain Rust: the statement of what every kernel computes, for every layout.

use model_format::{DataType, Dense, Multiplier, OpSet, WeightLayout};

use super::requantize::Output;
use super::widen::blocks;
use super::{BUILT, Prepared};

/// Returns whether any layout of these has no other kernel in this build.
pub(super) const fn is_used(ops: OpSet) -> bool {
    BUILT.need_portable(ops)
}

/// Writes the output of a layer whose input was [widened](super::widen).
#[inline(never)]
pub(super) fn compute(layer: &Dense<'_>, x: &Prepared<'_>, output: &mut [u8]) {
    let output_of = Output::of(layer);
    match layer.output.data_type {
        DataType::Int8 => each_row(layer, x, |row, accumulator, multiplier| {
            if let Some(y) = output.get_mut(row) {
                *y = output_of.quantize(accumulator, multiplier) as u8;
            }
        }),
        DataType::Int16 => {
            let (output, _) = output.as_chunks_mut();
            each_row(layer, x, |row, accumulator, multiplier| {
                if let Some(y) = output.get_mut(row) {
                    *y = (output_of.quantize(accumulator, multiplier) as i16).to_le_bytes();
                }
            });
        }
    }
}

// Sums wrap instead of checking: that they do not is what the model was checked for.

#[inline(always)]
fn each_row(layer: &Dense<'_>, x: &Prepared<'_>, mut each: impl FnMut(usize, i32, Multiplier)) {
    for (row, multiplier) in layer.multipliers().enumerate() {
        let bias = layer.bias(row);
        let sum = match layer.layout {
            WeightLayout::RowMajor | WeightLayout::FoldedRows => {
                row_major(layer, row, x, |weights: &[u8; 4]| weights.map(|weight| weight as i8))
            }
            WeightLayout::Int4 => row_major(layer, row, x, |[a, b]: &[u8; 2]| {
                [(*a << 4) as i8 >> 4, *a as i8 >> 4, (*b << 4) as i8 >> 4, *b as i8 >> 4]
            }),
            WeightLayout::Int2 => row_major(layer, row, x, |[a]: &[u8; 1]| {
                [0, 2, 4, 6].map(|shift: u32| ((*a >> shift & 3) as i8).wrapping_mul(2) - 3)
            }),
            WeightLayout::Ternary => ternary(layer, row, x),
            WeightLayout::Sparse => sparse(layer, row, x),
            _ => by_weight(layer, row, x),
        };
        each(row, bias.wrapping_add(sum), multiplier);
    }
}

// Out of line, each with a small frame of its own.

/// Blocks of four weights lie in `N` bytes each, which `decode` reads.
#[inline(never)]
fn row_major<const N: usize>(
    layer: &Dense<'_>,
    row: usize,
    x: &Prepared<'_>,
    decode: impl Fn(&[u8; N]) -> [i8; 4],
) -> i32 {
    let row_len = layer.layout.row_len(layer.inputs());
    let start = row.wrapping_mul(row_len);
    let weights = layer.weight_bytes().get(start..start.wrapping_add(row_len)).unwrap_or_default();
    let (weights, _) = weights.as_chunks();
    let blocks = blocks(x);
    match x.list {
        None => {
            weights.iter().zip(blocks).fold(0, |sum, (w, x)| sum.wrapping_add(dot(decode(w), x)))
        }
        Some(list) => list
            .iter()
            .filter_map(|number| {
                let number = usize::from(*number);
                Some((weights.get(number)?, blocks.get(number)?))
            })
            .fold(0, |sum, (w, x)| sum.wrapping_add(dot(decode(w), x))),
    }
}

/// Five weights lie in a byte: the first is, less 1, the upper byte of three times it, and the rest of
/// them the lower byte.
#[inline(never)]
fn ternary(layer: &Dense<'_>, row: usize, x: &Prepared<'_>) -> i32 {
    let row_len = layer.layout.row_len(layer.inputs());
    let start = row.wrapping_mul(row_len);
    let weights = layer.weight_bytes().get(start..start.wrapping_add(row_len)).unwrap_or_default();
    let x = blocks(x).as_flattened();
    weights.iter().zip(x.chunks(5)).fold(0, |sum, (byte, x)| {
        let mut digits = u32::from(*byte);
        x.iter().fold(sum, |sum, x| {
            digits = (digits & 0xff).wrapping_mul(3);
            let weight = (digits >> 8) as i32 - 1;
            sum.wrapping_add(weight.wrapping_mul((*x).into()))
        })
    })
}

#[inline(never)]
fn sparse(layer: &Dense<'_>, row: usize, x: &Prepared<'_>) -> i32 {
    let blocks = blocks(x);
    layer.sparse_row(row).fold(0, |sum, (number, weights)| {
        let product = |x| dot(weights.map(|weight| weight as i8), x);
        blocks.get(number).map_or(sum, |x| sum.wrapping_add(product(x)))
    })
}

#[inline(never)]
fn by_weight(layer: &Dense<'_>, row: usize, x: &Prepared<'_>) -> i32 {
    let products = layer.stored_weights(row).zip(blocks(x).as_flattened());
    products
        .fold(0, |sum, (weight, x)| sum.wrapping_add(i32::from(weight).wrapping_mul(i32::from(*x))))
}

#[inline(always)]
fn dot(weights: [i8; 4], x: &[i16; 4]) -> i32 {
    let product = |k: usize| i32::from(weights[k]).wrapping_mul(i32::from(x[k]));
    product(0).wrapping_add(product(1)).wrapping_add(product(2)).wrapping_add(product(3))
}
