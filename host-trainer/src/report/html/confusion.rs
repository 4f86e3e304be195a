//! Confusion matrices of float and int8, and their difference.

use maud::{Markup, html};

use crate::evaluate::Confusion;
use crate::report::number::{grouped, percent};
use crate::report::svg::round;

const SIDE: f64 = 360.0;
const TOP: f64 = 26.0;
const LEFT: f64 = 40.0;

/// Cell of a matrix: intensity of its color, whether it has the first color (correct, or more) or
/// the second, and its text.
struct Cell {
    strength: f64,
    first: bool,
    text: String,
    meaning: String,
}

/// Matrices of float and int8 side by side, and their difference.
pub fn matrices(float: &Confusion, int8: &Confusion, data_type: &str) -> Markup {
    html! {
        p class="faint" {
            "Row: true class. Column: predicted class. Correct predictions are blue, errors \
             orange, with an intensity by frequency. Errors are relative to the most frequent \
             one."
        }
        div class="grid" {
            (figure("float", float, count))
            (figure(data_type, int8, count))
            (difference(float, int8, data_type))
        }
        p class="faint" { "The same, divided by the sum of each row:" }
        div class="grid" {
            (figure("float", float, share_of_row))
            (figure(data_type, int8, share_of_row))
        }
    }
}

/// Text of a cell, from its count and the number of rows of the class.
type Text = fn(u32, u32) -> String;

fn count(count: u32, _: u32) -> String {
    count.to_string()
}

/// Share of the row's sum with four decimals.
fn share_of_row(count: u32, total: u32) -> String {
    format!("{:.4}", f64::from(count) / f64::from(total.max(1)))
}

/// Percentage with as many digits as fit into a cell.
fn percent_of_row(count: u32, total: u32) -> String {
    let percent = f64::from(count) / f64::from(total.max(1)) * 100.0;
    match percent {
        p if p >= 99.95 => "100".to_string(),
        p if p < 0.05 => "0".to_string(),
        p => format!("{p:.1}"),
    }
}

fn figure(title: &str, confusion: &Confusion, text: Text) -> Markup {
    let counts = confusion.counts();
    let errors = counts.indexed_iter().filter(|((truth, taken), _)| truth != taken);
    let max_errors = errors.map(|(_, &count)| count).max().unwrap_or(0).max(1);
    let (correct, total) = (confusion.correct().into(), confusion.total().into());
    let cell = |truth: usize, taken: usize| {
        let (count, right) = (counts[(truth, taken)], truth == taken);
        let total = confusion.class_total(truth);
        let most = if right { total.max(1) } else { max_errors };
        let share = f64::from(count) / f64::from(most);
        (count > 0).then(|| Cell {
            strength: if right { 0.15 + 0.85 * share * share } else { 0.12 + 0.88 * share },
            first: right,
            text: text(count, total),
            meaning: format!("{count} of {total}, {} %", percent_of_row(count, total)),
        })
    };
    html! {
        figure {
            figcaption {
                (title) " "
                span { (percent(confusion.accuracy())) ", " (grouped(correct)) " of " (grouped(total)) }
            }
            (matrix(&format!("Confusion matrix of {title}"), confusion.names(), cell))
        }
    }
}

/// Matrix of the difference in counts, int8 minus float.
fn difference(float: &Confusion, int8: &Confusion, data_type: &str) -> Markup {
    let change = |truth, taken| {
        let of = |confusion: &Confusion| confusion.counts().get((truth, taken)).copied();
        i64::from(of(int8).unwrap_or(0)) - i64::from(of(float).unwrap_or(0))
    };
    let classes = float.names().len();
    let cells = || (0..classes).flat_map(|truth| (0..classes).map(move |taken| (truth, taken)));
    let most = cells().map(|(t, p)| change(t, p).abs()).max().unwrap_or(0).max(1);
    let moved: i64 = cells().map(|(t, p)| change(t, p).max(0)).sum();
    let cell = |truth: usize, taken: usize| {
        let change = change(truth, taken);
        (change != 0).then(|| Cell {
            strength: 0.15 + 0.85 * change.abs() as f64 / most as f64,
            // More correct and fewer wrong predictions are an improvement.
            first: (change > 0) == (truth == taken),
            text: signed(change),
            meaning: format!("{} in {data_type}", signed(change)),
        })
    };
    html! {
        figure {
            figcaption { (data_type) " − float " @if moved > 0 { span { (moved) " counted elsewhere; blue is better" } } }
            @if moved > 0 {
                (matrix("Difference of the confusion matrices", float.names(), cell))
            } @else {
                p { "None: the matrices are equal." }
            }
        }
    }
}

pub(super) fn signed(value: i64) -> String {
    match value {
        0 => "0".to_string(),
        v if v < 0 => format!("−{}", v.unsigned_abs()),
        v => format!("+{v}"),
    }
}

fn matrix(
    description: &str,
    names: &[String],
    cell: impl Fn(usize, usize) -> Option<Cell>,
) -> Markup {
    let classes = names.len();
    let side = (SIDE - LEFT) / classes.max(1) as f64;
    let gap = if side > 12.0 { 1.5 } else { 0.0 };
    let place = |class: usize| round(class as f64 * side);
    let size = round(side - gap);
    let height = TOP + SIDE - LEFT;
    // Truncates the name to the available width, at about seven pixels per letter.
    let short = |name: &str, room: f64| {
        name.chars().take((room / 7.0).max(1.0) as usize).collect::<String>()
    };
    html! {
        svg viewBox=(format!("0 0 {SIDE} {height}")) role="img" aria-label=(description) {
            @if side >= 12.0 {
                @for (class, name) in names.iter().enumerate() {
                    text class="end" x=(LEFT - 8.0) y=(round(TOP + place(class) + side / 2.0 + 4.0)) {
                        (short(name, LEFT - 8.0))
                    }
                    text class="middle" x=(round(LEFT + place(class) + side / 2.0)) y=(TOP - 8.0) {
                        (short(name, side))
                    }
                }
            }
            @if gap == 0.0 {
                rect class="empty" x=(LEFT) y=(TOP) width=(SIDE - LEFT) height=(SIDE - LEFT) {}
            }
            @for truth in 0..classes {
                @for taken in 0..classes {
                    @let (x, y) = (round(LEFT + place(taken)), round(TOP + place(truth)));
                    @if gap > 0.0 {
                        rect class="empty" x=(x) y=(y) width=(size) height=(size) rx="3" {}
                    }
                    @if let Some(cell) = cell(truth, taken) {
                        rect class=(if cell.first { "fill-first" } else { "fill-second" })
                            x=(x) y=(y) width=(size) height=(size) rx=(if gap > 0.0 { 3 } else { 0 })
                            fill-opacity=(round(cell.strength)) {
                            title { (names[truth]) " predicted as " (names[taken]) ": " (cell.meaning) }
                        }
                        @let letters = cell.text.chars().count() as f64;
                        // From 12 pixels down to 7.5, at 0.58 of the size per letter.
                        @let font = ((side - gap - 1.0) / (0.58 * letters)).min(12.0);
                        @if font >= 7.5 {
                            text style=(format!("font-size: {}px", round(font))) class=(if cell.strength > 0.6 { "middle on-strong" } else { "middle on-weak" })
                                x=(round(x + size / 2.0)) y=(round(y + size / 2.0 + 4.0)) {
                                (cell.text)
                            }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_difference_tells_better_from_worse() {
        let mut float = Confusion::new(vec!["a&b".into(), "c".into()]);
        let mut int8 = float.clone();
        (0..17).for_each(|_| float.add(0, 0));
        (0..16).for_each(|_| int8.add(0, 0));
        int8.add(0, 1);
        let text = matrices(&float, &int8, "int8").into_string();
        assert!(text.contains(">17<") && text.contains(">−1<") && text.contains(">+1<"));
        assert!(text.contains("a&amp;b predicted as c: +1 in int8"));
        assert!(
            text.contains("a&amp;b predicted as c: 1 of 17, 5.9 %") && text.contains(">0.9412<")
        );
        assert!(text.contains("1 counted elsewhere") && !text.contains("NaN"));
    }

    #[test]
    fn many_classes_and_none_are_drawn_too() {
        for count in [0, 1, 256] {
            let confusion = Confusion::new((0..count).map(|class| class.to_string()).collect());
            assert!(!matrices(&confusion, &confusion, "int8").into_string().contains("NaN"));
        }
    }
}
