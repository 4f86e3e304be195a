//! The accelerometer as a sensor whose samples a computer records over the link.

use embedded_hal::i2c::I2c;
use firmware::app::{Sensor, SensorError};
use firmware::link::SensorInfo;

use crate::lis3dh::{Lis3dhFifo, Rate};
use crate::motion::{self, Accelerometer};

impl<I: I2c> Sensor for Lis3dhFifo<I> {
    fn info(&self) -> SensorInfo<'static> {
        let millihertz = match self.rate() {
            Rate::Hz25 => 25_000,
            Rate::Hz100 => 100_000,
        };
        SensorInfo { name: "LIS3DH", unit: "mg", axes: 3, millihertz, units: 2, counts: 1 }
    }

    fn next(&mut self, sample: &mut [i16]) -> Result<bool, SensorError> {
        match Accelerometer::next(self) {
            Ok(Some(counts)) => {
                for (place, count) in sample.iter_mut().zip(counts) {
                    *place = count;
                }
                Ok(true)
            }
            Ok(None) => Ok(false),
            Err(motion::SensorError::Overrun) => Err(SensorError::Lost),
            Err(_) => Err(SensorError::Failed),
        }
    }
}
