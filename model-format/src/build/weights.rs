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
        // One that fills a pair up is coded as well: a zero beside a negative weight is -1.
        let filler = (layout == WeightLayout::Pairs4 && inputs % 2 == 1).then_some(&0);
        for (column, weight) in weights.iter().chain(filler).enumerate() {
            let byte = &mut bytes[layout.offset(inputs, outputs, row, column)];
            *byte = match layout {
                WeightLayout::ColumnsUnsigned4 => (*weight as u8).wrapping_add(128),
                WeightLayout::Pairs4 if column % 2 == 1 => {
                    weight.wrapping_sub(i8::from(weights[column - 1] < 0)) as u8
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
            let odd = row.iter().skip(1).step_by(2).map(|weight| i32::from(*weight)).sum();
            dense.layout.fold(input.zero_point, *bias, sum, odd)
        })
        .collect()
}
