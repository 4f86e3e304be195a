//! Whether the target's kernels read a model.

use std::env;
use std::fmt;

use model_format::{Kernels, Layer, Model, WeightLayout};

/// A layer that no kernel of the target reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FitError {
    /// The layer, counted from 0.
    pub layer: usize,
    /// Its weight layout.
    pub layout: WeightLayout,
    /// The target.
    pub target: String,
}

impl std::error::Error for FitError {}

impl fmt::Display for FitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FitError { layer, layout, target } = self;
        write!(
            f,
            "layer {layer} has {} weights, which no kernel for {target} reads: pack the model for \
             this core with `host-trainer pack MODEL --for CORE`",
            layout.name()
        )
    }
}

/// Checks that kernels of the target read each layer of a model.
///
/// # Errors
/// [`FitError`] for the first layer that none reads.
pub fn check(model: &Model<'_>, kernels: &Kernels) -> Result<(), FitError> {
    for (index, layer) in model.layers().enumerate() {
        if let Layer::Dense(dense) = layer
            && !kernels.read(&dense)
        {
            let target = env::var("TARGET").unwrap_or_else(|_| "this target".into());
            return Err(FitError { layer: index, layout: dense.layout, target });
        }
    }
    Ok(())
}

/// The kernels of the target, as the build script of `thimble-nn` chose them; all where the package
/// that is being built does not depend on it directly.
pub fn kernels() -> Kernels {
    env::var("DEP_THIMBLE_NN_KERNELS")
        .map_or(Kernels::HOST, |names| Kernels::named(names.split(',')))
}
