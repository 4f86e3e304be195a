//! The datasets that have a name, and the places where their files may lie.

use std::env;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Dataset, Error, digits, mnist};

/// A dataset that presets and commands can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// 1,797 handwritten digits of 8 × 8, embedded in the program.
    Digits,
    /// MNIST: 60,000 and 10,000 handwritten digits of 28 × 28, from files.
    Mnist,
}

/// A dataset as its source parts it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What may be trained with.
    pub train: Dataset,
    /// What the source itself sets aside for the test; `None` when the preset must.
    pub test: Option<Dataset>,
    /// Where it came from, for the user.
    pub origin: String,
}

/// Folders in which files of datasets are looked for.
#[derive(Clone, Debug, Default)]
pub struct Locations {
    /// The folder of `--data-dir`, which has the files themselves.
    pub data_dir: Option<PathBuf>,
    /// The folder of `$THIMBLE_DATA`, which has a folder for each dataset.
    pub thimble_data: Option<PathBuf>,
    /// The user's cache folder for the dataset.
    pub cache: Option<PathBuf>,
}

impl Locations {
    /// The folders that the user's command line and environment name.
    pub fn from_environment(data_dir: Option<PathBuf>) -> Self {
        Locations {
            data_dir,
            thimble_data: env::var_os("THIMBLE_DATA").filter(|v| !v.is_empty()).map(PathBuf::from),
            cache: mnist::mnist_cache().ok(),
        }
    }

    /// The folders to look into, the first first.
    fn folders(&self, dataset: &str) -> Vec<PathBuf> {
        let thimble_data = self.thimble_data.as_ref().map(|folder| folder.join(dataset));
        [self.data_dir.clone(), thimble_data, self.cache.clone()].into_iter().flatten().collect()
    }
}

impl Source {
    /// Every source.
    pub const ALL: [Source; 2] = [Source::Digits, Source::Mnist];

    /// The name that presets and commands use.
    pub fn name(self) -> &'static str {
        match self {
            Source::Digits => "digits",
            Source::Mnist => "mnist",
        }
    }

    /// The source of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Source::ALL.into_iter().find(|source| source.name() == name)
    }

    /// Whether the source itself sets rows aside for the test.
    pub fn has_test(self) -> bool {
        match self {
            Source::Digits => false,
            Source::Mnist => true,
        }
    }

    /// Number of features and of classes.
    pub fn widths(self) -> (usize, usize) {
        match self {
            Source::Digits => (64, 10),
            Source::Mnist => (784, 10),
        }
    }

    /// Reads the dataset.
    ///
    /// # Errors
    /// [`Error::NotFound`] with every folder that was tried; [`Error::File`] or [`Error::Format`]
    /// with the file that cannot be read or is not what it should be.
    pub fn load(self, locations: &Locations) -> Result<Loaded, Error> {
        match self {
            Source::Digits => Ok(Loaded {
                train: digits::load()?,
                test: None,
                origin: "embedded in the program".to_string(),
            }),
            Source::Mnist => {
                let (train, test, folder) = mnist::load(&locations.folders(self.name()))?;
                Ok(Loaded { train, test: Some(test), origin: folder.display().to_string() })
            }
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
            cache: Some("c/thimble/mnist".into()),
        };
        let expected: [PathBuf; 3] = ["a".into(), "b/mnist".into(), "c/thimble/mnist".into()];
        assert_eq!(locations.folders("mnist"), expected);
    }

    #[test]
    fn names_and_widths_are_those_of_the_data() {
        for source in Source::ALL {
            assert_eq!(Source::from_name(source.name()), Some(source));
        }
        let digits = Source::Digits.load(&Locations::default()).unwrap().train;
        assert_eq!((digits.width(), digits.classes()), Source::Digits.widths());
    }
}
