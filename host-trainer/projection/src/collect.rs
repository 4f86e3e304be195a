//! Outputs of a layer for many rows.

use thimble_train::data::Subset;
use thimble_train::evaluate::layer_outputs;
use thimble_train::network::Network;

/// Rows per forward pass.
const CHUNK: usize = 256;

/// Reason why there are no outputs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FeatureError {
    /// No layer has this name or index.
    #[error("there is no layer `{layer}`. Layers: {known}")]
    Layer {
        /// The requested layer.
        layer: String,
        /// The known layers.
        known: String,
    },
}

/// Outputs of a layer, row after row.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerOutputs {
    /// Number of outputs per row.
    pub width: usize,
    /// All outputs.
    pub values: Vec<f32>,
}

/// Returns the outputs of a layer, by its index from 0, for all rows.
///
/// # Errors
/// [`FeatureError::Layer`] with the known layers.
pub fn collect(
    network: &Network<f32>,
    layer: &str,
    subset: &Subset,
    progress: &mut dyn FnMut(usize),
) -> Result<LayerOutputs, FeatureError> {
    let names = names(network);
    let place = names.iter().position(|names| names.iter().any(|name| name == layer));
    let place = place.ok_or_else(|| {
        let known: Vec<String> = names.iter().map(|names| names.join(" or ")).collect();
        FeatureError::Layer { layer: layer.to_string(), known: known.join(", ") }
    })?;
    let mut outputs = LayerOutputs { width: 0, values: Vec::new() };
    for start in (0..subset.len()).step_by(CHUNK) {
        let rows = CHUNK.min(subset.len() - start);
        let tape = layer_outputs(network, subset, start..start + rows);
        let values = tape.activation(place + 1, rows);
        outputs.width = values.len() / rows;
        outputs.values.extend_from_slice(values);
        progress(start + rows);
    }
    Ok(outputs)
}

/// Returns the names of each layer: its index from 0, and its name if it has one.
fn names(network: &Network<f32>) -> Vec<Vec<String>> {
    let names = network.layers().enumerate();
    names
        .map(|(index, view)| {
            std::iter::once(index.to_string()).chain(view.name.map(String::from)).collect()
        })
        .collect()
}
