//! What a board with a public key takes and what it refuses.

use ed25519_compact::{KeyPair, Seed};

use super::*;

fn signed(model: &[u8], seed: u8) -> Vec<u8> {
    let key = KeyPair::from_seed(Seed::new([seed; 32]));
    [model, &*key.sk.sign(model, None)].concat()
}

fn bed() -> Bed {
    let key = KeyPair::from_seed(Seed::new([7; 32]));
    Bed { trust: Trust::Holder(*key.pk), ..Bed::with_flash() }
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
    let rejected = |rejection| refused(Refusal::Rejected(rejection));
    for (what, sent, reason) in [
        ("unsigned", &*new, Rejection::Unsigned),
        ("signed by another", &signed(&new, 8), Rejection::Signature),
        ("changed", &changed, Rejection::Signature),
        ("a signature cut off", &good[..good.len() - 4], Rejection::Unreadable),
        ("a model cut off", &good[4..], Rejection::Unreadable),
        ("longer", &longer, Rejection::Unreadable),
        // A good signature does not make a bad model good.
        (
            "signed, but wrong",
            &signed(&model(2, 3, 4), 7),
            Rejection::SelfTest { vectors: 2, passed: 1 },
        ),
    ] {
        let mut bed = bed();
        let answers = bed.ask(&update(sent));
        assert_eq!(answers.last(), Some(&rejected(reason)), "{what}");
        let answers = bed.ask(&[infer(&[1, 2])]);
        assert_eq!(answers, [says(Response::Output { output: &[2, 4] })], "{what}");
    }
}
