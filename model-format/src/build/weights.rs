//! Weights, laid out as a kernel reads them.

use super::DenseSpec;
use crate::layout::WeightLayout;
use crate::{Quantization, padded};

/// Bytes of a layer's weights in its layout.
pub(super) fn weights_len(dense: &DenseSpec) -> usize {
    let len = dense.layout.weights_len(dense.inputs, dense.outputs);
    match dense.layout {
        WeightLayout::Sparse => {
            let blocks = sparse_blocks(dense).flatten().count();
            len + padded(2 * blocks) + 4 * blocks
        }
        _ => len,
    }
}

/// Appends a layer's weights in its layout.
pub(super) fn lay_out(dense: &DenseSpec, file: &mut Vec<u8>) {
    let (layout, inputs, outputs) = (dense.layout, dense.inputs, dense.outputs);
    if layout == WeightLayout::Sparse {
        return lay_out_sparse(dense, file);
    }
    let (weight_type, flipped) = (layout.weight_type(), layout.flipped_bits());
    let start = file.len();
    file.resize(start + layout.weights_len(inputs, outputs), flipped);
    let bytes = &mut file[start..];
    // A layer without inputs is for the reader to refuse.
    for (row, weights) in dense.weights.chunks(inputs.max(1)).enumerate() {
        let strides = layout.strides(inputs, outputs, row);
        if layout == WeightLayout::Pairs4 && strides.is_second_of_pair() {
            let before = &dense.weights[(row - 1) * inputs..];
            for (column, (weight, first)) in weights.iter().zip(before).enumerate() {
                bytes[strides.offset(column)] = weight.wrapping_sub(i8::from(*first < 0)) as u8;
            }
            continue;
        }
        for (byte, weights) in weights.chunks(weight_type.per_byte()).enumerate() {
            bytes[strides.offset(byte)] = weight_type.pack(weights) ^ flipped;
        }
    }
}

/// The blocks of each row of a sparse layer, those of zeros left out, each with its number.
fn sparse_blocks(dense: &DenseSpec) -> impl Iterator<Item = impl Iterator<Item = (usize, &[i8])>> {
    dense.weights.chunks(dense.inputs.max(1)).map(|row| {
        row.chunks(4).enumerate().filter(|(_, block)| block.iter().any(|weight| *weight != 0))
    })
}

fn lay_out_sparse(dense: &DenseSpec, file: &mut Vec<u8>) {
    let mut starts = 0_u32;
    file.extend(starts.to_le_bytes());
    for row in sparse_blocks(dense) {
        starts += row.count() as u32;
        file.extend(starts.to_le_bytes());
    }
    let start = file.len();
    for (number, _) in sparse_blocks(dense).flatten() {
        file.extend((number as u16).to_le_bytes());
    }
    file.resize(start + padded(file.len() - start), 0);
    for (_, block) in sparse_blocks(dense).flatten() {
        file.extend((0..4).map(|k| block.get(k).map_or(0, |weight| *weight as u8)));
    }
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

    fn laid_out(dense: &DenseSpec) -> Vec<u8> {
        let mut bytes = Vec::new();
        lay_out(dense, &mut bytes);
        assert_eq!(bytes.len(), weights_len(dense));
        bytes
    }

    #[test]
    fn the_second_of_a_pair_is_lower_behind_a_negative_first() {
        // Four rows of two columns, and one that is beside the tile.
        let weights = [-1, 1, 5, 5, 2, -2, -127, -127, -3, 4];
        let coded = laid_out(&dense(WeightLayout::Pairs4, &weights, 5));
        let tile = [0xff, 4, 1, 5, 0, 0, 0, 0, 2, 0x81, 0xfe, 0x80, 0, 0, 0, 0];
        assert_eq!(coded, [&tile[..], &[0xfd, 4, 0, 0]].concat());
    }

    #[test]
    fn sparse_rows_leave_blocks_of_zeros_out() {
        let weights = [0, 0, 0, 0, 1, 2, 3, 4, 0, 0, 0, 0];
        let coded = laid_out(&dense(WeightLayout::Sparse, &weights, 1));
        // Starts 0 and 1; block 1, padded; its weights.
        assert_eq!(coded, [0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 2, 3, 4]);
    }
}
