//! Dropout: Srivastava et al., *Dropout: a simple way to prevent neural networks from overfitting*,
//! 2014, as inverted dropout.

use thimble_numeric::vectorized::{Loop, vectorized};
use thimble_support::random::mix;

use super::Real;

/// Key of the counter-based random numbers of one training step.
///
/// Each number depends only on key, layer, row and column. Neither the order of the work nor the
/// number of threads changes it. The backward pass computes the same mask again instead of storing
/// it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Noise {
    /// Hash of the seed and the step.
    pub key: u64,
    /// Index in the batch of this pass's first row.
    pub first_row: usize,
}

impl Noise {
    /// Returns the key of a training step.
    pub fn of_step(seed: u64, step: usize) -> Self {
        let key = mix(seed ^ mix((step as u64).wrapping_add(0x9e37_79b9_7f4a_7c15)));
        Noise { key, first_row: 0 }
    }

    /// Returns the key of one row of a layer's input.
    fn row_key(self, layer: usize, row: usize) -> u32 {
        let place = (layer as u64) << 40 | (self.first_row + row) as u64;
        (mix(self.key ^ mix(place)) >> 32) as u32
    }
}

/// Drops each value of a mini-batch with probability `rate` and multiplies the others by 1 / (1 −
/// rate). The same call with gradients in place of values is the backward pass.
///
/// # Shapes
/// `input` and `output` are rows × `width`.
pub(super) fn drop_values<T: Real>(
    rate: f64,
    noise: Noise,
    layer: usize,
    width: usize,
    input: &[T],
    output: &mut [T],
) {
    vectorized::<DropValues, _>((rate, noise, layer, width, input, output));
}

struct DropValues;

impl<T: Real> Loop<(f64, Noise, usize, usize, &[T], &mut [T])> for DropValues {
    type Output = ();

    #[inline(always)]
    fn run((rate, noise, layer, width, input, output): (f64, Noise, usize, usize, &[T], &mut [T])) {
        let threshold = (rate * f64::from(u32::MAX)) as u32;
        let scale = T::from_f64(1.0 / (1.0 - rate));
        let rows = input.chunks_exact(width).zip(output.chunks_exact_mut(width));
        for (row, (input, output)) in rows.enumerate() {
            let key = noise.row_key(layer, row);
            let (input, output) = (&input[..width], &mut output[..width]);
            // By index: an overflow check in `zip` and `enumerate` would prevent vectorization.
            for column in 0..width {
                let number = mix32(key.wrapping_add((column as u32).wrapping_mul(0x9e37_79b9)));
                output[column] =
                    if number >= threshold { input[column] * scale } else { T::zero() };
            }
        }
    }
}

/// The 32-bit hash `lowbias32`, which vectorizes: C. Wellons, *Prospecting for hash functions*,
/// 2018.
#[inline(always)]
fn mix32(value: u32) -> u32 {
    let value = (value ^ (value >> 16)).wrapping_mul(0x7feb_352d);
    let value = (value ^ (value >> 15)).wrapping_mul(0x846c_a68b);
    value ^ (value >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dropped(noise: Noise, layer: usize, rows: usize) -> Vec<f32> {
        let mut output = vec![f32::NAN; rows * 50];
        drop_values(0.2, noise, layer, 50, &vec![1.0; rows * 50], &mut output);
        output
    }

    #[test]
    fn a_share_is_dropped_and_the_rest_scaled() {
        let output = dropped(Noise::of_step(1, 2), 0, 1000);
        let zeros = output.iter().filter(|&&y| y == 0.0).count();
        assert!(output.iter().all(|&y| y == 0.0 || y == 1.25));
        // 10,000 expected; five standard deviations are 447.
        assert!(zeros.abs_diff(10_000) < 447, "{zeros} of 50,000");
        // Columns, and pairs of neighbors, are dropped as often as chance would.
        for column in 0..50 {
            let zeros = output.iter().skip(column).step_by(50).filter(|&&y| y == 0.0).count();
            assert!(zeros.abs_diff(200) < 64, "column {column}: {zeros} of 1,000");
        }
        let pairs = output.windows(2).filter(|pair| pair == &[0.0, 0.0]).count();
        assert!(pairs.abs_diff(2_000) < 250, "{pairs} of 50,000");
    }

    #[test]
    fn step_layer_and_row_decide_and_nothing_else() {
        let noise = Noise::of_step(1, 2);
        let whole = dropped(noise, 1, 10);
        assert_eq!(whole, dropped(noise, 1, 10));
        assert_eq!(whole[300..], dropped(Noise { first_row: 6, ..noise }, 1, 4));
        assert_ne!(whole, dropped(noise, 2, 10));
        assert_ne!(whole, dropped(Noise::of_step(1, 3), 1, 10));
        assert_ne!(whole, dropped(Noise::of_step(2, 2), 1, 10));
    }
}
