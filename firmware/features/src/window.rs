//! Windows over samples as they come.

use heapless::Vec;

/// The last samples, and when they are a window.
///
/// # Example
/// ```
/// use thimble_features::Window;
///
/// // Windows of three samples of one axis, a new one every two samples.
/// let mut window = Window::<1, 3>::new(2);
/// let ends: Vec<_> = (0..8).map(|n| window.push([n]).map(<[i16]>::to_vec)).collect();
/// assert_eq!(ends[2], Some(vec![0, 1, 2]));
/// assert_eq!(ends[4], Some(vec![2, 3, 4]));
/// assert_eq!(ends[3], None);
/// ```
#[derive(Clone, Debug)]
pub struct Window<const AXES: usize, const LENGTH: usize> {
    samples: Vec<[i16; AXES], LENGTH>,
    step: usize,
    /// Samples between two windows that belong to none.
    skip: usize,
}

impl<const AXES: usize, const LENGTH: usize> Window<AXES, LENGTH> {
    /// Creates windows that start every `step` samples, at least 1.
    pub const fn new(step: usize) -> Self {
        let step = if step == 0 { 1 } else { step };
        Window { samples: Vec::new(), step, skip: 0 }
    }

    /// Forgets all samples: those that follow do not follow in time.
    pub fn clear(&mut self) {
        self.samples.clear();
        self.skip = 0;
    }

    /// Adds a sample. Returns the samples of the window that ends with it, if one does, one sample
    /// after the other.
    pub fn push(&mut self, sample: [i16; AXES]) -> Option<&[i16]> {
        if self.samples.is_full() {
            // The window was given with the last sample.
            let leaving = self.step.min(LENGTH);
            self.samples.rotate_left(leaving);
            self.samples.truncate(LENGTH.saturating_sub(leaving));
            self.skip = self.step.saturating_sub(LENGTH);
        }
        if let Some(left) = self.skip.checked_sub(1) {
            self.skip = left;
            return None;
        }
        // There is room, unless a window holds nothing at all.
        let _ = self.samples.push(sample);
        (LENGTH > 0 && self.samples.is_full()).then(|| self.samples.as_flattened())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// First counts of the windows of 0, 1, 2, … and their lengths.
    fn starts<const LENGTH: usize>(step: usize) -> std::vec::Vec<(i16, usize)> {
        let mut window = Window::<2, LENGTH>::new(step);
        let mut found = vec![];
        for n in 0..12 {
            if let Some(samples) = window.push([n, -n]) {
                assert_eq!(samples[1], -samples[0]);
                found.push((samples[0], samples.len()));
            }
        }
        found
    }

    #[test]
    fn windows_overlap_touch_or_leave_gaps() {
        assert_eq!(starts::<4>(3), [(0, 8), (3, 8), (6, 8)]);
        assert_eq!(starts::<4>(4), [(0, 8), (4, 8), (8, 8)]);
        assert_eq!(starts::<3>(5), [(0, 6), (5, 6)]);
        assert_eq!(starts::<1>(1).len(), 12);
        assert_eq!(starts::<4>(0).len(), 9);
        assert_eq!(starts::<0>(1), []);
    }

    #[test]
    fn a_window_never_spans_a_gap() {
        let mut window = Window::<1, 3>::new(1);
        for n in 0..2 {
            assert_eq!(window.push([n]), None);
        }
        window.clear();
        assert_eq!(window.push([7]), None);
        assert_eq!(window.push([8]), None);
        assert_eq!(window.push([9]), Some(&[7, 8, 9][..]));
    }
}
