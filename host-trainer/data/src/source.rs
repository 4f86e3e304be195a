//! Sources of datasets, and the folders that are searched for their files.

use std::env;
use std::fmt;
use std::path::PathBuf;

use etcetera::BaseStrategy;
use serde::{Deserialize, Serialize};

use super::dataset::digit_names;
use super::{
    ACTIVITY_CLASSES, Dataset, Error, Images, LoadProgress, MOTION_CLASSES, Motion, Preparation,
    Recordings, ScalingMethod, Schema, Spirals, Surface, Table, TableTarget, Targets, Windows,
    activity, digits, mnist,
};

/// Source of a dataset in a preset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// 1,797 handwritten digits, 8 × 8, embedded in the program.
    Digits,
    /// MNIST: 60,000 + 10,000 handwritten digits, 28 × 28, from files.
    Mnist,
    /// Fashion-MNIST: 60,000 + 10,000 pieces of clothing, 28 × 28, from files.
    FashionMnist,
    /// Synthetic spirals.
    Spirals(Spirals),
    /// A synthetic function of two variables.
    Surface(Surface),
    /// Synthetic windows of acceleration.
    Motion(Motion),
    /// Windows of the embedded recordings of an accelerometer on people.
    Activity(Windows),
    /// Windows of recordings in CSV files.
    Recordings(Recordings),
    /// A CSV file.
    Csv(Table),
    /// Image folders, one per class.
    Images(Images),
    /// No rows: inputs and targets of an imported network.
    Schema(Schema),
}

/// Kind of targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetKind {
    /// Classification with this number of classes.
    Classes(usize),
    /// Regression with this number of targets.
    Values(usize),
}

/// A dataset with the splits of its source.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Rows for training, and for splits of the preset.
    pub train: Dataset,
    /// Test split of the source, or `None` if the preset must define it.
    pub test: Option<Dataset>,
    /// Validation split of the source, or `None` if the preset may define it.
    pub validation: Option<Dataset>,
    /// Origin of the data, for messages.
    pub origin: String,
    /// Notes for the user, such as skipped files.
    pub notes: Vec<String>,
}

/// Folders that are searched for datasets.
#[derive(Clone, Debug, Default)]
pub struct Locations {
    /// The folder of `--data-dir`, which contains the files.
    pub data_dir: Option<PathBuf>,
    /// The folder of `$THIMBLE_DATA`, which contains one folder per dataset.
    pub thimble_data: Option<PathBuf>,
    /// The user's cache folder, which contains one folder per dataset.
    pub cache: Option<PathBuf>,
    /// Receiver of progress while reading.
    pub progress: LoadProgress,
}

impl Locations {
    /// Returns the folders of the command line and the environment.
    pub fn from_environment(data_dir: Option<PathBuf>) -> Self {
        Locations {
            data_dir,
            thimble_data: env::var_os("THIMBLE_DATA").filter(|v| !v.is_empty()).map(PathBuf::from),
            cache: cache_folder().ok(),
            progress: LoadProgress::default(),
        }
    }

    /// Returns the same folders with a receiver of progress.
    pub fn with_progress(self, progress: LoadProgress) -> Self {
        Locations { progress, ..self }
    }

    /// Returns the folders to search, in order.
    fn folders(&self, dataset: &str) -> Vec<PathBuf> {
        let of_dataset = |folder: &Option<PathBuf>| Some(folder.as_ref()?.join(dataset));
        let folders =
            [self.data_dir.clone(), of_dataset(&self.thimble_data), of_dataset(&self.cache)];
        folders.into_iter().flatten().collect()
    }
}

/// Returns the folder of downloaded datasets: `$XDG_CACHE_HOME/thimble`, or its equivalent on the
/// operating system. It contains one folder per dataset.
///
/// # Errors
/// [`Error::NoCache`] if the user has no home folder.
pub fn cache_folder() -> Result<PathBuf, Error> {
    match etcetera::choose_base_strategy() {
        Ok(strategy) => Ok(strategy.cache_dir().join("thimble")),
        Err(error) => Err(Error::NoCache(error.to_string())),
    }
}

const CLOTHES: [&str; 10] = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
];

impl Source {
    /// All sources without settings.
    pub const NAMED: [Source; 3] = [Source::Digits, Source::Mnist, Source::FashionMnist];

    /// Returns the name for commands, messages and folders.
    pub fn name(&self) -> &'static str {
        match self {
            Source::Digits => "digits",
            Source::Mnist => "mnist",
            Source::FashionMnist => "fashion-mnist",
            Source::Spirals(_) => "spirals",
            Source::Surface(_) => "surface",
            Source::Motion(_) => "motion",
            Source::Activity(_) => "activity",
            Source::Recordings(_) => "recordings",
            Source::Csv(_) => "csv",
            Source::Images(_) => "images",
            Source::Schema(_) => "schema",
        }
    }

    /// Returns the source without settings of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Source::NAMED.into_iter().find(|source| source.name() == name)
    }

    /// Returns `true` if the source has its own test split, or `None` if that is known only after
    /// reading.
    pub fn has_test(&self) -> Option<bool> {
        match self {
            Source::Mnist | Source::FashionMnist => Some(true),
            Source::Images(_) | Source::Schema(_) => None,
            _ => Some(false),
        }
    }

    /// Returns the preparation of images, if rows are images whose size is known before reading.
    pub fn preparation(&self) -> Option<Preparation> {
        match self {
            Source::Digits => Some(Preparation::digits()),
            Source::Mnist => Some(Preparation::mnist(28, 28)),
            Source::FashionMnist => Some(Preparation::fashion_mnist(28, 28)),
            Source::Images(images) => images.resize.map(|size| images.preparation(size)),
            _ => None,
        }
    }

    /// Returns `true` if rows are images.
    pub fn has_images(&self) -> bool {
        matches!(self, Source::Digits | Source::Mnist | Source::FashionMnist | Source::Images(_))
    }

    /// Returns `true` if rows are windows of recordings.
    pub fn has_recordings(&self) -> bool {
        matches!(self, Source::Activity(_) | Source::Recordings(_))
    }

    /// Returns `true` for regression.
    pub fn has_values(&self) -> bool {
        matches!(self.target_kind(), Some(TargetKind::Values(_)))
    }

    /// Returns the kind of targets, if it is known before reading.
    pub fn target_kind(&self) -> Option<TargetKind> {
        Some(match self {
            Source::Digits | Source::Mnist | Source::FashionMnist => TargetKind::Classes(10),
            Source::Spirals(spirals) => TargetKind::Classes(spirals.classes),
            Source::Surface(_) => TargetKind::Values(1),
            Source::Motion(_) => TargetKind::Classes(MOTION_CLASSES.len()),
            Source::Csv(Table { target: TableTarget::Values(names), .. }) => {
                TargetKind::Values(names.len())
            }
            Source::Activity(_) => TargetKind::Classes(ACTIVITY_CLASSES.len()),
            Source::Schema(schema) => schema.target_kind(),
            Source::Csv(_) | Source::Recordings(_) | Source::Images(_) => return None,
        })
    }

    /// Returns the default feature scaling.
    pub fn default_scaling(&self) -> ScalingMethod {
        match self {
            Source::Csv(_) | Source::Activity(_) | Source::Recordings(_) => ScalingMethod::Standard,
            _ => ScalingMethod::None,
        }
    }

    /// Returns the source with the settings that follow from the dataset: the names of a table's
    /// features.
    pub fn resolved(self, dataset: &Dataset) -> Self {
        match self {
            Source::Csv(table) => {
                let labels = dataset.feature_labels().iter();
                let features = labels.map(|label| label.name.clone()).collect();
                Source::Csv(Table { features, ..table })
            }
            other => other,
        }
    }

    /// Returns the key that determines the number of synthetic rows, and their number. `None` for
    /// other sources.
    pub fn made_rows(&self) -> Option<(&'static str, usize)> {
        Some(match self {
            Source::Spirals(spirals) => {
                ("spirals.points_per_arm", spirals.arms.saturating_mul(spirals.points_per_arm))
            }
            Source::Surface(surface) => ("surface.points", surface.points),
            Source::Motion(motion) => (
                "motion.windows_per_class",
                motion.windows_per_class.saturating_mul(MOTION_CLASSES.len()),
            ),
            _ => return None,
        })
    }

    /// Reads the dataset, or generates it from the seed.
    ///
    /// # Errors
    /// [`Error::NotFound`] with all searched folders. [`Error::NoRows`] for a schema. [`Error::File`], [`Error::Format`],
    /// [`Error::Table`] or [`Error::Image`] for a file that cannot be read or is invalid.
    pub fn load(&self, locations: &Locations, seed: u64) -> Result<Loaded, Error> {
        let whole = |train, origin: &str| Loaded {
            train,
            test: None,
            validation: None,
            origin: origin.to_string(),
            notes: Vec::new(),
        };
        let clothes = || CLOTHES.map(String::from).to_vec();
        let class_names = match self {
            Source::Digits => {
                let dataset = digits::load()?.with_preparation(Preparation::digits());
                return Ok(whole(dataset, "embedded in the program"));
            }
            Source::Spirals(spirals) => {
                return Ok(whole(spirals.generate(seed)?, "made from the seed"));
            }
            Source::Surface(surface) => {
                return Ok(whole(surface.generate(seed)?, "made from the seed"));
            }
            Source::Motion(motion) => {
                return Ok(whole(motion.generate(seed)?, "made from the seed"));
            }
            Source::Activity(windows) => {
                let (dataset, notes) = activity::load(windows)?;
                return Ok(Loaded { notes, ..whole(dataset, "embedded in the program") });
            }
            Source::Recordings(recordings) => {
                let (dataset, notes) = recordings.load()?;
                let origin = recordings.path.display().to_string();
                return Ok(Loaded { notes, ..whole(dataset, &origin) });
            }
            Source::Csv(table) => {
                return Ok(whole(table.load()?, &table.file.display().to_string()));
            }
            Source::Images(images) => {
                return images.load(&locations.progress);
            }
            Source::Schema(_) => return Err(Error::NoRows),
            Source::Mnist => digit_names(),
            Source::FashionMnist => clothes(),
        };
        let folders = locations.folders(self.name());
        let (train, test, folder) = mnist::load(self.name(), &class_names, &folders)?;
        let prepared = |dataset: Dataset| match self.preparation() {
            Some(preparation) => dataset.with_preparation(preparation),
            None => dataset,
        };
        Ok(Loaded {
            train: prepared(train),
            test: Some(prepared(test)),
            validation: None,
            origin: folder.display().to_string(),
            notes: Vec::new(),
        })
    }
}

impl Dataset {
    /// Returns the kind of targets.
    pub fn target_kind(&self) -> TargetKind {
        match self.targets() {
            Targets::Classes(labels) => TargetKind::Classes(labels.names.len()),
            Targets::Values(values) => TargetKind::Values(values.names.len()),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_tried_in_the_documented_order() {
        let locations = Locations {
            data_dir: Some("a".into()),
            thimble_data: Some("b".into()),
            cache: Some("c/thimble".into()),
            ..Locations::default()
        };
        let expected: [PathBuf; 3] = ["a".into(), "b/mnist".into(), "c/thimble/mnist".into()];
        assert_eq!(locations.folders("mnist"), expected);
    }

    #[test]
    fn names_and_targets_are_those_of_the_data() {
        for source in Source::NAMED {
            assert_eq!(Source::from_name(source.name()), Some(source.clone()));
        }
        let digits = Source::Digits.load(&Locations::default(), 1).unwrap().train;
        assert_eq!(Some(digits.target_kind()), Source::Digits.target_kind());
        assert_eq!(digits.width(), 64);
    }
}
