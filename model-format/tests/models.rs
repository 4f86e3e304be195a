//! The properties that a model states, and the limits of its fields.

use model_format::build::{
    DenseSpec, DetailsSpec, InputSpec, LayerSpec, ModelSpec, OutputSpec, SelfTestSpec, SoftmaxSpec,
    TableSpec,
};
use model_format::{
    AllOps, Capabilities, Channel, Clamp, DataType, Encoding, Layer, MAX_SOFTMAX, Model,
    Multiplier, OpSet, OutputKind, Quantization, RealChannel, ScratchLayout, Softmax,
    TABLE_INT16_LEN, WeightLayout,
};

use crate::single::{model, patched};

fn softmax(len: usize) -> LayerSpec {
    let mut exponentials = vec![0; len];
    exponentials.iter_mut().take(1).for_each(|first| *first = i32::MAX);
    LayerSpec::Softmax(SoftmaxSpec { exponentials })
}

fn table(output: Quantization) -> LayerSpec {
    let entries = match output.data_type {
        DataType::Int8 => (-128..128).collect(),
        DataType::Int16 => vec![7; TABLE_INT16_LEN],
    };
    LayerSpec::Table(TableSpec { output, entries })
}

/// A model of this input whose only layer is a table, which takes any width.
fn of_input(shape: Vec<usize>, quantization: Quantization) -> ModelSpec {
    ModelSpec {
        input: InputSpec { shape, quantization, encoding: Encoding::Quantized },
        layers: vec![table(quantization)],
        ..model(WeightLayout::RowMajor, 1, 1)
    }
}

fn error(spec: &ModelSpec) -> String {
    spec.to_bytes().expect_err("it is refused").to_string()
}

const INT8: Quantization = Quantization::int8(1.0, 0);

#[test]
fn a_chain_of_layers_is_described() {
    let mut spec = model(WeightLayout::RowMajor, 9, 5);
    let values = Quantization::int8(2.0, 4);
    spec.layers.extend([table(values), softmax(2)]);
    let file = spec.to_bytes().unwrap();
    let parsed = Model::parse(&file).unwrap();
    let layers: Vec<_> = parsed.layers().collect();
    assert_eq!((parsed.layers().len(), layers.len()), (3, 3));
    assert_eq!(parsed.layers().skip(1).size_hint(), (2, Some(2)));
    assert!(layers.iter().map(Layer::inputs).eq([9, 5, 5]));
    assert!(layers.iter().map(Layer::outputs).eq([5, 5, 5]));
    assert!(layers.iter().map(Layer::macs).eq([45, 0, 0]));
    assert!(layers.iter().map(Layer::flash_len).eq([8 * 5 + 12 * 5 + 5, 256, 8]));
    assert!(layers.iter().map(Layer::name).eq(["dense", "table", "softmax"]));
    assert!(layers.iter().map(Layer::input).eq([Quantization::int8(1.0, 3), INT8, values]));
    assert!(layers.iter().map(Layer::output).eq([INT8, values, Softmax::OUTPUT]));
    assert!(layers.iter().map(Layer::range).eq([Clamp::INT8; 3]));
    assert_eq!((parsed.macs(), parsed.file_len()), (45, file.len()));
    assert_eq!((parsed.input_len(), parsed.output_len()), (9, 5));
    assert_eq!(parsed.input_quantization(), Quantization::int8(1.0, 3));
    // A step is 1/256, and 0 the lowest value.
    assert_eq!(parsed.output().quantization, Quantization::int8(0.003_906_25, -128));
    assert_eq!(parsed.checksum().to_le_bytes(), file[12..16]);
    assert_eq!(parsed.scratch_layout(), ScratchLayout::new(12, 5, 3));
    assert_eq!(parsed.scratch_len(), 6 + 2 + 3 * 8 + 2);
    assert_eq!(parsed.input().shape[..], [9]);
    assert_eq!(parsed.input().len(), 9);
}

#[test]
fn values_have_the_bytes_of_their_type() {
    let bytes = |spec: &ModelSpec| {
        let file = spec.to_bytes().unwrap();
        let parsed = Model::parse(&file).unwrap();
        let kinds = (parsed.channels().is_some(), parsed.real_channels().is_some());
        (parsed.input_bytes(), parsed.output_bytes(), parsed.raw_input_bytes(), kinds)
    };
    let int16 = Quantization::int16(1.0);
    assert_eq!(bytes(&of_input(vec![2, 3], INT8)), (6, 6, 6, (false, false)));
    assert_eq!(bytes(&of_input(vec![2, 3], int16)), (12, 12, 12, (false, false)));
    let mut counts = of_input(vec![2, 3], INT8);
    let multiplier = Multiplier { mantissa: 1 << 30, shift: 0 };
    let channel = Channel { offset: 7, multiplier, is_falling: true };
    counts.input.encoding = Encoding::Counts(vec![channel; 3]);
    assert_eq!(bytes(&counts), (6, 6, 12, (true, false)));
    let mut reals = of_input(vec![2, 3], INT8);
    let channel = RealChannel { offset: 7.0, factor: 2.0 };
    reals.input.encoding = Encoding::Reals(vec![channel; 2]);
    assert_eq!(bytes(&reals), (6, 6, 24, (false, true)));
    // Readings become values where a layer's outputs lie, six bytes, and there is no dense layer.
    for spec in [counts, reals, of_input(vec![2, 3], INT8)] {
        let file = spec.to_bytes().unwrap();
        let parsed = Model::parse(&file).unwrap();
        assert_eq!(parsed.scratch_layout(), ScratchLayout::new(0, 6, 1));
        assert_eq!(ModelSpec::from(&parsed), spec);
        let shown = format!("{:?}{:?}", parsed.channels(), parsed.real_channels());
        assert_eq!(shown.contains("offset: 7"), parsed.raw_input_bytes() != 6, "{shown}");
    }
    // A wide input of readings before a narrow layer.
    let mut wide = model(WeightLayout::RowMajor, 40, 1);
    wide.input.encoding = Encoding::Reals(vec![channel]);
    let file = wide.to_bytes().unwrap();
    assert_eq!(Model::parse(&file).unwrap().scratch_layout(), ScratchLayout::new(40, 40, 1));
}

#[test]
fn alignment_is_that_of_the_memory() {
    let file = model(WeightLayout::RowMajor, 3, 2).to_bytes().unwrap();
    let mut words = vec![0u8; file.len() + 8];
    let start = words.as_ptr().align_offset(4);
    for shift in 0..4 {
        words[start + shift..][..file.len()].copy_from_slice(&file);
        let parsed = Model::parse(&words[start + shift..][..file.len()]).unwrap();
        assert_eq!(parsed.is_aligned(), shift == 0);
    }
}

#[test]
fn self_tests_are_read_one_by_one() {
    let mut spec = model(WeightLayout::RowMajor, 3, 2);
    let test = |value| SelfTestSpec { input: vec![value; 3], output: vec![value + 1; 2] };
    spec.self_tests = vec![test(1), test(5), test(9)];
    let file = spec.to_bytes().unwrap();
    let parsed = Model::parse(&file).unwrap();
    assert_eq!((parsed.self_tests().len(), parsed.self_tests().count()), (3, 3));
    assert_eq!(parsed.self_tests().skip(1).size_hint(), (2, Some(2)));
    let last = parsed.self_tests().last().unwrap();
    assert_eq!((last.input, last.output), (&[9; 3][..], &[10; 2][..]));
    spec.self_tests = vec![test(0); 16];
    assert!(spec.to_bytes().is_ok());
    spec.self_tests.push(test(0));
    assert_eq!(error(&spec), "number of self-tests: 17 is more than this build takes (16)");
    spec.self_tests = vec![test(0), SelfTestSpec { output: vec![0], ..test(0) }];
    assert_eq!(error(&spec), "self-test 1, expected output: 1 where 2 is needed");
    spec.self_tests = vec![SelfTestSpec { input: vec![0; 4], ..test(0) }];
    assert_eq!(error(&spec), "self-test 0, input vector: 4 where 3 is needed");
}

#[test]
fn shapes_have_one_to_four_dimensions_of_8192_inputs_in_all() {
    for good in [vec![8192], vec![1; 4], vec![64, 128]] {
        assert!(of_input(good.clone(), INT8).to_bytes().is_ok(), "{good:?}");
    }
    for (bad, expected) in [
        (vec![], "input, number of dimensions: 0 is out of range"),
        (vec![1; 5], "input, number of dimensions: 5 is more than this build takes (4)"),
        (vec![3, 0], "input, dimension: 0 is out of range"),
        (vec![8193], "input, dimension: 8193 is more than this build takes (8192)"),
        (vec![2, 4097], "input, number of dimensions: 8194 is more than this build takes (8192)"),
    ] {
        assert_eq!(error(&of_input(bad, INT8)), expected);
    }
}

#[test]
fn quantizations_have_a_scale_and_a_zero_point() {
    let of = |data_type, scale, zero_point| {
        of_input(vec![2], Quantization { data_type, scale, zero_point })
    };
    for (data_type, scale, zero_point) in [
        (DataType::Int8, f32::MIN_POSITIVE, -128),
        (DataType::Int8, f32::MAX, 127),
        (DataType::Int16, 1.0, 0),
    ] {
        let spec = of(data_type, scale, zero_point);
        let file = spec.to_bytes().unwrap();
        assert_eq!(Model::parse(&file).unwrap().input_quantization(), spec.input.quantization);
    }
    for (data_type, scale, zero_point, expected) in [
        (DataType::Int8, 1.0, -129, "input, zero point: -129 is out of range"),
        (DataType::Int8, 1.0, 128, "input, zero point: 128 is out of range"),
        (DataType::Int16, 1.0, 1, "input, zero point: 1 is out of range"),
        (DataType::Int16, 1.0, -1, "input, zero point: -1 is out of range"),
        (DataType::Int8, 0.0, 0, "input, scale: 0e0 is not a positive number"),
        (DataType::Int8, -1.0, 0, "input, scale: -1e0 is not a positive number"),
        (DataType::Int8, f32::INFINITY, 0, "input, scale: inf is not a positive number"),
        (DataType::Int8, f32::NAN, 0, "input, scale: NaN is not a positive number"),
    ] {
        assert_eq!(error(&of(data_type, scale, zero_point)), expected);
    }
    let real = Quantization::int8(0.5, -3);
    assert_eq!([-128, -3, 127].map(|q| real.dequantize(q)), [-62.5, 0.0, 65.0]);
}

#[test]
fn a_clamp_lies_within_the_type_of_the_output() {
    for (low, high, expected) in [
        (-129, 0, "layer 0, lower clamp bound: -129 is out of range"),
        (128, 128, "layer 0, lower clamp bound: 128 is out of range"),
        (5, 4, "layer 0, upper clamp bound: 4 is out of range"),
        (0, 128, "layer 0, upper clamp bound: 128 is out of range"),
    ] {
        let mut spec = model(WeightLayout::RowMajor, 1, 1);
        let LayerSpec::Dense(dense) = &mut spec.layers[0] else { unreachable!() };
        dense.clamp = Clamp { low, high };
        assert_eq!(error(&spec), expected);
    }
    let mut spec = model(WeightLayout::RowMajor, 1, 1);
    let LayerSpec::Dense(dense) = &mut spec.layers[0] else { unreachable!() };
    dense.clamp = Clamp { low: 5, high: 5 };
    assert!(spec.to_bytes().is_ok());
}

#[test]
fn softmax_takes_up_to_4095_logits_of_int8() {
    let of = |width, exponentials| ModelSpec {
        layers: vec![softmax(exponentials)],
        ..of_input(vec![width], INT8)
    };
    assert!(of(MAX_SOFTMAX, 1).to_bytes().is_ok() && of(3, 256).to_bytes().is_ok());
    assert_eq!(error(&of(4096, 1)), "layer 0, inputs: 4096 is more than this build takes (4095)");
    assert_eq!(error(&of(3, 0)), "layer 0, exponentials: 0 is out of range");
    assert_eq!(error(&of(3, 257)), "layer 0, exponentials: 1028 is out of range");
    let mut int16 = of(3, 1);
    int16.input.quantization = Quantization::int16(1.0);
    assert_eq!(error(&int16), "layer 0, operator: needs an int8 input, and gets int16");
    for (exponentials, expected) in [
        (vec![i32::MAX - 1, 5], "layer 0, exponentials: 2147483646 is out of range"),
        (vec![i32::MAX, 5, -1], "layer 0, exponentials: -1 is out of range"),
    ] {
        let mut spec = of(3, 1);
        spec.layers = vec![LayerSpec::Softmax(SoftmaxSpec { exponentials })];
        assert_eq!(error(&spec), expected);
    }
}

#[test]
fn layers_follow_each_other() {
    let mut spec = model(WeightLayout::RowMajor, 3, 2);
    let LayerSpec::Dense(second) = model(WeightLayout::RowMajor, 3, 1).layers.remove(0) else {
        unreachable!()
    };
    spec.layers.push(LayerSpec::Dense(second));
    assert_eq!(error(&spec), "layer 1, inputs: 3 where 2 is needed");
    spec.layers.clear();
    assert_eq!(error(&spec), "number of layers: 0 is out of range");
    spec.layers = vec![table(Quantization::int8(1.0, 3)); 33];
    assert_eq!(error(&spec), "number of layers: 33 is more than this build takes (32)");
    spec.layers.pop();
    assert!(spec.to_bytes().is_ok());
}

#[test]
fn thresholds_and_labels_have_limits() {
    let labels = |count: usize| -> Vec<String> { (0..count).map(|n| n.to_string()).collect() };
    let classes = |count, threshold| ModelSpec {
        output: OutputSpec::Classes { labels: labels(count), threshold },
        ..of_input(vec![count], INT8)
    };
    for threshold in [-65536, 0, 65536] {
        let file = classes(2, threshold).to_bytes().unwrap();
        let found = match Model::parse(&file).unwrap().output().kind {
            OutputKind::Classes { threshold, .. } => threshold,
            other => panic!("{other:?}"),
        };
        assert_eq!(found, threshold);
    }
    assert_eq!(error(&classes(2, 65537)), "output, threshold: 65537 is out of range");
    assert_eq!(error(&classes(2, -65537)), "output, threshold: -65537 is out of range");
    assert_eq!(error(&classes(3, -1)), "output, threshold: -1 is out of range");
    assert!(classes(256, 0).to_bytes().is_ok() && classes(1, 0).to_bytes().is_ok());
    assert_eq!(
        error(&classes(257, 0)),
        "output, number of labels: 257 is more than this build takes (256)"
    );
    let probability = |count, threshold| ModelSpec {
        output: OutputSpec::Probability { labels: labels(count), threshold },
        ..of_input(vec![1], INT8)
    };
    for threshold in [-65536, 65536] {
        let file = probability(2, threshold).to_bytes().unwrap();
        let output = Model::parse(&file).unwrap().output();
        assert_eq!(output.kind.labels().map(|labels| labels.len()), Some(2));
    }
    assert_eq!(error(&probability(2, 65537)), "output, threshold: 65537 is out of range");
    assert_eq!(error(&probability(3, 0)), "output, number of labels: 3 where 2 is needed");
}

#[test]
fn what_a_build_lacks_is_named() {
    struct Little;
    impl Capabilities for Little {
        const OPS: OpSet = OpSet {
            layouts: 1 << WeightLayout::RowMajor as u8,
            compact: false,
            small: false,
            int16: false,
            table: false,
            softmax: false,
            counts: false,
            reals: false,
            details: false,
        };
    }
    let refused = |spec: &ModelSpec| {
        let file = spec.to_bytes().unwrap();
        let error = Model::<Little>::parse_with_ops(&file).map(|_| ()).err()?;
        Some(error.to_string())
    };
    let mut spec = model(WeightLayout::RowMajor, 3, 2);
    spec.details = DetailsSpec { preparation: "as it is".into(), ..DetailsSpec::default() };
    assert_eq!(refused(&spec), None);
    let file = spec.to_bytes().unwrap();
    let parsed = Model::<Little>::parse_with_ops(&file).unwrap();
    assert_eq!((parsed.input_bytes(), parsed.output_bytes()), (3, 2));
    let mut more = spec.clone();
    more.layers.push(table(INT8));
    assert_eq!(refused(&more).unwrap(), "layer 1, operator: code 1 was left out of this build");
    more.layers[1] = softmax(1);
    assert_eq!(refused(&more).unwrap(), "layer 1, operator: code 2 was left out of this build");
    let sparse = model(WeightLayout::Sparse, 3, 2);
    let layout = "layer 0, weight layout: code 8 was left out of this build";
    assert_eq!(refused(&sparse).unwrap(), layout);
    let int16 = of_input(vec![2], Quantization::int16(1.0));
    assert_eq!(refused(&int16).unwrap(), "input, data type: code 1 was left out of this build");
    let channel = RealChannel { offset: 0.0, factor: 1.0 };
    more = spec.clone();
    more.input.encoding = Encoding::Reals(vec![channel]);
    assert_eq!(refused(&more).unwrap(), "input, encoding: code 3 was left out of this build");
    more.input.encoding = Encoding::Counts(vec![Channel::IGNORED]);
    assert_eq!(refused(&more).unwrap(), "input, encoding: code 2 was left out of this build");
    more.input = InputSpec { quantization: Quantization::int16(1.0), ..spec.input.clone() };
    more.input.encoding = Encoding::Unsigned8;
    assert_eq!(error(&more), "input, encoding: code 1 is not supported by this build");
}

#[test]
fn the_set_of_a_model_is_what_it_uses() {
    let of = |spec: &ModelSpec| {
        let file = spec.to_bytes().unwrap();
        OpSet::of(&Model::<AllOps>::parse_with_ops(&file).unwrap())
    };
    let mut spec = model(WeightLayout::Pairs4, 3, 2);
    let none = OpSet {
        layouts: 1 << 9,
        compact: false,
        small: false,
        int16: false,
        table: false,
        softmax: false,
        counts: false,
        reals: false,
        details: false,
    };
    assert_eq!(of(&spec), none);
    // Where a second layer is not small, no code of its own is for the first.
    let LayerSpec::Dense(wide) = spec.layers[0].clone() else { panic!("dense") };
    let mut small = wide.clone();
    small.multipliers.iter_mut().for_each(|multiplier| multiplier.shift = -3);
    spec.layers = vec![LayerSpec::Dense(small.clone())];
    assert_eq!(of(&spec), OpSet { small: true, ..none });
    spec.layers.push(LayerSpec::Dense(DenseSpec {
        inputs: wide.outputs,
        outputs: 1,
        weights: vec![1; wide.outputs],
        biases: vec![0],
        multipliers: vec![Multiplier { mantissa: 1 << 30, shift: 0 }],
        ..wide.clone()
    }));
    assert_eq!(of(&spec), none);
    spec.layers = vec![LayerSpec::Dense(wide)];
    spec.layers.push(table(INT8));
    assert_eq!(of(&spec), OpSet { table: true, ..none });
    spec.layers.push(softmax(1));
    assert_eq!(of(&spec), OpSet { table: true, softmax: true, ..none });
    spec.layers.insert(1, model(WeightLayout::Int4, 2, 2).layers.remove(0));
    let layouts = 1 << 9 | 1 << 6;
    assert_eq!(of(&spec), OpSet { layouts, table: true, softmax: true, ..none });
    // A second layer of the same kind takes nothing away.
    spec.layers.insert(1, model(WeightLayout::Int4, 2, 2).layers.remove(0));
    assert_eq!(of(&spec), OpSet { layouts, table: true, softmax: true, ..none });
    let mut spec = of_input(vec![2], Quantization::int16(1.0));
    let int16 = OpSet { layouts: 0, int16: true, table: true, ..none };
    assert_eq!(of(&spec), int16);
    spec.input.encoding = Encoding::Counts(vec![Channel::IGNORED]);
    assert_eq!(of(&spec), OpSet { counts: true, ..int16 });
    spec.input.encoding = Encoding::Reals(vec![RealChannel { offset: 0.0, factor: 1.0 }]);
    assert_eq!(of(&spec), OpSet { reals: true, ..int16 });
    // int16 in between, of a model that takes int8.
    let mut spec = model(WeightLayout::RowMajor, 3, 2);
    let LayerSpec::Dense(dense) = &mut spec.layers[0] else { unreachable!() };
    dense.output = Quantization::int16(1.0);
    assert!(of(&spec).int16);
    // One compact layer in front of another, and of one that is not.
    let compact = |rows| {
        let mut layer = model(WeightLayout::Ternary, rows, rows).layers.remove(0);
        let LayerSpec::Dense(dense) = &mut layer else { unreachable!() };
        dense.multipliers = vec![Multiplier { mantissa: 1 << 30, shift: -1 }; rows];
        layer
    };
    let mut spec = model(WeightLayout::Ternary, 3, 3);
    spec.layers.insert(0, compact(3));
    assert_eq!(of(&spec), OpSet { layouts: 1 << 11, compact: true, ..none });
    spec.layers[1] = compact(3);
    assert_eq!(of(&spec), OpSet { layouts: 1 << 11, compact: true, ..none });
}

/// A model without a layer of weights has no parameters to change; one with has.
#[test]
fn a_changed_file_is_damaged_until_it_is_sealed() {
    let file = model(WeightLayout::RowMajor, 3, 2).to_bytes().unwrap();
    let good = patched(&file, |parameters| parameters[0] ^= 1);
    assert!(Model::parse(&good).is_ok());
    let mut damaged = good;
    damaged[40] ^= 1;
    let error = Model::parse(&damaged).unwrap_err().to_string();
    assert!(error.contains("the file is damaged"), "{error}");
}
