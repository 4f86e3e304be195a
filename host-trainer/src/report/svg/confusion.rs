//! Confusion matrices as heat maps, side by side.

use svg::node::element::Rectangle;

use super::canvas::{Anchor, Canvas, FIRST, SECOND, round};
use crate::evaluate::Confusion;
use crate::report::number::{grouped, percent};

const TOP: f64 = 96.0;
const LABEL_ROOM: f64 = 64.0;
const GAP: f64 = 40.0;
const EDGE: f64 = 24.0;
/// Side length of a matrix; the size of its cells decreases with the number of classes.
const MATRIX: f64 = 380.0;

/// Confusion matrices side by side, each with its title. Rows are true classes, columns are
/// predicted classes. Correct predictions are blue, wrong ones vermilion, with an intensity by
/// frequency.
pub fn confusion_svg(name: &str, matrices: &[(&str, &Confusion)]) -> String {
    let count = matrices.len() as f64;
    let width = EDGE * 2.0 + count * (LABEL_ROOM + MATRIX) + (count - 1.0).max(0.0) * GAP;
    let height = TOP + MATRIX + 60.0;
    let mut canvas = Canvas::new(width, height, &format!("Confusion matrices of {name}"));
    let title = format!("{name}: predicted classes of the test rows");
    canvas.text(EDGE, 34.0, Anchor::Start, "title", &title);
    for (index, (title, confusion)) in matrices.iter().enumerate() {
        let left = EDGE + LABEL_ROOM + index as f64 * (LABEL_ROOM + MATRIX + GAP);
        matrix(&mut canvas, left, title, confusion);
    }
    canvas.finish()
}

fn matrix(canvas: &mut Canvas, left: f64, title: &str, confusion: &Confusion) {
    let classes = confusion.names().len();
    let side = MATRIX / classes.max(1) as f64;
    let title = format!(
        "{title}: {} ({} of {})",
        percent(confusion.accuracy()),
        grouped(confusion.correct().into()),
        grouped(confusion.total().into())
    );
    canvas.text(left, TOP - 28.0, Anchor::Start, "subtitle", &title);
    let errors = confusion.counts().indexed_iter().filter(|((truth, taken), _)| truth != taken);
    let max_errors = errors.map(|(_, &count)| count).max().unwrap_or(0).max(1);
    for (truth, counts) in confusion.counts().rows().into_iter().enumerate() {
        for (predicted, &count) in counts.iter().enumerate() {
            let right = truth == predicted;
            let most = if right { confusion.class_total(truth).max(1) } else { max_errors };
            let (x, y) = (left + predicted as f64 * side, TOP + truth as f64 * side);
            cell(canvas, x, y, side, f64::from(count) / f64::from(most), count, right);
        }
    }
    if side < 12.0 {
        return;
    }
    for (class, name) in confusion.names().iter().enumerate() {
        let middle = (class as f64 + 0.5) * side;
        // Truncates the name to the available width, at about seven pixels per letter.
        let short =
            |room: f64| name.chars().take((room / 7.0).max(1.0) as usize).collect::<String>();
        canvas.text(
            left - 10.0,
            TOP + middle + 4.0,
            Anchor::End,
            "tick",
            &short(LABEL_ROOM - 26.0),
        );
        canvas.text(left + middle, TOP - 8.0, Anchor::Middle, "tick", &short(side));
    }
    let below = TOP + MATRIX + 24.0;
    canvas.text(left, below, Anchor::Start, "tick", "row: true class · column: predicted class");
}

/// Draws a cell. `share` is relative to the class for correct predictions, and to the most frequent
/// error for wrong ones, so that rare errors are visible.
fn cell(canvas: &mut Canvas, x: f64, y: f64, side: f64, share: f64, count: u32, right: bool) {
    let gap = if side > 12.0 { 1.5 } else { 0.0 };
    let square = || {
        Rectangle::new()
            .set("x", round(x + gap / 2.0))
            .set("y", round(y + gap / 2.0))
            .set("width", round(side - gap))
            .set("height", round(side - gap))
            .set("rx", if side > 12.0 { 3 } else { 0 })
    };
    canvas.add(square().set("class", "empty"));
    if count == 0 {
        return;
    }
    let strength = match right {
        true => 0.15 + 0.85 * share * share,
        false => 0.1 + 0.9 * share,
    };
    let color = if right { FIRST } else { SECOND };
    canvas.add(square().set("fill", color).set("fill-opacity", round(strength)));
    if side >= 22.0 {
        let class = if strength > 0.65 { "on-dark" } else { "on-light" };
        canvas.text(
            x + side / 2.0,
            y + side / 2.0 + 4.0,
            Anchor::Middle,
            class,
            &count.to_string(),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_count_is_written_where_there_is_room() {
        let mut confusion = Confusion::new(vec!["a&b".into(), "c".into()]);
        (0..17).for_each(|_| confusion.add(0, 0));
        (0..3).for_each(|_| confusion.add(1, 0));
        let svg = confusion_svg("test", &[("float", &confusion), ("int8", &confusion)]);
        assert_eq!(svg.matches("\n17\n").count(), 2);
        assert_eq!(svg.matches("\n3\n").count(), 2);
        assert!(svg.contains("float: 85.00 % (17 of 20)"));
        assert!(svg.contains("a&amp;b") && !svg.contains("NaN"));
    }

    #[test]
    fn many_classes_and_none_are_drawn_too() {
        let names = |count: usize| (0..count).map(|class| class.to_string()).collect();
        for count in [0, 1, 256] {
            let confusion = Confusion::new(names(count));
            assert!(!confusion_svg("test", &[("int8", &confusion)]).contains("NaN"));
        }
    }
}
