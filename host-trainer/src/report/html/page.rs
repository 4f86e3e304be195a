//! Page of a run.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::findings::{Curve, Findings, Task};
use super::picture::img;
use super::plot::{Series, curves};
use super::{architecture, classes, layers, plane, values};
use crate::foreign_text;
use crate::page::playground;
use crate::report::number::{grouped, percent, r_squared, seconds, significant as number};

/// Loss of accuracy in points above which the page advises finer activations.
const TOLERATED_POINTS: f64 = 0.1;

/// Relative increase of the mean squared error above which the page advises finer activations.
const TOLERATED_ERROR: f64 = 0.05;

/// Returns the report of a run: one self-contained file, with scripts only where the model runs in it.
pub fn report_html(findings: &Findings) -> String {
    let sections = [
        Some(("data", "Data")),
        Some(("training", "Training")),
        Some(("answers", "Predictions")),
        findings.plane.as_ref().map(|plane| ("plane", plane::title(plane))),
        findings.playground.as_ref().map(|_| ("try", "Try it")),
        Some(("layers", "Layers")),
        Some(("again", "Settings")),
    ];
    let body = html! {
        header {
            (headline(findings))
            p class="faint" {
                @if !findings.description.is_empty() { (findings.description) ". " }
                (grouped(findings.epochs as u64)) " epochs in "
                (seconds(findings.seconds_per_epoch * findings.epochs as f64)) ", seed " (findings.seed)
                @if findings.interrupted { "; stopped early" } "."
            }
            nav aria-label="Sections" {
                @for (id, title) in sections.into_iter().flatten() { a href=(format!("#{id}")) { (title) } }
            }
        }
        (tiles(findings))
        @for warning in &findings.warnings { p class="note warn" { (warning) "." } }
        (verdict(findings))
        (data(findings))
        (training(findings))
        @match &findings.task {
            Task::Classes(answers) => (classes::section(answers, findings.data_type, findings.results)),
            Task::Values(answers) => (values::section(answers, findings.data_type, findings.results)),
        }
        @if let Some(plane) = &findings.plane { (plane::section(plane, findings.surface.is_some(), findings.data_type)) }
        @if let Some(content) = &findings.playground { section id="try" { (playground(content)) } }
        (layers::section(&findings.layers, findings.data_type))
        (architecture::table(&findings.architecture))
        (features(findings))
        (attempts(findings))
        (again(findings))
    };
    page(&findings.name, body)
}

/// Wraps a body into a page.
pub(crate) fn page(title: &str, body: Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Thimble" }
                // An empty icon prevents a request by the browser.
                link rel="icon" href="data:,";
                style { (PreEscaped(include_str!("page.css"))) }
            }
            body {
                main {
                    (body)
                    footer { "Written by Thimble " (env!("CARGO_PKG_VERSION")) "." }
                }
            }
        }
    }
    .into_string();
    foreign_text::document(page)
}

/// Network, training and main results.
fn headline(findings: &Findings) -> Markup {
    html! {
        h1 {
            (findings.name) ": " (findings.network) " on " (findings.dataset) " "
            @match &findings.task {
                Task::Classes(classes) => {
                    "gets " b { (percent(classes.float.confusion.accuracy())) }
                    " of " (grouped(classes.float.confusion.total().into()))
                    " " (findings.results) " rows correct in float, "
                    b class="int8" { (percent(classes.int8.confusion.accuracy())) } " in " (findings.data_type)
                }
                Task::Values(values) => {
                    "errs by " b { (number(values.float.mean_absolute_error)) } " on average in float, "
                    b class="int8" { (number(values.int8.mean_absolute_error)) } " in " (findings.data_type)
                }
            }
        }
    }
}

fn tiles(findings: &Findings) -> Markup {
    let size = findings.size;
    let tile = |name: &str, value: String, small: String| {
        html! { div class="tile" { dt { (name) } dd { (value) small { (small) } } } }
    };
    html! {
        dl class="tiles" {
            @match &findings.task {
                Task::Classes(classes) => {
                    @let (float, int8) = (&classes.float.confusion, &classes.int8.confusion);
                    (tile("float", percent(float.accuracy()), wrong(float.total() - float.correct())))
                    (tile(findings.data_type, percent(int8.accuracy()), wrong(int8.total() - int8.correct())))
                }
                Task::Values(values) => {
                    (tile("float MSE", number(values.float.mean_squared_error), format!("R² {}", r_squared(values.float.r_squared))))
                    (tile(&format!("{} MSE", findings.data_type), number(values.int8.mean_squared_error), format!("R² {}", r_squared(values.int8.r_squared))))
                }
            }
            (tile("flash", kilobytes(size.flash), format!("float weights: {}", kilobytes(size.float))))
            (tile("RAM", kilobytes(size.scratch), "scratch memory".into()))
            (tile("work", grouped(size.macs), "multiply-accumulates".into()))
            (tile("per epoch", seconds(findings.seconds_per_epoch), format!("of {}", findings.epochs)))
        }
    }
}

fn wrong(count: u32) -> String {
    format!("{} wrong", grouped(count.into()))
}

pub(crate) fn kilobytes(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{} B", grouped(bytes)),
        10_000..10_000_000 => format!("{:.1} kB", bytes as f64 / 1000.0),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

/// Loss of quantization, with advice.
fn verdict(findings: &Findings) -> Markup {
    let data_type = findings.data_type;
    let (cost, much) = match &findings.task {
        Task::Classes(classes) => {
            let (float, int8) = (&classes.float.confusion, &classes.int8.confusion);
            let points = (float.accuracy() - int8.accuracy()) * 100.0;
            let cost = match points {
                p if p > 0.0 => format!("{data_type} costs {p:.2} points of accuracy"),
                p if p < 0.0 => format!("{data_type} happens to be {:.2} points better", -p),
                _ => format!("{data_type} costs no accuracy"),
            };
            let rows = grouped(float.total().into());
            let different = grouped(classes.different as u64);
            (
                format!(
                    "{cost}. Its predictions differ on {different} of {rows} {} rows.",
                    findings.results
                ),
                // One or two rows of a small test set are within chance.
                points > TOLERATED_POINTS && float.correct() - int8.correct() > 2,
            )
        }
        Task::Values(values) => {
            let more = values.int8.mean_squared_error / values.float.mean_squared_error - 1.0;
            let change = match more {
                // The float error is zero, or there are no rows.
                m if !m.is_finite() => {
                    let (float, int8) = (
                        number(values.float.mean_squared_error),
                        number(values.int8.mean_squared_error),
                    );
                    format!("has a mean squared error of {int8}, float one of {float}")
                }
                m if m > 1.0 => {
                    format!("makes the mean squared error {:.1} times as large", m + 1.0)
                }
                m => {
                    let percent = format!("{:+.1}", m * 100.0).replace('-', "−");
                    format!("changes the mean squared error by {percent} %")
                }
            };
            (format!("{data_type} {change}."), more > TOLERATED_ERROR)
        }
    };
    html! {
        @if much { p class="note warn" { (cost) } } @else { p class="note" { (cost) } }
        @if let Some(culprits) = &findings.culprits {
            p class="note warn" {
                "No candidate keeps the loss of quantization below 0.1 points of accuracy or 5 % \
                 of the squared error: " (culprits) "."
            }
        }
    }
}

/// Table of the quantization candidates, if there are several.
fn attempts(findings: &Findings) -> Markup {
    html! {
        @if findings.attempts.len() > 1 {
            h3 { "Ways to quantize" }
            p class="faint" {
                "Candidates in the order of evaluation, on rows that are not those of the \
                 results. The cheapest with a small loss was selected. Instructions are \
                 estimated for a Cortex-M4F."
            }
            table class="stack" {
                thead { tr {
                    th scope="col" { "candidate" } th scope="col" { "loss" }
                    th scope="col" { "flash, bytes" } th scope="col" { "instructions" } th scope="col" { "" }
                } }
                tbody { @for attempt in &findings.attempts { tr {
                    th scope="row" { (attempt.name) }
                    td data-column="loss" { (attempt.lost) }
                    td data-column="flash, bytes" { (grouped(attempt.bytes)) }
                    td data-column="instructions" { (grouped(attempt.instructions)) }
                    td data-column="" { @if attempt.is_taken { "taken" } }
                } } }
            }
        }
    }
}

/// Range of each feature, for features in their own units.
fn features(findings: &Findings) -> Markup {
    html! {
        @if !findings.features.is_empty() {
            h3 { "Input ranges" }
            p class="faint" {
                "Readings beyond a range are clipped to its nearer end. Clipped: the share of \
                 training rows beyond."
            }
            table class="stack" {
                thead { tr {
                    th scope="col" { "feature" } th scope="col" { "from" } th scope="col" { "to" }
                    th scope="col" { "unit" } th scope="col" { "clipped" }
                } }
                tbody { @for range in &findings.features {
                    @let [from, to] = range.ends_text();
                    tr {
                        th scope="row" { (range.name) }
                        td data-column="from" { (from) }
                        td data-column="to" { (to) }
                        td data-column="unit" { (range.unit) }
                        td data-column="clipped" { (range.clipped_percent()) }
                    }
                } }
            }
        }
    }
}

fn data(findings: &Findings) -> Markup {
    html! {
        h2 id="data" { "Data" }
        p {
            @for (index, (part, rows)) in findings.splits.iter().enumerate() {
                @if index > 0 { " · " }
                b { (grouped(*rows as u64)) } " " (part)
            }
            " rows" span class="faint" { ", " (source(findings)) }
        }
        @if !findings.samples.is_empty() {
            h3 { "Training rows" }
            div class="samples" {
                @for sample in &findings.samples {
                    div {
                        b title=(sample.class) { (sample.class) }
                        @for picture in &sample.pictures {
                            (img(picture, &format!("A training row of class {}", sample.class)))
                        }
                    }
                }
            }
        }
        @if !findings.scalings.is_empty() {
            h3 { "Pixels in the usual scalings" }
            div class="small grid" {
                @for scaled in &findings.scalings {
                    figure {
                        figcaption {
                            (scaled.scaling) " "
                            span { (number(scaled.range.0)) " to " (number(scaled.range.1)) }
                        }
                        div class="samples" {
                            div {
                                @for picture in &scaled.pictures {
                                    (img(picture, &format!("A training image, {}", scaled.scaling)))
                                }
                            }
                        }
                    }
                }
            }
        }
        @if let Task::Classes(answers) = &findings.task {
            h3 { "Class distribution" }
            (classes::distribution(answers))
        }
    }
}

/// Dataset and its origin; a file name covers both.
fn source(findings: &Findings) -> String {
    let Findings { dataset, origin, .. } = findings;
    if origin.contains(dataset) { origin.clone() } else { format!("{dataset} {origin}") }
}

fn training(findings: &Findings) -> Markup {
    let validated = findings.curves.iter().any(|curve| !curve.validation.is_empty());
    html! {
        h2 id="training" { "Training" }
        ul class="key" {
            li class="swatch-first" { "training rows, each before its step" }
            @if validated { li class="swatch-second" { "validation rows" } }
        }
        @if findings.scaled_targets {
            p class="faint" {
                "The loss is computed on scaled targets; all other metrics are in the target's \
                 own unit."
            }
        }
        div class="grid" {
            @for curve in &findings.curves { (figure(curve, findings.kept_epoch)) }
        }
    }
}

fn figure(curve: &Curve, kept_epoch: Option<usize>) -> Markup {
    let share = curve.name.contains("accuracy");
    let scaled = |points: &[(f64, f64)]| {
        let factor = if share { 100.0 } else { 1.0 };
        points.iter().map(|&(epoch, value)| (epoch, value * factor)).collect::<Vec<_>>()
    };
    let (train, validation) = (scaled(&curve.train), scaled(&curve.validation));
    // Value of the kept network, which early stopping may have chosen.
    let kept = |points: &[(f64, f64)]| match kept_epoch {
        Some(kept) => points.iter().find(|(epoch, _)| *epoch == kept as f64).copied(),
        None => points.last().copied(),
    };
    let last = kept(&validation).or(kept(&train)).map(|(_, value)| match share {
        true => format!("{value:.2} %"),
        false => number(value),
    });
    let at = match kept_epoch {
        Some(epoch) => format!("in epoch {epoch}, which was kept"),
        None => "at the end".to_string(),
    };
    let (unit, to) = if share { (" %", 100.0) } else { ("", 0.0) };
    let name = curve.name.replace('_', " ");
    // A step schedule has a meaningful last value. A smooth decay to 0, as of a cosine, would be
    // dominated by its last instant.
    let decades = curve.name != "learning_rate" || train.windows(2).any(|p| p[0].1 == p[1].1);
    html! {
        figure {
            figcaption { (name) " " @if let Some(last) = last.filter(|_| curve.name != "learning_rate") { span { "· " (last) " " (at) } } }
            (curves(&format!("Curve of {name} over the epochs"), unit, to, decades, &[
                Series { class: "first", points: &train },
                Series { class: "second", points: &validation },
            ]))
        }
    }
}

fn again(findings: &Findings) -> Markup {
    html! {
        h2 id="again" { "Settings" }
        p {
            "The same run again: " code { "host-trainer train preset.toml" }
            ", with the preset.toml beside this page."
        }
        table class="plain stack" {
            thead { tr { th scope="col" { "setting" } th scope="col" style="text-align: left" { "value" } } }
            tbody { @for (key, value) in &findings.settings {
                tr { th scope="row" { (key) } td { (value) } }
            } }
        }
        details { summary { "preset.toml" } pre { (findings.preset) } }
    }
}
