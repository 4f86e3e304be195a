//! Parts that Thimble's programs on a computer share.
//!
//! | module | content |
//! |---|---|
//! | [`atomic_file`] | files that are replaced whole, or not at all |
//! | [`folder_lock`] | one writer per folder |
//! | [`foreign_text`] | text from elsewhere, printed as text |
//! | [`memory`] | whether there is enough memory |
//! | [`nearest`] | the known word that was probably meant |
//! | [`random`] | streams of random numbers from one seed |

pub mod atomic_file;
pub mod folder_lock;
pub mod foreign_text;
pub mod memory;
mod nearest;
pub mod random;

pub use nearest::nearest;
