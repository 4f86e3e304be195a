//! Affine functions of one value, and input channels that compute them.

use model_format::{Quantization, RealChannel};

/// y = (x − offset) · factor + shift.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// Subtracted first.
    pub offset: f64,
    /// Multiplied then.
    pub factor: f64,
    /// Added last.
    pub shift: f64,
}

impl Line {
    /// The identity.
    pub const IDENTITY: Line = Line { offset: 0.0, factor: 1.0, shift: 0.0 };

    /// Returns y = factor · x + shift.
    pub fn new(factor: f64, shift: f64) -> Self {
        Line { factor, shift, ..Line::IDENTITY }
    }

    /// Computes the function.
    pub fn value(self, x: f64) -> f64 {
        (x - self.offset) * self.factor + self.shift
    }

    /// Returns y at x = 0.
    pub fn intercept(self) -> f64 {
        self.shift - self.offset * self.factor
    }

    /// Returns the composition: this function first, then the other.
    pub fn then(self, next: Line) -> Line {
        Line {
            offset: self.offset,
            factor: self.factor * next.factor,
            shift: (self.shift - next.offset) * next.factor + next.shift,
        }
    }

    /// Returns the input channel that computes the function in steps of this quantization, or `None` for
    /// a constant other than 0, which no channel gives.
    pub fn channel(self, to: Quantization) -> Option<RealChannel> {
        let factor = self.factor / f64::from(to.scale);
        let offset = match self.factor {
            0.0 if self.shift != 0.0 => return None,
            0.0 => 0.0,
            factor => self.offset - self.shift / factor,
        };
        Some(RealChannel { offset: offset as f32, factor: factor as f32 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_compose() {
        let first = Line { offset: 3.0, factor: 2.0, shift: 1.0 };
        let second = Line { offset: -1.0, factor: 0.5, shift: 4.0 };
        for x in [-2.0, 0.0, 7.5] {
            assert_eq!(first.then(second).value(x), second.value(first.value(x)));
        }
        assert_eq!(first.intercept(), first.value(0.0));
    }

    #[test]
    fn channels_give_steps_of_the_output() {
        let to = Quantization::int8(0.5, 3);
        // 2 · x − 6 = 2 · (x − 3), in steps of one half.
        let expected = Some(RealChannel { offset: 3.0, factor: 4.0 });
        assert_eq!(Line::new(2.0, -6.0).channel(to), expected);
        assert_eq!(Line { offset: 1.0, factor: 2.0, shift: -4.0 }.channel(to), expected);
        let dead = Some(RealChannel { offset: 0.0, factor: 0.0 });
        assert_eq!(Line { offset: 7.0, factor: 0.0, shift: 0.0 }.channel(to), dead);
        assert_eq!(Line::new(0.0, 1.0).channel(to), None);
    }
}
