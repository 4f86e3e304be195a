//! Model conversion: import from TensorFlow Lite, and packing of weights for a core.
//!
//! | module | content |
//! |---|---|
//! | [`import`] | import of int8 TensorFlow Lite models, bit-exact |
//! | [`mod@line`] | affine functions of one value |
//! | [`pack`] | weight layouts per core |
//! | [`self_tests`] | self-tests whose inputs are bytes of the file |
//! | [`tables`] | lookup tables of element-wise functions and softmax |
//! | [`split`] | weights beyond ±127 and slopes per unit, split into layers of the model format |
//! | [`unpack`] | weights as the kernel of a computer reads them fastest |
//! | `fixed_point` | the fixed-point functions behind the tables |

mod fixed_point;
pub mod import;
pub mod line;
pub mod pack;
pub mod self_tests;
pub mod split;
pub mod tables;
pub mod unpack;
