//! The device application around the engine `thimble-nn`.
//!
//! It is generic over the traits of embedded-hal, embedded-io and embedded-storage, and knows no
//! chip. Each module is behind the cargo feature of its name, and none imports one that stands below
//! it in this table:
//!
//! | module | feature | on by default | content |
//! |---|---|---|---|
//! | [`link`] | `link` | yes | frames and messages between computer and device |
//! | [`slots`] | `slots` | yes | two places for models in flash, of which one is always current |
//! | [`signature`] | `signed` | no | verification of signed models |
//! | [`app`] | `app` | yes | the application that answers requests |
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

#[cfg(feature = "app")]
pub mod app;
#[cfg(feature = "link")]
pub mod link;
#[cfg(any(feature = "app", feature = "signed"))]
pub mod signature;
#[cfg(feature = "slots")]
pub mod slots;
