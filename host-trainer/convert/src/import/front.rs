//! Normalization in front of a model: SUB, MUL, ADD by constants, taken into the input stage.
//!
//! TensorFlow Lite Micro rounds the features to one scale for all, and again behind each of these
//! operators. A device takes the real values, and rounds once, to the input of the first layer.

use model_format::{Encoding, Quantization, RealChannel};

use super::chain::{Walk, no_activation};
use super::error::{ImportError, OperatorProblem};
use super::schema::{Kind, Operator};
use super::tensor::Tensor;

/// An affine function of a feature: factor · x + shift.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Line {
    factor: f64,
    shift: f64,
}

impl Line {
    const IDENTITY: Line = Line { factor: 1.0, shift: 0.0 };
}

impl Walk<'_> {
    /// Takes an operator with a constant into the input stage.
    pub(super) fn in_front(
        &mut self,
        operator: &Operator<'_>,
        y: &Tensor<'_>,
    ) -> Result<(), ImportError> {
        no_activation(operator)?;
        let [first, second] = [0, 1].map(|place| operator.input(place).unwrap_or(-1));
        let is_left = second == self.at;
        let constant = self.graph.tensor(if is_left { first } else { second })?;
        let values = constant.reals()?;
        if values.len() != 1 && values.len() != self.elements {
            let (what, found, needed) = ("constants", values.len(), self.elements);
            return Err(operator.refuse(OperatorProblem::Elements { what, found, needed }));
        }
        let to = y.quantized()?;
        if self.lines.is_empty() {
            self.lines = vec![Line::IDENTITY; self.elements];
        }
        for (line, constant) in self.lines.iter_mut().zip(values.iter().cycle()) {
            let Line { factor, shift } = *line;
            *line = match (&operator.kind, is_left) {
                (Kind::Add, _) => Line { factor, shift: shift + constant },
                (Kind::Sub, false) => Line { factor, shift: shift - constant },
                (Kind::Sub, true) => Line { factor: -factor, shift: constant - shift },
                // Only the product remains.
                _ => Line { factor: factor * constant, shift: shift * constant },
            };
        }
        let channels: Option<Vec<RealChannel>> =
            self.lines.iter().map(|line| channel(*line, to)).collect();
        let channels = channels.ok_or_else(|| operator.refuse(OperatorProblem::Constant))?;
        self.input = Some((to, Encoding::Reals(channels)));
        self.quantized(to);
        let why = "the input stage does it, on real values in their own units, which are rounded once. \
                   Features of different range keep more than in this file by an import of the float \
                   model with --calibrate";
        self.leave_out(operator, why);
        Ok(())
    }
}

/// Returns the input channel of a feature, or `None` for a feature that does not depend on its value
/// and is not 0.
fn channel(line: Line, to: Quantization) -> Option<RealChannel> {
    let factor = line.factor / f64::from(to.scale);
    let offset = match line.factor {
        0.0 if line.shift != 0.0 => return None,
        0.0 => 0.0,
        factor => -line.shift / factor,
    };
    Some(RealChannel { offset: offset as f32, factor: factor as f32 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_give_steps_of_the_output() {
        let to = Quantization::int8(0.5, 3);
        // 2 · x − 6 = 2 · (x − 3), in steps of one half.
        let found = channel(Line { factor: 2.0, shift: -6.0 }, to);
        assert_eq!(found, Some(RealChannel { offset: 3.0, factor: 4.0 }));
        let dead = channel(Line { factor: 0.0, shift: 0.0 }, to);
        assert_eq!(dead, Some(RealChannel { offset: 0.0, factor: 0.0 }));
        assert_eq!(channel(Line { factor: 0.0, shift: 1.0 }, to), None);
    }
}
