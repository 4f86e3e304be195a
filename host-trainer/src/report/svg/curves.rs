//! Training curves: loss and accuracy over the epochs.

use svg::node::element::{Circle, Polyline};

use super::axis::Axis;
use super::canvas::{Anchor, Canvas, FIRST, SECOND, round};
use crate::network::BatchScore;
use crate::train::History;

const WIDTH: f64 = 880.0;
const HEIGHT: f64 = 340.0;
const PLOT_TOP: f64 = 84.0;
const PLOT_BOTTOM: f64 = 288.0;
const PLOT_WIDTH: f64 = 360.0;
/// Left edges of the two plots.
const LEFT: [f64; 2] = [56.0, 492.0];

/// Training curves: loss on the left, accuracy on the right, training and validation in each.
pub fn curves_svg(name: &str, history: &History) -> String {
    let mut canvas = Canvas::new(WIDTH, HEIGHT, &format!("Training curves of {name}"));
    canvas.text(24.0, 34.0, Anchor::Start, "title", &format!("{name}: training"));
    let validated = history.epochs.iter().any(|record| record.validation.is_some());
    legend(&mut canvas, validated);
    type Value = fn(&BatchScore) -> f64;
    let values = history.epochs.iter().any(|record| record.train.absolute_error.is_some());
    let second: (&str, Value, &str) = match values {
        true => ("mean absolute error", |s| s.mean_absolute_error().unwrap_or(f64::NAN), ""),
        false => ("accuracy", |score| score.accuracy() * 100.0, " %"),
    };
    let plots: [(&str, Value, &str); 2] = [("loss", BatchScore::loss, ""), second];
    for ((title, value, unit), left) in plots.into_iter().zip(LEFT) {
        let train: Vec<(f64, f64)> = history
            .epochs
            .iter()
            .map(|record| (record.epoch as f64, value(&record.train)))
            .collect();
        let validation: Vec<(f64, f64)> = history
            .epochs
            .iter()
            .filter_map(|record| Some((record.epoch as f64, value(&record.validation?))))
            .collect();
        plot(&mut canvas, left, title, unit, &train, &validation);
    }
    canvas.finish()
}

fn legend(canvas: &mut Canvas, validated: bool) {
    let entries: &[(&str, &str)] = match validated {
        true => &[("training rows", FIRST), ("validation rows", SECOND)],
        false => &[("training rows", FIRST)],
    };
    let mut right = WIDTH - 28.0;
    for (text, color) in entries.iter().rev() {
        canvas.text(right, 34.0, Anchor::End, "strong", text);
        // About seven pixels per letter.
        right -= text.len() as f64 * 6.6 + 10.0;
        let dot = Circle::new().set("cx", round(right)).set("cy", 30).set("r", 5);
        canvas.add(dot.set("fill", *color));
        right -= 24.0;
    }
}

fn plot(
    canvas: &mut Canvas,
    left: f64,
    title: &str,
    unit: &str,
    train: &[(f64, f64)],
    validation: &[(f64, f64)],
) {
    let all = || train.iter().chain(validation).filter(|(_, value)| value.is_finite());
    let least = all().map(|(_, value)| *value).fold(f64::INFINITY, f64::min);
    let most = all().map(|(_, value)| *value).fold(f64::NEG_INFINITY, f64::max);
    let (least, most) = match (least.is_finite(), unit) {
        (false, _) => (0.0, 1.0),
        // The axis of a loss includes 0, that of an accuracy 1.
        (true, "") => (0.0, most),
        (true, _) => (least, 100.0),
    };
    let y_axis = Axis::covering(least, most, 4);
    let last_epoch = train.last().map_or(1, |(epoch, _)| *epoch as usize);
    let x_axis = Axis::counting(last_epoch, 6);
    let x = |epoch: f64| left + PLOT_WIDTH * x_axis.place(epoch);
    let y = |value: f64| PLOT_BOTTOM - (PLOT_BOTTOM - PLOT_TOP) * y_axis.place(value);

    canvas.text(left, PLOT_TOP - 16.0, Anchor::Start, "subtitle", title);
    for &tick in &y_axis.ticks {
        canvas.grid((left, y(tick)), (left + PLOT_WIDTH, y(tick)));
        let label = format!("{}{unit}", y_axis.label(tick));
        canvas.text(left - 8.0, y(tick) + 4.0, Anchor::End, "tick", &label);
    }
    for &tick in &x_axis.ticks {
        canvas.text(x(tick), PLOT_BOTTOM + 20.0, Anchor::Middle, "tick", &x_axis.label(tick));
    }
    canvas.text(left + PLOT_WIDTH / 2.0, PLOT_BOTTOM + 40.0, Anchor::Middle, "tick", "epoch");
    for (series, color) in [(train, FIRST), (validation, SECOND)] {
        let points: Vec<String> = series
            .iter()
            .filter(|(_, value)| value.is_finite())
            .map(|&(epoch, value)| format!("{},{}", round(x(epoch)), round(y(value))))
            .collect();
        if points.is_empty() {
            continue;
        }
        let line = Polyline::new()
            .set("points", points.join(" "))
            .set("fill", "none")
            .set("stroke", color)
            .set("stroke-width", 2.25)
            .set("stroke-linejoin", "round")
            .set("stroke-linecap", "round");
        canvas.add(line);
        if let Some(&(epoch, value)) = series.last() {
            let dot = Circle::new().set("cx", round(x(epoch))).set("cy", round(y(value)));
            canvas.add(dot.set("r", 3.5).set("fill", color));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::EpochRecord;

    #[test]
    fn a_curve_has_a_point_an_epoch_and_no_nan() {
        let score = BatchScore { loss_sum: 2.0, correct: 3, rows: 4, ..BatchScore::default() };
        let record = |epoch| EpochRecord {
            epoch,
            learning_rate: 0.1,
            train: score,
            validation: Some(score),
            seconds: 1.0,
        };
        for epochs in [1, 2, 37] {
            let history =
                History { epochs: (1..=epochs).map(record).collect(), ..History::default() };
            let svg = curves_svg("a<b", &history);
            assert!(svg.contains("a&lt;b: training") && !svg.contains("NaN"));
            let points = svg.split("points=\"").nth(1).unwrap().split('"').next().unwrap();
            assert_eq!(points.split(' ').count(), epochs);
        }
        assert!(!curves_svg("empty", &History::default()).contains("NaN"));
    }
}
