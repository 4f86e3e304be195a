//! Code that emulated boards share: commands from the computer, and the machines that only QEMU has.
//!
//! A board gives its parts to [`run`], which does what the semihosting [`command`] line asks: by
//! default it answers requests on the UART for ever. Files, logs and the exit code go through
//! semihosting; see the crate `common` for what boards without an emulator have too.
//!
//! | module | what |
//! |---|---|
//! | [`command`] | what the computer asks at the start |
//! | `bulk`, [`vectors`], `count`, [`sensors`], `play` | the commands |
//! | [`files`], [`failure`], [`ending`] | files of the computer, what can go wrong with them, the exit code |
//! | `other` | a model of a file, in place of the one built in |
//! | `ram` | memory that stands for a flash |
//! | `region` | marks for a plugin that counts cycles |
//! | `mps`, `virt` | Arm's MPS2 and MPS3 boards, and RISC-V's `virt` |
#![no_std]

mod bulk;
pub mod command;
mod count;
pub mod ending;
pub mod failure;
pub mod files;
#[cfg(target_arch = "arm")]
pub mod mps;
mod other;
#[cfg(feature = "play")]
mod play;
mod ram;
mod region;
pub mod sensors;
pub mod vectors;
#[cfg(target_arch = "riscv32")]
pub mod virt;

use defmt_semihosting as _;
use embedded_hal::digital::StatefulOutputPin;
use embedded_io::{Read, Write};
use firmware::slots::MappedFlash;
use thimble_board::clock::Clock;
use thimble_board::{Memory, Parts};

use crate::command::Command;
use crate::failure::Failure;

/// Does what the command line asks; ends the emulation afterwards, with a code that says how it
/// went. `work` is for the commands that read and write files.
pub fn run<
    L,
    K,
    F,
    const SCRATCH: usize,
    const RECEIVE: usize,
    const SEND: usize,
    const COPY: usize,
>(
    mut parts: Parts<L, K, F>,
    model: &'static [u8],
    memory: &'static mut Memory<SCRATCH, RECEIVE, SEND, COPY>,
    work: &'static mut [u32],
    uart: impl Read + Write,
) -> !
where
    L: StatefulOutputPin,
    K: Clock,
    F: MappedFlash,
{
    let command = match Command::read() {
        Ok(Command::Serve) => thimble_board::run(parts, model, memory, uart),
        Ok(Command::Faulty) => {
            ending::restart_after_faults();
            thimble_board::run_after(parts, model, memory, uart, |slot| {
                if slot.is_some() {
                    ending::overflow(0);
                }
            })
        }
        #[cfg(feature = "play")]
        Ok(Command::Play(input)) => play::run(parts, model, memory, work, uart, &input),
        #[cfg(not(feature = "play"))]
        Ok(Command::Play(_)) => {
            ending::exit(Err(Failure::Command("play needs more flash than this board has")))
        }
        Ok(Command::Overflow) => {
            ending::overflow(0);
            ending::exit(Err(Failure::Content("the stack did not end")))
        }
        Ok(command) => command,
        Err(failure) => ending::exit(Err(failure)),
    };
    let result = thimble_board::start(model, &mut memory.scratch).map_err(Failure::Model);
    ending::exit(result.and_then(|mut engine| match command {
        Command::Bulk(input, output) => {
            bulk::run(&mut engine, bytemuck::cast_slice_mut(work), &input, &output)
        }
        Command::Vectors(input, output) => vectors::run(work, &input, &output, vectors::outputs),
        Command::Costs(input, output) => {
            vectors::run(work, &input, &output, |model, inputs, buffer| {
                vectors::cost(&mut parts.clock, model, inputs, buffer)
            })
        }
        Command::Count(input, output, None) => count::run(
            &mut engine,
            &mut parts.clock,
            bytemuck::cast_slice_mut(work),
            &input,
            &output,
        ),
        Command::Count(input, output, Some(model)) => {
            let (mut engine, work) = other::load(work, &model)?;
            let buffer = bytemuck::cast_slice_mut(work);
            count::run(&mut engine, &mut parts.clock, buffer, &input, &output)
        }
        Command::Dial(input, output) => vectors::run(work, &input, &output, sensors::dial),
        Command::Motion(input, output) => vectors::run(work, &input, &output, sensors::motion),
        Command::Activity(input, output) => vectors::run(work, &input, &output, sensors::activity),
        Command::Spectrum(input, output) => vectors::run(work, &input, &output, sensors::spectrum),
        Command::Panic
        | Command::Overflow
        | Command::Faulty
        | Command::Play(_)
        | Command::Serve => {
            panic!("asked to")
        }
    }))
}
