//! Runs of imported float networks: their data, their preset, and the order of their classes.

mod classes;
mod pixels;
mod preset;
mod rows;

use anyhow::bail;
use thimble_import::{Assembled, FloatNetwork};

pub use preset::Meaning;
pub use rows::{CALIBRATION, schema_table};

use crate::data::{
    FixedScaling, Locations, Scaling, ScalingMethod, Schema, SchemaTarget, Source, TargetKind,
};
use crate::experiment::{Plan, SavedRun, Trained, write_without_rows};
use crate::network::{LayerSpec, Network};
use crate::pack::Core;
use crate::preset::Preset;
use crate::run_folder::RunFolder;
use crate::threads::Threads;
use crate::train::Outcome;

/// An imported network with the description of its rows.
pub struct Import {
    /// Name of the run.
    pub name: String,
    /// Description in one line, such as "Keras model (.keras), imported".
    pub description: String,
    /// The network, whose inputs are scaled features.
    pub network: Network<f32>,
    /// Its layers.
    pub layers: Vec<LayerSpec>,
    /// Scaling of the features.
    pub scaling: Option<Scaling>,
    /// Names of the classes in the order of the outputs, if they are known.
    pub labels: Option<Vec<String>>,
    /// `true` if outputs without softmax are classes.
    pub classes: bool,
}

impl Import {
    /// Returns the network of a file. Its classes have the names of the file unless `labels` gives
    /// others.
    pub fn new(
        file: &FloatNetwork,
        assembled: &Assembled,
        name: String,
        labels: Option<Vec<String>>,
        classes: bool,
    ) -> Self {
        let own = (!file.classes.is_empty()).then(|| file.classes.clone());
        Import {
            name,
            description: format!("{}, imported", file.source),
            network: assembled.network.clone(),
            layers: assembled.layers.clone(),
            scaling: assembled.scaling.clone(),
            labels: labels.or(own),
            classes,
        }
    }

    /// Returns the network of a run that was imported without rows, or `None` for another run.
    pub fn of_run(run: &SavedRun) -> Option<Self> {
        let Source::Schema(schema) = &run.preset.data.dataset else { return None };
        let scaling = match run.preset.data.scaling() {
            ScalingMethod::Fixed(fixed) => Some(fixed.spread(run.network.inputs())),
            _ => None,
        };
        let (classes, labels) = match &schema.target {
            SchemaTarget::Classes(names) => (true, Some(names.clone())),
            SchemaTarget::Values(_) => (false, None),
        };
        // Numbers stand for unknown names.
        let is_number = |(at, name): (usize, &String)| *name == at.to_string();
        let labels = labels.filter(|names| !names.iter().enumerate().all(is_number));
        Some(Import {
            name: run.preset.name.clone(),
            description: run.preset.description.clone(),
            network: run.network.clone(),
            layers: run.preset.network.specs(),
            scaling,
            labels,
            classes,
        })
    }

    /// Writes the run without rows into the folder: preset and weights.
    ///
    /// # Errors
    /// Returns the setting or file with a problem.
    pub fn write(self, folder: &RunFolder, core: Option<Core>) -> anyhow::Result<Preset> {
        let (meaning, features) = (self.meaning(), self.network.inputs());
        let target = match meaning {
            Meaning::Classes => SchemaTarget::Classes(self.class_names()),
            Meaning::Values => SchemaTarget::Values(self.network.outputs()),
        };
        let mut settings = rows::plain(Source::Schema(Schema { features, target }), None);
        settings.scaling = Some(match &self.scaling {
            Some(scaling) => ScalingMethod::Fixed(FixedScaling::new(scaling)),
            None => ScalingMethod::None,
        });
        settings.target_scaling = Some(ScalingMethod::None);
        let preset = preset::preset(&self, settings, meaning)?;
        write_without_rows(folder, &preset, self.network, core)?;
        Ok(preset)
    }

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
        let (settings, note) = pixels::scaled(settings, self.scaling.as_ref(), locations)?;
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
        let (width, inputs) = (loaded.train.width(), self.network.inputs());
        if width != inputs {
            bail!(
                "the rows have {width} features, but the network has {inputs} inputs. Give rows with \
                 the features that the network was trained on"
            );
        }
        let outputs = self.network.outputs();
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
    let outcome = Outcome::without_training(network);
    Trained { preset, splits, origin, data, objective, outcome, float }
}
