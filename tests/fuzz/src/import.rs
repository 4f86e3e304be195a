//! Any `.tflite` file is imported or refused, and what is imported is a model that runs.
//!
//! The importer is the trainer's, by the paths of its modules: the hundred crates that the trainer
//! needs for all else are not built with a sanitizer for it.
#![no_main]
#![allow(dead_code, unused_imports)] // what the trainer's other modules use

#[path = "../../../host-trainer/src/foreign_text.rs"]
mod foreign_text;
#[path = "../../../host-trainer/src/import/mod.rs"]
mod import;
#[path = "../../../host-trainer/src/random.rs"]
mod random;
#[path = "../../../host-trainer/src/quantize"]
mod quantize {
    mod fixed_point;
    pub mod tables;
}

use import::{Options, OutputMeaning, import};
use libfuzzer_sys::fuzz_target;
use model_format::Model;

fuzz_target!(|file: &[u8]| {
    let options = Options { name: "fuzz".into(), kind: OutputMeaning::Guess };
    match import(file, &options) {
        Ok(imported) => drop(Model::parse(&imported.bytes).expect("an import is a model")),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
