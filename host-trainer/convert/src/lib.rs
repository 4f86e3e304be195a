//! Conversion of models: import from TensorFlow Lite, packing for a core.
//!
//! | module | content |
//! |---|---|
//! | [`import`] | int8 TensorFlow Lite models, to the byte |
//! | [`pack`] | weight layouts per core |
//! | [`tables`] | tables of element-wise functions, as TensorFlow Lite Micro computes them |
//! | `fixed_point` | the fixed-point functions behind the tables |

mod fixed_point;
pub mod import;
pub mod pack;
pub mod tables;
