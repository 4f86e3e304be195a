//! Counting the executed instructions of one inference, under QEMU's `-icount shift=0`, with which
//! an instruction takes exactly one nanosecond of the machine's time.

/// What counts instructions.
pub trait Clock {
    /// Instructions that are executed while `work` runs, reading the clock included, to the
    /// resolution of the clock; nothing if they are more than it can tell.
    fn instructions_of(&mut self, work: impl FnOnce() -> bool) -> Option<u64>;
}

#[cfg(target_arch = "arm")]
pub use systick::SysTick;

#[cfg(target_arch = "riscv32")]
pub use retired::Retired;

#[cfg(target_arch = "arm")]
mod systick {
    use cortex_m::peripheral::SYST;
    use cortex_m::peripheral::syst::SystClkSource;

    /// Highest value of the 24-bit counter.
    const RELOAD: u32 = 0x00ff_ffff;
    const NANOSECONDS_PER_SECOND: u64 = 1_000_000_000;

    /// The Cortex-M's own timer, fed by the processor's clock.
    pub struct SysTick {
        timer: SYST,
        clock_hz: u32,
    }

    impl SysTick {
        /// Starts the timer of a processor whose clock has this frequency.
        pub fn start(mut timer: SYST, clock_hz: u32) -> Self {
            timer.set_clock_source(SystClkSource::Core);
            timer.set_reload(RELOAD);
            timer.clear_current();
            timer.enable_counter();
            SysTick { timer, clock_hz }
        }
    }

    impl super::Clock for SysTick {
        fn instructions_of(&mut self, work: impl FnOnce() -> bool) -> Option<u64> {
            // Starts the count anew and forgets an earlier passage through zero.
            self.timer.clear_current();
            let before = SYST::get_current();
            let done = core::hint::black_box(work());
            let after = SYST::get_current();
            // The counter runs down from the reload value.
            let ticks = before.wrapping_sub(after) & RELOAD;
            (done && !self.timer.has_wrapped())
                .then(|| u64::from(ticks) * NANOSECONDS_PER_SECOND / u64::from(self.clock_hz))
        }
    }
}

#[cfg(target_arch = "riscv32")]
mod retired {
    use riscv::register::minstret;

    /// RISC-V's counter of retired instructions, in which QEMU counts exactly.
    pub struct Retired;

    impl super::Clock for Retired {
        fn instructions_of(&mut self, work: impl FnOnce() -> bool) -> Option<u64> {
            let before = minstret::read64();
            let done = core::hint::black_box(work());
            done.then(|| minstret::read64().wrapping_sub(before))
        }
    }
}
