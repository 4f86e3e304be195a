//! Any bytes are a model or refused; what is a model is written again as the same model.
#![no_main]

mod file;

use libfuzzer_sys::fuzz_target;
use model_format::Model;
use model_format::build::ModelSpec;

fuzz_target!(|payload: &[u8]| {
    let file = file::with_header(payload);
    let Ok(model) = Model::parse(&file) else { return };
    let spec = ModelSpec::from(&model);
    let again = spec.to_bytes().expect("what was read can be written");
    let again = Model::parse(&again).expect("what was written can be read");
    assert_eq!(ModelSpec::from(&again), spec);
});
