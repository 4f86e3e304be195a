//! Preparation of photos of clothing as Fashion-MNIST images.
//!
//! Fashion-MNIST's own steps: trim the background, resize the longest edge to 28, center in 28 ×
//! 28, invert, convert to grayscale (Xiao, Rasul, Vollgraf, *Fashion-MNIST*, 2017, section 2). Only
//! the background becomes black. Shades of the fabric are preserved.

use image::imageops;
use image::{GrayImage, Luma};

use super::gray::{bounds, largest, median, reduced, resized};
use super::options::Invert;
use super::preparation::PrepareError;

/// Largest difference from the background that counts as background, 5 % of 255.
const BACKGROUND: u8 = 13;

/// Smallest contrast of a piece of clothing with its background, of 255.
const LEAST_CONTRAST: u8 = 24;

/// Divisor of the image's shorter side for the side of the corners, which are background.
const CORNER: u32 = 16;

/// Finds the piece of clothing in a photo and places it as Fashion-MNIST does. An image of
/// Fashion-MNIST is returned unchanged.
///
/// # Shapes
/// `size` is height and width of the result, each at least 1. The second result is `true` if the
/// photo was inverted.
///
/// # Errors
/// [`PrepareError`] for an image that is too small or blank.
pub(super) fn place(
    photo: GrayImage,
    invert: Invert,
    (height, width): (u32, u32),
) -> Result<(GrayImage, bool), PrepareError> {
    if photo.width() < 2 || photo.height() < 2 {
        return Err(PrepareError::Size { width: photo.width(), height: photo.height() });
    }
    let mut image = reduced(photo);
    let inverted = invert.is_wanted(corner_median(&image));
    if inverted {
        imageops::invert(&mut image);
    }
    let background = corner_median(&image);
    let least = image.width().max(image.height()).div_ceil(200);
    if image.dimensions() == (width, height) && background == 0 && largest(&image) > 0 {
        let part = bounds(&image, 0, 1);
        // Its longest edge is that of the image, except for one row that trimming left.
        if part.width + 1 >= width || part.height + 1 >= height {
            return Ok((image, inverted));
        }
    }
    let span = f32::from(255 - background).max(1.0);
    for pixel in image.pixels_mut() {
        let value = f32::from(pixel.0[0].saturating_sub(background)) * 255.0 / span;
        *pixel = Luma([value.round() as u8]);
    }
    let contrast = largest(&image);
    if contrast < LEAST_CONTRAST {
        return Err(PrepareError::Blank { contrast });
    }
    let part = bounds(&image, BACKGROUND, least);
    let cropped = imageops::crop_imm(&image, part.x, part.y, part.width, part.height).to_image();
    let factor = (f64::from(width) / f64::from(cropped.width()))
        .min(f64::from(height) / f64::from(cropped.height()));
    let side = |side: u32, most: u32| ((f64::from(side) * factor).round() as u32).clamp(1, most);
    let small = resized(&cropped, side(cropped.width(), width), side(cropped.height(), height));
    let mut placed = GrayImage::new(width, height);
    let (left, top) = ((width - small.width()) / 2, (height - small.height()) / 2);
    imageops::replace(&mut placed, &small, left.into(), top.into());
    Ok((placed, inverted))
}

/// Returns the median of the four corners. Clothing often reaches the middles of the edges, but
/// rarely the corners.
fn corner_median(image: &GrayImage) -> u8 {
    let (width, height) = image.dimensions();
    let side = (width.min(height) / CORNER).max(1);
    let near = |at: u32, whole: u32| at < side || at >= whole - side;
    let corner = |x, y| near(x, width) && near(y, height);
    let pixels = image.enumerate_pixels().filter(|(x, y, _)| corner(*x, *y));
    median(pixels.map(|(_, _, pixel)| pixel.0[0]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A gray shirt with darker sleeves, wider than high.
    fn photo(paper: u8) -> GrayImage {
        GrayImage::from_fn(400, 300, |x, y| {
            let shirt = (50..350).contains(&x) && (80..220).contains(&y);
            Luma([match (shirt, (120..280).contains(&x)) {
                (true, true) => 120,
                (true, false) => 60,
                (false, _) => paper,
            }])
        })
    }

    #[test]
    fn clothing_fills_the_longest_edge_and_keeps_its_shades() {
        let (seen, inverted) = place(photo(250), Invert::Auto, (28, 28)).unwrap();
        assert!(inverted);
        let at = |row: u32, column: u32| seen.get_pixel(column, row).0[0];
        // 300 × 140 becomes 28 × 13, in the middle: rows 7 to 19.
        assert!(at(13, 0) > 150 && at(13, 27) > 150 && at(6, 14) == 0 && at(20, 14) == 0);
        let (body, sleeve) = (f32::from(at(13, 14)), f32::from(at(13, 3)));
        assert!((body / sleeve - 130.0 / 190.0).abs() < 0.02, "{body} {sleeve}");
    }

    #[test]
    fn an_image_of_the_dataset_stays_as_it_is() {
        let (placed, _) = place(photo(250), Invert::Auto, (28, 28)).unwrap();
        let (again, inverted) = place(placed.clone(), Invert::Auto, (28, 28)).unwrap();
        assert!(again == placed && !inverted);
    }

    #[test]
    fn an_image_without_clothing_is_refused() {
        let error = place(GrayImage::from_pixel(50, 50, Luma([180])), Invert::Auto, (28, 28));
        assert!(matches!(error, Err(PrepareError::Blank { .. })));
    }
}
