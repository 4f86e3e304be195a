//! The protocol between a computer and a device, over any stream of bytes.
//!
//! A frame is a [`Message`] in postcard, followed by its CRC-32 (ISO-HDLC, little-endian), all of
//! it in COBS, between two zero bytes. Zero occurs nowhere else, so a reader that has lost its
//! place finds it again at the next zero; the one in front of a frame ends whatever garbage or
//! half frame came before.
//!
//! The device answers each frame with one frame of the same sequence number. A frame that it
//! cannot read it answers with sequence number 0 and a [`RequestError`], so a computer counts its
//! requests from 1. The device never speaks first.
//!
//! Both sides use the types of this module. `firmware/LINK.md` specifies the bytes for programs
//! that cannot; its examples are tests.

mod command;
mod frame;
mod info;
mod model_rejected;
mod request;
mod request_error;
mod response;
mod sensor;

use serde::{Deserialize, Serialize};

pub use command::{COMMAND_LEN, COMMAND_MAGIC, Command, NONCE_LEN};
pub use frame::{FrameError, Received, Receiver, encode, frame_len};
pub use info::{Info, STACK_OVERRUN, SignedInfo, SlotsInfo};
pub use model_rejected::ModelRejected;
pub use request::Request;
pub use request_error::RequestError;
pub use response::{Benchmark, Counter, Response, SelfTestReport, Updated};
pub use sensor::{MAX_AXES, SensorInfo};

/// Version of the protocol. A computer that speaks another one reports both and stops.
pub const PROTOCOL: u8 = 5;

/// A request or a response, with the number that ties the two together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message<T> {
    /// Counted by the computer from 1; 0 answers a frame that could not be read.
    pub sequence: u16,
    /// The request or the response.
    pub body: T,
}
