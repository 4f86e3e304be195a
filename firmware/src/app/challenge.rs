//! Challenges of signed commands.
//!
//! With the feature `signed-commands` a board with a public key can ask for a signature of the
//! commands to go back to the model before and to restart, by the key that models are signed with.
//! The computer asks for a nonce, signs the [`Command`] with it, and sends command and signature.
//!
//! A nonce is for one signature, whether that is good or not; the next challenge and a restart
//! replace it. It comes from the board's source of random numbers, so that a recorded command is
//! good for nothing.

use ed25519_compact::{PublicKey, Signature};

use super::Board;
use crate::link::{Command, NONCE_LEN, RequestError};
use crate::signature::SignaturePolicy;

/// The nonce of the next signed command, if one was issued.
#[derive(Default)]
pub(super) struct Challenge(Option<[u8; NONCE_LEN]>);

impl Challenge {
    /// Makes a nonce, which replaces the one before.
    ///
    /// # Errors
    /// [`RequestError::UnknownRequest`] where commands need no signature, [`RequestError::NoEntropy`] where
    /// the board has no random numbers.
    pub fn issue(&mut self, board: &mut impl Board) -> Result<[u8; NONCE_LEN], RequestError> {
        self.0 = None;
        board.signature_policy().command_key().ok_or(RequestError::UnknownRequest)?;
        let nonce = board.entropy().ok_or(RequestError::NoEntropy)?;
        self.0 = Some(nonce);
        Ok(nonce)
    }

    /// Checks the signature of a command with the nonce, which is forgotten.
    ///
    /// # Errors
    /// [`RequestError::UnknownRequest`] where commands need no signature, [`RequestError::NoChallenge`] or
    /// [`RequestError::CommandSignature`].
    pub fn redeem(
        &mut self,
        policy: SignaturePolicy,
        command: Command,
        signature: &[u8],
    ) -> Result<(), RequestError> {
        let key = policy.command_key().ok_or(RequestError::UnknownRequest)?;
        let nonce = self.0.take().ok_or(RequestError::NoChallenge)?;
        Signature::from_slice(signature)
            .and_then(|signature| {
                PublicKey::new(key).verify(command.signed_bytes(nonce), &signature)
            })
            .map_err(|_| RequestError::CommandSignature)
    }
}

/// Refuses a command without a signature where it needs one.
///
/// # Errors
/// [`RequestError::CommandUnsigned`], or [`RequestError::NoEntropy`] where no signature would help.
pub(super) fn unsigned(board: &mut impl Board) -> Result<(), RequestError> {
    match board.signature_policy().command_key() {
        None => Ok(()),
        Some(_) if board.entropy().is_none() => Err(RequestError::NoEntropy),
        Some(_) => Err(RequestError::CommandUnsigned),
    }
}
