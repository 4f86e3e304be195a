//! Outputs of a layer for many rows.

use thimble_data::Subset;
use thimble_network::{Layer, Network};
use thimble_train::evaluate::layer_outputs;

/// Rows per forward pass.
const CHUNK: usize = 256;

/// Reason why there are no outputs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FeatureError {
    /// No layer has this name or number.
    #[error("there is no layer `{layer}`. Layers with weights, as in the report: {known}")]
    Layer {
        /// The requested layer.
        layer: String,
        /// The known layers.
        known: String,
    },
}

/// A layer with weights and its activation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChosenLayer {
    /// Number among the layers with weights, from 0, as in the report.
    pub number: usize,
    /// Name from the preset.
    pub name: Option<String>,
    /// Number of outputs.
    pub width: usize,
    /// Index of its outputs on a tape: those of the last layer before the next one with weights.
    on_tape: usize,
}

impl ChosenLayer {
    /// Finds a layer by its number or name.
    ///
    /// # Errors
    /// [`FeatureError::Layer`] with the known layers.
    pub fn find(network: &Network<f32>, layer: &str) -> Result<Self, FeatureError> {
        let mut layers: Vec<ChosenLayer> = Vec::new();
        for (index, view) in network.layers().enumerate() {
            match (view.layer, layers.last_mut()) {
                (Layer::Dense(dense), _) => layers.push(ChosenLayer {
                    number: layers.len(),
                    name: view.name.map(String::from),
                    width: dense.outputs,
                    on_tape: index + 1,
                }),
                (_, Some(last)) => last.on_tape = index + 1,
                (_, None) => {}
            }
        }
        let numbers: Vec<String> = layers.iter().map(|layer| layer.number.to_string()).collect();
        let found = numbers.iter().position(|number| number == layer);
        let found =
            found.or_else(|| layers.iter().position(|known| known.name.as_deref() == Some(layer)));
        match found {
            Some(index) => Ok(layers.swap_remove(index)),
            None => Err(FeatureError::Layer {
                layer: layer.to_string(),
                known: layers.iter().map(ChosenLayer::title).collect::<Vec<_>>().join(", "),
            }),
        }
    }

    /// Returns number, and name if it has one, such as `3 (features)`.
    pub fn title(&self) -> String {
        match &self.name {
            Some(name) => format!("{} ({name})", self.number),
            None => self.number.to_string(),
        }
    }

    /// Returns the outputs for all rows, row after row. Those of the last layer are logits, before
    /// softmax or sigmoid.
    pub fn outputs(
        &self,
        network: &Network<f32>,
        subset: &Subset,
        progress: &mut dyn FnMut(usize),
    ) -> Vec<f32> {
        let mut outputs = Vec::with_capacity(self.width * subset.len());
        for start in (0..subset.len()).step_by(CHUNK) {
            let rows = CHUNK.min(subset.len() - start);
            let tape = layer_outputs(network, subset, start..start + rows);
            outputs.extend_from_slice(tape.activation(self.on_tape, rows));
            progress(rows);
        }
        outputs
    }
}

#[cfg(test)]
mod tests {
    use thimble_network::{Activation, DenseSpec, LayerSpec};

    use super::*;

    #[test]
    fn layers_with_weights_are_counted_and_end_before_the_next() {
        let dense = |units, name: Option<&str>| {
            let mut spec = DenseSpec::new(units, Activation::Linear);
            spec.name = name.map(String::from);
            LayerSpec::Dense(spec)
        };
        let layers = [
            dense(5, None),
            LayerSpec::Activation(Activation::Relu),
            LayerSpec::Dropout(0.5),
            dense(2, Some("bottleneck_2d")),
            dense(3, Some("0")),
        ];
        let network = Network::<f32>::new(4, &layers, 1).unwrap();
        let found = |layer: &str| ChosenLayer::find(&network, layer).unwrap();
        assert_eq!((found("0").number, found("0").width, found("0").on_tape), (0, 5, 3));
        assert_eq!((found("1").number, found("1").on_tape), (1, 4));
        assert_eq!(found("bottleneck_2d"), found("1"));
        assert_eq!(found("bottleneck_2d").title(), "1 (bottleneck_2d)");
        let error = ChosenLayer::find(&network, "3").unwrap_err().to_string();
        assert!(error.ends_with("0, 1 (bottleneck_2d), 2 (0)"), "{error}");
    }
}
