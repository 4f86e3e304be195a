//! Quantized models as C source.
//!
//! [`CSource::of`] writes a model as C99 without dependencies: weights, parameters, and the code for
//! exactly the layers of this model. Its outputs equal those of `thimble-nn` in every byte.
//!
//! | module | content |
//! |---|---|
//! | [`archive`] | static libraries of one object file |
//! | `name` | the prefix of every symbol |
//! | `plan` | source and destination of each layer, scratch memory |
//! | `weights` | weights in the order in which the C code reads them |
//! | `literal` | C literals and arrays |
//! | `layers` | constants of the layers, and the function that runs them |
//! | `header` | the header file |
//! | `source` | the source file |
//! | `package` | packages for build systems |
//! | `templates/` | C text with `{{name}}` where values go |

pub mod archive;
mod described;
mod header;
mod layers;
mod literal;
mod name;
mod package;
mod plan;
mod source;
mod weights;

pub use name::{Name, NameError};
pub use package::{File, Package};
pub use source::CSource;

/// The header of the static library `libthimble.a`, with `{{erase_size}}` where that goes.
pub const LIBRARY_HEADER: &str = include_str!("templates/thimble.h");
