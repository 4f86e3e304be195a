//! Points of a network at which its quantized model rounds activations.

use model_format::{DataType, Quantization};

use crate::{Activation, Head, Layer, Network, NetworkError, Real};

/// A point at which activations are rounded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Point {
    /// A range that follows the activations.
    Tracked {
        /// Index among the tracked points.
        index: usize,
        /// Largest magnitude that is worth steps.
        limit: Option<f32>,
        /// Data type.
        data_type: DataType,
    },
    /// The fixed range of a table: of tanh and sigmoid.
    Fixed(Quantization),
}

impl Point {
    /// Returns the index among the tracked points, or `None` for a fixed range.
    pub fn tracked(self) -> Option<usize> {
        match self {
            Point::Tracked { index, .. } => Some(index),
            Point::Fixed(_) => None,
        }
    }
}

/// Points of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct LayerPoints {
    /// The pre-activation, before an activation that is a table of the model.
    pub inner: Option<Point>,
    /// The outputs.
    pub outer: Option<Point>,
}

/// Points of all layers.
#[derive(Clone, Debug, PartialEq)]
pub struct Points {
    layers: Vec<LayerPoints>,
    tracked: usize,
}

/// `true` for activations that are clamp bounds of a dense layer of the model.
fn is_clamp(activation: Activation) -> bool {
    matches!(activation, Activation::Linear | Activation::Relu | Activation::Relu6)
}

impl Points {
    /// Returns the points of a network for activations of this data type. The outputs of the last
    /// layer are rounded if `outputs` is `true`; those of a regression have ranges of their own.
    ///
    /// # Errors
    /// [`NetworkError::Place`] for batch normalization that is not between a dense layer and its
    /// activation, and for softmax between layers.
    pub fn new<T: Real>(
        network: &Network<T>,
        data_type: DataType,
        outputs: bool,
    ) -> Result<Self, NetworkError> {
        let layers: Vec<Layer> = network.layers().map(|view| *view.layer).collect();
        let mut points = Points { layers: vec![LayerPoints::default(); layers.len()], tracked: 0 };
        // `true` while the value is a linear function of a dense layer's inputs.
        let mut linear = false;
        for (index, layer) in layers.iter().enumerate() {
            let fail = |problem| Err(NetworkError::Place { layer: index, problem });
            let next = layers[index + 1..].iter().find(|l| !matches!(l, Layer::Dropout { .. }));
            let activation = match layer {
                Layer::Dense(dense) => dense.activation,
                Layer::Activation { activation, .. } => *activation,
                Layer::BatchNormalization(_) if !linear => {
                    return fail(
                        "quantization-aware training needs batch normalization between a dense \
                         layer and its activation, where it folds into the scales of rows: move \
                         it there",
                    );
                }
                Layer::BatchNormalization(_) => Activation::Linear,
                Layer::Dropout { .. } => continue,
            };
            if activation == Activation::Softmax {
                return fail("quantization-aware training has no softmax between layers");
            }
            linear = activation == Activation::Linear;
            let folds = match next {
                Some(Layer::BatchNormalization(_)) => linear,
                Some(Layer::Activation { activation, .. }) => is_clamp(*activation),
                _ => false,
            };
            let is_last = next.is_none();
            let mut tracked = |table: Option<Activation>| {
                let data_type = match is_last && network.head() == Head::Softmax {
                    true => DataType::Int8,
                    false => data_type,
                };
                let limit = table.and_then(|table| table.input_limit(data_type));
                points.tracked += 1;
                Some(Point::Tracked { index: points.tracked - 1, limit, data_type })
            };
            let behind = match (next, network.head()) {
                (Some(Layer::Activation { activation, .. }), _) => Some(*activation),
                (None, Head::Sigmoid) => Some(Activation::Sigmoid),
                _ => None,
            };
            let is_dense = matches!(layer, Layer::Dense(_));
            let mut found = LayerPoints::default();
            if !is_clamp(activation) && is_dense {
                found.inner = tracked(Some(activation));
            }
            let has_outputs = !is_last || outputs;
            if has_outputs && !folds {
                found.outer = match table(activation, data_type) {
                    Some(quantization) => Some(Point::Fixed(quantization)),
                    None => tracked(behind),
                };
            }
            points.layers[index] = found;
        }
        Ok(points)
    }

    /// Returns the points of each layer.
    pub fn layers(&self) -> &[LayerPoints] {
        &self.layers
    }

    /// Returns `true` if the last layer's outputs are rounded.
    pub fn has_outputs(&self) -> bool {
        self.layers.last().is_some_and(|layer| layer.outer.is_some())
    }

    /// Returns the number of points whose ranges follow the activations.
    pub fn tracked(&self) -> usize {
        self.tracked
    }
}

/// Returns the quantization of the outputs of tanh and sigmoid.
fn table(activation: Activation, data_type: DataType) -> Option<Quantization> {
    match (activation, data_type) {
        (Activation::Tanh, DataType::Int8) => Some(Quantization::int8(1.0 / 128.0, 0)),
        (Activation::Sigmoid, DataType::Int8) => Some(Quantization::int8(1.0 / 256.0, -128)),
        (Activation::Tanh | Activation::Sigmoid, DataType::Int16) => {
            Some(Quantization::int16(1.0 / 32768.0))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LayerSpec;
    use crate::model::tests::{dense, normalization};

    fn places(layers: &[LayerSpec]) -> Vec<(bool, bool)> {
        let network = Network::<f32>::new(2, layers, 1).unwrap();
        let points = Points::new(&network, DataType::Int8, true).unwrap();
        points.layers().iter().map(|layer| (layer.inner.is_some(), layer.outer.is_some())).collect()
    }

    #[test]
    fn values_are_rounded_where_the_model_rounds_them() {
        let (none, outer, both) = ((false, false), (false, true), (true, true));
        let layers =
            [dense(3, Activation::Relu), LayerSpec::Dropout(0.5), dense(2, Activation::Linear)];
        assert_eq!(places(&layers), [outer, none, outer]);
        let layers = [
            dense(3, Activation::Linear),
            normalization(),
            LayerSpec::Activation(Activation::Relu),
            dense(2, Activation::Tanh),
            dense(2, Activation::Linear),
            normalization(),
            LayerSpec::Activation(Activation::Tanh),
        ];
        // The last tanh is a table behind the normalization.
        assert_eq!(places(&layers), [none, none, outer, both, none, outer, outer]);
    }

    #[test]
    fn what_does_not_fold_into_rows_is_refused() {
        let refused = |layers: &[LayerSpec]| {
            let network = Network::<f32>::new(2, layers, 1).unwrap();
            Points::new(&network, DataType::Int8, true).unwrap_err().to_string()
        };
        let behind = [dense(3, Activation::Relu), normalization(), dense(2, Activation::Linear)];
        assert!(refused(&behind).starts_with("layer 1: quantization-aware training needs batch"));
        let first = [normalization(), dense(2, Activation::Linear)];
        assert!(refused(&first).starts_with("layer 0: quantization-aware training needs batch"));
        let softmax = [dense(3, Activation::Softmax), dense(2, Activation::Linear)];
        assert!(refused(&softmax).starts_with("layer 0: quantization-aware training has no"));
    }
}
