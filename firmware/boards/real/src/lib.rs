//! Code that real boards share: the log, which a debugger reads from memory (RTT), and what happens
//! after a panic or a fault: the log says where, then the board starts anew.
//!
//! A board without a debugger runs the same; its log is dropped.
#![no_std]

use core::panic::PanicInfo;

use defmt_rtt as _;

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

/// A fault of the processor: bad access, undefined instruction.
#[cfg(target_arch = "arm")]
#[unsafe(no_mangle)]
extern "C" fn thimble_fault(pc: u32, lr: u32) -> ! {
    defmt::error!("hard fault at pc {=u32:#010x}, lr {=u32:#010x}", pc, lr);
    restart()
}

/// The stack has left RAM.
#[cfg(target_arch = "arm")]
#[unsafe(no_mangle)]
extern "C" fn thimble_overflow() -> ! {
    defmt::error!("stack overflow");
    restart()
}

/// Ends the core's sleep ten times a second, so that a watchdog which counts on meanwhile is fed.
#[cfg(target_arch = "arm")]
pub fn wake_regularly(clock_hz: u32) {
    // SAFETY: no board uses SysTick otherwise.
    let mut timer = unsafe { cortex_m::Peripherals::steal() }.SYST;
    timer.set_clock_source(cortex_m::peripheral::syst::SystClkSource::Core);
    timer.set_reload(clock_hz / 10 - 1);
    timer.clear_current();
    timer.enable_counter();
    timer.enable_interrupt();
}

/// The cycle counter of a processor whose clock has this frequency.
#[cfg(all(target_arch = "arm", not(armv6m)))]
pub fn cycle_counter(clock_hz: u32) -> thimble_board::clock::CycleCounter {
    // SAFETY: no board uses the counter otherwise.
    let mut core = unsafe { cortex_m::Peripherals::steal() };
    thimble_board::clock::CycleCounter::start(&mut core.DCB, &mut core.DWT, clock_hz)
}

/// It has done its work when it has ended the sleep.
#[cfg(target_arch = "arm")]
#[cortex_m_rt::exception]
fn SysTick() {}

/// Starts anew, once a debugger has had the time to read the log.
fn restart() -> ! {
    thimble_board::attempts::fault();
    defmt::flush();
    #[cfg(target_arch = "arm")]
    {
        cortex_m::asm::delay(16_000_000);
        cortex_m::peripheral::SCB::sys_reset()
    }
    // SAFETY: a board of this architecture defines it so.
    #[cfg(not(target_arch = "arm"))]
    unsafe {
        thimble_restart()
    }
}

// SAFETY: a board of this architecture defines it so.
#[cfg(not(target_arch = "arm"))]
unsafe extern "C" {
    fn thimble_restart() -> !;
}
