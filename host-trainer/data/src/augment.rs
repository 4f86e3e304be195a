//! Data augmentation: random shifts of training images.

use ndarray::ArrayView1;
use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use thimble_numeric::scalar::Scalar;

use super::image_shape;

/// Shift of an image. Pixels beyond the border are lost, and vacated pixels are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Shift {
    /// Pixels to the right.
    pub right: i8,
    /// Pixels down.
    pub down: i8,
}

impl Shift {
    /// No shift.
    pub const NONE: Shift = Shift { right: 0, down: 0 };

    /// Writes the shifted image. A row whose shape is neither height × width nor height × width ×
    /// channels is not shifted.
    pub(super) fn apply<T: Scalar>(
        self,
        shape: &[usize],
        image: ArrayView1<'_, u8>,
        out: &mut [T],
        to_real: impl Fn(u8) -> T,
    ) {
        let Some([height, width, channels]) = image_shape(shape) else {
            out.iter_mut().zip(image).for_each(|(out, &byte)| *out = to_real(byte));
            return;
        };
        for y in 0..height {
            for x in 0..width {
                let from_y = y.checked_add_signed(-isize::from(self.down)).filter(|&y| y < height);
                let from_x = x.checked_add_signed(-isize::from(self.right)).filter(|&x| x < width);
                for channel in 0..channels {
                    out[(y * width + x) * channels + channel] = match (from_y, from_x) {
                        (Some(from_y), Some(from_x)) => {
                            to_real(image[(from_y * width + from_x) * channels + channel])
                        }
                        _ => to_real(0),
                    };
                }
            }
        }
    }
}

/// Generator of the shifts of an epoch's images, uniform in −`most`..=`most` pixels per axis, for a
/// share of the images.
#[derive(Debug)]
pub struct Shifts {
    most: i8,
    share: f64,
    generator: ChaCha8Rng,
}

impl Shifts {
    /// Creates a generator of shifts of at most `most` pixels in each direction, for a `share` of
    /// the images (0 to 1).
    pub fn new(most: u8, share: f64, generator: ChaCha8Rng) -> Self {
        Shifts { most: i8::try_from(most).unwrap_or(i8::MAX), share, generator }
    }

    /// Returns the word position of the random generator.
    pub fn word_position(&self) -> u128 {
        self.generator.get_word_pos()
    }

    /// Sets the word position of the random generator.
    pub fn set_word_position(&mut self, words: u128) {
        self.generator.set_word_pos(words);
    }

    /// Fills `shifts`, one per row of the epoch. All are drawn in order on one thread, so the
    /// number of threads does not change them.
    pub fn draw(&mut self, shifts: &mut [Shift]) {
        if self.most == 0 {
            return;
        }
        let range = -self.most..=self.most;
        for shift in shifts {
            *shift = Shift::NONE;
            if self.generator.random::<f64>() >= self.share {
                continue;
            }
            shift.right = self.generator.random_range(range.clone());
            shift.down = self.generator.random_range(range.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use thimble_support::random::{Stream, stream};

    use super::*;

    #[test]
    fn an_image_moves_and_zeros_follow() {
        let image = array![1, 2, 3, 4, 5, 6];
        let moved = |right, down| {
            let mut out = [9.0_f32; 6];
            Shift { right, down }.apply(&[2, 3], image.view(), &mut out, f32::from);
            out
        };
        assert_eq!(moved(0, 0), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(moved(1, 0), [0.0, 1.0, 2.0, 0.0, 4.0, 5.0]);
        assert_eq!(moved(-1, 1), [0.0, 0.0, 0.0, 2.0, 3.0, 0.0]);
        assert_eq!(moved(3, 0), [0.0; 6]);
        assert_eq!(moved(-128, 127), [0.0; 6]);
        // Two pixels of three colors.
        let mut out = [9.0_f32; 6];
        Shift { right: 1, down: 0 }.apply(&[1, 2, 3], image.view(), &mut out, f32::from);
        assert_eq!(out, [0.0, 0.0, 0.0, 1.0, 2.0, 3.0]);
    }

    #[test]
    fn all_nine_shifts_of_a_pixel_come_up() {
        let mut shifts = vec![Shift::NONE; 900];
        Shifts::new(1, 0.9, stream(1, Stream::Augmentation)).draw(&mut shifts);
        for right in -1..=1 {
            for down in -1..=1 {
                let count = shifts.iter().filter(|&&s| s == Shift { right, down }).count();
                // 90 expected, and 90 more that are not moved; five standard deviations are 45.
                let expected = if (right, down) == (0, 0) { 180 } else { 90 };
                assert!(count.abs_diff(expected) < 50, "({right}, {down}): {count} of 900");
            }
        }
    }
}
