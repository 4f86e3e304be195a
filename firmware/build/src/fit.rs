//! Check of a model against the target's kernels.

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
    /// The core to pack for, as `host-trainer pack --for` takes it.
    pub core: &'static str,
}

impl std::error::Error for FitError {}

impl fmt::Display for FitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FitError { layer, layout, target, core } = self;
        write!(
            f,
            "layer {layer} has {} weights, which no kernel for {target} reads. Pack the model for \
             this core with `host-trainer pack MODEL --for {core} -o PACKED`",
            layout.name()
        )?;
        match target.starts_with("thumbv8m.main") && *core == "cortex-m3" {
            true => f.write_str(
                ", or compile with `-C target-cpu=cortex-m33` if the core has DSP instructions, \
                 which this target alone does not promise",
            ),
            false => Ok(()),
        }
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
            let core = core(&names().unwrap_or_default());
            return Err(FitError { layer: index, layout: dense.layout, target, core });
        }
    }
    Ok(())
}

/// The kernels of the target, as the build script of `thimble-nn` chose them; all where the package
/// that is being built does not depend on it directly.
pub fn kernels() -> Kernels {
    names().map_or(Kernels::HOST, |names| Kernels::named(names.split(',')))
}

/// The names of the kernels, with commas between them, where they are known.
fn names() -> Option<String> {
    env::var("DEP_THIMBLE_NN_KERNELS").ok()
}

/// The core with these kernels.
fn core(names: &str) -> &'static str {
    let cores = [
        ("mve", "cortex-m55"),
        ("dsp", "cortex-m4"),
        ("v7m", "cortex-m3"),
        ("v6m", "cortex-m0"),
        ("rv32", "rv32"),
    ];
    let found = cores.iter().find(|(kernel, _)| names.split(',').any(|name| name == *kernel));
    found.map_or("any", |(_, core)| core)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remedy_names_the_core_and_what_the_target_does_not_promise() {
        let error = |target: &str, names| {
            let (layout, target) = (WeightLayout::Pairs4, target.into());
            FitError { layer: 1, layout, target, core: core(names) }.to_string()
        };
        let m4 = error("thumbv7em-none-eabihf", "dsp,");
        assert!(m4.contains("layer 1") && m4.contains("--for cortex-m4"), "{m4}");
        assert!(!m4.contains("target-cpu"), "{m4}");
        let m33 = error("thumbv8m.main-none-eabihf", "v7m,");
        assert!(m33.contains("target-cpu=cortex-m33"), "{m33}");
        assert_eq!(core("dsp,mve,"), "cortex-m55");
        assert_eq!(core(""), "any");
    }
}
