//! The inference engine of devices, for use on the host.

use model_format::Model;
use thimble_nn::{Engine, EngineError, InputError};

/// The inference engine of devices, with its own scratch memory.
///
/// Its methods have no type parameters, so that the kernels are compiled with this crate's
/// optimization and not the caller's.
#[derive(Clone, Debug)]
pub struct HostEngine<'m> {
    model: Model<'m>,
    scratch: Vec<u32>,
}

impl<'m> HostEngine<'m> {
    /// Makes an engine for a model.
    ///
    /// # Errors
    /// Those of [`Engine::new`].
    pub fn new(model: &Model<'m>) -> Result<Self, EngineError> {
        let mut scratch = vec![0; model.scratch_len()];
        Engine::new(model.clone(), &mut scratch)?;
        Ok(HostEngine { model: model.clone(), scratch })
    }

    /// Runs the model on the bytes of its input and returns the bytes of its output.
    ///
    /// # Errors
    /// [`InputError::ByteLength`].
    pub fn run(&mut self, input: &[u8]) -> Result<Vec<u8>, InputError> {
        self.run_traced(input, &mut |_, _| ())
    }

    /// Runs the model as [`run`](Self::run) does, and calls `trace` with the index and output bytes
    /// of each layer.
    ///
    /// # Errors
    /// [`InputError::ByteLength`].
    pub fn run_traced(
        &mut self,
        input: &[u8],
        trace: &mut dyn FnMut(usize, &[u8]),
    ) -> Result<Vec<u8>, InputError> {
        match Engine::new(self.model.clone(), &mut self.scratch) {
            Ok(mut engine) => engine.run_traced(input, trace).map(<[u8]>::to_vec),
            // Unreachable: `new` has made an engine of the same model and memory.
            Err(_) => Err(InputError::DataType),
        }
    }
}
