//! Models with inputs, for comparison of an engine with the reference.

use model_format::build::{DenseSpec, InputSpec, LayerSpec, ModelSpec, OutputSpec};
use model_format::{
    Clamp, DataType, Encoding, Kernels, Model, Multiplier, Quantization, WeightLayout, WeightType,
};

use crate::random_model::RandomModel;

/// A model and inputs for it.
#[derive(Clone, Debug)]
pub struct Case {
    /// Description, to reproduce the case.
    pub what: String,
    /// The model file.
    pub model: Vec<u8>,
    /// Inputs of the model's length; for 16-bit inputs their bytes.
    pub inputs: Vec<Vec<i8>>,
}

impl Case {
    fn new(what: String, spec: &ModelSpec, inputs: Vec<Vec<i8>>) -> Case {
        let model = spec.to_bytes().unwrap_or_else(|error| panic!("{what}: {error}"));
        Case { what, model, inputs }
    }

    /// Returns the case with all layers in this layout, if their weights fit into it.
    pub fn laid_out(self, layout: WeightLayout) -> Case {
        let model = Model::parse(&self.model).unwrap_or_else(|error| panic!("{error}"));
        let mut spec = ModelSpec::from(&model);
        for layer in &mut spec.layers {
            if let LayerSpec::Dense(dense) = layer {
                dense.layout = layout;
            }
        }
        Case::new(format!("{}, {}", self.what, layout.name()), &spec, self.inputs)
    }
}

/// Returns the random model of this seed, with no layer wider than `max_width`.
pub fn random(seed: u64, max_width: usize) -> Case {
    let RandomModel { spec, inputs } = RandomModel::within(seed, max_width);
    let widths: Vec<usize> = dense_layers(&spec).map(|dense| dense.outputs).collect();
    let what = format!("random model of seed {seed} ({} inputs, {widths:?})", inputs[0].len());
    Case::new(what, &spec, inputs)
}

/// Returns the random model of this seed, each layer in a random supported layout of `layouts`.
pub fn packed(seed: u64, max_width: usize, layouts: &[WeightLayout]) -> Case {
    let RandomModel { mut spec, inputs } = RandomModel::within(seed, max_width);
    let mut rng = fastrand::Rng::with_seed(seed ^ 0x5eed);
    for index in 0..spec.layers.len() {
        let layout = layouts[rng.usize(..layouts.len())];
        let LayerSpec::Dense(dense) = &mut spec.layers[index] else { continue };
        lay_out(dense, layout, &mut rng);
    }
    let shapes: Vec<_> =
        dense_layers(&spec).map(|dense| (dense.outputs, dense.layout.name())).collect();
    let what = format!("packed model of seed {seed} ({} inputs, {shapes:?})", inputs[0].len());
    Case::new(what, &spec, inputs)
}

/// Gives a layer this layout, and weights that fit into it.
fn lay_out(dense: &mut DenseSpec, layout: WeightLayout, rng: &mut fastrand::Rng) {
    dense.weights.iter_mut().for_each(|weight| *weight = held(layout.weight_type(), *weight));
    if layout == WeightLayout::Sparse {
        // Whole zero blocks; otherwise sparsity has no effect.
        for row in dense.weights.chunks_mut(dense.inputs) {
            row.chunks_mut(4).filter(|_| rng.bool()).for_each(|block| block.fill(0));
        }
    }
    if layout.weight_type() == WeightType::Int2 {
        // Weights that were zero are not now: the accumulator needs room for them.
        dense.biases.iter_mut().for_each(|bias| *bias /= 4);
        dense.multipliers.iter_mut().for_each(|m| m.shift = m.shift.min(0));
    }
    if layout.may_be_compact() && rng.bool() {
        // Where there is no compact form, all rows stay wide.
        dense.biases.iter_mut().for_each(|bias| *bias = (*bias).clamp(-32_768, 32_767));
        dense.multipliers.iter_mut().for_each(|m| *m = m.to_compact().unwrap_or(*m));
    }
    dense.layout = layout;
}

/// Returns a weight of this type for a random number.
pub fn held(weight_type: WeightType, number: i8) -> i8 {
    match weight_type {
        WeightType::Int8 => number,
        WeightType::Int4 => number % 8,
        WeightType::Int2 => [-3, -1, 1, 3][usize::from(number as u8 & 3)],
        WeightType::Ternary => number % 2,
    }
}

fn dense_layers(spec: &ModelSpec) -> impl Iterator<Item = &DenseSpec> {
    spec.layers.iter().filter_map(|layer| match layer {
        LayerSpec::Dense(dense) => Some(dense),
        LayerSpec::Table(_) | LayerSpec::Softmax(_) => None,
    })
}

/// Shapes with every remainder of the kernels' unrolling, and inputs of only 127 or -128 that fill
/// the segments of partial sums.
pub fn every_small_shape(layout: WeightLayout) -> impl Iterator<Item = Case> {
    let mut rng = fastrand::Rng::with_seed(1);
    let small = (1..=70).flat_map(|inputs| (1..=9).map(move |outputs| (inputs, outputs)));
    let long = [285, 288, 289, 296, 575, 576, 577, 1200].map(|inputs| (inputs, 5));
    small.chain(long).map(move |(inputs, outputs)| {
        let multiplier = Multiplier { mantissa: 1_500_000_000, shift: -9 };
        let zero_point = [rng.i8(..), -128, 127][rng.usize(..3)];
        let mut model =
            dense(inputs, outputs, zero_point.into(), multiplier, || rng.i8(-127..=127));
        let mut input: Vec<i8> = (0..inputs).map(|_| rng.i8(..)).collect();
        let mut sparse = input.clone();
        sparse.chunks_mut(8).filter(|_| rng.u8(..3) > 0).for_each(|x| x.fill(zero_point));
        if inputs > 70 {
            input.fill(if zero_point < 0 { 127 } else { -128 });
        }
        for layer in &mut model.layers {
            let LayerSpec::Dense(dense) = layer else { continue };
            lay_out(dense, layout, &mut rng);
            if inputs > 70 {
                dense.weights.fill(layout.weight_type().max_weight() as i8);
                dense.multipliers.fill(Multiplier { mantissa: 1_500_000_000, shift: -18 });
            }
        }
        let what = format!("{inputs} × {outputs}, {}", layout.name());
        Case::new(what, &model, vec![input, sparse, vec![zero_point; inputs]])
    })
}

/// Returns a model with 16-bit activations and random weights, of two layers in random layouts of
/// `layouts`; those that require int8 are skipped.
pub fn int16(seed: u64, layouts: &[WeightLayout]) -> Case {
    let mut rng = fastrand::Rng::with_seed(seed);
    rng.u64(..);
    // Not the host, which reads all.
    let devices = Kernels::named(["dsp", "mve", "v7m", "v6m", "rv32"]);
    let takes_int16 =
        |layout: &&WeightLayout| !layout.needs_int8() && devices.reads(**layout, DataType::Int16);
    let layouts: Vec<_> = layouts.iter().filter(takes_int16).collect();
    let widths = [(); 3].map(|()| {
        let most = [8, 70, 300][rng.usize(..3)];
        rng.usize(1..=most)
    });
    let quantization = Quantization::int16(1.0);
    let all = Clamp::all(quantization.data_type);
    let layers = widths.windows(2).map(|pair| {
        let spread = 73.0 * (pair[0] as f64).sqrt();
        let mut layer = DenseSpec {
            inputs: pair[0],
            outputs: pair[1],
            weights: (0..pair[0] * pair[1]).map(|_| rng.i8(-127..=127)).collect(),
            biases: (0..pair[1]).map(|_| rng.i32(-100_000..100_000)).collect(),
            multipliers: (0..pair[1])
                .map(|_| Multiplier::from_real((0.2 + rng.f64()) / spread).expect("small"))
                .collect(),
            output: quantization,
            clamp: if rng.bool() { all } else { Clamp { low: 0, ..all } },
            layout: WeightLayout::RowMajor,
        };
        lay_out(&mut layer, *layouts[rng.usize(..layouts.len())], &mut rng);
        LayerSpec::Dense(layer)
    });
    let spec = ModelSpec {
        name: "int16".into(),
        input: InputSpec { shape: vec![widths[0]], quantization, encoding: Encoding::Quantized },
        output: OutputSpec::Values(vec![]),
        layers: layers.collect(),
        self_tests: vec![],
        details: Default::default(),
    };
    let shapes: Vec<_> =
        dense_layers(&spec).map(|dense| (dense.outputs, dense.layout.name())).collect();
    let what = format!("int16 model of seed {seed} ({} inputs, {shapes:?})", widths[0]);
    let inputs: [Vec<i16>; 3] = [
        (0..widths[0]).map(|_| rng.i16(..)).collect(),
        (0..widths[0]).map(|_| if rng.u8(..4) == 0 { rng.i16(..) } else { 0 }).collect(),
        vec![i16::MIN; widths[0]],
    ];
    let bytes =
        |x: Vec<i16>| x.into_iter().flat_map(|x| x.to_le_bytes().map(|b| b as i8)).collect();
    Case::new(what, &spec, inputs.into_iter().map(bytes).collect())
}

/// One weight of 1 and every input: the accumulator is −255..=255. The shifts range from total loss
/// to total saturation, and both roundings meet ties.
pub fn every_shift() -> Vec<Case> {
    let inputs: Vec<Vec<i8>> = (i8::MIN..=i8::MAX).map(|q| vec![q]).collect();
    let mut cases = Vec::new();
    for shift in Multiplier::SHIFTS {
        for mantissa in [1 << 30, (1 << 30) + 1, 3 << 29, i32::MAX - 1, i32::MAX] {
            for zero_point in [-128, 0, 127] {
                let multiplier = Multiplier { mantissa, shift };
                let spec = dense(1, 1, zero_point, multiplier, || 1);
                // No valid model has a shift that overflows 32 bits.
                let reach = i64::from((127 - zero_point).max(zero_point + 128));
                if shift < 0 || reach << shift < 1 << 31 {
                    let what = format!("{multiplier:?}, input zero point {zero_point}");
                    cases.push(Case::new(what, &spec, inputs.clone()));
                } else {
                    assert!(spec.to_bytes().is_err(), "{reach} << {shift} does not fit 32 bits");
                }
            }
        }
    }
    cases
}

/// Biases up to the overflow bound, with each output zero point: the rescaled accumulator comes as
/// close as possible to both ends of 32 bits.
pub fn ends_of_32_bits() -> Vec<Case> {
    let mut cases = Vec::new();
    for bias in [i32::MAX, i32::MAX - 1, 1 << 30] {
        for mantissa in [1 << 30, i32::MAX] {
            for shift in [-31, -30, -24, -23, -1, 0] {
                for zero_point in [-128, -1, 0, 1, 127] {
                    let multiplier = Multiplier { mantissa, shift };
                    let mut spec = dense(3, 2, 0, multiplier, || 0);
                    let LayerSpec::Dense(layer) = &mut spec.layers[0] else { continue };
                    layer.biases = vec![bias, -bias];
                    layer.output.zero_point = zero_point;
                    let what = format!("bias ±{bias}, {multiplier:?}, zero point {zero_point}");
                    cases.push(Case::new(what, &spec, vec![vec![1, 2, 3]]));
                }
            }
        }
    }
    cases
}

/// A model of one dense layer without bias.
fn dense(
    inputs: usize,
    outputs: usize,
    input_zero_point: i32,
    multiplier: Multiplier,
    mut weight: impl FnMut() -> i8,
) -> ModelSpec {
    let quantization = |zero_point| Quantization::int8(1.0, zero_point);
    ModelSpec {
        name: "dense".into(),
        input: InputSpec {
            shape: vec![inputs],
            quantization: quantization(input_zero_point),
            encoding: Encoding::Quantized,
        },
        output: OutputSpec::Values(vec![]),
        layers: vec![LayerSpec::Dense(DenseSpec {
            inputs,
            outputs,
            weights: (0..inputs * outputs).map(|_| weight()).collect(),
            biases: vec![0; outputs],
            multipliers: vec![multiplier; outputs],
            output: quantization(0),
            clamp: Clamp::INT8,
            layout: WeightLayout::RowMajor,
        })],
        self_tests: vec![],
        details: Default::default(),
    }
}
