//! Page with the curves of all activation functions.

use maud::html;

use super::page::page;
use super::plot::{Series, square};
use crate::network::{ACTIVATIONS, Activation, Head};

/// Range of the inputs, and number of points in it.
const RANGE: (f64, f64) = (-4.0, 4.0);
const POINTS: usize = 201;

/// Returns the inputs of all curves.
fn inputs() -> impl Iterator<Item = f64> {
    let step = (RANGE.1 - RANGE.0) / (POINTS - 1) as f64;
    (0..POINTS).map(move |index| RANGE.0 + step * index as f64)
}

/// Returns the outputs of a function. Softmax is that of all inputs together.
fn outputs(activation: Activation) -> Vec<f64> {
    match activation {
        Activation::Softmax => {
            let mut row: Vec<f64> = inputs().collect();
            Head::Softmax.apply(&mut row);
            row
        }
        other => inputs().map(|x| other.value(x)).collect(),
    }
}

/// Returns the range of an axis for these values, with a margin.
fn span(values: &[f64]) -> (f64, f64) {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let margin = (high - low) * 0.05;
    (low - margin, high + margin)
}

/// Returns the page, and its numbers as CSV: a column of inputs, then a column per function.
pub fn activations_html() -> (String, String) {
    let all: Vec<(&str, Vec<f64>)> =
        ACTIVATIONS.iter().map(|&activation| (activation.name(), outputs(activation))).collect();
    let header: Vec<&str> = std::iter::once("x").chain(all.iter().map(|(name, _)| *name)).collect();
    let mut csv = header.join(",") + "\n";
    for (index, x) in inputs().enumerate() {
        let values = all.iter().map(|(_, outputs)| outputs[index]);
        let cells: Vec<String> =
            std::iter::once(x).chain(values).map(|value| format!("{value:.6}")).collect();
        csv += &(cells.join(",") + "\n");
    }
    let body = html! {
        header { h1 { "Activation functions" } }
        p class="faint" {
            "From −4 to 4, with the default parameter where a function has one. Softmax is that of \
             the 201 inputs together."
        }
        div class="small grid" {
            @for (name, outputs) in &all {
                @let points: Vec<(f64, f64)> = inputs().zip(outputs.iter().copied()).collect();
                figure {
                    figcaption { (name) }
                    (square(&format!("Curve of {name}"), RANGE, span(outputs), ("x", ""), &[
                        Series { class: "first", points: &points },
                    ]))
                }
            }
        }
    };
    (page("Activation functions", body), csv)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_has_a_curve_and_a_column() {
        let (page, csv) = activations_html();
        assert_eq!(page.matches("<svg").count(), ACTIVATIONS.len());
        assert!(!page.contains("NaN"));
        let mut lines = csv.lines();
        assert!(lines.next().unwrap().starts_with("x,linear,relu,"));
        assert_eq!(csv.lines().count(), 1 + POINTS);
        let last: Vec<&str> = csv.lines().last().unwrap().split(',').collect();
        assert_eq!((last.len(), last[1]), (1 + ACTIVATIONS.len(), "4.000000"));
    }
}
