//! Precision-recall curves.

use crate::evaluate::sort_scores;
use crate::report::html::findings::PrecisionRecall;

/// Maximum number of points of a curve, limited by the visible resolution.
const POINTS: usize = 400;

/// Computes the curve of scores and class membership for falling thresholds; rows of equal score
/// change it together. Its area is the average precision Σ (Rₙ − Rₙ₋₁) · Pₙ. `None` if no row is of
/// the class.
pub fn precision_recall(
    class: &str,
    scores: impl Iterator<Item = (f32, bool)>,
) -> Option<PrecisionRecall> {
    let mut scores: Vec<(f32, bool)> = scores.collect();
    sort_scores(&mut scores);
    scores.reverse();
    let rows = scores.iter().filter(|(_, of_class)| *of_class).count();
    if rows == 0 {
        return None;
    }
    let (mut found, mut taken, mut area) = (0, 0, 0.0);
    let mut points: Vec<(f64, f64)> = Vec::new();
    for tied in scores.chunk_by(|a, b| a.0 == b.0) {
        let right = tied.iter().filter(|(_, of_class)| *of_class).count();
        found += right;
        taken += tied.len();
        let (recall, precision) = (found as f64 / rows as f64, found as f64 / taken as f64);
        area += right as f64 / rows as f64 * precision;
        // The first point of a recall has its best precision.
        if right > 0 {
            points.push((recall, precision));
        }
    }
    let every = points.len().div_ceil(POINTS);
    let last = points.last().copied();
    let mut points: Vec<(f64, f64)> = points.into_iter().step_by(every).collect();
    if points.last().copied() != last {
        points.extend(last);
    }
    // Starts at zero recall, with the precision of the first positive row.
    points.insert(0, (0.0, points[0].1));
    let share = rows as f64 / scores.len() as f64;
    Some(PrecisionRecall { class: class.to_string(), points, area, share })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_by_hand() {
        let scores = [(0.8, true), (0.4, false), (0.35, true), (0.1, false)];
        let curve = precision_recall("b", scores.into_iter()).unwrap();
        assert_eq!(curve.points, [(0.0, 1.0), (0.5, 1.0), (1.0, 2.0 / 3.0)]);
        assert!((curve.area - 5.0 / 6.0).abs() < 1e-12, "{}", curve.area);
        assert_eq!(curve.share, 0.5);
        assert_eq!(precision_recall("b", [(0.8, false)].into_iter()), None);
    }

    #[test]
    fn long_curves_are_thinned_to_their_end() {
        let scores = (0..5000).map(|row| (row as f32, row % 2 == 0));
        let curve = precision_recall("b", scores).unwrap();
        assert!(curve.points.len() <= POINTS + 2, "{}", curve.points.len());
        assert_eq!(curve.points.last().unwrap().0, 1.0);
    }
}
