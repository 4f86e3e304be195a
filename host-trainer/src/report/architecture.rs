//! Summary of a float network: layers, output widths, parameters.

use super::number::grouped;
use super::table::Table;
use crate::network::{Head, Layer, Network};

/// A layer of a float network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerSummary {
    /// Number of the layer, counted from 1. 0 is the input.
    pub number: usize,
    /// Kind, with its activation or rate.
    pub kind: String,
    /// Name from the preset. May be empty.
    pub name: String,
    /// Number of outputs.
    pub outputs: usize,
    /// Number of trained parameters.
    pub parameters: usize,
}

/// Returns the layers of a network, first to last. The output activation belongs to the last one.
pub fn layer_summaries(network: &Network<f32>) -> Vec<LayerSummary> {
    let count = network.layers().len();
    let layers = network.layers().enumerate();
    let summary = |(index, view): (usize, crate::network::LayerView<'_, f32>)| {
        let mut kind = match view.layer {
            Layer::Dense(dense) => format!("dense, {}", dense.activation.name()),
            Layer::Activation { activation, .. } => format!("activation {}", activation.name()),
            Layer::Dropout { rate, .. } => format!("dropout {rate}"),
            Layer::BatchNormalization(_) => "batch normalization".to_string(),
        };
        let head = match network.head() {
            Head::None => None,
            Head::Sigmoid => Some("sigmoid"),
            Head::Softmax => Some("softmax"),
        };
        if let (Some(head), true) = (head, index + 1 == count) {
            kind = match view.layer {
                Layer::Dense(_) => format!("dense, {head}"),
                _ => format!("{kind}, {head}"),
            };
        }
        LayerSummary {
            number: index + 1,
            kind,
            name: view.name.unwrap_or_default().to_string(),
            outputs: view.layer.outputs(),
            parameters: view.parameters.len(),
        }
    };
    layers.map(summary).collect()
}

/// Formats the layers of a network as a table for the terminal.
pub fn architecture_text(network: &Network<f32>) -> String {
    let mut table = Table::new(["  layer", "", "outputs", "parameters"]);
    for layer in layer_summaries(network) {
        let name = crate::foreign_text::escaped(&layer.name);
        table.row([
            format!("  {:>2} {}", layer.number, layer.kind).into(),
            name.as_str().into(),
            grouped(layer.outputs as u64).into(),
            grouped(layer.parameters as u64).into(),
        ]);
    }
    super::summary::joined(&table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Activation, DenseSpec, LayerSpec};

    #[test]
    fn layers_are_listed_with_widths_and_parameters() {
        let mut named = DenseSpec::new(2, Activation::Relu);
        named.name = Some("plane".into());
        let layers = [
            LayerSpec::Dense(named),
            LayerSpec::BatchNormalization { momentum: 0.9, epsilon: 1e-3 },
            LayerSpec::Dropout(0.25),
            LayerSpec::Dense(DenseSpec::new(3, Activation::Softmax)),
        ];
        let network = Network::<f32>::new(4, &layers, 1).unwrap();
        let found = layer_summaries(&network);
        let kinds: Vec<&str> = found.iter().map(|layer| layer.kind.as_str()).collect();
        let expected = ["dense, relu", "batch normalization", "dropout 0.25", "dense, softmax"];
        assert_eq!(kinds, expected);
        let parameters: Vec<usize> = found.iter().map(|layer| layer.parameters).collect();
        assert_eq!(parameters, [10, 4, 0, 9]);
        let text = anstream::adapter::strip_str(&architecture_text(&network)).to_string();
        assert!(text.contains("1 dense, relu") && text.contains("plane"), "{text}");
    }
}
