//! The self-tests that a model file contains.

use core::fmt;

use model_format::Capabilities;

use crate::Engine;

/// The output of a self-test differs from the one that the model file states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SelfTestError {
    /// The self-test, counted from 0.
    pub test: usize,
}

impl core::error::Error for SelfTestError {}

impl fmt::Display for SelfTestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "self-test {}: the output differs from the model file's. The memory with the model or \
             the program is damaged, or the build has a defect",
            self.test
        )
    }
}

impl<C: Capabilities> Engine<'_, '_, C> {
    /// Runs the self-tests of the model file, inputs with the outputs that the computer computed
    /// for them; returns their number, 0 if the file has none.
    ///
    /// # Errors
    /// [`SelfTestError`] for the first output that differs in any byte.
    ///
    /// # Example
    /// ```
    /// # fn main() -> Result<(), Box<dyn core::error::Error>> {
    /// thimble_nn::include_model!(WINE, "../../models/wine.thimble");
    /// let mut scratch = [0; 64];
    /// let mut engine = thimble_nn::Engine::new(WINE, &mut scratch)?;
    /// println!("{} self-tests passed", engine.self_test()?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn self_test(&mut self) -> Result<usize, SelfTestError> {
        let mut passed = 0usize;
        for test in self.model().self_tests() {
            match self.run_bytes(test.input) {
                // Not `==`, which brings C's `memcmp` along.
                Ok(output) if output.iter().eq(test.output) => passed = passed.wrapping_add(1),
                _ => return Err(SelfTestError { test: passed }),
            }
        }
        Ok(passed)
    }
}

#[cfg(test)]
mod tests {
    use model_format::Model;
    use model_format::build::ModelSpec;

    use crate::{Engine, SelfTestError};

    /// Runs the self-tests of the digits model after `change`.
    fn passed(change: impl FnOnce(&mut ModelSpec)) -> Result<usize, SelfTestError> {
        let model = Model::parse(include_bytes!("../../models/digits.thimble")).unwrap();
        let mut spec = ModelSpec::from(&model);
        change(&mut spec);
        let file = spec.to_bytes().unwrap();
        // The kernels read a model on a 4-byte boundary.
        let mut words = vec![0u32; file.len().div_ceil(4)];
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut words);
        bytes[..file.len()].copy_from_slice(&file);
        let model = Model::parse(&bytes[..file.len()]).unwrap();
        let mut scratch = vec![0; model.scratch_len()];
        Engine::new(model, &mut scratch).unwrap().self_test()
    }

    #[test]
    fn all_pass_and_none_is_no_error() {
        assert!(passed(|_| ()).is_ok_and(|passed| passed > 0));
        assert_eq!(passed(|spec| spec.self_tests.clear()), Ok(0));
    }

    #[test]
    fn the_first_output_that_differs_is_named() {
        let spoil = |spec: &mut ModelSpec| spec.self_tests[1].output[3] ^= 1;
        let error = passed(spoil).unwrap_err();
        assert_eq!(error, SelfTestError { test: 1 });
        assert!(error.to_string().starts_with("self-test 1: the output differs"), "{error}");
    }
}
