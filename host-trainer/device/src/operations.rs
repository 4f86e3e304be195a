//! Operations of several requests: benchmarks, updates, rollback, restart.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use firmware::link::{
    Benchmark, Command, NONCE_LEN, Request, RequestError, Response, SlotsInfo, Updated,
};
use model_format::HEADER_LEN;

use super::Error;
use super::client::{Client, unexpected};
use super::info::DeviceInfo;
use super::signing::SigningKey;

/// Factor of the time limit for erasing a slot or testing a model; erasing a large block takes
/// seconds.
const SLOW: u32 = 6;
/// Requested bytes of the model per request; the device sends as many as fit.
const PART: u16 = 8192;

/// Upper bound of a model's size, above the flash of any supported microcontroller.
const MOST_BYTES: usize = 16 << 20;
/// Pause before a restarting device is queried again.
const PATIENCE: Duration = Duration::from_millis(500);
/// Number of attempts to send a chunk whose response was lost.
const TRIES: u32 = 3;

impl<S: Read + Write> Client<S> {
    /// Runs the model `runs` times on the device, or slightly more for whole rounds of its
    /// self-tests, which run if `input` is empty.
    ///
    /// A device answers with fewer runs if it would be busy for long. The client requests the rest
    /// as long as `go_on`, which receives the measurements so far, returns true. Between two
    /// responses the device answers other requests.
    ///
    /// # Errors
    /// [`Error::Refused`] where no timer is available, otherwise the error of the link.
    pub fn benchmark(
        &mut self,
        runs: u16,
        input: &[u8],
        mut go_on: impl FnMut(&Benchmark) -> bool,
    ) -> Result<Benchmark, Error> {
        let mut total = self.benchmark_once(runs.max(1), input)?;
        let mut sum = u64::from(total.mean) * u64::from(total.runs);
        while go_on(&total) && total.runs < runs {
            let more = self.benchmark_once(runs - total.runs, input)?;
            sum += u64::from(more.mean) * u64::from(more.runs);
            total.runs = total.runs.saturating_add(more.runs);
            total.min = total.min.min(more.min);
            total.max = total.max.max(more.max);
            total.mean = (sum / u64::from(total.runs)) as u32;
        }
        Ok(total)
    }

    fn benchmark_once(&mut self, runs: u16, input: &[u8]) -> Result<Benchmark, Error> {
        self.exchange(Request::Benchmark { runs, input }, |response| match response {
            Response::Benchmark(benchmark) if benchmark.runs > 0 => Ok(benchmark),
            other => Err(unexpected(&other)),
        })
    }

    /// Requests the CRC-32 of each layer's output for one input.
    ///
    /// # Errors
    /// [`Error::Refused`] if the input has the wrong length, otherwise the error of the link.
    pub fn trace(&mut self, input: &[u8]) -> Result<Vec<u32>, Error> {
        self.exchange(Request::Trace { input }, |response| match response {
            Response::Trace { hashes } => {
                Ok(hashes.as_chunks().0.iter().map(|hash| u32::from_le_bytes(*hash)).collect())
            }
            other => Err(unexpected(&other)),
        })
    }

    /// Reads the device's model file.
    ///
    /// # Errors
    /// [`Error::Model`] if the received bytes do not match the device's information, otherwise the
    /// error of the link.
    pub fn read_model(&mut self) -> Result<Vec<u8>, Error> {
        let info = self.info()?;
        let says = info.model_bytes;
        check_length(says, &[])?;
        let mut file = Vec::new();
        while file.len() < says as usize {
            let offset = file.len() as u32;
            let request = Request::ReadModel { offset, len: PART };
            let part = self.exchange(request, |response| match response {
                Response::Model { bytes } => Ok(bytes.to_vec()),
                other => Err(unexpected(&other)),
            })?;
            if part.is_empty() {
                let sent = file.len();
                return Err(Error::Model(format!(
                    "it ends after {sent} of {} bytes",
                    info.model_bytes
                )));
            }
            file.extend(part);
            check_length(says, &file)?;
        }
        match model_format::Model::parse(&file) {
            Ok(model) if model.checksum() == info.checksum => Ok(file),
            Ok(model) => Err(Error::Model(format!(
                "its checksum is {:08x}, the device says {:08x}",
                model.checksum(),
                info.checksum
            ))),
            Err(error) => Err(Error::Model(error.to_string())),
        }
    }

    /// Writes a model into the device's idle slot; the device runs it from the next start on.
    /// `progress` receives the number of bytes sent.
    ///
    /// # Errors
    /// [`Error::Refused`] with the device's reason; its current model stays active.
    pub fn update(
        &mut self,
        model: &[u8],
        mut progress: impl FnMut(usize),
    ) -> Result<Updated, Error> {
        let slots = self.info()?.slots.ok_or(Error::Refused(RequestError::NoSlots))?;
        let SlotsInfo { chunk, unit, .. } = slots;
        if chunk == 0 || chunk % unit.max(1) != 0 {
            return Err(Error::Unexpected(format!("{slots:?}")));
        }
        let len = u32::try_from(model.len()).unwrap_or(u32::MAX);
        self.slowly(|client| client.done(Request::UpdateBegin { len }))?;
        let mut sent = 0;
        for bytes in model.chunks(chunk as usize) {
            self.chunk(sent as u32, bytes)?;
            sent += bytes.len();
            progress(sent);
        }
        self.slowly(|client| {
            client.exchange(Request::UpdateFinish, |response| match response {
                Response::Updated(updated) => Ok(updated),
                other => Err(unexpected(&other)),
            })
        })
    }

    /// Raises the time limit for a slow operation.
    fn slowly<R>(&mut self, work: impl FnOnce(&mut Self) -> R) -> R {
        let usual = self.timeout();
        self.set_timeout(usual * SLOW);
        let result = work(self);
        self.set_timeout(usual);
        result
    }

    /// Sends a chunk, again if its response was lost.
    fn chunk(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Error> {
        let next = offset.saturating_add(bytes.len() as u32);
        let mut tries = TRIES;
        loop {
            tries -= 1;
            match self.done(Request::UpdateChunk { offset, bytes }) {
                // The device received the first copy.
                Err(Error::Refused(RequestError::OutOfOrder { expected })) if expected == next => {
                    return Ok(());
                }
                Err(Error::NoAnswer(_)) if tries > 0 => {}
                other => return other,
            }
        }
    }

    /// Rolls back to the previous model from the next start on. The key signs the command if the
    /// device requires a signature.
    ///
    /// # Errors
    /// [`Error::Refused`] if there is no previous model, or without the required key; otherwise the
    /// error of the link.
    pub fn roll_back(&mut self, key: Option<&SigningKey>) -> Result<(), Error> {
        self.command(Command::RollBack, key)
    }

    /// Restarts the device, which answers again after a moment. The key signs the command if the
    /// device requires a signature.
    ///
    /// # Errors
    /// [`Error::Refused`] without the required key, otherwise the error of the link.
    pub fn restart(&mut self, key: Option<&SigningKey>) -> Result<(), Error> {
        self.command(Command::Restart, key)
    }

    fn command(&mut self, command: Command, key: Option<&SigningKey>) -> Result<(), Error> {
        // A device without signatures does not support challenges.
        let key = match key {
            Some(key) if self.info()?.signed.is_some_and(|signed| signed.commands) => key,
            _ => {
                return self.done(match command {
                    Command::RollBack => Request::RollBack,
                    Command::Restart => Request::Restart,
                });
            }
        };
        let nonce = self.challenge()?;
        let signature = key.sign_command(command, nonce);
        self.done(Request::Signed { command, signature: &signature })
    }

    /// Requests a nonce for one signed command.
    fn challenge(&mut self) -> Result<[u8; NONCE_LEN], Error> {
        self.exchange(Request::Challenge, |response| match response {
            Response::Challenge { nonce } => Ok(nonce),
            other => Err(unexpected(&other)),
        })
    }

    /// Waits until a restarting device answers.
    ///
    /// # Errors
    /// [`Error::NoAnswer`] after `limit`, otherwise the error of the link.
    pub fn wait_for_start(&mut self, limit: Duration) -> Result<DeviceInfo, Error> {
        let deadline = Instant::now() + limit;
        let usual = self.timeout();
        self.set_timeout(PATIENCE);
        loop {
            match self.info() {
                // A frame in transit during the restart may have arrived in pieces.
                Err(Error::NoAnswer(_) | Error::Refused(_)) if Instant::now() < deadline => {}
                Err(Error::NoAnswer(_)) => return Err(Error::NoAnswer(limit)),
                answer => {
                    self.set_timeout(usual);
                    return answer;
                }
            }
        }
    }

    fn done(&mut self, request: Request<'_>) -> Result<(), Error> {
        self.exchange(request, |response| match response {
            Response::Done => Ok(()),
            other => Err(unexpected(&other)),
        })
    }
}

/// Checks the reported length of the model against the upper bound, and against the model's header
/// as soon as that is received.
fn check_length(says: u32, begin: &[u8]) -> Result<(), Error> {
    if says as usize > MOST_BYTES {
        return Err(Error::Model(format!(
            "the device says that it has {says} bytes, and none has room for more than {MOST_BYTES}"
        )));
    }
    // Offset of the length in FORMAT.md.
    let Some(&[a, b, c, d]) = begin.get(8..12) else { return Ok(()) };
    let states = u64::from(u32::from_le_bytes([a, b, c, d])) + HEADER_LEN as u64;
    match states == u64::from(says) {
        true => Ok(()),
        false => Err(Error::Model(format!(
            "the device says that it has {says} bytes, its header states {states}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_lies_about_its_model_is_not_listened_to() {
        let mut file = b"THMB\x02\0\0\0\x05\0\0\0\0\0\0\0model".to_vec();
        assert!(check_length(21, &[]).is_ok() && check_length(21, &file).is_ok());
        let refused = |says, begin: &[u8]| check_length(says, begin).unwrap_err().to_string();
        assert!(refused(u32::MAX, &[]).contains("room for more than 16777216"));
        assert!(refused(22, &file).contains("its header states 21"));
        file[8..12].fill(0xff);
        assert!(refused(21, &file).contains("its header states 4294967311"));
    }
}
