//! The datasets that have a name, and the places where their files may lie.

use std::env;
use std::fmt;
use std::path::PathBuf;

use etcetera::BaseStrategy;
use serde::{Deserialize, Serialize};

use super::dataset::digit_names;
use super::{
    Dataset, Error, Images, LoadProgress, MOTION_CLASSES, Motion, Preparation, ScalingMethod,
    Spirals, Surface, Table, TableTarget, Targets, digits, mnist,
};

/// A dataset that presets can name, or describe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// 1,797 handwritten digits of 8 × 8, embedded in the program.
    Digits,
    /// MNIST: 60,000 and 10,000 handwritten digits of 28 × 28, from files.
    Mnist,
    /// Fashion-MNIST: as many pieces of clothing, in files of the same form.
    FashionMnist,
    /// Spirals, made from the seed.
    Spirals(Spirals),
    /// A function of two numbers, made from the seed.
    Surface(Surface),
    /// Windows of acceleration, made from the seed.
    Motion(Motion),
    /// A CSV file.
    Csv(Table),
    /// A folder of images for each class.
    Images(Images),
}

/// What is to be learnt of each row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetKind {
    /// One of so many classes.
    Classes(usize),
    /// So many numbers.
    Values(usize),
}

/// A dataset as its source parts it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What may be trained with.
    pub train: Dataset,
    /// What the source itself sets aside for the test; `None` when the preset must.
    pub test: Option<Dataset>,
    /// What the source itself sets aside for validation; `None` when the preset may.
    pub validation: Option<Dataset>,
    /// Where it came from, for the user.
    pub origin: String,
    /// Remarks for the user, such as files that were passed over.
    pub notes: Vec<String>,
}

/// Folders in which files of datasets are looked for.
#[derive(Clone, Debug, Default)]
pub struct Locations {
    /// The folder of `--data-dir`, which has the files themselves.
    pub data_dir: Option<PathBuf>,
    /// The folder of `$THIMBLE_DATA`, which has a folder for each dataset.
    pub thimble_data: Option<PathBuf>,
    /// The user's cache folder, which has a folder for each dataset.
    pub cache: Option<PathBuf>,
    /// Receiver of progress where reading takes long.
    pub progress: LoadProgress,
}

impl Locations {
    /// The folders that the user's command line and environment name.
    pub fn from_environment(data_dir: Option<PathBuf>) -> Self {
        Locations {
            data_dir,
            thimble_data: env::var_os("THIMBLE_DATA").filter(|v| !v.is_empty()).map(PathBuf::from),
            cache: cache_folder().ok(),
            progress: LoadProgress::default(),
        }
    }

    /// The same folders, and a receiver of progress.
    pub fn with_progress(self, progress: LoadProgress) -> Self {
        Locations { progress, ..self }
    }

    /// The folders to look into, the first first.
    fn folders(&self, dataset: &str) -> Vec<PathBuf> {
        let of_dataset = |folder: &Option<PathBuf>| Some(folder.as_ref()?.join(dataset));
        let folders =
            [self.data_dir.clone(), of_dataset(&self.thimble_data), of_dataset(&self.cache)];
        folders.into_iter().flatten().collect()
    }
}

/// The folder that `fetch` fills and `train` looks into: `$XDG_CACHE_HOME/thimble`, or what the
/// system has in its place. It has a folder for each dataset.
///
/// # Errors
/// [`Error::NoCache`] when the user has no home folder.
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
    /// Every source that needs no description.
    pub const NAMED: [Source; 3] = [Source::Digits, Source::Mnist, Source::FashionMnist];

    /// The name that commands, messages and folders use.
    pub fn name(&self) -> &'static str {
        match self {
            Source::Digits => "digits",
            Source::Mnist => "mnist",
            Source::FashionMnist => "fashion-mnist",
            Source::Spirals(_) => "spirals",
            Source::Surface(_) => "surface",
            Source::Motion(_) => "motion",
            Source::Csv(_) => "csv",
            Source::Images(_) => "images",
        }
    }

    /// The source of this name, of those that need no description.
    pub fn from_name(name: &str) -> Option<Self> {
        Source::NAMED.into_iter().find(|source| source.name() == name)
    }

    /// Whether the source itself sets rows aside for the test; `None` where that is known only
    /// after the data is read.
    pub fn has_test(&self) -> Option<bool> {
        match self {
            Source::Mnist | Source::FashionMnist => Some(true),
            Source::Images(_) => None,
            _ => Some(false),
        }
    }

    /// Preparation of images for a network that was trained with them, where rows are images whose
    /// size is known before they are read.
    pub fn preparation(&self) -> Option<Preparation> {
        match self {
            Source::Digits => Some(Preparation::digits()),
            Source::Mnist => Some(Preparation::mnist(28, 28)),
            Source::FashionMnist => Some(Preparation::fashion_mnist(28, 28)),
            Source::Images(images) => images.resize.map(|size| images.preparation(size)),
            _ => None,
        }
    }

    /// Whether what is to be learnt are numbers, not classes.
    pub fn has_values(&self) -> bool {
        matches!(self.target_kind(), Some(TargetKind::Values(_)))
    }

    /// What is to be learnt, where that is known before the data is read.
    pub fn target_kind(&self) -> Option<TargetKind> {
        Some(match self {
            Source::Digits | Source::Mnist | Source::FashionMnist => TargetKind::Classes(10),
            Source::Spirals(spirals) => TargetKind::Classes(spirals.classes),
            Source::Surface(_) => TargetKind::Values(1),
            Source::Motion(_) => TargetKind::Classes(MOTION_CLASSES.len()),
            Source::Csv(Table { target: TableTarget::Values(names), .. }) => {
                TargetKind::Values(names.len())
            }
            Source::Csv(_) | Source::Images(_) => return None,
        })
    }

    /// Scaling of features where a preset names none.
    pub fn default_scaling(&self) -> ScalingMethod {
        match self {
            Source::Csv(_) => ScalingMethod::Standard,
            _ => ScalingMethod::None,
        }
    }

    /// The description with everything that reading the dataset showed: the features of a table by
    /// name.
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

    /// The key that decides how many rows are made from the seed, and how many that are; nothing
    /// for what is read.
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

    /// Reads the dataset, or makes it from the seed.
    ///
    /// # Errors
    /// [`Error::NotFound`] with every folder that was tried; [`Error::File`], [`Error::Format`],
    /// [`Error::Table`] or [`Error::Image`] with what cannot be read or is not what it should be.
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
            Source::Csv(table) => {
                return Ok(whole(table.load()?, &table.file.display().to_string()));
            }
            Source::Images(images) => {
                return images.load(&locations.progress);
            }
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
    /// What is to be learnt of each row.
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
