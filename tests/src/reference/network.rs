//! A whole model through the reference.

use model_format::{Layer, Model};

use super::dense::Dense;
use super::rounding::Factor;

/// The layers of a model as plain numbers.
#[derive(Clone, Debug)]
pub struct Network {
    layers: Vec<Dense>,
}

impl Network {
    /// Takes the layers out of a parsed model.
    pub fn new(model: &Model<'_>) -> Network {
        let layers = model.layers().map(|layer| match layer {
            Layer::Dense(dense) => Dense {
                weights: dense
                    .rows()
                    // A row is filled up to a multiple of four; what is beyond the inputs is no
                    // weight.
                    .map(|row| row.weights[..dense.inputs()].iter().map(|w| i64::from(*w as i8)))
                    .map(Iterator::collect)
                    .collect(),
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
            },
        });
        Network { layers: layers.collect() }
    }

    /// The output of each layer, first to last.
    pub fn run_layers(&self, input: &[i8]) -> Vec<Vec<i8>> {
        let mut outputs: Vec<Vec<i8>> = Vec::new();
        for layer in &self.layers {
            let output = layer.run(outputs.last().map_or(input, Vec::as_slice));
            outputs.push(output);
        }
        outputs
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
            let mut input = inputs[0].clone();
            for (layer, output) in network.layers.iter().zip(&outputs) {
                assert_eq!(&layer.run(&input), output);
                input.clone_from(output);
            }
            assert_eq!(network.run(&inputs[0]), input);
        }
    }
}
