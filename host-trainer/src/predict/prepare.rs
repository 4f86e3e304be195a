//! From a photograph to what a network trained on MNIST is used to.
//!
//! MNIST was made so: digits in a 20 × 20 box with their proportions kept, antialiased, then
//! placed into 28 × 28 with their centre of mass in the middle (<https://yann.lecun.com/exdb/mnist>).
//! What a photograph has besides, uneven light and grain, is taken away before.

use image::imageops::{self, FilterType};
use image::{GrayImage, Luma};

/// Side of the box that holds a digit, as a share of the picture's: 20 of 28.
const BOX: f64 = 20.0 / 28.0;

/// Pictures smaller than this have no margin: every pixel is needed.
const SMALL: usize = 16;

/// The least contrast between ink and paper, of 255, that is not grain.
const LEAST_CONTRAST: u8 = 24;

/// The longest side that is looked at: a larger photograph is made smaller first.
const LONGEST: u32 = 1024;

/// Why a photograph shows nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrepareError {
    /// Too small.
    #[error("the picture has {width} × {height} pixels: too few to show anything")]
    Size {
        /// Its width.
        width: u32,
        /// Its height.
        height: u32,
    },
    /// All of one grey.
    #[error(
        "the picture is blank: its greys differ by {contrast} of 255. Photograph dark ink on light \
         paper, or light on dark"
    )]
    Blank {
        /// Difference of ink and paper.
        contrast: u8,
    },
}

/// A picture as the network takes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Ink {
    /// Height and width.
    pub size: (usize, usize),
    /// How much ink is in each pixel, 0 to 1, row by row.
    pub pixels: Vec<f32>,
    /// Whether the paper was light.
    pub inverted: bool,
}

/// Finds the ink in a photograph, and places it as MNIST does: inverted if the paper is light,
/// cropped to the ink, resized, centred by mass.
///
/// # Shapes
/// `size` is height and width of the result, each at least 1.
///
/// # Errors
/// [`PrepareError`] when there is nothing to see.
pub fn prepare(photograph: &GrayImage, size: (usize, usize)) -> Result<Ink, PrepareError> {
    let (width, height) = photograph.dimensions();
    if width < 2 || height < 2 {
        return Err(PrepareError::Size { width, height });
    }
    let mut image = reduced(photograph);
    let inverted = border_median(&image) > 127;
    if inverted {
        imageops::invert(&mut image);
    }
    remove_paper(&mut image);
    let strongest = quantile(&image, 0.995).max(most(&image) / 2);
    if strongest < LEAST_CONTRAST {
        return Err(PrepareError::Blank { contrast: strongest });
    }
    // Grain and shadow below a part of the threshold are paper; ink is full at its strongest.
    let threshold = otsu(&image).max(LEAST_CONTRAST / 2);
    let floor = f32::from(threshold) * 0.5;
    let span = (f32::from(strongest) - floor).max(1.0);
    let ink = GrayImage::from_fn(image.width(), image.height(), |x, y| {
        let value = (f32::from(image.get_pixel(x, y).0[0]) - floor) / span;
        Luma([(value.clamp(0.0, 1.0) * 255.0).round() as u8])
    });
    let cropped = crop(&ink, &image, threshold);
    Ok(Ink { size, pixels: place(&cropped, size), inverted })
}

/// The photograph, made smaller if it is large.
fn reduced(photograph: &GrayImage) -> GrayImage {
    let (width, height) = photograph.dimensions();
    let longest = width.max(height);
    if longest <= LONGEST {
        return photograph.clone();
    }
    let scaled = |side: u32| {
        ((u64::from(side) * u64::from(LONGEST)).div_ceil(u64::from(longest)) as u32).max(2)
    };
    imageops::resize(photograph, scaled(width), scaled(height), FilterType::Triangle)
}

/// The grey in the middle of those along the border, which is paper.
fn border_median(image: &GrayImage) -> u8 {
    let (width, height) = image.dimensions();
    let mut border: Vec<u8> = image
        .enumerate_pixels()
        .filter(|(x, y, _)| *x == 0 || *y == 0 || *x == width - 1 || *y == height - 1)
        .map(|(_, _, pixel)| pixel.0[0])
        .collect();
    let middle = border.len() / 2;
    *border.select_nth_unstable(middle).1
}

/// Subtracts the paper, whose light falls off evenly: the plane through the greys of the four
/// quarters' darker halves.
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
    // Slopes from the middles of the quarters, which are half a side apart.
    let (across, down) = ((b + d - a - c), (c + d - a - b));
    for (x, y, pixel) in image.enumerate_pixels_mut() {
        let (u, v) = (x as f32 / width as f32 - 0.5, y as f32 / height as f32 - 0.5);
        let paper = mean + across * u + down * v;
        pixel.0[0] = (f32::from(pixel.0[0]) - paper).clamp(0.0, 255.0) as u8;
    }
}

fn histogram(image: &GrayImage) -> [u64; 256] {
    let mut counts = [0; 256];
    image.pixels().for_each(|pixel| counts[usize::from(pixel.0[0])] += 1);
    counts
}

/// The least grey that this share of the pixels does not exceed.
fn quantile(image: &GrayImage, share: f64) -> u8 {
    let counts = histogram(image);
    let wanted = (share * counts.iter().sum::<u64>() as f64) as u64;
    let mut below = 0;
    let grey = counts.iter().position(|count| {
        below += count;
        below > wanted
    });
    grey.unwrap_or(255) as u8
}

fn most(image: &GrayImage) -> u8 {
    image.pixels().map(|pixel| pixel.0[0]).max().unwrap_or(0)
}

/// The grey that best parts paper from ink: N. Otsu, *A threshold selection method from
/// gray-level histograms*, 1979.
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

/// The part with ink: rows and columns in which enough pixels are above the threshold that they
/// are no specks.
fn crop(ink: &GrayImage, image: &GrayImage, threshold: u8) -> GrayImage {
    let (width, height) = image.dimensions();
    let (mut rows, mut columns) = (vec![0_u32; height as usize], vec![0_u32; width as usize]);
    for (x, y, pixel) in image.enumerate_pixels() {
        if pixel.0[0] > threshold {
            rows[y as usize] += 1;
            columns[x as usize] += 1;
        }
    }
    let least = width.max(height).div_ceil(200);
    let bounds = |counts: &[u32]| {
        let first = |least: u32| counts.iter().position(|&count| count >= least);
        let last = |least: u32| counts.iter().rposition(|&count| count >= least);
        let found = first(least).zip(last(least)).or(first(1).zip(last(1)));
        let (first, last) = found.unwrap_or((0, counts.len() - 1));
        (first as u32, (last - first + 1) as u32)
    };
    let ((x, columns), (y, rows)) = (bounds(&columns), bounds(&rows));
    imageops::crop_imm(ink, x, y, columns, rows).to_image()
}

/// The ink, resized into its box and placed with its centre of mass in the middle.
fn place(ink: &GrayImage, (height, width): (usize, usize)) -> Vec<f32> {
    let share = if height.min(width) < SMALL { 1.0 } else { BOX };
    let (box_width, box_height) = (width as f64 * share, height as f64 * share);
    let factor = (box_width / f64::from(ink.width())).min(box_height / f64::from(ink.height()));
    let side = |side: u32| ((f64::from(side) * factor).round() as u32).max(1);
    // Triangle spreads over all pixels that fall into one, which antialiases.
    let small = imageops::resize(ink, side(ink.width()), side(ink.height()), FilterType::Triangle);
    let strongest = f32::from(most(&small).max(1));
    let (mut mass, mut mass_x, mut mass_y) = (0.0, 0.0, 0.0);
    for (x, y, pixel) in small.enumerate_pixels() {
        let value = f64::from(pixel.0[0]);
        (mass, mass_x, mass_y) = (
            mass + value,
            mass_x + value * (f64::from(x) + 0.5),
            mass_y + value * (f64::from(y) + 0.5),
        );
    }
    let offset = |moment: f64, side: u32, room: usize| {
        let centred = (room as f64 / 2.0 - moment / f64::max(mass, 1.0)).round();
        // What would be pushed over the edge is worth more than a perfect centre.
        let most = room as f64 - f64::from(side);
        centred.clamp(most.min(0.0), most.max(0.0)) as i64
    };
    let (left, top) =
        (offset(mass_x, small.width(), width), offset(mass_y, small.height(), height));
    let mut pixels = vec![0.0; width * height];
    for (x, y, pixel) in small.enumerate_pixels() {
        let (x, y) = (i64::from(x) + left, i64::from(y) + top);
        if (0..width as i64).contains(&x) && (0..height as i64).contains(&y) {
            pixels[y as usize * width + x as usize] = f32::from(pixel.0[0]) / strongest;
        }
    }
    pixels
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Paper whose light falls off to the right, with a stroke of ink.
    fn photograph(paper: u8, ink: u8) -> GrayImage {
        GrayImage::from_fn(200, 300, |x, y| {
            let stroke = (30..50).contains(&x) && (120..220).contains(&y);
            let grain = ((x * 7 + y * 13) % 5) as u8;
            Luma([if stroke { ink } else { paper - (x / 10) as u8 - grain }])
        })
    }

    #[test]
    fn a_stroke_fills_the_box_and_stands_in_the_middle() {
        for (paper, ink, inverted) in [(230, 40, true), (60, 220, false)] {
            let seen = prepare(&photograph(paper, ink), (28, 28)).unwrap();
            assert_eq!(seen.inverted, inverted);
            let at = |row: usize, column: usize| seen.pixels[row * 28 + column];
            // 100 × 20 becomes 20 × 4: rows 4 to 23, columns 12 to 15.
            assert!(at(13, 13) > 0.9 && at(4, 13) > 0.5 && at(23, 14) > 0.5, "{seen:?}");
            assert!(
                at(2, 13) == 0.0 && at(25, 13) == 0.0 && at(13, 10) == 0.0 && at(13, 17) == 0.0
            );
        }
    }

    #[test]
    fn a_small_picture_uses_every_row() {
        let seen = prepare(&photograph(230, 40), (8, 8)).unwrap();
        assert!((0..8).all(|row| seen.pixels[row * 8..row * 8 + 8].iter().any(|&v| v > 0.3)));
    }

    #[test]
    fn nothing_to_see_is_said() {
        let grey = GrayImage::from_pixel(50, 50, Luma([180]));
        assert!(matches!(prepare(&grey, (28, 28)), Err(PrepareError::Blank { .. })));
        let dot = GrayImage::from_pixel(1, 9, Luma([180]));
        let error = prepare(&dot, (28, 28)).unwrap_err();
        assert_eq!(error, PrepareError::Size { width: 1, height: 9 });
    }
}
