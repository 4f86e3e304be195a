//! Code that all boards share, real and emulated: everything that is neither the chip nor the emulator.
//!
//! A board has a model and memory for it built in (see the crate `board-build`), and gives them to
//! [`run`] with its light and its UART.
//!
//! | module | what |
//! |---|---|
//! | `signature_policy` | the signatures that models need |
//! | [`parts`] | a board, put together of its light, clock, flash |
//! | `entropy` | random numbers of the chip |
//! | [`uart`] | sleeping until a byte comes |
//! | `plic` | RISC-V: the interrupt that ends the sleep |
//! | [`flash`] | the part of a flash that holds models |
//! | [`fault`], [`attempts`] | faults, and models that fault at every start |
//! | [`stack`], [`clock`] | how deep the stack went; counting cycles, or instructions in the emulator |
#![no_std]

pub mod attempts;
pub mod clock;
mod entropy;
pub mod fault;
pub mod flash;
pub mod parts;
#[cfg(target_arch = "riscv32")]
pub mod plic;
pub mod stack;
mod signature_policy {
    include!(concat!(env!("OUT_DIR"), "/signature_policy.rs"));
}
pub mod uart;

use embedded_hal::digital::StatefulOutputPin;
use embedded_io::{Read, Write};
use firmware::app::{self, App, Buffers, Sensor, Start, self_test};
pub use firmware::link::frame_len;
use firmware::slots::{LastRun, MappedFlash};
pub use static_cell::ConstStaticCell;
use thimble_nn::{Engine, Model};

use crate::clock::Clock;
pub use crate::entropy::Entropy;
pub use crate::parts::{NO_SENSOR, Parts, Watchdog};

/// Memory that a board lends, sized by its model at build time.
pub struct Memory<const SCRATCH: usize, const RECEIVE: usize, const SEND: usize, const COPY: usize>
{
    /// Words that the engine computes in.
    pub scratch: [u32; SCRATCH],
    /// The longest request.
    pub receive: [u8; RECEIVE],
    /// The longest answer.
    pub send: [u8; SEND],
    /// Words for a copy of the model, which is faster to read than flash; none where it stays there.
    pub copy: [u32; COPY],
}

impl<const SCRATCH: usize, const RECEIVE: usize, const SEND: usize, const COPY: usize>
    Memory<SCRATCH, RECEIVE, SEND, COPY>
{
    /// All zero.
    pub const ZERO: Self =
        Memory { scratch: [0; SCRATCH], receive: [0; RECEIVE], send: [0; SEND], copy: [0; COPY] };
}

/// Answers requests on the UART for ever, with the model of the newest slot that has a good one, or
/// else with the one that is built in. A model with which the board hangs, or faults at every start,
/// is no longer trusted.
pub fn run<
    L,
    K,
    F,
    S,
    const SCRATCH: usize,
    const RECEIVE: usize,
    const SEND: usize,
    const COPY: usize,
>(
    parts: Parts<L, K, F, S>,
    model: &'static [u8],
    memory: &'static mut Memory<SCRATCH, RECEIVE, SEND, COPY>,
    uart: impl Read + Write,
) -> !
where
    L: StatefulOutputPin,
    K: Clock,
    F: MappedFlash,
    S: Sensor,
{
    run_after(parts, model, memory, uart, |_| ())
}

/// As [`run()`], with something to do at the end of the start: it gets the slot that runs.
pub fn run_after<
    L,
    K,
    F,
    S,
    const SCRATCH: usize,
    const RECEIVE: usize,
    const SEND: usize,
    const COPY: usize,
>(
    mut parts: Parts<L, K, F, S>,
    model: &'static [u8],
    memory: &'static mut Memory<SCRATCH, RECEIVE, SEND, COPY>,
    mut uart: impl Read + Write,
    last_step: impl FnOnce(Option<u8>),
) -> !
where
    L: StatefulOutputPin,
    K: Clock,
    F: MappedFlash,
    S: Sensor,
{
    let start = choose_model(&mut parts, model, memory);
    let Memory { scratch, receive, send, copy } = memory;
    let start = in_ram(start, copy);
    match self::start(start.file, scratch) {
        Ok(mut engine) => greet(parts.name, start.slot, &mut engine),
        // The build script has parsed the same bytes: the flash is damaged.
        Err(problem) => panic!("{}", problem),
    }
    let slot = start.slot;
    let Ok(mut app) = App::new(start, scratch, parts, receive, send) else {
        unreachable!("an engine was made of the same model in the same memory")
    };
    last_step(slot);
    attempts::served();
    loop {
        if app.serve(&mut uart).is_err() {
            // Noise on the line, a break, an overrun: the next good frame is answered.
            defmt::warn!("the UART reports an error; going on");
        }
    }
}

/// The model to run: that of the newest slot that has a good one, or else the one built in.
fn choose_model<
    L,
    K,
    F,
    S,
    const SCRATCH: usize,
    const RECEIVE: usize,
    const SEND: usize,
    const COPY: usize,
>(
    parts: &mut Parts<L, K, F, S>,
    built_in: &'static [u8],
    memory: &mut Memory<SCRATCH, RECEIVE, SEND, COPY>,
) -> Start<'static>
where
    F: MappedFlash,
{
    let none = Start { file: built_in, slot: None, in_ram: false };
    let last = attempts::begin(parts.watchdog.hung);
    let Some(slots) = &mut parts.slots else { return none };
    slots.set_feed(parts.watchdog.feed);
    let buffers = Buffers { receive: RECEIVE, send: SEND };
    let started =
        app::start(slots, last, &mut memory.scratch, buffers, signature_policy::SIGNATURE_POLICY);
    match (last, started.blamed, started.update_was_on) {
        (LastRun::Ended, ..) | (_, None, false) => {}
        (LastRun::Hung, _, true) => {
            defmt::error!("the watchdog has restarted the board in an update: its models stay")
        }
        (LastRun::Hung, ..) => {
            defmt::error!("the watchdog has restarted the board: going back to the model before")
        }
        (LastRun::NeverServed, ..) => {
            defmt::error!("the board has faulted at its starts: going back to the model before")
        }
    }
    if !started.flash_works {
        defmt::error!("the flash cannot be written");
    }
    // SAFETY: this is the slot that runs. The application writes to the other one, and to this one
    // only its header.
    let file = started.slot.and_then(|slot| unsafe { flash::running_model(slots, slot) });
    file.map_or(none, |file| Start {
        file: signature_policy::SIGNATURE_POLICY.model_file(file),
        slot: started.slot.map(|slot| slot as u8),
        in_ram: false,
    })
}

/// Copies the model to RAM, if it has room there.
fn in_ram(start: Start<'static>, copy: &'static mut [u32]) -> Start<'static> {
    let copy: &mut [u8] = bytemuck::must_cast_slice_mut(copy);
    let Some(copy) = copy.get_mut(..start.file.len()) else { return start };
    copy.copy_from_slice(start.file);
    Start { file: copy, in_ram: true, ..start }
}

/// The engine for a model.
///
/// # Errors
/// The error in words.
pub fn start<'s>(
    model: &'static [u8],
    scratch: &'s mut [u32],
) -> Result<Engine<'static, 's>, &'static str> {
    let model = Model::parse(model).map_err(|_| "the model is refused")?;
    Engine::new(model, scratch).map_err(|_| "the engine refuses the model")
}

/// Says who is there, and whether this core computes what the model's maker saw.
fn greet(name: &str, slot: Option<u8>, engine: &mut Engine<'_, '_>) {
    let report = self_test(engine);
    let model = engine.model();
    defmt::info!(
        "{=str} runs {=str}: {=usize} inputs, {=usize} outputs, {=usize} bytes",
        name,
        model.name(),
        model.input_len(),
        model.output_len(),
        model.file_len()
    );
    match slot {
        Some(slot) => defmt::info!("the model is that of slot {=u8}", slot),
        None => defmt::info!("the model is the one that is built in"),
    }
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
