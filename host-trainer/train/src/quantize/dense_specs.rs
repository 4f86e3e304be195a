//! The dense layers of a model specification.

use model_format::build::{DenseSpec, LayerSpec, ModelSpec};

/// Iterates over the dense layers of a model specification, each with its layer index.
pub(super) fn dense_specs(spec: &mut ModelSpec) -> impl Iterator<Item = (usize, &mut DenseSpec)> {
    spec.layers.iter_mut().enumerate().filter_map(|(index, layer)| match layer {
        LayerSpec::Dense(dense) => Some((index, dense)),
        _ => None,
    })
}
