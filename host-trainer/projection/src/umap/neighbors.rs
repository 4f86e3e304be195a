//! Nearest neighbors of each row, by exhaustive search.

use rayon::prelude::*;

/// Independent sums of a distance, so that the compiler uses vector instructions.
const LANES: usize = 8;

/// A neighbor of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Neighbor {
    /// Its Euclidean distance.
    pub distance: f32,
    /// Its row.
    pub row: u32,
}

/// Returns the `k` nearest other rows of each row, nearest first; equally distant ones in the order
/// of the rows. The result does not depend on the number of threads.
///
/// # Shapes
/// Every row has `width` values. The result has `k` neighbors per row, or all other rows.
pub fn nearest(rows: &[f32], width: usize, k: usize) -> Vec<Vec<Neighbor>> {
    let count = rows.len().checked_div(width).unwrap_or(0);
    let row = |index: usize| &rows[index * width..(index + 1) * width];
    let of_row = |index: usize, distances: &mut Vec<Neighbor>| {
        distances.clear();
        let others = (0..count).filter(|&other| other != index);
        distances.extend(others.map(|other| Neighbor {
            distance: squared_distance(row(index), row(other)),
            row: other as u32,
        }));
        let order =
            |a: &Neighbor, b: &Neighbor| a.distance.total_cmp(&b.distance).then(a.row.cmp(&b.row));
        if k < distances.len() {
            distances.select_nth_unstable_by(k, order);
        }
        let mut nearest = distances[..k.min(distances.len())].to_vec();
        nearest.sort_unstable_by(order);
        nearest.iter_mut().for_each(|neighbor| neighbor.distance = neighbor.distance.sqrt());
        nearest
    };
    (0..count)
        .into_par_iter()
        .map_init(Vec::new, |distances, index| of_row(index, distances))
        .collect()
}

fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; LANES];
    let (a_lanes, a_rest) = a.as_chunks::<LANES>();
    let (b_lanes, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a_lanes.iter().zip(b_lanes) {
        for lane in 0..LANES {
            let difference = a[lane] - b[lane];
            sums[lane] += difference * difference;
        }
    }
    let rest = a_rest.iter().zip(b_rest).map(|(a, b)| (a - b) * (a - b));
    sums.iter().sum::<f32>() + rest.sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(rows: &[f32], width: usize, k: usize) -> Vec<Vec<(u32, f32)>> {
        let pairs = |row: &Vec<Neighbor>| row.iter().map(|n| (n.row, n.distance)).collect();
        nearest(rows, width, k).iter().map(pairs).collect()
    }

    #[test]
    fn neighbors_are_in_order_of_distance_then_row() {
        let rows = [0.0, 0.0, 3.0, 4.0, -3.0, 4.0, 0.0, 1.0];
        let neighbors = found(&rows, 2, 2);
        assert_eq!(neighbors[0], [(3, 1.0), (1, 5.0)]);
        assert_eq!(neighbors[1], [(3, 18.0_f32.sqrt()), (0, 5.0)]);
        assert_eq!(found(&rows, 2, 9)[2].len(), 3);
        assert!(found(&[], 2, 3).is_empty());
    }

    #[test]
    fn a_wide_row_counts_every_value() {
        // One value per row differs, once within the lanes and once behind them.
        for place in [0, 7, 8, 18] {
            let mut rows = vec![0.5; 3 * 19];
            rows[19 + place] = 2.5;
            assert_eq!(found(&rows, 19, 2)[0], [(2, 0.0), (1, 2.0)], "{place}");
        }
    }
}
