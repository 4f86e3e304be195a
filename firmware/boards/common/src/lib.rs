//! What all boards share, real and emulated: everything that is neither the chip nor the emulator.
//!
//! A board has a model and memory for it built in (see the crate `board-build`), and gives them to
//! [`run`] with its light and its UART.
//!
//! | module | what |
//! |---|---|
//! | [`uart`] | sleeping until a byte comes |
//! | `plic` | RISC-V: the interrupt that ends the sleep |
//! | [`stack`], [`clock`] | how deep the stack went; counting instructions in the emulator |
#![no_std]

pub mod clock;
#[cfg(target_arch = "riscv32")]
pub mod plic;
pub mod stack;
pub mod uart;

use embedded_io::{Read, Write};
use firmware::Engine;
use firmware::app::{App, Board, self_test};
pub use firmware::link::frame_len;
use model_format::Model;
pub use static_cell::ConstStaticCell;

/// Memory that a board lends, sized by its model at build time.
pub struct Memory<const SCRATCH: usize, const RECEIVE: usize, const SEND: usize> {
    /// Words that the engine computes in.
    pub scratch: [u32; SCRATCH],
    /// The longest request.
    pub receive: [u8; RECEIVE],
    /// The longest answer.
    pub send: [u8; SEND],
}

impl<const SCRATCH: usize, const RECEIVE: usize, const SEND: usize> Memory<SCRATCH, RECEIVE, SEND> {
    /// All zero.
    pub const ZERO: Self = Memory { scratch: [0; SCRATCH], receive: [0; RECEIVE], send: [0; SEND] };
}

/// Answers requests on the UART for ever.
pub fn run<B: Board, const SCRATCH: usize, const RECEIVE: usize, const SEND: usize>(
    board: B,
    model: &'static [u8],
    memory: &'static mut Memory<SCRATCH, RECEIVE, SEND>,
    mut uart: impl Read + Write,
) -> ! {
    let mut engine = match start(model, &mut memory.scratch) {
        Ok(engine) => engine,
        // The build script has parsed the same bytes: the flash is damaged.
        Err(problem) => panic!("{}", problem),
    };
    greet::<B>(&mut engine);
    let mut app = App::new(engine, board, &mut memory.receive, &mut memory.send);
    loop {
        if app.serve(&mut uart).is_err() {
            // Noise on the line, a break, an overrun: the next good frame is answered.
            defmt::warn!("the UART reports an error; going on");
        }
    }
}

/// The engine for the model that is built in.
///
/// # Errors
/// What is wrong, in words.
pub fn start<'s>(
    model: &'static [u8],
    scratch: &'s mut [u32],
) -> Result<Engine<'static, 's>, &'static str> {
    let model = Model::parse(model).map_err(|_| "the model built in is refused")?;
    Engine::new(model, scratch).map_err(|_| "the engine refuses the model built in")
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
        true => {
            defmt::info!("self-test: {=u8} of {=u8} vectors passed", report.passed, report.vectors)
        }
        false => defmt::error!(
            "self-test: only {=u8} of {=u8} vectors passed",
            report.passed,
            report.vectors
        ),
    }
    defmt::info!("answering on the UART");
}
