//! The device application around the engine `thimble-nn`.
//!
//! [`app::App`] answers requests of the [`link`] protocol over any byte stream of `embedded-io`, and
//! keeps models in [`slots`] of flash. It is generic over the traits of embedded-hal, embedded-io
//! and embedded-storage, and knows no chip.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod app;
pub mod link;
pub mod slots;
