//! A model of a file of the computer, in place of the one built in.

use thimble_nn::{Engine, Model};

use crate::command::FileName;
use crate::failure::Failure;
use crate::files::InputFile;

/// Reads a model into the front of `work`, with its scratch behind it; returns its engine and the rest.
///
/// # Errors
/// [`Failure::Model`] if the model is refused, [`Failure::Content`] if it does not fit in `work`,
/// [`Failure::File`] if the file can't be read.
pub fn load<'w>(
    work: &'w mut [u32],
    name: &FileName,
) -> Result<(Engine<'w, 'w>, &'w mut [u32]), Failure> {
    const TOO_LARGE: Failure = Failure::Content("the model does not fit in this board's buffer");
    let len = InputFile::open(name)?.fill(bytemuck::cast_slice_mut(work))?;
    let (model, rest) = work.split_at_mut_checked(len.div_ceil(4)).ok_or(TOO_LARGE)?;
    let model: &[u8] = bytemuck::cast_slice(model);
    let model =
        Model::parse(&model[..len]).map_err(|_| Failure::Model("the file's model is refused"))?;
    let (scratch, rest) = rest.split_at_mut_checked(model.scratch_len()).ok_or(TOO_LARGE)?;
    let engine =
        Engine::new(model, scratch).map_err(|_| Failure::Model("the file's model is refused"))?;
    Ok((engine, rest))
}
