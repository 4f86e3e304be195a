//! What is said.

use core::fmt;

use serde::{Deserialize, Serialize};

/// Version of the protocol; a computer that speaks another one says so and stops.
pub const PROTOCOL: u8 = 1;

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
    Refused(Refusal),
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
    /// The most bytes of stack that have been in use, where the board measures it.
    pub stack_bytes: Option<u32>,
    /// Frames since the start that were garbage, cut off or too long.
    pub bad_frames: u32,
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
pub enum Refusal {
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
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Damaged => f.write_str("the frame arrived damaged"),
            Refusal::TooLong { limit } => {
                write!(f, "the frame is longer than the {limit} bytes that the device takes")
            }
            Refusal::UnknownRequest => {
                f.write_str("the device does not know this request: its firmware may be older")
            }
            Refusal::InputLength { expected, given } => {
                write!(f, "the model takes {expected} bytes of input, {given} were sent")
            }
            Refusal::ResponseTooLong => {
                f.write_str("the answer does not fit into the device's buffer")
            }
        }
    }
}
