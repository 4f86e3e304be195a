//! Updates of the model.

use super::*;

#[test]
fn an_update_takes_effect_at_the_next_start() {
    let mut bed = Bed::with_flash();
    let new = model(2, 3, 3);
    let mut requests = update(&new);
    requests.extend([infer(&[1, 2]), Request::Restart]);
    let answers = bed.ask(&requests);
    let count = requests.len();
    assert_eq!(answers[count - 4], says(Response::Done));
    assert!(answers[count - 3].starts_with("Updated"), "{}", answers[count - 3]);
    assert_eq!(answers[count - 2], says(Response::Output { output: &[2, 4] }), "not yet");
    assert_eq!((&*answers[count - 1], bed.restarts), (&*says(Response::Done), 1));
    let answers = bed.ask(&[infer(&[1, 2]), Request::Info, Request::RollBack]);
    assert_eq!(answers[0], says(Response::Output { output: &[3, 6] }));
    assert!(answers[1].contains("running: Some(0)") && answers[1].contains("updates: 1"));
    assert_eq!(answers[2], says(Response::Done));
    let answers = bed.ask(&[infer(&[1, 2]), Request::RollBack]);
    let expected =
        [says(Response::Output { output: &[2, 4] }), refused(RequestError::NothingBefore)];
    assert_eq!(answers, expected, "the built-in one");
}

/// One slot runs and the next start runs the other: neither is erased.
#[test]
fn an_update_waits_for_the_restart_when_both_slots_are_needed() {
    let models = [3, 4, 5].map(|factor| model(2, factor, factor));
    let mut bed = Bed::with_flash();
    bed.ask(&update(&models[0]));
    bed.ask(&update(&models[1]));
    let begin = Request::UpdateBegin { len: models[2].len() as u32 };
    // Going back from 4 to 3, and then an update that does not finish.
    let answers = bed.ask(&[Request::RollBack, begin]);
    assert_eq!(answers, [says(Response::Done), refused(RequestError::RestartFirst)]);
    assert_eq!(bed.ask(&[infer(&[1, 2]), begin])[0], says(Response::Output { output: &[3, 6] }));
    assert_eq!(bed.ask(&[infer(&[1, 2])]), [says(Response::Output { output: &[3, 6] })]);
    // An update that is accepted, and a second one before the restart.
    bed.ask(&[update(&models[1]), vec![begin]].concat());
    assert_eq!(bed.ask(&[infer(&[1, 2])]), [says(Response::Output { output: &[4, 8] })]);
}

#[test]
fn a_hang_in_an_update_costs_no_model() {
    let models = [3, 4, 5].map(|factor| model(2, factor, factor));
    let mut bed = Bed::with_flash();
    bed.ask(&update(&models[0]));
    bed.ask(&[Request::UpdateBegin { len: models[1].len() as u32 }]);
    bed.last = LastRun::Hung;
    assert_eq!(bed.ask(&[infer(&[1, 2])]), [says(Response::Output { output: &[3, 6] })]);
    bed.last = LastRun::Hung;
    assert_eq!(bed.ask(&[infer(&[1, 2])]), [says(Response::Output { output: &[2, 4] })]);
}

#[test]
fn bad_updates_leave_the_model_as_it_is() {
    let good = model(2, 3, 3);
    let failing = model(2, 3, 4);
    let (wide, large) = (model(40, 2, 2), vec![0; 2000]);
    let mut damaged = good.clone();
    damaged[50] ^= 4;
    let rejected = |rejection| refused(RequestError::Rejected(rejection));
    for (bad, reason) in [
        (&failing, rejected(ModelRejected::SelfTest { vectors: 2, passed: 1 })),
        (&damaged, rejected(ModelRejected::Unreadable)),
        (&wide, refused(RequestError::TooLarge { capacity: 768 })),
        (&large, refused(RequestError::TooLarge { capacity: 768 })),
    ] {
        let mut bed = Bed::with_flash();
        bed.ask(&update(&good));
        let answers = bed.ask(&update(bad));
        let wrong = answers.iter().find(|answer| **answer != says(Response::Done));
        assert_eq!(wrong, Some(&reason));
        assert_eq!(bed.ask(&[infer(&[1, 2])]), [says(Response::Output { output: &[3, 6] })]);
    }
}

#[test]
fn an_update_goes_from_its_beginning_to_its_end() {
    let good = model(2, 3, 3);
    let chunk =
        |offset, len| Request::UpdateChunk { offset, bytes: &good[offset as usize..][..len] };
    let len = good.len() as u32;
    let answers = Bed::with_flash().ask(&[
        chunk(0, 64),
        Request::UpdateFinish,
        Request::UpdateBegin { len },
        chunk(0, 64),
        chunk(0, 64),
        chunk(72, 16),
        chunk(64, 3),
        Request::UpdateFinish,
        chunk(64, good.len() - 64),
    ]);
    let done = || says(Response::Done);
    let out_of_order = || refused(RequestError::OutOfOrder { expected: 64 });
    assert_eq!(
        answers,
        [
            refused(RequestError::NoUpdate),
            refused(RequestError::NoUpdate),
            done(),
            done(),
            out_of_order(),
            out_of_order(),
            refused(RequestError::ChunkSize { unit: 4 }),
            refused(RequestError::Incomplete { missing: len - 64 }),
            done(),
        ]
    );
    let none = Bed::default().ask(&[Request::UpdateBegin { len }, Request::RollBack]);
    assert_eq!(none, [refused(RequestError::NoSlots), refused(RequestError::NoSlots)]);
}
