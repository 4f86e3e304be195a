//! The kernel in plain Rust: the statement of what every kernel computes.

use model_format::{Dense, Row};

use super::Widened;
use super::requantize::requantize;

/// Runs a dense layer.
///
/// # Shapes
/// `x` has the layer's inputs, `output` its outputs.
pub(crate) fn dense(layer: &Dense<'_>, x: &Widened<'_>, output: &mut [i8]) {
    for (row, output) in layer.rows().zip(output) {
        let accumulator = match x.nonzero {
            None => all_blocks(&row, x.blocks),
            Some(nonzero) => listed_blocks(&row, x.blocks, nonzero),
        };
        *output = requantize(
            accumulator,
            row.multiplier,
            layer.output.zero_point,
            layer.clamp,
        );
    }
}

// Sums wrap instead of checking: that they do not is what the model was checked for.

fn all_blocks(row: &Row<'_>, blocks: &[[i16; 4]]) -> i32 {
    let (weights, _) = row.weights.as_chunks();
    weights
        .iter()
        .zip(blocks)
        .fold(row.bias, |sum, (w, x)| sum.wrapping_add(dot(w, x)))
}

fn listed_blocks(row: &Row<'_>, blocks: &[[i16; 4]], nonzero: &[u16]) -> i32 {
    let (weights, _) = row.weights.as_chunks();
    nonzero.iter().fold(row.bias, |sum, block| {
        let block = usize::from(*block);
        match (weights.get(block), blocks.get(block)) {
            (Some(w), Some(x)) => sum.wrapping_add(dot(w, x)),
            _ => sum,
        }
    })
}

#[inline(always)]
fn dot(weights: &[u8; 4], x: &[i16; 4]) -> i32 {
    let product = |k: usize| i32::from(weights[k] as i8).wrapping_mul(i32::from(x[k]));
    product(0)
        .wrapping_add(product(1))
        .wrapping_add(product(2))
        .wrapping_add(product(3))
}
