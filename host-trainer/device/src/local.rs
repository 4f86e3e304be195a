//! What this machine's engine says, to hold a device against.

use model_format::Model;
use thimble_nn::Engine;

use super::Error;

/// The CRC-32 of each layer's output for one input, as a device gives them.
///
/// # Errors
/// [`Error::Model`] if the engine here refuses the model or the input.
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

/// The first layer whose hashes differ, or that only one side has.
pub fn first_difference(device: &[u32], here: &[u32]) -> Option<usize> {
    let differ = device.iter().zip(here).position(|(device, here)| device != here);
    differ.or_else(|| (device.len() != here.len()).then_some(device.len().min(here.len())))
}

/// The error of a model or an input that the engine here refuses.
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
