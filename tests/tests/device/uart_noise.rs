//! Noise on the UART of every emulated board, with valid frames in between, which are all answered.
//! `THIMBLE_NOISE_SECONDS=600` extends the test from twenty seconds to ten minutes.

use std::time::{Duration, Instant};

use firmware::link::Request;
use thimble_tests::emulated::on_every_board;
use thimble_tests::wire::Wire;

/// Default duration in seconds.
const SECONDS: u64 = 20;
/// Environment variable for the duration.
const VARIABLE: &str = "THIMBLE_NOISE_SECONDS";

fn duration() -> Duration {
    let seconds = std::env::var(VARIABLE).map_or(SECONDS, |text| {
        text.parse().unwrap_or_else(|error| panic!("{VARIABLE} is a number of seconds: {error}"))
    });
    Duration::from_secs(seconds)
}

/// Returns bytes that are not a valid frame.
fn noise(rng: &mut fastrand::Rng, wire: &mut Wire) -> Vec<u8> {
    let len = rng.usize(1..600);
    match rng.u8(..5) {
        0 => (0..len).map(|_| rng.u8(..)).collect(),
        // Zeros and short COBS blocks.
        1 => (0..len).map(|_| rng.u8(..4)).collect(),
        // A stuck line.
        2 => vec![*rng.choice(&[0, 0x55, 0xff]).expect("one of three"); len],
        // A truncated frame, or one with a flipped bit.
        kind => {
            let input: Vec<u8> = (0..rng.usize(..80)).map(|_| rng.u8(..)).collect();
            let (_, mut bytes) = wire.request(Request::Infer { input: &input });
            if kind == 3 {
                bytes.truncate(rng.usize(1..bytes.len() - 1));
            } else {
                let at = rng.usize(1..bytes.len() - 1);
                bytes[at] ^= 1 << rng.u8(..8);
            }
            bytes
        }
    }
}

#[test]
fn good_frames_between_noise_are_answered() {
    let duration = duration();
    on_every_board(|board| {
        let mut wire = Wire::to(board);
        let mut rng = fastrand::Rng::with_seed(board.name.bytes().map(u64::from).sum());
        let (mut rounds, mut bytes, mut refused) = (0_u32, 0, 0);
        let end = Instant::now() + duration;
        while Instant::now() < end {
            let noise = noise(&mut rng, &mut wire);
            wire.send(&noise);
            bytes += noise.len();
            refused += wire.good_frame_is_answered().len();
            rounds += 1;
        }
        let counted = wire.bad_frames();
        println!(
            "{}: {rounds} good frames answered between {bytes} bytes of noise, {refused} frames \
             refused",
            board.name
        );
        assert_eq!(refused, counted as usize, "refusals that {} counts", board.name);
        assert!(rounds > 0, "{} answered nothing", board.name);
    });
}
