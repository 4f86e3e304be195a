//! The log, on UART 1, and how the board ends. A debugger can't read this chip's memory while it
//! runs, so that the log needs a wire of its own; QEMU has that UART, too.

use core::panic::PanicInfo;

use hifive1::{Uart, restart};
use riscv::register::{mcause, mepc};
use thimble_board::ConstStaticCell;

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

/// The stack has left RAM.
#[unsafe(no_mangle)]
extern "C" fn thimble_overflow() -> ! {
    defmt::error!("stack overflow");
    restart()
}

/// An exception of the processor: bad access, illegal instruction.
#[unsafe(export_name = "ExceptionHandler")]
extern "C" fn exception(_frame: &riscv_rt::TrapFrame) -> ! {
    let (cause, place) = (mcause::read().bits(), mepc::read());
    defmt::error!("exception {=usize} at pc {=usize:#010x}", cause, place);
    restart()
}
