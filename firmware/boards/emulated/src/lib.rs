//! What emulated boards share: everything that is not the chip.
//!
//! A board gives its parts to [`run`], which does what the semihosting [`command`] line asks: by
//! default it answers requests on the UART for ever. Files, logs and the exit code go through
//! semihosting; see the crate `board-build` for what happens at build time.
//!
//! | module | what |
//! |---|---|
//! | [`command`] | what the computer asks at the start |
//! | `bulk`, [`vectors`], `count` | the three commands |
//! | [`files`], [`failure`], [`ending`] | files of the computer, what can go wrong with them, the exit code |
//! | [`stack`], [`clock`] | measuring |
//! | [`mps2`] | the chip of Arm's MPS2 boards |
#![no_std]

mod bulk;
pub mod clock;
pub mod command;
mod count;
pub mod ending;
pub mod failure;
pub mod files;
#[cfg(target_arch = "arm")]
pub mod mps2;
pub mod stack;
pub mod vectors;

use defmt_semihosting as _;
use embedded_io::{Read, Write};
use firmware::Engine;
use firmware::app::{App, Board, self_test};
use model_format::Model;

use crate::clock::Clock;
use crate::command::Command;
use crate::failure::Failure;

/// Memory that a board lends, sized by its model at build time.
pub struct Memory<const SCRATCH: usize, const RECEIVE: usize, const SEND: usize, const WORK: usize> {
    /// Words that the engine computes in.
    pub scratch: [u32; SCRATCH],
    /// The longest request.
    pub receive: [u8; RECEIVE],
    /// The longest answer.
    pub send: [u8; SEND],
    /// Words for the commands that read and write files.
    pub work: [u32; WORK],
}

impl<const SCRATCH: usize, const RECEIVE: usize, const SEND: usize, const WORK: usize>
    Memory<SCRATCH, RECEIVE, SEND, WORK>
{
    /// All zero.
    pub const ZERO: Self =
        Memory { scratch: [0; SCRATCH], receive: [0; RECEIVE], send: [0; SEND], work: [0; WORK] };
}

/// Does what the command line asks; ends the emulation afterwards, with a code that says how it went.
pub fn run<const SCRATCH: usize, const RECEIVE: usize, const SEND: usize, const WORK: usize, B>(
    board: B,
    model: &'static [u8],
    memory: &'static mut Memory<SCRATCH, RECEIVE, SEND, WORK>,
    mut uart: impl Read + Write,
    mut clock: impl Clock,
) -> !
where
    B: Board,
{
    let result = start(model, &mut memory.scratch).and_then(|mut engine| match Command::read()? {
        Command::Bulk(input, output) => {
            bulk::run(&mut engine, bytemuck::cast_slice_mut(&mut memory.work), &input, &output)
        }
        Command::Vectors(input, output) => vectors::run(&mut memory.work, &input, &output),
        Command::Count(input, output) => {
            let row = bytemuck::cast_slice_mut(&mut memory.work);
            count::run(&mut engine, &mut clock, row, &input, &output)
        }
        Command::Serve => {
            greet::<B>(&mut engine);
            let mut app = App::new(engine, board, &mut memory.receive, &mut memory.send);
            match app.serve(&mut uart) {
                Ok(()) => Ok(0),
                Err(_) => Err(Failure::Content("the UART does not work")),
            }
        }
    });
    ending::exit(result)
}

/// The engine for the model that is built in.
fn start<'s>(model: &'static [u8], scratch: &'s mut [u32]) -> Result<Engine<'static, 's>, Failure> {
    // The build script has parsed the same bytes, so this is refused only if memory is broken.
    let model = Model::parse(model).map_err(|_| Failure::Model("the model built in is refused"))?;
    Engine::new(model, scratch).map_err(|_| Failure::Model("the scratch memory is too small"))
}

/// Says who is there, and whether this core computes what the model's maker saw.
fn greet<B: Board>(engine: &mut Engine<'_, '_>) {
    let report = self_test(engine);
    let model = engine.model();
    defmt::info!(
        "{=str} runs {=str}: {=usize} inputs, {=usize} outputs, {=usize} bytes",
        B::NAME,
        model.name(),
        model.input_len(),
        model.output_len(),
        model.file_len()
    );
    match report.all_passed() {
        true => defmt::info!("self-test: {=u8} of {=u8} vectors passed", report.passed, report.vectors),
        false => defmt::error!("self-test: only {=u8} of {=u8} vectors passed", report.passed, report.vectors),
    }
    defmt::info!("answering on the UART");
}
