//! What an engine has to be able to compute.
//!
//! A board that fixes its model at build time names what the model uses, and the compiler leaves
//! out the rest. [`Engine::new`](crate::Engine::new) refuses a model that needs more.

use model_format::{Layer, Model, Precision, WeightLayout};

/// Kernels and operators, as a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operators {
    /// A bit for each weight layout, counted by its code in the file.
    pub layouts: u16,
    /// Whether dense layers have outputs of 16 bits.
    pub int16: bool,
    /// Whether there are element-wise functions.
    pub table: bool,
    /// Whether there is a softmax.
    pub softmax: bool,
}

impl Operators {
    /// All that this build has.
    pub const ALL: Operators =
        Operators { layouts: u16::MAX, int16: true, table: true, softmax: true };

    /// Exactly what a model uses.
    pub fn of(model: &Model<'_>) -> Self {
        let none = Operators { layouts: 0, int16: false, table: false, softmax: false };
        model.layers().fold(none, |used, layer| used.with(&layer))
    }

    const fn with(mut self, layer: &Layer<'_>) -> Self {
        match layer {
            Layer::Dense(dense) => {
                self.layouts |= 1 << dense.layout as u8;
                self.int16 |= matches!(dense.output.precision, Precision::Int16);
            }
            Layer::Table(_) => self.table = true,
            Layer::Softmax(_) => self.softmax = true,
        }
        self
    }

    /// Whether weights of this layout are in the set.
    pub const fn reads(self, layout: WeightLayout) -> bool {
        self.layouts >> layout as u8 & 1 != 0
    }

    /// Whether all that a layer uses is in the set.
    pub(crate) fn runs(self, layer: &Layer<'_>) -> bool {
        self.with(layer) == self
    }
}

/// The choice of [`Operators`] for an [`Engine`](crate::Engine), known to the compiler.
pub trait Choice {
    /// What is in it.
    const OPERATORS: Operators;
}

/// Every operator.
#[derive(Clone, Copy, Debug)]
pub struct All;

impl Choice for All {
    const OPERATORS: Operators = Operators::ALL;
}

#[cfg(test)]
mod tests {
    use model_format::Softmax;

    use super::*;

    #[test]
    fn all_has_every_layout() {
        assert!(WeightLayout::ALL.iter().all(|layout| Operators::ALL.reads(*layout)));
        let one = Operators { layouts: 1 << WeightLayout::Pairs4 as u8, ..Operators::ALL };
        assert!(one.reads(WeightLayout::Pairs4) && !one.reads(WeightLayout::RowMajor));
        assert_eq!(Softmax::OUTPUT.precision, Precision::Int8);
    }
}
