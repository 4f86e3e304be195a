//! Grayscale images: resizing, median, quantiles, bounding boxes.

use image::imageops::{self, FilterType};
use image::{GrayImage, ImageBuffer, Pixel};

/// Longest side for the analysis. Larger photos are downscaled first.
const LONGEST: u32 = 1024;

/// A rectangle of pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rectangle {
    pub x: u32,
    pub y: u32,
    pub width: u32,
    pub height: u32,
}

/// Downscales the image if it is large.
pub(super) fn reduced(image: GrayImage) -> GrayImage {
    let (width, height) = image.dimensions();
    let longest = width.max(height);
    if longest <= LONGEST {
        return image;
    }
    let scaled = |side: u32| {
        ((u64::from(side) * u64::from(LONGEST)).div_ceil(u64::from(longest)) as u32).max(2)
    };
    resized(&image, scaled(width), scaled(height))
}

/// Resizes with antialiasing by a triangle filter.
pub(super) fn resized<P>(
    image: &ImageBuffer<P, Vec<u8>>,
    width: u32,
    height: u32,
) -> ImageBuffer<P, Vec<u8>>
where
    P: Pixel<Subpixel = u8> + 'static,
{
    imageops::resize(image, width, height, FilterType::Triangle)
}

/// Returns the median of the border pixels, which are background in most images.
pub(super) fn border_median(image: &GrayImage) -> u8 {
    let (width, height) = image.dimensions();
    let (right, bottom) = (width.saturating_sub(1), height.saturating_sub(1));
    let across = (0..width).flat_map(|x| [(x, 0), (x, bottom)]);
    let down = (1..bottom).flat_map(|y| [(0, y), (right, y)]);
    median(across.chain(down).map(|(x, y)| image.get_pixel(x, y).0[0]).collect())
}

/// Returns the median of values, or 0 for none.
pub(super) fn median(mut values: Vec<u8>) -> u8 {
    if values.is_empty() {
        return 0;
    }
    let middle = values.len() / 2;
    *values.select_nth_unstable(middle).1
}

pub(super) fn histogram(image: &GrayImage) -> [u64; 256] {
    let mut counts = [0; 256];
    image.pixels().for_each(|pixel| counts[usize::from(pixel.0[0])] += 1);
    counts
}

/// Returns a quantile of the pixels.
pub(super) fn quantile(image: &GrayImage, share: f64) -> u8 {
    let counts = histogram(image);
    let wanted = (share * counts.iter().sum::<u64>() as f64) as u64;
    let mut below = 0;
    let grey = counts.iter().position(|count| {
        below += count;
        below > wanted
    });
    grey.unwrap_or(255) as u8
}

/// Returns the largest value.
pub(super) fn largest(image: &GrayImage) -> u8 {
    image.pixels().map(|pixel| pixel.0[0]).max().unwrap_or(0)
}

/// Returns the bounding box of the pixels above a threshold. Rows and columns with fewer than
/// `least` such pixels are ignored, unless all are like this. If no pixel is above the threshold,
/// it is the whole image.
pub(super) fn bounds(image: &GrayImage, threshold: u8, least: u32) -> Rectangle {
    let (width, height) = image.dimensions();
    let (mut rows, mut columns) = (vec![0_u32; height as usize], vec![0_u32; width as usize]);
    for (x, y, pixel) in image.enumerate_pixels() {
        if pixel.0[0] > threshold {
            rows[y as usize] += 1;
            columns[x as usize] += 1;
        }
    }
    let range = |counts: &[u32]| {
        let first = |least: u32| counts.iter().position(|&count| count >= least);
        let last = |least: u32| counts.iter().rposition(|&count| count >= least);
        let found = first(least).zip(last(least)).or(first(1).zip(last(1)));
        let (first, last) = found.unwrap_or((0, counts.len().saturating_sub(1)));
        (first as u32, (last - first + 1) as u32)
    };
    let ((x, width), (y, height)) = (range(&columns), range(&rows));
    Rectangle { x, y, width, height }
}

#[cfg(test)]
mod tests {
    use image::Luma;

    use super::*;

    #[test]
    fn statistics_are_those_of_the_pixels() {
        let image = GrayImage::from_fn(10, 8, |x, y| Luma([if x == 3 && y > 4 { 200 } else { 7 }]));
        assert_eq!((border_median(&image), largest(&image), quantile(&image, 0.5)), (7, 200, 7));
        let around = Rectangle { x: 3, y: 5, width: 1, height: 3 };
        assert_eq!(bounds(&image, 100, 1), around);
        // No row has two pixels above the threshold: those with one count.
        assert_eq!(bounds(&image, 100, 2), around);
        assert_eq!(bounds(&image, 250, 1), Rectangle { x: 0, y: 0, width: 10, height: 8 });
        for (width, height) in [(1, 1), (1, 5), (5, 1), (2, 2)] {
            assert_eq!(border_median(&GrayImage::from_pixel(width, height, Luma([9]))), 9);
        }
    }

    #[test]
    fn only_large_images_are_reduced() {
        assert_eq!(reduced(GrayImage::new(1024, 3)).dimensions(), (1024, 3));
        assert_eq!(reduced(GrayImage::new(4096, 2048)).dimensions(), (1024, 512));
        assert_eq!(reduced(GrayImage::new(9000, 1)).dimensions(), (1024, 2));
    }
}
