//! Reports as self-contained HTML files. Only that of a surface has a script.

mod activations;
mod architecture;
mod classes;
mod compare;
mod confusion;
mod examples;
mod features;
mod figures;
mod findings;
mod gather;
mod layers;
mod page;
mod picture;
mod plane;
mod plot;
mod search;
mod surface;
mod values;

pub use activations::activations_html;
pub use compare::{Compared, columns, compare_html};
pub use features::{FeaturesPage, Plot, features_html};
pub use findings::Findings;
pub use gather::{GatherError, RunParts, gather};
pub use page::report_html;
pub(crate) use page::{kilobytes, page};
pub(super) use picture::class_color;
pub use search::{SearchPage, search_html};
pub use surface::{SURFACE, surface_html};
