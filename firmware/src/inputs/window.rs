//! A sliding window over samples, and its features.

use heapless::Deque;
use micromath::F32Ext;

/// The last `N` samples of one channel.
#[derive(Clone, Debug, Default)]
pub struct Window<const N: usize> {
    samples: Deque<f32, N>,
}

/// Features of a window, in the unit of its samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Features {
    /// Arithmetic mean.
    pub mean: f32,
    /// Root of the mean square. By micromath's square root, within 5 % of the exact one.
    pub rms: f32,
    /// Largest magnitude.
    pub peak: f32,
}

impl<const N: usize> Window<N> {
    /// A window without samples.
    pub const fn new() -> Self {
        Window { samples: Deque::new() }
    }

    /// Adds a sample; the oldest leaves a full window.
    pub fn push(&mut self, sample: f32) {
        if self.samples.is_full() {
            self.samples.pop_front();
        }
        // There is room now, unless the window holds nothing at all.
        let _ = self.samples.push_back(sample);
    }

    /// The features, once the window is full.
    pub fn features(&self) -> Option<Features> {
        if !self.samples.is_full() || N == 0 {
            return None;
        }
        let (mut sum, mut squares, mut peak) = (0.0f32, 0.0f32, 0.0f32);
        for sample in &self.samples {
            sum += sample;
            squares += sample * sample;
            peak = peak.max(sample.abs());
        }
        let count = N as f32;
        Some(Features { mean: sum / count, rms: F32Ext::sqrt(squares / count), peak })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_of_the_last_samples() {
        let mut window = Window::<4>::new();
        for sample in [100.0, 3.0, -3.0, 3.0] {
            assert_eq!(window.features(), None);
            window.push(sample);
        }
        window.push(-5.0);
        let features = window.features().unwrap();
        // 3, −3, 3, −5 are left: the squares sum to 52.
        assert_eq!((features.mean, features.peak), (-0.5, 5.0));
        let exact = 13f32.sqrt();
        assert!((features.rms - exact).abs() < 0.05 * exact, "{features:?}");
    }
}
