//! Photographs from files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use image::{GrayImage, ImageReader, Limits};

/// The most pixels on a side that are read: more than any camera's.
const MOST: u32 = 30_000;

/// Why a file is not a photograph.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The file cannot be read.
    #[error("{}: {error}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// The file is no PNG or JPEG, or a damaged one.
    #[error("{}: not a picture that can be read ({error}). PNG and JPEG can", .path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        error: image::ImageError,
    },
}

/// Reads a PNG or JPEG as grey; what is transparent becomes white paper.
///
/// # Errors
/// [`ImageError`] with the file.
pub fn load(path: &Path) -> Result<GrayImage, ImageError> {
    let bytes =
        fs::read(path).map_err(|error| ImageError::File { path: path.to_path_buf(), error })?;
    decode(&bytes).map_err(|error| ImageError::Format { path: path.to_path_buf(), error })
}

fn decode(bytes: &[u8]) -> Result<GrayImage, image::ImageError> {
    // By its content: names lie.
    let mut reader = ImageReader::new(io::Cursor::new(bytes)).with_guessed_format()?;
    let mut limits = Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(MOST), Some(MOST));
    reader.limits(limits);
    let image = reader.decode()?.to_luma_alpha8();
    let (width, height) = image.dimensions();
    Ok(GrayImage::from_fn(width, height, |x, y| {
        let [grey, alpha] = image.get_pixel(x, y).0.map(u32::from);
        image::Luma([((grey * alpha + 255 * (255 - alpha) + 127) / 255) as u8])
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_picture_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("text.png");
        fs::write(&path, "no picture").unwrap();
        let message = load(&path).unwrap_err().to_string();
        assert!(message.contains("text.png: not a picture"), "{message}");
        let message = load(&folder.path().join("none.jpg")).unwrap_err().to_string();
        assert!(message.contains("none.jpg"), "{message}");
    }

    #[test]
    fn transparent_is_white() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        let image = image::GrayAlphaImage::from_raw(3, 1, vec![0, 255, 0, 0, 100, 255]).unwrap();
        image.save(&path).unwrap();
        assert_eq!(load(&path).unwrap().into_raw(), [0, 255, 100]);
    }
}
