//! Unpacking: a model's weights as the kernel of a computer reads them fastest.

use model_format::build::{LayerSpec, ModelSpec};
use model_format::{Layer, Model, WeightLayout};

/// Returns a model with the same outputs whose weights are int8, row by row. `None` if they are so
/// already. Sparse layers stay, and self-tests are left out.
///
/// Evaluation of many rows decodes weights of fewer bits, and those of another core's layout, once
/// instead of for every row.
pub fn unpack(model: &Model<'_>) -> Option<Vec<u8>> {
    let is_packed = |layer: Layer<'_>| match layer {
        Layer::Dense(dense) => needs_unpacking(dense.layout),
        Layer::Table(_) | Layer::Softmax(_) => false,
    };
    if !model.layers().any(is_packed) {
        return None;
    }
    let mut spec = ModelSpec::from(model);
    spec.self_tests.clear();
    for layer in &mut spec.layers {
        if let LayerSpec::Dense(dense) = layer
            && needs_unpacking(dense.layout)
        {
            dense.layout = WeightLayout::RowMajor;
        }
    }
    spec.to_bytes().ok()
}

fn needs_unpacking(layout: WeightLayout) -> bool {
    !matches!(layout, WeightLayout::RowMajor | WeightLayout::Sparse)
}

#[cfg(test)]
mod tests {
    use model_format::build::*;
    use model_format::{Clamp, Encoding, Multiplier, Quantization, WeightType};
    use thimble_nn::Engine;

    use super::*;

    fn model(layout: WeightLayout) -> Vec<u8> {
        let one = Quantization::int8(1.0, 3);
        let weight = |index: usize| match layout.weight_type() {
            WeightType::Int8 => (index * 37 % 255) as i8,
            WeightType::Int4 => (index * 37 % 15) as i8 - 7,
            WeightType::Int2 => (index * 37 % 4) as i8 * 2 - 3,
            WeightType::Ternary => (index * 37 % 3) as i8 - 1,
        };
        let weight = |index| if weight(index) == -128 { 0 } else { weight(index) };
        let (inputs, outputs) = (13, 6);
        ModelSpec {
            name: "unpack".into(),
            input: InputSpec {
                shape: vec![inputs],
                quantization: one,
                encoding: Encoding::Quantized,
            },
            output: OutputSpec::Values(vec![]),
            layers: vec![LayerSpec::Dense(DenseSpec {
                inputs,
                outputs,
                weights: (0..inputs * outputs).map(weight).collect(),
                biases: (0..outputs as i32).map(|row| row * 100).collect(),
                multipliers: vec![Multiplier::from_real(0.01).unwrap(); outputs],
                output: one,
                clamp: Clamp::INT8,
                layout,
            })],
            self_tests: vec![],
            details: Default::default(),
        }
        .to_bytes()
        .unwrap()
    }

    fn output(file: &[u8], input: &[u8]) -> Vec<u8> {
        let model = Model::parse(file).unwrap();
        let mut scratch = vec![0; model.scratch_len()];
        Engine::new(model, &mut scratch).unwrap().run_bytes(input).unwrap().to_vec()
    }

    #[test]
    fn every_layout_has_the_same_outputs_unpacked() {
        let input: Vec<u8> = (0..13).map(|index| (index * 83 + 5) as u8).collect();
        for layout in WeightLayout::ALL {
            let file = model(layout);
            let unpacked = unpack(&Model::parse(&file).unwrap());
            assert_eq!(unpacked.is_some(), needs_unpacking(layout), "{layout:?}");
            if let Some(unpacked) = unpacked {
                assert_eq!(output(&unpacked, &input), output(&file, &input), "{layout:?}");
                assert!(unpack(&Model::parse(&unpacked).unwrap()).is_none());
            }
        }
    }
}
