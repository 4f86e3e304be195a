//! Sensor of a device, and its samples.

use std::io::{Read, Write};

use firmware::link::{MAX_AXES, Request, Response};
use thimble_support::foreign_text::shown;

use super::Error;
use super::client::{Client, unexpected};

/// Sensor of a device. Texts are escaped by [`shown`].
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceSensor {
    /// Name of the sensor.
    pub name: String,
    /// Unit of a sample's real value.
    pub unit: String,
    /// Axes of a sample.
    pub axes: usize,
    /// Samples per second.
    pub hertz: f64,
    /// Real value of one count.
    pub resolution: f64,
}

/// Consecutive samples.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Samples {
    /// Number of the first sample since the start of the device. Where samples were lost, it is more
    /// than that of the sample before plus one.
    pub first: u32,
    /// Raw counts, samples × axes.
    pub counts: Vec<i16>,
}

impl<S: Read + Write> Client<S> {
    /// Requests the description of the sensor.
    ///
    /// # Errors
    /// [`Error::Refused`] if the board has no sensor, otherwise the error of the link.
    pub fn sensor(&mut self) -> Result<DeviceSensor, Error> {
        self.exchange(Request::Sensor, |response| match response {
            Response::Sensor(info)
                if (1..=MAX_AXES).contains(&usize::from(info.axes))
                    && info.millihertz > 0
                    && info.units > 0
                    && info.counts > 0 =>
            {
                Ok(DeviceSensor {
                    name: shown(info.name),
                    unit: shown(info.unit),
                    axes: info.axes.into(),
                    hertz: f64::from(info.millihertz) / 1000.0,
                    resolution: f64::from(info.units) / f64::from(info.counts),
                })
            }
            other => Err(unexpected(&other)),
        })
    }

    /// Requests samples that wait, at most so many; none if none waits. `axes` is that of
    /// [`sensor`](Self::sensor).
    ///
    /// # Errors
    /// [`Error::Refused`] if the sensor does not answer, otherwise the error of the link.
    pub fn read_samples(&mut self, most: u16, axes: usize) -> Result<Samples, Error> {
        self.exchange(Request::ReadSamples { most }, |response| match response {
            Response::Samples { first, counts } if counts.len() % (2 * axes.max(1)) == 0 => {
                let (counts, _) = counts.as_chunks();
                let counts = counts.iter().map(|count| i16::from_le_bytes(*count)).collect();
                Ok(Samples { first, counts })
            }
            other => Err(unexpected(&other)),
        })
    }
}
