//! Recognition of files by their content.

use std::io::Read;
use std::path::Path;

use crate::error::{Error, Result};
use crate::float_network::FloatNetwork;
use crate::{MAX_FILE, keras, onnx, tflite, torch};

/// Type of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Keras model, a ZIP archive.
    Keras,
    /// Keras model or weights in HDF5.
    KerasHdf5,
    /// TensorFlow Lite model.
    Tflite,
    /// ONNX model.
    Onnx,
    /// PyTorch checkpoint.
    Torch,
    /// Tensors in safetensors.
    Safetensors,
    /// Another pickle, such as of scikit-learn.
    Pickle,
}

/// Options of an import.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Layers and activations of a state dict, such as `fc1, relu, fc2`.
    pub layers: Option<String>,
}

/// Returns the type of a file by its first bytes and names in it, or `None` for an unknown one.
pub fn recognize(file: &[u8]) -> Option<Kind> {
    const HDF5: &[u8] = b"\x89HDF\r\n\x1a\n";
    // A user block of 512 · 2ⁿ bytes may precede HDF5.
    let blocks = (0..16).map(|power| 512_usize << power);
    if std::iter::once(0).chain(blocks).any(|at| file.get(at..at + 8) == Some(HDF5)) {
        return Some(Kind::KerasHdf5);
    }
    let contains = |name: &[u8]| file.windows(name.len()).any(|window| window == name);
    match file {
        [b'P', b'K', 3, 4, ..] if contains(b"data.pkl") => Some(Kind::Torch),
        [b'P', b'K', 3, 4, ..] if contains(b"model.weights.h5") || contains(b"config.json") => {
            Some(Kind::Keras)
        }
        [_, _, _, _, b'T', b'F', b'L', b'3', ..] => Some(Kind::Tflite),
        // Eight bytes for the length of a JSON header.
        [_, _, _, _, 0, 0, 0, 0, b'{', ..] => Some(Kind::Safetensors),
        [0x80, 2..=5, ..] if contains(b"torch") || contains(b"ustar") => Some(Kind::Torch),
        // The magic number of PyTorch before 1.6.
        [0x80, 2, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, ..] => Some(Kind::Torch),
        [0x80, 2..=5, ..] => Some(Kind::Pickle),
        // A protobuf whose field 1 is the IR version, and whose next is a known one.
        [8, 1..=20, 0x12 | 0x1a | 0x22 | 0x28 | 0x32 | 0x3a | 0x42, ..] => Some(Kind::Onnx),
        _ => None,
    }
}

/// Reads a file or, to refuse it, the folder of a SavedModel.
///
/// # Errors
/// [`Error`] with the layer, node or tensor, and the remedy.
pub fn read(path: &Path, options: &Options) -> Result<FloatNetwork> {
    if path.is_dir() {
        return match path.join("saved_model.pb").exists() {
            true => Err(keras::saved_model()),
            false => Err(Error::Read("it is a folder. Give the file of a model".into())),
        };
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    read_bytes(&content(path)?, Some(folder), options)
}

/// Reads a whole file of at most [`MAX_FILE`] bytes.
pub(crate) fn content(path: &Path) -> Result<Vec<u8>> {
    let failed = |error: std::io::Error| Error::Read(format!("{error}"));
    let mut content = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(MAX_FILE + 1).read_to_end(&mut content).map_err(failed)?;
    match content.len() as u64 > MAX_FILE {
        true => Err(Error::Read(format!("it is larger than {} MiB, the maximum", MAX_FILE >> 20))),
        false => Ok(content),
    }
}

/// Reads the content of a file. External data is read from `folder`, if there is one.
///
/// # Errors
/// [`Error`] with the layer, node or tensor, and the remedy.
pub fn read_bytes(file: &[u8], folder: Option<&Path>, options: &Options) -> Result<FloatNetwork> {
    let layers = options.layers.as_deref();
    match recognize(file) {
        Some(Kind::Keras) => keras::read_archive(file),
        Some(Kind::KerasHdf5) => keras::read_hdf5(file),
        Some(Kind::Onnx) => onnx::read(file, folder),
        Some(Kind::Safetensors) => torch::read_safetensors(file, layers),
        Some(Kind::Torch) => torch::read_checkpoint(file, layers),
        Some(Kind::Tflite) => tflite::read(file),
        Some(Kind::Pickle) => Err(Error::format(
            "a Python pickle, such as of scikit-learn or joblib, which is not read because it can run \
             code",
            "Convert a pipeline in Python with `skl2onnx.to_onnx(model, X[:1])`, and import the `.onnx` \
             file",
        )),
        None => Err(Error::format(
            "not of a known type",
            "Known are Keras (.keras, .h5), ONNX (.onnx), PyTorch state dicts (.safetensors, .pt) and \
             TensorFlow Lite (.tflite)",
        )),
    }
}
