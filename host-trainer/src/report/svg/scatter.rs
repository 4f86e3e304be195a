//! Scatter plots of rows by class.

use svg::node::element::{Line, Path};

use super::axis::Axis;
use super::canvas::{Anchor, Canvas, round};
use crate::report::html::class_color;

const SIDE: f64 = 460.0;
const LEFT: f64 = 64.0;
const TOP: f64 = 52.0;
const WIDTH: f64 = LEFT + SIDE + 24.0;
const LEGEND: f64 = TOP + SIDE + 70.0;
const LINE: f64 = 20.0;

/// Widest plot relative to its height that still has equal axes, if they may differ.
const MOST_UNEQUAL: f64 = 4.0;

/// Classes with a color and a shape of their own: eight colors, round and square.
pub const CLASSES: usize = 16;

/// Color of rows that only surround others, and of the lines at 0.
const FAINT: &str = "#8c959f";

/// Relation of the two axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axes {
    /// Each fits the points; without lines at 0.
    Independent,
    /// One unit has the same length on both, with lines at 0.
    Equal,
    /// Equal, unless the points have far more extent along one of them.
    EqualIfAlike,
}

/// A scatter plot.
#[derive(Clone, Copy, Debug)]
pub struct ScatterPlot<'a> {
    /// Title.
    pub title: &'a str,
    /// Titles of the axes.
    pub titles: (&'a str, &'a str),
    /// Rows: x, y, class.
    pub points: &'a [(f64, f64, usize)],
    /// Names of the classes, empty for regression.
    pub classes: &'a [String],
    /// The only class in color.
    pub only: Option<usize>,
    /// Relation of the axes.
    pub axes: Axes,
}

/// Returns a scatter plot by class, with a legend.
pub fn scatter_svg(plot: &ScatterPlot<'_>) -> String {
    let shown = if plot.classes.len() <= CLASSES { plot.classes } else { &[] };
    let legend: Vec<(f64, f64, usize)> = match plot.only {
        None => legend(shown),
        Some(_) => Vec::new(),
    };
    let height = legend.last().map_or(LEGEND - 18.0, |(_, y, _)| y + LINE);
    let mut canvas = Canvas::new(WIDTH, height, plot.title);
    canvas.text(LEFT, 32.0, Anchor::Start, "title", plot.title);
    let (x, y, equal) = axes(plot);
    let at_x = |value: f64| LEFT + SIDE * x.place(value);
    let at_y = |value: f64| TOP + SIDE * (1.0 - y.place(value));
    for &tick in &x.ticks {
        canvas.grid((at_x(tick), TOP), (at_x(tick), TOP + SIDE));
        canvas.text(at_x(tick), TOP + SIDE + 20.0, Anchor::Middle, "tick", &minus(x.label(tick)));
    }
    for &tick in &y.ticks {
        canvas.grid((LEFT, at_y(tick)), (LEFT + SIDE, at_y(tick)));
        canvas.text(LEFT - 8.0, at_y(tick) + 4.0, Anchor::End, "tick", &minus(y.label(tick)));
    }
    canvas.text(LEFT + SIDE / 2.0, TOP + SIDE + 42.0, Anchor::Middle, "tick", plot.titles.0);
    canvas.text(LEFT, TOP - 6.0, Anchor::Start, "tick", plot.titles.1);
    if equal {
        for (from, to) in [
            ((at_x(0.0), TOP), (at_x(0.0), TOP + SIDE)),
            ((LEFT, at_y(0.0)), (LEFT + SIDE, at_y(0.0))),
        ] {
            let line = Line::new().set("x1", round(from.0)).set("y1", round(from.1));
            let line = line.set("x2", round(to.0)).set("y2", round(to.1));
            canvas.add(line.set("stroke", FAINT).set("stroke-width", 1.4));
        }
    }
    let size = if plot.points.len() > 2000 { 3.6 } else { 5.2 };
    let mut dots = |of: &dyn Fn(usize) -> bool, color: &str, cap: &str| {
        let place = |&(x, y, _): &(f64, f64, usize)| (round(at_x(x)), round(at_y(y)));
        let rows = finite(plot.points).filter(|point| of(point.2));
        let path: String = rows.map(place).map(|(x, y)| format!("M{x},{y}h0")).collect();
        if !path.is_empty() {
            let path = Path::new().set("d", path).set("stroke", color).set("stroke-width", size);
            canvas.add(path.set("stroke-linecap", cap).set("stroke-opacity", 0.8));
        }
    };
    match plot.only {
        // The class is on top of all others.
        Some(only) => {
            dots(&|class| class != only, FAINT, "round");
            dots(&|class| class == only, &color(only, plot.classes.len()), "round");
        }
        None if shown.is_empty() => dots(&|_| true, &color(0, 1), "round"),
        None => (0..shown.len()).for_each(|index| {
            dots(&|class| class == index, &color(index, shown.len()), cap(index));
        }),
    }
    for (left, bottom, class) in legend {
        let mark = Path::new().set("d", format!("M{},{}h0", round(left + 6.0), bottom - 4.0));
        let mark = mark.set("stroke", color(class, shown.len())).set("stroke-width", 10);
        canvas.add(mark.set("stroke-linecap", cap(class)));
        canvas.text(left + 18.0, bottom, Anchor::Start, "strong", &shown[class]);
    }
    canvas.finish()
}

/// Color of a class, or one color of all if there are too many.
fn color(class: usize, classes: usize) -> String {
    let [red, green, blue] = class_color(if classes <= CLASSES { class } else { 0 });
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// Shape of a class.
fn cap(class: usize) -> &'static str {
    if class < CLASSES / 2 { "round" } else { "square" }
}

fn finite<'a>(
    points: &'a [(f64, f64, usize)],
) -> impl Iterator<Item = &'a (f64, f64, usize)> + use<'a> {
    points.iter().filter(|(x, y, _)| x.is_finite() && y.is_finite())
}

/// Formats a tick with a minus sign (−).
fn minus(text: String) -> String {
    text.replace('-', "−")
}

/// Left end, baseline and class of the legend's entries.
fn legend(names: &[String]) -> Vec<(f64, f64, usize)> {
    let (mut left, mut bottom) = (LEFT, LEGEND);
    let mut entries = Vec::new();
    for (class, name) in names.iter().enumerate() {
        // About seven pixels per letter.
        let width = name.chars().count() as f64 * 7.0 + 38.0;
        if left + width > WIDTH && left > LEFT {
            (left, bottom) = (LEFT, bottom + LINE);
        }
        entries.push((left, bottom, class));
        left += width;
    }
    entries
}

/// Returns both axes, and whether they are equal.
fn axes(plot: &ScatterPlot<'_>) -> (Axis, Axis, bool) {
    let bounds = |value: fn(&(f64, f64, usize)) -> f64| {
        let values = finite(plot.points).map(value);
        let (low, high) =
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        if low <= high { (low, high) } else { (0.0, 1.0) }
    };
    let (x, y) = (bounds(|point| point.0), bounds(|point| point.1));
    let with_zero = |(low, high): (f64, f64)| (low.min(0.0), high.max(0.0));
    let span = |(low, high): (f64, f64)| high - low;
    let (wide, tall) = (span(with_zero(x)), span(with_zero(y)));
    let equal = match plot.axes {
        Axes::Independent => false,
        Axes::Equal => true,
        Axes::EqualIfAlike => wide.max(tall) <= MOST_UNEQUAL * wide.min(tall),
    };
    let axis = |range: (f64, f64)| {
        let (low, high) = if equal { with_zero(range) } else { range };
        let length = if equal { wide.max(tall) } else { high - low };
        // With a margin; points that all lie on a line have a plot, too.
        let half = if length > 0.0 { length * 0.53 } else { 0.5 };
        let middle = (low + high) / 2.0;
        Axis::within(middle - half, middle + half, 6)
    };
    (axis(x), axis(y), equal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot<'a>(points: &'a [(f64, f64, usize)], classes: &'a [String]) -> ScatterPlot<'a> {
        let titles = ("x", "y");
        ScatterPlot { title: "a<b", titles, points, classes, only: None, axes: Axes::Equal }
    }

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|class| format!("class {class}")).collect()
    }

    #[test]
    fn every_class_has_its_dots_and_its_name() {
        let points: Vec<_> = (0..9).map(|class| (class as f64, 1.0, class)).collect();
        let classes = names(9);
        let svg = scatter_svg(&plot(&points, &classes));
        assert!(svg.contains("a&lt;b") && svg.contains("class 8"));
        // A dot in the plot and one in the legend.
        assert_eq!(svg.matches("h0").count(), 18);
        assert_eq!(svg.matches("\"square\"").count(), 2);
        let only = ScatterPlot { only: Some(3), ..plot(&points, &classes) };
        let svg = scatter_svg(&only);
        assert!(!svg.contains("class 8") && svg.matches("<path").count() == 2, "{svg}");
        let many = names(17);
        assert!(!scatter_svg(&plot(&points, &many)).contains("class 8"), "colors would repeat");
    }

    #[test]
    fn equal_axes_have_one_scale_and_contain_zero() {
        let points = [(1.0, 10.0, 0), (5.0, 12.0, 0)];
        let (x, y, equal) = axes(&plot(&points, &[]));
        let unit = |axis: &Axis| axis.place(1.0) - axis.place(0.0);
        // Both are quotients of the same length, with a rounding each.
        assert!(equal && (unit(&x) - unit(&y)).abs() < 1e-12);
        assert!([x.place(0.0), y.place(0.0)].iter().all(|place| (0.0..=1.0).contains(place)));
        let alike = |points| {
            let plot = ScatterPlot { axes: Axes::EqualIfAlike, ..plot(points, &[]) };
            axes(&plot).2
        };
        assert!(alike(&points) && !alike(&[(0.0, 900.0, 0), (1.0, 1000.0, 0)]));
    }

    #[test]
    fn nothing_and_nonsense_are_drawn_without_nan() {
        for points in [&[][..], &[(1.0, 2.0, 0)], &[(f64::NAN, 1.0, 0), (0.0, f64::INFINITY, 0)]] {
            for axes in [Axes::Equal, Axes::Independent, Axes::EqualIfAlike] {
                let svg = scatter_svg(&ScatterPlot { axes, ..plot(points, &[]) });
                assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
            }
        }
    }
}
