//! Tables with columns of different units: the accuracy of int8 compared with float, and
//! predictions on emulated boards from real numbers and from raw counts of descending sensors.

use std::path::{Path, PathBuf};

use host_trainer::device::board::Board;
use model_format::{Model, OutputKind};
use serde_json::Value;
use thimble_nn::Engine;
use thimble_tests::command::{Finished, host_trainer};
use thimble_tests::emulated::{firmware_for, serving_on};
use thimble_tests::workspace::{empty_dir, read, root, write};

/// Boards with a Cortex-M0, a Cortex-M4F and RV32IMAC.
const BOARDS: [&str; 3] = ["microbit", "qemu-mps2-an386", "qemu-riscv"];

fn run(folder: &Path, arguments: &[&str]) -> Finished {
    Finished::of(&mut host_trainer(folder, arguments))
}

fn metrics(run: &Path) -> Value {
    serde_json::from_slice(&read(run.join("metrics.json"))).expect("metrics.json is JSON")
}

/// Returns the metrics of the quantized model, of any data type.
fn quantized(metrics: &Value) -> &Value {
    let names = ["int8", "int16", "mixed"];
    names.iter().find_map(|name| metrics.get(*name)).expect("a model")
}

/// Creates a folder with a table of the cases and a preset for it.
fn case(name: &str, table: &str, target: &str, network: &str, training: &str) -> PathBuf {
    let folder = empty_dir(&format!("any_table_{name}"));
    let source = root().join("tests/cases/tables").join(format!("{table}.csv"));
    write(folder.join("rows.csv"), read(source));
    let preset = format!(
        r#"
        name = "case"
        [data]
        dataset = {{ csv = {{ file = "rows.csv", target = {target} }} }}
        test = {{ stratified = {{ fraction = 0.25 }} }}
        [network]
        layers = [{network}]
        [training]
        {training}
        "#
    );
    write(folder.join("case.toml"), preset);
    folder
}

const RELU_16: &str = r#"{ dense = { units = 16, activation = "relu" } }"#;

/// Returns the mean accuracy of three seeds: float network, quantized model.
fn accuracies(folder: &Path) -> [f64; 2] {
    let mut sums = [0.0; 2];
    for seed in ["1", "2", "3"] {
        run(folder, &["train", "case.toml", "--seed", seed, "--quiet"]).success();
        let metrics = metrics(&folder.join("runs/case"));
        let accuracy = |figures: &Value| figures["test"]["accuracy"].as_f64().expect("a number");
        sums[0] += accuracy(&metrics["float"]) / 3.0;
        sums[1] += accuracy(quantized(&metrics)) / 3.0;
    }
    sums
}

#[test]
fn tables_lose_at_most_a_point() {
    let adam = |rate: &str, epochs: u32, batch: u32| {
        format!(
            "epochs = {epochs}\nbatch_size = {batch}\noptimizer = {{ adam = {{ learning_rate = \
             {rate} }} }}"
        )
    };
    let two = |hidden: &str| format!("{hidden}, {{ dense = {{ units = 2 }} }}");
    let eight = r#", { dense = { units = 8, activation = "relu" } }"#;
    for (table, target, network, training, least) in [
        (
            "wine",
            "kind",
            format!("{RELU_16}, {{ dense = {{ units = 3 }} }}"),
            adam("0.01", 100, 16),
            0.95,
        ),
        ("smoke", "alarm", two(&format!("{RELU_16}{eight}")), adam("0.005", 60, 32), 0.92),
        ("constant-large", "", two(RELU_16), adam("0.01", 30, 16), 0.93),
        ("tiny-units", "", two(RELU_16), adam("0.01", 30, 16), 0.93),
    ] {
        let target = match target {
            "" => last_column(table),
            name => name.to_string(),
        };
        let target = format!(r#"{{ classes = "{target}" }}"#);
        let folder = case(table, table, &target, &network, &training);
        let [float, int8] = accuracies(&folder);
        assert!(float > least, "{table}: {float} in float");
        assert!(float - int8 <= 0.01, "{table}: {float} in float, {int8} in integers");
    }
}

/// Returns the name of the last column of a table of the cases.
fn last_column(table: &str) -> String {
    let path = root().join("tests/cases/tables").join(format!("{table}.csv"));
    let text = String::from_utf8(read(path)).expect("UTF-8");
    let header = text.lines().next().expect("a header");
    header.rsplit(',').next().expect("a column").to_string()
}

#[test]
fn outputs_of_unlike_sizes_are_learnt_and_answered_in_their_units() {
    let folder = case(
        "two_outputs",
        "two-outputs",
        r#"{ values = ["tilt", "lux"] }"#,
        &format!("{RELU_16}, {{ dense = {{ units = 2 }} }}"),
        "loss = \"mean_squared_error\"\nepochs = 60\nbatch_size = 16\n\
         optimizer = { adam = { learning_rate = 0.01 } }",
    );
    let preset = String::from_utf8(read(folder.join("case.toml"))).expect("UTF-8");
    write(folder.join("case.toml"), preset.replace("stratified", "random"));
    run(&folder, &["train", "case.toml", "--quiet"]).success();
    let metrics = metrics(&folder.join("runs/case"));
    for figures in [&metrics["float"], quantized(&metrics)] {
        let outputs = figures["test"]["outputs"].as_array().expect("a figure per output").clone();
        assert_eq!(outputs.len(), 2);
        for output in outputs {
            let r_squared = output["r_squared"].as_f64().expect("a number");
            assert!(r_squared > 0.98, "{output}");
        }
    }
    let file = read(folder.join("runs/case/model.thimble"));
    let model = Model::parse(&file).expect("a model");
    let OutputKind::Values(scales) = model.output().kind else { panic!("no values") };
    assert_eq!(scales.len(), 2);
    let names: Vec<&str> = model.details().outputs().map(|output| output.name).collect();
    assert_eq!(names, ["tilt", "lux"]);
    // Without names the model is smaller, with the same outputs.
    run(&folder, &["pack", "runs/case", "--strip", "-o", "stripped.thimble"]).success();
    let stripped = read(folder.join("stripped.thimble"));
    let details = model.details().len();
    assert_eq!(stripped.len() + details, file.len() - if details > 127 { 1 } else { 0 });
    let stripped = Model::parse(&stripped).expect("a model");
    run(&folder, &["pack", "runs/case", "--self-tests", "1", "-o", "tested.thimble"]).success();
    let tested = read(folder.join("tested.thimble"));
    let tested = Model::parse(&tested).expect("a model");
    assert!(tested.self_tests().eq(model.self_tests().take(1)));
    run(&folder, &["pack", "runs/case", "--self-tests-from-file", "-o", "own.thimble"]).success();
    let own = read(folder.join("own.thimble"));
    let (tests, input) = (model.self_tests().len(), model.input_bytes());
    assert!(own.len() <= file.len() - tests * (input - 3), "offsets of three bytes, not {input}");
    let text = run(&folder, &["inspect", "own.thimble"]).success().stdout;
    assert!(text.contains(&format!("{tests} of {tests} self-tests pass")), "{text}");
    assert!(stripped.details().is_empty());
    assert_eq!(stripped.output().kind, model.output().kind);
    assert!(stripped.self_tests().eq(model.self_tests()));
}

/// Returns the rows of a table's features, in the order of the model.
fn features(model: &Model<'_>, table: &Path) -> Vec<Vec<f32>> {
    let text = String::from_utf8(read(table)).expect("UTF-8");
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().expect("a header").split(',').collect();
    let places: Vec<usize> = model
        .details()
        .features()
        .map(|feature| header.iter().position(|name| *name == feature.name).expect("a column"))
        .collect();
    let row = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        places.iter().map(|&place| cells[place].parse().expect("a number")).collect()
    };
    lines.map(row).collect()
}

#[test]
fn boards_take_real_numbers_in_their_own_units() {
    let folder = case(
        "boards",
        "wine",
        r#"{ classes = "kind" }"#,
        &format!("{RELU_16}, {{ dense = {{ units = 3 }} }}"),
        "epochs = 30\nbatch_size = 16\noptimizer = { adam = { learning_rate = 0.01 } }",
    );
    run(&folder, &["train", "case.toml", "--quiet"]).success();
    let file = read(folder.join("runs/case/model.thimble"));
    let model = Model::parse(&file).expect("a model");
    let rows = features(&model, &folder.join("rows.csv"));
    for name in BOARDS {
        let board = Board::named(name).expect("a board");
        let mut emulator = serving_on(board, &firmware_for(board, &file));
        let mut client = emulator.connect().expect("it answers");
        let mut scratch = vec![0; model.scratch_len()];
        let mut engine = Engine::new(model.clone(), &mut scratch).expect("the host reads all");
        let mut beyond = 0;
        for row in rows.iter().step_by(3) {
            let answer = engine.run_reals(row).expect("as many as it takes");
            beyond += answer.saturated();
            let device = client.infer_reals(row).expect("it answers");
            assert_eq!(device, answer.bytes(), "{name}: {row:?}");
        }
        // Far outside the range, and infinite: clipped to the ends.
        let mut wild = rows[0].clone();
        (wild[0], wild[1], wild[2]) = (1e30, f32::NEG_INFINITY, -1e30);
        let answer = engine.run_reals(&wild).expect("numbers");
        assert_eq!(answer.saturated(), 3);
        beyond += 3;
        assert_eq!(client.infer_reals(&wild).expect("it answers"), answer.bytes(), "{name}");
        assert_eq!(client.info().expect("it answers").saturated_inputs, beyond, "{name}");
        wild[4] = f32::NAN;
        let refused = client.infer_reals(&wild).expect_err("not a number").to_string();
        assert!(refused.contains("input 4 is not a number"), "{name}: {refused}");
        let refused = client.infer_reals(&rows[0][1..]).expect_err("too few").to_string();
        assert!(refused.contains("52") && refused.contains("48"), "{name}: {refused}");
        let refused = client.infer_counts([1; 13]).expect_err("no counts").to_string();
        assert!(refused.contains("data.raw"), "{name}: {refused}");
    }
}

/// A thermistor whose counts fall with the temperature, beside a light sensor.
const ROOM: &str = r#"
name = "room"
[data]
dataset = { csv = { file = "rows.csv", target = { classes = "state" } } }
test = { stratified = { fraction = 0.25 } }
raw = [{ counts = [100, 3900], range = [60.0, -10.0] }, { counts = [0, 4095], range = [0.0, 10000.0] }]
[network]
layers = [{ dense = { units = 8, activation = "relu" } }, { dense = { units = 2 } }]
[training]
epochs = 30
batch_size = 8
optimizer = { adam = { learning_rate = 0.02 } }
"#;

#[test]
fn boards_take_counts_of_falling_sensors() {
    let folder = empty_dir("any_table_falling");
    let mut rng = fastrand::Rng::with_seed(3);
    let mut text = String::from("temperature,light,state\n");
    for row in 0..200 {
        let temperature = rng.f32() * 40.0 + 5.0;
        let light = rng.f32() * 8000.0;
        let state = if temperature > 25.0 { "warm" } else { "cool" };
        text += &format!("{temperature:.1},{light:.0},{state}\n");
        // Both classes, independent of the numbers.
        if row == 0 {
            text += "40,100,warm\n10,100,cool\n";
        }
    }
    write(folder.join("rows.csv"), text);
    write(folder.join("room.toml"), ROOM);
    run(&folder, &["train", "room.toml", "--quiet"]).success();
    let metrics = metrics(&folder.join("runs/room"));
    let accuracy = quantized(&metrics)["test"]["accuracy"].as_f64().expect("a number");
    assert!(accuracy > 0.9, "{accuracy}");
    let file = read(folder.join("runs/room/model.thimble"));
    let model = Model::parse(&file).expect("a model");
    let falls: Vec<bool> =
        model.channels().expect("counts").iter().map(|channel| channel.is_falling).collect();
    assert_eq!(falls, [true, false]);
    for name in BOARDS {
        let board = Board::named(name).expect("a board");
        let mut emulator = serving_on(board, &firmware_for(board, &file));
        let mut client = emulator.connect().expect("it answers");
        let mut scratch = vec![0; model.scratch_len()];
        let mut engine = Engine::new(model.clone(), &mut scratch).expect("the host reads all");
        for temperature in (0..4096).step_by(97).chain([i16::MIN, i16::MAX]) {
            let counts = [temperature, 4095 - temperature.max(0)];
            let answer = engine.run_counts(&counts).expect("two counts");
            assert_eq!(client.infer_counts(counts).expect("it answers"), answer.bytes(), "{name}");
        }
    }
    // The table's rows, in °C and lux, through the board.
    let elf = firmware_for(Board::named(BOARDS[1]).expect("a board"), &file);
    let said = run(
        &folder,
        &[
            "device",
            "predict",
            "rows.csv",
            "--qemu",
            BOARDS[1],
            "--elf",
            &elf.display().to_string(),
        ],
    )
    .success();
    assert_eq!(said.stdout.lines().count(), 1 + 202, "{}", said.stdout);
    assert!(said.stdout.starts_with("class,p(cool),p(warm)\n"), "{}", said.stdout);
    assert!(said.stderr.contains("202 rows predicted by the device"), "{}", said.stderr);
}
