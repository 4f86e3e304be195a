//! Which activations have 8 bits and which 16.

use model_format::{Layer as ModelLayer, Model, Precision};

use crate::network::{Activation, Head, Layer, Network, Objective};

/// The integers of a model's activations: of its input, and of the outputs of each dense layer with
/// the function behind it.
///
/// What a softmax takes is int8 in any case: there is none of 16 bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Precisions {
    /// Of the input.
    pub input: Precision,
    /// Of the outputs of each dense layer, first to last.
    pub dense: Vec<Precision>,
}

impl Precisions {
    /// Returns one precision for all activations of a network.
    pub fn all(precision: Precision, network: &Network<f32>) -> Self {
        Precisions { input: precision, dense: vec![precision; network.dense_layers().count()] }
    }

    /// Returns int8 for all but one place, the input (0) or the outputs of a dense layer (from 1 on).
    pub fn one_wide(place: usize, network: &Network<f32>) -> Self {
        let mut precisions = Precisions::all(Precision::Int8, network);
        match place.checked_sub(1) {
            None => precisions.input = Precision::Int16,
            Some(dense) => {
                if let Some(precision) = precisions.dense.get_mut(dense) {
                    *precision = Precision::Int16;
                }
            }
        }
        precisions
    }

    /// Returns the precision of the outputs of each layer of a folded network.
    pub fn of_layers(&self, folded: &Network<f32>, objective: Objective) -> Vec<Precision> {
        let layers: Vec<Layer> = folded.layers().map(|view| *view.layer).collect();
        let is_softmax = |layer: Option<&Layer>| match layer {
            Some(Layer::Activation { activation, .. }) => *activation == Activation::Softmax,
            Some(_) => false,
            None => objective.head == Head::Softmax,
        };
        let (mut dense, mut current) = (self.dense.iter(), self.input);
        let mut precisions = Vec::with_capacity(layers.len());
        for (index, layer) in layers.iter().enumerate() {
            if let Layer::Dense(_) = layer {
                current = dense.next().copied().unwrap_or(current);
            }
            if is_softmax(layers.get(index + 1)) || is_softmax(Some(layer)) {
                current = Precision::Int8;
            }
            precisions.push(current);
        }
        precisions
    }

    /// Returns the precision of the last layer's outputs.
    pub fn last(&self, folded: &Network<f32>, objective: Objective) -> Precision {
        self.of_layers(folded, objective).pop().unwrap_or(self.input)
    }

    /// Returns the name of the activations of a model: `int8`, `int16` or `mixed`.
    pub fn name_of(model: &Model<'_>) -> &'static str {
        // What a softmax takes and gives is int8 in any case.
        let is_softmax = |layer: &ModelLayer<'_>| matches!(layer, ModelLayer::Softmax(_));
        let layers: Vec<ModelLayer<'_>> = model.layers().collect();
        let mut seen = vec![model.input_quantization().precision];
        for (index, layer) in layers.iter().enumerate() {
            if !is_softmax(layer) && !layers.get(index + 1).is_some_and(is_softmax) {
                seen.push(layer.output().precision);
            }
        }
        match seen.iter().filter(|precision| **precision == Precision::Int16).count() {
            0 => "int8",
            wide if wide == seen.len() => "int16",
            _ => "mixed",
        }
    }

    /// Returns their name: `int8`, `int16` or `mixed` for some of each.
    pub fn name(&self) -> &'static str {
        let is_wide = |precision: &Precision| *precision == Precision::Int16;
        match (is_wide(&self.input), self.dense.iter().filter(|p| is_wide(p)).count()) {
            (true, wide) if wide == self.dense.len() => "int16",
            (false, 0) => "int8",
            _ => "mixed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{DenseSpec, LayerSpec, Loss};

    fn network(layers: &[LayerSpec]) -> Network<f32> {
        Network::new(2, layers, 1).unwrap()
    }

    fn dense(activation: Activation) -> LayerSpec {
        LayerSpec::Dense(DenseSpec::new(3, activation))
    }

    fn objective(head: Head) -> Objective {
        Objective { loss: Loss::SparseCategoricalCrossEntropy, head, ..Objective::default() }
    }

    #[test]
    fn a_softmax_takes_int8_in_any_case() {
        use Precision::{Int8, Int16};
        let plain = network(&[dense(Activation::Relu), dense(Activation::Linear)]);
        let all = Precisions::all(Int16, &plain);
        assert_eq!(all.of_layers(&plain, objective(Head::None)), [Int16, Int16]);
        assert_eq!(all.of_layers(&plain, objective(Head::Softmax)), [Int16, Int8]);
        let hidden = network(&[
            dense(Activation::Linear),
            LayerSpec::Activation(Activation::Softmax),
            dense(Activation::Linear),
        ]);
        let all = Precisions::all(Int16, &hidden);
        assert_eq!(all.of_layers(&hidden, objective(Head::None)), [Int8, Int8, Int16]);
    }

    #[test]
    fn names_say_how_many_are_wide() {
        let network = network(&[dense(Activation::Relu), dense(Activation::Linear)]);
        assert_eq!(Precisions::all(Precision::Int8, &network).name(), "int8");
        assert_eq!(Precisions::all(Precision::Int16, &network).name(), "int16");
        let names = [0, 1, 2].map(|place| Precisions::one_wide(place, &network).name());
        assert_eq!(names, ["mixed"; 3]);
    }
}
