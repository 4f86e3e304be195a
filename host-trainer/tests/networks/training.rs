//! Training runs that are stopped and resumed.

use std::fs;
use std::num::NonZero;

use host_trainer::data::Locations;
use host_trainer::experiment::Plan;
use host_trainer::preset::Preset;
use host_trainer::threads::Threads;
use host_trainer::train::{
    Checkpoint, Observer, Outcome, Progress, StopFlag, TrainError, Training, train,
};

const PRESET: &str = r#"
    name = "test"
    [data]
    dataset = "digits"
    test = { stratified = { fraction = 0.2 } }
    validation = { random = { fraction = 0.2 } }
    [network]
    layers = [
        { dense = { units = 16, l2 = 1e-4 } },
        { batch_normalization = {} },
        { activation = "tanh" },
        { dropout = { rate = 0.2 } },
        { dense = { units = 10 } },
    ]
    [training]
    epochs = 6
    batch_size = 64
    schedule = "cosine"
    optimizer = { adamw = { learning_rate = 0.01 } }
    clip = { norm = 0.5 }
    augmentation = { shift = 1 }
    reduce_lr_on_plateau = { patience = 1, factor = 0.5 }
    early_stopping = { patience = 5 }
"#;

/// Stops after so many batches, and keeps the last checkpoint.
struct Watch {
    batches: usize,
    stop: StopFlag,
    checkpoint: Option<Checkpoint<'static>>,
}

impl Observer<f32> for Watch {
    fn batch_done(&mut self, _: &Progress) {
        self.batches = self.batches.saturating_sub(1);
        if self.batches == 0 {
            self.stop.stop();
        }
    }

    fn resumable<'a>(&mut self, make: &dyn Fn() -> Checkpoint<'a>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint");
        make().write("", "", &path).unwrap();
        let (read, _) = Checkpoint::from_bytes(&fs::read(&path).unwrap(), &path).unwrap();
        self.checkpoint = Some(read);
    }
}

fn run(
    text: &str,
    batches: usize,
    resume: Option<Checkpoint<'static>>,
) -> Result<(Outcome<f32>, Checkpoint<'static>), TrainError> {
    run_on(1, text, batches, resume)
}

fn run_on(
    threads: usize,
    text: &str,
    batches: usize,
    resume: Option<Checkpoint<'static>>,
) -> Result<(Outcome<f32>, Checkpoint<'static>), TrainError> {
    let preset = Preset::read(text, "test").unwrap();
    let plan = Plan::new(preset, &Locations::default()).unwrap();
    let threads = Threads::new(NonZero::new(threads)).unwrap();
    let stop = StopFlag::default();
    if batches == 0 {
        stop.stop();
    }
    let mut watch = Watch { batches, stop: stop.clone(), checkpoint: resume.clone() };
    let training = Training {
        aware: plan.preset.aware(),
        splits: &plan.splits,
        settings: &plan.preset.training,
        seed: plan.preset.seed,
        threads: &threads,
        stop: &stop,
        resume,
        teachers: &[],
    };
    let outcome = train(plan.network, training, &mut watch)?;
    Ok((outcome, watch.checkpoint.unwrap()))
}

/// Replacements in [`PRESET`], each with something more to keep between batches.
const INGREDIENTS: [(&str, &str); 9] = [
    ("", ""),
    ("shift = 1 }", "shift = 1, fraction = 0.8, strength = 0.5, thickness = 0.5 }"),
    ("[network]", "pool = 2\n[network]"),
    ("[network]", "resize = [5, 6]\n[network]"),
    ("[training]", "[training]\nema_momentum = 0.9"),
    ("[training]", "[training]\nclass_weight = { 3 = 2.0 }\nmixup = { alpha = 0.5 }"),
    ("[training]", "[training]\npruning = { final_sparsity = 0.6, begin = 0.1, frequency = 7 }"),
    ("\"cosine\"", "{ cosine_restarts = { first_epochs = 2, t_mul = 1.5 } }"),
    ("learning_rate = 0.01", "learning_rate = 0.01, decay_biases = false"),
];

#[test]
fn resuming_anywhere_gives_the_same_bits() {
    for (from, to) in INGREDIENTS {
        // 18 batches an epoch: before the first, in the first, at the end of one, in a later one.
        resume_after(&PRESET.replacen(from, to, 1), &[0, 5, 36, 50]);
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let mut networks = Vec::new();
    for (from, to) in INGREDIENTS {
        let text = PRESET.replacen(from, to, 1);
        let network = run(&text, usize::MAX, None).unwrap().0.network;
        for threads in [2, 3] {
            let (outcome, _) = run_on(threads, &text, usize::MAX, None).unwrap();
            assert_eq!(outcome.network, network, "{to}: {threads} threads");
        }
        assert!(!networks.contains(&network), "{to} does nothing");
        networks.push(network);
    }
}

#[test]
fn resuming_quantization_aware_training_gives_the_same_bits() {
    for average in ["", "ema_momentum = 0.9\n"] {
        let aware = format!(
            "{PRESET}{average}[quantization_aware]\nweights = [\"int4\", \"ternary\"]\n\
             float_epochs = 2\n"
        );
        // Rounding begins after 36 batches.
        resume_after(&aware, &[20, 36, 40, 54, 60]);
        let learned = format!("{aware}clipping = \"learned\"\n");
        resume_after(&learned, &[20, 36, 40, 54, 60]);
        let networks =
            [&aware, &learned].map(|text| run(text, usize::MAX, None).unwrap().0.network);
        assert_ne!(networks[0], networks[1]);
    }
}

#[test]
fn pruned_blocks_are_zero_in_quantization_aware_training() {
    let text = format!(
        "{PRESET}ema_momentum = 0.9\npruning = {{ final_sparsity = 0.5 }}\n[quantization_aware]\n\
         weights = \"int8\"\n"
    );
    let network = run(&text, usize::MAX, None).unwrap().0.network;
    let (dense, parameters) = network.dense_layers().next().unwrap();
    let weights = &parameters[..dense.inputs * dense.outputs];
    let zero = weights.chunks(4).filter(|block| block.iter().all(|w| *w == 0.0)).count();
    // Rounding may empty a few more.
    assert!((weights.len() / 8..weights.len() / 6).contains(&zero), "{zero} blocks");
}

fn resume_after(text: &str, batches: &[usize]) {
    let (whole, _) = run(text, usize::MAX, None).unwrap();
    for &stop_after in batches {
        let (part, checkpoint) = run(text, stop_after, None).unwrap();
        assert!(part.interrupted);
        let (resumed, _) = run(text, usize::MAX, Some(checkpoint)).unwrap();
        assert_eq!(resumed.network, whole.network, "stopped after {stop_after}: {text}");
        let scores = |outcome: &Outcome<f32>| {
            let records = outcome.history.epochs.iter();
            records.map(|r| (r.train, r.validation, r.learning_rate)).collect::<Vec<_>>()
        };
        assert_eq!(scores(&resumed), scores(&whole));
        assert_eq!(resumed.best_epoch, whole.best_epoch);
    }
}

#[test]
fn a_checkpoint_of_another_training_is_refused() {
    let (_, checkpoint) = run(PRESET, 5, None).unwrap();
    for (from, to, expected) in [
        ("units = 16", "units = 17", "another number of parameters"),
        ("adamw", "rmsprop", "another optimizer"),
        ("random = { fraction = 0.2 }", "random = { fraction = 0.3 }", "number of rows"),
    ] {
        let text = PRESET.replacen(from, to, 1);
        let error = run(&text, usize::MAX, Some(checkpoint.clone())).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
    let mut parallel = checkpoint;
    parallel.place.workers = 3;
    let error = run(PRESET, usize::MAX, Some(parallel)).unwrap_err().to_string();
    assert!(error.contains("--threads 3"), "{error}");
}

#[test]
fn a_checkpoint_beyond_reason_is_refused() {
    type Damage = fn(&mut Checkpoint<'static>);
    let (_, checkpoint) = run(PRESET, 23, None).unwrap();
    let damages: [(Damage, &str); 12] = [
        (|c| c.place.steps = usize::MAX, "steps"),
        (|c| c.place.steps = 0, "steps"),
        (|c| c.place.epoch = usize::MAX, "epoch"),
        (|c| c.place.epoch = 0, "epoch"),
        (|c| c.place.batch = 18, "batch 18"),
        (|c| c.place.batch = usize::MAX, "batch"),
        (|c| c.place.shuffle_words = u128::MAX, "counters"),
        (|c| c.place.stopping.waited = usize::MAX, "counters"),
        (|c| c.place.score.correct = usize::MAX, "counters"),
        (|c| c.place.plateau_share = f64::NAN, "counters"),
        (|c| c.parameters.to_mut()[3] = f32::NAN, "layers.0.weight"),
        (|c| c.first.to_mut()[3] = f32::INFINITY, "optimizer"),
    ];
    for (damage, expected) in damages {
        let mut damaged = checkpoint.clone();
        damage(&mut damaged);
        let error = run(PRESET, usize::MAX, Some(damaged)).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("--resume"), "{error}");
    }
}

#[test]
fn a_checkpoint_with_impossible_steps_is_refused() {
    let text =
        format!("{PRESET}[quantization_aware]\nweights = \"int4\"\nclipping = \"learned\"\n");
    let (_, checkpoint) = run(&text, 23, None).unwrap();
    let refusal = |damage: fn(&mut Checkpoint<'static>), text: &str| {
        let mut damaged = checkpoint.clone();
        damage(&mut damaged);
        run(text, usize::MAX, Some(damaged)).unwrap_err().to_string()
    };
    let last = |c: &mut Checkpoint<'static>| *c.state.to_mut().last_mut().unwrap() = 0.0;
    assert!(refusal(last, &text).contains("not above 0"));
    let moment = |c: &mut Checkpoint<'static>| c.steps.as_mut().unwrap().0.to_mut()[0] = f32::NAN;
    assert!(refusal(moment, &text).contains("NaN or infinite"));
    let shorter = |c: &mut Checkpoint<'static>| c.steps = Some((vec![].into(), vec![].into()));
    assert!(refusal(shorter, &text).contains("another optimizer"));
    assert!(refusal(|c| c.steps = None, &text).contains("does not learn the steps"));
    let mean = text.replace("learned", "mean");
    assert!(refusal(|_| (), &mean).contains("another number of parameters"));
}

#[test]
fn the_best_epoch_has_its_learned_steps() {
    for average in ["", "ema_momentum = 0.9\n"] {
        let learned = "[quantization_aware]\nweights = \"int4\"\nclipping = \"learned\"\n";
        let text = format!("{PRESET}{average}{learned}")
            .replacen("\"cosine\"", "\"constant\"", 1)
            .replacen("learning_rate = 0.01", "learning_rate = 0.3", 1)
            .replacen("patience = 5 }", "patience = 3 }", 1);
        let of_epochs = |epochs: usize| {
            let text = text.replacen("epochs = 6", &format!("epochs = {epochs}"), 1);
            run(&text, usize::MAX, None).unwrap().0
        };
        let outcome = of_epochs(60);
        let best = outcome.best_epoch.unwrap();
        assert_eq!(best + 3, outcome.history.epochs.len());
        // The training that ends there has the same weights, ranges and steps.
        let short = of_epochs(best);
        assert_eq!(outcome.network, short.network, "{average}");
    }
}

#[test]
fn early_stopping_gives_back_the_best_epoch() {
    // A learning rate that spoils what was reached.
    let text = PRESET
        .replacen("epochs = 6", "epochs = 60", 1)
        .replacen("learning_rate = 0.01", "learning_rate = 0.3", 1)
        .replacen("patience = 5 }", "patience = 3 }", 1);
    let (outcome, checkpoint) = run(&text, usize::MAX, None).unwrap();
    let epochs = &outcome.history.epochs;
    let best = outcome.best_epoch.unwrap();
    assert!(epochs.len() < 60 && best + 3 == epochs.len(), "{best} of {}", epochs.len());
    let losses = epochs.iter().map(|record| record.validation.unwrap().loss());
    let least = losses.clone().fold(f64::INFINITY, f64::min);
    assert_eq!(losses.collect::<Vec<_>>()[best - 1], least);
    assert_eq!(outcome.kept_epoch(), Some(&epochs[best - 1]));
    // Taken up where it ended, it does not begin again.
    let (again, _) = run(&text, usize::MAX, Some(checkpoint)).unwrap();
    assert_eq!((again.network, again.best_epoch), (outcome.network, Some(best)));
}

#[test]
fn divergence_says_where() {
    let text = PRESET
        .replacen("adamw = { learning_rate = 0.01", "sgd = { learning_rate = 1e30", 1)
        .replacen("clip = { norm = 0.5 }", "", 1);
    let error = run(&text, usize::MAX, None).unwrap_err().to_string();
    assert!(error.contains("training diverged: the loss is"), "{error}");
    assert!(error.contains("epoch 1, batch "), "{error}");
}
