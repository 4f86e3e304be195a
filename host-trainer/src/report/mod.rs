//! Reports: tables on the terminal, SVG pictures and HTML pages.

mod architecture;
pub(crate) mod attempts;
mod aware;
mod chips;
mod confusion;
mod features;
pub mod html;
mod inspect;
mod intake;
mod layer_titles;
mod metrics;
mod number;
pub(crate) mod style;
mod summary;
mod svg;
mod table;
mod warnings;

pub use architecture::{LayerSummary, architecture_text, layer_summaries};
pub use attempts::attempts_text;
pub use aware::aware_text;
pub use chips::{chips_text, prediction_text};
pub use confusion::confusion_text;
pub use features::{FeatureRange, clipping_text, feature_ranges};
pub use inspect::inspect_text;
pub use intake::{intake_text, intake_warnings, missing_classes, warnings_text};
pub use layer_titles::layer_titles;
pub use metrics::{ModelMetrics, evaluation as evaluation_json, results_of, training_metrics};
pub use number::{bytes, grouped, percent, seconds, significant};
pub use summary::{Column, model_text, quality_text};
pub use svg::{Axes, ScatterPlot, confusion_svg, curves_svg, scatter_svg};
pub(crate) use table::{Cell, Table};
pub use warnings::{constant_warnings, warnings};
