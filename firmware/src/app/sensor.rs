//! Samples of a sensor, for a computer that records them.

use crate::link::{MAX_AXES, RequestError, Response, SensorInfo};

/// A sensor whose samples a computer records.
pub trait Sensor {
    /// Returns the description of the sensor. Its axes are at most [`MAX_AXES`].
    fn info(&self) -> SensorInfo<'static>;

    /// Reads the next sample, if one waits, into the counts of its axes; returns whether one did.
    ///
    /// # Errors
    /// [`SensorError`]; the next call goes on.
    fn next(&mut self, sample: &mut [i16]) -> Result<bool, SensorError>;
}

/// Reason why there is no sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SensorError {
    /// The sensor does not answer.
    Failed,
    /// Samples were lost: they were not read in time.
    Lost,
}

/// For boards without a sensor.
#[derive(Clone, Copy, Debug)]
pub enum NoSensor {}

impl Sensor for NoSensor {
    fn info(&self) -> SensorInfo<'static> {
        match *self {}
    }

    fn next(&mut self, _: &mut [i16]) -> Result<bool, SensorError> {
        match *self {}
    }
}

/// Samples in a response, at most.
const MOST: usize = 32;

/// Number of the next sample.
#[derive(Default)]
pub(super) struct Recorder {
    next: u32,
}

impl Recorder {
    /// Sends the samples that wait: at most `most`, what `room` bytes of a response hold, and those
    /// before a gap.
    pub fn read<S: Sensor + ?Sized>(
        &mut self,
        sensor: &mut S,
        most: u16,
        room: usize,
        reply: &mut dyn FnMut(Response<'_>),
    ) -> Result<(), RequestError> {
        let axes = usize::from(sensor.info().axes).clamp(1, MAX_AXES);
        let mut counts = [[0u8; 2]; MOST * MAX_AXES];
        let most = usize::from(most).min(MOST).min(room / 2 / axes);
        let (mut first, mut read) = (self.next, 0usize);
        for _ in 0..most {
            let mut sample = [0; MAX_AXES];
            match sensor.next(sample.get_mut(..axes).unwrap_or_default()) {
                Ok(true) => {
                    let rest = counts.get_mut(read..).unwrap_or_default();
                    for (place, count) in rest.iter_mut().zip(sample).take(axes) {
                        *place = count.to_le_bytes();
                    }
                    self.next = self.next.wrapping_add(1);
                    read = read.saturating_add(axes);
                }
                Ok(false) => break,
                // One or more samples are missing here.
                Err(SensorError::Lost) => {
                    self.next = self.next.wrapping_add(1);
                    if read > 0 {
                        break;
                    }
                    first = self.next;
                }
                Err(SensorError::Failed) if read == 0 => {
                    self.next = self.next.wrapping_add(1);
                    return Err(RequestError::SensorFailed);
                }
                Err(SensorError::Failed) => {
                    self.next = self.next.wrapping_add(1);
                    break;
                }
            }
        }
        let counts = counts.get(..read).unwrap_or_default().as_flattened();
        reply(Response::Samples { first, counts });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Samples of two axes and errors, in order.
    struct Played(Vec<Result<[i16; 2], SensorError>>);

    impl Sensor for Played {
        fn info(&self) -> SensorInfo<'static> {
            SensorInfo { name: "s", unit: "mg", axes: 2, millihertz: 100, units: 2, counts: 1 }
        }

        fn next(&mut self, sample: &mut [i16]) -> Result<bool, SensorError> {
            if self.0.is_empty() {
                return Ok(false);
            }
            sample.copy_from_slice(&self.0.remove(0)?);
            Ok(true)
        }
    }

    #[test]
    fn gaps_show_in_the_numbers_of_samples() {
        let (lost, failed) = (Err(SensorError::Lost), Err(SensorError::Failed));
        let mut sensor = Played(vec![
            Ok([1, -1]),
            Ok([2, -2]),
            Ok([3, -3]),
            lost,
            Ok([4, -4]),
            failed,
            failed,
            lost,
            Ok([5, -5]),
        ]);
        let mut recorder = Recorder::default();
        let mut read = |most, room| {
            let mut found = None;
            recorder
                .read(&mut sensor, most, room, &mut |response| {
                    if let Response::Samples { first, counts } = response {
                        let (counts, _) = counts.as_chunks();
                        let counts: Vec<i16> =
                            counts.iter().map(|count| i16::from_le_bytes(*count)).collect();
                        found = Some((first, counts));
                    }
                })
                .map(|()| found.unwrap())
        };
        assert_eq!(read(2, 100), Ok((0, vec![1, -1, 2, -2])));
        // Four bytes are one sample.
        assert_eq!(read(9, 7), Ok((2, vec![3, -3])));
        assert_eq!(read(9, 100), Ok((4, vec![4, -4])));
        assert_eq!(read(9, 100), Err(RequestError::SensorFailed));
        assert_eq!(read(9, 100), Ok((8, vec![5, -5])));
        assert_eq!(read(9, 100), Ok((9, vec![])));
        assert_eq!(read(0, 100), Ok((9, vec![])));
    }
}
