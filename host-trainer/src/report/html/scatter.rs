//! The page of a layer's outputs in two dimensions.

use maud::html;

use super::page::page;
use super::picture::{class_colour, css};
use super::plot::scatter;

/// The most classes with a colour of their own.
const COLOURS: usize = 8;

/// What a plane shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Plane {
    /// What its axes say.
    pub axes: (String, String),
    /// How a place in it is to be understood.
    pub explanation: String,
}

/// Points by class: `points` are x, y, class.
pub fn scatter_html(
    title: &str,
    classes: &[String],
    points: &[(f64, f64, usize)],
    plane: &Plane,
) -> String {
    let coloured = classes.len() <= COLOURS;
    let all = || -> Vec<(f64, f64, String)> {
        points.iter().map(|&(x, y, class)| (x, y, css(class_colour(class)))).collect()
    };
    // A class above all others, which come first.
    let one = |class: usize| -> Vec<(f64, f64, String)> {
        let colour = if coloured { css(class_colour(class)) } else { "var(--first)".to_string() };
        let part = |own: bool| {
            let colour = if own { colour.clone() } else { "var(--line)".to_string() };
            points
                .iter()
                .filter(move |point| (point.2 == class) == own)
                .map(move |&(x, y, _)| (x, y, colour.clone()))
        };
        part(false).chain(part(true)).collect()
    };
    let (x, y) = (&plane.axes.0, &plane.axes.1);
    let body = html! {
        header { h1 { (title) } }
        p class="faint" { (plane.explanation) }
        @if coloured {
            ul class="key" {
                @for (class, name) in classes.iter().enumerate() {
                    li style=(format!("--swatch: {}", css(class_colour(class)))) { (name) }
                }
            }
        }
        div class="grid" {
            @if coloured {
                figure {
                    figcaption { "All rows" }
                    (scatter("All rows", (x, y), &all(), false))
                }
            }
            @if classes.len() > 1 {
                @for (class, name) in classes.iter().enumerate() {
                    figure {
                        figcaption { (name) " " span { "among all others" } }
                        (scatter(&format!("Rows of {name}"), (x, y), &one(class), false))
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
        let axes = ("x < 1".to_string(), "y".to_string());
        let plane = Plane { axes, explanation: "points".to_string() };
        let page = scatter_html("t", &classes, &[(0.0, 1.0, 0), (1.0, 0.0, 1)], &plane);
        assert_eq!(page.matches("<svg").count(), 3);
        assert!(page.contains("a&lt;") && page.contains("x &lt; 1") && !page.contains("<script"));
        let many: Vec<String> = (0..10).map(|class| class.to_string()).collect();
        assert_eq!(scatter_html("t", &many, &[], &plane).matches("<svg").count(), 10);
    }
}
