//! The last step to a model file: the layout of weights for a core, and inputs of self-tests.

use model_format::Model;

use crate::pack::{Core, PackError, pack};
use crate::quantize::{SelfTestInputs, Settings};
use crate::self_tests;

/// Packs a model for a core, if there is one, and takes the inputs of its self-tests from where the
/// settings say; from rows where the layers have fewer bytes than an input.
///
/// # Errors
/// [`PackError`] for a model that is refused.
pub fn lay_out(
    bytes: Vec<u8>,
    core: Option<Core>,
    settings: &Settings,
) -> Result<Vec<u8>, PackError> {
    let packed = match core {
        Some(core) => pack(&Model::parse(&bytes)?, core)?,
        None => bytes,
    };
    match settings.self_test_inputs {
        SelfTestInputs::Rows => Ok(packed),
        SelfTestInputs::File => {
            let model = Model::parse(&packed)?;
            match self_tests::from_file(&model, model.self_tests().len()) {
                Err(PackError::ShortLayers { .. }) => Ok(packed),
                made => made,
            }
        }
    }
}
