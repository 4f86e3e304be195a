//! Interface of the application to the board that it runs on.

use embedded_hal::digital::{ErrorType, OutputPin, StatefulOutputPin};

use super::Sensor;
use crate::link::{Counter, NONCE_LEN};
use crate::signature::SignaturePolicy;
use crate::slots::{MappedFlash, Slots};

/// Interface of the application to the board that it runs on.
pub trait Board {
    /// A light that shows life.
    type Led: StatefulOutputPin;
    /// The flash that holds slots for models; [`NoFlash`](crate::slots::NoFlash) for none.
    type Flash: MappedFlash;
    /// A sensor whose samples a computer records; [`NoSensor`](super::NoSensor) for none.
    type Sensor: Sensor;

    /// Name of the board, at most 64 bytes.
    fn name(&self) -> &'static str;

    /// The light: it changes with every answer.
    fn led(&mut self) -> &mut Self::Led;

    /// The most bytes of stack that have been in use since the start, if the board measures it.
    fn stack_bytes(&self) -> Option<u32> {
        None
    }

    /// The counter that measures time, and its frequency in Hz.
    fn counter(&self) -> Option<(Counter, u32)> {
        None
    }

    /// Ticks of the counter while `work` runs; none if it overflowed.
    fn ticks_of(&mut self, work: &mut dyn FnMut()) -> Option<u32> {
        work();
        None
    }

    /// The slots for models, if the board has some.
    fn slots(&mut self) -> Option<&mut Slots<Self::Flash>> {
        None
    }

    /// The signatures that the board asks for.
    fn signature_policy(&self) -> SignaturePolicy {
        SignaturePolicy::NotRequired
    }

    /// Random bytes that nobody can predict and that do not repeat after a restart, if the board has
    /// a source of them. Without, a board whose commands need a signature refuses them.
    fn entropy(&mut self) -> Option<[u8; NONCE_LEN]> {
        None
    }

    /// The sensor whose samples a computer records, if the board has one.
    fn sensor(&mut self) -> Option<&mut Self::Sensor> {
        None
    }

    /// Restarts the board; returns only where there is nothing to restart, as in a test.
    fn restart(&mut self) {}
}

/// A light for boards that have none.
pub struct NoLed;

impl ErrorType for NoLed {
    type Error = core::convert::Infallible;
}

impl OutputPin for NoLed {
    fn set_low(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}

impl StatefulOutputPin for NoLed {
    fn is_set_high(&mut self) -> Result<bool, Self::Error> {
        Ok(false)
    }

    fn is_set_low(&mut self) -> Result<bool, Self::Error> {
        Ok(true)
    }
}
