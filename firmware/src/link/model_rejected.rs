//! Reasons for which a device does not take a model.

use core::fmt;

use model_format::WeightLayout;
use serde::{Deserialize, Serialize};

/// Rejection of a model by the device. New reasons are added at the end: the order is part of the
/// protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ModelRejected {
    /// It is no model, damaged, or beyond the limits of this build.
    Unreadable,
    /// No kernel of this build reads the weight layout of a layer.
    Layout {
        /// The layer, counted from 0.
        layer: u8,
        /// Its weight layout: the code in the file.
        layout: u8,
    },
    /// The model does not lie on a 4-byte boundary.
    Unaligned,
    /// The scratch memory is too small.
    Scratch {
        /// Words that it needs.
        needed: u32,
        /// Words that there are.
        given: u32,
    },
    /// An input or output does not fit into the buffers for frames.
    Frame {
        /// Bytes that a buffer would need.
        needed: u32,
        /// Bytes that it has.
        given: u32,
    },
    /// It does not give what its own test vectors expect.
    SelfTest {
        /// Test vectors in the model.
        vectors: u8,
        /// Test vectors that passed.
        passed: u8,
    },
    /// It carries no signature, and the device asks for one.
    Unsigned,
    /// Its signature is not one of this model by the key that the device has.
    Signature,
    /// It is older than a model that the device has accepted, and not signed as a downgrade.
    Older {
        /// The version that it was signed with.
        version: u32,
        /// The highest version that the device has accepted.
        floor: u32,
    },
}

impl core::error::Error for ModelRejected {}

impl fmt::Display for ModelRejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            ModelRejected::Unreadable => f.write_str(
                "it is no model, arrived damaged, or is beyond the limits of the device's firmware",
            ),
            ModelRejected::Layout { layer, layout } => {
                let found = WeightLayout::ALL.into_iter().find(|known| *known as u8 == layout);
                let name = found.map_or("such", |layout| layout.name());
                write!(
                    f,
                    "layer {layer}: the device's core reads no {name} weights: pack the model for it"
                )
            }
            ModelRejected::Unaligned => f.write_str("it does not lie on a 4-byte boundary"),
            ModelRejected::Scratch { needed, given } => write!(
                f,
                "it computes in {needed} words of memory, the device has {given}: build the \
                 firmware with THIMBLE_MODEL for it"
            ),
            ModelRejected::Frame { needed, given } => write!(
                f,
                "its inputs or outputs need frames of {needed} bytes, the device has {given}: \
                 build the firmware with THIMBLE_MODEL for it"
            ),
            ModelRejected::SelfTest { vectors, passed } => {
                write!(f, "only {passed} of its {vectors} test vectors passed on the device")
            }
            ModelRejected::Unsigned => f.write_str(
                "it is not signed, and the device takes only what the holder of its key has \
                 signed: update with --sign KEYFILE",
            ),
            ModelRejected::Signature => f.write_str(
                "its signature is not by the key that the device was built for, or the model was \
                 changed after it was signed",
            ),
            ModelRejected::Older { version, floor } => write!(
                f,
                "it was signed as version {version}, and the device has accepted version {floor}: \
                 sign a newer version, or a downgrade with --downgrade"
            ),
        }
    }
}
