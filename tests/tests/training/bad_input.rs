//! Errors of invalid input: each names the file or field, and the remedy.

use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use thimble_tests::command::{Finished, host_trainer};
use thimble_tests::mnist;
use thimble_tests::workspace::{empty_dir, read, root, write};

fn run(folder: &Path, arguments: &[&str]) -> Finished {
    Finished::of(&mut host_trainer(folder, arguments))
}

/// Returns an IDX file with zero bytes.
fn idx(dimensions: &[u32], element: u8) -> Vec<u8> {
    let mut file = vec![0, 0, 8, dimensions.len() as u8];
    dimensions.iter().for_each(|dimension| file.extend(dimension.to_be_bytes()));
    let len: u32 = dimensions.iter().product();
    file.resize(file.len() + len as usize, element);
    file
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("a vector takes all");
    encoder.finish().expect("a vector takes all")
}

/// Creates a folder with four small valid files.
fn data(name: &str) -> PathBuf {
    let folder = empty_dir(name);
    for (index, file) in mnist::FILES.iter().enumerate() {
        let content = if index % 2 == 0 { idx(&[20, 28, 28], 7) } else { idx(&[20], 3) };
        write(folder.join(format!("{file}.gz")), gzipped(&content));
    }
    folder
}

/// Returns the error with one of the files replaced; no file is written.
fn with_file(folder: &Path, index: usize, name: &str, content: &[u8]) -> Finished {
    write(folder.join(name), content);
    let finished = run(folder, &["train", "mnist", "--data-dir", ".", "--output", "run"]);
    assert!(!folder.join("run").exists(), "a run folder for nothing: {finished:#?}");
    assert!(name.starts_with(mnist::FILES[index]));
    finished.refused(1, &[name, "host-trainer fetch mnist"])
}

#[test]
fn missing_data_files_are_named_with_the_command_that_fetches_them() {
    let folder = empty_dir("no_data");
    run(&folder, &["train", "mnist"])
        .refused(1, &["mnist", "host-trainer fetch mnist", "--data-dir"]);
    for missing in mnist::FILES {
        let folder = data("one_file_missing");
        std::fs::remove_file(folder.join(format!("{missing}.gz"))).expect("it is there");
        run(&folder, &["train", "mnist", "--data-dir", "."])
            .refused(1, &[missing, "host-trainer fetch mnist"]);
    }
    let nowhere = folder.join("nowhere").display().to_string();
    run(&folder, &["train", "mnist", "--data-dir", &nowhere]).refused(1, &[&nowhere]);
}

#[test]
fn truncated_data_files_are_refused() {
    let folder = data("truncated_data");
    for (index, file) in mnist::FILES.iter().enumerate() {
        let name = format!("{file}.gz");
        let whole = read(folder.join(&name));
        for len in [0, 1, 5, 12, whole.len() / 2, whole.len() - 1] {
            with_file(&folder, index, &name, &whole[..len]);
        }
        write(folder.join(&name), whole);
    }
    // Unpacked files have no checksum; their header contains the length.
    let plain = mnist::FILES[2];
    let whole = idx(&[20, 28, 28], 7);
    for len in [0, 3, 7, 15, 16, whole.len() - 1] {
        with_file(&folder, 2, plain, &whole[..len]);
    }
}

#[test]
fn files_that_are_something_else_are_refused() {
    let folder = data("other_files");
    let page = b"<html><body>404 Not Found</body></html>";
    for (index, file) in mnist::FILES.iter().enumerate() {
        let name = format!("{file}.gz");
        let whole = read(folder.join(&name));
        with_file(&folder, index, &name, page).refused(1, &["gzip"]);
        with_file(&folder, index, &name, &gzipped(page));
        // Labels in place of images, and images in place of labels.
        let swapped = if index % 2 == 0 { idx(&[20], 3) } else { idx(&[20, 28, 28], 3) };
        with_file(&folder, index, &name, &gzipped(&swapped));
        // Another element type.
        let mut floats = if index % 2 == 0 { idx(&[20, 28, 28], 3) } else { idx(&[20], 3) };
        floats[2] = 0x0d;
        with_file(&folder, index, &name, &gzipped(&floats));
        write(folder.join(&name), whole);
    }
}

#[test]
fn files_of_wrong_sizes_are_refused() {
    let folder = data("wrong_sizes");
    let replace = |index: usize, content: Vec<u8>, named: &[&str]| {
        let name = format!("{}.gz", mnist::FILES[index]);
        let whole = read(folder.join(&name));
        with_file(&folder, index, &name, &gzipped(&content)).refused(1, named);
        write(folder.join(&name), whole);
    };
    replace(0, idx(&[20, 28, 27], 0), &["28 × 27"]);
    replace(1, idx(&[19], 3), &["19 labels", "20 images"]);
    replace(3, idx(&[20], 10), &["10"]);
    replace(2, [idx(&[20, 28, 28], 0), vec![0]].concat(), &["15680", "15681"]);
    // More elements than fit into memory.
    let mut huge = idx(&[20, 28, 28], 0);
    huge[4..16].fill(0xff);
    replace(0, huge, &[]);
}

#[test]
fn unknown_names_are_answered_with_the_known_ones() {
    let folder = empty_dir("unknown_names");
    run(&folder, &["train", "digit"]).refused(1, &["`digit`", "`digits`", "mnist"]);
    run(&folder, &["train", "cifar"]).refused(1, &["`cifar`", "digits", "mnist"]);
    run(&folder, &["train", "missing.toml"]).refused(1, &["missing.toml"]);
    run(&folder, &["fetch", "cifar"]).refused(1, &["`cifar`", "mnist"]);
    let model = root().join("firmware/models/digits.thimble").display().to_string();
    run(&folder, &["evaluate", &model, "mnits"]).refused(1, &["`mnits`", "`mnist`"]);
}

#[test]
fn models_that_are_none_are_refused() {
    let folder = empty_dir("bad_models");
    run(&folder, &["inspect", "missing.thimble"]).refused(1, &["missing.thimble"]);
    let mut model = read(root().join("firmware/models/digits.thimble"));
    write(folder.join("cut.thimble"), &model[..model.len() - 1]);
    run(&folder, &["inspect", "cut.thimble"]).refused(1, &["cut.thimble", "cut off"]);
    model[100] ^= 4;
    write(folder.join("damaged.thimble"), &model);
    run(&folder, &["evaluate", "damaged.thimble", "digits"])
        .refused(1, &["damaged.thimble", "CRC-32"]);
    write(folder.join("page.thimble"), "<html></html>");
    run(&folder, &["inspect", "page.thimble"]).refused(1, &["page.thimble", "not a Thimble model"]);
    // A valid model for other data.
    let digits = root().join("firmware/models/digits.thimble").display().to_string();
    let data = mnist::folder().display().to_string();
    run(&folder, &["evaluate", &digits, "mnist", "--data-dir", &data]).refused(1, &["64", "784"]);
}

/// Returns the result with a part of the digits preset replaced.
fn preset(folder: &Path, from: &str, to: &str) -> Finished {
    let text = read(root().join("host-trainer/preset/presets/digits.toml"));
    let text = String::from_utf8(text).expect("a preset is text");
    assert!(text.contains(from), "the preset has no '{from}'");
    write(folder.join("my.toml"), text.replacen(from, to, 1));
    run(folder, &["train", "my.toml", "--output", "run"])
}

#[test]
fn mistakes_in_a_preset_are_named_by_file_and_key() {
    let folder = empty_dir("bad_presets");
    for (from, to, named) in [
        ("batch_size", "bath_size", &["bath_size", "`batch_size`"][..]),
        ("[training]", "[trianing]", &["trianing", "`training`"]),
        ("units = 32", "units = 0", &["units", "0", "at least 1"]),
        ("units = 32", "units = -4", &["units", "-4"]),
        ("units = 32", "units = 3.5", &["units"]),
        ("units = 10", "units = 11", &["units", "11", "10 classes"]),
        ("learning_rate = 0.005", "learning_rate = -0.005", &["learning_rate", "-0.005"]),
        ("learning_rate = 0.005", "learning_rate = 0.0", &["learning_rate", "0"]),
        ("learning_rate = 0.005", "learning_rate = nan", &["learning_rate"]),
        ("epochs = 150", "epochs = 0", &["epochs", "at least 1"]),
        ("fraction = 0.2", "fraction = 1.5", &["fraction", "1.5"]),
        ("\"relu\"", "\"rellu\"", &["rellu", "`relu`"]),
        ("dataset = \"digits\"", "dataset = \"digit\"", &["digit", "`digits`"]),
        ("[training]", "[training", &["my.toml"]),
    ] {
        preset(&folder, from, to).refused(1, &[&["my.toml"], named].concat());
        assert!(!folder.join("run").exists(), "{to}: a run folder for nothing");
    }
    write(folder.join("my.toml"), [0xff, 0xfe, 0, 0]);
    run(&folder, &["train", "my.toml"]).refused(1, &["my.toml"]);
    write(folder.join("my.toml"), "");
    run(&folder, &["train", "my.toml"]).refused(1, &["my.toml", "missing field"]);
}

/// No user can create a path below a file, not even root.
#[test]
fn an_output_folder_that_cannot_be_made_is_refused_before_training() {
    let folder = empty_dir("bad_output");
    write(folder.join("file"), "in the way");
    for out in ["file", "file/run"] {
        let said = run(&folder, &["train", "digits", "--output", out]);
        assert!(!said.stderr.contains("epoch"), "training began: {said:#?}");
        said.refused(1, &[out, "--output"]);
    }
    assert_eq!(read(folder.join("file")), b"in the way");
    // The default folder, runs/digits, may be in the way as well.
    write(folder.join("runs"), "in the way");
    run(&folder, &[]).refused(1, &["runs/digits", "--output"]);
}

/// A file name with an escape sequence and a forged line of output.
#[cfg(unix)]
const FOREIGN: &str = "a\x1b[31mb\nforged";

#[cfg(unix)]
#[test]
fn names_of_files_do_not_steer_the_terminal() {
    let folder = empty_dir("foreign_names");
    let named = |ending: &str| format!("{FOREIGN}{ending}");
    let is_harmless = |said: &Finished| {
        for stream in [&said.stdout, &said.stderr] {
            assert!(!stream.contains('\x1b'), "{said:#?}");
            assert!(!stream.lines().any(|line| line.starts_with("forged")), "{said:#?}");
        }
    };
    // Errors name the file, too.
    let check = |arguments: &[&str], code: i32| {
        let said = run(&folder, arguments);
        is_harmless(&said);
        assert_eq!(said.code, Some(code), "{said:#?}");
        let both = format!("{}{}", said.stdout, said.stderr);
        let json = arguments.contains(&"--json");
        let escaped = if json { r"a\u001b[31mb\nforged" } else { r"a\u{1b}[31mb\nforged" };
        assert!(both.contains(escaped), "{said:#?}");
    };
    let (model, csv, toml) = (named(".thimble"), named(".csv"), named(".toml"));
    for missing in [
        &["train", &toml][..],
        &["inspect", &model],
        &["trace", &model],
        &["infer", &model, &named(".png"), "-o", "x"],
        &["predict", &model, &csv],
        &["evaluate", &model, "digits"],
        &["quantize", &model, "-o", "x.thimble"],
        &["pack", &model, "--for", "any", "-o", "x.thimble"],
        &["import", &named(".tflite"), "-o", "x.thimble"],
        &["report", FOREIGN],
        &["compare", FOREIGN, FOREIGN],
        &["train", "mnist", "--data-dir", FOREIGN],
        &["device", "update", &model, "--tcp", "127.0.0.1:1"],
        &["device", "info", "--qemu", "microbit", "--elf", &named(".elf")],
    ] {
        check(missing, 1);
    }

    // A table and a preset with such a name, and their outputs.
    let rows = (0..40).map(|row| format!("{},{},{}\n", row % 7, row % 5, ["a", "b"][row % 2]));
    let table = format!("x,y,kind\n{}", rows.collect::<String>());
    let preset = r#"
        name = "rows"
        [data]
        dataset = { csv = { file = "a\u001b[31mb\nforged.csv", target = { classes = "kind" } } }
        test = { stratified = { fraction = 0.25 } }
        [network]
        layers = [{ dense = { units = 2 } }]
        [training]
        epochs = 1
        batch_size = 8
        optimizer = { adam = { learning_rate = 0.02 } }
    "#;
    write(folder.join(&toml), preset);
    check(&["train", &toml], 1);
    write(folder.join(&csv), table.replace("\n3,3", "\n?,3"));
    check(&["train", &toml], 1);
    write(folder.join(&toml), format!("{preset}\nmistake = 1"));
    check(&["train", &toml], 1);
    write(folder.join(&toml), preset);
    write(folder.join(&csv), &table);
    check(&["train", &toml, "--output", FOREIGN], 0);
    check(&["report", FOREIGN], 0);
    check(&["report", FOREIGN, "--json"], 0);
    check(&["compare", FOREIGN, FOREIGN], 0);
    check(&["compare", FOREIGN, FOREIGN, "--html", &named(".html")], 0);
    check(&["quantize", FOREIGN], 0);
    check(&["quantize", FOREIGN, "--weights", "int4", "-o", &model], 0);
    check(&["pack", &model, "--for", "any", "-o", &named(".any.thimble")], 0);
    check(&["sweep", &toml, "--grid", "seed=1,2", "--output", &named(".sweep")], 0);
    is_harmless(&run(&folder, &["train", &toml, "--output", FOREIGN, "--json"]).success());
    is_harmless(&run(&folder, &["inspect", &model]).success());
    is_harmless(&run(&folder, &["predict", FOREIGN, "--row", "3"]).success());
    is_harmless(&run(&folder, &["predict", FOREIGN, &csv, "-o", &named(".out")]).success());
    // The data has changed.
    write(folder.join(&csv), table.replace("1,1,", "1,2,"));
    check(&["report", FOREIGN], 1);
    write(folder.join(&csv), "x,y\n1,?\n");
    check(&["predict", FOREIGN, &csv], 1);

    // Folders of images, whose names are those of classes.
    let images = folder.join("images");
    for class in [FOREIGN, "other"] {
        std::fs::create_dir_all(images.join(class)).expect("a folder");
        write(images.join(class).join(named(".txt")), "no image");
    }
    let data = r#"{ images = { folder = "images" } }"#;
    let start = preset.find("{ csv").expect("a table");
    let end = preset.find("\n        test").expect("test rows");
    write(folder.join("images.toml"), format!("{}{data}{}", &preset[..start], &preset[end..]));
    let said = run(&folder, &["train", "images.toml"]);
    is_harmless(&said);
    said.refused(1, &[r"a\u{1b}[31mb\nforged"]);
}

#[test]
fn a_huge_cell_is_a_short_message() {
    let folder = empty_dir("huge_cell");
    let preset = r#"
        name = "rows"
        [data]
        dataset = { csv = { file = "rows.csv", target = { classes = "kind" } } }
        test = { random = { fraction = 0.25 } }
        [network]
        layers = [{ dense = { units = 2 } }]
        [training]
        epochs = 1
        batch_size = 8
        optimizer = { adam = { learning_rate = 0.02 } }
    "#;
    write(folder.join("rows.toml"), preset);
    let huge = "x".repeat(30_000_000);
    for (what, table) in [
        ("feature", format!("x,kind\n1,a\n{huge},b\n3,a\n")),
        ("quoted feature", format!("x,kind\n1,a\n\"{huge}\",b\n3,a\n")),
        ("class", format!("x,kind\n1,a\n2,{huge}\n3,a\n")),
        ("name of a column", format!("{huge},kind\n1,a\n2,b\n?,a\n")),
        ("whole file", huge.clone()),
    ] {
        write(folder.join("rows.csv"), table);
        let said = run(&folder, &["train", "rows.toml"]).refused(1, &["rows.csv"]);
        let (lines, length) = (said.stderr.lines().count(), said.stderr.len());
        assert!(lines == 1 && length < 1_000, "{what}: {lines} lines, {length} bytes");
        assert!(said.stdout.is_empty(), "{what}: {}", said.stdout.len());
    }
    std::fs::remove_file(folder.join("rows.csv")).expect("it is there");
}
