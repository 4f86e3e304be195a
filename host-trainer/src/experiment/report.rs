//! The report of a run: of one that has just ended, or of one read back.

use model_format::Model;
use serde_json::Value;

use super::read::{ReadError, SavedRun};
use super::{Error, Experiment, Plan};
use crate::data::Locations;
use crate::evaluate::{Evaluation, Int8Error, evaluate_float, evaluate_int8};
use crate::quantize::{QuantizeError, prepared};
use crate::report::html::{GatherError, RunParts, gather, report_html};
use crate::report::metrics_json;
use crate::train::Threads;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The run cannot be read back.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The model file is damaged.
    #[error("model.thimble: {0}: train again to write it anew")]
    Model(#[from] model_format::Error),
    /// The model does not run on the data.
    #[error(transparent)]
    Int8(#[from] Int8Error),
    /// The network cannot be folded.
    #[error(transparent)]
    Quantize(#[from] QuantizeError),
    /// The parts of the run do not fit each other.
    #[error(transparent)]
    Gather(#[from] GatherError),
}

impl Experiment {
    /// The report of this run, as HTML.
    ///
    /// # Errors
    /// [`Error`] when the model does not run on the data that it was made for.
    pub fn report(&self, threads: &Threads) -> Result<String, Error> {
        let model = Model::parse(self.model_bytes())?;
        let metrics = serde_json::from_str(&metrics_json(self)).unwrap_or_default();
        let findings = gather(
            &RunParts {
                preset: &self.preset,
                origin: &self.origin,
                splits: &self.splits,
                network: &self.outcome.network,
                prepared: &self.quantized.prepared,
                model: &model,
                objective: self.objective,
                float: &self.float,
                quantized: &self.int8,
                history: &self.outcome.history.to_csv(),
                metrics: &metrics,
            },
            threads,
        )?;
        Ok(report_html(&findings))
    }
}

impl SavedRun {
    /// The report of this run, as HTML: the same page that the run itself wrote.
    ///
    /// # Errors
    /// [`ReportError`] when a file of the run or its data is missing or damaged.
    pub fn report(&self, locations: &Locations, threads: &Threads) -> Result<String, ReportError> {
        let bytes = self.model_bytes()?;
        let model = Model::parse(&bytes)?;
        let plan = self.plan(locations)?;
        let (network, test) = (&self.network, &plan.splits.test);
        let float = evaluate_float(network, test, plan.objective_of(network, threads), threads);
        let quantized = evaluate_int8(&model, test, threads)?;
        self.page(&plan, &model, [&float, &quantized], &self.metrics()?, threads)
    }

    /// The report, with a model and what it reaches.
    pub(super) fn page(
        &self,
        plan: &Plan,
        model: &Model<'_>,
        [float, quantized]: [&Evaluation; 2],
        metrics: &Value,
        threads: &Threads,
    ) -> Result<String, ReportError> {
        let network = &self.network;
        let objective = plan.objective_of(network, threads);
        let train = &plan.splits.train;
        // Those of the way that was taken, of all that were tried.
        let settings = serde_json::from_value(metrics["quantization"]["settings"].clone())
            .unwrap_or(self.preset.quantization);
        let findings = gather(
            &RunParts {
                preset: &self.preset,
                origin: &plan.origin,
                splits: &plan.splits,
                network,
                prepared: &prepared(
                    network,
                    objective,
                    train,
                    settings,
                    model.input_quantization().data_type,
                    threads,
                )?,
                model,
                objective,
                float,
                quantized,
                history: &self.history()?,
                metrics,
            },
            threads,
        )?;
        Ok(report_html(&findings))
    }
}
