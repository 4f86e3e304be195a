//! The device's engine with memory of its own.

use model_format::Model;
use thimble_nn::{Engine, EngineError, InputError};

/// The engine that devices run, with scratch memory of its own.
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

    /// Runs the model on the bytes of its input; returns those of its output.
    ///
    /// # Errors
    /// [`InputError::ByteLength`].
    pub fn run(&mut self, input: &[u8]) -> Result<Vec<u8>, InputError> {
        self.run_traced(input, &mut |_, _| ())
    }

    /// Runs the model as [`run`](Self::run) does, and shows the bytes of each layer's output to
    /// `trace`, with the layer's index.
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
            // `new` has made one of the same model and memory.
            Err(_) => Err(InputError::DataType),
        }
    }
}
