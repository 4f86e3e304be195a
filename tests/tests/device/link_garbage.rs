//! Robustness of the link: after any bytes on the board's UART, and after any request, the next
//! valid frame is answered.
//!
//! The frames are built and parsed byte by byte, without the client, which would repeat refused
//! frames.

use firmware::link::{Benchmark, Request, RequestError, frame_len};
use model_format::Model;
use thimble_tests::emulated::{board, on_every_board};
use thimble_tests::wire::{Answer, Wire, frame};

#[test]
fn good_frames_are_answered_in_order() {
    let mut wire = Wire::to(board());
    for _ in 0..5 {
        assert_eq!(wire.good_frame_is_answered(), []);
    }
    let (sequence, bytes) = wire.request(Request::Info);
    wire.send(&bytes);
    assert_eq!(wire.receive(), (sequence, Answer::BadFrames(0)));
}

#[test]
fn garbage_is_refused_and_counted() {
    let mut wire = Wire::to(board());
    wire.send(b"AT+GMR\r\n");
    assert_eq!(wire.good_frame_is_answered(), [RequestError::Damaged]);
    // Zeros contain no frame, so that none is refused.
    wire.send(&[0; 50]);
    assert_eq!(wire.good_frame_is_answered(), []);
    wire.send(&[255; 20]);
    assert_eq!(wire.good_frame_is_answered(), [RequestError::Damaged]);
    let (sequence, bytes) = wire.request(Request::Info);
    wire.send(&bytes);
    assert_eq!(wire.receive(), (sequence, Answer::BadFrames(2)));
}

#[test]
fn random_garbage_never_stops_the_board() {
    let mut wire = Wire::to(board());
    let mut rng = fastrand::Rng::with_seed(3);
    for _ in 0..30 {
        // Half of the bytes are small, so that zeros and short COBS blocks are among them.
        let len = rng.usize(1..400);
        let garbage: Vec<u8> =
            (0..len).map(|_| if rng.bool() { rng.u8(..4) } else { rng.u8(..) }).collect();
        wire.send(&garbage);
        let refusals = wire.good_frame_is_answered();
        assert!(refusals.len() <= garbage.len(), "{refusals:?}");
    }
}

#[test]
fn an_oversized_frame_is_refused_with_the_limit() {
    let mut wire = Wire::to(board());
    let inputs = Model::parse(&wire.model).expect("a valid model").input_len();
    // A board with slots has room for models of this many inputs, at the least.
    let limit = frame_len(inputs.max(784)) as u32;
    wire.send(&vec![1; 5000]);
    assert_eq!(wire.good_frame_is_answered(), [RequestError::TooLong { limit }]);
    // A valid frame that is too long is refused, too.
    let bytes = frame(7, Request::Infer { input: &[1; 3000] });
    wire.send(&bytes);
    assert_eq!(wire.good_frame_is_answered(), [RequestError::TooLong { limit }]);
}

#[test]
fn half_frames_are_refused() {
    let mut wire = Wire::to(board());
    let input = vec![3; Model::parse(&wire.model).expect("a valid model").input_len()];
    let (_, whole) = wire.request(Request::Infer { input: &input });
    for len in [2, 3, 7, whole.len() / 2, whole.len() - 2, whole.len() - 1] {
        wire.send(&whole[..len]);
        match len {
            // All of it but the zero behind it, which the next frame brings.
            all_but_zero if all_but_zero == whole.len() - 1 => {}
            _ => {
                assert_eq!(wire.good_frame_is_answered(), [RequestError::Damaged], "{len} bytes");
            }
        }
    }
    wire.send(&[0]);
    assert!(matches!(wire.receive(), (_, Answer::Output(_))), "the whole frame after all");
}

#[test]
fn a_frame_with_any_byte_changed_is_refused() {
    let mut wire = Wire::to(board());
    let (_, whole) = wire.request(Request::Infer { input: &[3; 20] });
    for at in 1..whole.len() - 1 {
        let mut changed = whole.clone();
        changed[at] ^= 0x10;
        wire.send(&changed);
        let refusals = wire.good_frame_is_answered();
        // A byte that becomes zero makes two frames of one.
        let expected = if changed[at] == 0 { 1..=2 } else { 1..=1 };
        assert!(expected.contains(&refusals.len()), "byte {at}: {refusals:?}");
        assert!(refusals.iter().all(|refusal| *refusal == RequestError::Damaged), "byte {at}");
    }
}

#[test]
fn requests_that_cannot_be_served_are_refused_under_their_number() {
    let mut wire = Wire::to(board());
    let expected = Model::parse(&wire.model).expect("a valid model").input_len() as u32;
    for given in [0, expected - 1, expected + 1] {
        let input = vec![0; given as usize];
        let (sequence, bytes) = wire.request(Request::Infer { input: &input });
        wire.send(&bytes);
        let refusal = RequestError::InputLength { expected, given };
        assert_eq!(wire.receive(), (sequence, Answer::Error(refusal)));
    }
    // Postcard encodes an enum's variant as a number: this is an unknown request.
    let sequence = wire.next_sequence();
    wire.send(&frame(sequence, 99u32));
    assert_eq!(wire.receive(), (sequence, Answer::Error(RequestError::UnknownRequest)));
    // A known request with trailing bytes.
    let sequence = wire.next_sequence();
    wire.send(&frame(sequence, (0u32, 1u8)));
    assert_eq!(wire.receive(), (sequence, Answer::Error(RequestError::UnknownRequest)));
    assert_eq!(wire.good_frame_is_answered(), []);
}

/// An eighth of a second by the board's clock, and the current round of self-tests.
#[test]
fn a_benchmark_of_many_runs_does_not_make_the_board_deaf() {
    on_every_board(|board| {
        let mut wire = Wire::to(board);
        let vectors = Model::parse(&wire.model).expect("a valid model").self_tests().len() as u64;
        let (number, bytes) = wire.request(Request::Benchmark { runs: u16::MAX, input: &[] });
        wire.send(&bytes);
        let (sequence, Answer::Benchmark(benchmark)) = wire.receive() else {
            panic!("{}: no benchmark", board.name)
        };
        assert_eq!(sequence, number, "{}", board.name);
        let Benchmark { hz, runs, mean, max, .. } = benchmark;
        assert!((1..u16::MAX).contains(&runs), "{}: {benchmark:?}", board.name);
        let ticks = u64::from(runs) * u64::from(mean);
        let limit = u64::from(hz) / 8 + vectors * u64::from(max);
        assert!(ticks <= limit, "{}: {benchmark:?}", board.name);
        assert_eq!(wire.good_frame_is_answered(), [], "{}", board.name);
    });
}
