//! `count IN OUT [MODEL]`: what one inference costs on this core, for every row of `IN`.
//!
//! `OUT` gets one line: `rows=R instructions_min=… instructions_mean=… instructions_max=… stack=B`.
//! Instructions are right under QEMU's `-icount shift=0` only (see [`thimble_board::clock`]). The
//! stack is that of the deepest run, painted for the purpose.

use core::fmt::Write;

use heapless::String;
use thimble_board::clock::Clock;
use thimble_board::stack;
use thimble_nn::Engine;

use crate::command::FileName;
use crate::failure::Failure;
use crate::files::{InputFile, OutputFile};

/// Measures every row of `input` and writes the line; returns how many rows there were.
///
/// # Errors
/// [`Failure::Content`] if `input` has no row, ends within one, or one takes longer than the clock
/// can tell; [`Failure::File`] if a file can't be read or written.
pub fn run(
    engine: &mut Engine<'_, '_>,
    clock: &mut impl Clock,
    buffer: &mut [u8],
    input: &FileName,
    output: &FileName,
) -> Result<usize, Failure> {
    let mut input = InputFile::open(input)?;
    let mut output = OutputFile::create(output)?;
    let row = buffer
        .get_mut(..engine.model().input_bytes())
        .ok_or(Failure::Content("a row of inputs does not fit in this board's buffer"))?;
    let (mut rows, mut least, mut most, mut sum, mut deepest) = (0_u64, u64::MAX, 0, 0_u64, 0);
    loop {
        let read = input.fill(row)?;
        if read == 0 && rows > 0 {
            break;
        }
        if read != row.len() {
            return Err(Failure::Content("IN is not a whole number of rows of this model"));
        }
        // A row has the length that the model takes, so that it cannot be refused.
        let instructions = instructions_of(clock, &mut || {
            let _ = core::hint::black_box(engine.run_bytes(row));
        })?;
        deepest = deepest.max(stack::depth_of(|| engine.run_bytes(row).is_ok()));
        least = least.min(instructions);
        most = most.max(instructions);
        sum += instructions;
        rows += 1;
    }
    let mut line = String::<160>::new();
    let written = writeln!(
        line,
        "rows={rows} instructions_min={least} instructions_mean={} instructions_max={most} stack={deepest}",
        sum / rows
    );
    written.map_err(|_| Failure::Content("the line is longer than 160 bytes"))?;
    output.write_all(line.as_bytes())?;
    Ok(rows as usize)
}

/// Instructions that `work` executes, without what reading the clock takes.
pub(crate) fn instructions_of(
    clock: &mut impl Clock,
    work: &mut dyn FnMut(),
) -> Result<u64, Failure> {
    let (counter, hz) = clock.counter();
    let idle = clock.ticks_of(&mut || ());
    match (clock.ticks_of(work), idle) {
        (Some(busy), Some(idle)) => Ok(counter.instructions(busy.saturating_sub(idle), hz)),
        _ => Err(Failure::Content("one run takes longer than this board's clock can tell")),
    }
}
