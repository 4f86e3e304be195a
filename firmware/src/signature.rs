//! Signature policies, and the verification of signed models.
//!
//! With the feature `signed` a board can have a public key built in. It then takes only models that
//! the holder of the secret key has signed, at the end of an update and at every start; the model
//! that is built in needs no signature, since whoever can flash the board can replace the key, too.
//!
//! | bytes of an update, and of a slot | content |
//! |---|---|
//! | 0..n | the model file; n is the length that its header states |
//! | n..n + 4 | `THMS` |
//! | n + 4..n + 8 | version, little-endian: never smaller than that of the model before |
//! | n + 8..n + 12 | highest version that it may replace although its own is smaller |
//! | n + 12..n + 76 | Ed25519 (RFC 8032, without context or prehash) of exactly the n + 12 bytes before |
//!
//! An update without a good signature is not parsed beyond the length in its header.
//!
//! **Versions.** The device keeps the highest version that it has accepted, in the records of its
//! slots. An update with a smaller one is refused, unless its owner has signed that it may replace
//! that version: a downgrade. The version is asked for when an update ends, not at a start: going
//! back to the model in the other slot stays possible.

#[cfg(feature = "signed")]
use model_format::Header;

use crate::link::ModelRejected;

/// Bytes of a signature.
#[cfg(feature = "signed")]
pub const SIGNATURE_LEN: usize = 64;
/// The first bytes of what lies between a model file and its signature.
#[cfg(feature = "signed")]
pub const VERSION_MAGIC: [u8; 4] = *b"THMS";
/// Bytes between a model file and its signature.
#[cfg(feature = "signed")]
pub const VERSION_LEN: usize = 12;
/// Bytes of a public key.
#[cfg(feature = "signed")]
pub const PUBLIC_KEY_LEN: usize = 32;

/// An update whose signature was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checked<'b> {
    /// The model file.
    pub file: &'b [u8],
    /// The version that it was signed with; 0 where nobody signs.
    pub version: u32,
    /// The highest version that it may replace although its own is smaller.
    pub replaces: u32,
}

/// Signatures that a device asks for. The model that is built in needs none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignaturePolicy {
    /// Models need no signature.
    #[default]
    NotRequired,
    /// Models need a signature by the secret half of this key.
    #[cfg(feature = "signed")]
    Required([u8; PUBLIC_KEY_LEN]),
    /// Models and [commands](crate::link::Command) need a signature by the secret half of this key.
    #[cfg(feature = "signed-commands")]
    RequiredForCommands([u8; PUBLIC_KEY_LEN]),
}

impl SignaturePolicy {
    /// The key that models are signed with, if they need a signature.
    #[must_use]
    #[cfg(feature = "signed")]
    pub fn key(self) -> Option<[u8; PUBLIC_KEY_LEN]> {
        match self {
            SignaturePolicy::NotRequired => None,
            SignaturePolicy::Required(key) => Some(key),
            #[cfg(feature = "signed-commands")]
            SignaturePolicy::RequiredForCommands(key) => Some(key),
        }
    }

    /// The key that commands are signed with, if they need a signature.
    #[must_use]
    #[cfg(feature = "signed")]
    pub fn command_key(self) -> Option<[u8; PUBLIC_KEY_LEN]> {
        match self {
            SignaturePolicy::NotRequired | SignaturePolicy::Required(_) => None,
            #[cfg(feature = "signed-commands")]
            SignaturePolicy::RequiredForCommands(key) => Some(key),
        }
    }

    /// The model file in a slot whose content was verified before.
    #[must_use]
    pub fn model_file(self, slot: &[u8]) -> &[u8] {
        #[cfg(feature = "signed")]
        if self.key().is_some() {
            return split(slot).map_or(&[], |(checked, _)| checked.file);
        }
        slot
    }

    /// Verifies an update, and splits it into model file and version.
    ///
    /// # Errors
    /// [`ModelRejected::Unsigned`], [`ModelRejected::Signature`], or [`ModelRejected::Unreadable`] for what is
    /// neither a model nor a model and a signature.
    #[cfg(feature = "signed")]
    pub fn check(self, slot: &[u8]) -> Result<Checked<'_>, ModelRejected> {
        use ed25519_compact::{PublicKey, Signature};
        let Some(key) = self.key() else {
            return Ok(Checked { file: slot, version: 0, replaces: 0 });
        };
        let header = Header::read(slot).map_err(|_| ModelRejected::Unreadable)?;
        if slot.len() == header.file_len {
            return Err(ModelRejected::Unsigned);
        }
        let (checked, signature) = split(slot).ok_or(ModelRejected::Unreadable)?;
        let signed = slot.get(..slot.len().saturating_sub(SIGNATURE_LEN)).unwrap_or_default();
        match PublicKey::new(key).verify(signed, &Signature::new(*signature)) {
            Ok(()) => Ok(checked),
            Err(_) => Err(ModelRejected::Signature),
        }
    }

    /// Splits an update into model file and version: all of it is the model file.
    ///
    /// # Errors
    /// None, without the feature `signed`.
    #[cfg(not(feature = "signed"))]
    pub fn check(self, slot: &[u8]) -> Result<Checked<'_>, ModelRejected> {
        Ok(Checked { file: slot, version: 0, replaces: 0 })
    }
}

/// Splits a model file, as long as its header states, and its version from the signature behind.
#[cfg(feature = "signed")]
fn split(slot: &[u8]) -> Option<(Checked<'_>, &[u8; SIGNATURE_LEN])> {
    let (signed, signature) = slot.split_last_chunk()?;
    let (file, version) = signed.split_last_chunk::<VERSION_LEN>()?;
    let (magic, numbers) = version.split_first_chunk::<4>()?;
    let (version, replaces) = numbers.split_first_chunk::<4>()?;
    let (version, replaces) =
        (u32::from_le_bytes(*version), u32::from_le_bytes(*replaces.first_chunk()?));
    (*magic == VERSION_MAGIC && Header::read(file).ok()?.file_len == file.len())
        .then_some((Checked { file, version, replaces }, signature))
}
