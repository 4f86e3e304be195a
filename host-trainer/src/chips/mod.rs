//! Chips, and predictions of the flash, the RAM and the time that a model takes on them.
//!
//! The predicted image is `firmware/boards/minimal`: the checks of the format, the engine with only
//! the operators that the model uses, and the model itself. The code sizes are measured
//! (`measured.toml`), and a test compares the predictions with built images.
//! Cycles are those of a model of the core, by constants that were fitted to emulated images.

mod cycles;
mod measured;
mod waits;

use firmware::link::frame_len;
use model_format::{Model, OpSet, WeightLayout};

pub use cycles::{Costs, NoTime, PARTS, Time};
pub use measured::{BoardRam, Code, Measured, SmallCosts};
pub use waits::{Waits, WaitsError, measured_wait};

use self::cycles::Kind;
use crate::pack::Core;

/// A chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chip {
    /// Name.
    pub name: &'static str,
    /// Core, as `pack` takes it.
    pub core: Core,
    /// Name of the core in the vendor's documentation.
    pub core_name: &'static str,
    /// Target of the measurements: the chip's, or one with the same kernels and instructions.
    pub target: &'static str,
    /// Core whose timings apply, as `tests/cycles` names it, where timings are published.
    pub timing: Option<&'static str>,
    /// Highest clock of the core that the vendor specifies, in MHz; of an FE310, that of its board.
    pub clock_mhz: u64,
    /// Flash in bytes; for chips without internal flash, that of the usual board.
    pub flash: u64,
    /// Contiguous RAM in bytes.
    pub ram: u64,
}

const KB: u64 = 1 << 10;
const V6M: &str = "thumbv6m-none-eabi";
const V7EM: &str = "thumbv7em-none-eabihf";
const RV32: &str = "riscv32imac-unknown-none-elf";

/// All supported chips.
pub const CHIPS: [Chip; 11] = [
    chip("nRF51822", Core::CortexM0, "Cortex-M0", V6M, Some("m0"), 16, [256, 16]),
    chip("RP2040", Core::CortexM0, "Cortex-M0+", V6M, Some("m0plus"), 133, [2048, 264]),
    chip("nRF52832", Core::CortexM4, "Cortex-M4F", V7EM, Some("m4"), 64, [512, 64]),
    chip("nRF52840", Core::CortexM4, "Cortex-M4F", V7EM, Some("m4"), 64, [1024, 256]),
    chip("STM32F411", Core::CortexM4, "Cortex-M4F", V7EM, Some("m4"), 100, [512, 128]),
    chip("STM32F446", Core::CortexM4, "Cortex-M4F", V7EM, Some("m4"), 180, [512, 128]),
    chip("STM32H743", Core::CortexM7, "Cortex-M7", V7EM, None, 480, [2048, 512]),
    // The Cortex-M33 runs the M4's kernels and instructions.
    chip("nRF5340", Core::CortexM33, "Cortex-M33", V7EM, Some("m33"), 128, [1024, 512]),
    chip("RP2350", Core::CortexM33, "Cortex-M33", V7EM, Some("m33"), 150, [4096, 520]),
    chip("FE310", Core::Rv32, "RV32IMAC", RV32, Some("fe310"), 16, [4096, 16]),
    // It lacks RV32IMAC's atomic instructions, which the engine does not use.
    chip("ESP32-C3", Core::Rv32, "RV32IMC", RV32, Some("esp32c3"), 160, [4096, 400]),
];

const fn chip(
    name: &'static str,
    core: Core,
    core_name: &'static str,
    target: &'static str,
    timing: Option<&'static str>,
    clock_mhz: u64,
    [flash_kb, ram_kb]: [u64; 2],
) -> Chip {
    let (flash, ram) = (flash_kb * KB, ram_kb * KB);
    Chip { name, core, core_name, target, timing, clock_mhz, flash, ram }
}

/// Reason why no prediction is possible.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChipError {
    /// The chip is unknown.
    #[error("unknown chip {name}. Known chips: {known}")]
    Unknown {
        /// The requested name.
        name: String,
        /// The known names.
        known: String,
    },
    /// The core has no kernel for the weights of a layer.
    #[error(
        "layer {layer}: {chip} has no kernel for {} weights. Pack the model with `host-trainer \
         pack MODEL --for {core} -o PACKED`", layout.name()
    )]
    Layout {
        /// Number of the layer among those with weights, from 0.
        layer: usize,
        /// Layout of its weights.
        layout: WeightLayout,
        /// Name of the chip.
        chip: &'static str,
        /// Core of the chip, as `pack --for` takes it.
        core: String,
    },
    /// There are no measurements for the chip's target.
    #[error("there are no measurements for {0}. Run `cargo run -p thimble-tests --bin sizes`")]
    Target(&'static str),
    /// The measurements cannot be parsed.
    #[error("the measurements of chips cannot be read: {0}")]
    Figures(String),
}

/// Memory that a model takes on a chip, in bytes, and the time of an inference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prediction {
    /// Vectors, code and constants.
    pub code: u64,
    /// The model file.
    pub model: u64,
    /// Scratch memory of the engine.
    pub scratch: u64,
    /// Other static memory.
    pub statics: u64,
    /// Maximum stack usage, for checking and running the model.
    pub stack: u64,
    /// RAM of a board with the device application.
    pub board: BoardPrediction,
    /// Time of an inference.
    pub time: Result<Time, NoTime>,
}

/// RAM of a board with the device application and a model, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BoardPrediction {
    /// Scratch memory, frames and other statics.
    pub statics: u64,
    /// Maximum stack usage with a margin.
    pub stack: u64,
    /// Maximum stack usage with signature checks and a margin.
    pub stack_signed: u64,
}

impl BoardPrediction {
    /// Returns the total RAM, with signature checks or without.
    pub fn ram(&self, signed: bool) -> u64 {
        self.statics + if signed { self.stack_signed } else { self.stack }
    }

    /// Returns whether the chip has enough RAM.
    pub fn fits(&self, chip: &Chip, signed: bool) -> bool {
        self.ram(signed) <= chip.ram
    }
}

/// Stack that the boards' build script adds to the measurement.
const STACK_MARGIN: u64 = 256;

impl Prediction {
    /// Returns the total flash.
    pub fn flash(&self) -> u64 {
        self.code + self.model
    }

    /// Returns the total RAM.
    pub fn ram(&self) -> u64 {
        self.scratch + self.statics + self.stack
    }

    /// Returns whether the chip has enough flash and RAM.
    pub fn fits(&self, chip: &Chip) -> bool {
        self.flash() <= chip.flash && self.ram() <= chip.ram
    }
}

impl Chip {
    /// Finds a chip by its name, case-insensitively.
    ///
    /// # Errors
    /// [`ChipError::Unknown`] with the known names.
    pub fn named(name: &str) -> Result<&'static Chip, ChipError> {
        CHIPS.iter().find(|chip| chip.name.eq_ignore_ascii_case(name)).ok_or_else(|| {
            let known = CHIPS.map(|chip| chip.name).join(", ");
            ChipError::Unknown { name: name.into(), known }
        })
    }

    /// Predicts the memory that a model takes on this chip, and its time, with the waits for memory
    /// that were contributed.
    ///
    /// # Errors
    /// [`ChipError::Layout`] if the model is packed for another core.
    pub fn predict(&self, model: &Model<'_>) -> Result<Prediction, ChipError> {
        self.predict_with(model, &Waits::contributed()?)
    }

    /// Predicts as [`predict`](Self::predict) does, with these waits for memory.
    ///
    /// # Errors
    /// [`ChipError::Layout`] if the model is packed for another core.
    pub fn predict_with(&self, model: &Model<'_>, waits: &Waits) -> Result<Prediction, ChipError> {
        let measured = Measured::read()?;
        let code = measured.targets.get(self.target).ok_or(ChipError::Target(self.target))?;
        let dense = |layer| match layer {
            model_format::Layer::Dense(dense) => Some(dense),
            _ => None,
        };
        for (layer, dense) in model.layers().filter_map(dense).enumerate() {
            if code.layout(dense.layout).is_none() {
                let (chip, core) = (self.name, self.core.to_string().to_lowercase());
                return Err(ChipError::Layout { layer, layout: dense.layout, chip, core });
            }
        }
        let board = measured.boards.get(self.target).ok_or(ChipError::Target(self.target))?;
        let frames = frame_len(model.raw_input_bytes()) + frame_len(model.output_bytes());
        let board = BoardPrediction {
            statics: (model.scratch_len() * 4 + frames) as u64 + board.statics,
            stack: board.stack + STACK_MARGIN,
            stack_signed: board.stack_signed + STACK_MARGIN,
        };
        let costs = |kind: Kind| {
            let of_kind = match kind {
                Kind::Small => Some(&measured.small.cycles),
                Kind::Wide(weight_type) => measured.cycles.get(weight_type.name()),
            };
            of_kind?.get(self.timing?)
        };
        Ok(Prediction {
            board,
            time: cycles::predict(self, &costs, waits, model),
            code: code.of(OpSet::of(model)),
            model: model.file_len() as u64,
            scratch: model.scratch_len() as u64 * 4,
            statics: code.ram,
            stack: measured.stack,
        })
    }
}

#[cfg(test)]
mod tests {
    use model_format::WeightType;

    use super::*;

    #[test]
    fn an_unknown_chip_is_answered_with_those_that_there_are() {
        assert_eq!(Chip::named("rp2040").map(|chip| chip.core), Ok(Core::CortexM0));
        let error = Chip::named("RP2041").unwrap_err().to_string();
        assert!(error.contains("RP2041") && error.contains("nRF51822"), "{error}");
    }

    #[test]
    fn every_chip_has_figures() {
        let measured = Measured::read().unwrap();
        for chip in CHIPS {
            assert!(measured.targets.contains_key(chip.target), "{}", chip.name);
            for weights in WeightType::ALL {
                let timed = |core| measured.cycles[weights.name()].contains_key(core);
                assert!(chip.timing.is_none_or(timed), "{} {}", chip.name, weights.name());
            }
            let timed = |core| measured.small.cycles.contains_key(core);
            assert!(chip.timing.is_none_or(timed), "{}", chip.name);
        }
    }
}
