//! The report of a run that has just ended, or of one that was read back.

use model_format::Model;
use serde_json::Value;

use super::metrics::metrics_json;
use super::read::{ReadError, SavedRun};
use super::{Error, Experiment, Plan};
use crate::data::{Locations, Splits};
use crate::evaluate::{Evaluation, Int8Error, evaluate_float, evaluate_int8};
use crate::network::{Network, Objective};
use crate::page::{PageContent, PageError, of_networks};
use crate::preset::Preset;
use crate::quantize::{QuantizeError, prepared};
use crate::report::html::{Findings, GatherError, RunParts, gather, report_html, surface_html};
use crate::run_folder::{RunFolder, RunFolderError};
use crate::threads::Threads;

/// Bytes of model and float weights up to which the report runs the model; `host-trainer page` has
/// no limit.
const MAX_PLAYGROUND_BYTES: usize = 1_000_000;

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
    /// The model cannot be run in the report.
    #[error(transparent)]
    Page(#[from] PageError),
}

/// Pages of a run, as HTML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pages {
    /// The report.
    pub report: String,
    /// Surface in three dimensions, of a network with two inputs.
    pub surface: Option<String>,
}

impl Pages {
    fn new(findings: &Findings) -> Self {
        let surface = findings.surface.as_ref().map(surface_html);
        Pages { report: report_html(findings), surface }
    }

    /// Returns name, description and text of each page.
    pub fn files(&self) -> impl Iterator<Item = ((&'static str, &'static str), &str)> {
        let surface = self.surface.as_deref().map(|page| (Experiment::SURFACE, page));
        std::iter::once((Experiment::REPORT, self.report.as_str())).chain(surface)
    }

    /// Writes all pages into the folder, and removes a surface that the run does not have.
    ///
    /// # Errors
    /// [`RunFolderError`] with the file that cannot be written.
    pub fn write(&self, folder: &RunFolder) -> Result<(), RunFolderError> {
        self.files().try_for_each(|((name, _), page)| folder.write(name, page.as_bytes()))?;
        match self.surface {
            Some(_) => Ok(()),
            None => folder.remove(Experiment::SURFACE.0),
        }
    }
}

/// Returns the content of the section that runs the model, unless it would be too large.
fn in_report(
    file: &[u8],
    preset: &Preset,
    network: &Network<f32>,
    objective: Objective,
    splits: &Splits,
) -> Result<Option<PageContent>, PageError> {
    if file.len() + 4 * network.parameters().len() > MAX_PLAYGROUND_BYTES {
        return Ok(None);
    }
    let scalings = [splits.train.scaling(), splits.train.target_scaling()];
    of_networks(file, &preset.data.dataset, network, objective, scalings).map(Some)
}

impl Experiment {
    /// Returns the pages of this run; the report can run the model.
    ///
    /// # Errors
    /// [`Error`] when the model does not run on its data.
    pub fn report(&self, playground: bool, threads: &Threads) -> Result<Pages, Error> {
        let model = Model::parse(self.model_bytes())?;
        let metrics = serde_json::from_str(&metrics_json(self)).unwrap_or_default();
        let mut findings = gather(
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
        if playground {
            let (network, file) = (&self.outcome.network, self.model_bytes());
            findings.playground =
                in_report(file, &self.preset, network, self.objective, &self.splits)?;
        }
        Ok(Pages::new(&findings))
    }
}

impl SavedRun {
    /// Returns the pages of this run, identical to those that the run wrote.
    ///
    /// # Errors
    /// [`ReportError`] when a file of the run or its data is missing or damaged.
    pub fn report(
        &self,
        locations: &Locations,
        playground: bool,
        threads: &Threads,
    ) -> Result<Pages, ReportError> {
        let bytes = self.model_bytes()?;
        let model = Model::parse(&bytes)?;
        let plan = self.plan(locations)?;
        let (network, test) = (&self.network, &plan.splits.test);
        let float = evaluate_float(network, test, plan.objective_of(network, threads), threads);
        let quantized = evaluate_int8(&model, test, threads)?;
        let file = playground.then_some(bytes.as_slice());
        self.pages(&plan, &model, file, [&float, &quantized], &self.metrics()?, threads)
    }

    /// Returns the pages for a model and its metrics. The report runs the model file, if it is given.
    pub(super) fn pages(
        &self,
        plan: &Plan,
        model: &Model<'_>,
        file: Option<&[u8]>,
        [float, quantized]: [&Evaluation; 2],
        metrics: &Value,
        threads: &Threads,
    ) -> Result<Pages, ReportError> {
        let network = &self.network;
        let objective = plan.objective_of(network, threads);
        let train = &plan.splits.train;
        // Settings of the selected candidate.
        let settings = serde_json::from_value(metrics["quantization"]["settings"].clone())
            .unwrap_or(self.preset.quantization);
        let mut findings = gather(
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
        if let Some(file) = file {
            findings.playground = in_report(file, &self.preset, network, objective, &plan.splits)?;
        }
        Ok(Pages::new(&findings))
    }
}
