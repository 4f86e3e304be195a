//! The log, on UART 1, and how the board ends. A debugger can't read this chip's memory while it
//! runs, so that the log needs a wire of its own; QEMU has that UART, too.

use core::panic::PanicInfo;

use common::ConstStaticCell;
use hifive1::Uart;
use riscv::register::{mcause, mepc};
use volatile_register::RW;

/// Starts the log.
pub fn start() {
    static UART: ConstStaticCell<Option<Uart>> = ConstStaticCell::new(None);
    defmt_serial::defmt_serial(UART.take().insert(Uart::log()));
}

/// Says where, and the message if it is a plain one: formatting it would pull in `core::fmt`.
#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    let message = info.message().as_str().unwrap_or("(see the source)");
    match info.location() {
        Some(place) => {
            defmt::error!("panic at {=str}:{=u32}: {=str}", place.file(), place.line(), message)
        }
        None => defmt::error!("panic: {=str}", message),
    }
    restart()
}

/// An exception of the processor: bad access, illegal instruction.
#[unsafe(export_name = "ExceptionHandler")]
extern "C" fn exception(_frame: &riscv_rt::TrapFrame) -> ! {
    let (cause, place) = (mcause::read().bits(), mepc::read());
    defmt::error!("exception {=usize} at pc {=usize:#010x}", cause, place);
    restart()
}

/// Registers of the watchdog (SiFive FE310-G002 manual, chapter 14).
#[repr(C)]
struct Watchdog {
    config: RW<u32>,
    _unused: u32,
    count: RW<u32>,
    _reserved: u32,
    scaled: RW<u32>,
    _reserved_too: u32,
    feed: RW<u32>,
    key: RW<u32>,
    compare: RW<u32>,
}

const KEY: u32 = 0x0051_f15e;
/// Reset when the time is up, count always; a tick is that of the 32 kHz clock.
const RESET_ALWAYS: u32 = 1 << 8 | 1 << 12;
const TICKS: u32 = 32_768;

/// Has the watchdog start the board anew in a second.
fn restart() -> ! {
    // SAFETY: the registers lie there for ever and are volatile; each write is unlocked by the key
    // before it.
    unsafe {
        let watchdog = &*(0x1000_0000 as *const Watchdog);
        watchdog.key.write(KEY);
        watchdog.compare.write(TICKS);
        watchdog.key.write(KEY);
        watchdog.count.write(0);
        watchdog.key.write(KEY);
        watchdog.config.write(RESET_ALWAYS);
    }
    loop {
        riscv::asm::wfi();
    }
}
