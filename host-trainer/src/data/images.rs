//! Folders of photographs: one folder a class.

use std::fs;
use std::path::{Path, PathBuf};

use image::imageops::FilterType;
use model_format::limits::MAX_WIDTH;
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::table::{classes, stem};
use super::{Dataset, Error, Features};

/// A folder that has a folder of PNG or JPEG images for each class, named as the class is.
///
/// Images become grey, a byte a pixel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Images {
    /// The folder, seen from where the command is run.
    pub folder: PathBuf,
    /// Height and width that all images are brought to. Without it, all must have the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resize: Option<[u32; 2]>,
}

impl Images {
    /// Reads all images. Files with other endings and hidden ones are left alone.
    ///
    /// # Errors
    /// [`Error::File`] when a folder cannot be read; [`Error::Image`] for a file that is no image,
    /// is of another size, or makes more pixels than a model can take.
    pub fn load(&self) -> Result<Dataset, Error> {
        let mut words = Vec::new();
        let mut bytes = Vec::new();
        let mut size: Option<([u32; 2], PathBuf)> = None;
        if let Some([height, width]) = self.resize {
            self.check_size(height, width, &self.folder)?;
        }
        for class in entries(&self.folder)?.into_iter().filter(|path| path.is_dir()) {
            for path in entries(&class)?.into_iter().filter(|path| is_image(path)) {
                let fail = |problem| Error::Image { path: path.clone(), problem };
                let picture = image::open(&path).map_err(|error| fail(error.to_string()))?;
                let mut grey = picture.into_luma8();
                if let Some([height, width]) = self.resize {
                    grey = image::imageops::resize(&grey, width, height, FilterType::Triangle);
                }
                let here = [grey.height(), grey.width()];
                match &size {
                    None => {
                        self.check_size(here[0], here[1], &path)?;
                        size = Some((here, path.clone()));
                    }
                    Some((first, first_path)) if *first != here => {
                        return Err(fail(format!(
                            "it has {} × {} pixels, but {} has {} × {}: set resize = [height, \
                             width] to bring all to one size",
                            here[0],
                            here[1],
                            first_path.display(),
                            first[0],
                            first[1]
                        )));
                    }
                    Some(_) => {}
                }
                bytes.extend_from_slice(grey.as_raw());
                words.push(class.file_name().unwrap_or_default().to_string_lossy().into_owned());
            }
        }
        let fail = |problem| Error::Image { path: self.folder.clone(), problem };
        let Some(([height, width], _)) = size else {
            let problem = "there is no PNG or JPEG image in its folders: it must have one folder \
                           a class, with the images in it";
            return Err(fail(problem.to_string()));
        };
        let (height, width) = (height as usize, width as usize);
        let labels = classes(&words).map_err(fail)?;
        let values = Array2::from_shape_vec((words.len(), height * width), bytes)
            .map_err(|error| fail(error.to_string()))?;
        let features = Features::Bytes { values, scale: 1.0 / 255.0 };
        Dataset::new(stem(&self.folder), vec![height, width], features, labels)
    }

    fn check_size(&self, height: u32, width: u32, path: &Path) -> Result<(), Error> {
        let pixels = u64::from(height) * u64::from(width);
        if pixels == 0 || pixels > MAX_WIDTH as u64 {
            let problem = format!(
                "{height} × {width} pixels, but a model takes 1 to {MAX_WIDTH}: set resize = \
                 [height, width]"
            );
            return Err(Error::Image { path: path.to_path_buf(), problem });
        }
        Ok(())
    }
}

/// What is in a folder, in alphabetical order, so that the same folder gives the same rows.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let read = || -> std::io::Result<Vec<PathBuf>> {
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect()
    };
    let mut paths = read().map_err(Error::file(folder, "cannot be read"))?;
    let hidden = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
    };
    paths.retain(|path| !hidden(path));
    paths.sort_unstable();
    Ok(paths)
}

fn is_image(path: &Path) -> bool {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    path.is_file() && matches!(ending.as_deref(), Some("png" | "jpg" | "jpeg"))
}

#[cfg(test)]
mod tests {
    use image::GrayImage;

    use super::*;

    fn folder(images: &[(&str, u32, u32)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (index, &(name, height, width)) in images.iter().enumerate() {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let image = GrayImage::from_pixel(width, height, image::Luma([index as u8 * 50]));
            image.save(path).unwrap();
        }
        folder
    }

    fn load(folder: &Path, resize: Option<[u32; 2]>) -> Result<Dataset, Error> {
        Images { folder: folder.to_path_buf(), resize }.load()
    }

    #[test]
    fn each_folder_is_a_class() {
        let folder = folder(&[("dog/1.png", 2, 3), ("cat/b.PNG", 2, 3), ("cat/a.jpg", 2, 3)]);
        fs::write(folder.path().join("cat/notes.txt"), "no image").unwrap();
        fs::write(folder.path().join("cat/.hidden.png"), "no image").unwrap();
        let data = load(folder.path(), None).unwrap();
        assert_eq!(data.class_names(), ["cat", "dog"]);
        assert_eq!(data.labels().unwrap().indices, [0, 0, 1]);
        assert_eq!(data.shape(), [2, 3]);
        let Features::Bytes { values, .. } = data.features() else { panic!("bytes") };
        assert_eq!(values.column(5).to_vec(), [100, 50, 0]);
    }

    #[test]
    fn other_sizes_are_refused_by_name_or_brought_to_one() {
        let folder = folder(&[("a/1.png", 4, 4), ("b/2.png", 5, 4)]);
        let message = load(folder.path(), None).unwrap_err().to_string();
        let named = message.contains("b/2.png: it has 5 × 4") && message.contains("a/1.png");
        assert!(named && message.contains("resize"), "{message}");
        let data = load(folder.path(), Some([3, 2])).unwrap();
        assert_eq!((data.shape(), data.rows()), ([3, 2].as_slice(), 2));
        let message = load(folder.path(), Some([100, 100])).unwrap_err().to_string();
        assert!(message.contains("a model takes 1 to"), "{message}");
    }

    #[test]
    fn what_is_no_image_is_named() {
        let folder = folder(&[("a/1.png", 4, 4)]);
        let message = load(folder.path(), None).unwrap_err().to_string();
        assert!(message.contains("all rows are of class `a`"), "{message}");
        fs::create_dir(folder.path().join("b")).unwrap();
        fs::write(folder.path().join("b/2.png"), "no image").unwrap();
        let message = load(folder.path(), None).unwrap_err().to_string();
        assert!(message.contains("b/2.png"), "{message}");
        let empty = tempfile::tempdir().unwrap();
        let message = load(empty.path(), None).unwrap_err().to_string();
        assert!(message.contains("one folder a class"), "{message}");
        let message = load(&empty.path().join("none"), None).unwrap_err().to_string();
        assert!(message.contains("none: cannot be read"), "{message}");
    }
}
