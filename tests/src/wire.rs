//! Raw link to a board: frames are built and parsed byte by byte, without the client, which would
//! repeat refused frames.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use firmware::link::{
    Benchmark, Message, NONCE_LEN, Received, Receiver, Request, RequestError, Response, encode,
};
use host_trainer::device::board::Board;
use host_trainer::device::emulator::Emulator;
use model_format::Model;

use crate::emulated::{own_model, serving_firmware, serving_on};
use crate::parity::{engine_outputs, signed, unsigned};

/// A board with its default model, and the raw link to it.
pub struct Wire {
    stream: TcpStream,
    /// The model that it runs.
    pub model: Vec<u8>,
    name: &'static str,
    sequence: u16,
    buffer: Vec<u8>,
    /// QEMU ends when this is dropped.
    _emulator: Emulator,
}

/// A response, with the fields that these tests check.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// The outputs of an inference.
    Output(Vec<i8>),
    /// Reason of a refusal.
    Error(RequestError),
    /// Number of frames that the board could not read.
    BadFrames(u32),
    /// Timing statistics.
    Benchmark(Benchmark),
    /// A nonce for a signed command.
    Challenge([u8; NONCE_LEN]),
}

impl Wire {
    /// Starts the board, and waits until it answers.
    ///
    /// # Panics
    /// When it cannot be built, or does not answer.
    pub fn to(board: &'static Board) -> Wire {
        Wire::to_firmware(board, &serving_firmware(board, &own_model(board)))
    }

    /// The same, with firmware that has the board's own model.
    ///
    /// # Panics
    /// When it does not answer.
    pub fn to_firmware(board: &'static Board, elf: &Path) -> Wire {
        let model = own_model(board);
        let mut emulator = serving_on(board, elf);
        let name = board.name;
        let mut client = emulator.connect().unwrap_or_else(|error| panic!("{name}: {error}"));
        client.info().unwrap_or_else(|error| panic!("{name}: {error}"));
        let stream = client.stream_mut().try_clone().expect("a second handle of the connection");
        let buffer = vec![0; 10_000];
        Wire { stream, model, name, sequence: 1000, buffer, _emulator: emulator }
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the board reads");
    }

    /// Returns the next response, with its sequence number.
    ///
    /// # Panics
    /// When none comes, or what comes is no answer.
    pub fn receive(&mut self) -> (u16, Answer) {
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut receiver = Receiver::new(&mut self.buffer);
        let mut byte = [0];
        loop {
            assert!(Instant::now() < deadline, "{} does not answer", self.name);
            match self.stream.read(&mut byte) {
                Ok(0) => panic!("{} has closed the connection", self.name),
                Ok(_) => {}
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    continue;
                }
                Err(error) => panic!("{}: {error}", self.name),
            }
            if receiver.push(byte[0]) == Received::Frame {
                let message = receiver.message::<Response<'_>>();
                let Message { sequence, body } = message.expect("the board's frames are sound");
                let answer = match body {
                    Response::Output { output } => Answer::Output(signed(output)),
                    Response::Error(error) => Answer::Error(error),
                    Response::Info(info) => Answer::BadFrames(info.bad_frames),
                    Response::Benchmark(benchmark) => Answer::Benchmark(benchmark),
                    Response::Challenge { nonce } => Answer::Challenge(nonce),
                    other => panic!("nobody has asked {} for {other:?}", self.name),
                };
                return (sequence, answer);
            }
        }
    }

    /// Returns an unused sequence number.
    pub fn next_sequence(&mut self) -> u16 {
        self.sequence = self.sequence.checked_add(1).unwrap_or(1);
        self.sequence
    }

    /// Returns a request's frame, and its sequence number.
    pub fn request(&mut self, request: Request<'_>) -> (u16, Vec<u8>) {
        let sequence = self.next_sequence();
        (sequence, frame(sequence, request))
    }

    /// Returns the number of frames that the board reports as unreadable.
    pub fn bad_frames(&mut self) -> u32 {
        let (sequence, bytes) = self.request(Request::Info);
        self.send(&bytes);
        match self.receive() {
            (number, Answer::BadFrames(count)) if number == sequence => count,
            other => panic!("{}: {other:?} instead of information {sequence}", self.name),
        }
    }

    /// Requests an inference, and asserts that the output is correct. Returns refusals of earlier
    /// frames.
    ///
    /// # Panics
    /// When the answer is wrong or missing.
    pub fn good_frame_is_answered(&mut self) -> Vec<RequestError> {
        let len = Model::parse(&self.model).expect("a valid model").input_len();
        let seed = u64::from(self.sequence);
        let mut rng = fastrand::Rng::with_seed(seed);
        let input: Vec<i8> = (0..len).map(|_| rng.i8(..)).collect();
        let expected = engine_outputs(&self.model, [input.as_slice()]).remove(0);
        let (sequence, bytes) = self.request(Request::Infer { input: &unsigned(&input) });
        self.send(&bytes);
        let mut errors = Vec::new();
        loop {
            match self.receive() {
                (0, Answer::Error(error)) => errors.push(error),
                answer => {
                    assert_eq!(answer, (sequence, Answer::Output(expected)), "{}", self.name);
                    return errors;
                }
            }
        }
    }
}

/// Encodes a message as a frame.
pub fn frame<T: serde::Serialize>(sequence: u16, body: T) -> Vec<u8> {
    let mut buffer = vec![0; 10_000];
    encode(&Message { sequence, body }, &mut buffer).expect("it fits").to_vec()
}
