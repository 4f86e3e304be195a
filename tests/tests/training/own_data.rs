//! The user's own data: a CSV file, a folder of images.

use std::path::{Path, PathBuf};

use serde_json::Value;
use thimble_tests::command::{Finished, host_trainer};
use thimble_tests::workspace::{empty_dir, read, root, write};

fn run(folder: &Path, arguments: &[&str]) -> Finished {
    Finished::of(&mut host_trainer(folder, arguments))
}

fn metrics(run: PathBuf) -> Value {
    serde_json::from_slice(&read(run.join("metrics.json"))).expect("metrics.json is JSON")
}

/// Writes 240 plants of three kinds, which two of three features distinguish.
fn plants(folder: &Path) {
    let mut text = String::from("id,length,kind,width\n");
    for row in 0..240_u32 {
        let (class, wobble) = (row % 3, f64::from(row * 37 % 11) / 20.0);
        let kind = ["fern", "moss", "oak"][class as usize];
        let (length, width) = (f64::from(class) * 2.0 + wobble, 100.0 - f64::from(class) * 9.0);
        text += &format!("{row},{length},{kind},{width}\n");
    }
    write(folder.join("plants.csv"), text);
}

const PLANTS: &str = r#"
name = "plants"
[data]
dataset = { csv = { file = "plants.csv", target = { classes = "kind" }, features = ["length", "width"] } }
test = { stratified = { fraction = 0.25 } }
validation = { random = { fraction = 0.2 } }
scaling = "standard"
[network]
layers = [
    { dense = { units = 8, activation = "relu", name = "hidden" } },
    { dense = { units = 3 } },
]
[training]
epochs = 40
batch_size = 16
optimizer = { adam = { learning_rate = 0.02 } }
"#;

#[test]
fn a_table_is_learnt_evaluated_and_reported() {
    let folder = empty_dir("own_table");
    plants(&folder);
    write(folder.join("plants.toml"), PLANTS);
    run(&folder, &["train", "plants.toml", "--quiet"]).success();
    let out = folder.join("runs/plants");
    for which in ["float", "int8"] {
        let accuracy = metrics(out.clone())[which]["test"]["accuracy"].as_f64().expect("a number");
        // Kinds lie 2 and 9 apart, and wobble by 0.5: there is nothing to mistake.
        assert_eq!(accuracy, 1.0, "{which}");
    }
    let model = out.join("model.thimble").display().to_string();
    let said = run(&folder, &["evaluate", &model, "plants.toml"]).success().stdout;
    assert!(said.contains("oak") && said.contains("100.00 %"), "{said}");
    let said = run(&folder, &["report", "runs/plants"]).success();
    assert!(out.join("report.html").is_file(), "{said:?}");
    run(&folder, &["features", "runs/plants", "hidden"]).success();
    let inspected = run(&folder, &["inspect", &model]).success().stdout;
    assert!(inspected.contains("fern"), "{inspected}");
}

#[test]
fn numbers_in_a_table_are_learnt_too() {
    let folder = empty_dir("own_numbers");
    let rows = (0..300_u32).map(|row| {
        let (a, b) = (f64::from(row % 17) / 17.0, f64::from(row * 7 % 23) / 23.0);
        format!("{a},{b},{}\n", 2.0 * a - b)
    });
    write(folder.join("sums.csv"), format!("a,b,sum\n{}", rows.collect::<String>()));
    let preset = r#"
        name = "sums"
        [data]
        dataset = { csv = { file = "sums.csv", target = { values = ["sum"] } } }
        test = { random = { fraction = 0.2 } }
        [network]
        layers = [{ dense = { units = 1 } }]
        [training]
        loss = "mean_squared_error"
        epochs = 60
        batch_size = 16
        optimizer = { adam = { learning_rate = 0.03 } }
    "#;
    write(folder.join("sums.toml"), preset);
    run(&folder, &["train", "sums.toml", "--quiet"]).success();
    let error = metrics(folder.join("runs/sums"))["float"]["test"]["mean_squared_error"]
        .as_f64()
        .expect("a number");
    // The function is linear: what is left is how far the last steps of Adam are from the minimum.
    assert!(error < 1e-3, "{error}");
}

#[test]
fn what_is_wrong_with_a_table_is_named() {
    let folder = empty_dir("bad_table");
    write(folder.join("plants.toml"), PLANTS);
    let refused = |text: &str, named: &[&str]| {
        write(folder.join("plants.csv"), text);
        run(&folder, &["train", "plants.toml"]).refused(1, named);
        assert!(!folder.join("runs").exists(), "nothing is written for nothing");
    };
    run(&folder, &["train", "plants.toml"])
        .refused(1, &["plants.csv", "is not in", "relative to the current folder"]);
    let head = "id,length,kind,width\n1,2,oak,3\n";
    refused(&format!("{head}2,,oak,3\n"), &["plants.csv", "line 3", "`length`", "missing"]);
    refused(&format!("{head}2,nan,moss,3\n"), &["line 3", "`length`", "missing (`nan`)"]);
    refused(&format!("{head}2,3,moss\n"), &["line 3", "3 fields", "4"]);
    refused(head, &["`kind`", "nothing to tell apart"]);
    // Four kinds, three outputs.
    let kinds: String = (0..40).map(|row| format!("{row},1,kind{},3\n", row % 4)).collect();
    refused(&format!("id,length,kind,width\n{kinds}"), &["4", "classes", "network.layers"]);
    // Set on the command line, to a missing column.
    plants(&folder);
    let set = "data.dataset={ csv = { file = \"plants.csv\", target = { classes = \"sort\" } } }";
    run(&folder, &["train", "plants.toml", "--set", set]).refused(1, &["`sort`", "kind"]);
}

const PHOTOS: &str = r#"
name = "photos"
[data]
dataset = { images = { folder = "photos" } }
test = { stratified = { fraction = 0.25 } }
[network]
layers = [{ dense = { units = 8, activation = "relu" } }, { dense = { units = 2 } }]
[training]
epochs = 30
batch_size = 8
optimizer = { adam = { learning_rate = 0.01 } }
"#;

/// A grayscale PNG: bright on the left, or on the right.
fn png(width: u32, height: u32, left: bool, seed: u32) -> Vec<u8> {
    let image = image::GrayImage::from_fn(width, height, |x, y| {
        let bright = (x < width / 2) == left;
        let wobble = ((x * 7 + y * 13 + seed * 29) % 40) as u8;
        image::Luma([if bright { 200 } else { 20 } + wobble])
    });
    let mut file = std::io::Cursor::new(Vec::new());
    image.write_to(&mut file, image::ImageFormat::Png).expect("a vector takes all");
    file.into_inner()
}

#[test]
fn a_folder_of_images_is_learnt_and_predicted() {
    let folder = empty_dir("own_images");
    write(folder.join("photos.toml"), PHOTOS);
    for seed in 0..24 {
        let class = if seed % 2 == 0 { "left" } else { "right" };
        let path = folder.join("photos").join(class);
        std::fs::create_dir_all(&path).expect("a folder");
        write(path.join(format!("{seed}.png")), png(12, 10, seed % 2 == 0, seed));
    }
    run(&folder, &["train", "photos.toml", "--quiet"]).success();
    let accuracy = metrics(folder.join("runs/photos"))["int8"]["test"]["accuracy"].as_f64();
    assert_eq!(accuracy, Some(1.0));
    let model = folder.join("runs/photos/model.thimble").display().to_string();
    let said = run(&folder, &["evaluate", &model, "photos.toml"]).success().stdout;
    assert!(said.contains("right"), "{said}");
    // An image of another size: the error names it, and its remedy works.
    write(folder.join("photos/left/odd.png"), png(9, 9, true, 1));
    run(&folder, &["train", "photos.toml"]).refused(1, &["odd.png", "9 × 9", "resize"]);
    let set = "data.dataset.images.resize=[8, 8]";
    run(&folder, &["train", "photos.toml", "--quiet", "--set", set]).success();
    write(folder.join("photos/left/broken.png"), "no image");
    run(&folder, &["train", "photos.toml"]).refused(1, &["broken.png"]);
}

#[test]
fn a_csv_file_is_trained_without_a_preset() {
    let folder = empty_dir("own_data_one_line");
    let table = String::from_utf8(read(root().join("tests/cases/tables/wine.csv"))).unwrap();
    // A column of words that is no feature, and a missing value.
    let lines = table.lines().enumerate().map(|(number, line)| match number {
        0 => format!("bottle,{line}\n"),
        1 => format!("b1,NA,{}\n", line.split_once(',').unwrap().1),
        _ => format!("b{number},{line}\n"),
    });
    write(folder.join("wine.csv"), lines.collect::<String>());
    let train = |arguments: &[&str]| {
        let fixed = ["train", "wine.csv", "--set", "training.epochs=20"];
        Finished::of(&mut host_trainer(&folder, [&fixed[..], arguments].concat()))
    };
    train(&[]).refused(1, &["wine.csv", "--target", "alcohol"]);
    let of_kind = ["--target", "kind"];
    train(&of_kind).refused(1, &["wine.csv", "`bottle`", "--ignore"]);
    let ignored = [&of_kind[..], &["--ignore", "bottle"]].concat();
    train(&ignored).refused(1, &["wine.csv", "line 2", "`NA`", "--missing"]);
    let trained = train(&[&ignored[..], &["--missing", "drop"]].concat()).success();
    assert!(trained.stdout.contains("13-16-3"), "{}", trained.stdout);
    Finished::of(&mut host_trainer(&folder, ["predict", "runs/wine", "--row", "0"])).success();
    // The preset of the run is a template.
    let again = ["train", "runs/wine/preset.toml", "--output", "again", "--quiet"];
    Finished::of(&mut host_trainer(&folder, again)).success();
    let model = |run: &str| read(folder.join(run).join("model.thimble"));
    assert!(model("runs/wine") == model("again"), "the same settings give the same model");
    Finished::of(&mut host_trainer(&folder, ["train", "digits", "--target", "kind"]))
        .refused(1, &["--target", "digits"]);
}
