//! Evaluation: a network's predictions, and metrics computed from them.

use thimble_data::{Subset, Targets};

use super::{Confusion, Ranking, Regression, ranking, regression, regressions};

/// Predictions and metrics of a network on some rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Predictions, rows × width: probabilities for classification (a single one is that of the
    /// second class), else values in the target's own unit.
    pub outputs: Vec<f32>,
    /// Outputs per row.
    pub width: usize,
    /// Predicted class of each row. Empty for regression.
    pub answers: Vec<u16>,
    /// Confusion matrix. Without classes for regression.
    pub confusion: Confusion,
    /// Metrics of the probabilities, for classification.
    pub ranking: Option<Ranking>,
    /// Errors of all outputs together, for regression.
    pub regression: Option<Regression>,
    /// Errors of each output. Empty for classification.
    pub per_output: Vec<OutputRegression>,
    /// Loss of a float network as Keras means it, with weight penalties. It is that of scaled
    /// targets if they are scaled, and weighted by class if classes have weights.
    pub loss: Option<f64>,
    /// The same without weight penalties: the mean loss per row.
    pub data_loss: Option<f64>,
}

/// Errors of one regression output.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputRegression {
    /// Name of the output.
    pub name: String,
    /// Its unit, which may be empty.
    pub unit: String,
    /// Its errors.
    pub errors: Regression,
}

impl Evaluation {
    /// Computes the metrics of predictions on some rows.
    ///
    /// # Shapes
    /// `outputs` is rows × width, `answers` contains the predicted class per row.
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
            data_loss: None,
        }
    }

    /// Returns the predicted class of a row, or `None` for regression.
    pub fn class(&self, row: usize) -> Option<usize> {
        self.answers.get(row).map(|class| usize::from(*class))
    }

    /// Returns the accuracy for classification, R² for regression.
    pub fn accuracy_or_r_squared(&self) -> f64 {
        self.regression.map_or_else(|| self.confusion.accuracy(), |r| r.r_squared)
    }

    /// Returns the probability of the second of two classes per row, or `None` for other models.
    pub fn second_class_probabilities(&self) -> Option<Vec<f32>> {
        match (self.confusion.names().len(), self.width) {
            (2, 1) => Some(self.outputs.clone()),
            (2, 2) => Some(self.outputs.chunks_exact(2).map(|row| row[1]).collect()),
            _ => None,
        }
    }
}

/// Returns the probabilities of both classes, given that of the second.
fn both(outputs: &[f32]) -> Vec<f32> {
    outputs.iter().flat_map(|&p| [1.0 - p, p]).collect()
}
