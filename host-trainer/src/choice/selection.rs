//! Selection rows, which choose among trainings and settings: validation rows, or training rows if
//! there are none; never test rows.

use model_format::Model;

use super::judged_rows;
use crate::data::Splits;
use crate::evaluate::{
    Evaluation, Int8Error, Threshold, choose_threshold, evaluate_float, evaluate_int8,
};
use crate::network::{Network, Objective};
use crate::threads::Threads;

/// Evaluations of both networks on the rows of [`judged_rows`].
#[derive(Clone, Debug)]
pub struct Selection {
    /// Split of the rows: `validation` or `training`.
    pub part: &'static str,
    /// The float network.
    pub float: Evaluation,
    /// The quantized model, by the engine.
    pub int8: Evaluation,
}

impl Selection {
    /// Evaluates both networks.
    ///
    /// # Errors
    /// [`Int8Error`] when the model does not run on the data.
    pub(crate) fn new(
        network: &Network<f32>,
        model: &Model<'_>,
        objective: Objective,
        splits: &Splits,
        threads: &Threads,
    ) -> Result<Self, Int8Error> {
        let rows = judged_rows(splits);
        Ok(Selection {
            part: if splits.validation.is_some() { "validation" } else { "training" },
            float: evaluate_float(network, &rows, objective, threads),
            int8: evaluate_int8(model, &rows, threads)?,
        })
    }
}

/// Returns the objective with the threshold between two classes that this rule selects on the rows
/// of [`judged_rows`]; unchanged if the rule is a number.
pub(crate) fn with_threshold(
    objective: Objective,
    rule: Threshold,
    network: &Network<f32>,
    splits: &Splits,
    threads: &Threads,
) -> Objective {
    if let Threshold::Fixed(_) = rule {
        return objective;
    }
    let rows = judged_rows(splits);
    let truths: Vec<u16> = (0..rows.len()).filter_map(|row| rows.class(row)).collect();
    let evaluation = evaluate_float(network, &rows, objective, threads);
    match evaluation.second_class_probabilities() {
        Some(p) => Objective { threshold: choose_threshold(rule, &p, &truths), ..objective },
        None => objective,
    }
}
