//! A small model that uses every part of the format.

use model_format::build::{
    DenseSpec, DetailsSpec, InputSpec, LayerSpec, ModelSpec, OutputSpec, SelfTestSpec,
};
use model_format::{Clamp, Encoding, Multiplier, Quantization, WeightLayout};

pub fn example() -> ModelSpec {
    ModelSpec {
        name: "tiny".into(),
        input: InputSpec {
            shape: vec![1, 3],
            quantization: Quantization::int8(0.5, -128),
            encoding: Encoding::Unsigned8,
        },
        output: OutputSpec::classes(["no", "yes"]),
        layers: vec![
            LayerSpec::Dense(DenseSpec {
                inputs: 3,
                outputs: 1,
                weights: vec![1, -2, 127],
                biases: vec![1000],
                multipliers: vec![Multiplier { mantissa: 3 << 29, shift: -6 }],
                output: Quantization::int8(0.25, -100),
                clamp: Clamp { low: -100, high: 127 },
                layout: WeightLayout::RowMajor,
            }),
            LayerSpec::Dense(DenseSpec {
                inputs: 1,
                outputs: 2,
                weights: vec![-1, 1],
                biases: vec![-1, 70_000],
                multipliers: vec![
                    Multiplier { mantissa: 1 << 30, shift: 1 },
                    Multiplier { mantissa: 0, shift: 0 },
                ],
                output: Quantization::int8(1.0, 5),
                clamp: Clamp::INT8,
                layout: WeightLayout::RowMajor,
            }),
        ],
        self_tests: vec![SelfTestSpec { input: vec![0x80, 0, 127], output: vec![0x80, 5] }],
        details: DetailsSpec::default(),
    }
}
