//! Whether a model may run here.

use core::fmt;

use serde::{Deserialize, Serialize};
use thimble_nn::{Engine, EngineError, Model, WeightLayout};

use super::{Checked, SignaturePolicy};
use crate::link::{SelfTestReport, frame_len};

/// Bytes that a device has for frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buffers {
    /// For the longest request.
    pub receive: usize,
    /// For the longest answer.
    pub send: usize,
}

/// Why a model may not run here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ModelRejected {
    /// It is no model, damaged, or beyond the limits of this build.
    Unreadable,
    /// The weights of a layer lie as no kernel of this build reads them.
    Layout {
        /// The layer, counted from 0.
        layer: u8,
        /// How its weights lie: the code in the file.
        layout: u8,
    },
    /// The model does not lie on a 4-byte boundary.
    Unaligned,
    /// There is too little memory to compute in.
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
        /// Of these, how many passed.
        passed: u8,
    },
    /// It carries no signature, and the device asks for one.
    #[cfg(feature = "signed")]
    Unsigned,
    /// Its signature is not one of this model by the key that the device has.
    #[cfg(feature = "signed")]
    Signature,
    /// It is older than a model that the device has accepted, and not signed as a downgrade.
    #[cfg(feature = "signed")]
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
            #[cfg(feature = "signed")]
            ModelRejected::Unsigned => f.write_str(
                "it is not signed, and the device takes only what the holder of its key has \
                 signed: update with --sign KEYFILE",
            ),
            #[cfg(feature = "signed")]
            ModelRejected::Signature => f.write_str(
                "its signature is not by the key that the device was built for, or the model was \
                 changed after it was signed",
            ),
            #[cfg(feature = "signed")]
            ModelRejected::Older { version, floor } => write!(
                f,
                "it was signed as version {version}, and the device has accepted version {floor}: \
                 sign a newer version, or a downgrade with --downgrade"
            ),
        }
    }
}

impl From<EngineError> for ModelRejected {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Scratch { needed, given } => {
                ModelRejected::Scratch { needed: needed as u32, given: given as u32 }
            }
            EngineError::Layout { layer, layout } => {
                ModelRejected::Layout { layer: layer as u8, layout: layout as u8 }
            }
            EngineError::Unaligned => ModelRejected::Unaligned,
            _ => ModelRejected::Unreadable,
        }
    }
}

/// What is kept of a model that may run here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The CRC-32 that the model states of itself.
    pub checksum: u32,
    /// The version that it was signed with; 0 where nobody signs.
    pub version: u32,
}

/// Asks of what an update has brought whether its maker is trusted, reads the model whole, and runs
/// its own test vectors in `scratch`.
///
/// `floor` is the version that it must have reached; `None` at a start, when it was asked before.
///
/// # Errors
/// [`ModelRejected`], whatever the bytes are.
pub fn accept(
    bytes: &[u8],
    scratch: &mut [u32],
    buffers: Buffers,
    policy: SignaturePolicy,
    floor: Option<u32>,
) -> Result<Accepted, ModelRejected> {
    let Checked { file, version, replaces } = policy.check(bytes)?;
    #[cfg(feature = "signed")]
    if let Some(floor) = floor.filter(|floor| version < *floor && replaces < *floor) {
        return Err(ModelRejected::Older { version, floor });
    }
    #[cfg(not(feature = "signed"))]
    let _ = (floor, replaces);
    let model = Model::parse(file).map_err(|_| ModelRejected::Unreadable)?;
    for (values, given) in
        [(model.raw_input_bytes(), buffers.receive), (model.output_bytes(), buffers.send)]
    {
        let needed = frame_len(values);
        if needed > given {
            return Err(ModelRejected::Frame { needed: needed as u32, given: given as u32 });
        }
    }
    let checksum = model.checksum();
    let SelfTestReport { vectors, passed } = self_test(&mut Engine::new(model, scratch)?);
    match passed == vectors {
        true => Ok(Accepted { checksum, version }),
        false => Err(ModelRejected::SelfTest { vectors, passed }),
    }
}

/// Runs the model's own test vectors.
pub fn self_test(engine: &mut Engine<'_, '_>) -> SelfTestReport {
    let tests = engine.model().self_tests();
    let mut report = SelfTestReport { vectors: 0, passed: 0 };
    for test in tests {
        report.vectors = report.vectors.saturating_add(1);
        if engine.run_bytes(test.input).is_ok_and(|output| output == test.output) {
            report.passed = report.passed.saturating_add(1);
        }
    }
    report
}
