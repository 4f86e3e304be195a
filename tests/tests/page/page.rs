//! `host-trainer page` in a real browser: every byte of its answers is the engine's, a damaged model
//! is refused in the words of the parser, and the page is usable at all widths.

use std::fs;
use std::path::Path;

use host_trainer::data::Locations;
use host_trainer::evaluate::evaluate_float;
use host_trainer::experiment::SavedRun;
use host_trainer::network::ACTIVATIONS;
use host_trainer::threads::Threads;
use model_format::Model;
use serde_json::{Value, json};
use thimble_nn::Engine;
use thimble_tests::command::{Finished, host_trainer};
use thimble_tests::digits;
use thimble_tests::served::{Served, Window};
use thimble_tests::trained::digits_run;
use thimble_tests::workspace::{empty_dir, read, root};

/// Rows of each model.
const ROWS: usize = 1000;

const WIDE: Window = Window { width: 1600, dark: false };

/// Returns the page of a model or a run.
fn page(folder: &Path, model: &Path) -> String {
    let model = model.to_str().expect("a path of this test");
    let written = ["page", model, "--output", "page.html", "--quiet"];
    Finished::of(&mut host_trainer(folder, written)).success();
    fs::read_to_string(folder.join("page.html")).expect("the page was written")
}

fn example(name: &str) -> std::path::PathBuf {
    root().join("firmware/models").join(name)
}

/// Readings of one row, as the page and the engine take them.
enum Rows {
    Pixels(Vec<Vec<u8>>),
    Reals(Vec<Vec<f32>>),
    Counts(Vec<Vec<i16>>),
}

impl Rows {
    fn json(&self) -> Value {
        match self {
            Rows::Pixels(rows) => json!(rows),
            Rows::Reals(rows) => json!(rows),
            Rows::Counts(rows) => json!(rows),
        }
    }

    /// The outputs of the engine on this computer, row by row, with class and saturated readings.
    fn expected(&self, file: &[u8]) -> Vec<Value> {
        let model = Model::parse(file).expect("a valid model");
        let mut scratch = vec![0; model.scratch_len()];
        let mut engine = Engine::new(model, &mut scratch).expect("an engine");
        let mut one = |index: usize| {
            let pixel = |byte: &u8| (byte ^ 0x80) as i8;
            let answer = match self {
                Rows::Pixels(rows) => {
                    engine.run(&rows[index].iter().map(pixel).collect::<Vec<_>>())
                }
                Rows::Reals(rows) => engine.run_reals(&rows[index]),
                Rows::Counts(rows) => engine.run_counts(&rows[index]),
            };
            let answer = answer.expect("an answer");
            let class = answer.class().map_or(-1, |class| class.index() as i64);
            json!([answer.bytes(), class, answer.saturated()])
        };
        let rows = match self {
            Rows::Pixels(rows) => rows.len(),
            Rows::Reals(rows) => rows.len(),
            Rows::Counts(rows) => rows.len(),
        };
        (0..rows).map(&mut one).collect()
    }
}

/// Runs all rows in the page, compares every byte, and returns what the page measured.
fn compare(name: &str, model: &Path, rows: &Rows) -> Value {
    let file = match model.is_dir() {
        true => read(model.join("model.thimble")),
        false => read(model),
    };
    let folder = empty_dir(&format!("page-{name}"));
    let script = format!(
        r#"<script>
        const rows = {};
        async function use_page() {{
          const engine = thimble.page.engine;
          const answers = rows.map((row) => {{
            const answer = engine.run(row);
            return [[...new Uint8Array(answer.output.buffer)], answer.class, answer.saturated];
          }});
          const start = performance.now();
          for (const row of rows) engine.run(row);
          const microseconds = 1000 * (performance.now() - start) / rows.length;
          return {{ answers, microseconds, status: thimble.page.status.textContent, tests: engine.selfTest(),
            state: document.getElementById("playground").dataset.state }};
        }}
        </script>"#,
        rows.json()
    );
    let page = page(&folder, model);
    let served = Served { name, page: &page, before: "", script: &script, board: None };
    let found = served.found(WIDE);
    assert_eq!((&found["errors"], &found["fetched"]), (&json!([]), &json!([])), "{name}");
    assert_eq!(found["state"], "ready", "{name}");
    assert!(found["status"].as_str().unwrap().contains("self-tests of the model file pass"));
    let answers = found["answers"].as_array().expect("answers");
    let expected = rows.expected(&file);
    assert!(expected.len() >= ROWS, "{name}: {} rows", expected.len());
    assert_eq!(answers.len(), expected.len(), "{name}");
    for (row, (answer, expected)) in answers.iter().zip(&expected).enumerate() {
        assert_eq!(answer, expected, "{name}, row {row}");
    }
    println!("{name}: {:.1} µs per inference in the page", found["microseconds"].as_f64().unwrap());
    found
}

#[test]
fn a_thousand_rows_have_the_bytes_of_the_engine() {
    let digits: Vec<Vec<u8>> =
        digits::all().iter().map(|row| row.iter().map(|q| *q as u8 ^ 0x80).collect()).collect();
    compare("digits", &digits_run(), &Rows::Pixels(digits));

    let mut random = fastrand::Rng::with_seed(1);
    // Within and beyond the ranges of the table's features.
    let wine = [13.0, 2.5, 2.3, 20.0, 100.0, 2.3, 2.0, 0.36, 1.6, 5.0, 0.96, 2.6, 750.0];
    let mut row = || wine.map(|middle| middle * (random.f32() * 2.2 - 0.1)).to_vec();
    let table = Rows::Reals((0..ROWS).map(|_| row()).collect());
    compare("table", &example("wine.thimble"), &table);

    let mut count = || vec![random.i16(-100..4300), random.i16(-100..4300)];
    let counts = Rows::Counts((0..ROWS).map(|_| count()).collect());
    compare("regression", &example("eggcrate-adc.thimble"), &counts);
}

/// A larger network, 784-128-10, whose time is printed.
#[test]
fn mnist_has_the_bytes_of_the_engine() {
    let mut random = fastrand::Rng::with_seed(2);
    let mut row = || (0..784).map(|_| if random.bool() { random.u8(..) } else { 0 }).collect();
    let rows = Rows::Pixels((0..ROWS).map(|_| row()).collect());
    compare("mnist", &thimble_tests::trained::mnist_run(), &rows);
}

/// The float network of a run gives the page's float answers, and each activation function is that
/// of the trainer.
#[test]
fn the_float_network_is_that_of_the_run() {
    let folder = empty_dir("page-float");
    let train = ["train", "u-eggcrate", "--set", "training.epochs=3", "--quiet", "--output", "run"];
    Finished::of(&mut host_trainer(&folder, train)).success();
    let saved = SavedRun::open(&folder.join("run")).expect("a run");
    let threads = Threads::new(None).expect("threads");
    let plan = saved.plan(&Locations::from_environment(None)).expect("its data");
    let rows = &plan.splits.train;
    let objective = plan.objective_of(&saved.network, &threads);
    let expected = evaluate_float(&saved.network, rows, objective, &threads).outputs;
    let width = rows.dataset().width();
    let mut inputs = vec![vec![0.0_f32; width]; 200];
    inputs.iter_mut().enumerate().for_each(|(row, input)| rows.gather_raw(row, input));
    let steps: Vec<f64> = (-60..=60).map(|step| f64::from(step) / 8.0).collect();
    let script = format!(
        r#"<script>
        async function use_page() {{
          const page = thimble.page;
          const outputs = {}.flatMap((row) => page.float.shares(page.forFloat(row)));
          const curves = {}.map(([name, parameter]) => {}.map((x) => thimble.ACTIVATIONS[name](x, parameter)));
          return {{ outputs, curves }};
        }}
        </script>"#,
        json!(inputs),
        json!(
            ACTIVATIONS[..ACTIVATIONS.len() - 1]
                .iter()
                .map(|activation| json!([activation.name(), parameter(*activation)]))
                .collect::<Vec<_>>()
        ),
        json!(steps)
    );
    let page = page(&folder, &folder.join("run"));
    let served = Served { name: "float", page: &page, before: "", script: &script, board: None };
    let found = served.found(WIDE);
    assert_eq!(found["errors"], json!([]));
    let outputs = found["outputs"].as_array().unwrap();
    assert_eq!(outputs.len(), inputs.len());
    for (row, (output, expected)) in outputs.iter().zip(&expected).enumerate() {
        // Sums of 64 products in f32 and in f64: 64 roundings of 2⁻²⁴ each, in two layers, of values
        // up to some 10.
        let difference = (output.as_f64().unwrap() - f64::from(*expected)).abs();
        assert!(difference < 1e-3, "row {row}: {output} and {expected}");
    }
    for (activation, curve) in ACTIVATIONS.iter().zip(found["curves"].as_array().unwrap()) {
        for (x, y) in steps.iter().zip(curve.as_array().unwrap()) {
            let (y, expected) = (y.as_f64().unwrap(), activation.value(*x));
            // The trainer's exponential and hyperbolic tangent are accurate to f32's resolution.
            let tolerance = 1e-6 * expected.abs().max(1.0);
            assert!(
                (y - expected).abs() <= tolerance,
                "{}({x}): {y}, {expected}",
                activation.name()
            );
        }
    }
}

fn parameter(activation: host_trainer::network::Activation) -> Option<f64> {
    use host_trainer::network::Activation::{Elu, HardSigmoid, LeakyRelu};
    match activation {
        LeakyRelu(value) | Elu(value) | HardSigmoid(value) => Some(value),
        _ => None,
    }
}
