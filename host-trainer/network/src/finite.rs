//! Check for weights that are NaN or infinite.

use super::{Layer, Network, Real};

/// Some weights of a layer are NaN or infinite.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{tensor}{name}: {count} of {total} values are NaN or infinite, the first is {first}")]
pub struct NotFinite {
    /// Name of the tensor in files of weights, such as `layers.0.weight`.
    pub tensor: String,
    /// Name of the layer in parentheses; empty for a layer without a name.
    pub name: String,
    /// Number of values that are NaN or infinite.
    pub count: usize,
    /// Number of values of the tensor.
    pub total: usize,
    /// The first such value and its position.
    pub first: String,
}

impl<T: Real> Network<T> {
    /// Checks that all weights, biases, and running means and variances are finite.
    ///
    /// # Errors
    /// [`NotFinite`] for the first tensor with a value that is not finite.
    pub fn check_finite(&self) -> Result<(), NotFinite> {
        let (mut denses, mut normalizations) = (0, 0);
        for view in self.layers() {
            let name = view.name.map_or(String::new(), |name| format!(" ({name})"));
            let check = |tensor: String, values: &[T], width: usize| {
                let bad = |value: &T| !value.is_finite();
                let Some(at) = values.iter().position(bad) else { return Ok(()) };
                let (count, total) = (values.iter().filter(|v| bad(v)).count(), values.len());
                let first = match width {
                    1 => format!("{} at {at}", values[at]),
                    _ => format!("{} at output {}, input {}", values[at], at / width, at % width),
                };
                Err(NotFinite { tensor, name: name.clone(), count, total, first })
            };
            match view.layer {
                Layer::Dense(dense) => {
                    let (weights, biases) = view.parameters.split_at(dense.inputs * dense.outputs);
                    check(format!("layers.{denses}.weight"), weights, dense.inputs)?;
                    check(format!("layers.{denses}.bias"), biases, 1)?;
                    denses += 1;
                }
                Layer::BatchNormalization(layer) => {
                    let (gamma, beta) = view.parameters.split_at(layer.width);
                    let (mean, variance) = view.state.split_at(layer.width);
                    for (part, values) in
                        [("gamma", gamma), ("beta", beta), ("mean", mean), ("variance", variance)]
                    {
                        check(format!("normalizations.{normalizations}.{part}"), values, 1)?;
                    }
                    normalizations += 1;
                }
                Layer::Activation { .. } | Layer::Dropout { .. } => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Activation, DenseSpec, LayerSpec};

    #[test]
    fn the_layer_and_the_place_are_named() {
        let layer = |name: &str| {
            let mut spec = DenseSpec::new(2, Activation::Linear);
            spec.name = Some(name.into());
            LayerSpec::Dense(spec)
        };
        let normalization = LayerSpec::BatchNormalization { momentum: 0.9, epsilon: 1e-3 };
        let layers = [layer("first"), normalization, layer("last")];
        let network = Network::<f32>::new(3, &layers, 1).unwrap();
        assert_eq!(network.check_finite(), Ok(()));
        for (place, expected) in [
            (
                4,
                "layers.0.weight (first): 1 of 6 values are NaN or infinite, the first is NaN at output 1, input 1",
            ),
            (7, "layers.0.bias (first): 1 of 2 values are NaN or infinite, the first is NaN at 1"),
            (8, "normalizations.0.gamma: 1 of 2 values"),
            (12, "layers.1.weight (last): 1 of 4"),
        ] {
            let mut damaged = network.clone();
            damaged.parameters_mut()[place] = f32::NAN;
            let message = damaged.check_finite().unwrap_err().to_string();
            assert!(message.starts_with(expected), "{message}");
        }
        let mut damaged = network;
        damaged.state_mut()[3] = f32::INFINITY;
        let message = damaged.check_finite().unwrap_err().to_string();
        assert!(message.contains("normalizations.0.variance: 1 of 2"), "{message}");
        assert!(message.contains("inf at 1"), "{message}");
    }
}
