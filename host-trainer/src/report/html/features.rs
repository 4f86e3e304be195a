//! Page with the outputs of a layer as scatter plots.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{Markup, html};

use super::page::page;
use crate::report::number::grouped;
use crate::report::svg::{CLASSES, ScatterPlot, scatter_svg};

/// Content of the page.
#[derive(Clone, Copy, Debug)]
pub struct FeaturesPage<'a> {
    /// Title.
    pub title: &'a str,
    /// Plots, which stand side by side.
    pub plots: &'a [Plot<'a>],
    /// Number of rows.
    pub rows: usize,
    /// Splits of the rows, such as `training`.
    pub splits: &'a str,
}

/// A plot of the page.
#[derive(Clone, Copy, Debug)]
pub struct Plot<'a> {
    /// The plot.
    pub scatter: ScatterPlot<'a>,
    /// Meaning of the positions.
    pub explanation: &'a str,
    /// Files with the same plot, and its points.
    pub files: [&'a str; 2],
}

/// Plots side by side, then each class among all others.
pub fn features_html(features: &FeaturesPage<'_>) -> String {
    let classes = features.plots.first().map_or(&[][..], |plot| plot.scatter.classes);
    let body = html! {
        header { h1 { (features.title) } }
        p class="faint" {
            (grouped(features.rows as u64)) " " (features.splits) " rows; each point is one."
        }
        div class="grid pictures" {
            @for plot in features.plots {
                figure {
                    (image(&plot.scatter))
                    p class="faint" {
                        (plot.explanation) " "
                        @for file in plot.files { a href=(file) { (file) } " " }
                    }
                }
            }
        }
        @if classes.len() > 1 {
            h2 { "Each class among all others" }
            @for plot in features.plots {
                details open[classes.len() > CLASSES] {
                    summary { (plot.scatter.title) }
                    div class="grid" {
                        @for (class, name) in classes.iter().enumerate() {
                            figure {
                                figcaption { (name) }
                                (image(&ScatterPlot { only: Some(class), title: name, ..plot.scatter }))
                            }
                        }
                    }
                }
            }
        }
    };
    page(features.title, body)
}

/// The same picture as in the file, since its styles must not meet those of the page.
pub(super) fn image(plot: &ScatterPlot<'_>) -> Markup {
    let url = format!("data:image/svg+xml;base64,{}", STANDARD.encode(scatter_svg(plot)));
    let points = grouped(plot.points.len() as u64);
    let description = format!(
        "Scatter plot of {points} points: {}; to the right {}, upwards {}",
        plot.title, plot.titles.0, plot.titles.1
    );
    html! { img src=(url) alt=(description) style="width: 100%"; }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::svg::Axes;

    fn written(classes: &[String]) -> String {
        let scatter = ScatterPlot {
            title: "PCA",
            titles: ("first", "second"),
            points: &[(0.0, 1.0, 0), (1.0, 0.0, 1)],
            classes,
            only: None,
            axes: Axes::Independent,
        };
        let plot = Plot { scatter, explanation: "Near is alike.", files: ["a.svg", "a.csv"] };
        let plots = [plot, plot];
        features_html(&FeaturesPage { title: "t", plots: &plots, rows: 2, splits: "training" })
    }

    #[test]
    fn a_plot_per_projection_and_class() {
        let page = written(&["a<".to_string(), "b".to_string()]);
        assert_eq!(page.matches("<img").count(), 2 + 2 * 2);
        assert!(page.contains("a&lt;") && page.contains("2 training rows"));
        assert!(page.contains("href=\"a.csv\"") && !page.contains("<script"));
        assert_eq!(written(&[]).matches("<img").count(), 2);
    }
}
