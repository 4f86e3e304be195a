//! Validation of a preset's settings against each other.

mod targets;

use thimble_data::{Dataset, ScalingMethod, Source, TargetKind, TestRows};
use thimble_network::{Activation, Head, Loss, Network, NetworkError};
use thimble_train::train::{AwareError, Monitor};

use self::targets::explained;
use super::{Error, Preset};

/// Maximum number of synthetic rows, which are kept in memory.
const MAX_MADE_ROWS: usize = 20_000_000;

/// A key and its problem.
type Wrong = (String, String);

impl Preset {
    /// Checks all settings that do not depend on the data.
    pub(super) fn check(&self, origin: &str) -> Result<(), Error> {
        self.check_name()
            .and_then(|()| self.check_data())
            .and_then(|()| self.check_network())
            .and_then(|()| self.check_training())
            .and_then(|()| self.check_aware())
            .and_then(|()| match self.data.dataset.target_kind() {
                Some(kind) => self.check_targets(kind),
                None => Ok(()),
            })
            .map_err(|(key, problem)| Error::Setting { origin: origin.to_string(), key, problem })
    }

    /// Checks that network and loss match the targets of a dataset, and a fixed scaling its features.
    ///
    /// # Errors
    /// [`Error::Setting`] with the key and the remedy.
    pub fn check_target_kind(&self, dataset: &Dataset) -> Result<(), Error> {
        let check =
            self.check_targets(dataset.target_kind()).map_err(|(key, problem)| {
                match dataset.class_names() {
                    [] => (key, problem),
                    names if key.contains("units") => {
                        (key, problem + &explained(names, &self.data.dataset))
                    }
                    _ => (key, problem),
                }
            });
        let scaling = match &self.data.scaling {
            Some(ScalingMethod::Fixed(fixed)) => fixed.problem(dataset.width()),
            _ => None,
        };
        let scaling = scaling.map_or(Ok(()), |problem| wrong("data.scaling.fixed", problem));
        check.and(scaling).map_err(|(key, problem)| Error::Setting {
            origin: "preset".to_string(),
            key,
            problem,
        })
    }

    fn check_name(&self) -> Result<(), Wrong> {
        let most = model_format::limits::MAX_TEXT;
        if self.name.is_empty() || self.name.len() > most {
            return wrong("name", format!("must have 1 to {most} bytes, as a model's name"));
        }
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
        if !self.name.chars().all(plain) || self.name.starts_with('.') {
            // It is also the name of the run's folder.
            return wrong("name", "must be of letters, digits, `-`, `_`, `.`".to_string());
        }
        Ok(())
    }

    fn check_data(&self) -> Result<(), Wrong> {
        let dataset = &self.data.dataset;
        if let Some((key, rows)) = dataset.made_rows()
            && rows > MAX_MADE_ROWS
        {
            let problem = format!("{rows} rows would be made, and {MAX_MADE_ROWS} is the most");
            return wrong(&format!("data.dataset.{key}"), problem);
        }
        if let Some(TargetKind::Classes(classes)) = dataset.target_kind()
            && classes > model_format::limits::MAX_WIDTH
        {
            let most = model_format::limits::MAX_WIDTH;
            let problem = format!("{classes} classes are more than a model can have: {most}");
            return wrong(&format!("data.dataset.{dataset}"), problem);
        }
        let is_table = matches!(dataset, Source::Csv(_));
        match (&self.data.test, dataset.has_test()) {
            (Some(TestRows::File(_)), _) if !is_table => {
                let problem = format!("{dataset} takes no file of test rows, only csv does");
                wrong("data.test", problem)
            }
            (Some(_), Some(true)) => {
                wrong("data.test", format!("{dataset} has test rows of its own: leave it out"))
            }
            (None, Some(false)) if self.data.validation.is_none() && !dataset.has_recordings() => {
                let example = "test = { stratified = { fraction = 0.2 } }";
                let problem = format!(
                    "{dataset} has no test rows of its own: set {example}, or \
                                       data.validation, on whose rows results then are"
                );
                wrong("data.test", problem)
            }
            _ => Ok(()),
        }?;
        if let Some(key) =
            self.data.pool.map(|_| "data.pool").or(self.data.resize.map(|_| "data.resize"))
            && !dataset.has_images()
        {
            return wrong(key, format!("{dataset} has no images to average: leave it out"));
        }
        if let Some(preparation) = dataset.preparation() {
            let size = [preparation.height as usize, preparation.width as usize];
            let averaged = self.data.averaged_size(size);
            averaged.map_err(|(key, problem)| (key.to_string(), problem))?;
        }
        if let Source::Images(images) = dataset
            && let Some(problem) = images.problem()
        {
            return wrong("data.dataset.images", problem);
        }
        match dataset {
            Source::Activity(windows) => {
                if let Some(problem) = windows.problem() {
                    return wrong("data.dataset.activity", problem);
                }
            }
            Source::Recordings(recordings) => {
                if let Some((key, problem)) = recordings.problem() {
                    return wrong(&format!("data.dataset.recordings.{key}"), problem);
                }
            }
            Source::Schema(schema) => {
                if let Some(problem) = schema.problem() {
                    return wrong("data.dataset.schema", problem);
                }
            }
            _ => {}
        }
        // Of other datasets, the number of features is known once they are read.
        if let (Source::Schema(schema), Some(ScalingMethod::Fixed(fixed))) =
            (dataset, &self.data.scaling)
            && let Some(problem) = fixed.problem(schema.features)
        {
            return wrong("data.scaling.fixed", problem);
        }
        if let Some(ScalingMethod::Fixed(_)) = &self.data.target_scaling {
            return wrong("data.target_scaling", "only features have fixed scaling".to_string());
        }
        let problems = self.data.raw.iter().enumerate();
        match problems.filter_map(|(index, raw)| Some((index, raw.problem()?))).next() {
            Some((index, problem)) => wrong(&format!("data.raw[{index}]"), problem),
            None => Ok(()),
        }
    }

    fn check_network(&self) -> Result<(), Wrong> {
        let layers = &self.network.layers;
        let dense = layers.iter().filter(|layer| layer.dense().is_some()).count();
        // Activations become table layers, at most one per dense layer, and one at the end.
        let most = model_format::limits::MAX_LAYERS / 2;
        if dense > most {
            let problem = format!("{dense} dense layers are more than a model can have: {most}");
            return wrong("network.layers", problem);
        }
        // With one input, because only positions of layers are checked here.
        match Network::<f32>::new(1, &narrow(&self.network.specs()), 1) {
            Ok(_) => {}
            Err(NetworkError::NoLayer) => {
                return wrong("network.layers", "there must be at least one dense layer".into());
            }
            Err(NetworkError::Place { layer, problem }) => {
                return wrong(&format!("network.layers[{layer}]"), problem.to_string());
            }
            Err(error) => return wrong("network.layers", error.to_string()),
        }
        let names: Vec<&String> =
            layers.iter().filter_map(|layer| layer.dense()?.name.as_ref()).collect();
        for (index, name) in names.iter().enumerate() {
            if names[..index].contains(name) {
                return wrong("network.layers", format!("two layers have the name `{name}`"));
            }
        }
        Ok(())
    }

    /// Checks that a validation split exists if callbacks monitor it.
    ///
    /// # Errors
    /// [`Error::Setting`] with the key and the remedy.
    pub fn check_validation(&self, has_validation: bool) -> Result<(), Error> {
        self.check_monitors(has_validation).map_err(|(key, problem)| Error::Setting {
            origin: "preset".to_string(),
            key,
            problem,
        })
    }

    fn check_monitors(&self, has_validation: bool) -> Result<(), Wrong> {
        for (key, monitor) in self.monitors() {
            if monitor.is_some_and(|m| m.needs_validation()) && !has_validation {
                let problem = "it watches validation rows, but there are none: set \
                               data.validation, or monitor = \"loss\"";
                return wrong(key, problem.to_string());
            }
        }
        Ok(())
    }

    /// Returns the callbacks with their monitored metrics.
    fn monitors(&self) -> [(&'static str, Option<Monitor>); 2] {
        let training = &self.training;
        [
            ("training.early_stopping", training.early_stopping.map(|s| s.monitor)),
            ("training.reduce_lr_on_plateau", training.reduce_lr_on_plateau.map(|p| p.monitor)),
        ]
    }

    fn check_training(&self) -> Result<(), Wrong> {
        // A folder of images may have its own validation split.
        let unknown = self.data.dataset.has_test().is_none();
        self.check_monitors(unknown || self.data.validation.is_some())?;
        let training = &self.training;
        self.check_soft_targets()?;
        if let Some(problem) = training.pruning.and_then(|pruning| pruning.problem()) {
            return wrong("training.pruning", problem);
        }
        if training.label_smoothing > 0.0 && training.loss.is_distance() {
            let problem = format!("{} has no labels to smooth: leave it out", training.loss.name());
            return wrong("training.label_smoothing", problem);
        }
        let augmentation = &training.augmentation;
        if augmentation.is_active() && !self.data.dataset.has_images() {
            let problem = format!(
                "{} has no images, and only images are shifted and deformed: leave it out",
                self.data.dataset
            );
            return wrong("training.augmentation", problem);
        }
        if let Some((key, problem)) = augmentation.problem() {
            return wrong(&format!("training.augmentation.{key}"), problem);
        }
        let rate = training.optimizer.learning_rate();
        if let Some(plateau) = training.reduce_lr_on_plateau
            && plateau.min_lr > rate
        {
            let key = "training.reduce_lr_on_plateau.min_lr";
            let problem = format!(
                "{} is above the optimizer's learning_rate, {rate}: lower it",
                plateau.min_lr
            );
            return wrong(key, problem);
        }
        let categorical = training.loss.is_categorical();
        match (self.head(), categorical) {
            (Head::Softmax, false) => wrong(
                "training.loss",
                "softmax outputs need categorical_cross_entropy or its sparse form".to_string(),
            ),
            (Head::Sigmoid, true) => wrong(
                "training.loss",
                format!("{} needs softmax or linear outputs, not sigmoid", training.loss.name()),
            ),
            _ => Ok(()),
        }
    }

    /// Checks the settings that make distributions over the classes of targets.
    fn check_soft_targets(&self) -> Result<(), Wrong> {
        let training = &self.training;
        let mixup = training.mixup.map(|_| "training.mixup");
        let Some(key) = training.distillation.as_ref().map(|_| "training.distillation").or(mixup)
        else {
            return Ok(());
        };
        if training.loss != Loss::SparseCategoricalCrossEntropy {
            let problem = format!(
                "its targets are distributions over classes, which {} has not: set training.loss = \
                 \"sparse_categorical_cross_entropy\", or leave it out",
                training.loss.name()
            );
            return wrong(key, problem);
        }
        Ok(())
    }

    fn check_aware(&self) -> Result<(), Wrong> {
        let Some((aware, data_type)) = self.aware() else { return Ok(()) };
        if aware.float_epochs >= self.training.epochs {
            let problem = format!(
                "{} of {} epochs are without rounding: leave some for training with it",
                aware.float_epochs, self.training.epochs
            );
            return wrong("quantization_aware.float_epochs", problem);
        }
        let network = Network::<f32>::new(1, &narrow(&self.network.specs()), 1);
        let Ok(network) = network else { return Ok(()) };
        match aware.check(&network, data_type, true, &self.training.optimizer) {
            Ok((types, _))
                if self.training.pruning.is_some()
                    && types.contains(&model_format::WeightType::Int2) =>
            {
                let problem = "int2 weights have no zero, and pruned weights are zero: choose \
                               ternary or int4, or leave training.pruning out";
                wrong("quantization_aware.weights", problem.to_string())
            }
            Ok(_) => Ok(()),
            Err(AwareError::Network(NetworkError::Place { layer, problem })) => {
                wrong(&format!("network.layers[{layer}]"), problem.to_string())
            }
            Err(AwareError::Layers { given, layers }) => {
                let problem = format!(
                    "{given} data types are given for {layers} dense layers: give one per layer, or \
                     one for all"
                );
                wrong("quantization_aware.weights", problem)
            }
            Err(AwareError::Ftrl) => {
                let problem = "steps of weights are not learned by `ftrl`, which begins parameters at \
                               0: use another optimizer, or `clipping = \"mse\"`";
                wrong("quantization_aware.clipping", problem.to_string())
            }
            Err(error) => wrong("network.layers", error.to_string()),
        }
    }

    /// Returns the output activation.
    fn head(&self) -> Head {
        match self.network.last_activation() {
            Activation::Sigmoid => Head::Sigmoid,
            Activation::Softmax => Head::Softmax,
            _ => Head::None,
        }
    }

    /// Returns the units of the last dense layer.
    fn outputs(&self) -> usize {
        let mut layers = self.network.layers.iter().rev();
        layers.find_map(|layer| Some(layer.dense()?.units)).unwrap_or_default()
    }
}

fn wrong(key: &str, problem: String) -> Result<(), Wrong> {
    Err((key.to_string(), problem))
}

/// Returns the same layers with one unit each, which suffices for the check and allocates little.
fn narrow(layers: &[thimble_network::LayerSpec]) -> Vec<thimble_network::LayerSpec> {
    let mut layers = layers.to_vec();
    for layer in &mut layers {
        if let thimble_network::LayerSpec::Dense(dense) = layer {
            dense.units = 1;
        }
    }
    layers
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
        name = "x"
        [data]
        dataset = { spirals = { arms = 2, points_per_arm = 50, classes = 2 } }
        test = { random = { fraction = 0.2 } }
        [network]
        layers = [
            { dense = { units = 8, activation = "tanh", name = "a" } },
            { dense = { units = 1, activation = "sigmoid" } },
        ]
        [training]
        loss = "binary_cross_entropy"
        epochs = 1
        batch_size = 10
        optimizer = { adam = {} }
    "#;

    #[test]
    fn settings_that_do_not_go_together_are_refused_with_the_remedy() {
        Preset::read(TEXT, "x").unwrap();
        let surface = r#"{ surface = { function = "egg_crate", points = 9, radius = 4.0 } }"#;
        for (from, to, expected) in [
            ("units = 1,", "units = 3,", "3 outputs, but spirals has 2 classes: make it 2"),
            ("classes = 2", "classes = 3", "1 outputs, but spirals has 3 classes: make it 3"),
            ("classes = 2", "classes = 1", "has one class only"),
            ("\"binary_cross_entropy\"", "\"sparse_categorical_cross_entropy\"", "not sigmoid"),
            ("\"sigmoid\"", "\"softmax\"", "need categorical_cross_entropy"),
            ("epochs = 1", "epochs = 1\nearly_stopping = { patience = 2 }", "set data.validation"),
            (
                "[network]",
                "raw = [{ counts = [9, 9], range = [0.0, 1.0] }]\n[network]",
                "data.raw[0]: counts must go up, but are 9 and 9",
            ),
            (
                "\"binary_cross_entropy\"",
                "\"mean_squared_error\"\nlabel_smoothing = 0.1",
                "no labels to smooth",
            ),
            (
                "epochs = 1",
                "epochs = 1\nreduce_lr_on_plateau = { patience = 2, factor = 0.5, min_lr = 1.0, \
                 monitor = \"loss\" }",
                "min_lr: 1 is above the optimizer's learning_rate, 0.001",
            ),
            (
                "epochs = 1",
                "epochs = 1\nearly_stopping = { patience = 2, monitor = \"mean_absolute_error\" }",
                "early_stopping.monitor: the mean absolute error is for targets that are numbers",
            ),
            (
                "epochs = 1",
                "epochs = 1\nearly_stopping = { patience = 2, monitor = \"val_f1\" }",
                "expected one of `val_loss`",
            ),
            (
                "epochs = 1",
                "epochs = 1\naugmentation = { strength = 0.5 }",
                "training.augmentation: spirals has no images",
            ),
            ("epochs = 1", "epochs = 1\naugmentation = { shift = 1 }", "spirals has no images"),
            (
                "epochs = 1",
                "epochs = 1\nmixup = { alpha = 0.2 }",
                "training.mixup: its targets are distributions over classes, which \
                 binary_cross_entropy has not",
            ),
            (
                "epochs = 1",
                "epochs = 1\nmixup = { alpha = 3.0 }",
                "above 0 and at most 2, but is 3",
            ),
            (
                "epochs = 1",
                "epochs = 1\ndistillation = { teachers = [\"a\"] }",
                "training.distillation: its targets are distributions",
            ),
            (
                "epochs = 1",
                "epochs = 1\npruning = { final_sparsity = 0.5, begin = 0.7 }",
                "training.pruning: begin = 0.7 is after end = 0.6",
            ),
            (
                "optimizer = { adam = {} }",
                "optimizer = { adam = {} }\npruning = { final_sparsity = 0.5 }\n[quantization_aware]\n\
                 weights = \"int2\"",
                "quantization_aware.weights: int2 weights have no zero",
            ),
            (
                "optimizer = { adam = {} }",
                "optimizer = { ftrl = {} }\n[quantization_aware]\nweights = \"int4\"\nclipping = \"learned\"",
                "quantization_aware.clipping: steps of weights are not learned by `ftrl`",
            ),
            (
                "optimizer = { adam = {} }",
                "optimizer = { adam = {} }\n[quantization_aware]\nweights = [\"int4\"]",
                "quantization_aware.weights: 1 data types are given for 2 dense layers",
            ),
            (
                "optimizer = { adam = {} }",
                "optimizer = { adam = {} }\n[quantization_aware]\nweights = \"int4\"\nfloat_epochs = 1",
                "quantization_aware.float_epochs: 1 of 1 epochs are without rounding",
            ),
            ("epochs = 1", "epochs = 1\nema_momentum = 1.0", "must be from 0 to below 1, but is 1"),
            ("epochs = 1", "epochs = 1\nlog_every = 0", "must be at least 1, but is 0"),
            ("activation = \"sigmoid\"", "name = \"a\"", "two layers have the name `a`"),
            ("{ spirals = { arms = 2, points_per_arm = 50, classes = 2 } }", surface, ""),
        ] {
            assert!(TEXT.contains(from), "{from}");
            match Preset::read(&TEXT.replacen(from, to, 1), "x") {
                // Sigmoid outputs may well be values.
                Ok(preset) => assert_eq!((expected, preset.data.dataset.name()), ("", "surface")),
                Err(error) => {
                    let message = error.to_string();
                    assert!(!expected.is_empty() && message.contains(expected), "{to}: {message}");
                }
            }
        }
        let behind = TEXT
            .replacen(
                "{ dense = { units = 1,",
                "{ batch_normalization = {} }, { dense = { units = 1,",
                1,
            )
            .replacen(
                "{ adam = {} }",
                "{ adam = {} }\n[quantization_aware]\nweights = \"int8\"",
                1,
            );
        let message = Preset::read(&behind, "x").unwrap_err().to_string();
        assert!(
            message.contains("network.layers[1]: quantization-aware training needs"),
            "{message}"
        );
        let sparse = TEXT.replacen("\"sigmoid\"", "\"linear\"", 1).replacen(
            "{ spirals = { arms = 2, points_per_arm = 50, classes = 2 } }",
            surface,
            1,
        );
        let sparse = sparse.replacen("binary", "sparse_categorical", 1);
        let message = Preset::read(&sparse, "x").unwrap_err().to_string();
        assert!(message.contains("use mean_squared_error"), "{message}");
    }
}
