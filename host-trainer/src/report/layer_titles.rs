//! Numbers of layers.

use model_format::{Layer, Model};

/// Returns number and operator of each layer of a model, such as `0 dense`, `0 table`, `1 dense`.
/// The number counts layers with weights from 0, as presets name them and the report shows them; an
/// activation has that of the layer before it.
pub fn layer_titles(model: &Model<'_>) -> Vec<String> {
    let mut dense = 0_usize;
    let title = |layer: Layer<'_>| {
        dense += usize::from(matches!(layer, Layer::Dense(_)));
        format!("{} {}", dense.saturating_sub(1), layer.name())
    };
    model.layers().map(title).collect()
}
