//! Shared utilities of Thimble's host programs.
//!
//! | module | content |
//! |---|---|
//! | [`atomic_file`] | atomic file replacement |
//! | [`folder_lock`] | folder locks: one writing process per folder |
//! | [`foreign_text`] | escaping of untrusted text |
//! | [`memory`] | check of free memory |
//! | [`nearest`] | suggestions for misspelled words |
//! | [`random`] | reproducible random streams of one seed |

pub mod atomic_file;
pub mod folder_lock;
pub mod foreign_text;
pub mod memory;
mod nearest;
pub mod random;

pub use nearest::nearest;
