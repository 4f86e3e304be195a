//! Validation of network, loss and settings against the targets of the data.

use thimble_data::{ScalingMethod, Source, TargetKind};
use thimble_network::Loss;
use thimble_support::foreign_text::shown;
use thimble_train::evaluate::Threshold;

use super::{Wrong, wrong};
use crate::Preset;

impl Preset {
    /// Checks the settings that apply only to regression or only to classification.
    fn check_kind(&self, kind: TargetKind) -> Result<(), Wrong> {
        let (dataset, training) = (&self.data.dataset, &self.training);
        let classes = matches!(kind, TargetKind::Classes(_));
        for (key, monitor) in self.monitors() {
            if monitor.is_some_and(|monitor| !monitor.exists_for(classes)) {
                let problem = match classes {
                    true => {
                        "the mean absolute error is for targets that are numbers, and \
                             {dataset} has classes: watch val_loss or val_accuracy"
                    }
                    false => {
                        "the accuracy is for classes, and {dataset} has numbers for targets: \
                              watch val_loss or val_mean_absolute_error"
                    }
                };
                return wrong(
                    &format!("{key}.monitor"),
                    problem.replace("{dataset}", dataset.name()),
                );
            }
        }
        let scales = self.data.target_scaling.as_ref();
        let scales = scales.is_some_and(|method| *method != ScalingMethod::None);
        if let TargetKind::Values(_) = kind {
            if scales && !training.loss.is_distance() {
                let name = training.loss.name();
                let problem = format!("{name} takes probabilities as they are: leave it out");
                return wrong("data.target_scaling", problem);
            }
            let about = format!("{dataset} has numbers for targets, not classes: leave it out");
            if training.class_weight.is_some() {
                return wrong("training.class_weight", about);
            }
            return match training.threshold == Threshold::default() {
                true => Ok(()),
                false => wrong("training.threshold", about),
            };
        }
        if scales {
            let problem = format!(
                "{dataset} has classes for targets, which have no scale: leave it out (data.scaling \
                 is for features)"
            );
            return wrong("data.target_scaling", problem);
        }
        if training.threshold == Threshold::default() {
            return Ok(());
        }
        match (kind, self.outputs(), training.loss) {
            (TargetKind::Classes(2), 1, _) => Ok(()),
            (TargetKind::Classes(2), _, loss) if loss.is_categorical() => Ok(()),
            (TargetKind::Classes(2), ..) => wrong(
                "training.threshold",
                "two outputs have one probability of the second class only with softmax: set \
                 training.loss = \"sparse_categorical_cross_entropy\", or give the last layer one \
                 output"
                    .to_string(),
            ),
            (TargetKind::Classes(classes) | TargetKind::Values(classes), ..) => {
                let problem = format!(
                    "a threshold decides between two classes, but {dataset} has {classes}: leave it out"
                );
                wrong("training.threshold", problem)
            }
        }
    }

    pub(super) fn check_targets(&self, kind: TargetKind) -> Result<(), Wrong> {
        self.check_kind(kind)?;
        let dataset = &self.data.dataset;
        let layers = self.network.layers.iter().enumerate().rev();
        let last = layers.filter_map(|(index, layer)| Some((index, layer.dense()?.units))).next();
        let (index, units) = last.unwrap_or_default();
        let (loss, name) = (self.training.loss, self.training.loss.name());
        let (wanted, what) = match (kind, loss) {
            (TargetKind::Values(_), Loss::SparseCategoricalCrossEntropy) => {
                let problem = format!(
                    "{dataset} is about numbers, {name} about classes: use mean_squared_error"
                );
                return wrong("training.loss", problem);
            }
            (TargetKind::Values(count), _) => (count, format!("{count} numbers")),
            (TargetKind::Classes(classes), _) if classes < 2 => {
                let problem =
                    format!("{dataset} has one class only: there is nothing to tell apart");
                return wrong("data.dataset", problem);
            }
            // One output suffices for two classes.
            (TargetKind::Classes(2), _) if units == 1 && !loss.is_categorical() => return Ok(()),
            (TargetKind::Classes(classes), _) => (classes, format!("{classes} classes")),
        };
        if units != wanted {
            let key = format!("network.layers[{index}].dense.units");
            let problem = format!(
                "the last layer has {units} outputs, but {dataset} has {what}: make it {wanted}"
            );
            return wrong(&key, problem);
        }
        Ok(())
    }
}

/// Formats the names of classes for a message.
pub(super) fn explained(names: &[String], dataset: &Source) -> String {
    const LISTED: usize = 12;
    let list: Vec<String> = names.iter().take(LISTED).map(|name| shown(name)).collect();
    let more = if names.len() > LISTED { ", …" } else { "" };
    let is_table = matches!(dataset, Source::Csv(_));
    let numbers = match is_table && names.iter().all(|name| name.parse::<f64>().is_ok()) {
        true => {
            "; where these are numbers to be learnt as such, set target = { values = [...] } in \
             data.dataset.csv"
        }
        false => "",
    };
    format!(" (classes: {}{more}{numbers})", list.join(", "))
}
