//! Acceptance of models: signature, format, memory, self-test.

use thimble_nn::{Engine, EngineError, Model};

use crate::link::{ModelRejected, SelfTestReport, frame_len};
use crate::signature::{Checked, SignaturePolicy};
use crate::slots::Accepted;

/// Bytes that a device has for frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buffers {
    /// For the longest request.
    pub receive: usize,
    /// For the longest answer.
    pub send: usize,
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

/// Checks the signature of an update where `policy` asks for one, parses the model, and runs its own
/// test vectors in `scratch`.
///
/// `floor` is the lowest version that is accepted; `None` at a start, for a model that was accepted
/// before.
///
/// # Errors
/// [`ModelRejected`], on any bytes.
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
