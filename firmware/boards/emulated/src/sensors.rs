//! `dial IN OUT`, `motion IN OUT`, `activity IN OUT` and `spectrum IN OUT`: the applications of `thimble-sensors` with sensors
//! that play a recording, for tests to compare every byte with the computer's. `play IN`: a sensor whose
//! samples a computer records.
//!
//! `IN` has the records of [`vectors`](crate::vectors): a model, and the recording in the place of
//! inputs. The answers are
//!
//! - for `dial`, whose recording is pairs of counts, i16: for each the duty, u16 of 1,000, and the
//!   bytes of the model's output;
//! - for `motion`, `activity` and `spectrum`, whose recording is samples of three i16: for each window a 0, the class, whether
//!   the light is on, and the bytes of the model's output; for each error a 1 and what it was. A
//!   sample whose x is −32768 stands for a bus on which nothing answers, 32767 for samples lost.
//!
//! At the end of each there is a u32, the counts that lay beyond. All numbers are little-endian.

use core::cell::Cell;
use core::convert::Infallible;

use embedded_hal::digital::OutputPin;
use embedded_hal::i2c::{self, ErrorKind, I2c, NoAcknowledgeSource, Operation};
use embedded_hal::pwm::SetDutyCycle;
use thimble_features::{
    ACTIVITY, ACTIVITY_STEP, ACTIVITY_WINDOW, Feature, Features, MOTION, NoSpectrum, Spectrum,
    SpectrumMemory, WINDOW, bins,
};
use thimble_nn::{Engine, Model};
use thimble_sensors::dial::{AnalogIn, Dial};
use thimble_sensors::lis3dh::{Lis3dhFifo, Rate, SlaveAddr};
use thimble_sensors::motion::{Motion, MotionError, SensorError, Windows};

/// Steps of the played PWM pin.
const MOST_DUTY: u16 = 1000;

/// Where an answer is collected.
struct Answer<'b> {
    bytes: &'b mut [u8],
    len: usize,
}

impl<'b> Answer<'b> {
    /// Splits the memory into what the engine computes in and what the answer goes to.
    fn new(buffer: &'b mut [u32], scratch_len: usize) -> Option<(&'b mut [u32], Answer<'b>)> {
        let (scratch, rest) = buffer.split_at_mut_checked(scratch_len)?;
        Some((scratch, Answer { bytes: bytemuck::cast_slice_mut(rest), len: 0 }))
    }

    fn put(&mut self, bytes: &[u8]) -> Option<()> {
        let end = self.len.checked_add(bytes.len())?;
        self.bytes.get_mut(self.len..end)?.copy_from_slice(bytes);
        self.len = end;
        Some(())
    }

    /// Length and bytes, with zeros up to a multiple of four.
    fn finish(mut self) -> Option<(usize, &'b [u8])> {
        let len = self.len;
        while !self.len.is_multiple_of(4) {
            self.put(&[0])?;
        }
        Some((len, self.bytes.get(..self.len)?))
    }
}

/// Counts that are played.
struct Channel<'r>(core::slice::Iter<'r, [u8; 4]>, usize);

impl AnalogIn for Channel<'_> {
    type Error = ();

    fn read(&mut self) -> Result<i16, ()> {
        let pair = self.0.next().ok_or(())?;
        let (counts, _) = pair.as_chunks();
        counts.get(self.1).map(|count| i16::from_le_bytes(*count)).ok_or(())
    }
}

/// A PWM pin that moves nothing.
struct Pwm;

impl embedded_hal::pwm::ErrorType for Pwm {
    type Error = Infallible;
}

impl SetDutyCycle for Pwm {
    fn max_duty_cycle(&self) -> u16 {
        MOST_DUTY
    }

    fn set_duty_cycle(&mut self, _: u16) -> Result<(), Infallible> {
        Ok(())
    }
}

/// Plays pairs of counts; none if the model is refused, or there is too little memory.
pub fn dial<'b>(
    model: &[u8],
    recording: &[u8],
    buffer: &'b mut [u32],
) -> Option<(usize, &'b [u8])> {
    let model = Model::parse(model).ok()?;
    let (scratch, mut answer) = Answer::new(buffer, model.scratch_len())?;
    let (pairs, _) = recording.as_chunks();
    let [x, y] = [0, 1].map(|channel| Channel(pairs.iter(), channel));
    let mut dial = Dial::new(Engine::new(model, scratch).ok()?, x, y, Pwm);
    for _ in pairs {
        let turn = dial.step().ok()?;
        answer.put(&turn.duty.to_le_bytes())?;
        answer.put(turn.output)?;
    }
    answer.put(&dial.saturated_inputs().to_le_bytes())?;
    answer.finish()
}

/// A light whose state can be seen.
struct Light<'l>(&'l Cell<bool>);

impl embedded_hal::digital::ErrorType for Light<'_> {
    type Error = Infallible;
}

impl OutputPin for Light<'_> {
    fn set_low(&mut self) -> Result<(), Infallible> {
        self.0.set(false);
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        self.0.set(true);
        Ok(())
    }
}

/// A bus with a LIS3DH whose FIFO holds the rest of a recording.
pub struct Bus<'r> {
    samples: core::slice::Iter<'r, [u8; 6]>,
    /// Samples after the end of the recording: none, or the recording again.
    then: &'r [[u8; 6]],
    /// Its registers, as they were written.
    registers: [u8; 0x40],
    /// The register that is read next.
    at: u8,
}

const WHO_AM_I: u8 = 0x0f;
const OUT_X_L: u8 = 0x28;
const FIFO_SRC: u8 = 0x2f;
/// The first sample of an event is no sample.
const LOST: i16 = i16::MIN;
const OVERRUN: i16 = i16::MAX;

/// The event in place of this sample, if it is none.
fn event([a, b, ..]: &[u8; 6]) -> Option<i16> {
    let x = i16::from_le_bytes([*a, *b]);
    matches!(x, LOST | OVERRUN).then_some(x)
}

impl Bus<'_> {
    /// The event that comes next, if it is one.
    fn event(&self) -> Option<i16> {
        self.samples.as_slice().first().and_then(event)
    }

    fn read(&mut self, register: u8, values: &mut [u8]) -> Result<(), ErrorKind> {
        if self.samples.as_slice().is_empty() {
            self.samples = self.then.iter();
        }
        let value = match register & 0x3f {
            WHO_AM_I => 0x33,
            FIFO_SRC => match self.event() {
                Some(LOST) => {
                    self.samples.next();
                    return Err(ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address));
                }
                // What it says then is that it has 32 samples.
                Some(_) => {
                    self.samples.next();
                    0xdf
                }
                None => self.waiting(),
            },
            OUT_X_L => {
                let sample = self.samples.next().ok_or(ErrorKind::Other)?;
                let (counts, _) = sample.as_chunks();
                // 12 bits, at the upper end of 16.
                for (value, count) in values.as_chunks_mut().0.iter_mut().zip(counts) {
                    *value = (i16::from_le_bytes(*count) << 4).to_le_bytes();
                }
                return Ok(());
            }
            other => self.registers.get(usize::from(other)).copied().unwrap_or(0),
        };
        values.fill(value);
        Ok(())
    }

    /// FIFO_SRC: up to 31 samples, those before the next event.
    fn waiting(&self) -> u8 {
        let samples = self.samples.as_slice().iter();
        let ready = samples.take_while(|sample| event(sample).is_none()).count();
        match ready {
            0 => 0x20,
            ready => ready.min(31) as u8,
        }
    }
}

impl i2c::ErrorType for Bus<'_> {
    type Error = ErrorKind;
}

impl I2c for Bus<'_> {
    fn transaction(
        &mut self,
        _address: u8,
        operations: &mut [Operation<'_>],
    ) -> Result<(), ErrorKind> {
        for operation in operations {
            match operation {
                Operation::Write([register]) => self.at = *register,
                Operation::Write([register, value]) => {
                    if let Some(place) = self.registers.get_mut(usize::from(*register)) {
                        *place = *value;
                    }
                }
                Operation::Write(_) => return Err(ErrorKind::Other),
                Operation::Read(values) => self.read(self.at, values)?,
            }
        }
        Ok(())
    }
}

/// An accelerometer that plays a recording, and again from its beginning; none for an empty one.
///
/// Samples come as fast as they are read.
#[cfg(feature = "play")]
pub fn played(recording: &[u8]) -> Option<Lis3dhFifo<Bus<'_>>> {
    let (samples, _) = recording.as_chunks();
    let bus = Bus { samples: samples.iter(), then: samples, registers: [0; 0x40], at: 0 };
    if samples.is_empty() {
        return None;
    }
    Lis3dhFifo::start(bus, SlaveAddr::Default, Rate::Hz25).ok()
}

/// Plays samples through the features of the preset `motion`.
pub fn motion<'b>(
    model: &[u8],
    recording: &[u8],
    buffer: &'b mut [u32],
) -> Option<(usize, &'b [u8])> {
    let windows = Windows::<WINDOW> { features: MOTION, step: WINDOW };
    answers(windows, Rate::Hz100, NoSpectrum, model, recording, buffer)
}

/// Plays samples through the features of the preset `activity`, in windows that overlap.
pub fn activity<'b>(
    model: &[u8],
    recording: &[u8],
    buffer: &'b mut [u32],
) -> Option<(usize, &'b [u8])> {
    let windows = Windows::<ACTIVITY_WINDOW> { features: ACTIVITY, step: ACTIVITY_STEP };
    answers(windows, Rate::Hz25, NoSpectrum, model, recording, buffer)
}

/// Features of frequencies of each axis, of the magnitude and in total.
const FREQUENCIES: Features<'static> = Features {
    axes: 3,
    each: &[Feature::DominantFrequency],
    magnitude: &[
        Feature::DominantFrequency,
        Feature::LogBandRms { band: 1, of: 4 },
        Feature::LogBandRms { band: 2, of: 4 },
        Feature::LogBandRms { band: 3, of: 4 },
        Feature::LogBandRms { band: 4, of: 4 },
        Feature::LogDeviation,
    ],
    total: &[
        Feature::DominantFrequency,
        Feature::BandRms { band: 1, of: 4 },
        Feature::BandRms { band: 2, of: 4 },
        Feature::BandRms { band: 3, of: 4 },
        Feature::BandRms { band: 4, of: 4 },
    ],
};

/// Plays samples through features of frequencies, in the windows of the preset `activity`.
pub fn spectrum<'b>(
    model: &[u8],
    recording: &[u8],
    buffer: &'b mut [u32],
) -> Option<(usize, &'b [u8])> {
    let windows = Windows::<ACTIVITY_WINDOW> { features: FREQUENCIES, step: ACTIVITY_STEP };
    let spectrum = Spectrum::<{ bins(ACTIVITY_WINDOW) }>::new();
    answers(windows, Rate::Hz25, spectrum, model, recording, buffer)
}

/// Plays samples; none if the model is refused, or there is too little memory.
fn answers<'b, const LENGTH: usize>(
    windows: Windows<LENGTH>,
    rate: Rate,
    spectrum: impl SpectrumMemory,
    model: &[u8],
    recording: &[u8],
    buffer: &'b mut [u32],
) -> Option<(usize, &'b [u8])> {
    let model = Model::parse(model).ok()?;
    let (scratch, mut answer) = Answer::new(buffer, model.scratch_len())?;
    let samples = recording.as_chunks().0.iter();
    let bus = Bus { samples, then: &[], registers: [0; 0x40], at: 0 };
    let sensor = Lis3dhFifo::start(bus, SlaveAddr::Default, rate).ok()?;
    let lit = Cell::new(false);
    let engine = Engine::new(model, scratch).ok()?;
    let mut motion = Motion::with_spectrum(engine, windows, sensor, Light(&lit), spectrum);
    loop {
        match motion.step() {
            Ok(Some(window)) => {
                answer.put(&[0, window.class as u8, u8::from(lit.get())])?;
                answer.put(window.output)?;
            }
            Ok(None) => break,
            Err(MotionError::Sensor(SensorError::Overrun)) => answer.put(&[1, b'o'])?,
            Err(MotionError::Sensor(SensorError::Bus(_))) => answer.put(&[1, b'b'])?,
            Err(_) => return None,
        }
    }
    answer.put(&motion.saturated_inputs().to_le_bytes())?;
    answer.finish()
}
