//! What each part of the engine takes of a chip's flash, measured: the figures by which
//! `host-trainer inspect --for` predicts (`host-trainer/src/chips/measured.toml`).

use std::collections::BTreeMap;

use host_trainer::chips::{Code, Measured};
use host_trainer::pack::{Core, pack};
use model_format::build::{
    DenseSpec, InputSpec, LayerSpec, MeaningSpec, ModelSpec, SoftmaxSpec, TableSpec,
};
use model_format::{
    Channel, Clamp, Encoding, Model, Multiplier, Operators, Quantization, WeightLayout,
};

use crate::emulated::default_model;
use crate::minimal::{MACHINES, Sizes, image, run};

/// The targets that figures are taken of, each with a core.
pub const TARGETS: [(&str, Core); 3] = [
    ("thumbv6m-none-eabi", Core::CortexM0),
    ("thumbv7em-none-eabihf", Core::CortexM4),
    ("riscv32imac-unknown-none-elf", Core::Rv32),
];

/// A model that uses one part of the engine, or two to tell them apart.
#[derive(Clone, Copy, Debug)]
pub enum Part {
    /// Dense layers packed for the core.
    Native,
    /// Dense layers of one layout.
    Layout(WeightLayout),
    /// A dense layer packed for the core, and one that is row-major.
    NativeAndRowMajor,
    /// A dense layer packed for the core, and an element-wise function.
    Table,
    /// A dense layer packed for the core, and a softmax.
    Softmax,
    /// Dense layers of 16-bit values, packed for the core.
    Int16,
    /// Dense layers packed for the core, of what a sensor counts.
    Raw,
}

impl Part {
    /// The model, 16-16-16.
    ///
    /// # Panics
    /// When it is not valid, which is an error of this file.
    pub fn model(self, core: Core) -> Vec<u8> {
        let tensor = match self {
            Part::Int16 => Quantization::int16(1.0),
            _ => Quantization::int8(1.0, 0),
        };
        let layout = match self {
            Part::Layout(layout) => layout,
            _ => WeightLayout::RowMajor,
        };
        let dense = LayerSpec::Dense(dense(16, 16, tensor, layout));
        let second = match self {
            Part::Table => {
                LayerSpec::Table(TableSpec { output: tensor, entries: (-128..128).collect() })
            }
            Part::Softmax => LayerSpec::Softmax(SoftmaxSpec { exponentials: vec![i32::MAX, 1] }),
            _ => dense.clone(),
        };
        let mut spec = network(vec![16], tensor, vec![dense, second]);
        if matches!(self, Part::Raw) {
            let channel = Channel::from_line(0.1, 0.0, 1.0).expect("ten counts a value");
            spec.input.encoding = Encoding::Raw(vec![channel]);
        }
        let bytes = spec.to_bytes().expect("a small model");
        match self {
            Part::Layout(_) => bytes,
            Part::NativeAndRowMajor => {
                let packed = pack(&Model::parse(&bytes).expect("what was made"), core);
                let packed = packed.expect("it can be packed");
                let mut spec = ModelSpec::from(&Model::parse(&packed).expect("what was packed"));
                if let Some(LayerSpec::Dense(dense)) = spec.layers.last_mut() {
                    dense.layout = WeightLayout::RowMajor;
                }
                spec.to_bytes().expect("the same network")
            }
            _ => pack(&Model::parse(&bytes).expect("what was made"), core).expect("packed"),
        }
    }
}

/// 784-128-10 of random weights, packed for a core.
///
/// # Panics
/// When it can't be made, which is an error of this file.
pub fn notebook_model(core: Core) -> Vec<u8> {
    let pixels = Quantization::int8(1.0 / 255.0, -128);
    let layers = [(784, 128), (128, 10)]
        .map(|(inputs, outputs)| dense(inputs, outputs, pixels, WeightLayout::RowMajor))
        .map(LayerSpec::Dense)
        .to_vec();
    let mut spec = network(vec![28, 28], pixels, layers);
    spec.name = "784-128-10".into();
    let bytes = spec.to_bytes().expect("a model");
    pack(&Model::parse(&bytes).expect("what was made"), core).expect("packed")
}

fn network(shape: Vec<usize>, tensor: Quantization, layers: Vec<LayerSpec>) -> ModelSpec {
    ModelSpec {
        name: "part".into(),
        input: InputSpec { shape, quantization: tensor, encoding: Encoding::Quantized },
        output: MeaningSpec::Values(vec![]),
        layers,
        self_tests: vec![],
        details: Default::default(),
    }
}

/// Weights that fit every layout.
fn dense(inputs: usize, outputs: usize, output: Quantization, layout: WeightLayout) -> DenseSpec {
    let mut rng = fastrand::Rng::with_seed(inputs as u64);
    DenseSpec {
        inputs,
        outputs,
        weights: (0..inputs * outputs).map(|_| rng.i8(-7..=7)).collect(),
        biases: vec![0; outputs],
        multipliers: vec![Multiplier::from_real(0.01).expect("small"); outputs],
        output,
        clamp: Clamp::all(output.precision),
        layout,
    }
}

/// The layouts that a core has kernels for.
fn layouts(core: Core) -> Vec<WeightLayout> {
    use WeightLayout::{Columns8, ColumnsUnsigned4, Int4, Int4Tiles4, Pairs4, RowMajor, Sparse};
    let own: &[WeightLayout] = match core {
        Core::CortexM0 => &[ColumnsUnsigned4],
        Core::CortexM3 | Core::Rv32 => &[Columns8],
        _ => &[Pairs4, Int4Tiles4],
    };
    [own, &[RowMajor, Int4, Sparse]].concat()
}

/// Builds an image for every part and every target.
///
/// # Panics
/// When one can't be built or run, with the reason.
pub fn measure() -> Measured {
    let targets = TARGETS.map(|(target, core)| (target.to_string(), measure_target(target, core)));
    let stacks = MACHINES.iter().flat_map(|machine| {
        let (_, core) = TARGETS.into_iter().find(|(target, _)| *target == machine.target)?;
        let digits = default_model();
        let digits = pack(&Model::parse(&digits).expect("the model of all boards"), core);
        let elf = image(machine.target, &digits.expect("it can be packed"));
        Some(run(machine, &elf).stack as u64)
    });
    Measured { stack: stacks.max().unwrap_or(0), targets: BTreeMap::from(targets) }
}

fn measure_target(target: &str, core: Core) -> Code {
    let sizes = |model: &[u8]| Sizes::of(&image(target, model));
    let code = |part: Part| {
        let model = part.model(core);
        sizes(&model).flash - model.len() as u64
    };
    let each = layouts(core).into_iter().map(|layout| (layout as u8, code(Part::Layout(layout))));
    let layouts: Vec<(u8, u64)> = each.collect();
    // Beyond an image for the same layout alone.
    let more = |part: Part| {
        let model = part.model(core);
        let used = Operators::of(&Model::parse(&model).expect("a part")).layouts;
        let alone = layouts.iter().find(|(layout, _)| used == 1 << layout);
        code(part).saturating_sub(alone.expect("one layout").1)
    };
    let (table, softmax, int16) = (more(Part::Table), more(Part::Softmax), more(Part::Int16));
    let raw = more(Part::Raw);
    let model = Part::Native.model(core);
    let scratch = 4 * Model::parse(&model).expect("a part").scratch_len() as u64;
    let ram = sizes(&model).ram - scratch;
    Code { ram, int16, table, softmax, raw, layouts, several: code(Part::NativeAndRowMajor) }
}
