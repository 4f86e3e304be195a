//! Elastic deformation: smooth random displacements (Simard, Steinkraus and Platt, *Best practices
//! for convolutional neural networks applied to visual document analysis*, 2003, section 2).

use std::f64::consts::SQRT_2;

use thimble_support::random::SplitMix;

use thimble_numeric::vectorized::{Loop, vectorized};

/// Distinct offsets of windows per axis.
const OFFSETS: usize = 256;

/// Length of the Gaussian in standard deviations, on each side. What lies beyond has 0.3 % of its
/// sum.
const REACH: f64 = 3.0;

/// A plane of random numbers, smoothed by a Gaussian, with a mean square of 1.
///
/// A field of displacements is a window of it at a random place. Smoothing a field of its own for
/// each image would take far longer than training a small network on it. Two windows of a plane
/// that is drawn anew in each epoch are as good as independent.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plane {
    values: Vec<f32>,
    width: usize,
}

impl Plane {
    /// Draws a plane for images of this height and width. `sigma` is the standard deviation of the
    /// Gaussian in pixels. With 0, values are independent.
    pub fn draw(height: usize, width: usize, sigma: f64, mut random: SplitMix) -> Self {
        let (height, width) = (height + OFFSETS, width + OFFSETS);
        let taps = taps(sigma);
        let (noise_height, noise_width) = (height + taps.len() - 1, width + taps.len() - 1);
        let noise: Vec<f32> = (0..noise_height * noise_width).map(|_| random.signed()).collect();
        // First along the rows, then along the columns, without a border: rows are added up, so
        // that both loops vectorize.
        let mut smooth = vec![0.0; noise_height * width];
        for (from, to) in noise.chunks_exact(noise_width).zip(smooth.chunks_exact_mut(width)) {
            for (shift, &tap) in taps.iter().enumerate() {
                vectorized::<AddScaled, _>((tap, &from[shift..shift + width], &mut *to));
            }
        }
        let mut values = vec![0.0; height * width];
        for (y, to) in values.chunks_exact_mut(width).enumerate() {
            for (shift, &tap) in taps.iter().enumerate() {
                let from = &smooth[(y + shift) * width..][..width];
                vectorized::<AddScaled, _>((tap, from, &mut *to));
            }
        }
        let squares: f64 = values.iter().map(|&value| f64::from(value) * f64::from(value)).sum();
        let factor = (values.len() as f64 / squares.max(f64::MIN_POSITIVE)).sqrt() as f32;
        values.iter_mut().for_each(|value| *value *= factor);
        Plane { values, width }
    }

    /// Returns a random window, as rows of at least the width of an image.
    pub fn window<'a>(&'a self, random: &mut SplitMix) -> impl Fn(usize) -> &'a [f32] + use<'a> {
        let bits = random.bits() as usize;
        let (x, y) = (bits % OFFSETS, bits / OFFSETS % OFFSETS);
        move |row| &self.values[(y + row) * self.width + x..]
    }
}

/// Returns the Gaussian of this standard deviation at whole numbers.
fn taps(sigma: f64) -> Vec<f32> {
    let reach = (REACH * sigma).ceil() as i32;
    let tap = |at: i32| match sigma > 0.0 {
        true => (-(f64::from(at) / (SQRT_2 * sigma)).powi(2)).exp() as f32,
        false => 1.0,
    };
    (-reach..=reach).map(tap).collect()
}

struct AddScaled;

impl Loop<(f32, &[f32], &mut [f32])> for AddScaled {
    type Output = ();

    #[inline(always)]
    fn run((factor, from, to): (f32, &[f32], &mut [f32])) {
        to.iter_mut().zip(from).for_each(|(to, from)| *to += factor * from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbors_are_as_alike_as_a_gaussian_makes_them() {
        let (height, width, sigma) = (28, 28, 4.0);
        let plane = Plane::draw(height, width, sigma, SplitMix::new(1));
        let stride = width + OFFSETS;
        assert_eq!(plane.values.len(), (height + OFFSETS) * stride);
        let mean = |of: &dyn Fn(usize) -> f32| {
            let count = plane.values.len() - 10;
            (0..count).map(|at| f64::from(of(at))).sum::<f64>() / count as f64
        };
        let square = mean(&|at| plane.values[at] * plane.values[at]);
        assert!((square - 1.0).abs() < 1e-2, "{square}");
        // White noise smoothed by a Gaussian has the correlation e^(−d²/4σ²) at the distance d. The
        // plane has (284 / 4σ)² ≈ 315 independent patches: a deviation of 0.06.
        for distance in [1, 4, 8] {
            let found = mean(&|at| plane.values[at] * plane.values[at + distance]);
            let expected = (-(distance as f64).powi(2) / (4.0 * sigma * sigma)).exp();
            assert!((found - expected).abs() < 0.2, "{distance}: {found}, expected {expected}");
        }
    }

    #[test]
    fn without_smoothing_numbers_are_independent() {
        let plane = Plane::draw(2, 2, 0.0, SplitMix::new(1));
        let products: f64 =
            plane.values.windows(2).map(|pair| f64::from(pair[0]) * f64::from(pair[1])).sum();
        // The sum of 66,563 independent products of variance 1 has a deviation of 258.
        assert!(products.abs() < 1300.0, "{products}");
    }

    #[test]
    fn windows_lie_within_the_plane() {
        let plane = Plane::draw(3, 5, 1.0, SplitMix::new(1));
        for key in 0..2000 {
            let mut random = SplitMix::new(key);
            let window = plane.window(&mut random);
            assert!((0..3).all(|row| window(row).len() >= 5));
        }
    }
}
