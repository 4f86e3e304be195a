//! Signed models: acceptance and rejection by a board with a public key.

use ed25519_compact::{KeyPair, Seed};

use super::*;
use crate::signature::VERSION_MAGIC;

fn signed(model: &[u8], seed: u8) -> Vec<u8> {
    signed_as(model, seed, 1, 0)
}

pub fn signed_as(model: &[u8], seed: u8, version: u32, replaces: u32) -> Vec<u8> {
    let key = KeyPair::from_seed(Seed::new([seed; 32]));
    let numbers = [version.to_le_bytes(), replaces.to_le_bytes()].concat();
    let signed = [model, &VERSION_MAGIC, &numbers].concat();
    [&*signed, &*key.sk.sign(&signed, None)].concat()
}

fn bed() -> Bed {
    let key = KeyPair::from_seed(Seed::new([7; 32]));
    Bed { policy: SignaturePolicy::Required(*key.pk), ..Bed::with_flash() }
}

#[test]
fn a_signed_model_runs_from_the_next_start_on() {
    let (mut bed, new) = (bed(), model(2, 3, 3));
    let answers = bed.ask(&update(&signed(&new, 7)));
    assert!(answers.last().is_some_and(|answer| answer.starts_with("Updated")), "{answers:?}");
    let len = new.len() as u32;
    let answers = bed.ask(&[
        infer(&[1, 2]),
        Request::Info,
        // What is read back is the model.
        Request::ReadModel { offset: len - 8, len: 100 },
    ]);
    assert_eq!(answers[0], says(Response::Output { output: &[3, 6] }));
    assert!(answers[1].contains(&format!("model_bytes: {len}")), "{}", answers[1]);
    assert_eq!(answers[2], says(Response::Model { bytes: &new[new.len() - 8..] }));
}

#[test]
fn what_the_holder_of_the_key_has_not_signed_is_refused() {
    let new = model(2, 3, 3);
    let good = signed(&new, 7);
    let mut changed = good.clone();
    changed[60] ^= 1;
    let mut longer = good.clone();
    longer.extend([0; 4]);
    let rejected = |rejection| refused(RequestError::Rejected(rejection));
    for (what, sent, reason) in [
        ("unsigned", &*new, ModelRejected::Unsigned),
        ("signed by another", &signed(&new, 8), ModelRejected::Signature),
        ("changed", &changed, ModelRejected::Signature),
        ("a signature cut off", &good[..good.len() - 4], ModelRejected::Unreadable),
        ("a model cut off", &good[4..], ModelRejected::Unreadable),
        ("longer", &longer, ModelRejected::Unreadable),
        // A good signature does not make a bad model good.
        (
            "signed, but wrong",
            &signed(&model(2, 3, 4), 7),
            ModelRejected::SelfTest { vectors: 2, passed: 1 },
        ),
    ] {
        let mut bed = bed();
        let answers = bed.ask(&update(sent));
        assert_eq!(answers.last(), Some(&rejected(reason)), "{what}");
        let answers = bed.ask(&[infer(&[1, 2])]);
        assert_eq!(answers, [says(Response::Output { output: &[2, 4] })], "{what}");
    }
}

#[test]
fn an_older_version_is_taken_only_as_a_signed_downgrade() {
    let mut bed = bed();
    let mut send = |factor: i8, version, replaces| {
        let sent = signed_as(&model(2, factor, factor), 7, version, replaces);
        let last = bed.ask(&update(&sent)).pop().unwrap();
        (last, bed.ask(&[infer(&[1, 2])]).remove(0), bed.ask(&[Request::Info]).remove(0))
    };
    let older =
        |version, floor| refused(RequestError::Rejected(ModelRejected::Older { version, floor }));
    let runs = |factor: u8| says(Response::Output { output: &[factor, 2 * factor] });
    let (_, answer, info) = send(3, 5, 0);
    assert_eq!(answer, runs(3));
    assert!(
        info.contains("signed: Some(SignedInfo { version: Some(5), floor: 5, commands: false })"),
        "{info}"
    );
    let (last, answer, _) = send(4, 4, 0);
    assert_eq!((last, answer), (older(4, 5), runs(3)));
    // The same version again, a newer one, and what may replace less than there is.
    assert_eq!(send(5, 5, 0).1, runs(5));
    assert_eq!(send(6, 7, 0).1, runs(6));
    assert_eq!(send(4, 4, 6).0, older(4, 7));
    let (_, answer, info) = send(4, 4, 7);
    assert_eq!(answer, runs(4));
    assert!(info.contains("version: Some(4), floor: 7"), "{info}");
    // A downgrade opens no way for others.
    assert_eq!(send(5, 6, 0).0, older(6, 7));
    assert_eq!(send(8, 8, 0).1, runs(8));
}

/// The highest version is known after its slot was erased, whatever the power does.
#[test]
fn going_back_does_not_lower_the_version() {
    let mut bed = bed();
    bed.ask(&update(&signed_as(&model(2, 3, 3), 7, 5, 0)));
    bed.ask(&update(&signed_as(&model(2, 4, 4), 7, 9, 0)));
    bed.ask(&[Request::RollBack]);
    let begin = Request::UpdateBegin { len: 100 };
    let before = bed.flash.clone();
    for power in 1..200 {
        bed.flash = before.clone();
        bed.flash.as_mut().unwrap().power = power;
        // As far as the power lasts.
        bed.ask(&[begin]);
        bed.flash.as_mut().unwrap().power = usize::MAX;
        let answers = bed.ask(&[infer(&[1, 2]), Request::Info]);
        assert_eq!(answers[0], says(Response::Output { output: &[3, 6] }), "{power}");
        assert!(answers[1].contains("version: Some(5), floor: 9"), "{power}: {}", answers[1]);
    }
}
