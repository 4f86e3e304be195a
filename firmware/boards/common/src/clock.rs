//! Clocks: cycles on a chip; under QEMU's `-icount shift=0`, with which an
//! instruction takes exactly one nanosecond of the machine's time, executed instructions.

use firmware::link::Counter;

/// A clock that measures inferences.
pub trait Clock {
    /// Returns its kind, and its ticks per second.
    fn counter(&self) -> (Counter, u32);

    /// Ticks while `work` runs, reading the clock included; none if they are more than it can tell.
    fn ticks_of(&mut self, work: &mut dyn FnMut()) -> Option<u32>;
}

#[cfg(target_arch = "arm")]
pub use arm::SysTick;

#[cfg(all(target_arch = "arm", not(armv6m)))]
pub use arm::CycleCounter;

#[cfg(target_arch = "riscv32")]
pub use riscv32::Cycles;

#[cfg(target_arch = "arm")]
mod arm {
    use cortex_m::peripheral::SYST;
    use cortex_m::peripheral::syst::SystClkSource;
    use firmware::link::Counter;

    /// Highest value of the 24-bit counter.
    const RELOAD: u32 = 0x00ff_ffff;

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
        fn counter(&self) -> (Counter, u32) {
            (Counter::Timer, self.clock_hz)
        }

        fn ticks_of(&mut self, work: &mut dyn FnMut()) -> Option<u32> {
            // Starts the count anew and forgets an earlier passage through zero.
            self.timer.clear_current();
            let before = SYST::get_current();
            work();
            let after = SYST::get_current();
            // The counter runs down from the reload value.
            let ticks = before.wrapping_sub(after) & RELOAD;
            (!self.timer.has_wrapped()).then_some(ticks)
        }
    }

    /// The cycle counter of cores from Armv7-M on.
    #[cfg(not(armv6m))]
    pub struct CycleCounter {
        clock_hz: u32,
    }

    #[cfg(not(armv6m))]
    impl CycleCounter {
        /// Starts the counter of a processor whose clock has this frequency.
        pub fn start(
            debug: &mut cortex_m::peripheral::DCB,
            counter: &mut cortex_m::peripheral::DWT,
            clock_hz: u32,
        ) -> Self {
            debug.enable_trace();
            counter.enable_cycle_counter();
            CycleCounter { clock_hz }
        }
    }

    #[cfg(not(armv6m))]
    impl super::Clock for CycleCounter {
        fn counter(&self) -> (Counter, u32) {
            (Counter::Cycles, self.clock_hz)
        }

        fn ticks_of(&mut self, work: &mut dyn FnMut()) -> Option<u32> {
            let before = cortex_m::peripheral::DWT::cycle_count();
            work();
            // Half a minute of them is no inference.
            Some(cortex_m::peripheral::DWT::cycle_count().wrapping_sub(before))
        }
    }
}

#[cfg(target_arch = "riscv32")]
mod riscv32 {
    use firmware::link::Counter;
    use riscv::register::mcycle;

    /// RISC-V's counter of cycles; QEMU has it count instructions.
    pub struct Cycles {
        /// Frequency of the processor's clock.
        pub clock_hz: u32,
    }

    impl super::Clock for Cycles {
        fn counter(&self) -> (Counter, u32) {
            (Counter::Cycles, self.clock_hz)
        }

        fn ticks_of(&mut self, work: &mut dyn FnMut()) -> Option<u32> {
            let before = mcycle::read64();
            work();
            mcycle::read64().wrapping_sub(before).try_into().ok()
        }
    }
}
