//! The files that an experiment leaves.

use std::collections::HashMap;

use safetensors::Dtype;
use safetensors::tensor::TensorView;

use super::Experiment;
use crate::network::Network;
use crate::report::{confusion_svg, curves_svg, metrics_json};
use crate::run_folder::{RunFolder, RunFolderError};

impl Experiment {
    /// Names of the files that [`write`](Self::write) writes, with what they are.
    pub const FILES: [(&'static str, &'static str); 7] = [
        ("model.thimble", "the int8 model"),
        ("weights.safetensors", "the float weights"),
        ("preset.toml", "every setting, to run it again"),
        ("history.csv", "loss and accuracy of each epoch"),
        ("metrics.json", "all figures"),
        ("curves.svg", "training curves"),
        ("confusion.svg", "confusion matrices"),
    ];

    /// Writes everything into the folder.
    ///
    /// # Errors
    /// [`RunFolderError`] with the file that cannot be written.
    pub fn write(&self, folder: &RunFolder) -> Result<(), RunFolderError> {
        let matrices = [("float", &self.float.confusion), ("int8", &self.int8.confusion)];
        let name = &self.preset.name;
        folder.write("model.thimble", self.model_bytes())?;
        folder.write("weights.safetensors", &safetensors(&self.outcome.network))?;
        folder.write("preset.toml", self.preset.to_toml().as_bytes())?;
        folder.write("history.csv", self.outcome.history.to_csv().as_bytes())?;
        folder.write("metrics.json", metrics_json(self).as_bytes())?;
        folder.write("curves.svg", curves_svg(name, &self.outcome.history).as_bytes())?;
        folder.write("confusion.svg", confusion_svg(name, &matrices).as_bytes())
    }
}

/// The weights as safetensors: `layers.N.weight` (outputs × inputs) and `layers.N.bias`.
fn safetensors(network: &Network<f32>) -> Vec<u8> {
    let bytes = |values: &mut dyn Iterator<Item = &f32>| {
        values.flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>()
    };
    let mut tensors = Vec::new();
    for (index, (dense, parameters)) in network.layers().enumerate() {
        let (weights, biases) = dense.view(parameters);
        let shape = vec![dense.outputs, dense.inputs];
        tensors.push((format!("layers.{index}.weight"), shape, bytes(&mut weights.iter())));
        tensors.push((
            format!("layers.{index}.bias"),
            vec![dense.outputs],
            bytes(&mut biases.iter()),
        ));
    }
    let views: Vec<(&str, TensorView<'_>)> = tensors
        .iter()
        .filter_map(|(name, shape, data)| {
            // The bytes are those of the shape, so that every view is valid.
            Some((name.as_str(), TensorView::new(Dtype::F32, shape.clone(), data).ok()?))
        })
        .collect();
    let metadata = HashMap::from([("format".to_string(), "thimble".to_string())]);
    // What could fail is a name that comes twice, or a length that does not fit: neither is here.
    safetensors::serialize(views, Some(metadata)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use safetensors::SafeTensors;

    use super::*;
    use crate::network::{Activation, DenseSpec, Initializer, LayerSpec};

    #[test]
    fn weights_come_back_from_the_file() {
        let layer = |units| {
            LayerSpec::Dense(DenseSpec {
                units,
                activation: Activation::Linear,
                weights: Initializer::XavierUniform,
            })
        };
        let network = Network::<f32>::new(3, &[layer(4), layer(2)], 1).unwrap();
        let file = safetensors(&network);
        let tensors = SafeTensors::deserialize(&file).unwrap();
        assert_eq!(tensors.names().len(), 4);
        let weight = tensors.tensor("layers.1.weight").unwrap();
        assert_eq!((weight.shape(), weight.dtype()), ([2, 4].as_slice(), Dtype::F32));
        let (dense, parameters) = network.layers().nth(1).unwrap();
        let (weights, _) = dense.view(parameters);
        let expected: Vec<u8> = weights.iter().flat_map(|value| value.to_le_bytes()).collect();
        assert_eq!(weight.data(), expected);
    }
}
