//! A board, put together of its parts.

use embedded_hal::digital::StatefulOutputPin;
use firmware::app::{Board, NONCE_LEN, NoSensor, Sensor, SignaturePolicy};
use firmware::link::{Counter, STACK_OVERRUN};
use firmware::slots::{MappedFlash, NoFlash, Slots};

use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::{signature_policy, stack};

/// A board, put together of its parts.
pub struct Parts<L, K, F = NoFlash, S = NoSensor> {
    /// Name of the board.
    pub name: &'static str,
    /// A light that shows life.
    pub led: L,
    /// The clock that measures inferences.
    pub clock: K,
    /// Slots for models, if the board has some.
    pub slots: Option<Slots<F>>,
    /// The chip's source of random numbers.
    pub entropy: Entropy,
    /// Starts the board anew.
    pub restart: fn() -> !,
    /// The watchdog.
    pub watchdog: Watchdog,
    /// A sensor whose samples a computer records, if the board has one.
    pub sensor: Option<S>,
}

/// The sensor of a board that has none.
pub const NO_SENSOR: Option<NoSensor> = None;

/// A watchdog: it restarts a board that has not fed it for some seconds.
#[derive(Clone, Copy)]
pub struct Watchdog {
    /// Whether this start is its doing, or that of a processor in lockup.
    pub hung: bool,
    /// Feeds it.
    pub feed: fn(),
}

impl Watchdog {
    /// For a board that has none.
    pub const NONE: Watchdog = Watchdog { hung: false, feed: || () };
}

impl<L: StatefulOutputPin, K: Clock, F: MappedFlash, S: Sensor> Board for Parts<L, K, F, S> {
    type Led = L;
    type Flash = F;
    type Sensor = S;

    fn name(&self) -> &'static str {
        self.name
    }

    fn led(&mut self) -> &mut L {
        &mut self.led
    }

    fn stack_bytes(&self) -> Option<u32> {
        stack::high_water().map(|depth| match depth {
            stack::Depth::Used(bytes) => bytes as u32,
            stack::Depth::Overrun => STACK_OVERRUN,
        })
    }

    fn counter(&self) -> Option<(Counter, u32)> {
        Some(self.clock.counter())
    }

    fn ticks_of(&mut self, work: &mut dyn FnMut()) -> Option<u32> {
        (self.watchdog.feed)();
        self.clock.ticks_of(work)
    }

    fn slots(&mut self) -> Option<&mut Slots<F>> {
        self.slots.as_mut()
    }

    fn signature_policy(&self) -> SignaturePolicy {
        signature_policy::SIGNATURE_POLICY
    }

    fn entropy(&mut self) -> Option<[u8; NONCE_LEN]> {
        self.entropy.next()
    }

    fn sensor(&mut self) -> Option<&mut S> {
        self.sensor.as_mut()
    }

    fn restart(&mut self) {
        defmt::info!("starting anew, as asked");
        (self.restart)()
    }
}

/// Starts an Arm board anew.
#[cfg(target_arch = "arm")]
pub fn reset() -> ! {
    defmt::flush();
    cortex_m::peripheral::SCB::sys_reset()
}
