//! Whose models a device takes.
//!
//! With the feature `signed` a board can have a public key built in. It then takes only models that
//! the holder of the secret key has signed, at the end of an update and at every start; the model
//! that is built in needs no signature, since whoever can flash the board can replace the key, too.
//!
//! | bytes of an update, and of a slot | content |
//! |---|---|
//! | 0..n | the model file; n is the length that its header states |
//! | n..n + 64 | Ed25519 (RFC 8032, without context or prehash) of exactly these n bytes |
//!
//! What is not signed is not parsed beyond the length in its header. A signature says who made a
//! model, not that it is the newest: an older one that was signed is taken as well.

#[cfg(feature = "signed")]
use model_format::Header;

#[cfg(feature = "signed")]
use super::Rejection;

/// Bytes of a signature.
#[cfg(feature = "signed")]
pub const SIGNATURE_LEN: usize = 64;
/// Bytes of a public key.
#[cfg(feature = "signed")]
pub const PUBLIC_KEY_LEN: usize = 32;

/// Whose models a device takes, besides the one that is built in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// Anybody's.
    #[default]
    Anybody,
    /// Those that the holder of this key's secret half has signed.
    #[cfg(feature = "signed")]
    Holder([u8; PUBLIC_KEY_LEN]),
}

impl Trust {
    /// The model file of a slot whose model was checked before.
    pub fn model_file(self, slot: &[u8]) -> &[u8] {
        match self {
            Trust::Anybody => slot,
            #[cfg(feature = "signed")]
            Trust::Holder(_) => split(slot).map_or(&[], |(model, _)| model),
        }
    }

    /// The model file of what an update has brought, if it may be run.
    ///
    /// # Errors
    /// [`Rejection::Unsigned`], [`Rejection::Signature`], or [`Rejection::Unreadable`] for what is
    /// neither a model nor a model and a signature.
    #[cfg(feature = "signed")]
    pub fn check(self, slot: &[u8]) -> Result<&[u8], Rejection> {
        use ed25519_compact::{PublicKey, Signature};
        let Trust::Holder(key) = self else { return Ok(slot) };
        let header = Header::read(slot).map_err(|_| Rejection::Unreadable)?;
        if slot.len() == header.file_len {
            return Err(Rejection::Unsigned);
        }
        let (model, signature) = split(slot).ok_or(Rejection::Unreadable)?;
        match PublicKey::new(key).verify(model, &Signature::new(*signature)) {
            Ok(()) => Ok(model),
            Err(_) => Err(Rejection::Signature),
        }
    }

    /// The model file of what an update has brought: all of it.
    ///
    /// # Errors
    /// None, without the feature `signed`.
    #[cfg(not(feature = "signed"))]
    pub fn check(self, slot: &[u8]) -> Result<&[u8], super::Rejection> {
        Ok(slot)
    }
}

/// A model file, as long as its header says, and the signature behind it.
#[cfg(feature = "signed")]
fn split(slot: &[u8]) -> Option<(&[u8], &[u8; SIGNATURE_LEN])> {
    let (model, signature) = slot.split_last_chunk()?;
    (Header::read(model).ok()?.file_len == model.len()).then_some((model, signature))
}
