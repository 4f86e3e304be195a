//! `bulk IN OUT`: a whole test set through the model, without the slow UART.

use thimble_nn::Engine;

use crate::command::FileName;
use crate::failure::Failure;
use crate::files::{InputFile, OutputFile};

/// Runs every row of `input` and writes one row of outputs for each; returns how many.
///
/// # Shapes
/// `input` holds rows of the model's inputs, `output` gets as many of its outputs, with
/// nothing between them. `buffer` holds a batch of both, at least one row of each.
///
/// # Errors
/// [`Failure::Content`] if `input` ends within a row or a row does not fit in `buffer`,
/// [`Failure::File`] if a file can't be read or written.
pub fn run(
    engine: &mut Engine<'_, '_>,
    buffer: &mut [u8],
    input: &FileName,
    output: &FileName,
) -> Result<usize, Failure> {
    let mut input = InputFile::open(input)?;
    let mut output = OutputFile::create(output)?;
    let (input_len, output_len) = (engine.model().input_bytes(), engine.model().output_bytes());
    let batch_rows = buffer.len() / (input_len + output_len);
    if batch_rows == 0 {
        return Err(Failure::Content("a row of inputs does not fit in this board's buffer"));
    }
    let (inputs, outputs) = buffer.split_at_mut(batch_rows * input_len);
    let mut rows = 0;
    loop {
        let read = input.fill(inputs)?;
        let batch = &inputs[..read];
        if batch.len() % input_len != 0 {
            return Err(Failure::Content("IN is not a whole number of rows of this model"));
        }
        let mut written = 0;
        for (row, out) in batch.chunks_exact(input_len).zip(outputs.chunks_exact_mut(output_len)) {
            let answer =
                engine.run_bytes(row).map_err(|_| Failure::Model("a row of inputs is refused"))?;
            out.copy_from_slice(answer);
            written += output_len;
            rows += 1;
        }
        output.write_all(&outputs[..written])?;
        if read < inputs.len() {
            return Ok(rows);
        }
    }
}
