//! Weights as NumPy arrays: the `.npy` format, version 1.0
//! (<https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>).

use crate::network::{Layer, Network};

/// Start of every file, with the version.
const MAGIC: &[u8; 8] = b"\x93NUMPY\x01\x00";

/// Returns the arrays of a network with their file names: of dense layers the weights, inputs ×
/// outputs as in Keras, and the biases; of batch normalization γ, β, mean and variance. Layers are
/// counted from 0 by kind, as in `weights.safetensors`.
pub(super) fn arrays(network: &Network<f32>) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    let (mut dense_layers, mut normalizations) = (0..usize::MAX, 0..usize::MAX);
    for view in network.layers() {
        let name = match view.layer {
            Layer::Dense(_) => format!("layer-{}", dense_layers.next().unwrap_or_default()),
            _ => format!("normalization-{}", normalizations.start),
        };
        let mut add = |what: &str, shape: &[usize], values: &mut dyn Iterator<Item = f32>| {
            files.push((format!("{name}-{what}.npy"), array(shape, values)));
        };
        match view.layer {
            Layer::Dense(dense) => {
                let (weights, biases) = dense.view(view.parameters);
                let shape = [dense.inputs, dense.outputs];
                add("weights", &shape, &mut weights.t().iter().copied());
                add("biases", &[dense.outputs], &mut biases.iter().copied());
            }
            Layer::BatchNormalization(layer) => {
                normalizations.next();
                let halves = |values: &[f32]| {
                    let (first, second) = values.split_at(layer.width);
                    (first.to_vec(), second.to_vec())
                };
                let ((gamma, beta), (mean, variance)) =
                    (halves(view.parameters), halves(view.state));
                let all =
                    [("gamma", gamma), ("beta", beta), ("mean", mean), ("variance", variance)];
                for (what, values) in all {
                    add(what, &[layer.width], &mut values.into_iter());
                }
            }
            Layer::Activation { .. } | Layer::Dropout { .. } => {}
        }
    }
    files
}

/// Returns a file with a little-endian `f32` array in C order.
fn array(shape: &[usize], values: &mut dyn Iterator<Item = f32>) -> Vec<u8> {
    let shape: String = shape.iter().map(|length| format!("{length}, ")).collect();
    let shape = shape.trim_end();
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({shape}), }}");
    // Padded so that the numbers start at a multiple of 64 bytes.
    let len = (MAGIC.len() + 2 + header.len() + 1).next_multiple_of(64) - MAGIC.len() - 2;
    header.push_str(&" ".repeat(len - header.len() - 1));
    header.push('\n');
    let mut bytes = MAGIC.to_vec();
    // At most two numbers of 20 digits: far below the format's 65,535 bytes.
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(values.flat_map(f32::to_le_bytes));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Activation, DenseSpec, LayerSpec};

    #[test]
    fn weights_have_their_inputs_first() {
        let layers = [LayerSpec::Dense(DenseSpec::new(2, Activation::Linear))];
        let mut network = Network::<f32>::new(3, &layers, 1).unwrap();
        // Outputs × inputs, then biases.
        network.parameters_mut().copy_from_slice(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
        let files = arrays(&network);
        assert_eq!(files[0].0, "layer-0-weights.npy");
        let bytes = &files[0].1;
        assert_eq!(bytes[..10], *b"\x93NUMPY\x01\x00\x76\x00");
        let header = std::str::from_utf8(&bytes[10..128]).unwrap();
        let expected = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2,), }";
        assert_eq!(header.trim_end(), expected);
        assert!(header.ends_with('\n'));
        let numbers: Vec<f32> =
            bytes[128..].as_chunks().0.iter().map(|word| f32::from_le_bytes(*word)).collect();
        assert_eq!(numbers, [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
        assert_eq!((files[1].0.as_str(), files[1].1.len()), ("layer-0-biases.npy", 128 + 8));
    }
}
