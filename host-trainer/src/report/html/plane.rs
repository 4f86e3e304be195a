//! Section with predictions over a plane of two inputs.

use maud::{Markup, html};

use super::findings::{Legend, Picture, Plane};
use super::picture::{class_color, css, img, value_gradient};
use super::plot::{Axes, scatter};
use super::surface::SURFACE;
use crate::report::number::significant as number;
use crate::report::svg::round;

/// Returns the title of the section.
pub fn title(plane: &Plane) -> &'static str {
    match plane.legend {
        Legend::Classes(_) => "Decision regions",
        Legend::Values(..) => "Surface",
    }
}

/// Pictures of the targets, float and int8; with a link to the page in three dimensions if there is
/// one.
pub fn section(plane: &Plane, in_space: bool, data_type: &str) -> Markup {
    html! {
        h2 id="plane" { (title(plane)) }
        p class="faint" {
            "First input to the right, " (number(plane.x.0)) " to " (number(plane.x.1))
            ", second upwards, " (number(plane.y.0)) " to " (number(plane.y.1)) ". "
            @if in_space {
                a href=(SURFACE) { "In three dimensions" } ", with the rows of the data."
            }
        }
        div class="grid" {
            @if let Some(truth) = &plane.truth {
                figure { figcaption { "true" } (map(truth, plane, false, "Data")) }
            }
            figure { figcaption { "float" } (map(&plane.float, plane, true, "Prediction in float")) }
            @let caption = format!("Prediction in {data_type}");
            figure { figcaption { (data_type) } (map(&plane.int8, plane, true, &caption)) }
        }
        (legend(&plane.legend))
        h3 { "Rows of all splits" }
        div class="grid" {
            figure {
                (scatter("All rows on equal axes", ("first input", "second input"), &plane.scatter, Axes::Equal))
            }
        }
    }
}

fn map(picture: &Picture, plane: &Plane, points: bool, description: &str) -> Markup {
    let place = |value: f64, (from, to): (f64, f64)| round((value - from) / (to - from) * 1000.0);
    html! {
        div class="map" {
            (img(picture, description))
            @if points && !plane.points.is_empty() {
                svg viewBox="0 0 1000 1000" preserveAspectRatio="none" aria-hidden="true" {
                    @for &(x, y, class) in &plane.points {
                        circle cx=(place(x, plane.x)) cy=(round(1000.0 - place(y, plane.y))) r="7"
                            stroke="#fff" stroke-width="2" fill=(css(class_color(class))) {}
                    }
                }
            }
        }
    }
}

fn legend(legend: &Legend) -> Markup {
    html! {
        @match legend {
            Legend::Classes(classes) => ul class="key" style="margin-top: 14px" {
                @for (name, color) in classes {
                    li style=(format!("--swatch: {}", css(*color))) { (name) }
                }
            },
            Legend::Values(least, most) => {
                div class="scale" style=(value_gradient()) {}
                div class="ends" { span { (number(*least)) } span { (number(*most)) } }
            },
        }
    }
}
