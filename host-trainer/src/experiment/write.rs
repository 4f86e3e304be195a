//! The files that an experiment leaves.

use std::collections::HashMap;

use safetensors::Dtype;
use safetensors::tensor::TensorView;

use super::Experiment;
use crate::network::{Layer, Network};
use crate::report::{confusion_svg, curves_svg, metrics_json};
use crate::run_folder::{RunFolder, RunFolderError};

impl Experiment {
    /// Name of the model's file.
    pub const MODEL: &'static str = "model.thimble";

    /// Names of the files that [`write`](Self::write) writes, with what they are; the last one only
    /// where there are classes.
    pub const FILES: [(&'static str, &'static str); 7] = [
        (Self::MODEL, "the int8 model"),
        ("weights.safetensors", "the float weights"),
        ("preset.toml", "every setting, to run it again"),
        ("history.csv", "loss and accuracy of each epoch"),
        ("metrics.json", "all figures"),
        ("curves.svg", "training curves"),
        ("confusion.svg", "confusion matrices"),
    ];

    /// Name of the file for what [`report`](Self::report) gives, with what it is.
    pub const REPORT: (&'static str, &'static str) = ("report.html", "all of it, to look at");

    /// Writes everything into the folder.
    ///
    /// # Errors
    /// [`RunFolderError`] with the file that cannot be written.
    pub fn write(&self, folder: &RunFolder) -> Result<(), RunFolderError> {
        let matrices =
            [("float", &self.float.confusion), (self.precision_name(), &self.int8.confusion)];
        let name = &self.preset.name;
        // What took longest to come by first: should the disk be full, it is what fits.
        folder.write("weights.safetensors", &safetensors(&self.outcome.network))?;
        folder.write(Self::MODEL, self.model_bytes())?;
        folder.write("preset.toml", self.preset.to_toml().as_bytes())?;
        folder.write("history.csv", self.outcome.history.to_csv().as_bytes())?;
        folder.write("metrics.json", metrics_json(self).as_bytes())?;
        folder.write("curves.svg", curves_svg(name, &self.outcome.history).as_bytes())?;
        if self.has_classes() {
            folder.write("confusion.svg", confusion_svg(name, &matrices).as_bytes())?;
        }
        Ok(())
    }

    /// Whether it was about classes, not values.
    pub fn has_classes(&self) -> bool {
        !self.float.confusion.names().is_empty()
    }
}

/// The dense layers as safetensors: `layers.N.weight` (outputs × inputs) and `layers.N.bias`; of
/// batch normalisation, counted by itself, `normalizations.N.gamma`, `.beta`, `.mean`, `.variance`.
fn safetensors(network: &Network<f32>) -> Vec<u8> {
    let bytes = |values: &mut dyn Iterator<Item = &f32>| {
        values.flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>()
    };
    let mut tensors = Vec::new();
    for (index, (dense, parameters)) in network.dense_layers().enumerate() {
        let (weights, biases) = dense.view(parameters);
        let shape = vec![dense.outputs, dense.inputs];
        tensors.push((format!("layers.{index}.weight"), shape, bytes(&mut weights.iter())));
        tensors.push((
            format!("layers.{index}.bias"),
            vec![dense.outputs],
            bytes(&mut biases.iter()),
        ));
    }
    let normalizations = network.layers().filter_map(|view| match view.layer {
        Layer::BatchNormalization(layer) => Some((layer, view)),
        _ => None,
    });
    for (index, (layer, view)) in normalizations.enumerate() {
        let (gamma, beta) = view.parameters.split_at(layer.width);
        let (mean, variance) = view.state.split_at(layer.width);
        for (name, values) in
            [("gamma", gamma), ("beta", beta), ("mean", mean), ("variance", variance)]
        {
            let name = format!("normalizations.{index}.{name}");
            tensors.push((name, vec![layer.width], bytes(&mut values.iter())));
        }
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
    use crate::network::{Activation, DenseSpec, LayerSpec};

    #[test]
    fn weights_come_back_from_the_file() {
        let layer = |units| LayerSpec::Dense(DenseSpec::new(units, Activation::Linear));
        let network = Network::<f32>::new(3, &[layer(4), layer(2)], 1).unwrap();
        let file = safetensors(&network);
        let tensors = SafeTensors::deserialize(&file).unwrap();
        assert_eq!(tensors.names().len(), 4);
        let weight = tensors.tensor("layers.1.weight").unwrap();
        assert_eq!((weight.shape(), weight.dtype()), ([2, 4].as_slice(), Dtype::F32));
        let (dense, parameters) = network.dense_layers().nth(1).unwrap();
        let (weights, _) = dense.view(parameters);
        let expected: Vec<u8> = weights.iter().flat_map(|value| value.to_le_bytes()).collect();
        assert_eq!(weight.data(), expected);
    }
}
