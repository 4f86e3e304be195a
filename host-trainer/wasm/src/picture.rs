//! Preprocessing of images that a browser decoded.

use image::{DynamicImage, RgbaImage};
use thimble_preparation::Preparation;

/// Preprocesses an image as it was for training. `buffer` has the preprocessing in words, of `text`
/// bytes, and then the pixels, four bytes each.
///
/// The result is a byte that is 1 if the image was inverted, a byte with the value that stands for 1,
/// a byte with the number of channels, height and width (u16 each), and the bytes of the prepared
/// image.
///
/// # Errors
/// A text for words that are not known, for pixels that are not width × height, and for an image in
/// which nothing is found.
pub fn prepare(
    mut buffer: Vec<u8>,
    text: usize,
    width: u32,
    height: u32,
) -> Result<Vec<u8>, String> {
    if text > buffer.len() {
        return Err(format!("{text} bytes of words in a buffer of {}", buffer.len()));
    }
    let pixels = buffer.split_off(text);
    let words = String::from_utf8(buffer).map_err(|error| error.to_string())?;
    let preparation: Preparation =
        words.parse().map_err(|error: thimble_preparation::PreparationError| error.to_string())?;
    let given = pixels.len();
    let image = RgbaImage::from_raw(width, height, pixels);
    let image = image.filter(|_| given as u64 == 4 * u64::from(width) * u64::from(height));
    let image = image.ok_or_else(|| format!("{given} bytes for {width} × {height} pixels"))?;
    // As a file without transparency is: its luminance is that of its colors.
    let image = match image.pixels().all(|pixel| pixel.0[3] == u8::MAX) {
        true => DynamicImage::ImageRgb8(DynamicImage::ImageRgba8(image).into_rgb8()),
        false => DynamicImage::ImageRgba8(image),
    };
    let prepared = preparation.apply(image).map_err(|error| error.to_string())?;
    // At most the inputs of a model.
    let side = |side: usize| u16::try_from(side).unwrap_or(u16::MAX).to_le_bytes();
    let mut result = vec![u8::from(prepared.inverted), prepared.levels, prepared.channels as u8];
    result.extend_from_slice(&side(prepared.height));
    result.extend_from_slice(&side(prepared.width));
    result.extend_from_slice(&prepared.bytes);
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: &[u8] = b"2x2 grayscale fit=stretch invert=yes background=white";

    fn prepared(pixels: &[u8], width: u32, height: u32) -> Result<Vec<u8>, String> {
        prepare([WORDS, pixels].concat(), WORDS.len(), width, height)
    }

    #[test]
    fn pixels_are_prepared_and_what_does_not_fit_is_named() {
        let pixels = [0, 0, 0, 255, 255, 255, 255, 255, 9, 9, 9, 255, 0, 0, 0, 0];
        assert_eq!(prepared(&pixels, 2, 2), Ok(vec![1, 255, 1, 2, 0, 2, 0, 255, 0, 246, 0]));
        for (width, height) in [(2, 1), (3, 2), (u32::MAX, u32::MAX)] {
            let error = prepared(&pixels, width, height).unwrap_err();
            assert!(error.contains("16 bytes for"), "{error}");
        }
        let error = prepare(b"2x2 swirl".to_vec(), 9, 0, 0).unwrap_err();
        assert!(error.contains("`swirl` is not known"), "{error}");
        assert!(prepare(vec![0xff, 0xfe], 2, 0, 0).is_err());
        assert!(prepare(vec![], 1, 0, 0).is_err());
    }
}
