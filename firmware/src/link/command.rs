//! Commands that a device may ask a signature of.
//!
//! | bytes that are signed | content |
//! |---|---|
//! | 0..4 | `THMC`, with which no model file begins |
//! | 4 | the command: 0 to go back, 1 to restart |
//! | 5..21 | the nonce |
//!
//! The signature is Ed25519 (RFC 8032, without context or prehash), as that of a model.

use serde::{Deserialize, Serialize};

/// Bytes of a nonce.
pub const NONCE_LEN: usize = 16;
/// The first bytes of what is signed for a command.
pub const COMMAND_MAGIC: [u8; 4] = *b"THMC";
/// Bytes that are signed for a command.
pub const COMMAND_LEN: usize = COMMAND_MAGIC.len() + 1 + NONCE_LEN;

/// A command that a device may ask a signature of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Have the model before run from the next start on.
    RollBack,
    /// Restart.
    Restart,
}

impl Command {
    /// The bytes that are signed.
    #[must_use]
    pub fn signed_bytes(self, nonce: [u8; NONCE_LEN]) -> [u8; COMMAND_LEN] {
        let mut bytes = [0; COMMAND_LEN];
        let content = COMMAND_MAGIC.into_iter().chain([self as u8]).chain(nonce);
        bytes.iter_mut().zip(content).for_each(|(byte, value)| *byte = value);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_that_are_signed_are_pinned() {
        let nonce = *b"0123456789abcdef";
        assert_eq!(Command::RollBack.signed_bytes(nonce), *b"THMC\x000123456789abcdef");
        assert_eq!(Command::Restart.signed_bytes(nonce), *b"THMC\x010123456789abcdef");
    }
}
