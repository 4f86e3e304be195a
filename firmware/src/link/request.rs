//! Requests of the computer.

use serde::{Deserialize, Serialize};

use super::Command;

/// A request of the computer. New requests are added at the end: the order is part of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Request<'a> {
    /// Identify the device and its model. Answered by [`Response::Info`](super::Response::Info).
    Info,
    /// Run the model on this input. Answered by [`Response::Output`](super::Response::Output).
    Infer {
        /// The bytes of the model's input: two's complement, int16 little-endian.
        input: &'a [u8],
    },
    /// Run the model's own test vectors. Answered by
    /// [`Response::SelfTest`](super::Response::SelfTest).
    SelfTest,
    /// Run the model repeatedly and measure. Answered by
    /// [`Response::Benchmark`](super::Response::Benchmark) after an eighth of a second at the
    /// latest, or one run or round of test vectors if that takes longer, with the number of runs
    /// that were measured.
    Benchmark {
        /// Maximum number of runs; 0 counts as 1.
        runs: u16,
        /// The bytes of an input; none for those of the model's own test vectors, in turn.
        input: &'a [u8],
    },
    /// Run the model on this input and report every layer. Answered by
    /// [`Response::Trace`](super::Response::Trace).
    Trace {
        /// The bytes of the model's input.
        input: &'a [u8],
    },
    /// Send a section of the model file. Answered by [`Response::Model`](super::Response::Model).
    ReadModel {
        /// Offset of the section in the file.
        offset: u32,
        /// Maximum number of bytes.
        len: u16,
    },
    /// Begin an update: erase the idle slot. Answered by [`Response::Done`](super::Response::Done).
    UpdateBegin {
        /// Bytes of the model file, and of the signature behind it if the device asks for one.
        len: u32,
    },
    /// Write the next chunk of an update. Answered by [`Response::Done`](super::Response::Done).
    UpdateChunk {
        /// Offset of the chunk: the number of bytes that were written before.
        offset: u32,
        /// At most [`SlotsInfo::chunk`](super::SlotsInfo::chunk) bytes, and in all chunks but the
        /// last a multiple of [`SlotsInfo::unit`](super::SlotsInfo::unit).
        bytes: &'a [u8],
    },
    /// Complete an update: read the model back, test it, and have it run from the next start on.
    /// Answered by [`Response::Updated`](super::Response::Updated).
    UpdateFinish,
    /// Have the model before run from the next start on. Answered by
    /// [`Response::Done`](super::Response::Done).
    RollBack,
    /// Restart. Answered by [`Response::Done`](super::Response::Done) before the restart.
    Restart,
    /// Run the model on raw sensor counts. Answered by
    /// [`Response::Output`](super::Response::Output).
    InferCounts {
        /// A count per input, int16 little-endian.
        counts: &'a [u8],
    },
    /// Run the model on real numbers in their own units. Answered by
    /// [`Response::Output`](super::Response::Output).
    InferReals {
        /// A number per input, binary32 little-endian.
        reals: &'a [u8],
    },
    /// Issue a nonce to sign a command with. Answered by
    /// [`Response::Challenge`](super::Response::Challenge).
    Challenge,
    /// Execute a signed command. Answered by [`Response::Done`](super::Response::Done).
    Signed {
        /// The command.
        command: Command,
        /// Ed25519 of the command and of the last nonce: [`Command::signed_bytes`].
        signature: &'a [u8],
    },
    /// Describe the board's sensor. Answered by [`Response::Sensor`](super::Response::Sensor).
    Sensor,
    /// Send samples of the sensor that wait. Answered by
    /// [`Response::Samples`](super::Response::Samples) at once, with none if none waits.
    ReadSamples {
        /// Maximum number of samples.
        most: u16,
    },
}
