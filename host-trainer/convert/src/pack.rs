//! Packing: weight layouts for the kernels of one core.
//!
//! A packed model computes the same outputs as the original, with the same self-tests, unless their
//! inputs are bytes of the file. Only the order of the weights differs. The choice of layouts follows the engine's kernels
//! (`firmware/engine/src/kernels`).

use std::fmt;

use model_format::build::{LayerSpec, ModelSpec, has_file_inputs};
use model_format::{DataType, Error, Model, Softmax, WeightLayout, WeightType};
use rand::RngExt;
use thimble_nn::{Engine, EngineError, InputError};

use crate::self_tests;
use thimble_support::random::{Stream, stream};

/// Number of random inputs on which a packed model must give the same bytes as the original.
const CHECKS: usize = 32;

/// Maximum number of multiply-accumulate operations for these inputs, so that a model of 200 MB is
/// checked within seconds.
const MOST_MACS: u64 = 1 << 29;

/// Target core of a packed model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Core {
    /// Cortex-M0, M0+, M1 and M23: Armv6-M and Armv8-M baseline
    #[cfg_attr(
        feature = "clap",
        value(alias = "cortex-m0plus", alias = "cortex-m0+", alias = "cortex-m23")
    )]
    CortexM0,
    /// Cortex-M3: Armv7-M without DSP
    CortexM3,
    /// Cortex-M4 and M4F: Armv7-M with DSP
    #[cfg_attr(feature = "clap", value(alias = "cortex-m4f"))]
    CortexM4,
    /// Cortex-M7
    CortexM7,
    /// Cortex-M33: Armv8-M mainline with DSP
    CortexM33,
    /// Cortex-M55, with Helium
    CortexM55,
    /// RISC-V RV32IM and RV32IMAC
    #[cfg_attr(feature = "clap", value(alias = "riscv32"))]
    Rv32,
    /// Whatever has a kernel: weights row by row
    Any,
}

impl Core {
    /// All cores.
    pub const ALL: [Core; 8] = [
        Core::CortexM0,
        Core::CortexM3,
        Core::CortexM4,
        Core::CortexM7,
        Core::CortexM33,
        Core::CortexM55,
        Core::Rv32,
        Core::Any,
    ];

    /// Returns the fastest layout for int8 weights and inputs.
    pub fn int8_layout(self) -> WeightLayout {
        match self {
            Core::CortexM0 | Core::CortexM3 | Core::Rv32 => WeightLayout::ColumnsUnsigned4,
            Core::CortexM4 | Core::CortexM7 | Core::CortexM33 => WeightLayout::Pairs4,
            Core::CortexM55 => WeightLayout::FoldedRows,
            Core::Any => WeightLayout::RowMajor,
        }
    }

    /// Returns the fastest layout for the weights of a layer that is not sparse, by their data type and that
    /// of its inputs.
    pub fn layout(self, weight_type: WeightType, input: DataType) -> WeightLayout {
        use WeightLayout::{Int2Columns4, Int4Columns4, Int4Tiles4, RowMajor, TernaryColumns4};
        let has_dsp = matches!(self, Core::CortexM4 | Core::CortexM7 | Core::CortexM33);
        let has_columns = matches!(self, Core::CortexM0 | Core::CortexM3 | Core::Rv32);
        match (weight_type, input, self) {
            (WeightType::Int4, DataType::Int8, _) if has_dsp => Int4Tiles4,
            (WeightType::Int4, DataType::Int8, _) if has_columns => Int4Columns4,
            (WeightType::Int2, DataType::Int8, _) if has_dsp || has_columns => Int2Columns4,
            (WeightType::Ternary, DataType::Int8, _) if has_dsp || has_columns => TernaryColumns4,
            // Helium folds the zero point of int8 alone.
            (WeightType::Int8, DataType::Int16, Core::CortexM55) => RowMajor,
            (WeightType::Int8, _, _) => self.int8_layout(),
            (weight_type, _, _) => WeightLayout::row_major(weight_type),
        }
    }
}

impl fmt::Display for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Core::CortexM0 => "Cortex-M0",
            Core::CortexM3 => "Cortex-M3",
            Core::CortexM4 => "Cortex-M4",
            Core::CortexM7 => "Cortex-M7",
            Core::CortexM33 => "Cortex-M33",
            Core::CortexM55 => "Cortex-M55",
            Core::Rv32 => "RV32",
            Core::Any => "any core",
        })
    }
}

/// Errors of packing a model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    /// The model format rejected the packed model.
    #[error("the packed model is refused: {0}")]
    Format(#[from] Error),
    /// The host's engine rejected the packed model.
    #[error("the packed model cannot be checked: {0}")]
    Engine(#[from] EngineError),
    /// The packed model gives another output.
    #[error(
        "the packed model gives another output for check {check}: this is an error in Thimble, \
         please report it with the model; the model was not written"
    )]
    Differs {
        /// Index of the input. Self-tests come first.
        check: usize,
    },
    /// The layers have fewer bytes than a self-test needs.
    #[error(
        "the layers have fewer bytes than the {needed} that a self-test reads from them: keep self-tests \
         of rows"
    )]
    ShortLayers {
        /// Bytes of an input.
        needed: usize,
    },
    /// The engine refused an input.
    #[error(transparent)]
    Input(InputError),
}

/// Packs the weights of a model for a core, and checks that the outputs are the same.
///
/// # Errors
/// [`PackError`], which a valid model does not cause unless there is a bug in Thimble.
pub fn pack(model: &Model<'_>, core: Core) -> Result<Vec<u8>, PackError> {
    let mut spec = ModelSpec::from(model);
    let mut input = spec.input.quantization;
    for layer in &mut spec.layers {
        input = match layer {
            LayerSpec::Dense(dense) => {
                // Other layouts than the sparse one would store the zeros, too.
                if dense.layout != WeightLayout::Sparse {
                    dense.layout = core.layout(dense.layout.weight_type(), input.data_type);
                }
                dense.output
            }
            LayerSpec::Table(table) => table.output,
            LayerSpec::Softmax(_) => Softmax::OUTPUT,
        };
    }
    let bytes = written(spec, model)?;
    check(model, &Model::parse(&bytes)?)?;
    Ok(bytes)
}

/// Removes the details of a model: names and units of features and outputs, and the preparation of
/// images. The outputs do not change.
///
/// # Errors
/// [`PackError`], as for [`pack`].
pub fn strip(model: &Model<'_>) -> Result<Vec<u8>, PackError> {
    let spec = ModelSpec { details: Default::default(), ..ModelSpec::from(model) };
    written(spec, model)
}

/// Removes all self-tests of a model but the first ones, so many at most. The outputs do not change.
///
/// # Errors
/// [`PackError`], as for [`pack`].
pub fn keep_self_tests(model: &Model<'_>, count: usize) -> Result<Vec<u8>, PackError> {
    let mut spec = ModelSpec::from(model);
    spec.self_tests.truncate(count);
    written(spec, model)
}

/// Writes a model that was changed. Self-tests whose inputs are bytes of the original are those of the
/// new file.
fn written(spec: ModelSpec, original: &Model<'_>) -> Result<Vec<u8>, PackError> {
    let (bytes, count) = (spec.to_bytes()?, spec.self_tests.len());
    // A model may be larger than half of the memory.
    drop(spec);
    match has_file_inputs(original) {
        true => self_tests::from_file(&Model::parse(&bytes)?, count),
        false => Ok(bytes),
    }
}

/// Runs the self-tests and random inputs through both models.
fn check(model: &Model<'_>, packed: &Model<'_>) -> Result<(), PackError> {
    let mut scratch = vec![0; model.scratch_len()];
    let mut packed_scratch = vec![0; packed.scratch_len()];
    let mut engine = Engine::new(model.clone(), &mut scratch)?;
    let mut packed_engine = Engine::new(packed.clone(), &mut packed_scratch)?;
    let mut random = stream(model.checksum().into(), Stream::Packing);
    let checks = (MOST_MACS / model.macs().max(1)).clamp(1, CHECKS as u64);
    let random =
        (0..checks).map(|_| (0..model.input_bytes()).map(|_| random.random()).collect::<Vec<u8>>());
    // Extremes of all inputs, and the zero point, which kernels skip.
    let extremes = [0x80, 0x7f, model.input().quantization.zero_point as u8]
        .map(|byte| vec![byte; model.input_bytes()]);
    // All inputs for usual models, one of each kind for huge ones.
    let few = if model.macs() > MOST_MACS { 1 } else { usize::MAX };
    let tests = model.self_tests().map(|test| test.input.to_vec()).take(few);
    let inputs = tests.chain(extremes.into_iter().take(few)).chain(random);
    for (check, input) in inputs.enumerate() {
        if engine.run_bytes(&input).ok() != packed_engine.run_bytes(&input).ok() {
            return Err(PackError::Differs { check });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use model_format::build::{InputSpec, OutputSpec, SelfTestSpec};
    use model_format::{Clamp, Encoding, Multiplier};

    use model_format::Quantization;
    use model_format::build::DenseSpec;

    use super::*;

    fn dense(inputs: usize, outputs: usize, weight: i8, layout: WeightLayout) -> LayerSpec {
        LayerSpec::Dense(DenseSpec {
            inputs,
            outputs,
            weights: (0..inputs * outputs).map(|k| weight - (k % 5) as i8).collect(),
            biases: vec![100; outputs],
            multipliers: vec![Multiplier { mantissa: 1 << 30, shift: -8 }; outputs],
            output: Quantization::int8(0.1, -3),
            clamp: Clamp::INT8,
            layout,
        })
    }

    fn model(quantization: Quantization, layers: Vec<LayerSpec>) -> Vec<u8> {
        let LayerSpec::Dense(first) = &layers[0] else { panic!("the first layer is dense") };
        ModelSpec {
            name: "pack".into(),
            input: InputSpec {
                shape: vec![first.inputs],
                quantization,
                encoding: Encoding::Quantized,
            },
            output: OutputSpec::Values(vec![]),
            layers,
            self_tests: vec![],
            details: Default::default(),
        }
        .to_bytes()
        .unwrap()
    }

    fn layouts(bytes: &[u8], core: Core) -> Vec<WeightLayout> {
        let packed = pack(&Model::parse(bytes).unwrap(), core).unwrap();
        let spec = ModelSpec::from(&Model::parse(&packed).unwrap());
        let layout = |layer: &LayerSpec| match layer {
            LayerSpec::Dense(dense) => dense.layout,
            _ => panic!("all layers are dense"),
        };
        spec.layers.iter().map(layout).collect()
    }

    #[test]
    fn each_core_gets_its_layout_and_the_way_back_is_the_same_file() {
        use WeightLayout::*;
        let bytes = model(
            Quantization::int8(0.1, 3),
            vec![dense(9, 5, 40, RowMajor), dense(5, 3, 7, Int4)],
        );
        for (core, expected) in [
            (Core::CortexM0, [ColumnsUnsigned4, Int4Columns4]),
            (Core::CortexM3, [ColumnsUnsigned4, Int4Columns4]),
            (Core::CortexM4, [Pairs4, Int4Tiles4]),
            (Core::CortexM7, [Pairs4, Int4Tiles4]),
            (Core::CortexM33, [Pairs4, Int4Tiles4]),
            (Core::CortexM55, [FoldedRows, Int4]),
            (Core::Rv32, [ColumnsUnsigned4, Int4Columns4]),
            (Core::Any, [RowMajor, Int4]),
        ] {
            assert_eq!(layouts(&bytes, core), expected, "{core}");
            let packed = pack(&Model::parse(&bytes).unwrap(), core).unwrap();
            assert_eq!(pack(&Model::parse(&packed).unwrap(), Core::Any).unwrap(), bytes);
        }
    }

    #[test]
    fn the_first_self_tests_stay() {
        let file = model(Quantization::int8(0.1, 3), vec![dense(9, 5, 40, WeightLayout::RowMajor)]);
        let mut spec = ModelSpec::from(&Model::parse(&file).unwrap());
        let test = |k: u8| SelfTestSpec { input: vec![k; 9], output: vec![k; 5] };
        spec.self_tests = (0..3).map(test).collect();
        let file = spec.to_bytes().unwrap();
        for (count, expected) in [(0, 0), (2, 2), (3, 3), (9, 3)] {
            let kept = keep_self_tests(&Model::parse(&file).unwrap(), count).unwrap();
            let kept = ModelSpec::from(&Model::parse(&kept).unwrap());
            assert_eq!(kept.self_tests, spec.self_tests[..expected]);
            assert_eq!(ModelSpec { self_tests: spec.self_tests.clone(), ..kept }, spec);
        }
    }

    #[test]
    fn two_bits_and_less_are_in_columns_but_for_any_core_and_helium() {
        use WeightLayout::*;
        for (layout, columns) in [(Int2, Int2Columns4), (Ternary, TernaryColumns4)] {
            let mut layer = dense(9, 5, 3, layout);
            let LayerSpec::Dense(spec) = &mut layer else { panic!("dense") };
            let held = |weight: i8| if layout == Int2 { weight | 1 } else { weight.signum() };
            spec.weights.iter_mut().for_each(|weight| *weight = held(*weight));
            let bytes = model(Quantization::int8(0.1, 3), vec![layer]);
            for core in Core::ALL {
                let is_row_major = matches!(core, Core::Any | Core::CortexM55);
                let expected = if is_row_major { layout } else { columns };
                assert_eq!(layouts(&bytes, core), [expected], "{core}");
            }
        }
    }

    #[test]
    fn int16_and_sparse_layers_get_the_layouts_that_take_them() {
        use WeightLayout::*;
        let int16 = model(Quantization::int16(0.1), vec![dense(9, 5, 40, RowMajor)]);
        for (core, layout) in [
            (Core::CortexM4, Pairs4),
            (Core::CortexM0, ColumnsUnsigned4),
            (Core::CortexM55, RowMajor),
            (Core::Rv32, ColumnsUnsigned4),
        ] {
            assert_eq!(layouts(&int16, core), [layout], "{core}");
        }
        let sparse = model(Quantization::int8(0.1, 0), vec![dense(9, 5, 40, Sparse)]);
        for core in Core::ALL {
            assert_eq!(layouts(&sparse, core), [Sparse], "{core}");
        }
    }
}
