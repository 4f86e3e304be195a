//! Classification results: per-class accuracy, ROC and precision-recall curves.

use maud::{Markup, html};

use super::findings::{Answers, Classes, Roc};
use super::picture::img;
use super::plot::{Series, square};
use super::{confusion, examples, figures, plot};
use crate::evaluate::Confusion;
use crate::report::number::percent;
use crate::report::svg::{Axis, round};

/// Maximum number of classes with a plot each.
const PLOTS: usize = 24;

/// Section with all classification results.
pub fn section(classes: &Classes, precision: &str, results: &str) -> Markup {
    let (float, int8) = (&classes.float, &classes.int8);
    html! {
        h2 id="answers" { "Predictions on the " (results) " rows" }
        (figures::table(float, int8, precision))
        (confusion::matrices(&float.confusion, &int8.confusion, precision))
        h3 { "Accuracy of each class" }
        (bars(&float.confusion, &int8.confusion, precision))
        (table(float, int8, precision))
        @if let Some(threshold) = classes.threshold {
            p class="faint" {
                "A row is classified as " b { (float.confusion.names().get(1).map_or("", String::as_str)) }
                " above a probability of " (format!("{threshold:.4}")) "."
            }
        }
        h3 { "Receiver operating characteristic" }
        (roc(float, int8, precision))
        (precision_recall(float, int8, precision))
        (examples::section(&classes.examples, float.confusion.names(), precision, results))
        (wrong(classes, precision, results))
    }
}

/// Bar chart of accuracy per class and network, the lowest first.
fn bars(float: &Confusion, int8: &Confusion, precision: &str) -> Markup {
    let mut order: Vec<usize> =
        (0..float.names().len()).filter(|&class| float.class_total(class) > 0).collect();
    order.sort_by(|&a, &b| int8.class_accuracy(a).total_cmp(&int8.class_accuracy(b)));
    let half = order.len().div_ceil(if order.len() > 6 { 2 } else { 1 });
    let least = order
        .iter()
        .flat_map(|&class| [float.class_accuracy(class), int8.class_accuracy(class)])
        .fold(1.0_f64, f64::min);
    // From zero, unless the differences would be invisible; the axis shows the start.
    let from = if least > 0.8 { (least * 20.0 - 0.5).floor() / 20.0 } else { 0.0 };
    html! {
        ul class="key" { li class="swatch-first" { "float" } li class="swatch-second" { (precision) } }
        div class="grid" {
            @for part in order.chunks(half.max(1)) {
                figure { (bar_chart(float, int8, part, from)) }
            }
        }
    }
}

fn bar_chart(float: &Confusion, int8: &Confusion, classes: &[usize], from: f64) -> Markup {
    const ROW: f64 = 34.0;
    const LEFT: f64 = 70.0;
    const RIGHT: f64 = 66.0;
    let width = 440.0;
    let axis = Axis::covering(from * 100.0, 100.0, 4);
    let height = ROW * classes.len() as f64 + 24.0;
    let x = |share: f64| round(LEFT + (width - LEFT - RIGHT) * axis.place(share * 100.0));
    let names = float.names();
    html! {
        svg viewBox=(format!("0 0 {width} {height}")) role="img"
            aria-label="Accuracy of each class, float and quantized" {
            @for &tick in &axis.ticks {
                @let place = x(tick / 100.0);
                line class="rule" x1=(place) x2=(place) y1="0" y2=(height - 22.0) {}
                text class="middle" x=(place) y=(height - 6.0) { (axis.label(tick)) " %" }
            }
            @for (row, &class) in classes.iter().enumerate() {
                @let y = row as f64 * ROW;
                text class="end strong" x=(LEFT - 10.0) y=(y + 19.0) {
                    (names[class].chars().take(8).collect::<String>())
                }
                @for (index, (confusion, fill)) in
                    [(float, "fill-first"), (int8, "fill-second")].into_iter().enumerate() {
                    @let share = confusion.class_accuracy(class);
                    @let y = y + 4.0 + index as f64 * 12.0;
                    rect class=(fill) x=(LEFT) y=(y) height="10" rx="2"
                        width=(round((x(share) - LEFT).max(1.0))) {}
                    text x=(width - RIGHT + 8.0) y=(y + 9.0) style="font-size: 11px" {
                        (percent(share))
                    }
                }
            }
        }
    }
}

fn table(float: &Answers, int8: &Answers, precision: &str) -> Markup {
    let confusion = &int8.confusion;
    let share = |value: f64| percent(value);
    let area = |answers: &Answers, class: usize| {
        answers
            .roc
            .get(class)
            .filter(|roc| roc.area.is_finite())
            .map(|roc| format!("{:.4}", roc.area))
    };
    html! {
        details {
            summary { "Precision, recall, F1 and area under the curve of each class" }
            table class="stack" {
                thead { tr {
                    th scope="col" { "class" } th scope="col" { "rows" }
                    th scope="col" { "recall float" } th scope="col" { "recall " (precision) }
                    th scope="col" { "precision float" } th scope="col" { "precision " (precision) }
                    th scope="col" { "F1 float" } th scope="col" { "F1 " (precision) }
                    th scope="col" { "AUC float" } th scope="col" { "AUC " (precision) }
                } }
                tbody {
                    @for (class, name) in confusion.names().iter().enumerate() {
                        tr {
                            th scope="row" { (name) }
                            td data-column="rows" { (confusion.class_total(class)) }
                            td data-column="recall float" { (share(float.confusion.class_accuracy(class))) }
                            td data-column=(format!("recall {precision}")) { (share(confusion.class_accuracy(class))) }
                            td data-column="precision float" { (share(float.confusion.precision(class))) }
                            td data-column=(format!("precision {precision}")) { (share(confusion.precision(class))) }
                            td data-column="F1 float" { (share(float.confusion.f1(class))) }
                            td data-column=(format!("F1 {precision}")) { (share(confusion.f1(class))) }
                            td data-column="AUC float" { (area(float, class).unwrap_or("–".into())) }
                            td data-column=(format!("AUC {precision}")) { (area(int8, class).unwrap_or("–".into())) }
                        }
                    }
                }
            }
        }
    }
}

/// ROC curve per class, against all other classes.
fn roc(float: &Answers, int8: &Answers, precision: &str) -> Markup {
    let names = float.confusion.names();
    let mut order: Vec<usize> = (0..names.len())
        .filter(|&class| int8.roc.get(class).is_some_and(|roc| roc.area.is_finite()))
        .collect();
    // For two classes, one curve is the mirror image of the other.
    if names.len() == 2 {
        order.retain(|&class| class == 1);
    }
    let left_out = order.len().saturating_sub(PLOTS);
    if left_out > 0 {
        order.sort_by(|&a, &b| int8.roc[a].area.total_cmp(&int8.roc[b].area));
        order.truncate(PLOTS);
        order.sort_unstable();
    }
    let shown = || order.iter().flat_map(|&class| [&float.roc[class], &int8.roc[class]]);
    let zoom = zoom(shown());
    html! {
        p class="faint" {
            "Each class against all others: true-positive rate over false-positive rate, for \
             falling thresholds on its probability."
            @if zoom < 1.0 {
                " Only the relevant corner is drawn: up to " (percent(zoom)) " of the others."
            }
            @if left_out > 0 {
                " The " (PLOTS) " hardest classes; " (left_out) " easier ones are omitted."
            }
        }
        ul class="key" { li class="swatch-first" { "float" } li class="swatch-second" { (precision) } }
        div class="small grid" {
            @for &class in &order {
                figure {
                    figcaption {
                        (names[class]) " "
                        span { "AUC " (format!("{:.4}", float.roc[class].area)) " · "
                            (format!("{:.4}", int8.roc[class].area)) }
                    }
                    (square(
                        &format!("Receiver operating characteristic of class {}", names[class]),
                        (0.0, zoom),
                        (1.0 - zoom, 1.0),
                        ("false positives", "true positives"),
                        &[
                            Series { class: "first", points: &corner(&float.roc[class], zoom) },
                            Series { class: "second dashed", points: &corner(&int8.roc[class], zoom) },
                        ],
                    ))
                }
            }
        }
    }
}

/// Precision-recall curves of the rarer of two classes.
fn precision_recall(float: &Answers, int8: &Answers, precision: &str) -> Markup {
    let (Some(float), Some(int8)) = (&float.precision_recall, &int8.precision_recall) else {
        return html! {};
    };
    html! {
        h3 { "Precision and recall of " (float.class) }
        p class="faint" {
            "Precision over recall of the class, for falling thresholds on its probability. \
             Guessing has a precision of "
            (percent(float.share)) "."
        }
        ul class="key" { li class="swatch-first" { "float" } li class="swatch-second" { (precision) } }
        div class="small grid" {
            figure {
                figcaption {
                    (float.class) " "
                    span { "average precision " (format!("{:.4}", float.area)) " · "
                        (format!("{:.4}", int8.area)) }
                }
                (square(
                    &format!("Precision-recall curve of class {}", float.class),
                    (0.0, 1.0),
                    (0.0, 1.0),
                    ("recall", "precision"),
                    &[
                        Series { class: "first", points: &float.points },
                        Series { class: "second dashed", points: &int8.points },
                    ],
                ))
            }
        }
    }
}

/// Returns the displayed part of the plane: four times the equal error rate of the worst class.
fn zoom<'a>(curves: impl Iterator<Item = &'a Roc>) -> f64 {
    let equal_error = |roc: &Roc| {
        let at = roc.points.iter().find(|(fp, tp)| *fp >= 1.0 - tp);
        at.map_or(1.0, |(fp, tp)| fp.max(1.0 - tp))
    };
    let worst = curves.map(equal_error).fold(0.0, f64::max);
    let round = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5].into_iter().find(|&zoom| worst * 4.0 <= zoom);
    round.unwrap_or(1.0)
}

/// Returns the part of a curve within (0, 1 − zoom) and (zoom, 1).
fn corner(roc: &Roc, zoom: f64) -> Vec<(f64, f64)> {
    let mut points = Vec::new();
    for pair in roc.points.windows(2) {
        let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
        let (from, to) = clip((x0, y0), (x1, y1), zoom);
        if from < to {
            let at = |t: f64| (x0 + (x1 - x0) * t, y0 + (y1 - y0) * t);
            if points.last() != Some(&at(from)) {
                points.push(at(from));
            }
            points.push(at(to));
        }
    }
    points
}

/// Clips a rising line to the corner, each coordinate from 0 to 1.
fn clip((x0, y0): (f64, f64), (x1, y1): (f64, f64), zoom: f64) -> (f64, f64) {
    let low = 1.0 - zoom;
    let from = match y1 > y0 {
        true => ((low - y0) / (y1 - y0)).max(0.0),
        false if y0 >= low => 0.0,
        false => 1.0,
    };
    let to = match x1 > x0 {
        true => ((zoom - x0) / (x1 - x0)).min(1.0),
        false if x0 <= zoom => 1.0,
        false => 0.0,
    };
    (from, to)
}

fn wrong(classes: &Classes, precision: &str, results: &str) -> Markup {
    html! {
        @if !classes.wrong.is_empty() {
            h3 { "Most confidently wrong" }
            p class="faint" { "Wrong predictions of " (precision) ", the most confident first." }
            @if classes.wrong.iter().any(|wrong| wrong.picture.is_some()) {
                div class="wrong" {
                    @for wrong in &classes.wrong {
                        figure {
                            @if let Some(picture) = &wrong.picture {
                                (img(picture, &format!("Row {}: {}", wrong.row, wrong.truth)))
                            }
                            figcaption {
                                "true " b { (wrong.truth) } ", predicted " b { (wrong.int8.0) } br;
                                span { (precision) " " (percent(wrong.int8.1)) br;
                                    "float " (wrong.float.0) ", " (percent(wrong.float.1)) br;
                                    (results) " row " (wrong.row) }
                            }
                        }
                    }
                }
            } @else {
                table class="stack" {
                    thead { tr {
                        th scope="col" { (results) " row" } th scope="col" { "true class" }
                        th scope="col" { (precision) } th scope="col" { "probability" }
                        th scope="col" { "float" } th scope="col" { "float probability" }
                    } }
                    tbody { @for wrong in &classes.wrong { tr {
                        th scope="row" { (wrong.row) }
                        td data-column="true class" { (wrong.truth) }
                        td data-column=(precision) { (wrong.int8.0) }
                        td data-column="probability" { (percent(wrong.int8.1)) }
                        td data-column="float" { (wrong.float.0) }
                        td data-column="float probability" { (percent(wrong.float.1)) }
                    } } }
                }
            }
        }
    }
}

/// Table of the rows per class and split.
pub fn distribution(classes: &Classes) -> Markup {
    let names = classes.float.confusion.names();
    html! {
        div class="grid" {
            @for (part, counts) in &classes.distribution {
                figure {
                    figcaption { (part) " rows " span { "of each class" } }
                    (columns(part, names, counts))
                }
            }
        }
    }
}

fn columns(part: &str, names: &[String], counts: &[usize]) -> Markup {
    const HEIGHT: f64 = 150.0;
    const BOTTOM: f64 = 22.0;
    const TOP: f64 = 18.0;
    let most = counts.iter().copied().max().unwrap_or(0).max(1) as f64;
    let side = plot::WIDTH / counts.len().max(1) as f64;
    let label_every = (34.0 / side).ceil().max(1.0) as usize;
    html! {
        svg viewBox=(format!("0 0 {} {HEIGHT}", plot::WIDTH)) role="img"
            aria-label=(format!("Rows of each class in the {part} split")) {
            @for (class, &count) in counts.iter().enumerate() {
                @let height = (HEIGHT - TOP - BOTTOM) * count as f64 / most;
                @let (x, middle) = (class as f64 * side, round((class as f64 + 0.5) * side));
                rect class="fill-first" x=(round(x + side * 0.08)) y=(round(HEIGHT - BOTTOM - height))
                    width=(round(side * 0.84)) height=(round(height)) rx="2" {
                    title { (names.get(class).map_or("", String::as_str)) ": " (count) }
                }
                @if class % label_every == 0 {
                    text class="middle" x=(middle) y=(HEIGHT - 6.0) {
                        (names.get(class).map_or(String::new(), |name| {
                            name.chars().take((side * label_every as f64 / 7.0) as usize).collect()
                        }))
                    }
                    text class="middle" x=(middle) y=(round(HEIGHT - BOTTOM - height - 4.0))
                        style="font-size: 10.5px" { (count) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_is_cut_where_it_enters_and_leaves_the_corner() {
        let roc = Roc { points: vec![(0.0, 0.0), (0.0, 0.9), (0.2, 1.0), (1.0, 1.0)], area: 0.99 };
        let points = corner(&roc, 0.5);
        let expected = [(0.0, 0.5), (0.0, 0.9), (0.2, 1.0), (0.5, 1.0)];
        assert_eq!(points.len(), expected.len(), "{points:?}");
        for ((x, y), (ex, ey)) in points.into_iter().zip(expected) {
            assert!((x - ex).abs() < 1e-9 && (y - ey).abs() < 1e-9);
        }
        assert_eq!(zoom([&roc].into_iter()), 1.0);
        let perfect = Roc { points: vec![(0.0, 0.0), (0.0, 1.0), (1.0, 1.0)], area: 1.0 };
        assert_eq!(zoom([&perfect].into_iter()), 0.01);
        assert_eq!(corner(&perfect, 0.01).last(), Some(&(0.01, 1.0)));
    }
}
