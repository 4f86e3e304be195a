//! What an inference costs in executed instructions, on each core.
//!
//! Counted in emulation (`-icount shift=0`), so exact and the same on every machine: instructions,
//! not cycles. The network is 784-128-10, packed for the core; the cost is that of the whole
//! `Engine::run`, with requantization.

use host_trainer::device::board::Board;
use host_trainer::device::command::{Cost, count};
use model_format::build::{DenseSpec, InputSpec, LayerSpec, MeaningSpec, ModelSpec};
use model_format::{Clamp, Encoding, Model, Multiplier, Quantization, WeightLayout};

use crate::emulated::{LIMIT, firmware_for};
use crate::mnist;
use crate::trained;

/// Test images of MNIST that are measured.
pub const IMAGES: usize = 1000;

/// A core, and what an inference may cost there.
#[derive(Clone, Copy, Debug)]
pub struct Core {
    /// What people call it.
    pub name: &'static str,
    /// The board that it is emulated on.
    pub board: &'static str,
    /// The layout that its kernel reads.
    pub layout: WeightLayout,
    /// What CMSIS-NN's best kernels need for the same layers, where there are any: counted in the
    /// same way, main branch of July 2026, by the better of gcc 12 and clang 19 at -O3.
    pub cmsis_nn: Option<u64>,
    /// The most instructions for inputs that are random in all of int8.
    pub most_dense: u64,
    /// The most instructions for [`IMAGES`] test images of MNIST, on average.
    pub most_mnist: u64,
}

/// What was measured for a core.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// For random inputs.
    pub dense: Cost,
    /// For test images of MNIST.
    pub mnist: Cost,
}

impl Core {
    /// Builds the firmware with both models and counts.
    ///
    /// # Panics
    /// When it cannot be built or run, with the reason.
    pub fn measure(&self) -> Measured {
        let board = Board::named(self.board).unwrap_or_else(|error| panic!("{error}"));
        let cost = |model: &[u8], inputs: &[i8]| {
            let elf = firmware_for(board, model);
            count(board, &elf, inputs, LIMIT).unwrap_or_else(|error| panic!("{error}"))
        };
        let (images, _) = mnist::test_set();
        Measured {
            dense: cost(&random_model(self.layout), &random_inputs()),
            mnist: cost(&packed(&trained::mnist_model(), self.layout), &images[..IMAGES].concat()),
        }
    }
}

/// The same model with its weights laid out for a core.
fn packed(model: &[u8], layout: WeightLayout) -> Vec<u8> {
    let mut spec = ModelSpec::from(&Model::parse(model).expect("a model that was trained"));
    for layer in &mut spec.layers {
        if let LayerSpec::Dense(dense) = layer {
            dense.layout = layout;
        }
    }
    spec.to_bytes().unwrap_or_else(|error| panic!("{}: {error}", layout.name()))
}

/// 784-128-10 with weights that are random in −127..=127; most outputs lie within int8.
fn random_model(layout: WeightLayout) -> Vec<u8> {
    let mut rng = fastrand::Rng::with_seed(784);
    let pixels = Quantization::int8(1.0, -128);
    let mut dense = |inputs: usize, outputs: usize| {
        // The sum of so many products of spread 73 and 74 has a spread of a quarter of int8.
        let spread = (inputs as f64).sqrt() * 73.0 * 74.0;
        LayerSpec::Dense(DenseSpec {
            inputs,
            outputs,
            weights: (0..inputs * outputs).map(|_| rng.i8(-127..=127)).collect(),
            biases: (0..outputs).map(|_| rng.i32(-10_000..10_000)).collect(),
            multipliers: vec![Multiplier::from_real(64.0 / spread).expect("small"); outputs],
            output: pixels,
            clamp: Clamp::INT8,
            layout,
        })
    };
    let spec = ModelSpec {
        name: "random".into(),
        input: InputSpec {
            shape: vec![28, 28],
            quantization: pixels,
            encoding: Encoding::Unsigned8,
        },
        output: MeaningSpec::Values { unit: String::new() },
        layers: vec![dense(784, 128), dense(128, 10)],
        self_tests: vec![],
    };
    spec.to_bytes().unwrap_or_else(|error| panic!("{}: {error}", layout.name()))
}

fn random_inputs() -> Vec<i8> {
    let mut rng = fastrand::Rng::with_seed(10);
    (0..8 * mnist::PIXELS).map(|_| rng.i8(..)).collect()
}

/// Every core that has a kernel of its own.
pub const CORES: [Core; 7] = [
    Core {
        name: "Cortex-M0",
        board: "microbit",
        layout: WeightLayout::ColumnsUnsigned4,
        cmsis_nn: Some(562_050),
        most_dense: 380_000,
        most_mnist: 150_000,
    },
    Core {
        name: "Cortex-M3",
        board: "qemu-mps2-an385",
        layout: WeightLayout::Columns8,
        cmsis_nn: Some(348_734),
        most_dense: 240_000,
        most_mnist: 95_000,
    },
    Core {
        name: "Cortex-M4F",
        board: "qemu-mps2-an386",
        layout: WeightLayout::Pairs4,
        cmsis_nn: Some(197_650),
        most_dense: 105_000,
        most_mnist: 50_000,
    },
    Core {
        name: "Cortex-M7",
        board: "qemu-mps2-an500",
        layout: WeightLayout::Pairs4,
        cmsis_nn: Some(197_650),
        most_dense: 105_000,
        most_mnist: 50_000,
    },
    Core {
        name: "Cortex-M33",
        board: "qemu-mps2-an505",
        layout: WeightLayout::Pairs4,
        cmsis_nn: Some(197_650),
        most_dense: 105_000,
        most_mnist: 50_000,
    },
    Core {
        name: "Cortex-M55",
        board: "qemu-mps3-an547",
        layout: WeightLayout::FoldedRows,
        cmsis_nn: Some(17_780),
        most_dense: 17_700,
        most_mnist: 17_700,
    },
    Core {
        name: "RV32IMAC",
        board: "qemu-riscv",
        layout: WeightLayout::Columns8,
        cmsis_nn: None,
        most_dense: 345_000,
        most_mnist: 130_000,
    },
];
