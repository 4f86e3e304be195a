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
//! | [`template`] | text with names where values go |

pub mod atomic_file;
pub mod folder_lock;
pub mod foreign_text;
pub mod memory;
mod nearest;
pub mod random;
pub mod template;

pub use nearest::nearest;
