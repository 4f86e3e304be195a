//! Image folder datasets: one folder of images per class.

use std::path::{Path, PathBuf};

use image::DynamicImage;
use ndarray::Array2;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use thimble_preparation::{Background, ColorMode, Fit, Invert, Preparation};
use thimble_support::foreign_text::{self, shown};

use super::image_file::{FORMATS, ImageError, read_image};
use super::image_folder::{Found, OnUnreadable, PassedOver, UNREADABLE, refused, search};
use super::table::{classes, stem};
use super::{Dataset, Error, Features, Labels, LoadProgress, Loaded};

/// Images per report of progress.
const CHUNK: usize = 64;

/// A folder with one folder of images per class, named after the class, or with `train/`, `test/`
/// and `validation/` that contain such folders.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Images {
    /// Path of the folder, relative to the working directory.
    pub folder: PathBuf,
    /// Height and width to which all images are resized. Without it, all must have the same size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resize: Option<[u32; 2]>,
    /// Grayscale or RGB.
    #[serde(default)]
    pub color_mode: ColorMode,
    /// Resizing method.
    #[serde(default)]
    pub fit: Fit,
    /// Inversion of images. The default depends on `fit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invert: Option<Invert>,
    /// Color behind transparent pixels.
    #[serde(default)]
    pub background: Background,
    /// Treatment of damaged images, and of other files with an image's extension.
    #[serde(default)]
    pub unreadable: Unreadable,
}

/// Treatment of files that should be images and cannot be decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unreadable {
    /// An error for the first such file.
    #[default]
    Refuse,
    /// Such files are skipped, counted and named.
    Skip,
}

impl Images {
    /// Returns the preparation of the images. Without `resize`, it is for this height and width.
    pub fn preparation(&self, [height, width]: [u32; 2]) -> Preparation {
        let [height, width] = self.resize.unwrap_or([height, width]);
        Preparation {
            height,
            width,
            color_mode: self.color_mode,
            fit: self.fit,
            invert: self.invert.unwrap_or(self.fit.default_invert()),
            background: self.background,
            levels: 255,
            average: None,
        }
    }

    /// Returns the problem of invalid settings, with the remedy.
    pub fn problem(&self) -> Option<String> {
        // Without a size only the other settings are checked.
        self.preparation([1, 1]).problem()
    }

    /// Reads all images.
    ///
    /// # Errors
    /// [`Error::File`] if a folder cannot be read, [`Error::Image`] for a file that is damaged, of
    /// another size, or has more pixels than a model can take.
    pub fn load(&self, progress: &LoadProgress) -> Result<Loaded, Error> {
        let fail = |problem| Error::Image { path: self.folder.clone(), problem };
        if let Some(problem) = self.problem() {
            return Err(fail(problem));
        }
        let on_unreadable = match self.unreadable {
            Unreadable::Refuse => OnUnreadable::Refuse,
            Unreadable::Skip => OnUnreadable::Skip,
        };
        let found = search(&self.folder, on_unreadable)?;
        let words = |found: &[Found]| found.iter().map(|f| f.class.clone()).collect::<Vec<_>>();
        if found.train.is_empty() {
            let passed_over = found.passed_over.note();
            let passed_over = passed_over.map(|note| format!(". {note}")).unwrap_or_default();
            return Err(fail(format!(
                "there is no image in its folders: it must have one folder a class, with the \
                 images in it ({FORMATS}){passed_over}"
            )));
        }
        // Checks the number of classes before decoding all images, which may take an hour.
        classes(&words(&found.train)).map_err(fail)?;
        let (tests, validations) = (found.test.as_deref(), found.validation.as_deref());
        let all =
            found.train.len() + tests.map_or(0, <[_]>::len) + validations.map_or(0, <[_]>::len);
        let mut reader = Reader {
            images: self,
            preparation: None,
            progress,
            done: 0,
            all,
            passed_over: found.passed_over,
        };
        let train = reader.read(&found.train)?;
        let labels = classes(&train.words).map_err(fail)?;
        let names = labels.names.clone();
        let test = tests.map(|found| reader.read(found)).transpose()?;
        let validation = validations.map(|found| reader.read(found)).transpose()?;
        let Some((preparation, _)) = &reader.preparation else {
            return Err(fail("none of its images can be read".into()));
        };
        let dataset = |pixels: Pixels, labels: Labels| {
            let width = preparation.len();
            let values = Array2::from_shape_vec((pixels.words.len(), width), pixels.bytes)
                .map_err(|error| fail(error.to_string()))?;
            let features = Features::Bytes { values, scale: 1.0 / 255.0 };
            let dataset = Dataset::new(stem(&self.folder), preparation.shape(), features, labels)?;
            Ok::<_, Error>(dataset.with_preparation(*preparation))
        };
        let other = |split: &str, pixels: Option<Pixels>| match pixels {
            // A split without images does not exist.
            Some(pixels) if !pixels.words.is_empty() => {
                let labels = known_classes(&names, split, &pixels.words).map_err(fail)?;
                dataset(pixels, labels).map(Some)
            }
            _ => Ok(None),
        };
        let (test, validation) = (other("test", test)?, other("validation", validation)?);
        Ok(Loaded {
            train: dataset(train, labels)?,
            test,
            validation,
            origin: self.folder.display().to_string(),
            notes: reader.passed_over.note().into_iter().collect(),
        })
    }
}

/// Returns the classes of rows, which must be among those of the training split.
fn known_classes(names: &[String], split: &str, words: &[String]) -> Result<Labels, String> {
    let index = |word: &String| {
        let place = names.iter().position(|name| name == word).ok_or_else(|| {
            format!(
                "the {split} images have the class `{}`, which the training images have not: theirs \
                 are {}",
                shown(word),
                names.iter().map(|name| shown(name)).collect::<Vec<_>>().join(", ")
            )
        });
        place.map(|place| place as u16)
    };
    let indices = words.iter().map(index).collect::<Result<_, _>>()?;
    Ok(Labels { indices, names: names.to_vec() })
}

/// Prepared images, one after the other, and their classes.
#[derive(Default)]
struct Pixels {
    bytes: Vec<u8>,
    words: Vec<String>,
}

struct Reader<'a> {
    images: &'a Images,
    /// Set by the first image, with which the size of others is compared.
    preparation: Option<(Preparation, PathBuf)>,
    progress: &'a LoadProgress,
    done: usize,
    all: usize,
    passed_over: PassedOver,
}

/// Errors of reading one image.
enum Refusal {
    /// Damaged or blank.
    Unreadable(Error),
    /// Of another size.
    Size(Error),
}

impl Reader<'_> {
    fn read(&mut self, found: &[Found]) -> Result<Pixels, Error> {
        let mut pixels = Pixels::default();
        let mut rest = found;
        // The first image separately, because it determines the size of the others.
        while let (None, [first, others @ ..]) = (&self.preparation, rest) {
            rest = others;
            let read = read(&first.path).and_then(|image| {
                let preparation = self.images.preparation([image.height(), image.width()]);
                if let Some(problem) = preparation.problem() {
                    return Err(Refusal::Size(Error::Image { path: first.path.clone(), problem }));
                }
                let bytes = prepare(&preparation, image, &first.path)?;
                self.preparation = Some((preparation, first.path.clone()));
                Ok(bytes)
            });
            self.take(&mut pixels, first, read)?;
        }
        let Some((preparation, sample)) = self.preparation.clone() else { return Ok(pixels) };
        let (strict, preparation) = (self.images.resize.is_none(), &preparation);
        for chunk in rest.chunks(CHUNK) {
            let read = chunk.par_iter().map(|found| {
                let image = read(&found.path)?;
                if strict {
                    check_size(&image, preparation, &found.path, &sample)?;
                }
                prepare(preparation, image, &found.path)
            });
            for (found, read) in chunk.iter().zip(read.collect::<Vec<_>>()) {
                self.take(&mut pixels, found, read)?;
            }
        }
        Ok(pixels)
    }

    fn take(
        &mut self,
        pixels: &mut Pixels,
        found: &Found,
        read: Result<Vec<u8>, Refusal>,
    ) -> Result<(), Error> {
        match read {
            Ok(bytes) => {
                pixels.bytes.extend(bytes);
                pixels.words.push(found.class.clone());
            }
            Err(Refusal::Unreadable(_)) if self.images.unreadable == Unreadable::Skip => {
                self.passed_over.add(UNREADABLE, &self.images.folder, &found.path);
            }
            Err(Refusal::Unreadable(error) | Refusal::Size(error)) => return Err(error),
        }
        self.done += 1;
        self.progress.report(self.done, self.all);
        Ok(())
    }
}

fn read(path: &Path) -> Result<DynamicImage, Refusal> {
    read_image(path).map_err(|error| {
        Refusal::Unreadable(match error {
            ImageError::File { path, error } => {
                Error::File { path, action: "cannot be read", error }
            }
            ImageError::Content { path, problem } => refused(path, &problem),
        })
    })
}

fn prepare(
    preparation: &Preparation,
    image: DynamicImage,
    path: &Path,
) -> Result<Vec<u8>, Refusal> {
    let prepared = preparation.apply(image);
    prepared
        .map(|prepared| prepared.bytes)
        .map_err(|error| Refusal::Unreadable(refused(path.to_path_buf(), &error.to_string())))
}

fn check_size(
    image: &DynamicImage,
    preparation: &Preparation,
    path: &Path,
    sample: &Path,
) -> Result<(), Refusal> {
    let (height, width) = (image.height(), image.width());
    if (height, width) == (preparation.height, preparation.width) {
        return Ok(());
    }
    let problem = format!(
        "it has {height} × {width} pixels, but {} has {} × {}: set resize = [height, width] to \
         bring all to one size",
        foreign_text::path(sample),
        preparation.height,
        preparation.width
    );
    Err(Refusal::Size(Error::Image { path: path.to_path_buf(), problem }))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use image::GrayImage;

    use super::*;

    fn folder(images: &[(&str, u32, u32)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (index, &(name, height, width)) in images.iter().enumerate() {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let image =
                GrayImage::from_pixel(width, height, image::Luma([(index * 50 % 256) as u8]));
            image.save(path).unwrap();
        }
        folder
    }

    fn images(folder: &Path, resize: Option<[u32; 2]>) -> Images {
        Images { folder: folder.to_path_buf(), resize, ..Images::default() }
    }

    fn load(images: &Images) -> Result<Dataset, Error> {
        images.load(&LoadProgress::default()).map(|loaded| loaded.train)
    }

    #[test]
    fn each_folder_is_a_class() {
        let folder = folder(&[("dog/1.png", 2, 3), ("cat/b.PNG", 2, 3), ("cat/a.jpg", 2, 3)]);
        fs::write(folder.path().join("cat/notes.txt"), "no image").unwrap();
        let loaded = images(folder.path(), None).load(&LoadProgress::default()).unwrap();
        assert_eq!(loaded.notes, ["1 file passed over: 1 not images (cat/notes.txt)"]);
        let data = loaded.train;
        assert_eq!(data.class_names(), ["cat", "dog"]);
        assert_eq!(data.labels().unwrap().indices, [0, 0, 1]);
        assert_eq!(data.shape(), [2, 3]);
        assert_eq!(data.preparation(), Some(Preparation::plain(2, 3)));
        let Features::Bytes { values, .. } = data.features() else { panic!("bytes") };
        assert_eq!(values.column(5).to_vec(), [100, 50, 0]);
    }

    #[test]
    fn other_sizes_are_refused_by_name_or_brought_to_one() {
        let folder = folder(&[("a/1.png", 4, 4), ("b/2.png", 5, 4)]);
        let message = load(&images(folder.path(), None)).unwrap_err().to_string();
        let named = message.contains("b/2.png: it has 5 × 4") && message.contains("a/1.png");
        assert!(named && message.contains("resize"), "{message}");
        let data = load(&images(folder.path(), Some([3, 2]))).unwrap();
        assert_eq!((data.shape(), data.rows()), ([3, 2].as_slice(), 2));
        let message = load(&images(folder.path(), Some([100, 100]))).unwrap_err().to_string();
        assert!(message.contains("a model takes 1 to"), "{message}");
    }

    #[test]
    fn images_are_prepared_as_the_keys_say() {
        let folder = folder(&[("a/1.png", 4, 4), ("b/2.png", 4, 4)]);
        let all = Images {
            color_mode: ColorMode::Rgb,
            invert: Some(Invert::Yes),
            ..images(folder.path(), Some([2, 2]))
        };
        let data = load(&all).unwrap();
        assert_eq!(data.shape(), [2, 2, 3]);
        let Features::Bytes { values, .. } = data.features() else { panic!("bytes") };
        assert_eq!(values.column(0).to_vec(), [255, 205]);
        let mnist = Images { fit: Fit::Mnist, color_mode: ColorMode::Rgb, ..all.clone() };
        let message = load(&mnist).unwrap_err().to_string();
        assert!(message.contains("makes grayscale images"), "{message}");
        // One shade only: nothing to crop to.
        let blank = Images { fit: Fit::Mnist, ..images(folder.path(), Some([28, 28])) };
        let message = load(&blank).unwrap_err().to_string();
        assert!(message.contains("a/1.png: the image is blank"), "{message}");
    }

    #[test]
    fn folders_of_splits_are_the_splits() {
        let paths = ["train/a/1.png", "train/b/1.png", "test/b/1.png", "val/a/1.png"];
        let folder = folder(&paths.map(|path| (path, 2, 2)));
        let loaded = images(folder.path(), None).load(&LoadProgress::default()).unwrap();
        let test = loaded.test.unwrap();
        assert_eq!(test.class_names(), ["a", "b"]);
        assert_eq!(test.labels().unwrap().indices, [1]);
        assert_eq!(loaded.validation.unwrap().labels().unwrap().indices, [0]);
        fs::rename(folder.path().join("test/b"), folder.path().join("test/c")).unwrap();
        let error = images(folder.path(), None).load(&LoadProgress::default()).unwrap_err();
        let message = error.to_string();
        assert!(message.contains("class `c`") && message.contains("theirs are a, b"), "{message}");
    }

    #[test]
    fn damaged_images_are_refused_or_passed_over() {
        let folder = folder(&[("a/1.png", 4, 4), ("b/1.png", 4, 4), ("b/2.png", 4, 4)]);
        let path = folder.path().join("b/2.png");
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        let message = load(&images(folder.path(), None)).unwrap_err().to_string();
        assert!(message.contains("b/2.png") && message.contains("\"skip\""), "{message}");
        let skip = Images { unreadable: Unreadable::Skip, ..images(folder.path(), None) };
        let loaded = skip.load(&LoadProgress::default()).unwrap();
        assert_eq!(loaded.train.rows(), 2);
        assert_eq!(loaded.notes, ["1 file passed over: 1 unreadable (b/2.png)"]);
    }

    #[test]
    fn folders_without_images_say_what_must_be_there() {
        let folder = folder(&[("a/1.png", 4, 4)]);
        let message = load(&images(folder.path(), None)).unwrap_err().to_string();
        assert!(message.contains("all rows are of class `a`"), "{message}");
        let empty = tempfile::tempdir().unwrap();
        let message = load(&images(empty.path(), None)).unwrap_err().to_string();
        assert!(message.contains("one folder a class"), "{message}");
        let message = load(&images(&empty.path().join("none"), None)).unwrap_err().to_string();
        assert!(message.contains("none: cannot be read"), "{message}");
    }

    #[test]
    fn progress_reaches_the_end() {
        let names: Vec<String> = (0..150).map(|row| format!("{}/{row}.png", row % 2)).collect();
        let files: Vec<(&str, u32, u32)> = names.iter().map(|name| (name.as_str(), 1, 1)).collect();
        let folder = folder(&files.iter().map(|&(name, h, w)| (name, h, w)).collect::<Vec<_>>());
        let last = std::sync::Arc::new(std::sync::Mutex::new((0, 0)));
        let seen = std::sync::Arc::clone(&last);
        let progress = LoadProgress::new(move |done, all| *seen.lock().unwrap() = (done, all));
        images(folder.path(), None).load(&progress).unwrap();
        assert_eq!(*last.lock().unwrap(), (150, 150));
    }
}
