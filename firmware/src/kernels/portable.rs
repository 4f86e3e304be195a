//! The kernel in plain Rust: the statement of what every kernel computes, for every layout.

use model_format::{Dense, Multiplier, Precision, WeightLayout, padded};

use crate::operators::Operators;

use super::Prepared;
use super::requantize::Output;
use super::widen::blocks;

/// Whether any layout of these has no other kernel in this build.
pub(super) const fn is_used(operators: Operators) -> bool {
    let mut own = 0u16;
    if cfg!(kernel_dsp) {
        own |= 1 << WeightLayout::Pairs4 as u8 | 1 << WeightLayout::Tiles4 as u8;
    }
    if cfg!(any(kernel_v7m, kernel_rv32)) {
        own |= 1 << WeightLayout::Columns8 as u8;
    }
    if cfg!(kernel_v6m) {
        own |= 1 << WeightLayout::ColumnsUnsigned4 as u8;
    }
    if cfg!(kernel_mve) {
        own |= 1 << WeightLayout::FoldedRows as u8;
    }
    operators.layouts & !own != 0
}

/// Writes the output of a layer whose input was [widened](super::widen).
#[inline(never)]
pub(super) fn compute(layer: &Dense<'_>, x: &Prepared<'_>, output: &mut [u8]) {
    let output_of = Output::of(layer);
    match layer.output.precision {
        Precision::Int8 => each_row(layer, x, |row, accumulator, multiplier| {
            if let Some(y) = output.get_mut(row) {
                *y = output_of.quantize(accumulator, multiplier) as u8;
            }
        }),
        Precision::Int16 => {
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

fn each_row(layer: &Dense<'_>, x: &Prepared<'_>, mut each: impl FnMut(usize, i32, Multiplier)) {
    let blocks = blocks(x);
    match layer.layout {
        WeightLayout::RowMajor | WeightLayout::FoldedRows => {
            let stride = padded(layer.inputs());
            let mut weights = layer.weight_bytes();
            for (index, row) in layer.rows().enumerate() {
                let (row_weights, rest) = weights.split_at_checked(stride).unwrap_or_default();
                weights = rest;
                let (row_weights, _) = row_weights.as_chunks();
                let accumulator = match x.list {
                    None => row_weights
                        .iter()
                        .zip(blocks)
                        .fold(row.bias, |sum, (w, x)| sum.wrapping_add(dot(w, x))),
                    Some(list) => list
                        .iter()
                        .filter_map(|number| {
                            let number = usize::from(*number);
                            Some((row_weights.get(number)?, blocks.get(number)?))
                        })
                        .fold(row.bias, |sum, (w, x)| sum.wrapping_add(dot(w, x))),
                };
                each(index, accumulator, row.multiplier);
            }
        }
        WeightLayout::Sparse => {
            for (index, row) in layer.rows().enumerate() {
                let accumulator = layer.sparse_row(index).fold(row.bias, |sum, (number, w)| {
                    blocks.get(number).map_or(sum, |x| sum.wrapping_add(dot(w, x)))
                });
                each(index, accumulator, row.multiplier);
            }
        }
        _ => {
            for (index, row) in layer.rows().enumerate() {
                let accumulator =
                    row.weights().zip(blocks.as_flattened()).fold(row.bias, |sum, (w, x)| {
                        sum.wrapping_add(i32::from(w).wrapping_mul(i32::from(*x)))
                    });
                each(index, accumulator, row.multiplier);
            }
        }
    }
}

#[inline(always)]
fn dot(weights: &[u8; 4], x: &[i16; 4]) -> i32 {
    let product = |k: usize| i32::from(weights[k] as i8).wrapping_mul(i32::from(x[k]));
    product(0).wrapping_add(product(1)).wrapping_add(product(2)).wrapping_add(product(3))
}
