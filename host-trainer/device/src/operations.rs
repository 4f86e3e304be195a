//! What a device does besides inference, and what takes more than one request.

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

/// How many times as long as usual a device may take to erase a slot, or to test a model: a large
/// block takes seconds.
const SLOW: u32 = 6;
/// Bytes of the model that are asked for at once; the device sends what fits.
const PART: u16 = 8192;

/// More than the flash of any microcontroller that this is for.
const MOST_BYTES: usize = 16 << 20;
/// How long a device that starts anew is given before it is asked again.
const PATIENCE: Duration = Duration::from_millis(500);
/// How often a chunk is sent whose answer was lost.
const TRIES: u32 = 3;

impl<S: Read + Write> Client<S> {
    /// Has the device run its model so many times, or a few more for whole rounds of its own test
    /// vectors, which it runs if `input` is empty.
    ///
    /// A device that would be busy for long answers with fewer runs, and is asked for the rest as
    /// long as `go_on` returns true, which gets what was measured so far: between two answers others
    /// are heard, and who stops asking has stopped the benchmark.
    ///
    /// # Errors
    /// [`Error::Refused`] where nothing counts, otherwise what went wrong on the way.
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

    /// The CRC-32 of each layer's output for one input.
    ///
    /// # Errors
    /// [`Error::Refused`] if the input has the wrong length, otherwise what went wrong on the way.
    pub fn trace(&mut self, input: &[u8]) -> Result<Vec<u32>, Error> {
        self.exchange(Request::Trace { input }, |response| match response {
            Response::Trace { hashes } => {
                Ok(hashes.as_chunks().0.iter().map(|hash| u32::from_le_bytes(*hash)).collect())
            }
            other => Err(unexpected(&other)),
        })
    }

    /// The model that the device runs, as a file.
    ///
    /// # Errors
    /// [`Error::Model`] if what it sends is not what it says it runs, otherwise what went wrong on
    /// the way.
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

    /// Writes a model into the device's idle slot; it runs from the next start on. `progress` gets
    /// the bytes that have been sent.
    ///
    /// # Errors
    /// [`Error::Refused`] with the device's reason; it goes on with the model that it has.
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

    /// Does what a device takes its time for.
    fn slowly<R>(&mut self, work: impl FnOnce(&mut Self) -> R) -> R {
        let usual = self.timeout();
        self.set_timeout(usual * SLOW);
        let result = work(self);
        self.set_timeout(usual);
        result
    }

    /// Sends a chunk, again if its answer was lost.
    fn chunk(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Error> {
        let next = offset.saturating_add(bytes.len() as u32);
        let mut tries = TRIES;
        loop {
            tries -= 1;
            match self.done(Request::UpdateChunk { offset, bytes }) {
                // It had arrived.
                Err(Error::Refused(RequestError::OutOfOrder { expected })) if expected == next => {
                    return Ok(());
                }
                Err(Error::NoAnswer(_)) if tries > 0 => {}
                other => return other,
            }
        }
    }

    /// Has the model before run from the next start on. The key signs the command if the device
    /// asks for a signature.
    ///
    /// # Errors
    /// [`Error::Refused`] if there is none, or without the key that the device asks for; otherwise
    /// what went wrong on the way.
    pub fn roll_back(&mut self, key: Option<&SigningKey>) -> Result<(), Error> {
        self.command(Command::RollBack, key)
    }

    /// Starts the device anew; it answers again in a moment. The key signs the command if the
    /// device asks for a signature.
    ///
    /// # Errors
    /// [`Error::Refused`] without the key that the device asks for, otherwise what went wrong on the
    /// way.
    pub fn restart(&mut self, key: Option<&SigningKey>) -> Result<(), Error> {
        self.command(Command::Restart, key)
    }

    fn command(&mut self, command: Command, key: Option<&SigningKey>) -> Result<(), Error> {
        // A device that asks for no signature does not know of challenges.
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

    /// A nonce for one signed command.
    fn challenge(&mut self) -> Result<[u8; NONCE_LEN], Error> {
        self.exchange(Request::Challenge, |response| match response {
            Response::Challenge { nonce } => Ok(nonce),
            other => Err(unexpected(&other)),
        })
    }

    /// Waits until a device that starts anew answers.
    ///
    /// # Errors
    /// [`Error::NoAnswer`] after so long, otherwise what went wrong on the way.
    pub fn wait_for_start(&mut self, limit: Duration) -> Result<DeviceInfo, Error> {
        let deadline = Instant::now() + limit;
        let usual = self.timeout();
        self.set_timeout(PATIENCE);
        loop {
            match self.info() {
                // What was under way when it started anew may have arrived in pieces.
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

/// Checks the length of the model that a device says it has, against what devices have room for and
/// against its header, as soon as that is there.
fn check_length(says: u32, begin: &[u8]) -> Result<(), Error> {
    if says as usize > MOST_BYTES {
        return Err(Error::Model(format!(
            "the device says that it has {says} bytes, and none has room for more than {MOST_BYTES}"
        )));
    }
    // See FORMAT.md.
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
