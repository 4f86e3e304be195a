//! What is said.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::app::ModelRejected;
#[cfg(feature = "signed-commands")]
use crate::app::{Command, NONCE_LEN};

/// Version of the protocol; a computer that speaks another one says so and stops.
pub const PROTOCOL: u8 = 4;

/// What [`Info::stack_bytes`] is when no byte of the stack was left unused.
pub const STACK_OVERRUN: u32 = u32::MAX;

/// A request or a response, with the number that ties the two together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message<T> {
    /// Counted by the computer from 1; 0 answers a frame that could not be read.
    pub sequence: u16,
    /// The request or the response.
    pub body: T,
}

/// What a computer asks. New requests are added at the end: the order is part of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request<'a> {
    /// Who are you? Answered by [`Response::Info`].
    Info,
    /// Run the model on this input. Answered by [`Response::Output`].
    Infer {
        /// The bytes of the model's input: two's complement, int16 little-endian.
        input: &'a [u8],
    },
    /// Run the model's own test vectors. Answered by [`Response::SelfTest`].
    SelfTest,
    /// Run the model so many times and measure. Answered by [`Response::Benchmark`] after an eighth
    /// of a second at the latest, or one run or round of test vectors if that takes longer, with
    /// the number of runs that were measured.
    Benchmark {
        /// How often at the most, at least once.
        runs: u16,
        /// The bytes of an input; none for those of the model's own test vectors, in turn.
        input: &'a [u8],
    },
    /// Run the model on this input, and tell of every layer. Answered by [`Response::Trace`].
    Trace {
        /// The bytes of the model's input.
        input: &'a [u8],
    },
    /// Send a part of the model file. Answered by [`Response::Model`].
    ReadModel {
        /// Where the part starts.
        offset: u32,
        /// The most bytes that are wanted.
        len: u16,
    },
    /// A new model of this length follows: erase the idle slot. Answered by [`Response::Done`].
    UpdateBegin {
        /// Bytes of the model file, and of the signature behind it if the device asks for one.
        len: u32,
    },
    /// The next part of it. Answered by [`Response::Done`].
    UpdateChunk {
        /// Where the part starts.
        offset: u32,
        /// At most [`SlotsInfo::chunk`] bytes, and but for the last part a multiple of
        /// [`SlotsInfo::unit`].
        bytes: &'a [u8],
    },
    /// That was all of it: read it back, test it, and have it run from the next start on.
    /// Answered by [`Response::Updated`].
    UpdateFinish,
    /// Have the model before run from the next start on. Answered by [`Response::Done`].
    RollBack,
    /// Start anew. Answered by [`Response::Done`] before.
    Restart,
    /// Run the model on what sensors count. Answered by [`Response::Output`].
    InferCounts {
        /// A count per input, int16 little-endian.
        counts: &'a [u8],
    },
    /// Run the model on real numbers in their own units. Answered by [`Response::Output`].
    InferReals {
        /// A number per input, binary32 little-endian.
        reals: &'a [u8],
    },
    /// Give a nonce to sign a command with. Answered by [`Response::Challenge`].
    #[cfg(feature = "signed-commands")]
    Challenge,
    /// Execute a command that is signed. Answered by [`Response::Done`].
    #[cfg(feature = "signed-commands")]
    Signed {
        /// The command.
        command: Command,
        /// Ed25519 of the command and of the last nonce: [`Command::signed_bytes`].
        signature: &'a [u8],
    },
}

/// What a device answers. New responses are added at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Response<'a> {
    /// The device and its model.
    #[serde(borrow)]
    Info(Info<'a>),
    /// The model's output.
    Output {
        /// The bytes of all outputs: two's complement, int16 little-endian.
        output: &'a [u8],
    },
    /// How the self-test went.
    SelfTest(SelfTestReport),
    /// Why there is no answer.
    Refused(RequestError),
    /// What so many runs took.
    Benchmark(Benchmark),
    /// What each layer gave.
    Trace {
        /// The CRC-32 of each layer's output, little-endian, first to last.
        hashes: &'a [u8],
    },
    /// A part of the model file.
    Model {
        /// Its bytes, fewer than were wanted at the end of the file or of what an answer holds.
        bytes: &'a [u8],
    },
    /// It was done.
    Done,
    /// The new model is the one that runs from the next start on.
    Updated(Updated),
    /// A nonce for one signed command.
    #[cfg(feature = "signed-commands")]
    Challenge {
        /// Random bytes, which the device forgets once a signature was checked with them.
        nonce: [u8; NONCE_LEN],
    },
}

/// Who the device is and what it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Info<'a> {
    /// [`PROTOCOL`] of the device.
    pub protocol: u8,
    /// Name of the board.
    pub board: &'a str,
    /// Version of the firmware.
    pub firmware: &'a str,
    /// Name of the model.
    pub model: &'a str,
    /// CRC-32 of the model file.
    pub checksum: u32,
    /// Bytes of an input.
    pub input_bytes: u16,
    /// Bytes of an output.
    pub output_bytes: u16,
    /// Number of layers.
    pub layers: u8,
    /// Bytes of the model file.
    pub model_bytes: u32,
    /// Bytes of scratch memory that the engine uses.
    pub scratch_bytes: u32,
    /// The most bytes of stack that have been in use, where the board measures it;
    /// [`STACK_OVERRUN`] if none was left.
    pub stack_bytes: Option<u32>,
    /// Frames since the start that were garbage, cut off or too long, and therefore dropped.
    pub bad_frames: u32,
    /// Counts of sensors since the start that lay beyond what the model's input can say.
    pub saturated_inputs: u32,
    /// The slots for models, where the board has some.
    pub slots: Option<SlotsInfo>,
    /// Versions of signed models, where the device takes only those.
    pub signed: Option<SignedInfo>,
}

/// Versions of signed models.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedInfo {
    /// The version that the model was signed with; none for the one that is built in.
    pub version: Option<u32>,
    /// The highest version that the device has accepted: a smaller one is refused.
    pub floor: u32,
    /// Whether going back and restarting need a signature, too.
    pub commands: bool,
}

/// What there is to know of a device's slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotsInfo {
    /// The slot that the model runs from, 0 or 1; none for the one that is built in.
    pub running: Option<u8>,
    /// Bytes of the largest model, and of its signature if the device asks for one.
    pub capacity: u32,
    /// Bytes of the largest chunk of an update.
    pub chunk: u32,
    /// Chunks but the last are multiples of so many bytes.
    pub unit: u32,
    /// Number of the newest finished update, counted from 1; 0 if there has been none.
    pub updates: u32,
    /// How often each slot has been erased.
    pub erases: [u32; 2],
}

/// What counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Counter {
    /// The processor's cycle counter: DWT on Arm, `mcycle` on RISC-V.
    Cycles,
    /// A timer: SysTick or one of the chip's own.
    Timer,
}

impl Counter {
    /// Executed instructions, under QEMU's `-icount shift=0`: with that an instruction is a
    /// nanosecond of the machine's time, and RISC-V's cycle counter counts instructions.
    pub fn instructions(self, ticks: u32, hz: u32) -> u64 {
        match self {
            Counter::Cycles => ticks.into(),
            Counter::Timer => {
                u64::from(ticks).saturating_mul(1_000_000_000).checked_div(hz.into()).unwrap_or(0)
            }
        }
    }
}

/// What so many runs took, a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Benchmark {
    /// What counted.
    pub counter: Counter,
    /// How fast it counts, in ticks a second.
    pub hz: u32,
    /// Runs that were measured.
    pub runs: u16,
    /// Ticks of the fastest.
    pub least: u32,
    /// Ticks on average, rounded down.
    pub mean: u32,
    /// Ticks of the slowest.
    pub most: u32,
}

/// What an update has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Updated {
    /// The slot that is current at the next start.
    pub slot: u8,
    /// Number of this update, counted from 1.
    pub sequence: u32,
    /// Erase blocks that it has erased.
    pub erased_blocks: u32,
}

/// How a self-test went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelfTestReport {
    /// Test vectors in the model.
    pub vectors: u8,
    /// Of these, how many gave every byte of the expected output.
    pub passed: u8,
}

impl SelfTestReport {
    /// Whether every vector passed.
    pub fn all_passed(&self) -> bool {
        self.passed == self.vectors
    }
}

/// Why a request is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RequestError {
    /// The frame was damaged: COBS or CRC-32 do not hold.
    Damaged,
    /// The frame was longer than the device's buffer.
    TooLong {
        /// Bytes that fit, zero bytes not counted.
        limit: u32,
    },
    /// The frame is sound, but not a request that this device knows.
    UnknownRequest,
    /// The input has the wrong length.
    InputLength {
        /// Bytes that the model takes.
        expected: u32,
        /// Bytes that were sent.
        given: u32,
    },
    /// The answer does not fit into the device's buffer.
    ResponseTooLong,
    /// Nothing counts on this board, or not that far.
    NoCounter,
    /// There is no input to run: the model has no test vectors, and none was sent.
    NoInput,
    /// The board has no slots for models.
    NoSlots,
    /// There is no update that this belongs to.
    NoUpdate,
    /// The model does not fit into a slot, or the chunk not into what is left of the model.
    TooLarge {
        /// Bytes that fit.
        capacity: u32,
    },
    /// The chunk is not the next one.
    OutOfOrder {
        /// Offset of the next one.
        expected: u32,
    },
    /// A chunk that is not the last one is no multiple of what the flash writes at once.
    ChunkSize {
        /// That, in bytes.
        unit: u32,
    },
    /// The model is not complete.
    Incomplete {
        /// Bytes that are still missing.
        missing: u32,
    },
    /// The new model may not run here.
    Rejected(ModelRejected),
    /// The flash could not be written or erased.
    Flash,
    /// There is no model to go back to: the one that runs is the one that is built in.
    NothingBefore,
    /// The model does not say what counts of sensors stand for.
    NotCounts,
    /// The model takes no real numbers.
    NotReals,
    /// A reading is not a number.
    NotANumber {
        /// The input that it is for, counted from 0.
        input: u32,
    },
    /// Both slots are needed: one runs, and the next start runs the other.
    RestartFirst,
    /// The command needs a signature.
    #[cfg(feature = "signed-commands")]
    CommandUnsigned,
    /// The signature is not one of this command and of the last nonce by the key that the device has.
    #[cfg(feature = "signed-commands")]
    CommandSignature,
    /// There is no nonce: none was asked for, it was used, or the device has restarted since.
    #[cfg(feature = "signed-commands")]
    NoChallenge,
    /// The board has no source of random numbers to make a nonce of.
    #[cfg(feature = "signed-commands")]
    NoEntropy,
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RequestError::Damaged => f.write_str("the frame arrived damaged"),
            RequestError::TooLong { limit } => {
                write!(f, "the frame is longer than the {limit} bytes that the device takes")
            }
            RequestError::UnknownRequest => {
                f.write_str("the device does not know this request: its firmware may be older")
            }
            RequestError::InputLength { expected, given } => {
                write!(f, "the model takes {expected} bytes of input, {given} were sent")
            }
            RequestError::ResponseTooLong => {
                f.write_str("the answer does not fit into the device's buffer")
            }
            RequestError::NoCounter => {
                f.write_str("nothing on this board counts cycles, or not that far")
            }
            RequestError::NoInput => {
                f.write_str("its model has no test vectors to run: send it an input")
            }
            RequestError::NoSlots => f.write_str(
                "this board keeps its model in the program: build it in with THIMBLE_MODEL and \
                 flash the board",
            ),
            RequestError::NoUpdate => {
                f.write_str("no update has begun, or the device has started anew: begin again")
            }
            RequestError::TooLarge { capacity } => {
                write!(f, "the model is larger than the {capacity} bytes that there are for it")
            }
            RequestError::OutOfOrder { expected } => {
                write!(f, "the next chunk of the model starts at byte {expected}")
            }
            RequestError::ChunkSize { unit } => {
                write!(f, "chunks but the last must be multiples of {unit} bytes")
            }
            RequestError::Incomplete { missing } => {
                write!(f, "{missing} bytes of the model are missing")
            }
            RequestError::Rejected(rejection) => {
                write!(f, "it goes on with its model: {rejection}")
            }
            RequestError::Flash => f.write_str("its flash could not be written"),
            RequestError::NotCounts => f.write_str(
                "its model does not say what counts of sensors stand for: train it with data.raw",
            ),
            RequestError::NotReals => {
                f.write_str("its model takes no real numbers: send it counts or quantized values")
            }
            RequestError::NotANumber { input } => {
                write!(f, "the reading for input {input} is not a number")
            }
            RequestError::RestartFirst => f.write_str(
                "one of its slots runs and the next start runs the other: restart it with \
                 `device restart`, then update",
            ),
            RequestError::NothingBefore => {
                f.write_str("it runs the model that is built in, there is none before")
            }
            #[cfg(feature = "signed-commands")]
            RequestError::CommandUnsigned => f.write_str(
                "it takes this command only from the holder of its key: give the key file with \
                 --key KEYFILE",
            ),
            #[cfg(feature = "signed-commands")]
            RequestError::CommandSignature => f.write_str(
                "the command's signature is not by the key that the device was built for, or \
                 another challenge came in between: check --key KEYFILE, and try again",
            ),
            #[cfg(feature = "signed-commands")]
            RequestError::NoChallenge => {
                f.write_str("its challenge was used, or it has restarted since: try again")
            }
            #[cfg(feature = "signed-commands")]
            RequestError::NoEntropy => f.write_str(
                "it takes this command only with a signature, and its board has no source of \
                 random numbers for one: switch it off and on to restart it",
            ),
        }
    }
}
