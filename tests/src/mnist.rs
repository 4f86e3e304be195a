//! The MNIST files and their test images, parsed independently of the trainer.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::workspace;

/// Names of the four files, without `.gz`: images and labels for training, then for test.
pub const FILES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

/// Pixels of an image.
pub const PIXELS: usize = 28 * 28;

/// The folder that has the four files.
///
/// # Panics
/// When no location has them, with instructions to get them.
pub fn folder() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".cache")));
    let places = [
        std::env::var_os("THIMBLE_DATA").map(|data| Path::new(&data).join("mnist")),
        workspace::root().parent().map(|beside| beside.join("shared/data/mnist")),
        cache.map(|cache| cache.join("thimble/mnist")),
    ];
    let complete = |place: &PathBuf| {
        FILES.iter().all(|f| place.join(f).exists() || place.join(format!("{f}.gz")).exists())
    };
    match places.iter().flatten().find(|place| complete(place)) {
        Some(place) => place.clone(),
        None => panic!(
            "the MNIST files are in none of {places:?}: run `tests/run data`, which downloads \
             them, or point THIMBLE_DATA at the folder that has mnist/"
        ),
    }
}

/// A folder that has the four files gzipped, as servers have them.
pub fn packed_folder() -> PathBuf {
    let packed = |name: &str| format!("{name}.gz");
    if FILES.iter().all(|name| folder().join(packed(name)).exists()) {
        return folder();
    }
    workspace::cached("mnist-packed", |packed_folder| {
        std::fs::create_dir(packed_folder).expect("an empty folder");
        for name in FILES {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(&unpacked(name)).expect("a vector takes all");
            let bytes = encoder.finish().expect("a vector takes all");
            workspace::write(packed_folder.join(packed(name)), bytes);
        }
    })
}

/// A file of MNIST, unpacked.
pub fn unpacked(name: &str) -> Vec<u8> {
    let plain = folder().join(name);
    if plain.exists() {
        return workspace::read(plain);
    }
    let packed = folder().join(format!("{name}.gz"));
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(workspace::read(&packed).as_slice())
        .read_to_end(&mut bytes)
        .unwrap_or_else(|error| panic!("{}: {error}", packed.display()));
    bytes
}

/// A folder whose `mnist` has only the first `train` training rows and the first `test` test rows.
pub fn first_rows(train: u32, test: u32) -> PathBuf {
    workspace::cached(&format!("mnist-{train}-{test}"), |folder| {
        let mnist = folder.join("mnist");
        std::fs::create_dir_all(&mnist).expect("an empty folder");
        for (name, count) in FILES.into_iter().zip([train, train, test, test]) {
            let (header, row) = if name.contains("images") { (16, PIXELS) } else { (8, 1) };
            let mut bytes = unpacked(name);
            bytes.truncate(header + row * count as usize);
            bytes[4..8].copy_from_slice(&count.to_be_bytes());
            workspace::write(mnist.join(name), bytes);
        }
    })
}

/// The test images as int8, pixel − 128, and their labels.
pub fn test_set() -> (Vec<Vec<i8>>, Vec<u8>) {
    let (images, labels) = (unpacked(FILES[2]), unpacked(FILES[3]));
    assert_eq!(images[..4], [0, 0, 8, 3], "an IDX file of bytes in three dimensions");
    assert_eq!(labels[..4], [0, 0, 8, 1], "an IDX file of bytes in one dimension");
    let quantize = |pixel: &u8| (i32::from(*pixel) - 128) as i8;
    let images = images[16..].chunks_exact(PIXELS).map(|i| i.iter().map(quantize).collect());
    let (images, labels): (Vec<_>, _) = (images.collect(), labels[8..].to_vec());
    assert_eq!((images.len(), labels.len()), (10_000, 10_000));
    (images, labels)
}

/// Returns the predicted class: the largest score, the first of equal ones.
pub fn class_of(output: &[i8]) -> u8 {
    let largest = output.iter().max().expect("an output has a class");
    output.iter().position(|score| score == largest).expect("the largest is one of them") as u8
}

/// Returns the number of outputs whose class equals the label.
pub fn correct<'a>(outputs: impl IntoIterator<Item = &'a [i8]>, labels: &[u8]) -> usize {
    outputs.into_iter().zip(labels).filter(|(output, label)| class_of(output) == **label).count()
}
