//! Summary of a float network: layers, output widths, parameters.

use super::number::grouped;
use super::table::Table;
use crate::network::{Head, Layer, Network};

/// A layer of a float network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerSummary {
    /// Number among the dense layers, counted from 0, as in the rest of the report. `None` for other
    /// layers.
    pub number: Option<usize>,
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
    let mut dense_layers = 0..;
    let layers = network.layers().enumerate();
    let mut summary = |(index, view): (usize, crate::network::LayerView<'_, f32>)| {
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
            number: match view.layer {
                Layer::Dense(_) => dense_layers.next(),
                _ => None,
            },
            kind,
            name: view.name.unwrap_or_default().to_string(),
            outputs: view.layer.outputs(),
            parameters: view.parameters.len(),
        }
    };
    layers.map(&mut summary).collect()
}

/// Returns the number of a layer as text, empty for layers without one.
pub fn number_text(layer: &LayerSummary) -> String {
    layer.number.map_or(String::new(), |number| number.to_string())
}

/// Formats the layers of a network as a table for the terminal.
pub fn architecture_text(network: &Network<f32>) -> String {
    let mut table = Table::new(["  layer", "", "outputs", "parameters"]);
    for layer in layer_summaries(network) {
        let name = crate::foreign_text::escaped(&layer.name);
        table.row([
            format!("  {:>2} {}", number_text(&layer), layer.kind).into(),
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
        assert!(text.contains("0 dense, relu") && text.contains("1 dense, softmax"), "{text}");
        assert!(text.contains("batch normalization") && text.contains("plane"), "{text}");
    }
}
