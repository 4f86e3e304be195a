//! Emulated cores with memory for whole models, and the weight layouts of their kernels.

use std::path::Path;

use host_trainer::device::board::{Board, CORTEX_M0_CODE};
use host_trainer::device::command::{Sensing, Vector, costs, costs_under_plugin, sense, vectors};
use host_trainer::pack::Core;
use model_format::WeightLayout;
use model_format::WeightLayout::{
    ColumnsUnsigned4, FoldedRows, Int2, Int2Columns4, Int4, Int4Columns4, Int4Tiles4, Pairs4,
    RowMajor, Sparse, Ternary, TernaryColumns4,
};

use thimble_cycles::{Core as Timing, Count};

use crate::emulated::{LIMIT, default_model, firmware_at_level, firmware_for};
use crate::workspace::profile_dir;

/// Layouts that every core reads, by the portable kernel where it has no other.
pub const PORTABLE_LAYOUTS: [WeightLayout; 5] = [RowMajor, Int4, Int2, Ternary, Sparse];

/// A core in QEMU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmulatedCore {
    /// Code for Cortex-M0 on an emulated M3, which has the same instructions and results, and more
    /// memory than the micro:bit.
    M0,
    /// Cortex-M3.
    M3,
    /// Cortex-M4F.
    M4F,
    /// Cortex-M7.
    M7,
    /// Cortex-M33.
    M33,
    /// Cortex-M55, with Helium.
    M55,
    /// RV32IMAC.
    Rv32,
}

impl EmulatedCore {
    /// All of them.
    pub const ALL: [EmulatedCore; 7] = [
        EmulatedCore::M0,
        EmulatedCore::M3,
        EmulatedCore::M4F,
        EmulatedCore::M7,
        EmulatedCore::M33,
        EmulatedCore::M55,
        EmulatedCore::Rv32,
    ];

    /// Returns the common name of the core.
    pub fn name(self) -> &'static str {
        match self {
            EmulatedCore::M0 => "Cortex-M0",
            EmulatedCore::M3 => "Cortex-M3",
            EmulatedCore::M4F => "Cortex-M4F",
            EmulatedCore::M7 => "Cortex-M7",
            EmulatedCore::M33 => "Cortex-M33",
            EmulatedCore::M55 => "Cortex-M55",
            EmulatedCore::Rv32 => "RV32IMAC",
        }
    }

    /// Returns the core that models are packed for.
    pub fn packed_for(self) -> Core {
        match self {
            EmulatedCore::M0 => Core::CortexM0,
            EmulatedCore::M3 => Core::CortexM3,
            EmulatedCore::M4F => Core::CortexM4,
            EmulatedCore::M7 => Core::CortexM7,
            EmulatedCore::M33 => Core::CortexM33,
            EmulatedCore::M55 => Core::CortexM55,
            EmulatedCore::Rv32 => Core::Rv32,
        }
    }

    /// Returns the layouts for which the core has a specialized kernel.
    pub fn own_layouts(self) -> &'static [WeightLayout] {
        match self {
            EmulatedCore::M0 | EmulatedCore::M3 | EmulatedCore::Rv32 => {
                &[ColumnsUnsigned4, Int4Columns4, Int2Columns4, TernaryColumns4]
            }
            EmulatedCore::M4F | EmulatedCore::M7 | EmulatedCore::M33 => {
                &[Pairs4, Int4Tiles4, Int2Columns4, TernaryColumns4]
            }
            // And those of the M4F.
            EmulatedCore::M55 => &[
                FoldedRows,
                RowMajor,
                Int4,
                Int2,
                Ternary,
                Pairs4,
                Int4Tiles4,
                Int2Columns4,
                TernaryColumns4,
            ],
        }
    }

    fn board(self) -> &'static Board {
        let name = match self {
            EmulatedCore::M0 => return &CORTEX_M0_CODE,
            EmulatedCore::M3 => "qemu-mps2-an385",
            EmulatedCore::M4F => "qemu-mps2-an386",
            EmulatedCore::M7 => "qemu-mps2-an500",
            EmulatedCore::M33 => "qemu-mps2-an505",
            EmulatedCore::M55 => "qemu-mps3-an547",
            EmulatedCore::Rv32 => "qemu-riscv",
        };
        Board::named(name).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Returns the rows of outputs of each model for its inputs, or `None` for a model that the
    /// firmware refuses.
    ///
    /// # Panics
    /// When the firmware cannot be built or run, with the reason.
    pub fn run(self, models: &[Vector<'_>]) -> Vec<Option<Vec<i8>>> {
        self.run_program(&firmware_for(self.board(), &default_model()), models)
    }

    /// Like [`run`](Self::run), with firmware compiled at this level: `"s"`, in quotation marks, or
    /// a digit.
    ///
    /// # Panics
    /// When the firmware cannot be built or run, with the reason.
    pub fn run_at_level(self, level: &str, models: &[Vector<'_>]) -> Vec<Option<Vec<i8>>> {
        self.run_program(&firmware_at_level(self.board(), level), models)
    }

    fn run_program(self, program: &Path, models: &[Vector<'_>]) -> Vec<Option<Vec<i8>>> {
        vectors(self.board(), program, models, LIMIT)
            .unwrap_or_else(|error| panic!("{}: {error}", self.name()))
    }

    /// Returns the responses of a sensor application to a recording, with this model.
    ///
    /// # Panics
    /// When the firmware cannot be built or run, or refuses the model.
    pub fn sense(self, sensing: Sensing, model: &[u8], recording: &[i16]) -> Vec<u8> {
        let board = self.board();
        sense(board, &firmware_for(board, &default_model()), sensing, model, recording, LIMIT)
            .unwrap_or_else(|error| panic!("{}: {error}", self.name()))
            .unwrap_or_else(|| panic!("{} refuses the model", self.name()))
    }

    /// Returns the cores whose timings apply to this one's code; none without documented timings.
    pub fn timings(self) -> &'static [Timing] {
        match self {
            EmulatedCore::M0 => &[Timing::M0, Timing::M0Plus],
            EmulatedCore::M3 => &[Timing::M3],
            EmulatedCore::M4F => &[Timing::M4],
            EmulatedCore::M33 => &[Timing::M33],
            EmulatedCore::M7 | EmulatedCore::M55 => &[],
            EmulatedCore::Rv32 => &[Timing::Fe310, Timing::Esp32C3, Timing::Hazard3],
        }
    }

    /// Returns instructions and cycles of all rows of inputs of each model, for each of
    /// [`EmulatedCore::timings`].
    ///
    /// # Panics
    /// When the firmware cannot be built or run, refuses a model, or QEMU does not load the plugin.
    pub fn cycles(self, models: &[Vector<'_>]) -> Vec<Vec<Count>> {
        let board = self.board();
        let plugin = profile_dir().join("deps/libthimble_cycles.so");
        let names: Vec<_> = self.timings().iter().map(|core| core.name()).collect();
        // QEMU reads a doubled comma as one.
        let path = plugin.display().to_string().replace(',', ",,");
        let argument = format!("{path},cores={},out=plugin", names.join("+"));
        let elf = firmware_for(board, &default_model());
        let lines = costs_under_plugin(board, &elf, models, &argument, LIMIT)
            .unwrap_or_else(|error| panic!("{}: {error}", self.name()));
        let number = |word: &str| word.parse::<u64>().expect("a number of the plugin's");
        let counts: Vec<Vec<Count>> = lines
            .lines()
            .map(|line| {
                let numbers: Vec<u64> = line.split_whitespace().map(number).collect();
                let (pairs, _) = numbers.as_chunks();
                pairs
                    .iter()
                    .map(|[instructions, cycles]| Count {
                        instructions: *instructions,
                        cycles: *cycles,
                    })
                    .collect()
            })
            .collect();
        assert_eq!(counts.len(), models.len(), "{} refuses a model", self.name());
        counts
    }

    /// Returns the executed instructions of an inference of each model, averaged over its inputs.
    ///
    /// # Panics
    /// When the firmware cannot be built or run, or refuses a model.
    pub fn costs(self, models: &[Vector<'_>]) -> Vec<u32> {
        let board = self.board();
        costs(board, &firmware_for(board, &default_model()), models, LIMIT)
            .unwrap_or_else(|error| panic!("{}: {error}", self.name()))
            .into_iter()
            .enumerate()
            .map(|(index, cost)| {
                cost.unwrap_or_else(|| panic!("{} refuses model {index}", self.name()))
            })
            .collect()
    }
}
