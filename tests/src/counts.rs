//! Executed instructions per inference on each core.
//!
//! Counted in emulation (`-icount shift=0`), and therefore exact and the same on every machine.
//! These are instructions, not cycles. The network is 784-128-10, packed for the core. The count
//! covers the whole `Engine::run`, with requantization.

use fastrand::Rng;
use host_trainer::device::board::{Board, CORTEX_M0_CODE};
use host_trainer::device::command::{Cost, Vector, count};
use host_trainer::pack::pack;
use model_format::build::{DenseSpec, InputSpec, LayerSpec, ModelSpec, OutputSpec};
use model_format::{
    Clamp, DataType, Encoding, Model, Multiplier, Quantization, WeightLayout, WeightType,
};

use thimble_cycles::Core as Timing;

use crate::cases;
use crate::cores::EmulatedCore;
use crate::emulated::{LIMIT, default_model, firmware_for};
use crate::mnist;
use crate::trained;

/// Number of MNIST test images that are measured.
pub const IMAGES: usize = 1000;

/// Rows of random inputs over which a count is averaged.
pub(crate) const ROWS: usize = 8;

/// A core with the bounds of its instruction counts.
#[derive(Clone, Copy, Debug)]
pub struct Core {
    /// Emulated core for whole models.
    pub core: EmulatedCore,
    /// Board whose flash holds 784-128-10; for Cortex-M0, code for that core on an emulated M3,
    /// because the micro:bit's flash also has slots for models.
    pub board: &'static str,
    /// Instructions of other implementations for the same layers, counted in the same way. On
    /// Cortex-M, CMSIS-NN's best kernels, main branch of July 2026, by the better of gcc 12 and
    /// clang 19 at -O3. On RV32, which has no such library, TensorFlow Lite Micro's reference loop
    /// for per-row multipliers, from the headers of tflite-micro at 90b983c, by gcc 12.2 at -O3
    /// -DNDEBUG for rv32imac.
    pub others: u64,
    /// Upper bounds against performance regressions.
    pub bounds: Bounds,
    /// Upper bounds of the instructions with int4, int2 and ternary weights, for random inputs.
    pub max_narrow: [u64; 3],
}

/// Upper bounds: of cycles where the core has documented timings, else of executed instructions.
#[derive(Clone, Copy, Debug)]
pub enum Bounds {
    /// For each of the core's timings.
    Cycles(&'static [CycleBound]),
    /// For a core without documented timings.
    Instructions {
        /// For random inputs over the whole range of int8.
        max_dense: u64,
        /// For the mean over [`IMAGES`] MNIST test images.
        max_mnist: u64,
        /// Per multiply-accumulate of a layer of [`WIDE`], for random inputs.
        max_a_mac: f64,
    },
}

/// Upper bounds of cycles by the timings of a core.
#[derive(Clone, Copy, Debug)]
pub struct CycleBound {
    /// The timings.
    pub timing: Timing,
    /// For 784-128-10, random inputs over the whole range of int8.
    pub max_dense: u64,
    /// For the mean over MNIST test images.
    pub max_mnist: u64,
    /// For the autoencoder of MLPerf Tiny's anomaly detection, random inputs.
    pub max_ad01: u64,
    /// For 1-16-16-1, where fixed costs rule.
    pub max_tiny: u64,
}

const fn cycles(timing: Timing, [dense, mnist, ad01, tiny]: [u64; 4]) -> CycleBound {
    CycleBound { timing, max_dense: dense, max_mnist: mnist, max_ad01: ad01, max_tiny: tiny }
}

/// Measurements of a core.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// For random inputs.
    pub dense: Cost,
    /// For test images of MNIST.
    pub mnist: Cost,
}

impl Core {
    /// Counts for both models.
    ///
    /// # Panics
    /// When it cannot be built or run, with the reason.
    pub fn measure(&self) -> Measured {
        let board = match self.core {
            EmulatedCore::M0 => &CORTEX_M0_CODE,
            _ => Board::named(self.board).unwrap_or_else(|error| panic!("{error}")),
        };
        let elf = firmware_for(board, &default_model());
        let cost = |model: &[u8], inputs: &[i8]| {
            let model = self.packed(model);
            count(board, &elf, Some(&model), inputs, LIMIT)
                .unwrap_or_else(|error| panic!("{error}"))
        };
        let (images, _) = mnist::test_set();
        Measured {
            dense: cost(&Network::MLP.model(), &random_inputs(8 * mnist::PIXELS)),
            mnist: cost(&trained::mnist_model(), &images[..IMAGES].concat()),
        }
    }

    /// Returns the executed instructions of an inference of each network for random inputs.
    ///
    /// # Panics
    /// When the firmware cannot be built or run, with the reason.
    pub fn costs(&self, networks: &[Network]) -> Vec<u32> {
        self.costs_of(networks, Network::model)
    }

    pub(crate) fn costs_of(
        &self,
        networks: &[Network],
        model: impl Fn(&Network) -> Vec<u8>,
    ) -> Vec<u32> {
        let models: Vec<Vec<u8>> =
            networks.iter().map(|network| self.packed(&model(network))).collect();
        let inputs: Vec<Vec<i8>> =
            networks.iter().map(|network| random_inputs(ROWS * network.input_bytes())).collect();
        let vectors = models.iter().zip(&inputs).map(|(model, inputs)| Vector { model, inputs });
        self.core.costs(&vectors.collect::<Vec<_>>())
    }

    /// Returns the executed instructions of an inference of [`Network::MLP`] for each percentage of
    /// zero blocks of four in the input.
    ///
    /// # Panics
    /// When the firmware cannot be built or run, with the reason.
    pub fn costs_with_zeros(&self, percents: &[usize]) -> Vec<u32> {
        let model = self.packed(&Network::MLP.model());
        let inputs: Vec<Vec<i8>> = percents.iter().map(|percent| with_zeros(*percent)).collect();
        let vectors = inputs.iter().map(|inputs| Vector { model: &model, inputs });
        self.core.costs(&vectors.collect::<Vec<_>>())
    }

    /// Returns the executed instructions of an inference of [`Network::MLP`] before the first row:
    /// widening, counting of zeros, and all fixed costs. The cost of a layer is linear in its rows,
    /// so that this is the extrapolation to no rows.
    ///
    /// # Panics
    /// When the firmware cannot be built or run, with the reason.
    pub fn cost_of_no_rows(&self) -> u32 {
        let costs = self.costs(&[Network::of(&[784, 8]), Network::of(&[784, 16])]);
        (2 * costs[0]).saturating_sub(costs[1])
    }

    /// Returns the model with its weights packed for the core.
    pub(crate) fn packed(&self, model: &[u8]) -> Vec<u8> {
        let model = Model::parse(model).unwrap_or_else(|error| panic!("{error}"));
        pack(&model, self.core.packed_for()).unwrap_or_else(|error| panic!("{error}"))
    }
}

/// Description of a network with random weights.
#[derive(Clone, Copy, Debug)]
pub struct Network {
    /// Inputs, then the outputs of each layer.
    pub widths: &'static [usize],
    /// Data type of activations.
    pub data_type: DataType,
    /// Data type of weights.
    pub weight_type: WeightType,
}

/// A layer as wide as those of the wider networks.
pub const WIDE: Network = Network::of(&[700, 500]);

/// Layers from 8 × 8 to 1024 × 1024, [`WIDE`], and odd sizes.
pub const CURVE: [Network; 21] = [
    Network::of(&[8, 8]),
    Network::of(&[16, 16]),
    Network::of(&[32, 32]),
    Network::of(&[64, 64]),
    Network::of(&[128, 128]),
    Network::of(&[256, 256]),
    Network::of(&[512, 512]),
    WIDE,
    Network::of(&[1024, 1024]),
    Network::of(&[1, 1]),
    Network::of(&[1, 2]),
    Network::of(&[1, 5]),
    Network::of(&[3, 1]),
    Network::of(&[3, 2]),
    Network::of(&[3, 5]),
    Network::of(&[17, 1]),
    Network::of(&[17, 2]),
    Network::of(&[17, 5]),
    Network::of(&[129, 1]),
    Network::of(&[129, 2]),
    Network::of(&[129, 5]),
];

impl Network {
    /// 784-128-10.
    pub const MLP: Network = Network::of(&[784, 128, 10]);

    /// Of int8 weights and activations.
    pub const fn of(widths: &'static [usize]) -> Network {
        Network { widths, data_type: DataType::Int8, weight_type: WeightType::Int8 }
    }

    /// [`MLP`](Self::MLP) with int4, int2 and ternary weights.
    pub const NARROW: [Network; 3] = [
        Network { weight_type: WeightType::Int4, ..Network::MLP },
        Network { weight_type: WeightType::Int2, ..Network::MLP },
        Network { weight_type: WeightType::Ternary, ..Network::MLP },
    ];

    /// Multiply-accumulates of an inference.
    pub fn macs(&self) -> usize {
        self.widths.windows(2).map(|pair| pair[0] * pair[1]).sum()
    }

    fn weight(&self, rng: &mut fastrand::Rng, most: i8) -> i8 {
        match self.weight_type {
            WeightType::Int2 => cases::held(WeightType::Int2, rng.i8(..)),
            _ => rng.i8(-most..=most),
        }
    }

    pub(crate) fn input_bytes(&self) -> usize {
        self.widths[0] * self.data_type.bytes()
    }

    /// Returns a model with random weights over their whole range; most outputs are within their
    /// range.
    ///
    /// # Panics
    /// When it is invalid, which is an error of this file.
    pub fn model(&self) -> Vec<u8> {
        self.model_of_biases(|rng, _| rng.i32(-10_000..10_000))
    }

    /// Returns a model as [`model`](Self::model) does, with outputs around the middle of their range,
    /// so that hardly any is zero.
    ///
    /// # Panics
    /// When it is invalid, which is an error of this file.
    pub fn model_without_zeros(&self) -> Vec<u8> {
        self.model_of_biases(|_, spread| (128.0 * spread) as i32)
    }

    fn model_of_biases(&self, bias: impl Fn(&mut Rng, f64) -> i32) -> Vec<u8> {
        let mut rng = Rng::with_seed(784);
        let quantization = match self.data_type {
            DataType::Int8 => Quantization::int8(1.0, -128),
            DataType::Int16 => Quantization::int16(1.0),
        };
        let most = self.weight_type.max_weight() as i8;
        let layers = self.widths.windows(2).map(|pair| {
            // A product of numbers that are even in ±a and ±b has a spread of a · b / 3; that of
            // the outputs is to be a quarter of their range.
            let spread = (pair[0] as f64).sqrt() * f64::from(most) / 3.0 * 2.0;
            LayerSpec::Dense(DenseSpec {
                inputs: pair[0],
                outputs: pair[1],
                weights: (0..pair[0] * pair[1]).map(|_| self.weight(&mut rng, most)).collect(),
                biases: (0..pair[1]).map(|_| bias(&mut rng, spread)).collect(),
                multipliers: vec![Multiplier::from_real(1.0 / spread).expect("small"); pair[1]],
                output: quantization,
                clamp: Clamp::all(self.data_type),
                layout: WeightLayout::row_major(self.weight_type),
            })
        });
        let spec = ModelSpec {
            name: "random".into(),
            input: InputSpec {
                shape: vec![self.widths[0]],
                quantization,
                encoding: Encoding::Quantized,
            },
            output: OutputSpec::Values(vec![]),
            layers: layers.collect(),
            self_tests: vec![],
            details: Default::default(),
        };
        spec.to_bytes().unwrap_or_else(|error| panic!("{:?}: {error}", self.widths))
    }
}

/// Returns bytes of int8 over their whole range.
pub fn random_inputs(len: usize) -> Vec<i8> {
    let mut rng = fastrand::Rng::with_seed(10);
    (0..len).map(|_| rng.i8(..)).collect()
}

/// Returns random inputs of [`Network::MLP`] in which this percentage of the blocks of four, evenly
/// spread, equals its zero point.
fn with_zeros(percent: usize) -> Vec<i8> {
    let mut inputs = random_inputs(ROWS * mnist::PIXELS);
    for (number, block) in inputs.chunks_mut(4).enumerate() {
        if number * percent % 100 < percent {
            block.fill(-128);
        }
    }
    inputs
}

const CYCLES_M0: [CycleBound; 2] = [
    cycles(Timing::M0, [445_000, 175_000, 1_345_000, 4_600]),
    cycles(Timing::M0Plus, [441_000, 172_000, 1_328_000, 4_450]),
];
const CYCLES_M3: [CycleBound; 1] = [cycles(Timing::M3, [303_000, 115_000, 890_000, 2_660])];
const CYCLES_M4: [CycleBound; 1] = [cycles(Timing::M4, [141_000, 55_000, 396_000, 1_700])];
const CYCLES_M33: [CycleBound; 1] = [cycles(Timing::M33, [127_500, 50_500, 357_000, 1_570])];
const CYCLES_RV32: [CycleBound; 3] = [
    cycles(Timing::Fe310, [333_500, 116_500, 950_000, 2_650]),
    cycles(Timing::Esp32C3, [334_000, 118_500, 952_000, 2_620]),
    cycles(Timing::Hazard3, [331_500, 116_000, 940_000, 2_510]),
];

/// Every core that has a kernel of its own.
pub const CORES: [Core; 7] = [
    Core {
        core: EmulatedCore::M0,
        board: "qemu-mps2-an385",
        others: 562_050,
        bounds: Bounds::Cycles(&CYCLES_M0),
        max_narrow: [420_000, 353_000, 527_000],
    },
    Core {
        core: EmulatedCore::M3,
        board: "qemu-mps2-an385",
        others: 348_734,
        bounds: Bounds::Cycles(&CYCLES_M3),
        max_narrow: [260_000, 211_000, 300_000],
    },
    Core {
        core: EmulatedCore::M4F,
        board: "qemu-mps2-an386",
        others: 197_650,
        bounds: Bounds::Cycles(&CYCLES_M4),
        max_narrow: [130_000, 210_000, 299_000],
    },
    Core {
        core: EmulatedCore::M7,
        board: "qemu-mps2-an500",
        others: 197_650,
        bounds: Bounds::Instructions { max_dense: 105_000, max_mnist: 50_000, max_a_mac: 0.97 },
        max_narrow: [130_000, 210_000, 299_000],
    },
    Core {
        core: EmulatedCore::M33,
        board: "qemu-mps2-an505",
        others: 197_650,
        bounds: Bounds::Cycles(&CYCLES_M33),
        max_narrow: [130_000, 210_000, 299_000],
    },
    Core {
        core: EmulatedCore::M55,
        board: "qemu-mps3-an547",
        others: 17_780,
        bounds: Bounds::Instructions { max_dense: 15_800, max_mnist: 15_800, max_a_mac: 0.16 },
        max_narrow: [25_500, 24_700, 25_300],
    },
    Core {
        core: EmulatedCore::Rv32,
        board: "qemu-riscv",
        others: 820_935,
        bounds: Bounds::Cycles(&CYCLES_RV32),
        max_narrow: [367_000, 315_000, 495_000],
    },
];
