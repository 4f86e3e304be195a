//! Kernels for cores with the DSP extension: Cortex-M4, M7 and M33, and the M55, whose vectors are
//! for other layouts.
//!
//! SMLAD multiplies two pairs of 16-bit numbers and adds both products to an accumulator. The
//! kernels differ in how they come by pairs of weights.

pub(super) mod int4;
pub(super) mod pairs;
mod tiles;
