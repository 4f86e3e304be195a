//! Operator sets: the subset of the format that a build reads and computes.
//!
//! A board that fixes its model at build time names what the model uses, and the compiler leaves
//! out the rest: of the parser, of the checks, of the engine. A model that needs more is refused.

use crate::{DataType, Dense, Encoding, Layer, Model, WeightLayout, WeightType};

/// Kinds of inputs and layers, weight layouts and precisions, as a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpSet {
    /// A bit for each weight layout, counted by its code in the file.
    pub layouts: u32,
    /// Whether biases and multipliers of any layer have 16 bits each.
    pub compact: bool,
    /// Whether there is code of its own for [small layers](Dense::is_small): where all dense layers are,
    /// which run twice as fast by it. In other models it would save little.
    pub small: bool,
    /// Whether any values have 16 bits.
    pub int16: bool,
    /// Whether there are element-wise functions.
    pub table: bool,
    /// Whether there is a softmax.
    pub softmax: bool,
    /// Whether the input is raw counts.
    pub counts: bool,
    /// Whether the input is real numbers.
    pub reals: bool,
    /// Whether names, units and the like are checked and can be read.
    pub details: bool,
}

impl OpSet {
    /// All that the format has.
    pub const ALL: OpSet = OpSet {
        layouts: u32::MAX,
        compact: true,
        small: true,
        int16: true,
        table: true,
        softmax: true,
        counts: true,
        reals: true,
        details: true,
    };

    /// Exactly what an engine needs to run a model.
    pub fn of(model: &Model<'_>) -> Self {
        let input = model.input();
        let int16 = input.quantization.data_type == DataType::Int16;
        let counts = matches!(input.encoding, Encoding::Counts(_));
        let reals = matches!(input.encoding, Encoding::Reals(_));
        let none = OpSet {
            layouts: 0,
            compact: false,
            small: true,
            int16,
            table: false,
            softmax: false,
            counts,
            reals,
            details: false,
        };
        let used = model.layers().fold(none, |used, layer| used.with(&layer));
        OpSet { small: used.small && used.layouts != 0, ..used }
    }

    fn with(mut self, layer: &Layer<'_>) -> Self {
        match layer {
            Layer::Dense(dense) => {
                self.layouts |= 1 << dense.layout as u8;
                self.compact |= dense.is_compact;
                self.small &= dense.is_small();
            }
            Layer::Table(_) => self.table = true,
            Layer::Softmax(_) => self.softmax = true,
        }
        self.int16 |= layer.output().data_type == DataType::Int16;
        self
    }

    /// Returns whether weights of this layout are in the set.
    pub const fn reads(self, layout: WeightLayout) -> bool {
        self.layouts >> layout as u8 & 1 != 0
    }

    /// Returns whether any layout of weights of this type is in the set.
    pub(crate) const fn reads_type(self, weight_type: WeightType) -> bool {
        let mut index = 0;
        while index < WeightLayout::ALL.len() {
            let layout = WeightLayout::ALL[index];
            // Enumerations cannot be compared in a constant function, their numbers can.
            if self.reads(layout) && layout.weight_type() as u8 == weight_type as u8 {
                return true;
            }
            index += 1;
        }
        false
    }

    /// The layout of a layer, as a constant where the set leaves but one.
    #[inline(always)]
    pub(crate) const fn specialize(self, layout: WeightLayout) -> WeightLayout {
        if !self.layouts.is_power_of_two() {
            return layout;
        }
        match WeightLayout::from_code(self.layouts.trailing_zeros()) {
            Some(only) => only,
            None => layout,
        }
    }
}

/// The choice of [`OpSet`] for a [`Model`] and what runs it, known to the compiler.
pub trait Capabilities {
    /// The operators of the build.
    const OPS: OpSet;
}

/// Every operator.
#[derive(Clone, Copy, Debug)]
pub struct AllOps;

impl Capabilities for AllOps {
    const OPS: OpSet = OpSet::ALL;
}

impl Dense<'_> {
    /// The same layer; the compiler sees its layout and data type where `C` leaves but one.
    #[inline(always)]
    pub fn specialize<C: Capabilities>(mut self) -> Self {
        self.layout = C::OPS.specialize(self.layout);
        self.is_compact &= C::OPS.compact;
        if !C::OPS.int16 {
            self.input.data_type = DataType::Int8;
            self.output.data_type = DataType::Int8;
        }
        self
    }

    /// The same layer, of which this is the layout; the compiler sees it, and that rows of int8 weights
    /// are not compact.
    #[inline(always)]
    pub fn known_as(mut self, layout: WeightLayout) -> Self {
        self.layout = layout;
        if !layout.may_be_compact() {
            self.is_compact = false;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_has_every_layout() {
        assert!(WeightLayout::ALL.iter().all(|layout| OpSet::ALL.reads(*layout)));
        let one = OpSet { layouts: 1 << WeightLayout::Pairs4 as u8, ..OpSet::ALL };
        assert!(one.reads(WeightLayout::Pairs4) && !one.reads(WeightLayout::RowMajor));
    }

    #[test]
    fn one_layout_is_known_and_of_more_none() {
        let only = |layout| OpSet { layouts: 1 << layout as u8, ..OpSet::ALL };
        for layout in WeightLayout::ALL {
            assert_eq!(only(layout).specialize(WeightLayout::RowMajor), layout);
            assert_eq!(OpSet::ALL.specialize(layout), layout);
        }
    }
}
