//! The engine of the device as WebAssembly: the module inside of pages that run a model.
//!
//! `host-trainer/wasm/build` compiles it to `host-trainer/src/page/engine.wasm`, which the program
//! contains. It is the source of the device, so the page answers with the bytes of the device.
//!
//! # Interface
//!
//! Nothing is imported. An instance runs one model: a page makes another instance for another model.
//! Bytes go in through a buffer of the module's memory, whose address [`thimble_buffer`] returns,
//! and come out in another, of which [`thimble_result`] and [`thimble_result_len`] return address
//! and length. Both addresses are valid until the next call. Numbers are little-endian.
//!
//! | function | buffer | result | returns |
//! |---|---|---|---|
//! | `thimble_load()` | model file | its description as JSON, or the error as text | 0, or 1 for an error |
//! | `thimble_run(form)` | values (form 0), counts in int16 (1), reals in binary32 (2) | see [`session::Session::run`] | 0, or 1 |
//! | `thimble_self_test()` | | the error as text | number of passed self-tests, or −1 |
//! | `thimble_prepare(text, width, height)` | preprocessing of `text` bytes, then pixels, RGBA | see [`picture::prepare`] | 0, or 1 |

mod describe;
mod exports;
pub mod picture;
pub mod session;

pub use exports::{
    thimble_buffer, thimble_load, thimble_prepare, thimble_result, thimble_result_len, thimble_run,
    thimble_self_test,
};
