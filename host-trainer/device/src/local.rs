//! Layer outputs of the host's engine, for comparison with a device.

use model_format::Model;
use thimble_nn::Engine;

use super::Error;

/// Returns the CRC-32 of each layer's output for one input, in the device's format.
///
/// # Errors
/// [`Error::Model`] if the engine refuses the model or the input.
pub fn trace(model: &Model<'_>, input: &[u8]) -> Result<Vec<u32>, Error> {
    let mut scratch = vec![0; model.scratch_len()];
    let mut engine = Engine::new(model.clone(), &mut scratch).map_err(refused)?;
    let mut hashes = Vec::new();
    let run = engine.run_traced(input, |_, output| {
        let mut hash = flate2::Crc::new();
        hash.update(output);
        hashes.push(hash.sum());
    });
    run.map_err(refused)?;
    Ok(hashes)
}

/// Returns the first layer whose hashes differ, or that only one side has.
pub fn first_difference(device: &[u32], here: &[u32]) -> Option<usize> {
    let differ = device.iter().zip(here).position(|(device, here)| device != here);
    differ.or_else(|| (device.len() != here.len()).then_some(device.len().min(here.len())))
}

/// Converts a refusal by the host's engine.
pub fn refused(error: impl std::fmt::Display) -> Error {
    Error::Model(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_found() {
        assert_eq!(first_difference(&[1, 2], &[1, 2]), None);
        assert_eq!(first_difference(&[1, 2, 3], &[1, 5, 4]), Some(1));
        assert_eq!(first_difference(&[1], &[1, 5]), Some(1));
    }
}
