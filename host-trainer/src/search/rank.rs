//! Ranking by several objectives, each of which is to be small.

use std::cmp::Ordering;

/// Returns whether `a` is nowhere worse than `b`, and better in one objective.
fn dominates(a: &[f64], b: &[f64]) -> bool {
    let pairs = || a.iter().zip(b);
    pairs().all(|(a, b)| a <= b) && pairs().any(|(a, b)| a < b)
}

/// Returns the indices of the Pareto front: points that no other dominates; of equal ones the first.
pub fn front<const N: usize>(points: &[[f64; N]]) -> Vec<usize> {
    let beaten = |index: usize| {
        let others = points.iter().enumerate();
        others.filter(|(other, _)| *other != index).any(|(other, point)| {
            dominates(point, &points[index]) || (other < index && *point == points[index])
        })
    };
    (0..points.len()).filter(|&index| !beaten(index)).collect()
}

/// Returns the indices of all points, the best first: by non-dominated sorting, and within a front by
/// crowding distance (Deb et al., *A fast and elitist multiobjective genetic algorithm: NSGA-II*,
/// 2002). The point with the smallest first objective is the first of its front.
pub(super) fn ranked<const N: usize>(points: &[[f64; N]]) -> Vec<usize> {
    let mut left: Vec<usize> = (0..points.len()).collect();
    let mut order = Vec::with_capacity(points.len());
    while !left.is_empty() {
        let of: Vec<[f64; N]> = left.iter().map(|&index| points[index]).collect();
        let places = front(&of);
        let members: Vec<[f64; N]> = places.iter().map(|&place| of[place]).collect();
        let distances = crowding(&members);
        let mut by_distance: Vec<usize> = (0..members.len()).collect();
        by_distance.sort_by(|&a, &b| {
            let equal = || members[a][0].total_cmp(&members[b][0]);
            distances[b].total_cmp(&distances[a]).then_with(equal)
        });
        order.extend(by_distance.into_iter().map(|member| left[places[member]]));
        let taken: Vec<usize> = places.iter().map(|&place| left[place]).collect();
        left.retain(|index| !taken.contains(index));
    }
    order
}

/// Returns the crowding distance of each point of a front; infinite at its ends.
fn crowding<const N: usize>(points: &[[f64; N]]) -> Vec<f64> {
    let mut distances = vec![0.0; points.len()];
    for objective in 0..N {
        let value = |index: usize| points[index][objective];
        let mut order: Vec<usize> = (0..points.len()).collect();
        order.sort_by(|&a, &b| value(a).total_cmp(&value(b)).then(a.cmp(&b)));
        let (Some(&first), Some(&last)) = (order.first(), order.last()) else { continue };
        let span = value(last) - value(first);
        if span.partial_cmp(&0.0) != Some(Ordering::Greater) {
            continue;
        }
        distances[first] = f64::INFINITY;
        distances[last] = f64::INFINITY;
        for three in order.windows(3) {
            // Two infinite values are equally far from all others.
            let distance = (value(three[2]) - value(three[0])) / span;
            if distance.is_finite() {
                distances[three[1]] += distance;
            }
        }
    }
    distances
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_front_has_nothing_that_another_beats() {
        let points = [[0.1, 9.0], [0.2, 5.0], [0.2, 6.0], [0.3, 1.0], [0.1, 9.0], [0.4, 2.0]];
        assert_eq!(front(&points), [0, 1, 3]);
        assert_eq!(front::<2>(&[]), [0_usize; 0]);
        let unknown = f64::INFINITY;
        assert_eq!(front(&[[0.1, unknown], [0.1, 3.0], [0.0, unknown]]), [1, 2]);
    }

    #[test]
    fn fronts_come_in_order_and_their_ends_first() {
        let points = [[0.5, 0.5], [0.0, 1.0], [0.45, 0.6], [1.0, 0.0], [0.9, 0.9]];
        // The ends of the first front, the less crowded of the two between them, the second front.
        assert_eq!(ranked(&points), [1, 3, 0, 2, 4]);
        let all = ranked(&[[0.2, f64::INFINITY], [0.1, f64::INFINITY], [0.3, 1.0]]);
        assert_eq!(all, [1, 2, 0]);
    }
}
