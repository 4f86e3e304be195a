//! Any file of the type is refused or read, and what is read is a network whose outputs can be computed, with its own scales or with others.

use thimble_import::{Kind, Options, assemble, quantized, read_bytes, recognize};

/// Reads a file if it is of one of these types.
pub fn visit(file: &[u8], kinds: &[Kind]) {
    if !recognize(file).is_some_and(|kind| kinds.contains(&kind)) {
        return;
    }
    // Activations alone: state dicts with numbered layers are assembled.
    let options = Options { layers: Some("relu, softmax".into()) };
    match read_bytes(file, None, &options) {
        Ok(network) => {
            match assemble(&network) {
                Ok(assembled) => assert_eq!(assembled.network.inputs(), network.inputs()),
                Err(error) => assert!(!error.to_string().is_empty()),
            }
            if let Err(error) = quantized(&network) {
                assert!(!error.to_string().is_empty());
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
