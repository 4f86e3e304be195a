//! The FE310's watchdog.

use volatile_register::RW;

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

/// Has the watchdog start the board anew in a second. QEMU's model of the chip has no watchdog: there
/// it waits for ever.
pub fn restart() -> ! {
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
