//! Detection of other file types (Keras, PyTorch, ONNX, C arrays), with remedies.

use super::ImportError;

/// Remedy for Keras models.
const CONVERT_KERAS: &str = "convert it in Python with \
`tf.lite.TFLiteConverter.from_keras_model(keras.models.load_model(FILE))`, quantized to int8 by \
`converter.optimizations`, a `representative_dataset` and \
`target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]`, and import the result";
const CONVERT_ONNX: &str = "convert it to an int8 `.tflite` file (for example `onnx2tf -i FILE -oiqt`), \
and import that";
const CONVERT_TORCH: &str = "export it to an int8 `.tflite` file (for example with `litert-torch`, or \
to ONNX and from there with `onnx2tf -oiqt`), and import that";

/// Returns the error for a file that is not a TensorFlow Lite model.
pub(super) fn refuse(file: &[u8]) -> ImportError {
    match recognize(file) {
        Some((what, remedy)) => ImportError::Foreign { what, remedy },
        None => ImportError::Identifier,
    }
}

/// Returns the type of a file and the remedy.
fn recognize(file: &[u8]) -> Option<(&'static str, &'static str)> {
    match file {
        [0x89, b'H', b'D', b'F', b'\r', b'\n', 0x1a, b'\n', ..] => {
            Some(("a Keras model or weights in HDF5 (`.h5`)", CONVERT_KERAS))
        }
        [b'P', b'K', 3, 4, ..] if contains(file, b"data.pkl") => {
            Some(("a PyTorch model (`.pt`)", CONVERT_TORCH))
        }
        [b'P', b'K', 3, 4, ..]
            if contains(file, b"model.weights.h5") || contains(file, b"metadata.json") =>
        {
            Some(("a Keras model (`.keras`)", CONVERT_KERAS))
        }
        [b'P', b'K', 3, 4, ..] => {
            Some(("a ZIP archive", "unpack it, and import the `.tflite` file in it"))
        }
        [0x1f, 0x8b, ..] => Some(("compressed by gzip", "unpack it with `gunzip` first")),
        // Pickle, protocols 2 to 5, PyTorch's format before version 1.6.
        [0x80, 2..=5, ..] => Some(("a pickled PyTorch model (`.pt`)", CONVERT_TORCH)),
        // A protobuf whose field 1 is ONNX's IR version, followed by producer, domain, graph or
        // operator sets.
        [8, 1..=20, 0x12 | 0x1a | 0x22 | 0x3a | 0x42, ..] => {
            Some(("an ONNX model (`.onnx`)", CONVERT_ONNX))
        }
        _ if is_c_array(file) => Some((
            "C source with an array of bytes",
            "import the `.tflite` file that it was made from; `xxd -r -p` makes one of the \
             numbers, once `0x`, commas and all around them are removed",
        )),
        _ => None,
    }
}

fn contains(file: &[u8], name: &[u8]) -> bool {
    file.windows(name.len()).any(|window| window == name)
}

/// Returns `true` for C source with a byte array near its beginning, as `xxd -i` writes it.
fn is_c_array(file: &[u8]) -> bool {
    let beginning = String::from_utf8_lossy(file.get(..4096).unwrap_or(file));
    let is_text = !beginning.contains(['\0', char::REPLACEMENT_CHARACTER]);
    let declares = ["unsigned char ", "uint8_t ", "int8_t "].iter().any(|t| beginning.contains(t));
    is_text && declares && beginning.contains('[')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_other_kinds_are_named_with_what_to_do() {
        let zip = |name: &str| [b"PK\x03\x04\0\0\0\0", name.as_bytes()].concat();
        for (file, words) in [
            (b"\x89HDF\r\n\x1a\n\0\0".to_vec(), [".h5", "from_keras_model"]),
            (zip("config.json model.weights.h5"), [".keras", "from_keras_model"]),
            (zip("archive/data.pkl"), ["PyTorch", "litert-torch"]),
            (zip("readme.txt"), ["ZIP", "unpack"]),
            (b"\x80\x02ctorch".to_vec(), ["PyTorch", "litert-torch"]),
            (b"\x08\x08\x12\x07pytorch".to_vec(), [".onnx", "onnx2tf"]),
            (vec![0x1f, 0x8b, 8, 0], ["gzip", "gunzip"]),
            (b"#include <x.h>\nconst unsigned char m[] = {\n0x1c".to_vec(), ["C source", "xxd"]),
        ] {
            let error = refuse(&file).to_string();
            assert!(words.iter().all(|word| error.contains(word)), "{error}");
        }
    }

    #[test]
    fn what_is_unknown_stays_so() {
        for file in [&b""[..], b"PK", b"<html>", b"int main() {}", &[8, 8, 8], &[0xff; 64]] {
            assert_eq!(refuse(file), ImportError::Identifier);
        }
    }
}
