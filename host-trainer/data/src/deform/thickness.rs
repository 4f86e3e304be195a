//! Thickness of strokes: gray-scale dilation and erosion by a fraction of a pixel.

use thimble_numeric::vectorized::{Loop, vectorized};

/// Makes bright strokes thicker by `pixels` on each side, or thinner if negative; at most one pixel.
///
/// The image is blended with its dilation or erosion: the maximum or minimum of a pixel and its four
/// neighbors. Beyond the border there is nothing.
///
/// # Shapes
/// `image` is height × `width`, `before` is memory of the same length.
pub(super) fn thicken(image: &mut [f32], before: &mut Vec<f32>, width: usize, pixels: f32) {
    before.clear();
    before.extend_from_slice(image);
    let height = image.len() / width.max(1);
    for (y, row) in image.chunks_exact_mut(width).enumerate() {
        let line = |y: usize| &before[y * width..][..width];
        let lines = [line(y.saturating_sub(1)), line(y), line((y + 1).min(height - 1))];
        match pixels < 0.0 {
            true => vectorized::<Erode, _>((lines, row, -pixels)),
            false => vectorized::<Dilate, _>((lines, row, pixels)),
        }
    }
}

struct Dilate;

struct Erode;

impl Loop<([&[f32]; 3], &mut [f32], f32)> for Dilate {
    type Output = ();

    #[inline(always)]
    fn run((lines, row, share): ([&[f32]; 3], &mut [f32], f32)) {
        blend(lines, row, share, |a, b| if a > b { a } else { b });
    }
}

impl Loop<([&[f32]; 3], &mut [f32], f32)> for Erode {
    type Output = ();

    #[inline(always)]
    fn run((lines, row, share): ([&[f32]; 3], &mut [f32], f32)) {
        blend(lines, row, share, |a, b| if a < b { a } else { b });
    }
}

#[expect(
    clippy::needless_range_loop,
    reason = "an overflow check in a counter would prevent vectorization"
)]
#[inline(always)]
fn blend(
    [above, line, below]: [&[f32]; 3],
    row: &mut [f32],
    share: f32,
    better: impl Fn(f32, f32) -> f32,
) {
    let width = row.len();
    let (above, line, below) = (&above[..width], &line[..width], &below[..width]);
    let value = |x: usize, left: usize, right: usize| {
        let vertical = better(above[x], below[x]);
        let best = better(better(line[left], line[right]), better(vertical, line[x]));
        line[x] + share * (best - line[x])
    };
    for x in 1..width.saturating_sub(1) {
        row[x] = value(x, x - 1, x + 1);
    }
    for x in [0, width - 1] {
        row[x] = value(x, x.saturating_sub(1), (x + 1).min(width - 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thick(image: &[f32], width: usize, pixels: f32) -> Vec<f32> {
        let mut image = image.to_vec();
        thicken(&mut image, &mut Vec::new(), width, pixels);
        image
    }

    #[test]
    fn a_dot_becomes_a_cross_and_back() {
        let dot = [0.0, 0.0, 0.0, 0.0, 8.0, 0.0, 0.0, 0.0, 0.0];
        assert_eq!(thick(&dot, 3, 1.0), [0.0, 8.0, 0.0, 8.0, 8.0, 8.0, 0.0, 8.0, 0.0]);
        assert_eq!(thick(&dot, 3, 0.25), [0.0, 2.0, 0.0, 2.0, 8.0, 2.0, 0.0, 2.0, 0.0]);
        assert_eq!(thick(&dot, 3, -1.0), [0.0; 9]);
        assert_eq!(thick(&dot, 3, -0.25)[4], 6.0);
        assert_eq!(thick(&dot, 3, 0.0), dot);
    }

    #[test]
    fn a_bright_border_is_not_eaten_from_outside() {
        assert_eq!(thick(&[7.0; 6], 3, -1.0), [7.0; 6]);
        assert_eq!(thick(&[7.0, 3.0], 1, -1.0), [3.0, 3.0]);
        assert_eq!(thick(&[7.0, 3.0], 2, 1.0), [7.0, 7.0]);
    }
}
