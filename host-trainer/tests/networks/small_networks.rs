//! Distillation of written runs, pruned models, and models of averaged images.

use std::num::NonZero;
use std::path::{Path, PathBuf};

use host_trainer::data::Locations;
use host_trainer::experiment::{Error, Experiment, Plan};
use host_trainer::preset::Preset;
use host_trainer::run_folder::RunFolder;
use host_trainer::threads::Threads;
use host_trainer::train::StopFlag;
use model_format::{Layer, Model, WeightLayout};

const PRESET: &str = r#"
    name = "test"
    [data]
    dataset = "digits"
    test = { stratified = { fraction = 0.2 } }
    validation = { random = { fraction = 0.2 } }
    [network]
    layers = [
        { dense = { units = 32, activation = "relu" } },
        { dense = { units = 10 } },
    ]
    [training]
    epochs = 8
    batch_size = 32
    optimizer = { adam = { learning_rate = 0.01 } }
    [quantization]
    activations = "int8"
"#;

fn run(threads: usize, preset: Preset) -> Result<Experiment, Error> {
    let threads = Threads::new(NonZero::new(threads)).unwrap();
    let plan = Plan::new(preset, &Locations::default())?;
    plan.run(&threads, &StopFlag::default(), None, &mut ())
}

fn preset(changes: &[(&str, &str)]) -> Preset {
    let text = changes.iter().fold(PRESET.to_string(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    });
    Preset::read(&text, "test").unwrap()
}

/// Trains and writes a run.
fn written(folder: &Path, name: &str, changes: &[(&str, &str)]) -> PathBuf {
    let place = folder.join(name);
    let experiment = run(1, preset(changes)).unwrap();
    experiment.write(&RunFolder::create(&place).unwrap(), None).unwrap();
    place
}

#[test]
fn a_student_learns_from_teachers_of_more_pixels() {
    let folder = tempfile::tempdir().unwrap();
    let whole = written(folder.path(), "whole", &[("units = 32", "units = 64")]);
    let pooled = written(folder.path(), "pooled", &[("[network]", "pool = 2\n[network]")]);
    let small = [
        ("[network]", "pool = 2\n[network]"),
        ("units = 32", "units = 16"),
        ("epochs = 8", "epochs = 8\naugmentation = { strength = 0.3 }"),
    ];
    let student = |teachers: &[PathBuf]| preset(&small).with_teachers(teachers).unwrap();
    let alone = run(1, student(&[])).unwrap();
    let taught = run(1, student(&[whole.clone(), pooled])).unwrap();
    assert_eq!(taught.outcome.network.inputs(), 16);
    assert_ne!(taught.outcome.network, alone.outcome.network);
    // The first epochs show what the teachers know: far better than chance, with any threads.
    assert!(taught.float.confusion.accuracy() > 0.8, "{}", taught.float.confusion.accuracy());
    let teachers = &taught.preset.training.distillation.as_ref().unwrap().teachers;
    let again = run(3, student(teachers)).unwrap();
    assert_eq!(again.outcome.network, taught.outcome.network);
}

#[test]
fn teachers_that_do_not_fit_are_refused_by_folder() {
    let folder = tempfile::tempdir().unwrap();
    let spirals = "{ spirals = { arms = 3, points_per_arm = 50, classes = 3 } }";
    let changes = [("\"digits\"", spirals), ("units = 10", "units = 3")];
    let other = written(folder.path(), "spirals", &changes);
    let scaled =
        written(folder.path(), "scaled", &[("[network]", "scaling = \"standard\"\n[network]")]);
    for (teacher, expected) in [
        (&other, "it was trained on spirals, and this network is trained on digits"),
        (&scaled, "scaled features differ between runs"),
        (&folder.path().join("none"), "none/preset.toml"),
    ] {
        let preset = preset(&[]).with_teachers(std::slice::from_ref(teacher)).unwrap();
        let message = run(1, preset).unwrap_err().to_string();
        assert!(message.starts_with("training.distillation: teacher "), "{message}");
        assert!(message.contains(expected), "{message}");
    }
    let none = preset(&[("epochs = 8", "epochs = 8\ndistillation = {}")]);
    let message = run(1, none).unwrap_err().to_string();
    assert!(message.contains("--teacher RUN,RUN"), "{message}");

    // The same dataset by name, with other classes: the folder of images has changed.
    let images = folder.path().join("images");
    let picture = |class: &str, shade: u8| {
        let folder = images.join(class);
        std::fs::create_dir_all(&folder).unwrap();
        for row in 0..6 {
            let pixels = [b"P5 4 4 255\n".as_slice(), &[shade + row; 16]].concat();
            std::fs::write(folder.join(format!("{row}.pgm")), pixels).unwrap();
        }
    };
    picture("dark", 10);
    picture("light", 200);
    let source = format!("{{ images = {{ folder = {:?} }} }}", images.to_str().unwrap());
    let two = [
        ("\"digits\"", source.as_str()),
        ("units = 10", "units = 2"),
        ("batch_size = 32", "batch_size = 2"),
    ];
    let teacher = written(folder.path(), "two", &two);
    picture("gray", 100);
    let three = [two[0], ("units = 10", "units = 3"), two[2]];
    let message =
        run(1, preset(&three).with_teachers(&[teacher]).unwrap()).unwrap_err().to_string();
    assert!(
        message.contains("it has 2 outputs, and the classes are dark, gray, light"),
        "{message}"
    );
}

#[test]
fn pruned_blocks_are_zero_in_the_model_and_take_no_bytes() {
    let dense = run(1, preset(&[])).unwrap();
    let pruned =
        ("epochs = 8", "epochs = 8\nema_momentum = 0.9\npruning = { final_sparsity = 0.75 }");
    let sparse = run(1, preset(&[pruned])).unwrap();
    let model = Model::parse(sparse.model_bytes()).unwrap();
    let Some(Layer::Dense(first)) = model.layers().next() else { panic!("a dense layer") };
    assert_eq!(first.layout, WeightLayout::Sparse);
    // A quarter of 32 × 16 blocks; refitting may round a few more to zero.
    let blocks: usize = (0..32).map(|row| first.sparse_row(row).count()).sum();
    assert!((100..=128).contains(&blocks), "{blocks}");
    assert!(sparse.model_bytes().len() + 700 < dense.model_bytes().len());
    assert!(sparse.int8.confusion.accuracy() > 0.8, "{}", sparse.int8.confusion.accuracy());
}
