//! Labels, channels, names and units; what the writer refuses; and the kernels that read a layer.

use model_format::build::{
    DenseSpec, DetailsSpec, FeatureSpec, LayerSpec, ModelSpec, OutputSpec, TableSpec,
};
use model_format::{
    Channel, Encoding, Error, Kernels, Labels, Model, OutputKind, Quantization, RealChannel,
    ValueScale, WeightLayout,
};

use crate::single::{layer, model};

fn error(spec: &ModelSpec) -> String {
    spec.to_bytes().expect_err("it is refused").to_string()
}

fn classes(labels: &[&str]) -> ModelSpec {
    ModelSpec {
        output: OutputSpec::classes(labels.iter().copied()),
        ..model(WeightLayout::RowMajor, 3, labels.len())
    }
}

#[test]
fn labels_are_compared_and_counted() {
    fn labels<'a>(file: &'a [u8]) -> Labels<'a> {
        Model::parse(file).unwrap().output().kind.labels().unwrap()
    }
    let files = [&["no", "yes"][..], &["no", "maybe"], &["no"]]
        .map(|labels| classes(labels).to_bytes().unwrap());
    let [first, second, third] = files.each_ref().map(|file| labels(file));
    assert_eq!((first.len(), third.len(), first.is_empty()), (2, 1, false));
    assert!(first.iter().eq(["no", "yes"]));
    assert_eq!([0, 1, 2].map(|class| first.get(class)), [Some("no"), Some("yes"), None]);
    assert_eq!(format!("{first:?}"), "[\"no\", \"yes\"]");
    assert_eq!(first, labels(&files[0].clone()));
    assert!(first != second && first != third);
    let file = model(WeightLayout::RowMajor, 3, 2).to_bytes().unwrap();
    assert!(Model::parse(&file).unwrap().output().kind.labels().is_none());
}

#[test]
fn channels_and_scales_are_counted() {
    let mut spec = model(WeightLayout::RowMajor, 6, 2);
    spec.input.encoding = Encoding::Counts(vec![Channel::IGNORED; 3]);
    let scale = ValueScale { scale: 0.5, offset: -1.0 };
    spec.output = OutputSpec::Values(vec![scale; 2]);
    let file = spec.to_bytes().unwrap();
    let parsed = Model::parse(&file).unwrap();
    let channels = parsed.channels().unwrap();
    assert_eq!((channels.len(), channels.is_empty(), channels.iter().count()), (3, false, 3));
    let OutputKind::Values(scales) = parsed.output().kind else { panic!("not values") };
    assert_eq!((scales.len(), scales.is_empty()), (2, false));
    assert_eq!(format!("{scales:?}"), format!("[{scale:?}, {scale:?}]"));
    assert_eq!(ValueScale::of_layer(Quantization::int8(2.0, 9)).real(3), 6.0);
    let channel = RealChannel { offset: 0.0, factor: 1.0 };
    spec.input.encoding = Encoding::Reals(vec![channel; 2]);
    let file = spec.to_bytes().unwrap();
    let channels = Model::parse(&file).unwrap().real_channels().unwrap();
    assert_eq!((channels.len(), channels.is_empty(), channels.iter().count()), (2, false, 2));
}

/// A model of two inputs and three outputs with these descriptions.
fn described(features: usize, outputs: usize) -> ModelSpec {
    let feature = |name: usize| FeatureSpec {
        name: format!("feature {name}"),
        unit: "hPa".into(),
        clipped: 1_000_000,
        line: [0.5, -2.0],
    };
    let output = |name: usize| (format!("output {name}"), "°C".to_string());
    ModelSpec {
        details: DetailsSpec {
            features: (0..features).map(feature).collect(),
            outputs: (0..outputs).map(output).collect(),
            preparation: String::new(),
        },
        ..model(WeightLayout::RowMajor, 2, 3)
    }
}

#[test]
fn features_and_outputs_are_described_all_or_none() {
    for (features, outputs) in [(2, 3), (2, 0), (0, 3)] {
        let spec = described(features, outputs);
        let file = spec.to_bytes().unwrap();
        let parsed = Model::parse(&file).unwrap();
        assert_eq!(ModelSpec::from(&parsed), spec);
        let details = parsed.details();
        assert_eq!((details.features().len(), details.outputs().len()), (features, outputs));
        assert!(!details.is_empty() && details.len() > 20);
    }
    assert_eq!(error(&described(1, 3)), "number of features: 1 where 2 is needed");
    assert_eq!(error(&described(2, 2)), "number of outputs: 2 where 3 is needed");
    let mut spec = described(2, 3);
    spec.details.features[1].clipped = 1_000_001;
    let limit = "feature 1, clipped share: 1000001 is more than this build takes (1000000)";
    assert_eq!(error(&spec), limit);
    spec.details.features[1].clipped = 0;
    spec.details.features[1].line[1] = f32::INFINITY;
    assert_eq!(error(&spec), "feature 1, scale: it is not a finite number (bits 7f800000)");
    spec = described(0, 3);
    spec.details.outputs[2].1 = "x".repeat(65);
    assert_eq!(error(&spec), "output 2, text: 65 is more than this build takes (64)");
    let stripped = model(WeightLayout::RowMajor, 2, 3).to_bytes().unwrap();
    let stripped = Model::parse(&stripped).unwrap();
    let details = stripped.details();
    assert_eq!((details.is_empty(), details.len(), details.preparation()), (true, 0, ""));
}

#[test]
fn the_writer_refuses_what_no_file_can_hold() {
    let changed = |layout, change: &dyn Fn(&mut DenseSpec)| {
        let mut spec = model(layout, 3, 2);
        let LayerSpec::Dense(dense) = &mut spec.layers[0] else { unreachable!() };
        change(dense);
        spec.to_bytes().map(|_| ()).map_err(|error| error.to_string())
    };
    let refused = |expected: &str| Err(expected.to_string());
    for layout in [WeightLayout::Int4, WeightLayout::Int4Tiles4] {
        let with = |weight| changed(layout, &|dense| dense.weights[1] = weight);
        assert_eq!([with(7), with(-7)], [Ok(()), Ok(())]);
        assert_eq!(with(8), refused("layer 0, weight: 8 is out of range"));
        assert_eq!(with(-8), refused("layer 0, weight: -8 is out of range"));
    }
    for (layout, held, other) in [
        (WeightLayout::Int2, [-3, -1, 1, 3], [0, 2, -5]),
        (WeightLayout::Ternary, [-1, 0, 1, 0], [2, -2, 127]),
    ] {
        let with = |weight| changed(layout, &|dense| dense.weights[1] = weight);
        assert_eq!(held.map(with), [Ok(()), Ok(()), Ok(()), Ok(())]);
        for weight in other {
            assert_eq!(
                with(weight),
                refused(&format!("layer 0, weight: {weight} is out of range"))
            );
        }
    }
    assert_eq!(changed(WeightLayout::RowMajor, &|dense| dense.weights[1] = 8), Ok(()));
    let rows = WeightLayout::RowMajor;
    let found = changed(rows, &|dense| dense.weights.truncate(5));
    assert_eq!(found, refused("layer 0, weight: 5 where 6 is needed"));
    let found = changed(rows, &|dense| dense.biases.push(0));
    assert_eq!(found, refused("layer 0, parameters: 3 where 2 is needed"));
    let found = changed(rows, &|dense| dense.multipliers.truncate(1));
    assert_eq!(found, refused("layer 0, multiplier: 1 where 2 is needed"));
    for (output, entries, expected) in [
        (Quantization::int8(1.0, 0), 255, "layer 0, table: 255 where 256 is needed"),
        (Quantization::int16(1.0), 256, "layer 0, table: 256 where 257 is needed"),
    ] {
        let mut spec = model(rows, 3, 2);
        spec.input.quantization = output;
        let entries = vec![0; entries];
        spec.layers = vec![LayerSpec::Table(TableSpec { output, entries })];
        assert_eq!(error(&spec), expected);
    }
}

#[test]
fn a_length_that_is_wrong_is_named_one_way_or_the_other() {
    let length = |stated, actual| Error::Length { stated, actual }.to_string();
    assert!(length(20, 19).contains("cut off"), "{}", length(20, 19));
    for actual in [20, 21] {
        assert!(length(20, actual).contains("too long"), "{}", length(20, actual));
    }
    assert!(Error::Multiplier.to_string().contains("below 2^30"));
}

#[test]
fn a_layer_is_read_by_the_kernels_of_its_layout() {
    for layout in WeightLayout::ALL {
        let file = model(layout, 3, 2).to_bytes().unwrap();
        let parsed = Model::parse(&file).unwrap();
        let portable = layout == WeightLayout::row_major(layout.weight_type())
            || layout == WeightLayout::Sparse;
        assert_eq!(Kernels::PORTABLE.read(&layer(&parsed)), portable, "{layout:?}");
        assert!(Kernels::HOST.read(&layer(&parsed)), "{layout:?}");
    }
}
