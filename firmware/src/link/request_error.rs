//! Errors of requests.

use core::fmt;

use serde::{Deserialize, Serialize};

use super::ModelRejected;

/// Error of a request. New errors are added at the end: the order is part of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
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
    /// The board has no counter, or a run took longer than it counts.
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
    /// A chunk that is not the last one is no multiple of the flash's write unit.
    ChunkSize {
        /// The write unit, in bytes.
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
    /// The model takes no sensor counts.
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
    CommandUnsigned,
    /// The signature is not one of this command and of the last nonce by the key that the device has.
    CommandSignature,
    /// There is no nonce: none was asked for, it was used, or the device has restarted since.
    NoChallenge,
    /// The board has no source of random numbers to make a nonce of.
    NoEntropy,
    /// The board has no sensor.
    NoSensor,
    /// The sensor does not answer.
    SensorFailed,
}

impl core::error::Error for RequestError {}

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
            RequestError::Rejected(reason) => {
                write!(f, "it goes on with its model: {reason}")
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
            RequestError::CommandUnsigned => f.write_str(
                "it takes this command only from the holder of its key: give the key file with \
                 --key KEYFILE",
            ),
            RequestError::CommandSignature => f.write_str(
                "the command's signature is not by the key that the device was built for, or \
                 another challenge came in between: check --key KEYFILE, and try again",
            ),
            RequestError::NoChallenge => {
                f.write_str("its challenge was used, or it has restarted since: try again")
            }
            RequestError::NoEntropy => f.write_str(
                "it takes this command only with a signature, and its board has no source of \
                 random numbers for one: switch it off and on to restart it",
            ),
            RequestError::NoSensor => f.write_str(
                "the program on this board reads no sensor: flash one that does, or start the \
                 emulated board with --play",
            ),
            RequestError::SensorFailed => f.write_str(
                "its sensor does not answer: check the wires, the supply and the address of the \
                 sensor",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_to_do() {
        let rejected = RequestError::Rejected(ModelRejected::Layout { layer: 1, layout: 3 });
        assert_eq!(
            rejected.to_string(),
            "it goes on with its model: layer 1: the device's core reads no columns of 8 rows \
             weights: pack the model for it"
        );
        let unknown = RequestError::Rejected(ModelRejected::Layout { layer: 1, layout: 99 });
        assert!(unknown.to_string().contains("reads no such weights"), "{unknown}");
        let order = RequestError::OutOfOrder { expected: 64 };
        assert_eq!(order.to_string(), "the next chunk of the model starts at byte 64");
    }
}
