//! Weights, laid out as a kernel reads them.

use super::DenseSpec;
use crate::layout::WeightLayout;
use crate::{Quantization, padded};

/// The bytes of a layer's weights in its layout.
pub(super) fn lay_out(dense: &DenseSpec) -> Vec<u8> {
    let (layout, inputs, outputs) = (dense.layout, dense.inputs, dense.outputs);
    if layout == WeightLayout::Sparse {
        return lay_out_sparse(dense);
    }
    let empty = if layout == WeightLayout::ColumnsUnsigned4 { 128 } else { 0 };
    let mut bytes = vec![empty; layout.weights_len(inputs, outputs)];
    // A layer without inputs is for the reader to refuse.
    for (row, weights) in dense.weights.chunks(inputs.max(1)).enumerate() {
        let is_coded = layout == WeightLayout::Pairs4
            && layout.strides(inputs, outputs, row).is_second_of_pair();
        for (column, weight) in weights.iter().enumerate() {
            let byte = &mut bytes[layout.offset(inputs, outputs, row, column)];
            *byte = match layout {
                WeightLayout::ColumnsUnsigned4 => (*weight as u8).wrapping_add(128),
                WeightLayout::Pairs4 if is_coded => {
                    let first = dense.weights[(row - 1) * inputs + column];
                    weight.wrapping_sub(i8::from(first < 0)) as u8
                }
                WeightLayout::Int4 | WeightLayout::Int4Tiles4 if column % 2 == 1 => {
                    *byte & 0x0f | (*weight as u8) << 4
                }
                WeightLayout::Int4 | WeightLayout::Int4Tiles4 => *weight as u8 & 0x0f,
                _ => *weight as u8,
            };
        }
    }
    bytes
}

fn lay_out_sparse(dense: &DenseSpec) -> Vec<u8> {
    let mut starts = vec![0u32];
    let (mut numbers, mut weights) = (Vec::new(), Vec::new());
    for row in dense.weights.chunks(dense.inputs.max(1)) {
        for (number, block) in row.chunks(4).enumerate() {
            if block.iter().any(|weight| *weight != 0) {
                numbers.extend((number as u16).to_le_bytes());
                weights.extend((0..4).map(|k| block.get(k).map_or(0, |weight| *weight as u8)));
            }
        }
        starts.push(weights.len() as u32 / 4);
    }
    let mut bytes: Vec<u8> = starts.iter().flat_map(|start| start.to_le_bytes()).collect();
    numbers.resize(padded(numbers.len()), 0);
    bytes.extend(numbers);
    bytes.extend(weights);
    bytes
}

/// The biases with the input's zero point folded into them; none for layouts that fold nothing.
pub(super) fn folded_biases(dense: &DenseSpec, input: Quantization) -> Vec<i32> {
    if !dense.layout.is_folded() {
        return Vec::new();
    }
    let rows = dense.weights.chunks(dense.inputs.max(1));
    rows.zip(&dense.biases)
        .map(|(row, bias)| {
            let sum = row.iter().map(|weight| i32::from(*weight)).sum();
            dense.layout.fold(input.zero_point, *bias, sum)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Clamp, Multiplier};

    fn dense(layout: WeightLayout, weights: &[i8], outputs: usize) -> DenseSpec {
        DenseSpec {
            inputs: weights.len() / outputs,
            outputs,
            weights: weights.to_vec(),
            biases: vec![0; outputs],
            multipliers: vec![Multiplier { mantissa: 1 << 30, shift: 0 }; outputs],
            output: Quantization::int8(1.0, 0),
            clamp: Clamp::INT8,
            layout,
        }
    }

    #[test]
    fn the_second_of_a_pair_is_lower_behind_a_negative_first() {
        // Four rows of two columns, and one that is beside the tile.
        let weights = [-1, 1, 5, 5, 2, -2, -127, -127, -3, 4];
        let coded = lay_out(&dense(WeightLayout::Pairs4, &weights, 5));
        let tile = [0xff, 4, 1, 5, 0, 0, 0, 0, 2, 0x81, 0xfe, 0x80, 0, 0, 0, 0];
        assert_eq!(coded, [&tile[..], &[0xfd, 4, 0, 0]].concat());
    }

    #[test]
    fn sparse_rows_leave_blocks_of_zeros_out() {
        let weights = [0, 0, 0, 0, 1, 2, 3, 4, 0, 0, 0, 0];
        let coded = lay_out(&dense(WeightLayout::Sparse, &weights, 1));
        // Starts 0 and 1; block 1, padded; its weights.
        assert_eq!(coded, [0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 2, 3, 4]);
    }
}
