//! Float networks: layers, losses, forward pass and backpropagation.
//!
//! A [`Network`] has layers and parameters, a [`Tape`] the memory of a pass, an [`Objective`] the loss.
//! Matrices are row-major, and a mini-batch has its rows one after another.
//!
//! ```
//! use thimble_network::{Activation, DenseSpec, LayerSpec, Network, Tape};
//!
//! let layers = [(3, Activation::Relu), (2, Activation::Linear)]
//!     .map(|(units, activation)| LayerSpec::Dense(DenseSpec::new(units, activation)));
//! let network = Network::<f32>::new(4, &layers, 1)?;
//! assert_eq!(network.parameters().len(), 4 * 3 + 3 + 3 * 2 + 2);
//!
//! let mut tape = Tape::forward_only(&network, 8);
//! tape.input_mut(1).copy_from_slice(&[0.1, 0.2, 0.3, 0.4]);
//! tape.forward(&network, 1);
//! assert_eq!(tape.outputs(1).len(), 2);
//! # Ok::<(), thimble_network::NetworkError>(())
//! ```

pub mod grid;

mod activation;
mod batch_normalization;
mod dense;
mod dropout;
mod fake_quantization;
mod finite;
mod gradients;
mod head;
mod initializer;
mod loss;
mod matmul;
mod model;
mod objective;
mod penalty;
mod real;
mod spec;
mod tape;
mod transpose;

pub use activation::{ACTIVATIONS, Activation};
pub use batch_normalization::BatchNormalization;
pub use dense::Dense;
pub use dropout::Noise;
pub use fake_quantization::{Clipping, FakeQuantization, InputRanges, Points, code};
pub use fake_quantization::{RowScale, first_scale, quantize_row, scale_gradient, scale_unit};
pub use finite::NotFinite;
pub use gradients::{GradientMemory, GradientPlan};
pub use head::Head;
pub use initializer::Initializer;
pub use loss::{BatchScore, Loss};
pub use matmul::PackedOperand;
pub use model::{Layer, LayerView, Network};
pub use objective::Objective;
pub use objective::first_largest;
pub use penalty::Penalty;
pub use real::Real;
pub use spec::{DenseSpec, LayerSpec, NetworkError};
pub use tape::Tape;
pub use thimble_numeric::scalar::Scalar;
pub use thimble_numeric::targets::{SoftRows, TargetRows};
