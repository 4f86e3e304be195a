//! Runs of imported float networks: their data, their preset, and the order of their classes.

mod classes;
mod pixels;
mod preset;
mod rows;

use anyhow::bail;
use thimble_import::{Assembled, FloatNetwork};

pub use preset::Meaning;
pub use rows::CALIBRATION;

use crate::data::{Locations, TargetKind};
use crate::experiment::{Plan, Trained};
use crate::network::Network;
use crate::preset::Preset;
use crate::run_folder::RunFolder;
use crate::threads::Threads;
use crate::train::{History, Outcome};

/// An imported network with the description of its rows.
pub struct Import<'a> {
    /// The network of the file.
    pub file: &'a FloatNetwork,
    /// The same network for training and quantization.
    pub assembled: &'a Assembled,
    /// Name of the run.
    pub name: String,
    /// Names of the classes in the order of the outputs, if they are known.
    pub labels: Option<Vec<String>>,
    /// `true` if outputs without softmax are classes.
    pub classes: bool,
}

impl Import<'_> {
    /// Prepares a run with these rows: a dataset's name, a preset or a CSV file. Rows without
    /// targets are written into the folder with the predictions of the network.
    ///
    /// # Errors
    /// Returns the file or setting that does not fit the network.
    pub fn trained(
        &self,
        rows: &str,
        folder: &RunFolder,
        locations: &Locations,
        threads: &Threads,
    ) -> anyhow::Result<(Trained, Vec<String>)> {
        let (settings, mut notes) = rows::settings(self, rows, folder)?;
        let (settings, note) =
            pixels::scaled(settings, self.assembled.scaling.as_ref(), locations)?;
        notes.extend(note);
        let meaning = match &settings.dataset.target_kind() {
            Some(TargetKind::Values(_)) => Meaning::Values,
            Some(TargetKind::Classes(_)) => Meaning::Classes,
            None => self.meaning(),
        };
        let preset = preset::preset(self, settings, meaning)?;
        let mut plan = self.plan(preset, locations)?;
        let network = classes::ordered(self, &plan, &mut notes)?;
        notes.append(&mut plan.notes);
        Ok((trained(plan, network, threads), notes))
    }

    /// Reads the data of the run.
    fn plan(&self, preset: Preset, locations: &Locations) -> anyhow::Result<Plan> {
        let loaded = preset.data.load(locations, preset.seed)?;
        let (width, inputs) = (loaded.train.width(), self.assembled.network.inputs());
        if width != inputs {
            bail!(
                "the rows have {width} features, but the network has {inputs} inputs. Give rows with \
                 the features that the network was trained on"
            );
        }
        let outputs = self.assembled.network.outputs();
        if let TargetKind::Classes(classes) = loaded.train.target_kind()
            && classes != outputs
            && !(classes == 2 && outputs == 1)
        {
            bail!(
                "the rows have {classes} classes, but the network has {outputs} outputs. Give rows of \
                 all classes"
            );
        }
        Ok(Plan::new(preset, locations)?)
    }
}

/// Returns a run without history.
fn trained(plan: Plan, network: Network<f32>, threads: &Threads) -> Trained {
    let objective = plan.objective_of(&network, threads);
    let float = crate::evaluate::evaluate_float(&network, &plan.splits.test, objective, threads);
    let Plan { preset, splits, origin, data, .. } = plan;
    let outcome = Outcome {
        network,
        history: History::default(),
        interrupted: false,
        best_epoch: None,
        workers: threads.count(),
    };
    Trained { preset, splits, origin, data, objective, outcome, float }
}
