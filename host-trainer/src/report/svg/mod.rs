//! Pictures as SVG, for light and dark pages.

mod axis;
mod canvas;
mod confusion;
mod curves;
mod scatter;

pub(super) use axis::Axis;
pub(super) use canvas::round;
pub use confusion::confusion_svg;
pub use curves::curves_svg;
pub use scatter::{Axes, CLASSES, ScatterPlot, scatter_svg};
