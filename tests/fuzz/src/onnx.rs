//! Files of ONNX.
#![no_main]

mod network;

use libfuzzer_sys::fuzz_target;
use thimble_import::Kind;

fuzz_target!(|file: &[u8]| network::visit(file, &[Kind::Onnx]));
