//! Scaling of features and regression targets.

/// Scaling of each feature or target: (x − offset) · factor.
///
/// Scaling of features is folded into the model file, so that a device takes raw input.
#[derive(Clone, Debug, PartialEq)]
pub struct Scaling {
    /// Offsets, subtracted first.
    pub offsets: Vec<f32>,
    /// Factors, applied after the offsets.
    pub factors: Vec<f32>,
}

impl Scaling {
    /// Scales a number of this feature or output.
    #[inline]
    pub fn scale(&self, index: usize, value: f64) -> f64 {
        (value - f64::from(self.offsets[index])) * f64::from(self.factors[index])
    }

    /// Inverts [`scale`](Self::scale).
    #[inline]
    pub fn unscale(&self, index: usize, scaled: f64) -> f64 {
        scaled / f64::from(self.factors[index]) + f64::from(self.offsets[index])
    }

    /// Returns the size of one scaled unit of each feature or output.
    pub fn units(&self) -> impl Iterator<Item = f64> + '_ {
        self.factors.iter().map(|&factor| 1.0 / f64::from(factor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unscaling_inverts_and_units_are_of_the_original() {
        let scaling = Scaling { offsets: vec![1.0, -2.0], factors: vec![0.5, 4.0] };
        assert_eq!(scaling.scale(0, 5.0), 2.0);
        assert_eq!(scaling.scale(1, -1.5), 2.0);
        for index in 0..2 {
            assert_eq!(scaling.unscale(index, scaling.scale(index, 3.0)), 3.0);
        }
        assert_eq!(scaling.units().collect::<Vec<_>>(), [2.0, 0.25]);
    }
}
