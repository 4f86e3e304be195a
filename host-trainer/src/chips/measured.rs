//! The measured figures that predictions are made of.

use std::collections::BTreeMap;
use std::fmt::Write;

use model_format::{OpSet, WeightLayout};
use serde::Deserialize;

use super::ChipError;

/// The figures, as `cargo run -p thimble-tests --bin sizes` wrote them.
const FIGURES: &str = include_str!("measured.toml");

/// What parts of the minimal image take, in bytes.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Measured {
    /// Stack at its deepest, the most of all cores that are emulated.
    pub stack: u64,
    /// The rest, for each target that Rust compiles for.
    pub targets: BTreeMap<String, Code>,
    /// RAM of boards whose application answers requests, for each target.
    pub boards: BTreeMap<String, BoardRam>,
}

/// RAM that a board with the device application takes beside what depends on the model, in bytes.
/// The boards' build script reads the same figures.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub struct BoardRam {
    /// Static RAM beside scratch memory and frames.
    pub statics: u64,
    /// Stack at its deepest, over all requests, an update and the start after it.
    pub stack: u64,
    /// The same where signatures are checked.
    pub stack_signed: u64,
}

/// What parts of the image take for one target, in bytes.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Code {
    /// Static RAM beside the scratch memory.
    pub ram: u64,
    /// Flash that values of 16 bits take, in addition.
    pub int16: u64,
    /// Flash that element-wise functions take, in addition.
    pub table: u64,
    /// Flash that softmax takes, in addition.
    pub softmax: u64,
    /// Flash that reading the channels of counts takes, in addition.
    pub counts: u64,
    /// Flash that the channels of real numbers take, in addition.
    pub reals: u64,
    /// Flash of an image for one weight layout, by its code in the file.
    pub layouts: Vec<(u8, u64)>,
    /// Flash of an image for more layouts than one.
    pub several: u64,
}

impl Measured {
    /// The figures that this program has.
    ///
    /// # Errors
    /// [`ChipError::Figures`] if the file in the sources is damaged.
    pub fn read() -> Result<Self, ChipError> {
        toml::from_str(FIGURES).map_err(|error| ChipError::Figures(error.to_string()))
    }

    /// The figures as a file.
    pub fn to_toml(&self) -> String {
        let mut text = format!(
            "# Bytes of flash and RAM that parts of firmware/boards/minimal take, with the profile\n\
             # `small`. Written by `cargo run -p thimble-tests --bin sizes`.\n\
             stack = {}\n",
            self.stack
        );
        for (target, code) in &self.targets {
            let Code { ram, int16, table, softmax, counts, reals, layouts, several } = code;
            let layouts: Vec<String> =
                layouts.iter().map(|(layout, bytes)| format!("[{layout}, {bytes}]")).collect();
            // Writing to a string cannot fail.
            let _ = write!(
                text,
                "\n[targets.\"{target}\"]\nram = {ram}\nint16 = {int16}\ntable = {table}\n\
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
        text
    }
}

impl Code {
    /// Flash of an image for this weight layout, if the core has a kernel for it.
    pub fn layout(&self, layout: WeightLayout) -> Option<u64> {
        let found = self.layouts.iter().find(|(code, _)| *code == layout as u8);
        found.map(|(_, bytes)| *bytes)
    }

    /// Flash of an image with these operators, without the model.
    pub fn of(&self, used: OpSet) -> u64 {
        // Of one layout the compiler makes constants; of two, code that asks which.
        let mut layouts = WeightLayout::ALL.into_iter().filter(|layout| used.reads(*layout));
        let dense = match (layouts.next(), layouts.next()) {
            (Some(only), None) => self.layout(only).unwrap_or(self.several),
            _ => self.several,
        };
        let more = [
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
        let (int16, table, softmax, counts, reals) = (1, 20, 300, 600, 50);
        let code = Code { ram: 4, int16, table, softmax, counts, reals, layouts, several: 9000 };
        let mut used = OpSet {
            layouts: 1 << 3,
            int16: true,
            table: false,
            softmax: true,
            counts: false,
            reals: false,
            details: false,
        };
        assert_eq!(code.of(used), 5000 + 1 + 300);
        used.layouts |= 1;
        assert_eq!(code.of(used), 9000 + 1 + 300);
        used.counts = true;
        assert_eq!(code.of(used), 9000 + 1 + 300 + 600);
        used.reals = true;
        assert_eq!(code.of(used), 9000 + 1 + 300 + 600 + 50);
        assert_eq!(code.layout(WeightLayout::Sparse), None);
    }
}
