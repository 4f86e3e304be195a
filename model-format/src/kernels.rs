//! Families of kernels, and the weight layouts that they read.

use crate::{DataType, Dense, OpSet, WeightLayout};

/// The families of kernels in a build of the engine: one per kind of core, beside the portable one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kernels {
    /// Arm cores with the DSP extension: Cortex-M4, M7, M33.
    pub dsp: bool,
    /// Arm cores with Helium: Cortex-M55, M85.
    pub mve: bool,
    /// Armv7-M without DSP: Cortex-M3.
    pub v7m: bool,
    /// Armv6-M and Armv8-M Baseline: Cortex-M0, M0+, M23.
    pub v6m: bool,
    /// RISC-V of 32 bits with multiplication.
    pub rv32: bool,
    /// The portable kernel reads every layout, as it does on a computer.
    pub host: bool,
}

impl Kernels {
    /// The portable kernel alone, as a device has it.
    pub const PORTABLE: Kernels =
        Kernels { dsp: false, mve: false, v7m: false, v6m: false, rv32: false, host: false };
    /// The kernels of a computer.
    pub const HOST: Kernels = Kernels { host: true, ..Kernels::PORTABLE };

    /// The families of these names: `dsp`, `mve`, `v7m`, `v6m`, `rv32`, `host`; others are ignored.
    pub fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut kernels = Kernels::PORTABLE;
        for name in names {
            match name {
                "dsp" => kernels.dsp = true,
                "mve" => kernels.mve = true,
                "v7m" => kernels.v7m = true,
                "v6m" => kernels.v6m = true,
                "rv32" => kernels.rv32 = true,
                "host" => kernels.host = true,
                _ => {}
            }
        }
        kernels
    }

    /// Returns whether a kernel other than the portable one reads a layout.
    pub const fn own(self, layout: WeightLayout) -> bool {
        match layout {
            WeightLayout::RowMajor
            | WeightLayout::Int4
            | WeightLayout::Int2
            | WeightLayout::Ternary => self.mve,
            WeightLayout::Sparse => false,
            // Kernels of earlier releases.
            WeightLayout::Columns8 => false,
            WeightLayout::ColumnsUnsigned4 => self.v6m || self.v7m || self.rv32,
            WeightLayout::FoldedRows => self.mve,
            WeightLayout::Int4Columns4 => self.v6m || self.v7m || self.rv32,
            WeightLayout::Int2Columns4 | WeightLayout::TernaryColumns4 => {
                self.dsp || self.v6m || self.v7m || self.rv32
            }
            WeightLayout::Int4Tiles4 | WeightLayout::Pairs4 => self.dsp,
        }
    }

    /// Returns whether a kernel reads a layout of weights whose input has this data type.
    pub const fn reads(self, layout: WeightLayout, input: DataType) -> bool {
        match layout {
            WeightLayout::RowMajor
            | WeightLayout::Int4
            | WeightLayout::Int2
            | WeightLayout::Ternary
            | WeightLayout::Sparse => true,
            // The kernels take int8 alone.
            WeightLayout::Int4Tiles4
            | WeightLayout::Int4Columns4
            | WeightLayout::Int2Columns4
            | WeightLayout::TernaryColumns4
                if matches!(input, DataType::Int16) =>
            {
                self.host
            }
            _ => self.host || self.own(layout),
        }
    }

    /// Returns whether a kernel reads the weights of a layer.
    pub const fn read(self, layer: &Dense<'_>) -> bool {
        self.reads(layer.layout, layer.input.data_type)
    }

    /// Returns whether these operators allow a layer that only the portable kernel reads.
    pub const fn need_portable(self, ops: OpSet) -> bool {
        let mut index = 0;
        while index < WeightLayout::ALL.len() {
            let layout = WeightLayout::ALL[index];
            if ops.reads(layout) && !self.own(layout) {
                return true;
            }
            index += 1;
        }
        false
    }

    /// Returns whether kernels read every layer that these operators allow, whatever the model.
    pub const fn read_all(self, ops: OpSet) -> bool {
        let mut index = 0;
        while index < WeightLayout::ALL.len() {
            let layout = WeightLayout::ALL[index];
            let int16 = ops.int16 && !self.reads(layout, DataType::Int16);
            if ops.reads(layout) && (int16 || !self.reads(layout, DataType::Int8)) {
                return false;
            }
            index += 1;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_core_reads_its_own_layouts_and_the_portable_ones() {
        let of = |names: &str| {
            let kernels = Kernels::named(names.split(','));
            WeightLayout::ALL.map(|layout| kernels.reads(layout, DataType::Int8))
        };
        // RowMajor, Columns8, ColumnsUnsigned4, FoldedRows, Int4, Int4Tiles4, Sparse, Pairs4, Int2,
        // Ternary, Int4Columns4, Int2Columns4, TernaryColumns4.
        let (x, o) = (true, false);
        assert_eq!(of(""), [x, o, o, o, x, o, x, o, x, x, o, o, o]);
        assert_eq!(of("dsp"), [x, o, o, o, x, x, x, x, x, x, o, x, x]);
        assert_eq!(of("dsp,mve"), [x, o, o, x, x, x, x, x, x, x, o, x, x]);
        assert_eq!(of("v7m"), [x, o, x, o, x, o, x, o, x, x, x, x, x]);
        assert_eq!(of("rv32"), [x, o, x, o, x, o, x, o, x, x, x, x, x]);
        assert_eq!(of("v6m"), [x, o, x, o, x, o, x, o, x, x, x, x, x]);
        assert_eq!(of("host"), [x; 13]);
    }

    #[test]
    fn int4_tiles_are_for_int8_inputs() {
        let dsp = Kernels { dsp: true, ..Kernels::PORTABLE };
        assert!(dsp.reads(WeightLayout::Int4Tiles4, DataType::Int8));
        assert!(!dsp.reads(WeightLayout::Int4Tiles4, DataType::Int16));
        assert!(dsp.reads(WeightLayout::Pairs4, DataType::Int16));
        assert!(Kernels::HOST.reads(WeightLayout::Int4Tiles4, DataType::Int16));
        let only = |layout, int16| OpSet { layouts: 1 << layout as u8, int16, ..OpSet::ALL };
        assert!(dsp.read_all(only(WeightLayout::Int4Tiles4, false)));
        assert!(!dsp.read_all(only(WeightLayout::Int4Tiles4, true)));
        assert!(!dsp.read_all(OpSet::ALL));
        assert!(Kernels::HOST.read_all(OpSet::ALL));
        assert!(Kernels::PORTABLE.read_all(only(WeightLayout::Sparse, true)));
        assert!(dsp.need_portable(only(WeightLayout::Sparse, true)));
        assert!(!dsp.need_portable(only(WeightLayout::Pairs4, true)));
        assert!(dsp.need_portable(only(WeightLayout::Int2, true)));
        assert!(!Kernels { mve: true, ..dsp }.need_portable(only(WeightLayout::Int2, true)));
    }
}
