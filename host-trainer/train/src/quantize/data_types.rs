//! Data types of activations: int8, int16 or mixed.

use model_format::{DataType, Layer as ModelLayer, Model};

use thimble_network::{Activation, Head, Layer, Network, Objective};

/// Data types of a model's activations: of its input, and of the outputs of each dense layer with
/// its activation function.
///
/// Inputs of softmax are always int8, because there is no int16 softmax.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataTypes {
    /// Data type of the input.
    pub input: DataType,
    /// Data types of the outputs of each dense layer, first to last.
    pub dense: Vec<DataType>,
}

impl DataTypes {
    /// Returns one data type for all activations of a network.
    pub fn all(data_type: DataType, network: &Network<f32>) -> Self {
        DataTypes { input: data_type, dense: vec![data_type; network.dense_layers().count()] }
    }

    /// Returns int8 for all activations but one, which is int16: the input (0) or the outputs of a
    /// dense layer (from 1 on).
    pub fn one_wide(place: usize, network: &Network<f32>) -> Self {
        let mut data_types = DataTypes::all(DataType::Int8, network);
        match place.checked_sub(1) {
            None => data_types.input = DataType::Int16,
            Some(dense) => {
                if let Some(data_type) = data_types.dense.get_mut(dense) {
                    *data_type = DataType::Int16;
                }
            }
        }
        data_types
    }

    /// Returns the data type of each layer's outputs of a folded network.
    pub fn of_layers(&self, folded: &Network<f32>, objective: Objective) -> Vec<DataType> {
        let layers: Vec<Layer> = folded.layers().map(|view| *view.layer).collect();
        let is_softmax = |layer: Option<&Layer>| match layer {
            Some(Layer::Activation { activation, .. }) => *activation == Activation::Softmax,
            Some(_) => false,
            None => objective.head == Head::Softmax,
        };
        let (mut dense, mut current) = (self.dense.iter(), self.input);
        let mut data_types = Vec::with_capacity(layers.len());
        for (index, layer) in layers.iter().enumerate() {
            if let Layer::Dense(_) = layer {
                current = dense.next().copied().unwrap_or(current);
            }
            if is_softmax(layers.get(index + 1)) || is_softmax(Some(layer)) {
                current = DataType::Int8;
            }
            data_types.push(current);
        }
        data_types
    }

    /// Returns the data type of the last layer's outputs.
    pub fn last(&self, folded: &Network<f32>, objective: Objective) -> DataType {
        self.of_layers(folded, objective).pop().unwrap_or(self.input)
    }

    /// Returns the name of a model's activation data types: `int8`, `int16` or `mixed`.
    pub fn name_of(model: &Model<'_>) -> &'static str {
        // Inputs and outputs of softmax are always int8.
        let is_softmax = |layer: &ModelLayer<'_>| matches!(layer, ModelLayer::Softmax(_));
        let layers: Vec<ModelLayer<'_>> = model.layers().collect();
        let mut seen = vec![model.input_quantization().data_type];
        for (index, layer) in layers.iter().enumerate() {
            if !is_softmax(layer) && !layers.get(index + 1).is_some_and(is_softmax) {
                seen.push(layer.output().data_type);
            }
        }
        match seen.iter().filter(|data_type| **data_type == DataType::Int16).count() {
            0 => "int8",
            wide if wide == seen.len() => "int16",
            _ => "mixed",
        }
    }

    /// Returns the name of these data types: `int8`, `int16`, or `mixed` for some of each.
    pub fn name(&self) -> &'static str {
        let is_wide = |data_type: &DataType| *data_type == DataType::Int16;
        match (is_wide(&self.input), self.dense.iter().filter(|p| is_wide(p)).count()) {
            (true, wide) if wide == self.dense.len() => "int16",
            (false, 0) => "int8",
            _ => "mixed",
        }
    }
}

#[cfg(test)]
mod tests {
    use thimble_network::{DenseSpec, LayerSpec, Loss};

    use super::*;

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
        use DataType::{Int8, Int16};
        let plain = network(&[dense(Activation::Relu), dense(Activation::Linear)]);
        let all = DataTypes::all(Int16, &plain);
        assert_eq!(all.of_layers(&plain, objective(Head::None)), [Int16, Int16]);
        assert_eq!(all.of_layers(&plain, objective(Head::Softmax)), [Int16, Int8]);
        let hidden = network(&[
            dense(Activation::Linear),
            LayerSpec::Activation(Activation::Softmax),
            dense(Activation::Linear),
        ]);
        let all = DataTypes::all(Int16, &hidden);
        assert_eq!(all.of_layers(&hidden, objective(Head::None)), [Int8, Int8, Int16]);
    }

    #[test]
    fn names_say_how_many_are_wide() {
        let network = network(&[dense(Activation::Relu), dense(Activation::Linear)]);
        assert_eq!(DataTypes::all(DataType::Int8, &network).name(), "int8");
        assert_eq!(DataTypes::all(DataType::Int16, &network).name(), "int16");
        let names = [0, 1, 2].map(|place| DataTypes::one_wide(place, &network).name());
        assert_eq!(names, ["mixed"; 3]);
    }
}
