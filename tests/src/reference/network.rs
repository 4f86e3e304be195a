//! Inference of a whole model with the reference.

use model_format::{DataType, Layer, Model};

use super::activation::softmax;
use super::dense::Dense;
use super::rounding::Factor;

/// The layers of a model as plain numbers.
#[derive(Clone, Debug)]
pub struct Network {
    layers: Vec<Step>,
}

/// Operation of one layer.
#[derive(Clone, Debug)]
enum Step {
    Dense(Dense),
    /// The output for −128, −127, … 127.
    TableInt8(Vec<i64>),
    /// The output for −32768, −32512, … 32768.
    TableInt16(Vec<i64>),
    /// Scale of the int8 logits; the reference computes the exponentials itself.
    Softmax(f32),
}

impl Step {
    fn new(layer: Layer<'_>) -> Step {
        match layer {
            Layer::Dense(dense) => Step::Dense(Dense {
                weights: dense.rows().map(|row| row.weights().map(i64::from).collect()).collect(),
                biases: dense.rows().map(|row| row.bias.into()).collect(),
                factors: dense
                    .rows()
                    .map(|row| Factor {
                        mantissa: row.multiplier.mantissa,
                        shift: row.multiplier.shift.into(),
                    })
                    .collect(),
                input_zero_point: dense.input.zero_point.into(),
                output_zero_point: dense.output.zero_point.into(),
                clamp: (dense.clamp.low.into(), dense.clamp.high.into()),
            }),
            Layer::Table(table) => match table.input.data_type {
                DataType::Int8 => {
                    Step::TableInt8(table.bytes().iter().map(|y| (*y as i8).into()).collect())
                }
                DataType::Int16 => Step::TableInt16(int16(table.bytes())),
            },
            Layer::Softmax(softmax) => Step::Softmax(softmax.input.scale),
        }
    }

    fn run(&self, input: &[i64]) -> Vec<i64> {
        match self {
            Step::Dense(dense) => dense.run_wide(input),
            Step::TableInt8(table) => {
                input.iter().map(|x| table[usize::try_from(x + 128).expect("int8")]).collect()
            }
            Step::TableInt16(table) => input.iter().map(|x| interpolate(table, *x)).collect(),
            Step::Softmax(scale) => {
                let logits: Vec<i8> = input.iter().map(|x| *x as i8).collect();
                softmax(&logits, *scale).into_iter().map(i64::from).collect()
            }
        }
    }
}

/// Linear interpolation between neighboring entries, rounded to nearest, ties up.
fn interpolate(table: &[i64], x: i64) -> i64 {
    let (index, part) = ((x + 32768) / 256, (x + 32768) % 256);
    let (left, right) = (table[index as usize], table[index as usize + 1]);
    let doubled = 2 * (left * (256 - part) + right * part);
    (doubled + 256).div_euclid(512)
}

fn int16(bytes: &[u8]) -> Vec<i64> {
    bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]]).into()).collect()
}

impl Network {
    /// Converts the layers of a parsed model.
    pub fn new(model: &Model<'_>) -> Network {
        Network { layers: model.layers().map(Step::new).collect() }
    }

    /// The output of each layer, first to last.
    pub fn run_layers_wide(&self, input: &[i64]) -> Vec<Vec<i64>> {
        let mut outputs: Vec<Vec<i64>> = Vec::new();
        for layer in &self.layers {
            let output = layer.run(outputs.last().map_or(input, Vec::as_slice));
            outputs.push(output);
        }
        outputs
    }

    /// The output of each layer of an int8 model, first to last.
    pub fn run_layers(&self, input: &[i8]) -> Vec<Vec<i8>> {
        let input: Vec<i64> = input.iter().map(|x| i64::from(*x)).collect();
        let narrow = |y: i64| i8::try_from(y).expect("the model is int8");
        let layers = self.run_layers_wide(&input).into_iter();
        layers.map(|output| output.into_iter().map(narrow).collect()).collect()
    }

    /// The output of the last layer.
    pub fn run(&self, input: &[i8]) -> Vec<i8> {
        self.run_layers(input).pop().expect("a model has a layer")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random_model::RandomModel;

    #[test]
    fn a_network_is_its_layers_in_a_row() {
        for seed in 0..20 {
            let RandomModel { spec, inputs } = RandomModel::new(seed);
            let bytes = spec.to_bytes().expect("a valid model");
            let network = Network::new(&Model::parse(&bytes).expect("a valid model"));
            let outputs = network.run_layers(&inputs[0]);
            assert_eq!(outputs.len(), spec.layers.len());
            let mut input: Vec<i64> = inputs[0].iter().map(|x| i64::from(*x)).collect();
            for (layer, output) in network.layers.iter().zip(&outputs) {
                input = layer.run(&input);
                let output: Vec<i64> = output.iter().map(|y| i64::from(*y)).collect();
                assert_eq!(input, output);
            }
            assert_eq!(&network.run(&inputs[0]), outputs.last().unwrap());
        }
    }
}
