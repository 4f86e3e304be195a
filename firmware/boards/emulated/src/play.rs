//! `play IN`: the application with an accelerometer that plays a recording.

use embedded_hal::digital::StatefulOutputPin;
use embedded_io::{Read, Write};
use firmware::slots::MappedFlash;
use thimble_board::clock::Clock;
use thimble_board::{Memory, Parts};

use crate::command::FileName;
use crate::failure::Failure;
use crate::files::InputFile;
use crate::{ending, sensors};

/// Answers requests, with an accelerometer that plays a recording. A function of its own, so that the
/// stack of boards without a sensor is measured without it.
#[inline(never)]
pub fn run<
    L,
    K,
    F,
    const SCRATCH: usize,
    const RECEIVE: usize,
    const SEND: usize,
    const COPY: usize,
>(
    parts: Parts<L, K, F>,
    model: &'static [u8],
    memory: &'static mut Memory<SCRATCH, RECEIVE, SEND, COPY>,
    work: &'static mut [u32],
    uart: impl Read + Write,
    input: &FileName,
) -> !
where
    L: StatefulOutputPin,
    K: Clock,
    F: MappedFlash,
{
    let recording = match recording(input, work) {
        Ok(recording) => recording,
        Err(failure) => ending::exit(Err(failure)),
    };
    let Parts { name, led, clock, slots, entropy, restart, watchdog, .. } = parts;
    let sensor = sensors::played(recording);
    let parts = Parts { name, led, clock, slots, entropy, restart, watchdog, sensor };
    thimble_board::run(parts, model, memory, uart)
}

/// Reads a recording: samples of three i16, little-endian.
fn recording(input: &FileName, work: &'static mut [u32]) -> Result<&'static [u8], Failure> {
    let work: &mut [u8] = bytemuck::cast_slice_mut(work);
    let read = InputFile::open(input)?.fill(work)?;
    match work.get(..read) {
        Some(recording) if read > 0 && read < work.len() && read.is_multiple_of(6) => Ok(recording),
        _ => Err(Failure::Content("IN is no recording, or does not fit into this board's buffer")),
    }
}
