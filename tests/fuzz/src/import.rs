//! Any `.tflite` file is imported or refused, and what is imported is a model.
#![no_main]

use host_trainer::import::{Options, OutputMeaning, import};
use libfuzzer_sys::fuzz_target;
use model_format::Model;

fuzz_target!(|file: &[u8]| {
    let options = Options { name: "fuzz".into(), meaning: OutputMeaning::Guess };
    match import(file, &options) {
        Ok(imported) => drop(Model::parse(&imported.bytes).expect("an import is a model")),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
