//! Datasets: where they come from, what they hold, how they are parted.

mod augment;
mod dataset;
mod digits;
mod error;
mod fetch;
mod idx;
mod mnist;
mod source;
mod split;
mod subset;

pub use augment::{Shift, Shifts};
pub use dataset::{Dataset, Features, Labels};
pub use error::Error;
pub use fetch::{FetchProgress, Mirror, fetch_mnist};
pub use mnist::{MNIST_FILES, MnistFile, mnist_cache};
pub use source::{Loaded, Locations, Source};
pub use split::{Amount, HoldOut, Splits};
pub use subset::Subset;
