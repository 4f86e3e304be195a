//! Averaging of images of real numbers to fewer pixels.

use thimble_features::Area;

use thimble_numeric::vectorized::{Loop, vectorized};

/// Results that are computed at once.
const LANES: usize = 16;

/// Averages images of real numbers as [`Area::average`] does bytes, with weights computed once.
#[derive(Clone, Debug)]
pub struct Averager {
    area: Area,
    channels: usize,
    /// Per result row: pixel rows and their weights.
    rows: Vec<Vec<(usize, f32)>>,
    /// Weight of each number of a pixel row in each of a result row: blocks of [`LANES`] results, each a
    /// matrix of pixel × result. Most are 0, and multiplying by them in vectors is faster than looking
    /// for the others.
    columns: Vec<Vec<[f32; LANES]>>,
}

impl Averager {
    /// Computes the weights.
    pub fn new(area: Area, channels: usize) -> Self {
        let Area { from: [height, width], to: [results, columns_after] } = area;
        let rows = |result| {
            let share = |(row, weight)| (row, weight as f32 / height as f32);
            area.weights(0, result).map(share).collect()
        };
        let blocks = (columns_after * channels).div_ceil(LANES);
        let mut columns = vec![vec![[0.0; LANES]; width * channels]; blocks];
        for result in 0..columns_after {
            for (pixel, weight) in area.weights(1, result) {
                for channel in 0..channels {
                    let at = result * channels + channel;
                    columns[at / LANES][pixel * channels + channel][at % LANES] =
                        weight as f32 / width as f32;
                }
            }
        }
        Averager { area, channels, rows: (0..results).map(rows).collect(), columns }
    }

    /// Returns the averaging.
    pub fn area(&self) -> Area {
        self.area
    }

    /// Averages an image. `line` is memory.
    ///
    /// # Shapes
    /// `image` is `from` × channels, `out` is `to` × channels.
    pub fn reals(&self, image: &[f32], line: &mut Vec<f32>, out: &mut [f32]) {
        let channels = self.channels;
        let (before, after) = (self.area.from[1] * channels, self.area.to[1] * channels);
        line.resize(before, 0.0);
        for (rows, out) in self.rows.iter().zip(out.chunks_exact_mut(after)) {
            line.fill(0.0);
            for &(row, weight) in rows {
                vectorized::<AddScaled, _>((weight, &image[row * before..][..before], &mut *line));
            }
            for (block, out) in self.columns.iter().zip(out.chunks_mut(LANES)) {
                let sums = vectorized::<Product, _>((line, block));
                out.copy_from_slice(&sums[..out.len()]);
            }
        }
    }
}

struct AddScaled;

impl Loop<(f32, &[f32], &mut [f32])> for AddScaled {
    type Output = ();

    #[inline(always)]
    fn run((factor, from, to): (f32, &[f32], &mut [f32])) {
        to.iter_mut().zip(from).for_each(|(to, from)| *to += factor * from);
    }
}

/// Multiplies a row by a matrix, in two sums that do not wait for each other.
struct Product;

impl Loop<(&[f32], &[[f32; LANES]])> for Product {
    type Output = [f32; LANES];

    #[inline(always)]
    fn run((line, matrix): (&[f32], &[[f32; LANES]])) -> [f32; LANES] {
        let (mut even, mut odd) = ([0.0; LANES], [0.0; LANES]);
        let (pairs, rest) = line.as_chunks::<2>();
        let (weights, last) = matrix.as_chunks::<2>();
        for ([first, second], [of_first, of_second]) in pairs.iter().zip(weights) {
            for lane in 0..LANES {
                even[lane] += first * of_first[lane];
                odd[lane] += second * of_second[lane];
            }
        }
        for (factor, weights) in rest.iter().zip(last) {
            for lane in 0..LANES {
                even[lane] += factor * weights[lane];
            }
        }
        for lane in 0..LANES {
            even[lane] += odd[lane];
        }
        even
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reals_are_the_bytes_before_rounding() {
        for (from, to, channels) in
            [([28, 28], [16, 16], 1), ([6, 9], [3, 3], 3), ([5, 7], [5, 7], 2)]
        {
            let area = Area { from, to };
            let count = from[0] * from[1] * channels;
            let image: Vec<u8> = (0..count).map(|index| (index * 89 % 251) as u8).collect();
            let reals: Vec<f32> = image.iter().copied().map(f32::from).collect();
            let (mut out, mut bytes) = (vec![f32::NAN; to[0] * to[1] * channels], Vec::new());
            bytes.resize(out.len(), 0);
            area.average(&image, channels, &mut bytes).unwrap();
            Averager::new(area, channels).reals(&reals, &mut Vec::new(), &mut out);
            for (&byte, real) in bytes.iter().zip(&out) {
                // Half a step, and rounding of a sum of at most 40 terms below 256.
                assert!((f32::from(byte) - real).abs() <= 0.5 + 256.0 * 40.0 * f32::EPSILON);
            }
        }
    }
}
