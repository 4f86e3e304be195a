//! Import of float networks that other frameworks trained: Keras, PyTorch, ONNX, scikit-learn,
//! TensorFlow Lite.
//!
//! A file is recognized by its content. What is already quantized keeps its scales ([`quantized`]). Each reader returns the same intermediate form, a
//! [`FloatNetwork`], and [`assemble`] converts it to a network with input scaling. No code of a file
//! is run, no other file is read except the external data of an ONNX model in its own folder, and
//! memory is limited by [`MAX_FILE`].

mod assemble;
mod error;
mod expression;
mod float_network;
mod keras;
mod onnx;
mod pieces;
mod quantized;
mod recognition;
mod recognize;
mod tensor;
mod tflite;
mod torch;

pub use assemble::{Assembled, assemble};
pub use error::Error;
pub use float_network::{FloatNetwork, Function, Line, Step};
pub use quantized::quantized;
pub use recognize::{Kind, Options, read, read_bytes, recognize};

/// Maximum size of a file, packed and unpacked: 1 GiB.
pub const MAX_FILE: u64 = 1 << 30;

/// Returns the maximum size of what this number of bytes unpacks to: 100 times as much, and 1 MiB.
/// Trained weights hardly shrink, and DEFLATE packs zeros a thousandfold.
fn most_unpacked(packed: u64) -> u64 {
    packed.saturating_mul(100).saturating_add(1 << 20).min(MAX_FILE)
}
