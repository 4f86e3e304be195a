//! Measured code sizes and stack usage, from which predictions are computed.

use std::collections::BTreeMap;
use std::fmt::Write;

use model_format::{OpSet, WeightLayout};
use serde::Deserialize;

use super::{ChipError, Costs};

/// Measurements, written by `cargo run -p thimble-tests --bin sizes`.
const FIGURES: &str = include_str!("measured.toml");

/// Memory of the parts of the minimal image, in bytes.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Measured {
    /// Maximum stack usage, over all emulated cores.
    pub stack: u64,
    /// Code sizes per target of the Rust compiler.
    pub targets: BTreeMap<String, Code>,
    /// RAM of boards with the device application, per target.
    pub boards: BTreeMap<String, BoardRam>,
    /// Cycles of the parts of an inference, per data type of the weights and core with published
    /// timings.
    pub cycles: BTreeMap<String, BTreeMap<String, Costs>>,
    /// Executed instructions of the parts of an inference with weights of int8, per core.
    pub instructions: BTreeMap<String, Costs>,
    /// Those of an inference of small layers of int8.
    pub small: SmallCosts,
}

/// Costs of the parts of an inference of layers with weights of int8 that the core runs whole
/// ([`Dense::is_small`](model_format::Dense::is_small)).
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
pub struct SmallCosts {
    /// Cycles, per core with published timings.
    pub cycles: BTreeMap<String, Costs>,
    /// Executed instructions, per core that has code for such layers.
    pub instructions: BTreeMap<String, Costs>,
}

/// RAM of a board with the device application without the memory that depends on the model, in
/// bytes. The boards' build script reads the same measurements.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub struct BoardRam {
    /// Static RAM without scratch memory and frames.
    pub statics: u64,
    /// Maximum stack usage, over all requests, an update and the following start.
    pub stack: u64,
    /// Maximum stack usage with signature checks.
    pub stack_signed: u64,
}

/// Memory of the parts of the image for one target, in bytes.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Code {
    /// Static RAM without the scratch memory.
    pub ram: u64,
    /// Additional flash where all dense layers are small.
    pub small: u64,
    /// Additional flash for 16-bit activations.
    pub int16: u64,
    /// Additional flash for element-wise functions.
    pub table: u64,
    /// Additional flash for softmax.
    pub softmax: u64,
    /// Additional flash for the channels of raw counts.
    pub counts: u64,
    /// Additional flash for the channels of real numbers.
    pub reals: u64,
    /// Flash of an image per weight layout, by the layout's code in the file format.
    pub layouts: Vec<(u8, u64)>,
    /// Flash of an image with several weight layouts.
    pub several: u64,
}

impl Measured {
    /// Parses the measurements that are built into this program.
    ///
    /// # Errors
    /// [`ChipError::Figures`] if the built-in file is damaged.
    pub fn read() -> Result<Self, ChipError> {
        toml::from_str(FIGURES).map_err(|error| ChipError::Figures(error.to_string()))
    }

    /// Formats the measurements as TOML.
    pub fn to_toml(&self) -> String {
        let mut text = format!(
            "# Bytes of flash and RAM that parts of firmware/boards/minimal take, with the profile\n\
             # `small`. Written by `cargo run -p thimble-tests --bin sizes`.\n\
             stack = {}\n",
            self.stack
        );
        for (target, code) in &self.targets {
            let Code { ram, small, int16, table, softmax, counts, reals, layouts, several } = code;
            let layouts: Vec<String> =
                layouts.iter().map(|(layout, bytes)| format!("[{layout}, {bytes}]")).collect();
            // Writing to a string cannot fail.
            let _ = write!(
                text,
                "\n[targets.\"{target}\"]\nram = {ram}\nsmall = {small}\nint16 = {int16}\ntable = {table}\n\
                 softmax = {softmax}\ncounts = {counts}\nreals = {reals}\nlayouts = [{}]\nseveral = {several}\n",
                layouts.join(", ")
            );
        }
        for (target, board) in &self.boards {
            let BoardRam { statics, stack, stack_signed } = board;
            let _ = write!(
                text,
                "\n[boards.\"{target}\"]\nstatics = {statics}\nstack = {stack}\n\
                 stack_signed = {stack_signed}\n"
            );
        }
        text.push_str(
            "\n# Cycles by the timings of `tests/cycles`, at memory without wait states, and executed \
             instructions,\n# of networks of small layers apart: of a call, a layer, four inputs of a \
             layer, a tile of four rows, a\n# row beside the tiles, four weights of each row of a tile, \
             four weights of a row beside the tiles.",
        );
        let cycles =
            self.cycles.iter().map(|(weights, costs)| (format!("cycles.{weights}"), costs));
        let others = [
            ("instructions", &self.instructions),
            ("small.cycles", &self.small.cycles),
            ("small.instructions", &self.small.instructions),
        ];
        for (name, costs) in cycles.chain(others.map(|(name, costs)| (name.to_string(), costs))) {
            let _ = write!(text, "\n[{name}]\n");
            for (core, Costs(costs)) in costs {
                let _ = writeln!(text, "{core} = {costs:?}");
            }
        }
        text
    }
}

impl Code {
    /// Returns the flash of an image for this weight layout, if the core has a kernel for it.
    pub fn layout(&self, layout: WeightLayout) -> Option<u64> {
        let found = self.layouts.iter().find(|(code, _)| *code == layout as u8);
        found.map(|(_, bytes)| *bytes)
    }

    /// Returns the flash of an image with these operators, without the model.
    pub fn of(&self, used: OpSet) -> u64 {
        // With one layout the compiler generates constants; with two, code that selects.
        let mut layouts = WeightLayout::ALL.into_iter().filter(|layout| used.reads(*layout));
        let dense = match (layouts.next(), layouts.next()) {
            (Some(only), None) => self.layout(only).unwrap_or(self.several),
            _ => self.several,
        };
        let native =
            self.layouts.first().is_some_and(|(layout, _)| used.layouts >> layout & 1 != 0);
        let more = [
            (used.small && native, self.small),
            (used.int16, self.int16),
            (used.table, self.table),
            (used.softmax, self.softmax),
            (used.counts, self.counts),
            (used.reals, self.reals),
        ];
        dense + more.iter().filter(|(used, _)| *used).map(|(_, bytes)| bytes).sum::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_as_they_were_written() {
        let measured = Measured::read().unwrap();
        assert_eq!(measured.to_toml(), FIGURES);
    }

    #[test]
    fn parts_add_up() {
        let layouts = vec![(0, 4000), (3, 5000)];
        let (small, int16, table, softmax, counts, reals) = (700, 1, 20, 300, 600, 50);
        let code =
            Code { ram: 4, small, int16, table, softmax, counts, reals, layouts, several: 9000 };
        let mut used = OpSet {
            layouts: 1 << 3,
            small: false,
            int16: true,
            table: false,
            softmax: true,
            counts: false,
            reals: false,
            details: false,
            compact: false,
        };
        assert_eq!(code.of(used), 5000 + 1 + 300);
        used.layouts |= 1;
        assert_eq!(code.of(used), 9000 + 1 + 300);
        used.counts = true;
        assert_eq!(code.of(used), 9000 + 1 + 300 + 600);
        used.reals = true;
        assert_eq!(code.of(used), 9000 + 1 + 300 + 600 + 50);
        // Code for small layers reads the core's own layout, which comes first.
        used.small = true;
        assert_eq!(code.of(used), 9000 + 700 + 1 + 300 + 600 + 50);
        used.layouts = 1 << 3;
        assert_eq!(code.of(used), 5000 + 1 + 300 + 600 + 50);
        assert_eq!(code.layout(WeightLayout::Sparse), None);
    }
}
