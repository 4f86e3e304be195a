//! A trial: training of a candidate, and its score on selection rows.

use model_format::{Model, WeightType};
use serde::{Deserialize, Serialize};

use super::{Candidate, Cost, Space};
use crate::chips::{Chip, ChipError};
use crate::choice::{ChoiceError, judged_rows, quantize_network};
use crate::evaluate::evaluate_int8;
use crate::experiment::{Error, Plan, lay_out};
use crate::pack::PackError;
use crate::quantize::weights::with_weights;
use crate::quantize::{DataTypes, QuantizeError, Recipe, Settings, quantize};
use crate::threads::Threads;
use crate::train::{Observer, StopFlag, TrainError};

/// Training rows that calibrate an untrained network, whose size alone matters.
const ROWS: usize = 8;

/// Results of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Share of wrong classes on the selection rows; for regression, the mean of 1 − R² over the
    /// outputs. Small is good.
    pub error: f64,
    /// Cross-entropy on the selection rows, which ranks equal errors; 0 for regression.
    pub log_loss: f64,
    /// Accuracy or mean squared error on the selection rows.
    pub figure: f64,
    /// Cost of the model.
    pub cost: Cost,
}

impl Score {
    /// Returns error, flash and cycles as objectives.
    pub fn objectives(&self) -> [f64; 3] {
        let [flash, cycles] = self.cost.objectives();
        [self.error, flash, cycles]
    }
}

/// The smallest network of a space, which exceeds the budget.
#[derive(Debug, thiserror::Error)]
#[error(
    "{option} {bound}: the smallest network, {network}, takes {taken} {unit} on {chip}, {more} more. \
     {remedy}"
)]
pub struct OverBudget {
    /// Option of the budget.
    pub option: &'static str,
    /// Bound.
    pub bound: String,
    /// The network.
    pub network: String,
    /// Name of the chip.
    pub chip: &'static str,
    /// Amount that the network takes.
    pub taken: String,
    /// Unit of the amount.
    pub unit: &'static str,
    /// Excess.
    pub more: String,
    /// Remedy.
    pub remedy: String,
}

/// Reason why no network is searched or trained.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// Even the smallest network is too large.
    #[error(transparent)]
    Budget(#[from] Box<OverBudget>),
    /// The space is empty.
    #[error("the preset has no dense layer. Give it one (network.layers)")]
    NoCandidate,
    /// The preset does not fit a candidate.
    #[error(transparent)]
    Preset(#[from] crate::preset::Error),
    /// Training failed.
    #[error(transparent)]
    Experiment(#[from] Error),
    /// The quantization failed.
    #[error(transparent)]
    Choice(#[from] ChoiceError),
    /// An untrained network cannot be quantized.
    #[error(transparent)]
    Quantize(#[from] QuantizeError),
    /// The weights cannot be packed.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// The model is refused.
    #[error("the quantized model is refused: {0}")]
    Format(#[from] model_format::Error),
    /// The cost cannot be predicted.
    #[error(transparent)]
    Chip(#[from] ChipError),
}

/// Predicts the cost of a candidate before its training.
///
/// # Errors
/// [`TrialError`] if the candidate cannot be quantized.
pub fn untrained_cost(
    plan: &Plan,
    space: &Space,
    candidate: &Candidate,
    chip: &Chip,
    threads: &Threads,
) -> Result<Cost, TrialError> {
    let plan = plan.with_network(space.preset(candidate, 1)?)?;
    let train = &plan.splits.train;
    let rows = train.with_rows(train.rows().iter().copied().take(ROWS).collect());
    let settings = Settings { self_tests: plan.preset.quantization.self_tests, ..<_>::default() };
    let data_types = DataTypes::all(candidate.activations, &plan.network);
    let objective = plan.objective();
    let recipe = Recipe { settings, data_types, threshold: objective.threshold.into() };
    let name = &plan.preset.name;
    let mut bytes = quantize(name, &plan.network, objective, &rows, &recipe, threads)?.bytes;
    if candidate.weights != WeightType::Int8 {
        let types = vec![candidate.weights; plan.network.dense_layers().count()];
        bytes = with_weights(&Model::parse(&bytes)?, &types)?;
    }
    let packed = lay_out(bytes, Some(chip.core), &plan.preset.quantization)?;
    Ok(Cost::of(&Model::parse(&packed)?, chip)?)
}

/// Trains a candidate, quantizes it, and evaluates the model on the selection rows. `None` if the
/// training was stopped, or diverged.
///
/// # Errors
/// [`TrialError`] if the candidate cannot be trained for another reason.
pub fn evaluate(
    plan: &Plan,
    chip: &Chip,
    threads: &Threads,
    stop: &StopFlag,
    observer: &mut dyn Observer<f32>,
) -> Result<Option<Score>, TrialError> {
    let (outcome, objective) = match plan.learn(threads, stop, None, observer) {
        Ok(learnt) => learnt,
        Err(Error::Train(TrainError::Diverged { .. }) | Error::Quantize(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if outcome.interrupted {
        return Ok(None);
    }
    let Plan { preset, splits, .. } = plan;
    let (quantized, _) = quantize_network(preset, &outcome.network, objective, splits, threads)?;
    let packed = lay_out(quantized.bytes, Some(chip.core), &preset.quantization)?;
    let model = Model::parse(&packed)?;
    let rows = judged_rows(splits);
    let evaluation = evaluate_int8(&model, &rows, threads).map_err(ChoiceError::from)?;
    let (error, figure) = match &evaluation.regression {
        Some(all) => {
            let outputs = &evaluation.per_output;
            let sum: f64 = outputs.iter().map(|output| 1.0 - output.errors.r_squared).sum();
            (sum / outputs.len().max(1) as f64, all.mean_squared_error)
        }
        None => {
            let accuracy = evaluation.confusion.accuracy();
            (1.0 - accuracy, accuracy)
        }
    };
    let log_loss = evaluation.ranking.as_ref().map_or(0.0, |ranking| ranking.log_loss);
    let usable = error.is_finite() && figure.is_finite() && log_loss.is_finite();
    let cost = Cost::of(&model, chip)?;
    Ok(usable.then_some(Score { error, log_loss, figure, cost }))
}

#[cfg(test)]
mod tests {
    use model_format::DataType;

    use super::*;
    use crate::data::Locations;
    use crate::preset::find;

    #[test]
    fn the_cost_before_training_is_that_of_the_trained_model() {
        let threads = Threads::new(std::num::NonZero::new(1)).unwrap();
        let chip = Chip::named("nRF51822").unwrap();
        let types = [WeightType::Int8, WeightType::Int4, WeightType::Int2, WeightType::Ternary];
        for (inputs, weights) in ["rows", "file"].iter().flat_map(|i| types.map(|t| (i, t))) {
            let settings = [format!("quantization.self_test_inputs={inputs}")];
            let preset = find("digits").unwrap().with_settings(&settings).unwrap();
            let plan = Plan::new(preset, &Locations::default()).unwrap();
            let space = Space::new(plan.preset.clone(), 64, 20_000, false);
            let candidate = Candidate { hidden: vec![8], weights, ..space.nearest() };
            let before = untrained_cost(&plan, &space, &candidate, chip, &threads).unwrap();
            let trained = plan.with_network(space.preset(&candidate, 1).unwrap()).unwrap();
            let stop = StopFlag::default();
            let score = evaluate(&trained, chip, &threads, &stop, &mut ()).unwrap().unwrap();
            assert_eq!(score.cost, before, "{inputs} {}", weights.name());
            assert!(score.error < 0.9 && score.figure == 1.0 - score.error, "{score:?}");
        }
    }

    #[test]
    fn int16_activations_have_their_own_cost() {
        let plan = Plan::new(find("digits").unwrap(), &Locations::default()).unwrap();
        let threads = Threads::new(std::num::NonZero::new(1)).unwrap();
        let chip = Chip::named("RP2040").unwrap();
        let space = Space::new(plan.preset.clone(), 64, 20_000, false);
        let cost = |activations| {
            let candidate = Candidate { activations, ..space.nearest() };
            untrained_cost(&plan, &space, &candidate, chip, &threads).unwrap()
        };
        let (int8, int16) = (cost(DataType::Int8), cost(DataType::Int16));
        assert!(int16.flash > int8.flash && int8.cycles.is_some() && int16.cycles.is_none());
    }
}
