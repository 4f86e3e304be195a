//! Frames: encoding of messages, and their reception from a stream of bytes.

use core::fmt;

use crc::{CRC_32_ISO_HDLC, Crc};
use postcard::ser_flavors::crc::CrcModifier;
use postcard::ser_flavors::{Cobs, Slice};
use serde::{Deserialize, Serialize};

use super::Message;

/// CRC-32 with a table of a kilobyte, unlike that of a model file, which is checked once: bit by bit
/// the CRC of a frame would take a third of the time of the inference that it asks for.
static CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// Maximum bytes of a frame beside an input or output vector: sequence number, variant, integers,
/// the longest names, and the CRC.
const OVERHEAD: usize = 256;

/// Bytes of a buffer that holds every frame of a model whose input or output has `values` bytes.
#[must_use]
pub const fn frame_len(values: usize) -> usize {
    let message = values + OVERHEAD;
    // COBS adds a byte to every 254, and one; two zeros enclose the frame.
    message + message / 254 + 1 + 2
}

/// Error of decoding a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameError {
    /// The COBS encoding or the CRC-32 is wrong.
    Damaged,
    /// The frame is sound, but contains no message that is known here.
    Unknown {
        /// Sequence number of the message, if it has one.
        sequence: u16,
        /// The first two bytes after it: the variant of the message, and the first byte of its fields.
        head: [u8; 2],
    },
}

impl core::error::Error for FrameError {}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FrameError::Damaged => f.write_str("the frame is damaged"),
            FrameError::Unknown { sequence, .. } => {
                write!(f, "message {sequence} is of a kind that is not known here")
            }
        }
    }
}

/// Encodes a message as a frame into `buffer`, zero bytes included; `None` if it does not fit.
#[must_use]
pub fn encode<'b, T: Serialize>(message: &Message<T>, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
    let (start, rest) = buffer.split_first_mut()?;
    *start = 0;
    let cobs = Cobs::try_new(Slice::new(rest)).ok()?;
    let flavor = CrcModifier::new(cobs, CRC.digest());
    let len = postcard::serialize_with_flavor(message, flavor).ok()?.len();
    buffer.get(..len.checked_add(1)?)
}

/// Decodes the message between two zero bytes, in place.
///
/// # Errors
/// [`FrameError`]; an empty frame is [`FrameError::Damaged`].
pub fn decode<'b, T: Deserialize<'b>>(frame: &'b mut [u8]) -> Result<Message<T>, FrameError> {
    let len = cobs::decode_in_place(frame).map_err(|_| FrameError::Damaged)?;
    let frame: &'b [u8] = frame;
    let (message, stated) = frame
        .get(..len)
        .and_then(|content| content.split_last_chunk::<4>())
        .ok_or(FrameError::Damaged)?;
    // No message has the CRC-32 that is zero: five bytes of 1 on the line would be a sound frame.
    if message.is_empty() || CRC.checksum(message) != u32::from_le_bytes(*stated) {
        return Err(FrameError::Damaged);
    }
    match postcard::take_from_bytes(message) {
        Ok((message, [])) => Ok(message),
        _ => {
            let (sequence, head) = postcard::take_from_bytes(message).unwrap_or((0, &[]));
            let head = head.first_chunk().copied().unwrap_or_default();
            Err(FrameError::Unknown { sequence, head })
        }
    }
}

/// Splits a stream of bytes into frames.
pub struct Receiver<'b> {
    buffer: &'b mut [u8],
    len: usize,
    overflowed: bool,
    complete: bool,
}

/// Result of receiving a byte.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Received {
    /// No frame is complete.
    Nothing,
    /// A frame is complete; [`Receiver::message`] decodes it.
    Frame,
    /// A frame did not fit into the buffer and was dropped.
    TooLong,
}

impl<'b> Receiver<'b> {
    /// Creates a receiver of frames of up to `buffer.len()` bytes between their zeros.
    pub fn new(buffer: &'b mut [u8]) -> Self {
        Receiver { buffer, len: 0, overflowed: false, complete: false }
    }

    /// Bytes of the longest frame, zeros not counted.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.buffer.len()
    }

    /// Takes the next byte of the stream.
    pub fn push(&mut self, byte: u8) -> Received {
        if self.complete {
            self.len = 0;
            self.complete = false;
        }
        if byte != 0 {
            match self.buffer.get_mut(self.len) {
                Some(place) => {
                    *place = byte;
                    self.len = self.len.wrapping_add(1);
                }
                None => self.overflowed = true,
            }
            return Received::Nothing;
        }
        if self.overflowed {
            self.overflowed = false;
            self.len = 0;
            return Received::TooLong;
        }
        // Zeros in a row enclose nothing.
        if self.len == 0 {
            return Received::Nothing;
        }
        self.complete = true;
        Received::Frame
    }

    /// The message of the frame that the last byte completed.
    ///
    /// # Errors
    /// [`FrameError`]; reading a second time finds the frame used up.
    pub fn message<'a, T: Deserialize<'a>>(&'a mut self) -> Result<Message<T>, FrameError> {
        let len = core::mem::take(&mut self.len);
        decode(self.buffer.get_mut(..len).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Info, PROTOCOL, Request, Response, SignedInfo, SlotsInfo};
    use super::*;

    fn frame_of(request: Request<'_>) -> Vec<u8> {
        let mut buffer = [0xaa; 2000];
        encode(&Message { sequence: 7, body: request }, &mut buffer).unwrap().to_vec()
    }

    #[test]
    fn the_bytes_are_pinned() {
        // Sequence 7, variant 0 and the CRC-32 of both, in COBS, between zeros.
        assert_eq!(frame_of(Request::Info), [0, 2, 7, 5, 0x38, 0x84, 0x98, 0x0e, 0]);
    }

    #[test]
    fn what_is_sent_arrives_after_garbage() {
        let input: Vec<u8> = (0..784).map(|k| (k % 251) as u8).collect();
        let mut stream = vec![1, 2, 3, 0, 0, 9, 9];
        stream.extend(frame_of(Request::Infer { input: &input }));
        let mut buffer = [0; 1100];
        let mut receiver = Receiver::new(&mut buffer);
        let mut good = 0;
        for byte in stream {
            if receiver.push(byte) == Received::Frame
                && let Ok(message) = receiver.message::<Request<'_>>()
            {
                assert_eq!(
                    message,
                    Message { sequence: 7, body: Request::Infer { input: &input } }
                );
                good += 1;
            }
        }
        assert_eq!(good, 1);
    }

    #[test]
    fn a_flipped_bit_is_noticed() {
        let good = frame_of(Request::Infer { input: &[1, 2, 3, 0, 5] });
        let content = good.len() - 2;
        for bit in 0..content * 8 {
            let mut bad = good[1..=content].to_vec();
            bad[bit / 8] ^= 1 << (bit % 8);
            // A flip that makes a zero would split the frame; decoding must refuse it all the same.
            assert!(decode::<Request<'_>>(&mut bad).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_frame_without_a_message_is_damaged() {
        assert_eq!(decode::<Request<'_>>(&mut [1; 5]), Err(FrameError::Damaged));
    }

    #[test]
    fn an_unknown_request_keeps_its_number() {
        let mut buffer = [0; 64];
        let frame = encode(&Message { sequence: 300, body: 200u8 }, &mut buffer).unwrap();
        let mut content = frame[1..frame.len() - 1].to_vec();
        assert_eq!(
            decode::<Request<'_>>(&mut content),
            Err(FrameError::Unknown { sequence: 300, head: [0; 2] })
        );
    }

    #[test]
    fn too_long_is_said_and_forgotten() {
        let mut buffer = [0; 16];
        let mut receiver = Receiver::new(&mut buffer);
        for _ in 0..17 {
            assert_eq!(receiver.push(1), Received::Nothing);
        }
        assert_eq!(receiver.push(0), Received::TooLong);
        for byte in frame_of(Request::SelfTest) {
            if receiver.push(byte) == Received::Frame {
                assert_eq!(receiver.message::<Request<'_>>().unwrap().body, Request::SelfTest);
                return;
            }
        }
        panic!("the good frame was not received");
    }

    #[test]
    fn frame_len_holds_the_longest_frames() {
        let text = "x".repeat(model_format::limits::MAX_TEXT);
        let info = Info {
            protocol: PROTOCOL,
            board: &text,
            firmware: &text[..32],
            model: &text,
            checksum: u32::MAX,
            input_bytes: u16::MAX,
            output_bytes: u16::MAX,
            layers: u8::MAX,
            model_bytes: u32::MAX,
            in_ram: true,
            scratch_bytes: u32::MAX,
            stack_bytes: Some(u32::MAX),
            bad_frames: u32::MAX,
            saturated_inputs: u32::MAX,
            slots: Some(SlotsInfo {
                running: Some(1),
                capacity: u32::MAX,
                chunk: u32::MAX,
                unit: u32::MAX,
                updates: u32::MAX,
                erases: [u32::MAX; 2],
            }),
            signed: Some(SignedInfo { version: Some(u32::MAX), floor: u32::MAX, commands: true }),
        };
        let mut buffer = vec![0; frame_len(1)];
        let message = Message { sequence: u16::MAX, body: Response::Info(info) };
        assert!(encode(&message, &mut buffer).is_some());
        for values in [1, 10, 253, 254, 784, 8192] {
            let output = vec![1; values];
            let mut buffer = vec![0; frame_len(values)];
            let body = Response::Output { output: &output };
            assert!(encode(&Message { sequence: u16::MAX, body }, &mut buffer).is_some());
        }
    }

    #[test]
    fn frame_len_counts_every_byte() {
        // Message and 256 bytes, a byte of COBS for every 254 and one, two zeros.
        assert_eq!([0, 1, 251, 252, 784].map(frame_len), [260, 261, 511, 513, 1047]);
    }

    #[test]
    fn a_frame_takes_the_bytes_that_it_has() {
        let message = Message { sequence: 7, body: Request::Infer { input: &[1, 2, 3] } };
        let mut buffer = [0xaa; 64];
        let frame = encode(&message, &mut buffer).unwrap().to_vec();
        assert_eq!(frame.len(), 13);
        let mut exact = [0xaa; 13];
        assert_eq!(encode(&message, &mut exact), Some(&frame[..]));
        for len in 0..13 {
            assert_eq!(encode(&message, &mut exact[..len]), None, "{len}");
        }
    }

    /// A block of 254 bytes at the end may have an empty one behind it, or not.
    #[test]
    fn both_forms_of_a_last_block_are_read() {
        let input = [1; 246];
        let message = Message { sequence: 7, body: Request::Infer { input: &input } };
        let content = {
            let mut bytes = [0; 300];
            let len = postcard::to_slice(&message, &mut bytes).unwrap().len();
            let mut bytes = bytes[..len].to_vec();
            bytes.extend(CRC.checksum(&bytes).to_le_bytes());
            bytes
        };
        assert!(content.len() == 254 && !content.contains(&0));
        let short = [&[0xff][..], &content].concat();
        let long = [&short[..], &[1]].concat();
        for mut form in [short, long] {
            assert_eq!(decode::<Request<'_>>(&mut form), Ok(message));
        }
    }

    #[test]
    fn a_receiver_takes_frames_of_its_capacity() {
        let frame = frame_of(Request::Infer { input: &[1, 2, 3] });
        let content = frame.len() - 2;
        let mut buffer = [0; 64];
        for (len, last) in [(content, Received::Frame), (content - 1, Received::TooLong)] {
            let mut receiver = Receiver::new(&mut buffer[..len]);
            assert_eq!(receiver.capacity(), len);
            for _ in 0..2 {
                let (end, start) = frame.split_last().unwrap();
                assert!(start.iter().all(|byte| receiver.push(*byte) == Received::Nothing));
                assert_eq!(receiver.push(*end), last);
            }
            let body = Request::Infer { input: &[1, 2, 3] };
            let expected = match last {
                Received::Frame => Ok(Message { sequence: 7, body }),
                _ => Err(FrameError::Damaged),
            };
            assert_eq!(receiver.message(), expected);
            // It is used up.
            assert_eq!(receiver.message::<Request<'_>>(), Err(FrameError::Damaged));
            assert_eq!(receiver.push(0), Received::Nothing);
        }
    }

    #[test]
    fn an_unknown_message_keeps_its_first_bytes() {
        let mut buffer = [0; 64];
        let message = Message { sequence: 1, body: (99u8, 3u8, "board") };
        let frame = encode(&message, &mut buffer).unwrap();
        let error = decode::<Response<'_>>(&mut frame[1..frame.len() - 1].to_vec()).unwrap_err();
        assert_eq!(error, FrameError::Unknown { sequence: 1, head: [99, 3] });
        assert_eq!(error.to_string(), "message 1 is of a kind that is not known here");
        assert_eq!(FrameError::Damaged.to_string(), "the frame is damaged");
        // Something behind a known message.
        let frame = encode(&Message { sequence: 1, body: (0u8, 5u8) }, &mut buffer).unwrap();
        let error = decode::<Request<'_>>(&mut frame[1..frame.len() - 1].to_vec()).unwrap_err();
        assert_eq!(error, FrameError::Unknown { sequence: 1, head: [0, 5] });
    }
}
