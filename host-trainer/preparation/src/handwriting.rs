//! Preparation of photos of handwriting as MNIST images.
//!
//! MNIST's own steps: resize digits into a 20 × 20 box with their aspect ratio, antialiased, then
//! center them by mass in 28 × 28 (<https://yann.lecun.com/exdb/mnist>). Uneven light and grain of
//! photos are removed first.

use image::imageops;
use image::{GrayImage, Luma};

use super::gray::{border_median, bounds, histogram, largest, quantile, reduced, resized};
use super::options::Invert;
use super::preparation::PrepareError;

/// Side of the box around a digit as a share of the image's side: 20 of 28.
const BOX: f64 = 20.0 / 28.0;

/// Images smaller than this have no margin, because every pixel is needed.
const SMALL: u32 = 16;

/// Smallest contrast of ink with paper, of 255, that is not grain.
const LEAST_CONTRAST: u8 = 24;

/// Smallest value of the brightest pixel of an image that is placed already.
const LEAST_BRIGHTEST: u8 = 128;

/// Finds the ink in a photo and places it as MNIST does: bright on dark, cropped to the ink,
/// resized, centered by mass. An image of MNIST is returned unchanged.
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
    size: (u32, u32),
) -> Result<(GrayImage, bool), PrepareError> {
    let (width, height) = photo.dimensions();
    if width < 2 || height < 2 {
        return Err(PrepareError::Size { width, height });
    }
    let mut image = reduced(photo);
    let inverted = invert.is_wanted(border_median(&image));
    if inverted {
        imageops::invert(&mut image);
    }
    if is_placed(&image, size) {
        return Ok((image, inverted));
    }
    remove_paper(&mut image);
    let strongest = quantile(&image, 0.995).max(largest(&image) / 2);
    if strongest < LEAST_CONTRAST {
        return Err(PrepareError::Blank { contrast: strongest });
    }
    // Values below half of the threshold are grain and shadow. The strongest ink becomes 255.
    let threshold = otsu(&image).max(LEAST_CONTRAST / 2);
    let floor = f32::from(threshold) * 0.5;
    let span = (f32::from(strongest) - floor).max(1.0);
    let ink = GrayImage::from_fn(image.width(), image.height(), |x, y| {
        let value = (f32::from(image.get_pixel(x, y).0[0]) - floor) / span;
        Luma([(value.clamp(0.0, 1.0) * 255.0).round() as u8])
    });
    // Rows and columns with fewer pixels are specks.
    let least = image.width().max(image.height()).div_ceil(200);
    let part = bounds(&image, threshold, least);
    let cropped = imageops::crop_imm(&ink, part.x, part.y, part.width, part.height).to_image();
    Ok((center(&cropped, size), inverted))
}

/// Returns the side of the ink's box as a share of the image's side.
fn box_share((height, width): (u32, u32)) -> f64 {
    if height.min(width) < SMALL { 1.0 } else { BOX }
}

/// Returns `true` for an image that is placed as in MNIST: of that size, on black, within the box,
/// and centered by mass.
fn is_placed(image: &GrayImage, (height, width): (u32, u32)) -> bool {
    let share = box_share((height, width));
    let is_dark = border_median(image) == 0 || (share == 1.0 && border_median(image) < 128);
    if image.dimensions() != (width, height) || !is_dark || largest(image) < LEAST_BRIGHTEST {
        return false;
    }
    if share == 1.0 {
        return true;
    }
    let ink = bounds(image, 0, 1);
    let fits = |side: u32, whole: u32| f64::from(side) <= (f64::from(whole) * share).ceil();
    let (x, y) = center_of_mass(image);
    // Shifts are whole pixels, which leaves up to half a pixel, and more in some images of MNIST.
    let centered = |at: f64, whole: u32| (at - f64::from(whole) / 2.0).abs() <= 1.0;
    fits(ink.width, width) && fits(ink.height, height) && centered(x, width) && centered(y, height)
}

/// Returns the center of mass in pixels from the left and upper edges.
fn center_of_mass(image: &GrayImage) -> (f64, f64) {
    let (mut mass, mut mass_x, mut mass_y) = (0.0, 0.0, 0.0);
    for (x, y, pixel) in image.enumerate_pixels() {
        let value = f64::from(pixel.0[0]);
        mass += value;
        mass_x += value * (f64::from(x) + 0.5);
        mass_y += value * (f64::from(y) + 0.5);
    }
    (mass_x / f64::max(mass, 1.0), mass_y / f64::max(mass, 1.0))
}

/// Subtracts the paper, whose brightness is modeled as a plane through a low quantile of each
/// quarter.
fn remove_paper(image: &mut GrayImage) {
    let (width, height) = image.dimensions();
    let (half_width, half_height) = ((width / 2).max(1), (height / 2).max(1));
    let quarter = |right: bool, lower: bool| {
        let (x, y) = (
            if right { width - half_width } else { 0 },
            if lower { height - half_height } else { 0 },
        );
        let part = imageops::crop_imm(&*image, x, y, half_width, half_height).to_image();
        f32::from(quantile(&part, 0.35))
    };
    let (a, b, c, d) =
        (quarter(false, false), quarter(true, false), quarter(false, true), quarter(true, true));
    let mean = (a + b + c + d) / 4.0;
    // Slopes between the middles of the quarters, which are half a side apart.
    let (across, down) = ((b + d - a - c), (c + d - a - b));
    for (x, y, pixel) in image.enumerate_pixels_mut() {
        let (u, v) = (x as f32 / width as f32 - 0.5, y as f32 / height as f32 - 0.5);
        let paper = mean + across * u + down * v;
        pixel.0[0] = (f32::from(pixel.0[0]) - paper).clamp(0.0, 255.0) as u8;
    }
}

/// Returns the threshold between paper and ink by Otsu's method: N. Otsu, *A threshold selection
/// method from gray-level histograms*, 1979.
fn otsu(image: &GrayImage) -> u8 {
    let counts = histogram(image).map(|count| count as f64);
    let total: f64 = counts.iter().sum();
    let sum: f64 = counts.iter().enumerate().map(|(grey, count)| grey as f64 * count).sum();
    let (mut below, mut below_sum, mut best) = (0.0, 0.0, (0.0, 0));
    for (grey, count) in counts.iter().enumerate() {
        below += count;
        below_sum += grey as f64 * count;
        let above = total - below;
        if below > 0.0 && above > 0.0 {
            let distance = below_sum / below - (sum - below_sum) / above;
            let variance = below * above * distance * distance;
            if variance > best.0 {
                best = (variance, grey as u8);
            }
        }
    }
    best.1
}

/// Resizes the ink into its box and centers it by mass.
fn center(ink: &GrayImage, size: (u32, u32)) -> GrayImage {
    let ((height, width), share) = (size, box_share(size));
    let (box_width, box_height) = (f64::from(width) * share, f64::from(height) * share);
    let factor = (box_width / f64::from(ink.width())).min(box_height / f64::from(ink.height()));
    let side = |side: u32| ((f64::from(side) * factor).round() as u32).max(1);
    let small = resized(ink, side(ink.width()), side(ink.height()));
    let strongest = f32::from(largest(&small).max(1));
    let (center_x, center_y) = center_of_mass(&small);
    let offset = |center: f64, side: u32, room: u32| {
        let centered = (f64::from(room) / 2.0 - center).round();
        // Ink must not leave the image, even if it is not centered then.
        let most = f64::from(room) - f64::from(side);
        centered.clamp(most.min(0.0), most.max(0.0)) as i64
    };
    let (left, top) =
        (offset(center_x, small.width(), width), offset(center_y, small.height(), height));
    let mut placed = GrayImage::new(width, height);
    for (x, y, pixel) in small.enumerate_pixels() {
        let (x, y) = (i64::from(x) + left, i64::from(y) + top);
        if (0..i64::from(width)).contains(&x) && (0..i64::from(height)).contains(&y) {
            let value = f32::from(pixel.0[0]) / strongest * 255.0;
            placed.put_pixel(x as u32, y as u32, Luma([value.round() as u8]));
        }
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Paper whose light falls off to the right, with a stroke of ink.
    fn photo(paper: u8, ink: u8) -> GrayImage {
        GrayImage::from_fn(200, 300, |x, y| {
            let stroke = (30..50).contains(&x) && (120..220).contains(&y);
            let grain = ((x * 7 + y * 13) % 5) as u8;
            Luma([if stroke { ink } else { paper - (x / 10) as u8 - grain }])
        })
    }

    #[test]
    fn a_stroke_fills_the_box_and_stands_in_the_middle() {
        for (paper, ink, expected) in [(230, 40, true), (60, 220, false)] {
            let (seen, inverted) = place(photo(paper, ink), Invert::Auto, (28, 28)).unwrap();
            assert_eq!(inverted, expected);
            let at = |row: u32, column: u32| seen.get_pixel(column, row).0[0];
            // 100 × 20 becomes 20 × 4: rows 4 to 23, columns 12 to 15.
            assert!(at(13, 13) > 230 && at(4, 13) > 127 && at(23, 14) > 127, "{seen:?}");
            assert!(at(2, 13) == 0 && at(25, 13) == 0 && at(13, 10) == 0 && at(13, 17) == 0);
        }
    }

    #[test]
    fn a_small_image_uses_every_row() {
        let (seen, _) = place(photo(230, 40), Invert::Auto, (8, 8)).unwrap();
        assert!(seen.rows().all(|mut row| row.any(|pixel| pixel.0[0] > 76)));
    }

    #[test]
    fn an_image_that_is_placed_already_stays_as_it_is() {
        let (placed, _) = place(photo(230, 40), Invert::Auto, (28, 28)).unwrap();
        let (again, inverted) = place(placed.clone(), Invert::Auto, (28, 28)).unwrap();
        assert!(again == placed && !inverted);
        let mut paper = placed.clone();
        imageops::invert(&mut paper);
        let (again, inverted) = place(paper, Invert::Auto, (28, 28)).unwrap();
        assert!(again == placed && inverted);
        // A drawing of that size in a corner is not.
        let corner =
            GrayImage::from_fn(28, 28, |x, y| Luma([if x < 5 && y < 9 { 255 } else { 0 }]));
        assert_ne!(place(corner.clone(), Invert::Auto, (28, 28)).unwrap().0, corner);
    }

    #[test]
    fn an_image_without_ink_is_refused() {
        let grey = GrayImage::from_pixel(50, 50, Luma([180]));
        let error = place(grey, Invert::Auto, (28, 28)).unwrap_err();
        assert!(matches!(error, PrepareError::Blank { .. }), "{error}");
        let dot = GrayImage::from_pixel(1, 9, Luma([180]));
        let error = place(dot, Invert::Auto, (28, 28)).unwrap_err();
        assert_eq!(error, PrepareError::Size { width: 1, height: 9 });
    }
}
