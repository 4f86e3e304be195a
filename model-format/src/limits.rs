//! The largest model that this build reads.
//!
//! Nothing is allocated by these figures: they keep every sum that the checks form inside 32 bits
//! on a small core, and a damaged count from being believed.

/// Layers in a model.
pub const MAX_LAYERS: usize = 32;
/// Inputs or outputs of one layer.
pub const MAX_WIDTH: usize = 8192;
/// Inputs of a layer that kernels in assembly may run whole: with no more, it would not pay to look for
/// those that are zero, and sums of products with two weights in a halfword fit into 32 bits.
pub const MAX_SMALL_INPUTS: usize = 32;
/// Bytes of a model's name, of a label, and of a unit.
pub const MAX_TEXT: usize = 64;
/// Class labels of a model.
pub const MAX_LABELS: usize = 256;
/// Self-test vectors of a model.
pub const MAX_SELF_TESTS: usize = 16;
/// Dimensions of the input's shape.
pub const MAX_DIMENSIONS: usize = 4;
