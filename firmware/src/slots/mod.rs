//! Slots: two places for models in flash, of which one is current whatever happens.
//!
//! A new model goes to a slot that neither runs nor is the one that the next start runs: it is
//! written in chunks, read back, checked whole, tested, and only then made current, by one record.
//! Power may fail at any instant: at the next start the newest slot with a sound record and a sound
//! model is current, the new one or the old. The old one stays as the way back, and is taken again
//! if the new one fails its self-test; behind both there is the model that is built into the
//! program. While one slot runs and the next start runs the other, both are needed, and an update
//! is refused until the device has restarted.
//!
//! ```text
//! slot   ┌─────────────────────┬───────────────────────┐
//!        │ header, 256 bytes   │ model file            │  a whole number of erase blocks
//!        └─────────────────────┴───────────────────────┘
//! ```
//!
//! | bytes | part | written | content |
//! |---|---|---|---|
//! | 0..32 | tally | after the erase | how often this slot and the other have been erased |
//! | 32..64 | record | when an update ends | sequence number, length, CRC-32 that the model file states of itself, version, highest version accepted |
//! | 64..96 | seen | at the first start that finds the record | 0xa5 |
//! | 96..128 | revoked | when the model is no longer to be started | 0xa5; anything but ones revokes |
//! | 128..160 | closed | at the first start that finds no model to start | 0xa5 |
//! | 160..256 | notes | before the other slot is erased, if it alone knows the highest version | version, its complement |
//!
//! Words are little-endian. Tally and record end in the CRC-32 of their first 28 bytes, of which
//! those that are not used are ones.
//!
//! **Hangs.** Before an update erases a slot, it writes zeros over closed and record. A slot that is
//! neither seen nor closed tells the next start that something was about to change since the one
//! before: an update, or going back. If the watchdog has ended that, no model is blamed for it.
//!
//! **Sequence numbers** count updates from 1; behind 2³² − 1 comes 1 again. Of two records that one
//! is newer which is less than 2³¹ steps ahead, as RFC 1982 compares. A record that was revoked keeps
//! its number from being given again. After both slots are gone (erased by a programmer) numbers
//! start at 1, erase counts and the highest version at 0.
//!
//! Where a device asks for signatures, version and signature lie behind the model file and count to
//! its length.

mod flash;
mod header;
mod start;
mod update;

pub use flash::{MappedFlash, NoFlash, Slots, SlotsError};
pub use header::{HEADER_LEN, Record};
pub use start::{LastRun, Started};
pub use update::{Accepted, FinishError, Update, UpdateError, Written};

#[cfg(test)]
mod model_check;
#[cfg(test)]
pub(crate) mod simulated;
#[cfg(test)]
mod tests;
