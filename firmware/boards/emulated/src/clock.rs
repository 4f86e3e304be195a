//! Time as the machine counts it, to measure one inference.

/// A clock of the machine.
pub trait Clock {
    /// Nanoseconds that pass while `work` runs, reading the clock included; nothing if they are
    /// more than the clock can tell.
    fn nanoseconds_of(&mut self, work: impl FnOnce() -> bool) -> Option<u64>;
}

#[cfg(target_arch = "arm")]
pub use systick::SysTick;

#[cfg(target_arch = "arm")]
mod systick {
    use cortex_m::peripheral::SYST;
    use cortex_m::peripheral::syst::SystClkSource;

    /// Highest value of the 24-bit counter.
    const RELOAD: u32 = 0x00ff_ffff;

    /// The Cortex-M's own timer, fed by the processor's clock.
    pub struct SysTick {
        timer: SYST,
        nanoseconds_per_tick: u32,
    }

    impl SysTick {
        /// Starts the timer of a processor whose clock has this frequency.
        pub fn start(mut timer: SYST, clock_hz: u32) -> Self {
            timer.set_clock_source(SystClkSource::Core);
            timer.set_reload(RELOAD);
            timer.clear_current();
            timer.enable_counter();
            SysTick { timer, nanoseconds_per_tick: 1_000_000_000 / clock_hz }
        }
    }

    impl super::Clock for SysTick {
        fn nanoseconds_of(&mut self, work: impl FnOnce() -> bool) -> Option<u64> {
            // Starts the count anew and forgets an earlier passage through zero.
            self.timer.clear_current();
            let before = SYST::get_current();
            let done = core::hint::black_box(work());
            let after = SYST::get_current();
            // The counter runs down from the reload value.
            let ticks = before.wrapping_sub(after) & RELOAD;
            (done && !self.timer.has_wrapped())
                .then(|| u64::from(ticks) * u64::from(self.nanoseconds_per_tick))
        }
    }
}
