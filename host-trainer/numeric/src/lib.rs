//! Numbers, and the computer that works on them: what a network and its data share.
//!
//! | module | content |
//! |---|---|
//! | [`scalar`] | floating-point types of networks |
//! | [`scaling`] | scaling of features and targets |
//! | [`targets`] | targets of the rows of a mini-batch |
//! | [`threads`] | worker threads |
//! | [`validators`] | checks of the numbers of settings, as they are read |
//! | [`vectorized`] | loops for the SIMD instructions of this processor |

pub mod scalar;
pub mod scaling;
pub mod targets;
pub mod threads;
pub mod validators;
pub mod vectorized;
