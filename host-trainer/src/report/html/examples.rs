//! Some test rows with their predictions, and one with all its probabilities.

use maud::{Markup, html};

use super::findings::Example;
use super::picture::img;
use crate::report::number::percent;
use crate::report::svg::round;

/// Returns the pictures of the rows with the predictions of both networks, then the first row with
/// every probability.
pub fn section(examples: &[Example], names: &[String], data_type: &str, results: &str) -> Markup {
    let name = |class: usize| names.get(class).map_or("", String::as_str);
    html! {
        @if let Some(first) = examples.first() {
            h3 { "Random " (results) " rows" }
            div class="wrong" {
                @for example in examples {
                    figure {
                        @if let Some(picture) = &example.picture {
                            (img(picture, &format!("Row {}, class {}", example.row, name(example.truth))))
                        }
                        figcaption {
                            "row " (example.row) ": " b { (name(example.truth)) } br;
                            (data_type) " " (name(example.int8.class)) ", "
                            (percent(example.int8.probability())) br;
                            "float " (name(example.float.class)) ", "
                            (percent(example.float.probability()))
                        }
                    }
                }
            }
            h3 { "Probabilities of row " (first.row) ", of class " (name(first.truth)) }
            div class="grid" {
                figure {
                    figcaption { "float " span { (conclusion(&first.float, names)) } }
                    (strip(&first.float.probabilities, names, "fill-first"))
                }
                figure {
                    figcaption { (data_type) " " span { (conclusion(&first.int8, names)) } }
                    (strip(&first.int8.probabilities, names, "fill-second"))
                }
            }
        }
    }
}

fn conclusion(answer: &super::findings::ClassAnswer, names: &[String]) -> String {
    let sum: f64 = answer.probabilities.iter().sum();
    let class = names.get(answer.class).map_or("", String::as_str);
    format!("sum {sum:.4}, largest: {class}")
}

/// Returns a column per class, as high as its probability.
fn strip(probabilities: &[f64], names: &[String], fill: &str) -> Markup {
    const WIDTH: f64 = 440.0;
    const HEIGHT: f64 = 120.0;
    const BOTTOM: f64 = 20.0;
    const TOP: f64 = 16.0;
    let side = WIDTH / probabilities.len().max(1) as f64;
    let label_every = (34.0 / side).ceil().max(1.0) as usize;
    html! {
        svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img"
            aria-label="Probability of each class" {
            @for (class, &probability) in probabilities.iter().enumerate() {
                @let height = (HEIGHT - TOP - BOTTOM) * probability.clamp(0.0, 1.0);
                @let (x, middle) = (class as f64 * side, round((class as f64 + 0.5) * side));
                rect class=(fill) x=(round(x + side * 0.1)) y=(round(HEIGHT - BOTTOM - height))
                    width=(round(side * 0.8)) height=(round(height.max(0.5))) {
                    title { (names.get(class).map_or("", String::as_str)) ": " (percent(probability)) }
                }
                @if class % label_every == 0 {
                    text class="middle" x=(middle) y=(HEIGHT - 5.0) {
                        (names.get(class).map_or(String::new(), |name| {
                            name.chars().take((side * label_every as f64 / 7.0) as usize).collect()
                        }))
                    }
                    text class="middle" x=(middle) y=(round(HEIGHT - BOTTOM - height - 3.0))
                        style="font-size: 9.5px" { (format!("{probability:.3}")) }
                }
            }
        }
    }
}
