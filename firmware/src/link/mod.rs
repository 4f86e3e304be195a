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
//! Both sides use the types of this module: there is no second description to fall out of step.

mod frame;
mod message;

pub use frame::{FrameError, Received, Receiver, encode, frame_len};
pub use message::{
    Benchmark, Counter, Info, Message, PROTOCOL, Request, RequestError, Response, STACK_OVERRUN,
    SelfTestReport, SignedInfo, SlotsInfo, Updated,
};
