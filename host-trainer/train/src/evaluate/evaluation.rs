//! Answers of a network to some rows, and the figures that follow from them.

use super::{Confusion, Ranking, Regression, ranking, regression, regressions};
use crate::data::{Subset, Targets};

/// How well a network does on some rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// What it answered: probabilities where there are classes (a single one is that of the
    /// second class), else values in the target's own unit. Shape: rows × width.
    pub outputs: Vec<f32>,
    /// Outputs of a row.
    pub width: usize,
    /// The class that each row is taken for; empty where there are no classes.
    pub answers: Vec<u16>,
    /// Which classes are taken for which; without names where there are no classes.
    pub confusion: Confusion,
    /// How probabilities rank the rows, where there are classes.
    pub ranking: Option<Ranking>,
    /// How far values are from the truth, all outputs together, where there are values.
    pub regression: Option<Regression>,
    /// The same for each output; empty where there are classes.
    pub per_output: Vec<OutputRegression>,
    /// Mean loss of a row, where outputs are what the loss takes: of scaled targets where they are
    /// scaled, weighted by class where classes have weights.
    pub loss: Option<f64>,
}

/// How far the values of one output are from the truth.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputRegression {
    /// What the output is called.
    pub name: String,
    /// Its unit, which may be empty.
    pub unit: String,
    /// Its errors.
    pub errors: Regression,
}

impl Evaluation {
    /// Judges the answers to some rows.
    ///
    /// # Shapes
    /// `outputs` is rows × width, `answers` has the class that each row is taken for.
    pub(super) fn new(subset: &Subset, outputs: Vec<f32>, answers: &[usize]) -> Self {
        let width = outputs.len() / subset.len().max(1);
        let mut confusion = Confusion::new(subset.dataset().class_names().to_vec());
        let truths: Vec<u16> = (0..subset.len()).filter_map(|row| subset.class(row)).collect();
        truths.iter().zip(answers).for_each(|(&t, &answer)| confusion.add(t.into(), answer));
        let class = |&answer: &usize| u16::try_from(answer).unwrap_or(u16::MAX);
        let (mut ranked, mut regressed, mut per_output) = (None, None, Vec::new());
        match subset.dataset().targets() {
            Targets::Classes(_) if truths.is_empty() => {}
            Targets::Classes(_) => {
                ranked = Some(match width {
                    1 => ranking(&both(&outputs), 2, &truths),
                    _ => ranking(&outputs, width, &truths),
                });
            }
            Targets::Values(values) => {
                let rows = (0..subset.len()).filter_map(|row| subset.values(row));
                let truths: Vec<f32> = rows.flat_map(|row| row.to_vec()).collect();
                regressed = Some(regression(&outputs, &truths, width));
                let each = regressions(&outputs, &truths, width).into_iter().enumerate();
                let text = |texts: &[String], at: usize| texts.get(at).cloned().unwrap_or_default();
                per_output = each
                    .map(|(output, errors)| OutputRegression {
                        name: text(&values.names, output),
                        unit: text(&values.units, output),
                        errors,
                    })
                    .collect();
            }
        }
        Evaluation {
            outputs,
            width,
            answers: if truths.is_empty() {
                Vec::new()
            } else {
                answers.iter().map(class).collect()
            },
            confusion,
            ranking: ranked,
            regression: regressed,
            per_output,
            loss: None,
        }
    }

    /// Returns the class that a row is taken for; `None` where there are no classes.
    pub fn class(&self, row: usize) -> Option<usize> {
        self.answers.get(row).map(|class| usize::from(*class))
    }

    /// The figure that says most: accuracy where there are classes, else R².
    pub fn accuracy_or_r_squared(&self) -> f64 {
        self.regression.map_or_else(|| self.confusion.accuracy(), |r| r.r_squared)
    }

    /// The probability of the second of two classes for each row; `None` for other answers.
    pub fn second_class_probabilities(&self) -> Option<Vec<f32>> {
        match (self.confusion.names().len(), self.width) {
            (2, 1) => Some(self.outputs.clone()),
            (2, 2) => Some(self.outputs.chunks_exact(2).map(|row| row[1]).collect()),
            _ => None,
        }
    }
}

/// Probabilities of both classes from that of the second.
fn both(outputs: &[f32]) -> Vec<f32> {
    outputs.iter().flat_map(|&p| [1.0 - p, p]).collect()
}
