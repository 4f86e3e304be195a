//! `vectors IN OUT`: other models than the one built in, so that tests can hold the engine on
//! this core against an independent implementation, over thousands of shapes in one start.
//!
//! `IN` is a sequence of records, `OUT` gets an answer for each:
//!
//! | record | | answer | |
//! |---|---|---|---|
//! | u32, little-endian | length of the model file | u32, little-endian | length of the outputs, or [`REFUSED`] |
//! | bytes | the model file | bytes | the rows of outputs |
//! | u32, little-endian | length of the inputs | | |
//! | bytes | any number of rows of inputs | | |
//!
//! Model, inputs and outputs are followed by zeros up to a multiple of four bytes. A model that is
//! refused, by the format or for want of memory, has an answer and does not end the sequence.
//!
//! `costs IN OUT` takes the same records. Instead of outputs it answers with a u32: the executed
//! instructions of one inference, on average over the rows.

use thimble_board::clock::Clock;
use thimble_nn::{Engine, Model};

use crate::command::FileName;
use crate::count::instructions_of;
use crate::failure::Failure;
use crate::files::{InputFile, OutputFile};
use crate::region;

/// The length that stands for "this model was refused", or its inputs were not whole rows.
pub const REFUSED: u32 = u32::MAX;

/// Answers every record of `input` in `output`, as `answer` does for a model, its inputs and the
/// memory that is left; returns how many.
///
/// # Shapes
/// `buffer` holds, one after the other, a model, its inputs, and what `answer` needs: its scratch
/// and its outputs.
///
/// # Errors
/// [`Failure::Content`] if `input` ends within a record or a record does not fit in `buffer`,
/// [`Failure::File`] if a file can't be read or written.
pub fn run(
    buffer: &mut [u32],
    input: &FileName,
    output: &FileName,
    mut answer: impl for<'b> FnMut(&[u8], &[u8], &'b mut [u32]) -> Option<(usize, &'b [u8])>,
) -> Result<usize, Failure> {
    let mut input = InputFile::open(input)?;
    let mut output = OutputFile::create(output)?;
    let mut records = 0;
    loop {
        let mut model_len = [0; 4];
        match input.fill(&mut model_len)? {
            0 => return Ok(records),
            4 => {}
            _ => return Err(Failure::Content("IN ends in the middle of a record")),
        }
        let (model, rest) = read_blob(&mut input, buffer, u32::from_le_bytes(model_len))?;
        let mut inputs_len = [0; 4];
        input.read_exact(&mut inputs_len)?;
        let (inputs, rest) = read_blob(&mut input, rest, u32::from_le_bytes(inputs_len))?;
        match answer(model, inputs, rest) {
            Some((len, padded)) => {
                output.write_all(&(len as u32).to_le_bytes())?;
                output.write_all(padded)?;
            }
            None => output.write_all(&REFUSED.to_le_bytes())?,
        }
        records += 1;
    }
}

/// Reads so many bytes and their padding into the front of `buffer`; returns them and the rest.
fn read_blob<'b>(
    input: &mut InputFile,
    buffer: &'b mut [u32],
    len: u32,
) -> Result<(&'b [u8], &'b mut [u32]), Failure> {
    let len = len as usize;
    let (blob, rest) = buffer
        .split_at_mut_checked(len.div_ceil(4))
        .ok_or(Failure::Content("a record does not fit in this board's buffer"))?;
    let blob: &mut [u8] = bytemuck::cast_slice_mut(blob);
    input.read_exact(blob)?;
    Ok((&blob[..len], rest))
}

/// The outputs' length and their bytes with padding, or nothing if the model is refused.
pub fn outputs<'b>(
    model: &[u8],
    inputs: &[u8],
    buffer: &'b mut [u32],
) -> Option<(usize, &'b [u8])> {
    let model = Model::parse(model).ok()?;
    let (scratch, outputs) = buffer.split_at_mut_checked(model.scratch_len())?;
    let (input_len, output_len) = (model.input_bytes(), model.output_bytes());
    let rows = inputs.chunks_exact(input_len);
    let len = rows.len() * output_len;
    if !rows.remainder().is_empty() {
        return None;
    }
    let outputs = outputs.get_mut(..len.div_ceil(4))?;
    outputs.fill(0);
    let outputs: &mut [u8] = bytemuck::cast_slice_mut(outputs);
    let mut engine = Engine::new(model, scratch).ok()?;
    for (row, out) in rows.zip(outputs.chunks_exact_mut(output_len)) {
        out.copy_from_slice(engine.run_bytes(row).ok()?);
    }
    Some((len, outputs))
}

/// The instructions of one inference as four bytes, or nothing if the model is refused or takes
/// longer than the clock can tell.
pub fn cost<'b>(
    clock: &mut impl Clock,
    model: &[u8],
    inputs: &[u8],
    buffer: &'b mut [u32],
) -> Option<(usize, &'b [u8])> {
    let model = Model::parse(model).ok()?;
    let (answer, scratch) = buffer.split_first_mut()?;
    let scratch = scratch.get_mut(..model.scratch_len())?;
    let rows = inputs.chunks_exact(model.input_bytes());
    let mut engine = Engine::new(model, scratch).ok()?;
    // All rows in one go: the clock may tell no less than tens of instructions.
    let all = instructions_of(clock, &mut || {
        region::begin();
        for row in rows.clone() {
            // A row has the length that the model takes, so that it cannot be refused.
            let _ = core::hint::black_box(engine.run_bytes(row));
        }
        region::end();
    });
    let mean = all.ok()?.checked_div(rows.len() as u64)?;
    *answer = u32::try_from(mean).ok()?.to_le();
    Some((4, bytemuck::bytes_of(answer)))
}
