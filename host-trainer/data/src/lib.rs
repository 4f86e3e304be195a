//! Datasets: sources, CSV tables, recordings, images, splits, scaling, data augmentation.
//!
//! A [`Source`] says where rows come from, [`Splits`] divide them, and a [`Subset`] has some rows of a
//! [`Dataset`], scaled.
//!
//! ```
//! use thimble_data::{Locations, Source};
//!
//! let digits = Source::Digits.load(&Locations::default(), 1)?.train;
//! assert_eq!((digits.rows(), digits.shape()), (1_797, &[8, 8][..]));
//! # Ok::<(), thimble_data::Error>(())
//! ```

mod activity;
mod area;
mod augment;
mod byte_sums;
mod counts;
mod dataset;
mod deform;
mod digits;
mod error;
mod features;
#[cfg(feature = "fetch")]
mod fetch;
mod fingerprint;
mod generate;
mod idx;
mod image_file;
mod image_folder;
mod images;
mod mnist;
mod motion;
mod progress;
mod recordings;
mod scaling;
mod schema;
mod source;
mod split;
mod stage;
mod subset;
mod table;
mod target_scaling;
mod targets;
mod window_feature;
mod windows;

pub use activity::{CLASSES as ACTIVITY_CLASSES, activity_recording};
pub use area::Averager;
pub use augment::{Shift, Shifts};
pub use byte_sums::ByteSums;
pub use counts::Raw;
pub use dataset::{Dataset, FeatureLabel, Original};
pub use deform::{DeformMemory, Deformation, Deformer, image_shape};
pub use error::Error;
pub use features::Features;
#[cfg(feature = "fetch")]
pub use fetch::{FetchProgress, Mirror, fetch};
pub use generate::{Function, Spirals, Surface};
pub use image_file::{ImageError, read_image};
pub use images::{Images, Unreadable};
pub use mnist::{FASHION_MNIST_FILES, MNIST_FILES, MnistFile};
pub use motion::{CLASSES as MOTION_CLASSES, Motion};
pub use progress::LoadProgress;
pub use recordings::Recordings;
pub use scaling::{FixedScaling, ScalingMethod, Spread};
pub use schema::{Schema, SchemaTarget};
pub use source::{Loaded, Locations, Source, TargetKind, cache_folder};
pub use split::{Amount, Fold, HoldOut, Results, Splits, TestRows};
pub use stage::Stage;
pub use subset::{Subset, TargetBuffer};
pub use table::{Intake, Missing, Row, RowReader, RowSpec, Section, Table, TableTarget};
pub use targets::{Labels, Targets, Values};
pub use thimble_features::{Area, AreaMismatch};
pub use thimble_numeric::scaling::Scaling;
pub use thimble_preparation::{
    Background, ColorMode, Fit, Invert, Preparation, PreparationError, PrepareError, Prepared,
};
pub use window_feature::WindowFeature;
pub use windows::{RowRecordings, WindowFeatures, Windows};
