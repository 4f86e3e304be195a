//! Quantization-aware training: the model computes what the training evaluated.

use std::num::NonZero;

use host_trainer::choice::quantize_network;
use host_trainer::data::Locations;
use host_trainer::evaluate::Evaluation;
use host_trainer::experiment::{Experiment, Plan, SavedRun};
use host_trainer::preset::Preset;
use host_trainer::quantize::weights::dense_layers;
use host_trainer::run_folder::RunFolder;
use host_trainer::threads::Threads;
use host_trainer::train::StopFlag;
use model_format::Model;

const DIGITS: &str = r#"
    name = "test"
    [data]
    dataset = "digits"
    test = { stratified = { fraction = 0.2 } }
    [network]
    layers = [
        { dense = { units = 24 } },
        { batch_normalization = { momentum = 0.9 } },
        { activation = "relu" },
        { dense = { units = 16, activation = "tanh" } },
        { dense = { units = 10 } },
    ]
    [training]
    epochs = 12
    batch_size = 32
    schedule = "cosine"
    optimizer = { adamw = { learning_rate = 0.01 } }
"#;

const SPIRALS: &str = r#"
    name = "test"
    [data]
    dataset = { spirals = { arms = 2, points_per_arm = 300 } }
    test = { random = { fraction = 0.2 } }
    scaling = "standard"
    [network]
    layers = [{ dense = { units = 32, activation = "relu" } }, { dense = { units = 1, activation = "sigmoid" } }]
    [training]
    loss = "binary_cross_entropy"
    epochs = 20
    batch_size = 16
    optimizer = { adam = { learning_rate = 0.01 } }
"#;

fn run(text: &str, aware: &str) -> (Experiment, Threads) {
    run_on(1, text, aware)
}

fn run_on(threads: usize, text: &str, aware: &str) -> (Experiment, Threads) {
    let text = format!("{text}\n[quantization_aware]\n{aware}\n");
    let preset = Preset::read(&text, "test").unwrap();
    let threads = Threads::new(NonZero::new(threads)).unwrap();
    let plan = Plan::new(preset, &Locations::default()).unwrap();
    let stop = StopFlag::default();
    let experiment = plan.run(&threads, &stop, None, &mut ()).unwrap();
    (experiment, threads)
}

#[test]
fn the_model_computes_what_the_training_evaluated() {
    let all = ["\"int4\"", "[\"int2\", \"int8\", \"ternary\"]"];
    let runs = all.map(|weights| (DIGITS, weights)).into_iter().chain([(SPIRALS, "\"int4\"")]);
    let clippings = ["mean", "learned"];
    for ((text, weights), clipping) in
        runs.flat_map(|run| clippings.map(move |clipping| (run, clipping)))
    {
        let (experiment, _) = run(text, &format!("weights = {weights}\nclipping = \"{clipping}\""));
        let (float, int8) = (&experiment.float, &experiment.int8);
        let different = float.answers.iter().zip(&int8.answers).filter(|(a, b)| a != b).count();
        // The training rounds products of f32, the model sums in integers and rounds twice. Values
        // on the border of two steps differ by one of 256, and so may classes that are as close.
        assert!(100 * different <= float.answers.len(), "{weights} {clipping}: {different}");
        assert!(int8.confusion.accuracy() > 0.6, "{weights} {clipping}");
    }
}

#[test]
fn threads_change_no_bit() {
    // Without batch normalization, and with enough work for two threads.
    let wide = SPIRALS
        .replace("units = 32", "units = 512")
        .replace("{ dense = { units = 1,", "{ dense = { units = 64 } }, { dense = { units = 1,")
        .replace("batch_size = 16", "batch_size = 128")
        .replace("epochs = 20", "epochs = 2");
    for clipping in ["mean", "learned"] {
        let aware = format!("weights = \"int2\"\nclipping = \"{clipping}\"");
        let [one, two] = [1, 2].map(|threads| run_on(threads, &wide, &aware).0);
        assert_eq!(two.outcome.workers, 2);
        assert_eq!(one.outcome.network, two.outcome.network, "{clipping}");
    }
}

#[test]
fn the_model_has_the_learned_steps() {
    for weights in ["int8", "int4", "int2", "ternary"] {
        let text = SPIRALS.replace("epochs = 20", "epochs = 2");
        let aware = format!("weights = \"{weights}\"\nclipping = \"learned\"");
        let (experiment, _) = run(&text, &aware);
        let network = &experiment.outcome.network;
        let fake = network.fake_quantization().unwrap();
        let halves = &fake.input().unwrap().halves;
        let model = Model::parse(experiment.model_bytes()).unwrap();
        let trained = network.dense_layers().zip(fake.weights());
        for (layer, (((dense, parameters), grid), made)) in
            trained.zip(dense_layers(&model)).enumerate()
        {
            let rows = parameters.chunks(dense.inputs).zip(&grid.scales).zip(made.rows());
            let mut ratios = [f64::INFINITY, 0.0];
            for ((weights, &scale), row) in rows {
                // A row of zeros has no scale in the model.
                if row.weights().any(|code| code != 0) {
                    let ratio = made.weight_scale(&row) / scale;
                    ratios = [ratios[0].min(ratio), ratios[1].max(ratio)];
                }
                for (column, (&weight, code)) in weights.iter().zip(row.weights()).enumerate() {
                    let factor = if layer == 0 { f64::from(halves[column]) } else { 1.0 };
                    let steps = f64::from(weight) * factor / scale;
                    // Two roundings of f32 in up to 127 steps.
                    assert!(
                        (steps - f64::from(code)).abs() < 127.0 * 2.0 * f64::from(f32::EPSILON)
                    );
                }
            }
            // Units of a layer change all rows alike. Multipliers are off by one in 4096 at most.
            assert!(ratios[1] / ratios[0] < 1.0 + 2.0 / 4096.0, "{weights}: {ratios:?}");
        }
    }
}

/// Two features with a range each, and a value.
const RIPPLE: &str = r#"
    name = "test"
    [data]
    dataset = { surface = { function = "ripple", points = 600, radius = 4.0 } }
    test = { random = { fraction = 0.2 } }
    scaling = "standard"
    [network]
    layers = [{ dense = { units = 24, activation = "relu" } }, { dense = { units = 1 } }]
    [training]
    loss = "mean_squared_error"
    epochs = 20
    batch_size = 16
    optimizer = { adam = { learning_rate = 0.01 } }
"#;

#[test]
fn values_have_ranges_of_their_own() {
    let (experiment, threads) = run(RIPPLE, "weights = \"int8\"");
    let squared = |evaluation: &Evaluation| evaluation.regression.unwrap().mean_squared_error;
    let (trained, model) = (squared(&experiment.float), squared(&experiment.int8));
    // Only the outputs are rounded beyond what was trained: to 255 steps of their range.
    let outputs = experiment.float.outputs.iter().zip(&experiment.int8.outputs);
    let ends = experiment
        .float
        .outputs
        .iter()
        .fold([f32::INFINITY, f32::NEG_INFINITY], |e, &y| [e[0].min(y), e[1].max(y)]);
    let mean =
        outputs.map(|(a, b)| (a - b).abs()).sum::<f32>() / experiment.float.outputs.len() as f32;
    assert!(mean < (ends[1] - ends[0]) / 255.0, "{mean} {ends:?}");
    assert!(model < trained * 1.1, "{model} {trained}");
    let Experiment { objective, splits, preset, outcome, .. } = &experiment;
    let (again, _) =
        quantize_network(preset, &outcome.network, *objective, splits, &threads).unwrap();
    assert_eq!(again.bytes, experiment.model_bytes());
}

#[test]
fn a_run_read_back_is_quantized_to_the_same_bytes() {
    for text in [DIGITS, SPIRALS] {
        let (experiment, threads) = run(text, "weights = \"ternary\"\nfloat_epochs = 2");
        let outer = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(outer.path()).unwrap();
        experiment.write(&folder, None).unwrap();
        let saved = SavedRun::open(outer.path()).unwrap();
        assert_eq!(saved.network, experiment.outcome.network);
        let Experiment { objective, splits, .. } = &experiment;
        let (again, choice) =
            quantize_network(&saved.preset, &saved.network, *objective, splits, &threads).unwrap();
        assert_eq!(again.bytes, experiment.model_bytes());
        assert_eq!(choice.taken().name, "as trained");
        let model = Model::parse(&again.bytes).unwrap();
        for layer in dense_layers(&model) {
            assert!(layer.rows().all(|row| row.weights().all(|weight| weight.abs() <= 1)));
        }
    }
}
