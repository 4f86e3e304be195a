//! Weighted graph of neighbors: the fuzzy simplicial set of the paper, sections 3.1 and 4.1.

use super::neighbors::Neighbor;

/// Bisection steps for the width of a row's neighborhood; each halves its interval.
const STEPS: usize = 64;

/// Smallest width of a neighborhood, relative to the mean distance of its neighbors, so that rows
/// with many duplicates have one. The value is umap-learn's.
const LEAST_WIDTH: f64 = 1e-3;

/// An edge between two rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Edge {
    /// First row.
    pub from: u32,
    /// Second row.
    pub to: u32,
    /// Membership strength, above 0 and at most 1.
    pub weight: f32,
}

/// Returns the edges of the graph in both directions, by first row, then by second.
pub fn edges(neighbors: &[Vec<Neighbor>]) -> Vec<Edge> {
    // Each undirected edge once or twice, by its ends.
    let mut directed: Vec<(u32, u32, f64)> = Vec::new();
    for (row, near) in neighbors.iter().enumerate() {
        let row = row as u32;
        let strengths = strengths(near);
        let ends = near.iter().map(|neighbor| (row.min(neighbor.row), row.max(neighbor.row)));
        directed.extend(ends.zip(strengths).map(|((low, high), weight)| (low, high, weight)));
    }
    directed.sort_unstable_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)).then(a.2.total_cmp(&b.2)));
    let mut edges: Vec<Edge> = Vec::with_capacity(directed.len() * 2);
    for pair in directed.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
        // Union of fuzzy sets: the probability that at least one of the directions exists.
        let none: f64 = pair.iter().map(|(_, _, weight)| 1.0 - weight).product();
        let (from, to, weight) = (pair[0].0, pair[0].1, (1.0 - none) as f32);
        if weight > 0.0 {
            edges.extend([Edge { from, to, weight }, Edge { from: to, to: from, weight }]);
        }
    }
    edges.sort_unstable_by_key(|edge| (edge.from, edge.to));
    edges
}

/// Returns the membership strengths of a row's neighbors: 1 for the nearest, then exponentially
/// less, with a sum of log₂ k (algorithm 3 of the paper).
fn strengths(near: &[Neighbor]) -> Vec<f64> {
    let distance = |neighbor: &Neighbor| f64::from(neighbor.distance);
    // Distance of the nearest neighbor that is not a duplicate.
    let least = near.iter().map(distance).find(|&distance| distance > 0.0).unwrap_or(0.0);
    let strength = |distance: f64, width: f64| match distance > least {
        true => (-(distance - least) / width).exp(),
        false => 1.0,
    };
    let target = (near.len() as f64).log2();
    let sum = |width: f64| near.iter().map(|n| strength(distance(n), width)).sum::<f64>();
    let (mut low, mut high) = (0.0, f64::INFINITY);
    let mut width = 1.0;
    for _ in 0..STEPS {
        match sum(width) > target {
            true => high = width,
            false => low = width,
        }
        width = if high.is_finite() { (low + high) / 2.0 } else { width * 2.0 };
    }
    let mean = near.iter().map(distance).sum::<f64>() / near.len().max(1) as f64;
    let width = width.max(mean * LEAST_WIDTH).max(f64::MIN_POSITIVE);
    near.iter().map(|neighbor| strength(distance(neighbor), width)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(distances: &[f32]) -> Vec<Neighbor> {
        let neighbor = |(row, &distance): (usize, &f32)| Neighbor { distance, row: row as u32 + 1 };
        distances.iter().enumerate().map(neighbor).collect()
    }

    #[test]
    fn strengths_sum_to_the_logarithm_of_their_number() {
        let strengths = strengths(&near(&[1.0, 1.5, 2.0, 4.0, 4.0, 5.0, 8.0, 9.0]));
        assert_eq!(strengths[0], 1.0);
        assert!(strengths.is_sorted_by(|a, b| a >= b));
        // The bisection ends at the resolution of f64, and a sum of eight has a few roundings.
        assert!((strengths.iter().sum::<f64>() - 3.0).abs() < 1e-12, "{strengths:?}");
    }

    #[test]
    fn duplicates_have_finite_strengths() {
        for distances in [[0.0; 4], [0.0, 0.0, 0.0, 1e-30], [0.0, 1e30, 1e30, 1e30]] {
            let strengths = strengths(&near(&distances));
            assert!(strengths.iter().all(|s| (0.0..=1.0).contains(s)), "{strengths:?}");
        }
    }

    #[test]
    fn an_edge_of_both_directions_is_their_union() {
        // Rows 0 and 1 are the nearest of each other, row 2 is far away.
        let of = |pairs: [(u32, f32); 2]| pairs.map(|(row, distance)| Neighbor { distance, row });
        let neighbors =
            [of([(1, 1.0), (2, 9.0)]), of([(0, 1.0), (2, 9.0)]), of([(0, 9.0), (1, 9.0)])];
        let edges = edges(&neighbors.map(Vec::from));
        let ends: Vec<(u32, u32)> = edges.iter().map(|edge| (edge.from, edge.to)).collect();
        assert_eq!(ends, [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)]);
        // For both directions of 0-1 the strength is 1.
        assert_eq!((edges[0].weight, edges[2].weight), (1.0, 1.0));
    }
}
