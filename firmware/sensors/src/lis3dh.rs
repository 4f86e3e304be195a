//! The accelerometer LIS3DH on an I²C bus: samples of ±4 g, 2 mg a count, kept by its FIFO until they
//! are read.
//!
//! The registers are the crate `lis3dh`'s; here is what a window needs beside them: samples in a row,
//! or word of a gap.

use embedded_hal::i2c::{ErrorKind, I2c};
pub use lis3dh::SlaveAddr;
use lis3dh::{
    Configuration, DataRate, Error, FifoMode, Lis3dh, Lis3dhCore, Lis3dhI2C, Mode, Range,
};

use thimble_features::Sample;

use crate::motion::{Accelerometer, SensorError};

/// Samples that the FIFO keeps: at 100 Hz it must be read more often than every 0.32 s.
const FIFO: u8 = 32;

/// Samples per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// 25 Hz, for models of recordings at 26 Hz, too.
    Hz25,
    /// 100 Hz.
    Hz100,
}

impl Rate {
    fn configuration(self) -> Configuration {
        Configuration {
            mode: Mode::HighResolution,
            datarate: match self {
                Rate::Hz25 => DataRate::Hz_25,
                Rate::Hz100 => DataRate::Hz_100,
            },
            enable_x_axis: true,
            enable_y_axis: true,
            enable_z_axis: true,
            block_data_update: true,
            enable_temperature: false,
        }
    }
}

/// A LIS3DH that fills its FIFO.
pub struct Lis3dhFifo<I> {
    sensor: Lis3dh<Lis3dhI2C<I>>,
    rate: Rate,
    /// Samples that are known to wait.
    waiting: u8,
    /// Whether it must be set up again: it may have lost its power when the bus failed.
    lost: bool,
}

impl<I: I2c> Lis3dhFifo<I> {
    /// Finds the sensor and starts it. `i2c` may be a `&mut` of a bus, which is then free again when
    /// there is no sensor yet.
    ///
    /// # Errors
    /// [`SensorError::Bus`] if nothing answers, [`SensorError::WrongDevice`] if it is no LIS3DH.
    pub fn start(i2c: I, address: SlaveAddr, rate: Rate) -> Result<Self, SensorError> {
        let mut sensor = Lis3dh::new_i2c_with_config(i2c, address, rate.configuration())
            .map_err(sensor_error)?;
        start_fifo(&mut sensor)?;
        Ok(Lis3dhFifo { sensor, rate, waiting: 0, lost: false })
    }

    /// Returns the samples per second.
    pub fn rate(&self) -> Rate {
        self.rate
    }

    fn read(&mut self) -> Result<Option<Sample>, SensorError> {
        if self.lost {
            self.sensor.configure(self.rate.configuration()).map_err(sensor_error)?;
            start_fifo(&mut self.sensor)?;
            self.lost = false;
        }
        if self.waiting == 0 {
            let status = self.sensor.get_fifo_status().map_err(sensor_error)?;
            if status.overrun {
                // Those that it has kept follow each other, but not those before.
                self.waiting = FIFO;
                return Err(SensorError::Overrun);
            }
            self.waiting = status.stack_size;
            if self.waiting == 0 {
                return Ok(None);
            }
        }
        let [a, b, c, d, e, f] = self.sensor.read_accel_bytes().map_err(sensor_error)?;
        self.waiting = self.waiting.saturating_sub(1);
        // 12 bits, at the upper end of 16.
        let samples = [[a, b], [c, d], [e, f]].map(|bytes| i16::from_le_bytes(bytes) >> 4);
        Ok(Some(samples))
    }
}

impl<I: I2c> Accelerometer for Lis3dhFifo<I> {
    const LIMITS: (i16, i16) = (-2048, 2047);

    fn next(&mut self) -> Result<Option<Sample>, SensorError> {
        let sample = self.read();
        if matches!(sample, Err(SensorError::Bus(_) | SensorError::WrongDevice)) {
            (self.lost, self.waiting) = (true, 0);
        }
        sample
    }
}

fn start_fifo<I: I2c>(sensor: &mut Lis3dh<Lis3dhI2C<I>>) -> Result<(), SensorError> {
    sensor.set_range(Range::G4).map_err(sensor_error)?;
    // Through bypass, which empties it.
    sensor.disable_fifo().map_err(sensor_error)?;
    sensor.enable_fifo(FifoMode::Stream, FIFO - 1).map_err(sensor_error)
}

fn sensor_error<E: embedded_hal::i2c::Error, P>(error: Error<E, P>) -> SensorError {
    match error {
        Error::Bus(error) => SensorError::Bus(error.kind()),
        // What else it may say needs a register with bits that no LIS3DH has.
        Error::WrongAddress | Error::Pin(_) => SensorError::WrongDevice,
        _ => SensorError::Bus(ErrorKind::Other),
    }
}
