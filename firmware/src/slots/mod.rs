//! Two places for models in flash, of which one is current whatever happens.
//!
//! A new model goes to the slot that is not current: it is written in chunks, read back, checked
//! whole, tested, and only then made current, by one record. Power may fail at any instant: at the
//! next start the newest slot with a sound record and a sound model is current, the new one or
//! the old. The old one stays as the way back, and is taken again if the new one fails its
//! self-test; behind both there is the model that is built into the program.
//!
//! ```text
//! slot   ┌────────┬─────────┬───────────────────────┐
//!        │ record │ revoked │ model file            │  a whole number of erase blocks
//!        └────────┴─────────┴───────────────────────┘
//! byte   0        32        64
//! ```
//!
//! | bytes | content |
//! |---|---|
//! | 0..4 | sequence number, from 1; the larger one is current |
//! | 4..8 | length of the model file |
//! | 8..12 | CRC-32 that the model file states of itself |
//! | 12..16 | how often the slot has been erased |
//! | 16..28 | all ones |
//! | 28..32 | CRC-32 of bytes 0..16 |
//! | 32..64 | all ones; anything else revokes the slot |
//!
//! Where a device asks for signatures (see [`Trust`](crate::app::Trust)), the signature lies behind
//! the model file and counts to its length.

mod flash;
mod record;
mod update;

pub use flash::{MappedFlash, NoFlash, Slots, SlotsError};
pub use record::{HEADER_LEN, Record};
pub use update::{Update, UpdateError, Written};

#[cfg(test)]
pub(crate) mod simulated;
#[cfg(test)]
mod tests;
