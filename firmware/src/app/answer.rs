//! Answers to requests.

use crc::{CRC_32_ISO_HDLC, Crc, NoTable};
use model_format::Model;
use model_format::limits::MAX_LAYERS;
use thimble_nn::{Engine, InputError};

#[cfg(feature = "signed-commands")]
use super::challenge::{self, Challenge};
use super::sensor::{Recorder, Sensor};
use super::{Board, Buffers, SignaturePolicy, accept, self_test};
#[cfg(feature = "signed-commands")]
use crate::link::Command;
use crate::link::{
    Benchmark, Info, ModelRejected, PROTOCOL, Request, RequestError, Response, SlotsInfo, Updated,
};
use crate::slots::{FinishError, LastRun, MappedFlash, Slots, Started, Update, UpdateError};

const CRC: Crc<u32, NoTable> = Crc::<u32, NoTable>::new(&CRC_32_ISO_HDLC);

/// Bytes of a frame beside a chunk or a section of the model: zeros, COBS, CRC, sequence number,
/// variant, offset, length.
const OVERHEAD: usize = 32;

/// A benchmark ends after this fraction of a second, and reports the number of its runs.
const BENCHMARKS_PER_SECOND: u32 = 8;

/// Sends an answer; called once per request.
type Reply<'r> = &'r mut dyn FnMut(Response<'_>);

/// The device between two requests.
pub(super) struct Device<'m, 's, B> {
    /// The model that runs.
    pub model: Model<'m>,
    /// Its file.
    pub file: &'m [u8],
    /// The slot that it lies in; none for the one that is built in.
    pub running: Option<u8>,
    /// Whether the file is a copy in RAM.
    pub in_ram: bool,
    /// Scratch memory of the engine. It keeps nothing from one request to the next, so that a new
    /// model is tested in it, too.
    pub scratch: &'s mut [u32],
    /// The board.
    pub board: B,
    /// The update in progress.
    pub update: Option<Update>,
    /// Limits of frames.
    pub buffers: Buffers,
    /// Frames that could not be read.
    pub bad_frames: u32,
    /// Readings that lay beyond the range of the model's input.
    pub saturated_inputs: u32,
    /// Samples that a computer records.
    pub recorder: Recorder,
    /// The nonce of the next signed command.
    #[cfg(feature = "signed-commands")]
    pub challenge: Challenge,
}

impl<'m, B: Board> Device<'m, '_, B> {
    /// Executes a request, and replies. Returns whether the board is to restart after the reply.
    pub fn answer(&mut self, request: Request<'_>, reply: Reply<'_>) -> bool {
        let mut restart = false;
        let answered = match request {
            Request::Info => {
                reply(Response::Info(self.info()));
                Ok(())
            }
            Request::Infer { input } => self.infer(input, reply),
            Request::InferCounts { counts } => self.infer_counts(counts, reply),
            Request::InferReals { reals } => self.infer_reals(reals, reply),
            Request::SelfTest => self.self_test(reply),
            Request::Benchmark { runs, input } => self.benchmark(runs, input, reply),
            Request::Trace { input } => self.trace(input, reply),
            Request::ReadModel { offset, len } => {
                self.read_model(offset, len, reply);
                Ok(())
            }
            Request::UpdateBegin { len } => self.update_begin(len, reply),
            Request::UpdateChunk { offset, bytes } => self.update_chunk(offset, bytes, reply),
            Request::UpdateFinish => self.update_finish(reply),
            Request::RollBack => self.unsigned().and_then(|()| self.roll_back(reply)),
            Request::Restart => self.unsigned().map(|()| {
                reply(Response::Done);
                restart = true;
            }),
            Request::Sensor => self.sensor(reply),
            Request::ReadSamples { most } => self.read_samples(most, reply),
            #[cfg(not(feature = "signed-commands"))]
            Request::Challenge | Request::Signed { .. } => Err(RequestError::UnknownRequest),
            #[cfg(feature = "signed-commands")]
            Request::Challenge => self
                .challenge
                .issue(&mut self.board)
                .map(|nonce| reply(Response::Challenge { nonce })),
            #[cfg(feature = "signed-commands")]
            Request::Signed { command, signature } => {
                let signed =
                    self.challenge.redeem(self.board.signature_policy(), command, signature);
                signed.and_then(|()| match command {
                    Command::RollBack => self.roll_back(reply),
                    Command::Restart => {
                        reply(Response::Done);
                        restart = true;
                        Ok(())
                    }
                })
            }
        };
        if let Err(error) = answered {
            reply(Response::Error(error));
        }
        restart
    }

    /// Refuses a command without a signature where it needs one.
    fn unsigned(&mut self) -> Result<(), RequestError> {
        #[cfg(feature = "signed-commands")]
        challenge::unsigned(&mut self.board)?;
        Ok(())
    }

    fn info(&mut self) -> Info<'_> {
        let (running, chunk) = (self.running, self.buffers.receive.saturating_sub(OVERHEAD) as u32);
        let slots = self.board.slots().map(|slots| {
            let unit = slots.write_unit();
            let newest = slots.newest_first().next().and_then(|slot| slots.record(slot));
            SlotsInfo {
                running,
                capacity: slots.capacity(),
                chunk: chunk.saturating_sub(chunk.checked_rem(unit).unwrap_or(0)),
                unit,
                updates: newest.map_or(0, |record| record.sequence),
                erases: slots.erases(),
            }
        });
        #[cfg(not(feature = "signed"))]
        let signed = None;
        #[cfg(feature = "signed")]
        let signed = match (self.board.signature_policy(), self.board.slots()) {
            (policy, Some(slots)) if policy.key().is_some() => {
                let record = slots.running().and_then(|slot| slots.record(slot));
                let version = record.map(|record| record.version);
                let commands = policy.command_key().is_some();
                Some(crate::link::SignedInfo { version, floor: slots.floor(), commands })
            }
            _ => None,
        };
        let model = &self.model;
        Info {
            protocol: PROTOCOL,
            board: self.board.name(),
            firmware: env!("CARGO_PKG_VERSION"),
            model: model.name(),
            checksum: model.checksum(),
            // The limits of a model keep all of these within their types.
            input_bytes: model.input_bytes() as u16,
            output_bytes: model.output_bytes() as u16,
            layers: model.layers().len() as u8,
            model_bytes: model.file_len() as u32,
            in_ram: self.in_ram,
            scratch_bytes: model.scratch_len().saturating_mul(4) as u32,
            stack_bytes: self.board.stack_bytes(),
            bad_frames: self.bad_frames,
            saturated_inputs: self.saturated_inputs,
            slots,
            signed,
        }
    }

    fn infer(&mut self, input: &[u8], reply: Reply<'_>) -> Result<(), RequestError> {
        let mut engine = engine(&self.model, self.scratch)?;
        let output = engine.run_bytes(input).map_err(input_error)?;
        reply(Response::Output { output });
        Ok(())
    }

    fn infer_counts(&mut self, counts: &[u8], reply: Reply<'_>) -> Result<(), RequestError> {
        let counts = self.readings(counts)?;
        let mut engine = engine(&self.model, self.scratch)?;
        let counts = counts.iter().map(|count| i16::from_le_bytes(*count));
        let answer = engine.run_counts_iter(counts).map_err(input_error)?;
        self.saturated_inputs = self.saturated_inputs.saturating_add(answer.saturated());
        reply(Response::Output { output: answer.bytes() });
        Ok(())
    }

    fn infer_reals(&mut self, reals: &[u8], reply: Reply<'_>) -> Result<(), RequestError> {
        let reals = self.readings(reals)?;
        let mut engine = engine(&self.model, self.scratch)?;
        let reals = reals.iter().map(|real| f32::from_le_bytes(*real));
        let answer = engine.run_reals_iter(reals).map_err(input_error)?;
        self.saturated_inputs = self.saturated_inputs.saturating_add(answer.saturated());
        reply(Response::Output { output: answer.bytes() });
        Ok(())
    }

    /// Splits a request's readings, of N bytes each, one per input.
    fn readings<'r, const N: usize>(&self, bytes: &'r [u8]) -> Result<&'r [[u8; N]], RequestError> {
        let expected = self.model.input_len().saturating_mul(N) as u32;
        let (readings, _) = bytes.as_chunks();
        match bytes.len() as u32 {
            given if given == expected => Ok(readings),
            given => Err(RequestError::InputLength { expected, given }),
        }
    }

    fn self_test(&mut self, reply: Reply<'_>) -> Result<(), RequestError> {
        let report = self_test(&mut engine(&self.model, self.scratch)?);
        reply(Response::SelfTest(report));
        Ok(())
    }

    fn benchmark(&mut self, runs: u16, input: &[u8], reply: Reply<'_>) -> Result<(), RequestError> {
        let mut engine = engine(&self.model, self.scratch)?;
        let (counter, hz) = self.board.counter().ok_or(RequestError::NoCounter)?;
        let idle = self.board.ticks_of(&mut || ()).ok_or(RequestError::NoCounter)?;
        let (mut ran, mut min, mut max, mut sum) = (0u16, u32::MAX, 0, 0u64);
        // Longer than this the device would be deaf: whoever wants more runs asks again.
        let enough = u64::from(hz / BENCHMARKS_PER_SECOND);
        let mut tests = self.model.self_tests();
        while ran < runs.max(1) {
            let input = match input {
                [] => {
                    // Whole rounds, so that the mean is that of all vectors.
                    if tests.len() == 0 {
                        tests = self.model.self_tests();
                        if ran > 0 && sum >= enough {
                            break;
                        }
                    }
                    tests.next().ok_or(RequestError::NoInput)?.input
                }
                _ if ran > 0 && sum >= enough => break,
                given => given,
            };
            let mut outcome = Ok(());
            let ticks = self.board.ticks_of(&mut || {
                outcome = engine.run_bytes(core::hint::black_box(input)).map(|_| ());
            });
            outcome.map_err(input_error)?;
            let ticks = ticks.ok_or(RequestError::NoCounter)?.saturating_sub(idle);
            (min, max) = (min.min(ticks), max.max(ticks));
            sum = sum.saturating_add(ticks.into());
            ran = ran.saturating_add(1);
        }
        let (runs, mean) = (ran, sum.checked_div(ran.into()).unwrap_or(0) as u32);
        reply(Response::Benchmark(Benchmark { counter, hz, runs, min, mean, max }));
        Ok(())
    }

    fn trace(&mut self, input: &[u8], reply: Reply<'_>) -> Result<(), RequestError> {
        let mut engine = engine(&self.model, self.scratch)?;
        let (mut hashes, mut layers) = ([[0; 4]; MAX_LAYERS], 0usize);
        let traced = engine.run_traced(input, |layer, output| {
            if let Some(hash) = hashes.get_mut(layer) {
                *hash = CRC.checksum(output).to_le_bytes();
                layers = layer.wrapping_add(1);
            }
        });
        traced.map_err(input_error)?;
        let hashes = hashes.as_flattened().get(..layers.saturating_mul(4)).unwrap_or_default();
        reply(Response::Trace { hashes });
        Ok(())
    }

    fn read_model(&mut self, offset: u32, len: u16, reply: Reply<'_>) {
        let limit = self.buffers.send.saturating_sub(OVERHEAD).min(len.into());
        let rest = self.file.get(offset as usize..).unwrap_or_default();
        let bytes = rest.get(..limit).unwrap_or(rest);
        reply(Response::Model { bytes });
    }

    fn sensor(&mut self, reply: Reply<'_>) -> Result<(), RequestError> {
        let sensor = self.board.sensor().ok_or(RequestError::NoSensor)?;
        reply(Response::Sensor(sensor.info()));
        Ok(())
    }

    fn read_samples(&mut self, most: u16, reply: Reply<'_>) -> Result<(), RequestError> {
        let room = self.buffers.send.saturating_sub(OVERHEAD);
        let sensor = self.board.sensor().ok_or(RequestError::NoSensor)?;
        self.recorder.read(sensor, most, room, reply)
    }

    fn update_begin(&mut self, len: u32, reply: Reply<'_>) -> Result<(), RequestError> {
        self.update = None;
        let slots = self.board.slots().ok_or(RequestError::NoSlots)?;
        self.update = Some(slots.begin(len).map_err(update_error)?);
        reply(Response::Done);
        Ok(())
    }

    fn update_chunk(
        &mut self,
        offset: u32,
        bytes: &[u8],
        reply: Reply<'_>,
    ) -> Result<(), RequestError> {
        let slots = self.board.slots().ok_or(RequestError::NoSlots)?;
        let update = self.update.as_mut().ok_or(RequestError::NoUpdate)?;
        slots.write(update, offset, bytes).map_err(update_error)?;
        reply(Response::Done);
        Ok(())
    }

    fn update_finish(&mut self, reply: Reply<'_>) -> Result<(), RequestError> {
        let policy = self.board.signature_policy();
        let slots = self.board.slots().ok_or(RequestError::NoSlots)?;
        let update = self.update.as_ref().ok_or(RequestError::NoUpdate)?;
        let missing = update.missing();
        if missing > 0 {
            return Err(RequestError::Incomplete { missing });
        }
        let update = self.update.take().ok_or(RequestError::NoUpdate)?;
        let (scratch, buffers, floor) = (&mut *self.scratch, self.buffers, slots.floor());
        let written = slots
            .finish(update, |model| accept(model, scratch, buffers, policy, Some(floor)))
            .map_err(finish_error)?;
        reply(Response::Updated(Updated {
            slot: written.slot as u8,
            sequence: written.record.sequence,
            erased_blocks: written.erased_blocks,
        }));
        Ok(())
    }

    fn roll_back(&mut self, reply: Reply<'_>) -> Result<(), RequestError> {
        self.update = None;
        let slots = self.board.slots().ok_or(RequestError::NoSlots)?;
        match slots.roll_back() {
            Ok(true) => reply(Response::Done),
            Ok(false) => return Err(RequestError::NothingBefore),
            Err(_) => return Err(RequestError::Flash),
        }
        Ok(())
    }
}

/// Chooses the model to start with: that of the newest slot whose model is accepted, or else none,
/// for the model that is built in. Newer ones are revoked.
pub fn start<F: MappedFlash>(
    slots: &mut Slots<F>,
    last: LastRun,
    scratch: &mut [u32],
    buffers: Buffers,
    policy: SignaturePolicy,
) -> Started {
    slots.start(last, |model| accept(model, scratch, buffers, policy, None).is_ok())
}

/// An engine for one request: it was made before with the same model and memory.
fn engine<'m, 's>(
    model: &Model<'m>,
    scratch: &'s mut [u32],
) -> Result<Engine<'m, 's>, RequestError> {
    Engine::new(model.clone(), scratch)
        .map_err(|error| RequestError::Rejected(ModelRejected::from(error)))
}

fn input_error(error: InputError) -> RequestError {
    match error {
        InputError::NotCounts => RequestError::NotCounts,
        InputError::NotReals => RequestError::NotReals,
        InputError::NotANumber { input } => RequestError::NotANumber { input: input as u32 },
        InputError::Length { expected, given } | InputError::ByteLength { expected, given } => {
            RequestError::InputLength { expected: expected as u32, given: given as u32 }
        }
        // Bytes are of any data type.
        _ => RequestError::UnknownRequest,
    }
}

fn update_error<E>(error: UpdateError<E>) -> RequestError {
    match error {
        UpdateError::TooLarge { capacity } => RequestError::TooLarge { capacity },
        UpdateError::RestartFirst => RequestError::RestartFirst,
        UpdateError::OutOfOrder { expected } => RequestError::OutOfOrder { expected },
        UpdateError::ChunkSize { unit } => RequestError::ChunkSize { unit },
        UpdateError::Flash(_) => RequestError::Flash,
    }
}

fn finish_error<E>(error: FinishError<E, ModelRejected>) -> RequestError {
    match error {
        FinishError::Incomplete { missing } => RequestError::Incomplete { missing },
        FinishError::Rejected(reason) => RequestError::Rejected(reason),
        FinishError::Flash(_) => RequestError::Flash,
    }
}
