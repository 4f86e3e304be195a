//! Scatter plot page of a layer's outputs.

use maud::html;

use super::page::page;
use super::picture::{class_color, css};
use super::plot::{Axes, scatter};
use crate::report::number::percent;

/// Maximum number of classes with a color of their own.
const COLOURS: usize = 8;

/// Projection of rows onto a plane.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Projection {
    /// Principal component analysis.
    Components {
        /// Share of the variance that each component explains.
        explained: (f64, f64),
    },
    /// By UMAP.
    Umap {
        /// Number of neighbors.
        neighbors: usize,
        /// Minimum distance of points.
        min_distance: f32,
    },
}

impl Projection {
    /// Returns the axis titles.
    fn axes(&self) -> (String, String) {
        match self {
            Projection::Components { explained: (first, second) } => (
                format!("first component, {} of the variance", percent(*first)),
                format!("second component, {}", percent(*second)),
            ),
            Projection::Umap { .. } => ("UMAP 1".to_string(), "UMAP 2".to_string()),
        }
    }

    /// Explains the meaning of positions.
    fn explanation(&self) -> String {
        match self {
            Projection::Components { .. } => String::from(
                "Each point is a row, projected onto the two principal components of the \
                 outputs. Classes that are separate here are easy to distinguish.",
            ),
            Projection::Umap { neighbors, min_distance } => format!(
                "Each point is a row, placed so that rows with similar outputs are neighbors \
                 (UMAP: {neighbors} neighbors, minimum distance {min_distance}). Rows close \
                 together are similar. The size of a group and its distance from others have \
                 little meaning."
            ),
        }
    }
}

/// Scatter plot by class; `points` are x, y, class.
pub fn scatter_html(
    title: &str,
    classes: &[String],
    points: &[(f64, f64, usize)],
    projection: Projection,
) -> String {
    let colored = classes.len() <= COLOURS;
    let all = || -> Vec<(f64, f64, String)> {
        points.iter().map(|&(x, y, class)| (x, y, css(class_color(class)))).collect()
    };
    // One class on top of all others.
    let one = |class: usize| -> Vec<(f64, f64, String)> {
        let color = if colored { css(class_color(class)) } else { "var(--first)".to_string() };
        let part = |own: bool| {
            let color = if own { color.clone() } else { "var(--line)".to_string() };
            points
                .iter()
                .filter(move |point| (point.2 == class) == own)
                .map(move |&(x, y, _)| (x, y, color.clone()))
        };
        part(false).chain(part(true)).collect()
    };
    let (x, y) = projection.axes();
    let body = html! {
        header { h1 { (title) } }
        p class="faint" { (projection.explanation()) }
        @if colored {
            ul class="key" {
                @for (class, name) in classes.iter().enumerate() {
                    li style=(format!("--swatch: {}", css(class_color(class)))) { (name) }
                }
            }
        }
        div class="grid" {
            @if colored {
                figure {
                    figcaption { "All rows" }
                    (scatter("All rows", (&x, &y), &all(), Axes::Fitted))
                }
            }
            @if classes.len() > 1 {
                @for (class, name) in classes.iter().enumerate() {
                    figure {
                        figcaption { (name) " " span { "among all others" } }
                        (scatter(&format!("Rows of {name}"), (&x, &y), &one(class), Axes::Fitted))
                    }
                }
            }
        }
    };
    page(title, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plot_a_class_and_one_of_all() {
        let classes = ["a<".to_string(), "b".to_string()];
        let projection = Projection::Components { explained: (0.5, 0.25) };
        let page = scatter_html("t", &classes, &[(0.0, 1.0, 0), (1.0, 0.0, 1)], projection);
        assert_eq!(page.matches("<svg").count(), 3);
        assert!(page.contains("a&lt;") && page.contains("50.00 %") && !page.contains("<script"));
        let many: Vec<String> = (0..10).map(|class| class.to_string()).collect();
        assert_eq!(scatter_html("t", &many, &[], projection).matches("<svg").count(), 10);
        let umap = Projection::Umap { neighbors: 7, min_distance: 0.25 };
        let page = scatter_html("t", &many, &[], umap);
        assert!(page.contains("7 neighbors, minimum distance 0.25") && page.contains("UMAP 2"));
    }
}
