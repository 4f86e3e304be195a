//! Every sequence of requests, power cuts and hangs, against a model of what must be current.
//!
//! The states of flash and device that differ in anything that the slots read are visited, until
//! there is no new one: all sequences of six requests are among the paths there, and longer ones.
//! The remains in a slot without a record, which the slots never read, differ between sequences
//! that are held for the same; random sequences without that simplification are tried beside them.

use std::collections::{HashSet, VecDeque};
use std::fmt;

use super::header::{HEADER_LEN, Part};
use super::simulated::{BLOCK, FIRST_HALF, Failure, NOTHING, SECOND_HALF, Simulated};
use super::{Accepted, FinishError, LastRun, Slots, Update, UpdateError};

/// Bytes of every model; each byte is the model's number.
const MODEL_LEN: usize = 2 * CHUNK_LEN;
const CHUNK_LEN: usize = 160;
const BLOCKS: usize = 6;

/// A request, and how the device may end besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Request {
    Begin,
    Chunk,
    Finish {
        good: bool,
    },
    RollBack,
    Restart,
    /// The watchdog restarts it while it does nothing.
    Hang,
    /// Several starts have ended in faults.
    Faults,
}

const REQUESTS: [Request; 8] = [
    Request::Begin,
    Request::Chunk,
    Request::Finish { good: true },
    Request::Finish { good: false },
    Request::RollBack,
    Request::Restart,
    Request::Hang,
    Request::Faults,
];

/// An end at an operation of the flash, counted from 1, of which that much still happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Cut {
    operation: usize,
    tear: u64,
    /// By the watchdog; otherwise by the power.
    hung: bool,
}

/// The models that must be current.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Expected {
    /// The models that are installed, oldest first: the next start runs the last.
    kept: Vec<u8>,
    /// Whether an update has begun or ended, or the device was to go back, since the last start.
    changing: bool,
}

impl Expected {
    fn next(&self) -> Option<u8> {
        self.kept.last().copied()
    }

    fn started(mut self, last: LastRun) -> Self {
        let blamed = match last {
            LastRun::Ended => false,
            LastRun::Hung => !self.changing,
            LastRun::NeverServed => true,
        };
        if blamed {
            self.kept.pop();
        }
        self.changing = false;
        self
    }
}

/// A device, and what may be current on it: more than one model only while it is off.
#[derive(Clone)]
struct State<const UNIT: usize> {
    flash: Simulated<UNIT>,
    /// The end of the last run, of a device that is off.
    off: Option<LastRun>,
    running: Option<usize>,
    runs: Option<u8>,
    refused: [bool; 2],
    update: Option<(Update, u8)>,
    possible: Vec<Expected>,
}

impl<const UNIT: usize> fmt::Debug for State<UNIT> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let records = [0, 1].map(|slot| self.slots().header(slot).map(|header| header.record()));
        let State { off, running, runs, update, possible, .. } = self;
        write!(f, "{records:?} {off:?} {running:?} {runs:?} {update:?} {possible:?}")
    }
}

impl<const UNIT: usize> State<UNIT> {
    fn new() -> Self {
        State {
            flash: Simulated::erased(BLOCKS),
            off: Some(LastRun::Ended),
            running: None,
            runs: None,
            refused: [false; 2],
            update: None,
            possible: vec![Expected { kept: vec![], changing: true }],
        }
    }

    fn slots(&self) -> Slots<Simulated<UNIT>> {
        let mut slots = Slots::new(self.flash.clone()).unwrap();
        (slots.running, slots.refused) = (self.running, self.refused);
        slots
    }

    /// All that the slots read, and what must be current.
    fn key(&self) -> impl Eq + std::hash::Hash + use<UNIT> {
        let slots = self.slots();
        let written = [0, 1].map(|slot| slots.header(slot).unwrap().written());
        let newer = match written {
            [Some(first), Some(second)] => second.is_newer_than(&first),
            _ => false,
        };
        let of_slot = [0, 1].map(|slot| {
            let header = slots.header(slot).unwrap();
            let record = header.record().map(|record| record.checksum);
            let closed = header.takes_mark(Part::Closed);
            (record, written[slot].is_some(), header.is_settled(), closed)
        });
        let update =
            self.update.as_ref().map(|(update, id)| (update.slot(), update.missing(), *id));
        let off = self.off.map(|last| last as u8);
        (of_slot, newer, off, self.running, self.runs, self.refused, update, self.possible.clone())
    }

    /// A number that no model has which is installed or runs.
    fn free_number(&self) -> u8 {
        let used = |id| self.runs == Some(id) || self.possible.iter().any(|e| e.kept.contains(&id));
        (1..).find(|id| !used(*id)).unwrap()
    }

    /// The state after a request, and how many operations of the flash it took; none where the
    /// request makes no sense.
    fn after(&self, request: Request, cut: Option<Cut>) -> Option<(Self, usize)> {
        let mut next = self.clone();
        next.flash.operations = 0;
        next.flash.power = cut.map_or(usize::MAX, |cut| cut.operation);
        next.flash.tear = cut.map_or(0, |cut| cut.tear);
        let last = match (self.off, request) {
            (Some(last), Request::Restart) => Some(last),
            (Some(_), _) => return None,
            (None, Request::Restart) => Some(LastRun::Ended),
            (None, Request::Hang) => Some(LastRun::Hung),
            (None, Request::Faults) => Some(LastRun::NeverServed),
            (None, _) => None,
        };
        let mut slots = next.slots();
        let was_cut = match last {
            Some(last) => next.start(&mut slots, last),
            None => next.answer(&mut slots, request)?,
        };
        next.refused = slots.refused;
        next.flash = slots.into_flash();
        let operations = next.flash.operations;
        assert!(!next.possible.is_empty(), "{request:?} {cut:?} in {:?}", self);
        assert_eq!(was_cut, cut.is_some(), "{request:?} {cut:?}");
        if let Some(cut) = cut {
            next.possible.extend(self.possible.iter().cloned());
            // A start that ends early may have blamed somebody, and may have settled the rest.
            for unsettled in next.possible.clone() {
                next.possible.push(Expected { changing: false, ..unsettled });
            }
            // Nothing at all of it has happened: nobody can know that it was an update.
            let unknown = cut.operation == 1 && cut.tear == NOTHING;
            if last.is_none() && !unknown {
                next.possible.iter_mut().for_each(|expected| expected.changing = true);
            }
            next.off = Some(if cut.hung { LastRun::Hung } else { LastRun::Ended });
            (next.running, next.runs, next.refused, next.update) = (None, None, [false; 2], None);
        }
        next.possible.sort_by(|a, b| (&a.kept, a.changing).cmp(&(&b.kept, b.changing)));
        next.possible.dedup();
        if let (Some(slot), None) = (self.running, last) {
            let from = slot * BLOCKS / 2 * BLOCK + HEADER_LEN;
            let model = &next.flash.bytes[from..][..MODEL_LEN];
            assert!(model.iter().all(|byte| Some(*byte) == self.runs), "{request:?}: overwritten");
        }
        (next.flash.power, next.flash.tear) = (usize::MAX, 0);
        Some((next, operations))
    }

    /// Starts the device; whether it was cut off.
    fn start(&mut self, slots: &mut Slots<Simulated<UNIT>>, last: LastRun) -> bool {
        let started = slots.start(last, is_whole);
        self.possible = self.possible.iter().map(|e| e.clone().started(last)).collect();
        if slots.flash.power == 0 {
            return true;
        }
        (self.off, self.update) = (None, None);
        self.running = slots.running;
        self.runs = started.slot.map(|slot| slots.model(slot).unwrap()[0]);
        assert!(started.flash_works);
        let runs = self.runs;
        let before = std::mem::take(&mut self.possible);
        self.possible.extend(before.iter().filter(|e| e.next() == runs).cloned());
        assert!(!self.possible.is_empty(), "{last:?}: {runs:?} runs; expected {before:?}");
        false
    }

    /// Does what is asked of a device that runs; whether it was cut off.
    fn answer(&mut self, slots: &mut Slots<Simulated<UNIT>>, request: Request) -> Option<bool> {
        let (runs, id) = (self.runs, self.free_number());
        let result = match request {
            Request::Begin => {
                self.update = None;
                let both = |e: &Expected| runs.is_some() && e.next().is_some() && e.next() != runs;
                let begun = slots.begin(MODEL_LEN as u32);
                let refused = matches!(begun, Err(UpdateError::RestartFirst));
                // Which of the older models an update that was cut off has left shows here.
                self.possible.retain(|expected| both(expected) == refused);
                match begun {
                    Err(UpdateError::RestartFirst) => return Some(false),
                    Err(UpdateError::Flash(error)) => Err(error),
                    begun => {
                        self.update = Some((begun.unwrap(), id));
                        Ok(())
                    }
                }
            }
            Request::Chunk => {
                let (update, id) = self.update.as_mut().filter(|(u, _)| u.missing() > 0)?;
                let offset = MODEL_LEN as u32 - update.missing();
                match slots.write(update, offset, &[*id; CHUNK_LEN]) {
                    Err(UpdateError::Flash(error)) => Err(error),
                    written => {
                        written.unwrap();
                        Ok(())
                    }
                }
            }
            Request::Finish { good } => {
                let (update, id) = self.update.take().filter(|(u, _)| u.missing() == 0)?;
                let finished = slots.finish(update, |bytes| {
                    assert!(is_whole(bytes));
                    let accepted = Accepted { checksum: id.into(), version: 0 };
                    good.then_some(accepted).ok_or("refused")
                });
                if good {
                    self.possible.iter_mut().for_each(|expected| expected.kept.push(id));
                    match finished {
                        Err(FinishError::Flash(error)) => Err(error),
                        finished => {
                            finished.unwrap();
                            Ok(())
                        }
                    }
                } else {
                    assert_eq!(finished, Err(FinishError::Rejected("refused")));
                    return Some(false);
                }
            }
            Request::RollBack => {
                self.update = None;
                let any = slots.roll_back();
                self.possible.retain_mut(|expected| {
                    let had_some = expected.kept.pop().is_some();
                    any.is_err() || any == Ok(had_some)
                });
                if any == Ok(false) {
                    return Some(false);
                }
                any.map(|_| ())
            }
            Request::Restart | Request::Hang | Request::Faults => return None,
        };
        for expected in &mut self.possible {
            if request == Request::Begin {
                let next = expected.next();
                expected.kept.retain(|id| Some(*id) == runs || Some(*id) == next);
            }
            expected.changing = true;
        }
        match result {
            Ok(()) => Some(false),
            Err(Failure::PowerCut) => Some(true),
            other => panic!("{request:?}: {other:?}"),
        }
    }
}

/// The acceptance of a model at a start.
fn is_whole(bytes: &[u8]) -> bool {
    bytes.len() == MODEL_LEN && bytes.iter().all(|byte| *byte == bytes[0] && *byte != 0)
}

#[test]
fn whatever_happens_the_right_model_is_current() {
    // Parts of a header are written at once: fewer operations, and no other order of them.
    let first = State::<32>::new();
    let mut known = HashSet::from([first.key()]);
    let mut queue = VecDeque::from([(first, 0)]);
    let (mut transitions, mut deepest) = (0, 0);
    let mut visit = |next: State<32>, depth: usize, queue: &mut VecDeque<(State<32>, usize)>| {
        transitions += 1;
        if known.insert(next.key()) {
            deepest = deepest.max(depth);
            queue.push_back((next, depth));
        }
    };
    while let Some((state, depth)) = queue.pop_front() {
        for request in REQUESTS {
            let Some((next, operations)) = state.after(request, None) else { continue };
            visit(next, depth + 1, &mut queue);
            for operation in 1..=operations {
                for tear in [NOTHING, FIRST_HALF, SECOND_HALF, 1, 2] {
                    for hung in [false, true] {
                        let cut = Cut { operation, tear, hung };
                        let (next, _) = state.after(request, Some(cut)).unwrap();
                        visit(next, depth + 1, &mut queue);
                    }
                }
            }
        }
    }
    println!("{} states, {transitions} transitions, {deepest} requests deep", known.len());
    assert!(deepest >= 6 && known.len() > 100, "{deepest} requests deep, {} states", known.len());
}

#[test]
fn random_sequences_on_a_flash_that_writes_words() {
    let mut random = 1u64;
    let mut below = |limit: usize| {
        random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (random >> 33) as usize % limit
    };
    let walks = if cfg!(miri) { 5 } else { 4000 };
    for _ in 0..walks {
        let (mut state, _) = State::<4>::new().after(Request::Restart, None).unwrap();
        for _ in 0..24 {
            let request = REQUESTS[below(REQUESTS.len())];
            let Some((whole, operations)) = state.after(request, None) else { continue };
            state = match below(4) {
                0 if operations > 0 => {
                    let (operation, hung) = (1 + below(operations), below(2) == 0);
                    let cut = Cut { operation, tear: below(1 << 20) as u64, hung };
                    state.after(request, Some(cut)).unwrap().0
                }
                _ => whole,
            };
        }
    }
}
