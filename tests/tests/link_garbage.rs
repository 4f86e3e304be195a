//! Whatever arrives on the board's UART, the next good frame is answered.
//!
//! The frames are made and read here byte by byte, without the client, which would repeat what
//! the board refuses.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use firmware::link::{Message, Received, Receiver, Refusal, Request, Response, encode, frame_len};
use host_trainer::device::emulator::Emulator;
use model_format::Model;
use tests::emulated::{default_model, firmware, serving};
use tests::parity::{engine_outputs, signed, unsigned};

/// A board, and the bare wire to it.
struct Wire {
    stream: TcpStream,
    model: Vec<u8>,
    sequence: u16,
    buffer: Vec<u8>,
    /// QEMU ends when this is dropped.
    _emulator: Emulator,
}

/// An answer, as far as these tests look at it.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Output(Vec<i8>),
    Refused(Refusal),
    BadFrames(u32),
}

impl Wire {
    fn new() -> Wire {
        let model = default_model();
        let mut emulator = serving(&firmware(&model));
        let mut client = emulator.connect().unwrap_or_else(|error| panic!("{error}"));
        client.info().unwrap_or_else(|error| panic!("{error}"));
        let stream = client
            .stream_mut()
            .try_clone()
            .expect("a second handle of the connection");
        Wire {
            stream,
            model,
            sequence: 1000,
            buffer: vec![0; 10_000],
            _emulator: emulator,
        }
    }

    fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the board reads");
    }

    /// The next answer, with its sequence number.
    fn receive(&mut self) -> (u16, Answer) {
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut receiver = Receiver::new(&mut self.buffer);
        let mut byte = [0];
        loop {
            assert!(Instant::now() < deadline, "the board does not answer");
            match self.stream.read(&mut byte) {
                Ok(0) => panic!("the board has closed the connection"),
                Ok(_) => {}
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    continue;
                }
                Err(error) => panic!("{error}"),
            }
            if receiver.push(byte[0]) == Received::Frame {
                let message = receiver.message::<Response<'_>>();
                let Message { sequence, body } = message.expect("the board's frames are sound");
                let answer = match body {
                    Response::Output { output } => Answer::Output(signed(output)),
                    Response::Refused(refusal) => Answer::Refused(refusal),
                    Response::Info(info) => Answer::BadFrames(info.bad_frames),
                    other => panic!("nobody has asked for {other:?}"),
                };
                return (sequence, answer);
            }
        }
    }

    fn next_sequence(&mut self) -> u16 {
        self.sequence += 1;
        self.sequence
    }

    fn request(&mut self, request: Request<'_>) -> (u16, Vec<u8>) {
        let sequence = self.next_sequence();
        (sequence, frame(sequence, request))
    }

    /// Asks for an inference, and asserts that the answer is the right one. Refusals of what was
    /// sent before are returned.
    fn good_frame_is_answered(&mut self) -> Vec<Refusal> {
        let len = Model::parse(&self.model)
            .expect("a valid model")
            .input_len();
        let seed = u64::from(self.sequence);
        let mut rng = fastrand::Rng::with_seed(seed);
        let input: Vec<i8> = (0..len).map(|_| rng.i8(..)).collect();
        let expected = engine_outputs(&self.model, [input.as_slice()]).remove(0);
        let (sequence, bytes) = self.request(Request::Infer {
            input: &unsigned(&input),
        });
        self.send(&bytes);
        let mut refusals = Vec::new();
        loop {
            match self.receive() {
                (0, Answer::Refused(refusal)) => refusals.push(refusal),
                answer => {
                    assert_eq!(answer, (sequence, Answer::Output(expected)));
                    return refusals;
                }
            }
        }
    }
}

fn frame<T: serde::Serialize>(sequence: u16, body: T) -> Vec<u8> {
    let mut buffer = vec![0; 10_000];
    encode(&Message { sequence, body }, &mut buffer)
        .expect("it fits")
        .to_vec()
}

#[test]
fn good_frames_are_answered_in_order() {
    let mut wire = Wire::new();
    for _ in 0..5 {
        assert_eq!(wire.good_frame_is_answered(), []);
    }
    let (sequence, bytes) = wire.request(Request::Info);
    wire.send(&bytes);
    assert_eq!(wire.receive(), (sequence, Answer::BadFrames(0)));
}

#[test]
fn garbage_is_refused_and_counted() {
    let mut wire = Wire::new();
    wire.send(b"AT+GMR\r\n");
    assert_eq!(wire.good_frame_is_answered(), [Refusal::Damaged]);
    // Zeros enclose nothing, so there is nothing to refuse.
    wire.send(&[0; 50]);
    assert_eq!(wire.good_frame_is_answered(), []);
    wire.send(&[255; 20]);
    assert_eq!(wire.good_frame_is_answered(), [Refusal::Damaged]);
    let (sequence, bytes) = wire.request(Request::Info);
    wire.send(&bytes);
    assert_eq!(wire.receive(), (sequence, Answer::BadFrames(2)));
}

#[test]
fn random_garbage_never_stops_the_board() {
    let mut wire = Wire::new();
    let mut rng = fastrand::Rng::with_seed(3);
    for _ in 0..30 {
        // Half of the bytes are small, so that zeros and short COBS blocks are among them.
        let len = rng.usize(1..400);
        let garbage: Vec<u8> = (0..len)
            .map(|_| if rng.bool() { rng.u8(..4) } else { rng.u8(..) })
            .collect();
        wire.send(&garbage);
        let refusals = wire.good_frame_is_answered();
        assert!(refusals.len() <= garbage.len(), "{refusals:?}");
    }
}

#[test]
fn an_oversized_frame_is_refused_with_the_limit() {
    let mut wire = Wire::new();
    let inputs = Model::parse(&wire.model)
        .expect("a valid model")
        .input_len();
    let limit = frame_len(inputs) as u32;
    wire.send(&vec![1; 5000]);
    assert_eq!(wire.good_frame_is_answered(), [Refusal::TooLong { limit }]);
    // A sound frame that is too long is no different.
    let bytes = frame(7, Request::Infer { input: &[1; 3000] });
    wire.send(&bytes);
    assert_eq!(wire.good_frame_is_answered(), [Refusal::TooLong { limit }]);
}

#[test]
fn half_frames_are_refused() {
    let mut wire = Wire::new();
    let input = vec![
        3;
        Model::parse(&wire.model)
            .expect("a valid model")
            .input_len()
    ];
    let (_, whole) = wire.request(Request::Infer { input: &input });
    for len in [2, 3, 7, whole.len() / 2, whole.len() - 2, whole.len() - 1] {
        wire.send(&whole[..len]);
        match len {
            // All of it but the zero behind it, which the next frame brings.
            all_but_zero if all_but_zero == whole.len() - 1 => {}
            _ => {
                assert_eq!(
                    wire.good_frame_is_answered(),
                    [Refusal::Damaged],
                    "{len} bytes"
                );
            }
        }
    }
    wire.send(&[0]);
    assert!(
        matches!(wire.receive(), (_, Answer::Output(_))),
        "the whole frame after all"
    );
}

#[test]
fn a_frame_with_any_byte_changed_is_refused() {
    let mut wire = Wire::new();
    let (_, whole) = wire.request(Request::Infer { input: &[3; 20] });
    for at in 1..whole.len() - 1 {
        let mut changed = whole.clone();
        changed[at] ^= 0x10;
        wire.send(&changed);
        let refusals = wire.good_frame_is_answered();
        // A byte that becomes zero makes two frames of one.
        let expected = if changed[at] == 0 { 1..=2 } else { 1..=1 };
        assert!(
            expected.contains(&refusals.len()),
            "byte {at}: {refusals:?}"
        );
        assert!(
            refusals.iter().all(|refusal| *refusal == Refusal::Damaged),
            "byte {at}"
        );
    }
}

#[test]
fn requests_that_cannot_be_served_are_refused_under_their_number() {
    let mut wire = Wire::new();
    let expected = Model::parse(&wire.model)
        .expect("a valid model")
        .input_len() as u32;
    for given in [0, expected - 1, expected + 1] {
        let input = vec![0; given as usize];
        let (sequence, bytes) = wire.request(Request::Infer { input: &input });
        wire.send(&bytes);
        let refusal = Refusal::InputLength { expected, given };
        assert_eq!(wire.receive(), (sequence, Answer::Refused(refusal)));
    }
    // Postcard writes an enum's variant as it writes a number: this is a request from the future.
    let sequence = wire.next_sequence();
    wire.send(&frame(sequence, 99u32));
    assert_eq!(
        wire.receive(),
        (sequence, Answer::Refused(Refusal::UnknownRequest))
    );
    // A known request with something behind it.
    let sequence = wire.next_sequence();
    wire.send(&frame(sequence, (0u32, 1u8)));
    assert_eq!(
        wire.receive(),
        (sequence, Answer::Refused(Refusal::UnknownRequest))
    );
    assert_eq!(wire.good_frame_is_answered(), []);
}
