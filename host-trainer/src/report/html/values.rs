//! How well numbers are met.

use maud::{Markup, html};

use super::findings::{ValueAnswers, Values};
use super::plot::scatter;
use crate::report::number::{r_squared, significant as number};

/// Errors, and answers over targets.
pub fn section(values: &Values, precision: &str, results: &str) -> Markup {
    let unit = match values.unit.as_str() {
        "" => String::new(),
        unit => format!(", {unit}"),
    };
    html! {
        h2 id="answers" { "Answers on the " (results) " rows" }
        table class="stack" {
            thead { tr {
                th scope="col" { "network" } th scope="col" { "mean squared error" }
                th scope="col" { "mean absolute error" } th scope="col" { "R²" }
            } }
            tbody {
                @for (name, answers) in [("float", &values.float), (precision, &values.int8)] { tr {
                    th scope="row" { (name) }
                    td data-column="mean squared error" { (number(answers.mse)) }
                    td data-column="mean absolute error" { (number(answers.mae)) }
                    td data-column="R²" { (r_squared(answers.r2)) }
                } }
            }
        }
        div class="grid" {
            (figure("float", &values.float, &unit, "var(--first)"))
            (figure(precision, &values.int8, &unit, "var(--second)"))
        }
    }
}

fn figure(name: &str, answers: &ValueAnswers, unit: &str, colour: &str) -> Markup {
    let points: Vec<(f64, f64, String)> =
        answers.points.iter().map(|&(x, y)| (x, y, colour.to_string())).collect();
    html! {
        figure {
            figcaption { (name) " " span { "answer over target" (unit) } }
            (scatter(&format!("Answers of {name} over targets"), ("target", "answer"), &points, true))
        }
    }
}
