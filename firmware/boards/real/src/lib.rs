//! What real boards share: the log, which a debugger reads from memory (RTT), and what happens
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

/// A fault of the processor: bad access, undefined instruction, stack overflow.
#[cfg(target_arch = "arm")]
#[cortex_m_rt::exception]
// SAFETY: it ends in a restart and returns to nothing that the fault has left half done.
unsafe fn HardFault(frame: &cortex_m_rt::ExceptionFrame) -> ! {
    defmt::error!("hard fault at pc {=u32:#010x}, lr {=u32:#010x}", frame.pc(), frame.lr());
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
pub fn cycle_counter(clock_hz: u32) -> common::clock::CycleCounter {
    // SAFETY: no board uses the counter otherwise.
    let mut core = unsafe { cortex_m::Peripherals::steal() };
    common::clock::CycleCounter::start(&mut core.DCB, &mut core.DWT, clock_hz)
}

/// It has done its work when it has ended the sleep.
#[cfg(target_arch = "arm")]
#[cortex_m_rt::exception]
fn SysTick() {}

/// Starts anew, once a debugger has had the time to read the log.
fn restart() -> ! {
    defmt::flush();
    #[cfg(target_arch = "arm")]
    {
        cortex_m::asm::delay(16_000_000);
        cortex_m::peripheral::SCB::sys_reset()
    }
    #[cfg(not(target_arch = "arm"))]
    loop {
        core::hint::spin_loop();
    }
}
