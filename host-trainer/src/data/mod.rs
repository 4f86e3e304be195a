//! Datasets: where they come from, what they hold, how they are parted.

mod augment;
mod counts;
mod dataset;
mod digits;
mod error;
mod fetch;
mod fingerprint;
mod generate;
mod idx;
mod images;
mod mnist;
mod motion;
mod scaling;
mod source;
mod split;
mod subset;
mod table;

pub use augment::{Shift, Shifts};
pub use counts::Raw;
pub use dataset::{Dataset, FeatureLabel, Features, Labels, Targets, Values};
pub use error::Error;
pub use fetch::{FetchProgress, Mirror, fetch};
pub use generate::{Function, Spirals, Surface};
pub use images::Images;
pub use mnist::{FASHION_MNIST_FILES, MNIST_FILES, MnistFile};
pub use motion::{CLASSES as MOTION_CLASSES, Motion};
pub use scaling::{Scaling, ScalingMethod};
pub use source::{Loaded, Locations, Source, TargetKind, cache_folder};
pub use split::{Amount, HoldOut, Splits};
pub use subset::{Subset, TargetBuffer};
pub use table::{Table, TableTarget};
