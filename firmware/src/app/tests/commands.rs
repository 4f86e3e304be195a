//! Commands that need a signature.

use ed25519_compact::{KeyPair, Seed};

use super::signed::signed_as;
use super::*;
use crate::link::Command;

fn key(seed: u8) -> KeyPair {
    KeyPair::from_seed(Seed::new([seed; 32]))
}

/// A board that multiplies by 4, and by 3 after going back. Its first nonce is all 1, the next all 2,
/// and so on.
fn bed() -> Bed {
    let policy = SignaturePolicy::RequiredForCommands(*key(7).pk);
    let mut bed = Bed { policy, entropy: Some(0), ..Bed::with_flash() };
    bed.ask(&update(&signed_as(&model(2, 3, 3), 7, 1, 0)));
    bed.ask(&update(&signed_as(&model(2, 4, 4), 7, 2, 0)));
    bed
}

fn nonce(number: u8) -> String {
    says(Response::Challenge { nonce: [number; NONCE_LEN] })
}

fn signature(seed: u8, command: Command, nonce: u8) -> [u8; 64] {
    *key(seed).sk.sign(command.signed_bytes([nonce; NONCE_LEN]), None)
}

fn runs(bed: &mut Bed, factor: u8) {
    assert_eq!(
        bed.ask(&[infer(&[1, 2])]),
        [says(Response::Output { output: &[factor, 2 * factor] })]
    );
}

#[test]
fn a_signed_command_is_executed_once() {
    let mut bed = bed();
    let back = signature(7, Command::RollBack, 1);
    let back = Request::Signed { command: Command::RollBack, signature: &back };
    let answers = bed.ask(&[Request::Challenge, back, back, Request::Challenge, back]);
    let expected = [
        nonce(1),
        says(Response::Done),
        refused(RequestError::NoChallenge),
        nonce(2),
        refused(RequestError::CommandSignature),
    ];
    assert_eq!((answers.as_slice(), bed.restarts), (&expected[..], 0));
    runs(&mut bed, 3);
    let signature = signature(7, Command::Restart, 3);
    let restart = Request::Signed { command: Command::Restart, signature: &signature };
    let answers = bed.ask(&[Request::Challenge, restart, restart]);
    assert_eq!(answers, [nonce(3), says(Response::Done), refused(RequestError::NoChallenge)]);
    assert_eq!(bed.restarts, 1);
}

#[test]
fn other_signatures_are_refused_and_use_the_nonce_up() {
    let good = signature(7, Command::Restart, 1);
    for (what, bad) in [
        ("of another command", &signature(7, Command::RollBack, 1)[..]),
        ("by another key", &signature(8, Command::Restart, 1)),
        ("with another nonce", &signature(7, Command::Restart, 2)),
        ("cut off", &good[..63]),
        ("none", &[]),
    ] {
        let mut bed = bed();
        let restart = |signature| Request::Signed { command: Command::Restart, signature };
        let answers = bed.ask(&[Request::Challenge, restart(bad), restart(&good)]);
        let expected =
            [nonce(1), refused(RequestError::CommandSignature), refused(RequestError::NoChallenge)];
        assert_eq!((answers.as_slice(), bed.restarts), (&expected[..], 0), "{what}");
        runs(&mut bed, 4);
    }
}

#[test]
fn commands_without_a_signature_are_refused() {
    let mut bed = bed();
    let answers = bed.ask(&[Request::RollBack, Request::Restart, Request::Info]);
    assert_eq!(
        answers[..2],
        [refused(RequestError::CommandUnsigned), refused(RequestError::CommandUnsigned)]
    );
    assert!(answers[2].contains("floor: 2, commands: true"), "{}", answers[2]);
    assert_eq!(bed.restarts, 0);
    runs(&mut bed, 4);
}

#[test]
fn a_nonce_ends_with_the_next_challenge_and_with_a_restart() {
    let mut bed = bed();
    let first = signature(7, Command::Restart, 1);
    let restart = |signature| Request::Signed { command: Command::Restart, signature };
    let answers = bed.ask(&[Request::Challenge, Request::Challenge, restart(&first)]);
    assert_eq!(answers, [nonce(1), nonce(2), refused(RequestError::CommandSignature)]);
    assert_eq!(bed.ask(&[Request::Challenge]), [nonce(3)]);
    // Each is another start.
    let third = signature(7, Command::Restart, 3);
    assert_eq!(bed.ask(&[restart(&third)]), [refused(RequestError::NoChallenge)]);
    let answers = bed.ask(&[Request::Challenge, restart(&third)]);
    assert_eq!(answers, [nonce(4), refused(RequestError::CommandSignature)]);
    assert_eq!(bed.restarts, 0);
}

#[test]
fn without_random_numbers_commands_are_refused() {
    let mut bed = Bed { entropy: None, ..bed() };
    let signature = signature(7, Command::Restart, 0);
    let restart = Request::Signed { command: Command::Restart, signature: &signature };
    let answers = bed.ask(&[Request::RollBack, Request::Restart, Request::Challenge, restart]);
    let none = || refused(RequestError::NoEntropy);
    assert_eq!(answers, [none(), none(), none(), refused(RequestError::NoChallenge)]);
    assert_eq!(bed.restarts, 0);
    runs(&mut bed, 4);
}

/// As a board without the feature.
#[test]
fn where_commands_need_no_signature_none_is_taken() {
    for policy in [SignaturePolicy::NotRequired, SignaturePolicy::Required(*key(7).pk)] {
        let mut bed = Bed { policy, entropy: Some(0), ..Bed::with_flash() };
        let signature = signature(7, Command::Restart, 1);
        let restart = Request::Signed { command: Command::Restart, signature: &signature };
        let answers = bed.ask(&[Request::Challenge, restart, Request::Restart]);
        let unknown = || refused(RequestError::UnknownRequest);
        assert_eq!(answers, [unknown(), unknown(), says(Response::Done)]);
        assert_eq!(bed.restarts, 1);
    }
}
