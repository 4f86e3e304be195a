//! Samples of a device's sensor, one after the other, until the user stops.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use firmware::link::RequestError;

use crate::cli::terminal;
use crate::device::Error;
use crate::device::connection::AnyClient;
use crate::device::sensor::{DeviceSensor, Samples};

/// Samples per request.
const MOST: u16 = 32;

/// Time between two requests while no sample waits.
const PAUSE: Duration = Duration::from_millis(20);

/// Samples of a sensor.
pub(super) struct SampleStream<'c> {
    client: &'c mut AnyClient,
    /// The sensor.
    pub sensor: DeviceSensor,
    /// Samples that are still wanted; `None` until the user stops.
    left: Option<u64>,
    stop: Arc<AtomicBool>,
    /// Number of the next sample, once there was one.
    next: Option<u32>,
    /// Whether the sensor failed last time.
    failed: bool,
}

/// Samples that follow each other.
pub(super) struct Batch {
    /// Whether samples were lost before the first one.
    pub is_after_gap: bool,
    /// Raw counts, samples × axes.
    pub counts: Vec<i16>,
}

impl<'c> SampleStream<'c> {
    /// Begins to read, for this time or until Ctrl-C.
    ///
    /// # Errors
    /// [`Error::Refused`] if the board has no sensor, otherwise the error of the link.
    pub fn new(client: &'c mut AnyClient, seconds: Option<f64>) -> Result<Self, Error> {
        let sensor = client.sensor()?;
        let stop = Arc::new(AtomicBool::new(false));
        let on_signal = stop.clone();
        // It fails only if this program has another Ctrl-C handler, which then ends the program.
        let _ = ctrlc::set_handler(move || on_signal.store(true, Ordering::SeqCst));
        let left = seconds.map(|seconds| (seconds * sensor.hertz).ceil() as u64);
        Ok(SampleStream { client, sensor, left, stop, next: None, failed: false })
    }

    /// Returns the client.
    pub fn client(&mut self) -> &mut AnyClient {
        self.client
    }

    /// Waits for the next samples. Returns `None` at the end.
    ///
    /// # Errors
    /// The error of the link. A sensor that does not answer is a note, and a gap.
    pub fn next(&mut self) -> Result<Option<Batch>, Error> {
        loop {
            if self.stop.load(Ordering::SeqCst) || self.left == Some(0) {
                return Ok(None);
            }
            let most = self.left.map_or(MOST, |left| left.min(MOST.into()) as u16);
            let Samples { first, counts } = match self.client.read_samples(most, self.sensor.axes) {
                Ok(samples) => samples,
                // Ctrl-C ends an emulator that this command has started, too.
                Err(_) if self.stop.load(Ordering::SeqCst) => return Ok(None),
                Err(Error::Refused(error @ RequestError::SensorFailed)) => {
                    if !std::mem::replace(&mut self.failed, true) {
                        terminal::note(&format!("the device answers: {error}"));
                    }
                    thread::sleep(PAUSE);
                    continue;
                }
                Err(error) => return Err(error),
            };
            if counts.is_empty() {
                thread::sleep(PAUSE);
                continue;
            }
            self.failed = false;
            let samples = counts.len() / self.sensor.axes;
            let is_after_gap = self.next.is_some_and(|next| next != first);
            self.next = Some(first.wrapping_add(samples as u32));
            if let Some(left) = &mut self.left {
                *left = left.saturating_sub(samples as u64);
            }
            return Ok(Some(Batch { is_after_gap, counts }));
        }
    }
}
