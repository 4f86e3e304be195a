//! Starts that ended in a fault before the board served anybody, counted in memory that a reset
//! leaves alone: a model that faults at every start is given up.

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use firmware::slots::LastRun;

/// Faults in a row after which the newest model is revoked.
const GIVE_UP: u32 = 2;
/// Content of the marker word while power has not failed; other content means a cold start.
const VALID: u32 = 0x7b5e_11ed;

/// A word beyond the statics that start-up code sets.
#[unsafe(link_section = ".uninit.thimble_starting")]
static STARTING: AtomicU32 = AtomicU32::new(0);
/// The number of faults, and what makes it valid.
#[unsafe(link_section = ".uninit.thimble_faults")]
static FAULTS: [AtomicU32; 2] = [AtomicU32::new(0), AtomicU32::new(0)];

/// A start begins; how the run before ended, as far as this memory knows.
pub(crate) fn begin(hung: bool) -> LastRun {
    let faults = faults();
    STARTING.store(VALID, Relaxed);
    match faults {
        GIVE_UP.. => {
            set_faults(0);
            LastRun::NeverServed
        }
        _ if hung => LastRun::Hung,
        _ => LastRun::Ended,
    }
}

/// The start has come to its end: what faults from here on is no start.
pub(crate) fn served() {
    STARTING.store(0, Relaxed);
    set_faults(0);
}

/// The board faults or panics, and restarts.
pub fn fault() {
    if STARTING.load(Relaxed) == VALID {
        set_faults(faults() + 1);
    }
}

fn faults() -> u32 {
    let [faults, check] = [&FAULTS[0], &FAULTS[1]].map(|word| word.load(Relaxed));
    if faults ^ VALID == check && faults <= GIVE_UP { faults } else { 0 }
}

fn set_faults(faults: u32) {
    FAULTS[0].store(faults, Relaxed);
    FAULTS[1].store(faults ^ VALID, Relaxed);
}
