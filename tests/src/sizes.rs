//! Flash and cycles that each part of the engine takes, measured for the predictions of `host-trainer inspect
//! --for` (`host-trainer/src/chips/measured.toml`).

use std::collections::BTreeMap;
use std::path::Path;

use firmware::link::{STACK_OVERRUN, frame_len};
use host_trainer::chips::{BoardRam, Code, Costs, Measured, SmallCosts};
use host_trainer::device::board::{Board, Signed};
use host_trainer::device::signing::{SigningKey, Version};
use host_trainer::pack::{Core, pack};
use model_format::build::{
    DenseSpec, InputSpec, LayerSpec, ModelSpec, OutputSpec, SoftmaxSpec, TableSpec,
};
use model_format::{
    Channel, Clamp, Encoding, Model, Multiplier, OpSet, Quantization, RealChannel, WeightLayout,
    WeightType,
};
use thimble_cycles::Core as Timing;

use crate::cases::held;
use crate::cores::{EmulatedCore, PORTABLE_LAYOUTS};
use crate::counts::CORES;
use crate::cycles::Fitted;
use crate::emulated::{
    LIMIT, default_model, own_model, serving_firmware, serving_on, signed_firmware,
};
use crate::minimal::{MACHINES, Sizes, image, run};
use crate::variant::variant;
use crate::workspace::empty_dir;

/// Measured targets, each with a core.
pub const TARGETS: [(&str, Core); 3] = [
    ("thumbv6m-none-eabi", Core::CortexM0),
    ("thumbv7em-none-eabihf", Core::CortexM4),
    ("riscv32imac-unknown-none-elf", Core::Rv32),
];

/// A model that uses one part of the engine, or two for a difference.
#[derive(Clone, Copy, Debug)]
pub enum Part {
    /// Dense layers packed for the core, which are not small.
    Native,
    /// Small dense layers packed for the core.
    Small,
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
    /// Dense layers packed for the core, with raw sensor counts as input.
    Counts,
    /// Dense layers packed for the core, with real numbers as input.
    Reals,
}

impl Part {
    /// The model, 36-36-36; of small layers 16-16-16.
    ///
    /// # Panics
    /// When it is invalid, which is an error of this file.
    pub fn model(self, core: Core) -> Vec<u8> {
        let tensor = match self {
            Part::Int16 => Quantization::int16(1.0),
            _ => Quantization::int8(1.0, 0),
        };
        let layout = match self {
            Part::Layout(layout) => layout,
            _ => WeightLayout::RowMajor,
        };
        let width = if matches!(self, Part::Small) { 16 } else { 36 };
        let dense = LayerSpec::Dense(dense(width, width, tensor, layout));
        let second = match self {
            Part::Table => {
                LayerSpec::Table(TableSpec { output: tensor, entries: (-128..128).collect() })
            }
            Part::Softmax => LayerSpec::Softmax(SoftmaxSpec { exponentials: vec![i32::MAX, 1] }),
            _ => dense.clone(),
        };
        let mut spec = network(vec![width], tensor, vec![dense, second]);
        if matches!(self, Part::Counts) {
            let channel = Channel::from_line(0.1, 0.0, 1.0).expect("ten counts a value");
            spec.input.encoding = Encoding::Counts(vec![channel]);
        }
        if matches!(self, Part::Reals) {
            let channel = RealChannel { offset: 20.0, factor: 10.0 };
            spec.input.encoding = Encoding::Reals(vec![channel]);
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
/// When it is invalid, which is an error of this file.
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
        output: OutputSpec::Values(vec![]),
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
        weights: (0..inputs * outputs)
            .map(|_| held(layout.weight_type(), rng.i8(-7..=7)))
            .collect(),
        biases: vec![0; outputs],
        multipliers: vec![Multiplier::from_real(0.01).expect("small"); outputs],
        output,
        clamp: Clamp::all(output.data_type),
        layout,
    }
}

/// Returns the layouts for which a core has kernels.
fn layouts(core: Core) -> Vec<WeightLayout> {
    use WeightLayout::{
        ColumnsUnsigned4, Int2Columns4, Int4Columns4, Int4Tiles4, Pairs4, TernaryColumns4,
    };
    let own: &[WeightLayout] = match core {
        Core::CortexM0 | Core::CortexM3 | Core::Rv32 => {
            &[ColumnsUnsigned4, Int4Columns4, Int2Columns4, TernaryColumns4]
        }
        _ => &[Pairs4, Int4Tiles4, Int2Columns4, TernaryColumns4],
    };
    [own, &PORTABLE_LAYOUTS].concat()
}

/// Builds an image for every part and every target.
///
/// # Panics
/// When one can't be built or run, with the reason.
pub fn measure() -> Measured {
    let stacks = MACHINES.iter().flat_map(|machine| {
        let (_, core) = TARGETS.into_iter().find(|(target, _)| *target == machine.target)?;
        let digits = default_model();
        let digits = pack(&Model::parse(&digits).expect("the model of all boards"), core);
        let elf = image(machine.target, &digits.expect("it can be packed"));
        Some(run(machine, &elf).stack as u64)
    });
    measure_costs(Measured {
        stack: stacks.max().unwrap_or(0),
        targets: measure_targets(),
        boards: measure_boards(),
        cycles: BTreeMap::new(),
        instructions: BTreeMap::new(),
        small: SmallCosts::default(),
    })
}

/// Measures the cycles of the parts of an inference on each core with published timings, and the executed
/// instructions on each core.
///
/// # Panics
/// When firmware can't be built or run, with the reason.
pub fn measure_costs(measured: Measured) -> Measured {
    let (mut cycles, mut instructions) = (BTreeMap::new(), BTreeMap::new());
    let mut small = SmallCosts::default();
    let named = |costs: Vec<(Timing, Costs)>| {
        costs.into_iter().map(|(timing, costs)| (timing.name().to_string(), costs))
    };
    for weight_type in WeightType::ALL {
        let mut of_type = BTreeMap::new();
        for core in &CORES {
            if weight_type != WeightType::Int8 {
                if !core.core.timings().is_empty() {
                    of_type.extend(named(core.part_costs(weight_type, Fitted::All).0));
                }
                continue;
            }
            let name = core.core.packed_for().to_string().to_lowercase();
            // On the M55 all layers are alike.
            let has_small = core.core != EmulatedCore::M55;
            let wide = if has_small { Fitted::Wide } else { Fitted::All };
            let (of_core, executed) = core.part_costs(weight_type, wide);
            of_type.extend(named(of_core));
            instructions.insert(name.clone(), executed);
            if has_small {
                let (of_core, executed) = core.part_costs(weight_type, Fitted::Small);
                small.cycles.extend(named(of_core));
                small.instructions.insert(name, executed);
            }
        }
        cycles.insert(weight_type.name().to_string(), of_type);
    }
    Measured { cycles, instructions, small, ..measured }
}

/// Code sizes of each target.
///
/// # Panics
/// When an image can't be built, with the reason.
pub fn measure_targets() -> BTreeMap<String, Code> {
    TARGETS.map(|(target, core)| (target.to_string(), measure_target(target, core))).into()
}

/// RAM of boards with the device application, for each target.
///
/// # Panics
/// When one can't be built or run, with the reason.
pub fn measure_boards() -> BTreeMap<String, BoardRam> {
    let boards = BOARDS.map(|name| {
        let board = Board::named(name).unwrap_or_else(|error| panic!("{error}"));
        let ram = board_ram(board);
        println!("{name}: {ram:?}");
        (board.target.to_string(), ram)
    });
    BTreeMap::from(boards)
}

/// Measured boards, one per target.
const BOARDS: [&str; 5] =
    ["microbit", "qemu-mps2-an385", "qemu-mps2-an386", "qemu-mps2-an505", "qemu-riscv"];

/// Static RAM of boards that are not emulated, at the most, beside scratch memory and frames: that
/// of their drivers and of the log.
const DRIVERS: u64 = 2_048;

/// RAM of a board with the device application.
///
/// # Panics
/// When it can't be built or run, with the reason.
pub fn board_ram(board: &'static Board) -> BoardRam {
    let model = own_model(board);
    let stack = deepest(board, &serving_firmware(board, &model), None);
    let folder = empty_dir(&format!("sizes-{}", board.name));
    let key = SigningKey::generate();
    let public = key.write(&folder.join("owner")).unwrap_or_else(|error| panic!("{error}"));
    let signed = signed_firmware(board, &model, Signed::Models, &public);
    let stack_signed = deepest(board, &signed, Some(&key));
    let statics = match board.name {
        // The others have the emulator's log, and no drivers.
        "microbit" => {
            let parsed = Model::parse(&model).expect("the board's model");
            let frames = frame_len(parsed.raw_input_bytes()) + frame_len(parsed.output_bytes());
            let scratch = parsed.scratch_len().max(1024) * 4;
            let all = Sizes::of(&serving_firmware(board, &model)).ram;
            all.saturating_sub((scratch + frames) as u64)
        }
        _ => DRIVERS,
    };
    BoardRam { statics, stack, stack_signed }
}

/// The most stack that a board uses for all that it can be asked, for an update and the start after
/// it, in bytes.
///
/// # Panics
/// When it does not answer, with the reason.
pub fn deepest(board: &'static Board, elf: &Path, key: Option<&SigningKey>) -> u64 {
    let failed = |error| -> ! { panic!("{}: {error}", board.name) };
    let mut emulator = serving_on(board, elf);
    let mut client = emulator.connect().unwrap_or_else(|error| failed(error));
    let file = client.read_model().unwrap_or_else(|error| failed(error));
    let model = Model::parse(&file).expect("the board's model");
    let input = model.self_tests().next().expect("a test vector").input;
    client.self_test().unwrap_or_else(|error| failed(error));
    client.infer_bytes(input).unwrap_or_else(|error| failed(error));
    client.benchmark(1, input, |_| true).unwrap_or_else(|error| failed(error));
    client.trace(input).unwrap_or_else(|error| failed(error));
    let mut stack = client.info().unwrap_or_else(|error| failed(error)).stack_bytes;
    if client.info().unwrap_or_else(|error| failed(error)).slots.is_some() {
        let new = variant(1);
        let sent = key.map_or(new.clone(), |key| key.sign(&new, Version::now()));
        client.set_timeout(LIMIT);
        client.update(&sent, |_| ()).unwrap_or_else(|error| failed(error));
        stack = stack.max(client.info().unwrap_or_else(|error| failed(error)).stack_bytes);
        client.restart(None).unwrap_or_else(|error| failed(error));
        let now = client.wait_for_start(LIMIT).unwrap_or_else(|error| failed(error));
        assert!(now.slots.is_some_and(|slots| slots.running.is_some()), "{}", board.name);
        client.infer(&[0; 64]).unwrap_or_else(|error| failed(error));
        stack = stack.max(client.info().unwrap_or_else(|error| failed(error)).stack_bytes);
    }
    let stack = stack.unwrap_or_else(|| panic!("{} does not measure its stack", board.name));
    assert_ne!(stack, STACK_OVERRUN, "{}", board.name);
    stack.into()
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
        let used = OpSet::of(&Model::parse(&model).expect("a part")).layouts;
        let alone = layouts.iter().find(|(layout, _)| used == 1 << layout);
        code(part).saturating_sub(alone.expect("one layout").1)
    };
    let (table, softmax, int16) = (more(Part::Table), more(Part::Softmax), more(Part::Int16));
    let (counts, reals) = (more(Part::Counts), more(Part::Reals));
    let small = more(Part::Small);
    let model = Part::Native.model(core);
    let scratch = 4 * Model::parse(&model).expect("a part").scratch_len() as u64;
    let ram = sizes(&model).ram - scratch;
    let several = code(Part::NativeAndRowMajor);
    Code { ram, small, int16, table, softmax, counts, reals, layouts, several }
}
