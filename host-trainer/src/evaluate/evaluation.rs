//! How well a network does on some rows, and what it answered.

use super::{Confusion, Ranking, Regression, ranking, regression};
use crate::data::Subset;

/// How well a network does on some rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// What it answered: probabilities where there are classes (a single one is that of the
    /// second class), else values. Shape: rows × width.
    pub outputs: Vec<f32>,
    /// Outputs of a row.
    pub width: usize,
    /// Which classes are taken for which; without names where there are no classes.
    pub confusion: Confusion,
    /// How probabilities rank the rows, where there are classes.
    pub ranking: Option<Ranking>,
    /// How far values are from the truth, where there are values.
    pub regression: Option<Regression>,
    /// Mean loss of a row, where outputs are what the loss takes.
    pub loss: Option<f64>,
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
        let ranking = (!truths.is_empty()).then(|| match width {
            1 => ranking(&both(&outputs), 2, &truths),
            _ => ranking(&outputs, width, &truths),
        });
        let regression = truths.is_empty().then(|| {
            let values = (0..subset.len()).filter_map(|row| subset.values(row));
            let truths: Vec<f32> = values.flat_map(|row| row.to_vec()).collect();
            regression(&outputs, &truths, width)
        });
        Evaluation { outputs, width, confusion, ranking, regression, loss: None }
    }

    /// The figure that says most: accuracy where there are classes, else R².
    pub fn accuracy_or_r_squared(&self) -> f64 {
        self.regression.map_or_else(|| self.confusion.accuracy(), |r| r.r_squared)
    }
}

/// Probabilities of both classes from that of the second.
fn both(outputs: &[f32]) -> Vec<f32> {
    outputs.iter().flat_map(|&p| [1.0 - p, p]).collect()
}
