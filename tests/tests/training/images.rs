//! Images: the preprocessing in training and in prediction is the same.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use host_trainer::data::{Features, LoadProgress, Locations, Source};
use host_trainer::preset::Preset;
use image::{DynamicImage, GrayAlphaImage, GrayImage, ImageFormat, Luma, LumaA, RgbImage};
use serde_json::Value;
use thimble_tests::command::{Finished, host_trainer};
use thimble_tests::trained::mnist_run;
use thimble_tests::workspace::{empty_dir, read, root, write};

fn run(folder: &Path, arguments: &[&str]) -> Finished {
    Finished::of(&mut host_trainer(folder, arguments))
}

fn preset(images: &str, data: &str, classes: usize) -> String {
    format!(
        r#"
name = "images"
[data]
dataset = {{ images = {{ {images} }} }}
{data}
[network]
layers = [{{ dense = {{ units = 12, activation = "relu" }} }}, {{ dense = {{ units = {classes} }} }}]
[training]
epochs = 40
batch_size = 8
optimizer = {{ adam = {{ learning_rate = 0.01 }} }}
"#
    )
}

const FIFTH: &str = "test = { stratified = { fraction = 0.2 } }";

fn cases() -> PathBuf {
    root().join("tests/cases/images")
}

fn encoded(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    image.into().write_to(&mut file, format).expect("a vector takes all");
    file.into_inner()
}

fn save(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    write(path, bytes);
}

/// Returns the files in class folders, each with its class.
fn files(folder: &Path) -> Vec<(String, String)> {
    let entries = |path: &Path| {
        let entries = fs::read_dir(path).expect("a folder");
        let mut paths: Vec<PathBuf> =
            entries.map(|entry| entry.expect("an entry").path()).collect();
        paths.sort();
        paths
    };
    let classes = entries(folder).into_iter().filter(|path| path.is_dir());
    let named = |class: PathBuf| {
        let name = class.file_name().expect("a name").to_string_lossy().into_owned();
        entries(&class).into_iter().map(move |path| (path.display().to_string(), name.clone()))
    };
    classes.flat_map(named).collect()
}

/// Returns the JSON output of a command for images.
fn json(folder: &Path, arguments: &[&str]) -> Value {
    let said = run(folder, arguments).success().stdout;
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
}

#[test]
fn images_are_predicted_as_they_were_trained() {
    let folder = empty_dir("images_plain");
    let plain = cases().join("plain");
    let keys = format!("folder = \"{}\"", plain.display());
    write(folder.join("images.toml"), preset(&keys, FIFTH, 2));
    run(&folder, &["train", "images.toml", "--quiet"]).success();
    let files = files(&plain);
    assert_eq!(files.len(), 60);
    let paths: Vec<&str> = files.iter().map(|(path, _)| path.as_str()).collect();
    let said = json(&folder, &[["predict", "runs/images", "--json"].as_slice(), &paths].concat());
    assert_eq!(said["preparation"], "32x32 grayscale fit=stretch invert=no background=white");
    for ((path, class), said) in files.iter().zip(said["images"].as_array().expect("a list")) {
        for network in ["int8", "float"] {
            assert_eq!(said[network]["class"], class.as_str(), "{network}: {path}");
        }
    }
    // The model file alone, elsewhere.
    fs::copy(folder.join("runs/images/model.thimble"), folder.join("m.thimble")).expect("a copy");
    let said = json(&folder, &[["infer", "m.thimble", "--json"].as_slice(), &paths].concat());
    for ((path, class), said) in files.iter().zip(said["images"].as_array().expect("a list")) {
        assert_eq!(said["int8"]["class"], class.as_str(), "{path}");
    }
    // As rows of outputs.
    let arguments = ["infer", "m.thimble", "--output", "out.i8", paths[0], paths[1]];
    run(&folder, &arguments).success();
    assert_eq!(read(folder.join("out.i8")).len(), 4);
    // An unreadable image among readable ones.
    let whole = read(paths[0]);
    save(&folder, "half.png", &whole[..whole.len() / 2]);
    let said = run(&folder, &["predict", "runs/images", "half.png", paths[0]])
        .refused(1, &["half.png", "damaged", "save it"]);
    assert!(said.stdout.contains("disc"), "{said:?}");
}

#[test]
fn an_image_of_the_training_folder_gives_the_bytes_that_were_trained() {
    let folder = empty_dir("images_bytes");
    for index in 0..12_u32 {
        let class = ["left", "right"][index as usize % 2];
        let image = RgbImage::from_fn(20 + index, 14, |x, y| {
            let bright = (x < 10) == (index % 2 == 0) && y > 2 && y < 11;
            let value = if bright { 200 } else { 20 };
            image::Rgb([value, value, (y * 9 + index) as u8])
        });
        let name = format!("photos/{class}/{index}");
        match index % 3 {
            0 => save(&folder, &format!("{name}.jpg"), encoded(image, ImageFormat::Jpeg)),
            1 => save(&folder, &format!("{name}.PNG"), encoded(image, ImageFormat::Bmp)),
            _ => save(&folder, &format!("{name}.png"), encoded(image, ImageFormat::WebP)),
        }
    }
    for keys in [
        "resize = [10, 12]",
        "resize = [9, 9], fit = \"pad\", background = \"black\"",
        "resize = [8, 12], fit = \"crop\", invert = true",
        "resize = [6, 7], color_mode = \"rgb\", invert = \"auto\"",
        "resize = [28, 28], fit = \"mnist\"",
        "resize = [16, 16], fit = \"fashion_mnist\"",
    ] {
        let text = preset(&format!("folder = \"photos\", {keys}"), FIFTH, 2);
        let text = text.replace("epochs = 40", "epochs = 1");
        write(folder.join("images.toml"), &text);
        run(&folder, &["train", "images.toml", "--quiet"]).success();
        let mut preset = Preset::read(&text, "images.toml").expect("a preset");
        let Source::Images(images) = &mut preset.data.dataset else { panic!("images") };
        images.folder = folder.join("photos");
        let trained = images.load(&LoadProgress::default()).expect("images").train;
        let Features::Bytes { values, .. } = trained.features() else { panic!("bytes") };
        let files = files(&folder.join("photos"));
        let paths: Vec<&str> = files.iter().map(|(path, _)| path.as_str()).collect();
        let said =
            json(&folder, &[["predict", "runs/images", "--json"].as_slice(), &paths].concat());
        let images = said["images"].as_array().expect("a list");
        assert_eq!(images.len(), 12);
        for (image, row) in images.iter().zip(values.rows()) {
            let pixels = image["pixels"].as_array().expect("pixels").iter();
            let bytes: Vec<u8> =
                pixels.map(|p| (p.as_f64().expect("a number") * 255.0).round() as u8).collect();
            assert_eq!(bytes, row.to_vec(), "{keys}: {}", image["image"]);
        }
    }
}

#[test]
fn photos_are_turned_upright() {
    let folder = empty_dir("images_upright");
    let keys = format!("folder = \"{}\"", cases().join("plain").display());
    write(folder.join("images.toml"), preset(&keys, FIFTH, 2).replace("epochs = 40", "epochs = 1"));
    run(&folder, &["train", "images.toml", "--quiet"]).success();
    let [tag, up] = ["tag.jpg", "up.jpg"].map(|name| cases().join(name).display().to_string());
    let said = json(&folder, &["predict", "runs/images", "--json", &tag, &up]);
    let pixels = |index: usize| said["images"][index]["pixels"].as_array().expect("pixels");
    let far = pixels(0).iter().zip(pixels(1)).filter(|(a, b)| {
        let (a, b) = (a.as_f64().expect("a number"), b.as_f64().expect("a number"));
        // JPEG compresses a picture that lies on its side to other bytes.
        (a - b).abs() > 0.03
    });
    assert_eq!(far.count(), 0);
    assert_eq!(said["images"][0]["int8"]["class"], said["images"][1]["int8"]["class"]);
}

#[test]
fn folders_of_splits_are_trained_and_tested_with() {
    let folder = empty_dir("images_splits");
    for (split, images) in [("train", 20), ("test", 6), ("val", 4)] {
        for index in 0..images {
            let class = ["dark", "light"][index % 2];
            let shade = if index % 2 == 0 { 30 } else { 220 } + index as u8;
            let image = GrayImage::from_pixel(6, 5, Luma([shade]));
            let bytes = encoded(image, ImageFormat::Png);
            save(&folder, &format!("photos/{split}/{class}/{index}.png"), bytes);
        }
    }
    save(&folder, "photos/train/dark/.DS_Store", "hidden");
    save(&folder, "photos/train/light/notes.txt", "no image");
    write(folder.join("images.toml"), preset("folder = \"photos\"", "", 2));
    let said = run(&folder, &["train", "images.toml"]).success().stdout;
    assert!(said.contains("20 training · 4 validation · 6 test rows"), "{said}");
    let named = said.contains("2 files passed over: 1 hidden (train/dark/.DS_Store); 1 not images");
    assert!(named, "{said}");
    let said = run(&folder, &["evaluate", "runs/images"]).success().stdout;
    assert!(said.contains("all 6 test rows"), "{said}");
    // The test split is given twice.
    write(folder.join("twice.toml"), preset("folder = \"photos\"", FIFTH, 2));
    run(&folder, &["train", "twice.toml"]).refused(1, &["data.test", "leave it out"]);
    fs::rename(folder.join("photos/test/dark"), folder.join("photos/test/gray")).expect("a name");
    run(&folder, &["train", "images.toml"]).refused(1, &["`gray`", "dark, light"]);
    // Without test images results are those of the validation split; without both, an error.
    fs::remove_dir_all(folder.join("photos/test")).expect("a folder");
    let said = run(&folder, &["train", "images.toml"]).success().stdout;
    assert!(said.contains("20 training · 4 validation rows"), "{said}");
    assert!(said.contains("validation accuracy"), "{said}");
    fs::remove_dir_all(folder.join("photos/val")).expect("a folder");
    run(&folder, &["train", "images.toml"]).refused(1, &["data.test", "stratified"]);
}

#[test]
fn damaged_images_are_named_or_skipped() {
    let folder = empty_dir("images_damaged");
    for index in 0..10_usize {
        let image = GrayImage::from_fn(40, 40, |x, y| Luma([(x * y) as u8 ^ (index as u8 * 25)]));
        let class = ["a", "b"][index % 2];
        save(&folder, &format!("photos/{class}/{index}.png"), encoded(image, ImageFormat::Png));
    }
    let jpeg = encoded(RgbImage::from_pixel(40, 40, image::Rgb([9, 99, 199])), ImageFormat::Jpeg);
    let png = read(folder.join("photos/a/0.png"));
    let mut changed = png.clone();
    changed[60] ^= 0x55;
    let write_preset = |keys: &str| {
        let keys = format!("folder = \"photos\", resize = [6, 6]{keys}");
        write(
            folder.join("images.toml"),
            preset(&keys, FIFTH, 2).replace("epochs = 40", "epochs = 1"),
        );
    };
    for (name, bytes, expected) in [
        ("half.png", &png[..png.len() / 2], "damaged"),
        ("changed.png", &changed, "damaged"),
        ("half.jpg", &jpeg[..jpeg.len() - 3], "cut short"),
        ("empty.jpg", b"", "empty"),
        ("words.png", b"no image", "not an image"),
        ("moving.gif", b"GIF89a\x01\x00\x01\x00", "GIF"),
    ] {
        write_preset("");
        save(&folder, &format!("photos/b/{name}"), bytes);
        run(&folder, &["train", "images.toml"])
            .refused(1, &[&format!("photos/b/{name}"), expected, "unreadable = \"skip\""]);
        write_preset(", unreadable = \"skip\"");
        let said = run(&folder, &["train", "images.toml"]).success().stdout;
        let note = format!("1 file passed over: 1 unreadable (b/{name})");
        assert!(said.contains(&note), "{name}: {said}");
        fs::remove_file(folder.join("photos/b").join(name)).expect("a file");
    }
}

/// A photo of an MNIST test image: dark ink on paper with uneven light, rotated and enlarged.
fn photo(pixels: &[u8]) -> Vec<u8> {
    let image = GrayImage::from_raw(28, 28, pixels.to_vec()).expect("28 × 28");
    let large = image::imageops::resize(&image, 224, 224, image::imageops::FilterType::Triangle);
    let photo = RgbImage::from_fn(400, 320, |x, y| {
        let inside = (60..284).contains(&x) && (40..264).contains(&y);
        let ink = if inside { u32::from(large.get_pixel(x - 60, y - 40).0[0]) } else { 0 };
        let value = 235 - x / 20 - y / 25 - ink * 170 / 255;
        image::Rgb([value as u8; 3])
    });
    encoded(photo, ImageFormat::Jpeg)
}

#[test]
fn photos_of_digits_are_prepared_as_mnist_was() {
    let folder = empty_dir("images_mnist");
    let locations =
        Locations { data_dir: Some(thimble_tests::mnist::folder()), ..Locations::default() };
    let test = Source::Mnist.load(&locations, 1).expect("MNIST").test.expect("test rows");
    let Features::Bytes { values, .. } = test.features() else { panic!("bytes") };
    let labels = &test.labels().expect("classes").indices;
    let mut paths = Vec::new();
    for row in 0..40 {
        let pixels = values.row(row).to_vec();
        save(&folder, &format!("{row}.jpg"), photo(&pixels));
        let image = GrayImage::from_raw(28, 28, pixels).expect("28 × 28");
        save(&folder, &format!("{row}.png"), encoded(image, ImageFormat::Png));
        paths.extend([format!("{row}.jpg"), format!("{row}.png")]);
    }
    let model = mnist_run().display().to_string();
    let mut arguments = vec!["predict", model.as_str(), "--json"];
    arguments.extend(paths.iter().map(String::as_str));
    let said = json(&folder, &arguments);
    assert_eq!(said["preparation"], "28x28 grayscale fit=mnist invert=auto background=white");
    let mut right = 0;
    for (row, pair) in said["images"].as_array().expect("a list").chunks(2).enumerate() {
        let label = labels[row].to_string();
        let is_right = pair[0]["int8"]["class"].as_str() == Some(label.as_str());
        right += usize::from(is_right && pair[0]["inverted"] == true);
        // An image of the dataset stays as it is.
        let pixels = pair[1]["pixels"].as_array().expect("pixels").iter();
        let same = pixels.zip(values.row(row)).all(|(pixel, &byte)| {
            (pixel.as_f64().expect("a number") * 255.0).round() as u8 == byte
        });
        assert!(same, "row {row}");
    }
    assert!(right >= 38, "{right} of 40");
    // Plain preprocessing: the whole photo, resized and inverted.
    let said = json(&folder, &["predict", &model, "--json", "--plain", "0.jpg"]);
    assert_eq!(said["preparation"], "28x28 grayscale fit=stretch invert=yes background=white");
    assert_eq!(said["preparation_from"], "asked");
    let corner = said["images"][0]["pixels"][0].as_f64().expect("a number");
    assert!((0.05..0.15).contains(&corner), "255 − 235 of 255: {corner}");
    let said = json(&folder, &["predict", &model, "--json", "--prepare", "fit=pad", "0.jpg"]);
    assert_eq!(said["preparation"], "28x28 grayscale fit=pad invert=no background=white");
    run(&folder, &["predict", &model, "--prepare", "fit=mist", "0.jpg"])
        .refused(1, &["`mist`", "stretch, crop, pad, mnist"]);
    run(&folder, &["predict", &model, "--prepare", "9x9", "0.jpg"]).refused(1, &["784", "81"]);
}

#[test]
fn transparency_and_depth_do_not_change_an_image() {
    let folder = empty_dir("images_kinds");
    let keys = format!("folder = \"{}\"", cases().join("plain").display());
    write(folder.join("images.toml"), preset(&keys, FIFTH, 2).replace("epochs = 40", "epochs = 1"));
    run(&folder, &["train", "images.toml", "--quiet"]).success();
    let square = |x: u32, y: u32| (8..24).contains(&x) && (8..24).contains(&y);
    let gray = GrayImage::from_fn(32, 32, |x, y| Luma([if square(x, y) { 0 } else { 255 }]));
    save(&folder, "gray.png", encoded(gray.clone(), ImageFormat::Png));
    // Black ink on transparent black.
    let clear =
        GrayAlphaImage::from_fn(32, 32, |x, y| LumaA([0, if square(x, y) { 255 } else { 0 }]));
    save(&folder, "clear.png", encoded(clear, ImageFormat::Png));
    let deep = DynamicImage::from(gray.clone()).into_luma16();
    save(&folder, "deep.png", encoded(deep, ImageFormat::Png));
    save(
        &folder,
        "color.bmp",
        encoded(DynamicImage::from(gray.clone()).into_rgb8(), ImageFormat::Bmp),
    );
    save(&folder, "web.jpg", encoded(DynamicImage::from(gray).into_rgba8(), ImageFormat::WebP));
    let names = ["gray.png", "clear.png", "deep.png", "color.bmp", "web.jpg"];
    let said = json(&folder, &[["predict", "runs/images", "--json"].as_slice(), &names].concat());
    for image in said["images"].as_array().expect("a list") {
        assert_eq!(image["pixels"], said["images"][0]["pixels"], "{}", image["image"]);
    }
}
