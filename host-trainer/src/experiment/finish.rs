//! Completion of a trained run with its model, metrics and report.

use model_format::Model;
use serde_json::Value;

use super::write::ModelFiles;
use super::{Experiment, Pages, Plan, ReadError, ReportError, SavedRun};
use crate::choice::{Choice, Selection};
use crate::evaluate::{Evaluation, evaluate_float, evaluate_int8};
use crate::report::ModelMetrics;
use crate::run_folder::{RunFolder, RunFolderError, RunWriter};
use crate::threads::Threads;

/// Model, metrics and report of a run that was read back.
#[derive(Debug)]
pub struct Finished {
    /// The model file.
    pub model: Vec<u8>,
    /// Name of its activations' data type.
    pub data_type: &'static str,
    /// All metrics of the run.
    pub metrics: Value,
    /// The float network on the test rows.
    pub float: Evaluation,
    /// The model on the test rows.
    pub quantized: Evaluation,
    /// The report and other pages, or the reason why there are none.
    pub report: Result<Pages, ReportError>,
}

impl SavedRun {
    /// Evaluates a model of the run's weights, with the given choice of quantization and data type,
    /// as the run itself does.
    ///
    /// # Errors
    /// [`ReportError`] when the model is refused, or the metrics of the training cannot be read.
    pub fn finish(
        &self,
        plan: &Plan,
        model: Vec<u8>,
        data_type: &'static str,
        choice: &Choice,
        threads: &Threads,
    ) -> Result<Finished, ReportError> {
        let parsed = Model::parse(&model)?;
        let (objective, test) = (plan.objective_of(&self.network, threads), &plan.splits.test);
        let float = evaluate_float(&self.network, test, objective, threads);
        let quantized = evaluate_int8(&parsed, test, threads)?;
        if self.manifest.has(Experiment::METRICS) {
            let check = self.manifest.check(&self.folder, Some(&[Experiment::METRICS]));
            check.map_err(ReadError::from)?;
        }
        let mut metrics = self.metrics()?;
        let selection = Selection::new(&self.network, &parsed, objective, &plan.splits, threads)?;
        let figures = ModelMetrics {
            name: data_type,
            bytes: model.len(),
            scratch_bytes: parsed.scratch_len() * 4,
            macs: parsed.macs(),
            float: &float,
            quantized: &quantized,
            selection: &selection,
            choice,
            splits: &plan.splits,
            threshold: objective.threshold.into(),
        };
        figures.add_to(&mut metrics);
        let file = Some(model.as_slice());
        let report = self.pages(plan, &parsed, file, [&float, &quantized], &metrics, threads);
        Ok(Finished { model, data_type, metrics, float, quantized, report })
    }
}

impl Finished {
    /// Writes model, metrics and report into the folder of the run; also the preset, if its
    /// quantization settings changed.
    ///
    /// # Errors
    /// [`RunFolderError`] with the file that cannot be written.
    pub fn write(&self, run: &SavedRun, folder: &RunFolder) -> Result<(), RunFolderError> {
        let mut writer = RunWriter::reopen(folder, run.manifest.clone(), &ModelFiles::NAMES)?;
        writer.replace("preset.toml", run.preset.to_toml().as_bytes())?;
        let files = ModelFiles {
            name: &run.preset.name,
            model: &self.model,
            metrics: &self.metrics,
            matrices: [
                ("float", &self.float.confusion),
                (self.data_type, &self.quantized.confusion),
            ],
            pages: self.report.as_ref().ok(),
        };
        files.write(&mut writer)
    }
}
