//! Tables of users: CSV dialects, missing values, other files, single rows.

use std::path::{Path, PathBuf};

use serde_json::Value;
use thimble_tests::command::{Finished, host_trainer};
use thimble_tests::workspace::{empty_dir, read, write};

fn run(folder: &Path, arguments: &[&str]) -> Finished {
    Finished::of(&mut host_trainer(folder, arguments))
}

fn metrics(run: PathBuf) -> Value {
    serde_json::from_slice(&read(run.join("metrics.json"))).expect("metrics.json is JSON")
}

/// 120 rows of a room's climate; the state follows from the temperature.
fn rooms() -> String {
    let rows = (0..120_u32).map(|row| {
        let state = ["cool", "mild", "warm"][(row % 3) as usize];
        let temp = 20.0 + 3.0 * f64::from(row % 3) + f64::from(row * 37 % 11) / 20.0;
        let hum = 40.5 - 4.0 * f64::from(row % 3) + f64::from(row * 17 % 7) / 10.0;
        format!("{temp:.2},{hum:.2},{state}\n")
    });
    format!("temp,hum,state\n{}", rows.collect::<String>())
}

/// A preset for the rooms, with more keys of its table.
fn preset(table: &str, data: &str) -> String {
    format!(
        r#"
        name = "rooms"
        [data]
        dataset = {{ csv = {{ file = "rooms.csv", {table} }} }}
        {data}
        [network]
        layers = [{{ dense = {{ units = 8, activation = "relu" }} }}, {{ dense = {{ units = 3 }} }}]
        [training]
        epochs = 20
        batch_size = 8
        optimizer = {{ adam = {{ learning_rate = 0.02 }} }}
        "#
    )
}

const STATE: &str = r#"target = { classes = "state" }"#;
const TEST: &str = "test = { stratified = { fraction = 0.25 } }";

fn train(folder: &Path, table: &str) -> Finished {
    write(folder.join("rooms.toml"), preset(table, TEST));
    run(folder, &["train", "rooms.toml"])
}

fn accuracy(folder: &Path, which: &str) -> f64 {
    metrics(folder.join("runs/rooms"))[which]["test"]["accuracy"].as_f64().expect("a number")
}

#[test]
fn tables_are_read_as_programs_write_them() {
    let folder = empty_dir("table_dialects");
    let plain = rooms();
    let comma = plain.replace(',', ";").replace('.', ",");
    let utf_16: Vec<u8> =
        format!("\u{feff}{plain}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let indexed = plain.lines().enumerate().map(|(row, line)| match row {
        0 => format!(",{line}\n"),
        row => format!("{},{line}\n", row - 1),
    });
    let headless = plain.split_once('\n').expect("a header").1.to_string();
    for (what, bytes, table) in [
        ("semicolons", plain.replace(',', ";").into_bytes(), STATE.to_string()),
        ("decimal commas", comma.clone().into_bytes(), STATE.to_string()),
        (
            "said",
            comma.into_bytes(),
            format!(r#"{STATE}, separator = ";", decimal = ",", missing = "drop""#),
        ),
        ("UTF-16", utf_16, STATE.to_string()),
        ("trailing separators", plain.replace('\n', ",\n").into_bytes(), STATE.to_string()),
        ("an index without a name", indexed.collect::<String>().into_bytes(), STATE.to_string()),
        (
            "no header",
            headless.into_bytes(),
            r#"target = { classes = "3" }, header = false"#.into(),
        ),
    ] {
        write(folder.join("rooms.csv"), &bytes);
        let said = train(&folder, &table).success().stdout;
        // Tables are standardized by default, and runs write that out.
        assert_eq!(accuracy(&folder, "float"), 1.0, "{what}: {said}");
        let written = String::from_utf8(read(folder.join("runs/rooms/preset.toml"))).expect("text");
        assert!(written.contains("scaling = \"standard\""), "{written}");
        let features = if what == "no header" { "\"1\"" } else { "\"temp\"" };
        assert!(written.contains(features), "{what}: features by name: {written}");
    }
}

#[test]
fn train_shows_what_it_took() {
    let folder = empty_dir("table_intake");
    let text = rooms().replace("temp,hum", "temp,serial,hum").replace(",4", ",1234567,4");
    let text = text.replace(",3", ",1234567,3");
    write(folder.join("rooms.csv"), &text);
    let table = format!(r#"{STATE}, units = {{ temp = "°C" }}"#);
    let done = train(&folder, &table).success();
    for named in ["temp", "°C", "serial", "smallest", "mean", "constant", "training rows"] {
        assert!(done.stdout.contains(named), "{named}: {}", done.stdout);
    }
    assert!(done.stderr.contains("warning: feature `serial` is 1,234,567"), "{}", done.stderr);
    // A class without rows in the test split.
    write(folder.join("rooms.csv"), format!("{}25.0,31.0,odd\n", rooms()));
    write(folder.join("rooms.toml"), preset(STATE, TEST).replace("units = 3", "units = 4"));
    let done = run(&folder, &["train", "rooms.toml", "--quiet"]).success();
    assert!(done.stderr.contains("class `odd` has no test rows"), "{}", done.stderr);
}

#[test]
fn missing_values_are_refused_dropped_or_replaced() {
    let folder = empty_dir("table_missing");
    write(folder.join("rooms.csv"), {
        let mut lines: Vec<String> = rooms().lines().map(String::from).collect();
        lines[2] = "None,36.5,mild".into();
        lines[5] = "23.1,?,mild".into();
        lines.join("\n")
    });
    train(&folder, STATE)
        .refused(1, &["rooms.csv", "line 3, column `temp`", "`None`", "missing ="]);
    let done = train(&folder, &format!(r#"{STATE}, missing = "drop""#)).success();
    assert!(done.stdout.contains("because of missing values: 2"), "{}", done.stdout);
    let done = train(&folder, &format!(r#"{STATE}, missing = "mean""#)).success();
    assert!(done.stdout.contains("mean of the training rows: 2"), "{}", done.stdout);
    let bytes = b"\x1b]0;owned\x07,1,cool\n";
    write(folder.join("rooms.csv"), [rooms().as_bytes(), bytes].concat());
    let refused = train(&folder, STATE);
    assert!(!refused.stderr.contains('\x1b'), "{}", refused.stderr);
    refused.refused(1, &["line 122, column `temp`", "\\u{1b}]0;owned"]);
}

#[test]
fn classes_that_were_miscounted_are_named() {
    let folder = empty_dir("table_classes");
    write(folder.join("rooms.csv"), rooms().replacen("cool", "Cool", 5));
    train(&folder, STATE).refused(1, &["`Cool` (5 rows, the first in line 2)", "`cool` (35 rows"]);
    write(folder.join("rooms.csv"), rooms());
    let set = r#"data.dataset={ csv = { file = "rooms.csv", target = { classes = "hum" }, ignore = ["state"] } }"#;
    let refused = run(&folder, &["train", "rooms.toml", "--set", set]);
    refused.refused(1, &["classes: ", "target = { values = [...] }"]);
}

#[test]
fn results_are_of_another_file_or_of_validation_rows() {
    let folder = empty_dir("table_parts");
    write(folder.join("rooms.csv"), rooms());
    // Columns in another order, with additional ones.
    let other: String = rooms()
        .lines()
        .take(61)
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            format!("{};note;{};{}\n", cells[2], cells[1], cells[0])
        })
        .collect();
    write(folder.join("other.csv"), &other);
    write(folder.join("rooms.toml"), preset(STATE, r#"test = { file = "other.csv" }"#));
    run(&folder, &["train", "rooms.toml", "--quiet"]).success();
    let found = metrics(folder.join("runs/rooms"));
    assert_eq!(found["float"]["test"]["rows"], 60);
    assert_eq!(found["float"]["test"]["accuracy"], 1.0);
    write(folder.join("other.csv"), other.replacen("hum", "humidity", 1));
    run(&folder, &["train", "rooms.toml"]).refused(1, &["other.csv", "`hum`", "humidity", "temp"]);

    let validation = "validation = { random = { fraction = 0.25 } }";
    write(folder.join("rooms.toml"), preset(STATE, validation));
    let said = run(&folder, &["train", "rooms.toml"]).success().stdout;
    assert!(said.contains("validation accuracy") && !said.contains("test accuracy"), "{said}");
    let found = metrics(folder.join("runs/rooms"));
    assert!(found["float"]["test"].is_null(), "{found}");
    assert_eq!(found["float"]["validation"]["rows"], 30);
    let said = run(&folder, &["evaluate", "runs/rooms"]).success().stdout;
    assert!(said.contains("30 validation rows"), "{said}");
    write(folder.join("rooms.toml"), preset(STATE, ""));
    run(&folder, &["train", "rooms.toml"]).refused(1, &["data.test", "data.validation"]);
}

#[test]
fn rows_of_another_file_are_predicted_and_evaluated() {
    let folder = empty_dir("table_rows");
    write(folder.join("rooms.csv"), rooms());
    train(&folder, STATE).success();
    // By name, in any order, without the target, with decimal commas.
    write(folder.join("new.csv"), "id;hum;temp\n1;40,9;20,1\n2;36,6;23,3\n3;32,7;26,2\n");
    let done = run(&folder, &["predict", "runs/rooms", "new.csv"]).success();
    let lines: Vec<&str> = done.stdout.lines().collect();
    let header = "line,int8,float,int8 cool,int8 mild,int8 warm,float cool,float mild,float warm";
    assert_eq!(lines[0], header);
    for (line, expected) in lines[1..].iter().zip(["2,cool,cool", "3,mild,mild", "4,warm,warm"]) {
        assert!(line.starts_with(expected), "{line}");
    }
    assert!(done.stderr.contains("3 rows predicted"), "{}", done.stderr);
    run(&folder, &["predict", "runs/rooms", "rooms.csv", "-o", "out.csv"]).success();
    let answers = String::from_utf8(read(folder.join("out.csv"))).expect("text");
    assert_eq!(answers.lines().count(), 121);
    assert!(answers.lines().next().is_some_and(|header| header.ends_with(",truth")), "{answers}");
    for (text, named) in [
        ("hum,temperature\n1,2\n", ["no column `temp`", "needed: temp, hum"].as_slice()),
        ("hum,temp\n1,2\n1,hot\n", &["new.csv", "line 3, column `temp`", "`hot`"]),
        ("hum,temp\n1,\n", &["line 2, column `temp`", "missing"]),
        ("hum,temp\n", &["no rows below its header"]),
        ("", &["the file is empty"]),
        ("hum,temp,state\n1,2,hot\n", &["line 2, column `state`", "cool, mild, warm"]),
    ] {
        write(folder.join("new.csv"), text);
        run(&folder, &["predict", "runs/rooms", "new.csv", "-o", "none.csv"]).refused(1, named);
        assert!(!folder.join("none.csv").exists(), "nothing is written for nothing");
    }
    // A file with some of the classes only.
    write(folder.join("some.csv"), "state,temp,hum\nwarm,26.2,32.7\ncool,20.1,40.9\n");
    let said = run(&folder, &["evaluate", "runs/rooms", "some.csv"]).success().stdout;
    assert!(said.contains("all 2 rows of some.csv") && said.contains("100.00 %"), "{said}");
    assert!(said.contains("class mild"), "{said}");
    let said = run(&folder, &["predict", "runs/rooms", "--row", "2"]).success().stdout;
    for named in ["row 2", "temp", "hum", "truth", "warm", "int8", "float"] {
        assert!(said.contains(named), "{named}: {said}");
    }
    run(&folder, &["predict", "runs/rooms", "--row", "120"]).refused(1, &["no row 120", "119"]);
}

#[test]
fn a_preset_that_is_wrong_is_named_by_evaluate() {
    let folder = empty_dir("table_bad_preset");
    write(folder.join("rooms.csv"), rooms());
    train(&folder, STATE).success();
    write(folder.join("bad.toml"), preset(STATE, TEST).replace("batch_size", "batch_sise"));
    let model = "runs/rooms/model.thimble";
    let refused = run(&folder, &["evaluate", model, "bad.toml"]);
    refused.refused(1, &["bad.toml", "batch_sise", "did you mean `batch_size`"]);
    run(&folder, &["evaluate", model, "none.toml"]).refused(1, &["none.toml", "no such file"]);
    run(&folder, &["evaluate", model, "minst"]).refused(1, &["did you mean `mnist`"]);
}
