//! Plots as inline SVG of fixed size, so that text stays readable.

use maud::{Markup, html};

use super::findings::Histogram;
use crate::report::svg::{Axis, round};

/// Width of a plot in its own units, about one pixel each on a page.
pub const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 210.0;
const TOP: f64 = 10.0;
const RIGHT: f64 = 16.0;
const BOTTOM: f64 = 40.0;
const LEFT: f64 = 52.0;
/// Half the width of a digit in a wide font.
const HALF_DIGIT: f64 = 4.0;

/// A line of a plot.
#[derive(Clone, Copy, Debug)]
pub struct Series<'a> {
    /// CSS class: `first`, `second` or `neutral`, with `dashed` or `thin`.
    pub class: &'a str,
    /// Points from left to right.
    pub points: &'a [(f64, f64)],
}

/// Area of a plot, which maps numbers to positions.
struct Frame {
    x: Axis,
    y: Axis,
    width: f64,
    height: f64,
}

impl Frame {
    fn x(&self, value: f64) -> f64 {
        round(LEFT + (self.width - LEFT - RIGHT) * self.x.place(value))
    }

    fn y(&self, value: f64) -> f64 {
        round(self.height - BOTTOM - (self.height - TOP - BOTTOM) * self.y.place(value))
    }

    /// Grid, tick labels, and title of the horizontal axis.
    fn axes(&self, x_title: &str, y_unit: &str) -> Markup {
        let (left, right) = (LEFT, self.width - RIGHT);
        html! {
            @for &tick in &self.y.ticks {
                line class="rule" x1=(left) x2=(right) y1=(self.y(tick)) y2=(self.y(tick)) {}
                text class="end" x=(left - 6.0) y=(self.y(tick) + 4.0) {
                    (label(&self.y, tick)) (y_unit)
                }
            }
            @for (place, text) in self.x.ticks.iter().map(|&tick| (self.x(tick), label(&self.x, tick))) {
                // A label that would be cut off at the edge is aligned to it.
                @let (class, at) = match place + text.chars().count() as f64 * HALF_DIGIT > self.width {
                    true => ("end", self.width),
                    false => ("middle", place),
                };
                text class=(class) x=(at) y=(self.height - BOTTOM + 17.0) { (text) }
            }
            text class="middle" x=((left + right) / 2.0) y=(self.height - 6.0) { (x_title) }
        }
    }

    fn polyline(&self, series: &Series<'_>) -> Markup {
        let points: Vec<String> = series
            .points
            .iter()
            .filter(|(x, y)| x.is_finite() && y.is_finite())
            .map(|&(x, y)| format!("{},{}", self.x(x), self.y(y)))
            .collect();
        html! {
            @if points.len() == 1 {
                @if let Some((x, y)) = points[0].split_once(',') {
                    circle class=(format!("line {}", series.class)) cx=(x) cy=(y) r="2.5" {}
                }
            } @else if !points.is_empty() {
                polyline class=(format!("line {}", series.class)) points=(points.join(" ")) {}
            }
        }
    }
}

/// Formats a tick label, with a minus sign (−).
fn label(axis: &Axis, tick: f64) -> String {
    let text = axis.label(tick);
    // Shortens a label that does not fit beside the axis.
    let text = match text.chars().count() > 6 {
        true if tick == 0.0 => "0".to_string(),
        true if tick.abs() >= 1e9 || tick.abs() < 1.0 => format!("{tick:.0e}"),
        true if tick.abs() >= 1e6 => format!("{} M", tick / 1e6),
        _ => text,
    };
    text.replace('-', "−")
}

/// Ratio of the largest to the smallest number above which a curve that approaches 0 has a
/// logarithmic axis. On a linear axis the second half of a training would be a flat line.
const DECADES_FROM: f64 = 30.0;

/// Plots curves over the epochs. `unit` follows the tick labels. `to` is a number that the vertical
/// axis includes; 0 is left out if the numbers span decades and `decades` is set.
pub fn curves(
    description: &str,
    unit: &str,
    to: f64,
    decades: bool,
    series: &[Series<'_>],
) -> Markup {
    let all = || series.iter().flat_map(|series| series.points).filter(|(_, y)| y.is_finite());
    let least = all().fold(f64::INFINITY, |least, (_, y)| least.min(*y));
    let most = all().fold(f64::NEG_INFINITY, |most, (_, y)| most.max(*y));
    let last = all().fold(1.0_f64, |last, (x, _)| last.max(*x));
    let y = match decades && to == 0.0 && least > 0.0 && most > least * DECADES_FROM {
        true => Axis::decades(least, most),
        false => Axis::covering(least.min(to), most.max(to), 4),
    };
    let frame = Frame { x: Axis::counting(last as usize, 5), y, width: WIDTH, height: HEIGHT };
    html! {
        svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(description) {
            (frame.axes("epoch", unit))
            @for series in series { (frame.polyline(series)) }
        }
    }
}

/// Plots two histograms with the same bins, the first filled, the second as an outline. The area
/// outside an optional range is tinted.
pub fn histogram(
    description: &str,
    filled: &Histogram,
    outline: Option<&Histogram>,
    range: Option<(f64, f64)>,
) -> Markup {
    let share = |histogram: &Histogram| {
        let total = histogram.counts.iter().sum::<u64>().max(1) as f64;
        histogram.counts.iter().map(|&count| count as f64 / total * 100.0).collect::<Vec<f64>>()
    };
    let (bars, line) = (share(filled), outline.map(share));
    let most = bars.iter().chain(line.iter().flatten()).fold(0.0_f64, |most, &s| most.max(s));
    let frame = Frame {
        x: Axis::within(filled.start, filled.end(), 5),
        y: Axis::covering(0.0, if most > 0.0 { most } else { 1.0 }, 3),
        width: WIDTH,
        height: 190.0,
    };
    let (top, bottom) = (TOP, 190.0 - BOTTOM);
    let edge = |bin: usize| filled.start + bin as f64 * filled.width;
    let mut steps = Vec::new();
    for (bin, &share) in line.iter().flatten().enumerate() {
        steps.extend([(edge(bin), share), (edge(bin + 1), share)]);
    }
    let outside = range.map(|(low, high)| [(LEFT, frame.x(low)), (frame.x(high), WIDTH - RIGHT)]);
    html! {
        svg viewBox=(format!("0 0 {WIDTH} 190")) role="img" aria-label=(description) {
            (frame.axes("value", " %"))
            @for (from, to) in outside.into_iter().flatten() {
                @if to > from {
                    rect class="outside" x=(from) y=(top) width=(round(to - from))
                        height=(bottom - top) {}
                }
            }
            @for (bin, &share) in bars.iter().enumerate() {
                @if share > 0.0 {
                    rect class="fill-first" x=(frame.x(edge(bin))) y=(frame.y(share))
                        width=(round((frame.x(edge(bin + 1)) - frame.x(edge(bin)) - 0.4).max(0.4)))
                        height=(round(bottom - frame.y(share))) fill-opacity="0.75" {}
                }
            }
            (frame.polyline(&Series { class: "second thin", points: &steps }))
            @for end in range.into_iter().flat_map(|(low, high)| [low, high]) {
                line class="line neutral dashed thin" x1=(frame.x(end)) x2=(frame.x(end))
                    y1=(top) y2=(bottom) {}
            }
        }
    }
}

/// Square line plot, with both axes from 0 to 1 or a part of that, and axis titles.
pub fn square(
    description: &str,
    x: (f64, f64),
    y: (f64, f64),
    titles: (&str, &str),
    series: &[Series<'_>],
) -> Markup {
    let side = 240.0;
    let frame = Frame {
        x: Axis::covering(x.0, x.1, 2),
        y: Axis::covering(y.0, y.1, 2),
        width: side,
        height: side,
    };
    html! {
        svg viewBox=(format!("0 0 {side} {side}")) role="img" aria-label=(description) {
            (frame.axes(titles.0, ""))
            @for series in series { (frame.polyline(series)) }
            text class="end" x=(side - RIGHT) y=(side - BOTTOM - 8.0) { (titles.1) }
        }
    }
}

/// Axes of a scatter plot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axes {
    /// Both axes have the same scale, and lines mark 0.
    Equal,
    /// Both axes have the same range, and the diagonal marks equality.
    Diagonal,
}

/// Square scatter plot of points, each with the CSS color of its series. Later series are drawn on
/// top.
pub fn scatter(
    description: &str,
    titles: (&str, &str),
    points: &[(f64, f64, String)],
    axes: Axes,
) -> Markup {
    let side = 420.0;
    let finite = || points.iter().filter(|p| p.0.is_finite() && p.1.is_finite());
    let bound = |value: fn(&(f64, f64, String)) -> f64| {
        let (low, high) = finite()
            .map(value)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        let margin = (high - low) * 0.03;
        if low <= high { (low - margin, high + margin) } else { (0.0, 1.0) }
    };
    let (mut x, mut y) = (bound(|p| p.0), bound(|p| p.1));
    match axes {
        Axes::Equal => {
            let half = (x.1 - x.0).max(y.1 - y.0) / 2.0;
            let around = |(low, high): (f64, f64)| {
                let middle = (low + high) / 2.0;
                (middle - half, middle + half)
            };
            (x, y) = (around(x), around(y));
        }
        Axes::Diagonal => {
            x = (x.0.min(y.0), x.1.max(y.1));
            y = x;
        }
    }
    let frame = Frame {
        x: Axis::within(x.0, x.1, 5),
        y: Axis::within(y.0, y.1, 5),
        width: side,
        height: side,
    };
    // A series is one path of dots, a tenth of the size of separate circles.
    let mut series: Vec<(&str, String)> = Vec::new();
    for (x, y, color) in finite() {
        let dot = format!("M{},{}h0", frame.x(*x), frame.y(*y));
        match series.iter_mut().find(|(known, _)| known == color) {
            Some((_, dots)) => dots.push_str(&dot),
            None => series.push((color, dot)),
        }
    }
    let size = if points.len() > 2000 { 3.4 } else { 5.2 };
    html! {
        svg viewBox=(format!("0 0 {side} {side}")) role="img" aria-label=(description) {
            (frame.axes(titles.0, ""))
            @if axes == Axes::Equal {
                @for line in [[(x.0, 0.0), (x.1, 0.0)], [(0.0, y.0), (0.0, y.1)]] {
                    @if x.0 <= line[0].0 && line[1].0 <= x.1 && y.0 <= line[0].1 && line[1].1 <= y.1 {
                        (frame.polyline(&Series { class: "neutral thin", points: &line }))
                    }
                }
            }
            @if axes == Axes::Diagonal {
                (frame.polyline(&Series {
                    class: "neutral dashed thin",
                    points: &[(x.0, x.0), (x.1, x.1)],
                }))
            }
            @for (color, dots) in &series {
                path d=(dots) stroke-linecap="round" stroke-width=(size) stroke-opacity="0.75"
                    style=(format!("stroke: {color}")) {}
            }
            text x=(LEFT + 4.0) y=(TOP + 8.0) { (titles.1) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_one_point_and_nonsense_are_drawn_without_nan() {
        for points in [vec![], vec![(1.0, 0.5)], vec![(1.0, f64::NAN), (2.0, 0.1)]] {
            let series = [Series { class: "first", points: &points }];
            let text = curves("c", "", 0.0, true, &series).into_string()
                + &square("s", (0.0, 1.0), (0.0, 1.0), ("x", "y"), &series).into_string();
            assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
            let dots: Vec<_> = points.iter().map(|&(x, y)| (x, y, String::new())).collect();
            let text = scatter("s", ("x", "y"), &dots, Axes::Diagonal).into_string();
            assert!(!text.contains("NaN"), "{text}");
        }
        let empty =
            histogram("h", &Histogram::new(0.0, 0.0, 3), None, Some((0.0, 0.0))).into_string();
        assert!(!empty.contains("NaN") && !empty.contains("inf"), "{empty}");
    }
}
