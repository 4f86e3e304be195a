//! Averaging of images to fewer pixels, in integers.

/// Averaging of images of `from` to images of `to`, height and width.
///
/// A pixel of the result covers an area of `from / to` pixels, of which those at the edge count by
/// the part that is covered. With N pixels becoming M along an axis, pixel i has the weight
/// min((i + 1) · M, (j + 1) · N) − max(i · M, j · N) in result j, and all weights of a result add up to
/// N: no fraction is needed. Where M divides N, it is average pooling.
///
/// The trainer averages the images of a dataset with it, and a device those of its camera: to the
/// same bytes, which are the inputs of the model.
///
/// # Example
/// ```
/// use thimble_features::Area;
///
/// let area = Area { from: [2, 4], to: [1, 2] };
/// let mut small = [0; 2];
/// area.average(&[1, 2, 10, 20, 3, 5, 30, 41], 1, &mut small).expect("the lengths fit");
/// assert_eq!(small, [3, 25]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Area {
    /// Height and width before.
    pub from: [usize; 2],
    /// Height and width after: at least 1 and at most those before.
    pub to: [usize; 2],
}

/// The sides of an [`Area`] or the length of an image do not fit, or the image has 2²⁴ pixels or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AreaMismatch;

/// Returns the pixels of a result along an axis with their weights. `to` is not 0.
fn weights(from: usize, to: usize, result: usize) -> impl Iterator<Item = (usize, usize)> {
    let (start, end) = (result * from, (result + 1) * from);
    (start / to..end.div_ceil(to)).map(move |pixel| {
        let weight = ((pixel + 1) * to).min(end) - (pixel * to).max(start);
        (pixel, weight)
    })
}

impl Area {
    /// Returns the pixels along an axis that belong to one of the result, with their weights, which add
    /// up to the number of pixels along the axis. Axis 0 is the height. Empty if the sides do not fit.
    pub fn weights(self, axis: usize, result: usize) -> impl Iterator<Item = (usize, usize)> {
        let side = |sides: [usize; 2]| sides.get(axis).copied().unwrap_or_default();
        let (from, to) = (side(self.from), side(self.to));
        let fits = (1..=from).contains(&to) && from < 1 << 24 && result < to;
        fits.then(|| weights(from, to, result)).into_iter().flatten()
    }

    /// Averages an image. Means are rounded to the nearest byte, halves up.
    ///
    /// # Shapes
    /// `image` is `from` × `channels`, `out` is `to` × `channels`.
    ///
    /// # Errors
    /// [`AreaMismatch`] if `to` is 0 or larger than `from`, if a length is another, and for 2²⁴ pixels
    /// or more.
    pub fn average(
        self,
        image: &[u8],
        channels: usize,
        out: &mut [u8],
    ) -> Result<(), AreaMismatch> {
        let Area { from: [height, width], to: [rows, columns] } = self;
        let len = |sides: [usize; 2]| {
            sides[0].checked_mul(sides[1]).filter(|&pixels| pixels < 1 << 24)?.checked_mul(channels)
        };
        let fits = (1..=height).contains(&rows)
            && (1..=width).contains(&columns)
            && channels > 0
            && len(self.from) == Some(image.len())
            && len(self.to) == Some(out.len());
        if !fits {
            return Err(AreaMismatch);
        }
        // Below 2²⁴ · 255 + 2²³, which is below 2³².
        let whole = (height * width) as u32;
        for (row, line) in out.chunks_exact_mut(columns * channels).enumerate() {
            for (column, pixel) in line.chunks_exact_mut(channels).enumerate() {
                for (channel, out) in pixel.iter_mut().enumerate() {
                    let mut sum = whole / 2;
                    for (y, down) in weights(height, rows, row) {
                        for (x, across) in weights(width, columns, column) {
                            let byte = image.get((y * width + x) * channels + channel);
                            let byte = byte.copied().map_or(0, u32::from);
                            sum += (down * across) as u32 * byte;
                        }
                    }
                    // A mean of bytes is a byte.
                    *out = (sum / whole) as u8;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn averaged<const N: usize>(area: Area, image: &[u8], channels: usize) -> [u8; N] {
        let mut out = [0; N];
        area.average(image, channels, &mut out).unwrap();
        out
    }

    #[test]
    fn pooling_by_hand() {
        let area = Area { from: [2, 4], to: [1, 2] };
        assert_eq!(averaged(area, &[1, 2, 10, 20, 3, 5, 30, 41], 1), [3, 25]);
        // A sum of 10 is 2.5, and rounds up.
        assert_eq!(averaged(area, &[1, 2, 0, 0, 3, 4, 0, 1], 1), [3, 0]);
        assert_eq!(averaged(area, &[255; 8], 1), [255, 255]);
        // Two colors, pixel by pixel.
        let area = Area { from: [1, 2], to: [1, 1] };
        assert_eq!(averaged(area, &[10, 200, 20, 100], 2), [15, 150]);
    }

    #[test]
    fn pixels_at_an_edge_count_by_their_part() {
        // 3 become 2: the middle one belongs to both by half.
        let area = Area { from: [1, 3], to: [1, 2] };
        assert_eq!(averaged(area, &[30, 60, 90], 1), [40, 80]);
        // 28 become 16: 7/4 pixels each.
        let area = Area { from: [28, 28], to: [16, 16] };
        let found = |result: usize| area.weights(0, result).collect::<std::vec::Vec<_>>();
        assert_eq!(found(0), [(0, 16), (1, 12)]);
        assert_eq!(found(1), [(1, 4), (2, 16), (3, 8)]);
        assert_eq!(found(2), [(3, 8), (4, 16), (5, 4)]);
        assert_eq!(found(3), [(5, 12), (6, 16)]);
        assert_eq!(found(16), []);
        for (from, to) in [(28, 16), (9, 9), (17, 5), (2, 1)] {
            let area = Area { from: [from, 1], to: [to, 1] };
            for result in 0..to {
                assert_eq!(area.weights(0, result).map(|(_, weight)| weight).sum::<usize>(), from);
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let refused = |from, to, image: &[u8], channels, out: &mut [u8]| {
            Area { from, to }.average(image, channels, out) == Err(AreaMismatch)
        };
        let mut out = [0; 2];
        assert!(refused([2, 2], [0, 2], &[1; 4], 1, &mut out));
        assert!(refused([2, 2], [3, 2], &[1; 4], 1, &mut out));
        assert!(refused([2, 2], [1, 2], &[1; 5], 1, &mut out));
        assert!(refused([2, 2], [1, 1], &[1; 4], 1, &mut out));
        assert!(refused([2, 2], [1, 2], &[1; 4], 0, &mut out));
        assert!(refused([usize::MAX, 2], [1, 2], &[1; 4], 1, &mut out));
        assert!(refused([1 << 12, 1 << 12], [1, 2], &[1; 4], 1, &mut out));
        assert!(!refused([2, 2], [1, 2], &[1; 4], 1, &mut out));
    }
}
