//! Any `.tflite` file is imported or refused, and what is imported is a model that runs.
#![no_main]

use libfuzzer_sys::fuzz_target;
use model_format::Model;
use thimble_convert::import::{Options, OutputMeaning, import};

fuzz_target!(|file: &[u8]| {
    let options = Options { name: "fuzz".into(), kind: OutputMeaning::Guess };
    match import(file, &options) {
        Ok(imported) => drop(Model::parse(&imported.bytes).expect("an import is a model")),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
