//! The report of a run that has just ended, or of one that was read back.

use model_format::Model;
use serde_json::Value;

use super::read::{ReadError, SavedRun};
use super::{Error, Experiment, Plan};
use crate::data::Locations;
use crate::evaluate::{Evaluation, Int8Error, evaluate_float, evaluate_int8};
use crate::quantize::{QuantizeError, prepared};
use crate::report::html::{GatherError, RunParts, gather, report_html};
use crate::report::metrics_json;
use crate::threads::Threads;

/// Reason why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The run cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The model file is damaged.
    #[error("model.thimble: {0}. Train again")]
    Model(#[from] model_format::Error),
    /// The model does not run on the data.
    #[error(transparent)]
    Int8(#[from] Int8Error),
    /// Batch normalization cannot be folded into the network.
    #[error(transparent)]
    Quantize(#[from] QuantizeError),
    /// Network, model and data are not of the same run.
    #[error(transparent)]
    Gather(#[from] GatherError),
}

impl Experiment {
    /// Returns the report of this run as HTML.
    ///
    /// # Errors
    /// [`Error`] when the model does not run on its data.
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
    /// Returns the report of this run as HTML, identical to the page that the run wrote.
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

    /// Returns the report for a model and its metrics.
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
        // Settings of the selected candidate.
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
