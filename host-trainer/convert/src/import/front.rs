//! Normalization in front of a model: SUB, MUL, ADD by constants, taken into the input stage.
//!
//! TensorFlow Lite Micro rounds the features to one scale for all, and again behind each of these
//! operators. A device takes the real values, and rounds once, to the input of the first layer.

use model_format::{Encoding, RealChannel};

use super::chain::{Walk, no_activation};
use super::error::{ImportError, OperatorProblem};
use super::schema::{Kind, Operator};
use super::tensor::Tensor;
use crate::line::Line;

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
            *line = line.then(match (&operator.kind, is_left) {
                (Kind::Add, _) => Line::new(1.0, *constant),
                (Kind::Sub, false) => Line { offset: *constant, ..Line::IDENTITY },
                (Kind::Sub, true) => Line::new(-1.0, *constant),
                // Only the product remains.
                _ => Line::new(*constant, 0.0),
            });
        }
        let channels: Option<Vec<RealChannel>> =
            self.lines.iter().map(|line| line.channel(to)).collect();
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
