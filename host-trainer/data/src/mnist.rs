//! MNIST and Fashion-MNIST: names, checksums and loading of the four files.

use std::fs;
use std::path::{Path, PathBuf};

use ndarray::Array2;
use thimble_support::foreign_text;

use super::idx::Idx;
use super::{Dataset, Error, Features, Labels};

/// One of the four files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MnistFile {
    /// Name of the unpacked file. A gzipped file has `.gz` appended.
    pub name: &'static str,
    /// SHA-256 of the unpacked file.
    pub sha256: &'static str,
}

/// Training images, training labels, test images, test labels.
pub const MNIST_FILES: [MnistFile; 4] = [
    MnistFile {
        name: "train-images-idx3-ubyte",
        sha256: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    },
    MnistFile {
        name: "train-labels-idx1-ubyte",
        sha256: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    },
    MnistFile {
        name: "t10k-images-idx3-ubyte",
        sha256: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    },
    MnistFile {
        name: "t10k-labels-idx1-ubyte",
        sha256: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
];

/// The files of Fashion-MNIST, with the SHA-256 of Debian's package `dataset-fashion-mnist`. Its
/// labels are identical to those of the files whose MD5 the authors publish. They publish no
/// SHA-256.
pub const FASHION_MNIST_FILES: [MnistFile; 4] = [
    MnistFile {
        name: MNIST_FILES[0].name,
        sha256: "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    },
    MnistFile {
        name: MNIST_FILES[1].name,
        sha256: "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    },
    MnistFile {
        name: MNIST_FILES[2].name,
        sha256: "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    },
    MnistFile {
        name: MNIST_FILES[3].name,
        sha256: "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    },
];

/// Returns the remedy for an invalid file.
fn remedy(dataset: &str) -> &'static str {
    match dataset {
        "fashion-mnist" => "Delete the file and run `host-trainer fetch fashion-mnist`",
        _ => "Delete the file and run `host-trainer fetch mnist`",
    }
}

/// Height and width of images.
const SHAPE: [usize; 2] = [28, 28];

/// Returns the path of the file, gzipped or not, in this folder.
pub(super) fn find(folder: &Path, file: MnistFile) -> Option<PathBuf> {
    let plain = folder.join(file.name);
    let gzipped = folder.join(format!("{}.gz", file.name));
    [plain, gzipped].into_iter().find(|path| path.is_file())
}

/// Reads the training and test split from the first folder that has all four files.
pub(super) fn load(
    dataset: &'static str,
    class_names: &[String],
    folders: &[PathBuf],
) -> Result<(Dataset, Dataset, PathBuf), Error> {
    let mut looked_in = Vec::new();
    for folder in folders {
        let missing: Vec<&str> = MNIST_FILES
            .iter()
            .filter(|&&file| find(folder, file).is_none())
            .map(|file| file.name)
            .collect();
        match missing.len() {
            0 => {
                let part = |images, labels| read(folder, dataset, class_names, images, labels);
                let train = part(MNIST_FILES[0], MNIST_FILES[1])?;
                let test = part(MNIST_FILES[2], MNIST_FILES[3])?;
                return Ok((train, test, folder.clone()));
            }
            4 if !folder.is_dir() => {
                looked_in.push(format!("{}: no such folder", foreign_text::path(folder)))
            }
            4 => looked_in.push(format!("{}: none of the four files", foreign_text::path(folder))),
            _ => looked_in.push(format!(
                "{}: lacks {} (or the same with .gz)",
                foreign_text::path(folder),
                missing.join(", ")
            )),
        }
    }
    Err(Error::NotFound { dataset, looked_in })
}

fn read(
    folder: &Path,
    name: &'static str,
    class_names: &[String],
    images: MnistFile,
    labels: MnistFile,
) -> Result<Dataset, Error> {
    let (images, images_path) = read_file::<3>(folder, images, remedy(name))?;
    let (labels, labels_path) = read_file::<1>(folder, labels, remedy(name))?;
    let [rows, height, width] = images.dimensions;
    let fail = |file: &str, problem: String| {
        Err(Error::Format { file: file.to_string(), problem, remedy: remedy(name) })
    };
    if [height, width] != SHAPE {
        return fail(&images_path, format!("its images are {height} × {width}, not 28 × 28"));
    }
    let [label_count] = labels.dimensions;
    if label_count != rows {
        return fail(&labels_path, format!("{label_count} labels for {rows} images"));
    }
    if let Some(row) = labels.elements.iter().position(|&label| label > 9) {
        return fail(
            &labels_path,
            format!("label {row} is {}, not one of 0 to 9", labels.elements[row]),
        );
    }
    let values = match Array2::from_shape_vec((rows, height * width), images.elements) {
        Ok(values) => values,
        Err(error) => return fail(&images_path, error.to_string()),
    };
    Dataset::new(
        name,
        SHAPE.to_vec(),
        Features::Bytes { values, scale: 1.0 / 255.0 },
        Labels {
            indices: labels.elements.into_iter().map(u16::from).collect(),
            names: class_names.to_vec(),
        },
    )
}

fn read_file<const N: usize>(
    folder: &Path,
    file: MnistFile,
    remedy: &'static str,
) -> Result<(Idx<N>, String), Error> {
    // If the file has been removed since, reading fails with an error.
    let path = find(folder, file).unwrap_or_else(|| folder.join(file.name));
    let content = fs::read(&path).map_err(Error::file(&path, "cannot be read"))?;
    let name = foreign_text::path(&path);
    Ok((Idx::read(content, &name, remedy)?, name))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The content of an IDX file of bytes.
    pub fn idx(dimensions: &[u32], elements: &[u8]) -> Vec<u8> {
        let mut content = vec![0, 0, 8, dimensions.len() as u8];
        dimensions.iter().for_each(|d| content.extend(d.to_be_bytes()));
        content.extend(elements);
        content
    }

    fn names() -> Vec<String> {
        (0..10).map(|digit| digit.to_string()).collect()
    }

    fn write(folder: &Path, rows: u32) {
        for (index, file) in MNIST_FILES.iter().enumerate() {
            let content = match index % 2 {
                0 => idx(&[rows, 28, 28], &vec![7; rows as usize * 784]),
                _ => idx(&[rows], &vec![3; rows as usize]),
            };
            fs::write(folder.join(file.name), content).unwrap();
        }
    }

    #[test]
    fn the_first_folder_that_has_all_files_is_taken() {
        let (empty, full) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        write(full.path(), 2);
        fs::write(empty.path().join(MNIST_FILES[0].name), []).unwrap();
        let folders = [empty.path().to_path_buf(), full.path().to_path_buf()];
        let (train, test, folder) = load("mnist", &names(), &folders).unwrap();
        assert_eq!((train.rows(), test.rows(), folder), (2, 2, folders[1].clone()));

        let message = load("mnist", &names(), &folders[..1]).unwrap_err().to_string();
        assert!(message.contains("lacks train-labels-idx1-ubyte, t10k-images"), "{message}");
        assert!(message.contains("host-trainer fetch mnist"), "{message}");
    }

    #[test]
    fn files_that_do_not_fit_are_named_with_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let message = |file: usize, content: Vec<u8>| {
            write(folder.path(), 2);
            fs::write(folder.path().join(MNIST_FILES[file].name), content).unwrap();
            let message =
                load("mnist", &names(), &[folder.path().to_path_buf()]).unwrap_err().to_string();
            assert!(message.contains(MNIST_FILES[file].name), "{message}");
            assert!(message.contains("host-trainer fetch"), "{message}");
            message
        };
        assert!(message(1, idx(&[3], &[0, 1, 2])).contains("3 labels for 2 images"));
        assert!(message(3, idx(&[2], &[0, 10])).contains("label 1 is 10"));
        assert!(message(2, idx(&[2, 28, 27], &[0; 2 * 28 * 27])).contains("28 × 27"));
        assert!(message(0, idx(&[2, 28, 28], &[0; 700])).contains("but 700 are there"));
        assert!(message(0, b"<html>not found</html>".to_vec()).contains("begins with"));
    }
}
