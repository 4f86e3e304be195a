//! Receiver operating characteristics.

use crate::evaluate::sort_scores;
use crate::report::html::findings::Roc;

/// Minimum distance of points, as a share of the distance to the corner.
const FINENESS: f64 = 0.02;

/// Computes the curve of scores and class membership: Fawcett, *An introduction to ROC analysis*,
/// 2006, algorithm 1. Rows of equal score change it together.
pub fn roc(scores: impl Iterator<Item = (f32, bool)>) -> Roc {
    let mut scores: Vec<(f32, bool)> = scores.collect();
    sort_scores(&mut scores);
    scores.reverse();
    let positives = scores.iter().filter(|(_, positive)| *positive).count();
    let negatives = scores.len() - positives;
    let rate = |count: usize, of: usize| count as f64 / of as f64;
    let (mut true_positives, mut false_positives, mut area) = (0, 0, 0.0);
    let mut points = vec![(0.0, 0.0)];
    for group in scores.chunk_by(|a, b| a.0 == b.0) {
        let (before_true, before_false) = (true_positives, false_positives);
        let positive = group.iter().filter(|(_, positive)| *positive).count();
        true_positives += positive;
        false_positives += group.len() - positive;
        let (width, height) = (
            rate(false_positives - before_false, negatives),
            rate(before_true + true_positives, positives),
        );
        area += width * height / 2.0;
        push(&mut points, (rate(false_positives, negatives), rate(true_positives, positives)));
    }
    if points.last() != Some(&(1.0, 1.0)) {
        points.push((1.0, 1.0));
    }
    Roc { points, area: if positives > 0 && negatives > 0 { area } else { f64::NAN } }
}

/// Appends a point where the curve turns; drops points that cannot be distinguished from the last.
fn push(points: &mut Vec<(f64, f64)>, point: (f64, f64)) {
    if let [.., before, last] = points.as_mut_slice() {
        let straight_up = before.0 == last.0 && last.0 == point.0;
        let straight_on = before.1 == last.1 && last.1 == point.1;
        let near = (point.0 - before.0) < FINENESS * (before.0 + 1e-4)
            && (point.1 - before.1) < FINENESS * (1.0 - before.1 + 1e-4);
        if straight_up || straight_on || near {
            *last = point;
            return;
        }
    }
    points.push(point);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_by_hand() {
        let perfect = roc([(0.9, true), (0.8, true), (0.1, false)].into_iter());
        assert_eq!(perfect.area, 1.0);
        assert_eq!(perfect.points, [(0.0, 0.0), (0.0, 1.0), (1.0, 1.0)]);
        // Three of the four pairs are in order.
        let mixed = roc([(0.9, true), (0.8, false), (0.7, true), (0.1, false)].into_iter());
        assert_eq!(mixed.area, 0.75);
        let tied = roc([(0.5, true), (0.5, false)].into_iter());
        assert_eq!((tied.area, tied.points.len()), (0.5, 2));
        assert!(roc([(0.5, true)].into_iter()).area.is_nan());
        assert!(roc(std::iter::empty()).area.is_nan());
    }

    #[test]
    fn a_long_curve_is_thinned_and_its_area_kept() {
        let scores = (0..20_000).map(|i| (i as f32, (i * 7919) % 20_000 > 19_999 - i));
        let roc = roc(scores);
        assert!(roc.points.len() < 1500, "{}", roc.points.len());
        let by_points: f64 =
            roc.points.windows(2).map(|p| (p[1].0 - p[0].0) * (p[1].1 + p[0].1) / 2.0).sum();
        assert!((by_points - roc.area).abs() < 2e-3, "{by_points} {}", roc.area);
    }
}
