//! Reports as self-contained HTML files without scripts.

mod activations;
mod architecture;
mod classes;
mod compare;
mod confusion;
mod examples;
mod figures;
mod findings;
mod gather;
mod layers;
mod page;
mod picture;
mod plane;
mod plot;
mod scatter;
mod values;

pub use activations::activations_html;
pub use compare::{Compared, columns, compare_html};
pub use findings::Findings;
pub use gather::{GatherError, RunParts, gather};
pub use page::report_html;
pub use scatter::{Projection, scatter_html};
