//! Regression results.

use maud::{Markup, html};

use super::findings::{OutputAnswers, ValueAnswers, Values};
use super::plot::{Axes, scatter};
use crate::evaluate::Regression;
use crate::report::number::{r_squared, significant as number};

/// Maximum number of outputs with plots.
const PLOTS: usize = 12;

/// Errors over all outputs and per output, and predictions over targets.
pub fn section(values: &Values, data_type: &str, results: &str) -> Markup {
    let several = values.outputs.len() > 1;
    let all = if several { "all outputs" } else { "" };
    let pooled = [("float", &values.float), (data_type, &values.int8)];
    let left_out = values.outputs.len().saturating_sub(PLOTS);
    html! {
        h2 id="answers" { "Predictions on the " (results) " rows" }
        table class="stack" {
            thead { tr {
                @if several { th scope="col" { "output" } }
                th scope="col" { "network" } th scope="col" { "mean squared error" }
                th scope="col" { "mean absolute error" } th scope="col" { "R²" }
            } }
            tbody {
                @for (name, errors) in pooled { (row(several.then_some(all), name, errors)) }
                @if several { @for output in &values.outputs {
                    @let title = title(output);
                    (row(Some(&title), "float", &output.float.errors))
                    (row(Some(&title), data_type, &output.int8.errors))
                } }
            }
        }
        @if left_out > 0 { p class="faint" { "The first " (PLOTS) " outputs; " (left_out) " left out." } }
        @for output in values.outputs.iter().take(PLOTS) {
            @if several { h3 { (title(output)) } }
            div class="grid" {
                (figure("float", output, &output.float, "var(--first)"))
                (figure(data_type, output, &output.int8, "var(--second)"))
            }
        }
    }
}

/// Name and unit of an output.
fn title(output: &OutputAnswers) -> String {
    match output.unit.as_str() {
        "" => output.name.clone(),
        unit => format!("{}, {unit}", output.name),
    }
}

fn row(output: Option<&str>, network: &str, errors: &Regression) -> Markup {
    html! { tr {
        @if let Some(output) = output { th scope="row" { (output) } }
        @if output.is_some() { td data-column="network" { (network) } }
        @else { th scope="row" { (network) } }
        td data-column="mean squared error" { (number(errors.mean_squared_error)) }
        td data-column="mean absolute error" { (number(errors.mean_absolute_error)) }
        td data-column="R²" { (r_squared(errors.r_squared)) }
    } }
}

fn figure(name: &str, output: &OutputAnswers, answers: &ValueAnswers, color: &str) -> Markup {
    let unit = match output.unit.as_str() {
        "" => String::new(),
        unit => format!(", {unit}"),
    };
    let points: Vec<(f64, f64, String)> =
        answers.points.iter().map(|&(x, y)| (x, y, color.to_string())).collect();
    let description = format!("Predictions of {name} over targets, {}", output.name);
    html! {
        figure {
            figcaption { (name) " " span { "prediction over target" (unit) } }
            (scatter(&description, ("target", "answer"), &points, Axes::Diagonal))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(r_squared: f64) -> ValueAnswers {
        let errors = Regression { mean_squared_error: 4.0, mean_absolute_error: 1.5, r_squared };
        ValueAnswers { errors, points: vec![(0.0, 0.5), (1.0, 0.5)] }
    }

    #[test]
    fn each_of_several_outputs_has_rows_and_plots_of_its_own() {
        let output = |name: &str, unit: &str| OutputAnswers {
            name: name.into(),
            unit: unit.into(),
            float: answers(0.25),
            int8: answers(-0.5),
        };
        let pooled = answers(0.75).errors;
        let outputs = vec![output("tilt", ""), output("lux", "lx")];
        let mut values = Values { float: pooled, int8: pooled, outputs };
        let page = section(&values, "int8", "test").into_string();
        assert_eq!((page.matches("<svg").count(), page.matches("<tr>").count()), (4, 7));
        assert!(page.contains("lux, lx") && page.contains("−0.5000"), "{page}");
        values.outputs.truncate(1);
        let page = section(&values, "int8", "test").into_string();
        assert_eq!((page.matches("<svg").count(), page.matches("<tr>").count()), (2, 3));
    }
}
