//! An accelerometer, features of a window, a classifier, and a light that tells motion from rest.

use core::fmt;

use embedded_hal::digital::{Error as _, OutputPin};
use embedded_hal::i2c::ErrorKind;
use thimble_features::{Features, FeaturesMismatch, NoSpectrum, Sample, SpectrumMemory, Window};
use thimble_nn::{AllOps, Capabilities, Engine, InputError};

/// A sensor of acceleration that keeps samples until they are read.
pub trait Accelerometer {
    /// The least and the largest count: a sample that has one of them may have lain beyond.
    const LIMITS: (i16, i16);

    /// The next sample, if one waits.
    ///
    /// # Errors
    /// [`SensorError`]; the next call tries again.
    fn next(&mut self) -> Result<Option<Sample>, SensorError>;
}

/// Why there is no sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SensorError {
    /// The bus failed; `NoAcknowledge` means that nothing answers at the sensor's address.
    Bus(ErrorKind),
    /// Another device has the address.
    WrongDevice,
    /// Samples were lost: they were not read in time.
    Overrun,
}

impl fmt::Display for SensorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SensorError::Bus(ErrorKind::NoAcknowledge(_)) => {
                f.write_str("no accelerometer answers on the bus: look at its wires and address")
            }
            SensorError::Bus(kind) => write!(f, "the accelerometer's bus failed: {kind}"),
            SensorError::WrongDevice => {
                f.write_str("what answers on the bus is no LIS3DH: another device has its address")
            }
            SensorError::Overrun => {
                f.write_str("samples were lost: the accelerometer was not read in time")
            }
        }
    }
}

/// Errors of a step; the light does not change, and a new window begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MotionError {
    /// The sensor.
    Sensor(SensorError),
    /// The features are not those of three axes, are more than [`MOST_FEATURES`], or need a spectrum that is
    /// missing or too small.
    Features(FeaturesMismatch),
    /// The model does not take the features of a window.
    Model(InputError),
    /// The light cannot be set.
    Light(embedded_hal::digital::ErrorKind),
}

impl fmt::Display for MotionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MotionError::Sensor(error) => write!(f, "{error}"),
            MotionError::Features(_) => {
                write!(
                    f,
                    "features must be of three axes, at most {MOST_FEATURES}, and have their spectrum"
                )
            }
            MotionError::Model(error) => write!(f, "{error}"),
            MotionError::Light(kind) => write!(f, "the light cannot be set: {kind}"),
        }
    }
}

/// The predicted class of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer<'a> {
    /// The class, as an index of the model's labels.
    pub class: usize,
    /// The bytes of the model's output.
    pub output: &'a [u8],
}

/// Most features of a window.
pub const MOST_FEATURES: usize = 64;

/// The windows of an application, and the features that its model takes.
#[derive(Clone, Debug)]
pub struct Windows<const LENGTH: usize> {
    /// Features of a window.
    pub features: Features<'static>,
    /// Samples from the start of a window to the start of the next.
    pub step: usize,
}

/// An accelerometer, a model of a window's features, and a light, which is on unless the answer is
/// the model's first class. `LENGTH` is the number of samples in a window. Features of frequencies need a
/// [`Spectrum`](thimble_features::Spectrum) as `S`.
pub struct Motion<'m, 's, A, L, const LENGTH: usize, C = AllOps, S = NoSpectrum> {
    engine: Engine<'m, 's, C>,
    accelerometer: A,
    light: L,
    features: Features<'static>,
    window: Window<3, LENGTH>,
    spectrum: S,
    saturated: u32,
}

impl<'m, 's, A, L, const LENGTH: usize, C> Motion<'m, 's, A, L, LENGTH, C>
where
    A: Accelerometer,
    L: OutputPin,
    C: Capabilities,
{
    /// Puts the parts together, for features that need no spectrum.
    pub fn new(
        engine: Engine<'m, 's, C>,
        windows: Windows<LENGTH>,
        accelerometer: A,
        light: L,
    ) -> Self {
        Motion::with_spectrum(engine, windows, accelerometer, light, NoSpectrum)
    }
}

impl<'m, 's, A, L, const LENGTH: usize, C, S> Motion<'m, 's, A, L, LENGTH, C, S>
where
    A: Accelerometer,
    L: OutputPin,
    C: Capabilities,
    S: SpectrumMemory,
{
    /// Puts the parts together, with memory for features of frequencies:
    /// `Spectrum::<{ bins(LENGTH) }>::new()`.
    pub fn with_spectrum(
        engine: Engine<'m, 's, C>,
        windows: Windows<LENGTH>,
        accelerometer: A,
        light: L,
        spectrum: S,
    ) -> Self {
        let Windows { features, step } = windows;
        let window = Window::new(step);
        Motion { engine, accelerometer, light, features, window, spectrum, saturated: 0 }
    }

    /// Reads what samples wait, until there are no more or a window is full; then says what it was.
    ///
    /// # Errors
    /// [`MotionError`]; the next step goes on with a new window.
    pub fn step(&mut self) -> Result<Option<Answer<'_>>, MotionError> {
        let mut features = [0; MOST_FEATURES];
        let features = features
            .get_mut(..self.features.count())
            .ok_or(MotionError::Features(FeaturesMismatch))?;
        loop {
            let sample = match self.accelerometer.next() {
                Ok(Some(sample)) => sample,
                Ok(None) => return Ok(None),
                Err(error) => {
                    self.window.clear();
                    return Err(MotionError::Sensor(error));
                }
            };
            let (least, most) = A::LIMITS;
            let beyond = sample.iter().filter(|&&count| count <= least || count >= most).count();
            self.saturated = self.saturated.saturating_add(beyond as u32);
            if let Some(window) = self.window.push(sample) {
                self.features
                    .compute_with_spectrum(window, &mut self.spectrum, features)
                    .map_err(MotionError::Features)?;
                break;
            }
        }
        let answer = self.engine.run_counts(features).map_err(MotionError::Model)?;
        self.saturated = self.saturated.saturating_add(answer.saturated());
        let class = answer.class().map_or(0, |class| class.index());
        let output = answer.bytes();
        let lit = match class {
            0 => self.light.set_low(),
            _ => self.light.set_high(),
        };
        lit.map_err(|error| MotionError::Light(error.kind()))?;
        Ok(Some(Answer { class, output }))
    }

    /// Counts since the start that lay beyond what the sensor, or the model's input, can say.
    pub fn saturated_inputs(&self) -> u32 {
        self.saturated
    }

    /// The parts again: accelerometer and light.
    pub fn into_parts(self) -> (A, L) {
        (self.accelerometer, self.light)
    }
}

#[cfg(test)]
#[path = "motion_tests.rs"]
mod tests;
