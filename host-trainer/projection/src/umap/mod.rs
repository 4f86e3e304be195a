//! UMAP: McInnes, Healy and Melville, *Uniform manifold approximation and projection for dimension
//! reduction*, 2018 (<https://arxiv.org/abs/1802.03426>).
//!
//! Neighbors are exact, points start at the principal components (Kobak and Linderman,
//! *Initialization is critical for preserving global data structure in both t-SNE and UMAP*, 2021),
//! and all updates are made in one order.

mod curve;
mod graph;
mod layout;
mod neighbors;

/// Settings of UMAP.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UmapSettings {
    /// Number of neighbors, at least 2. Few preserve local structure, many the global structure.
    pub neighbors: usize,
    /// Minimum distance of points, from 0 to 1.
    pub min_distance: f32,
    /// Random seed.
    pub seed: u64,
}

/// Reason why there is no projection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UmapError {
    /// There are too few rows for the number of neighbors.
    #[error(
        "{rows} rows are too few for {neighbors} neighbors. Give --neighbors {most} or fewer, or \
         --rows with more",
        most = rows.saturating_sub(1)
    )]
    Rows {
        /// Number of rows.
        rows: usize,
        /// Requested number of neighbors.
        neighbors: usize,
    },
}

/// Projects rows onto a plane, with similar rows close together. `start` contains the places from
/// which they begin, such as [`principal_components`](crate::principal_components). The same rows
/// and seed give the same points, regardless of the number of threads.
///
/// The time grows with the square of the number of rows.
///
/// # Shapes
/// Every row has `width` values, and `start` a place per row.
///
/// # Errors
/// [`UmapError`] for too few rows.
pub fn umap(
    rows: &[f32],
    width: usize,
    start: &[(f64, f64)],
    settings: UmapSettings,
) -> Result<Vec<(f64, f64)>, UmapError> {
    let UmapSettings { neighbors, min_distance, seed } = settings;
    let count = rows.len().checked_div(width).unwrap_or(0).min(start.len());
    if count <= neighbors {
        return Err(UmapError::Rows { rows: count, neighbors });
    }
    let edges = graph::edges(&neighbors::nearest(&rows[..count * width], width, neighbors));
    let curve = curve::Curve::fitted(min_distance.into());
    let mut points = layout::start(&start[..count], seed);
    layout::optimize(&mut points, &edges, curve, layout::epochs(count), seed);
    Ok(points.into_iter().map(|[x, y]| (x.into(), y.into())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::principal_components;

    fn projected(
        rows: &[f32],
        width: usize,
        settings: UmapSettings,
    ) -> Result<Vec<(f64, f64)>, UmapError> {
        umap(rows, width, &principal_components(rows, width).points, settings)
    }

    const SETTINGS: UmapSettings = UmapSettings { neighbors: 10, min_distance: 0.1, seed: 1 };

    /// A hundred rows around each of three corners of an eight-dimensional cube.
    fn kinds() -> Vec<f32> {
        let row = |index: usize| {
            let value = move |column: usize| {
                let corner = if index % 3 == column % 3 { 1.0 } else { 0.0 };
                corner + ((index * 31 + column * 17) % 101) as f32 / 1000.0
            };
            (0..8).map(value)
        };
        (0..300).flat_map(row).collect()
    }

    #[test]
    fn rows_of_a_kind_are_neighbors_and_a_seed_gives_one_picture() {
        let points = projected(&kinds(), 8, SETTINGS).unwrap();
        assert_eq!(points.len(), 300);
        let distance =
            |a: usize, b: usize| (points[a].0 - points[b].0).hypot(points[a].1 - points[b].1);
        for row in 0..points.len() {
            let others = (0..points.len()).filter(|&other| other != row);
            let nearest = others.min_by(|&a, &b| distance(row, a).total_cmp(&distance(row, b)));
            assert_eq!(nearest.unwrap() % 3, row % 3, "row {row}");
        }
        let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        assert_eq!(one.install(|| projected(&kinds(), 8, SETTINGS)).unwrap(), points);
        let other = projected(&kinds(), 8, UmapSettings { seed: 2, ..SETTINGS }).unwrap();
        assert_ne!(other, points);
    }

    #[test]
    fn rows_that_are_all_alike_have_points_too() {
        let points = projected(&[0.5; 40 * 4], 4, SETTINGS).unwrap();
        assert!(points.len() == 40 && points.iter().all(|(x, y)| x.is_finite() && y.is_finite()));
    }

    #[test]
    fn the_ends_of_what_may_be_chosen_give_points() {
        for (neighbors, min_distance) in [(2, 0.0), (2, 1.0), (299, 0.0), (299, 1.0)] {
            let settings = UmapSettings { neighbors, min_distance, ..SETTINGS };
            let points = projected(&kinds(), 8, settings).unwrap();
            assert!(points.iter().all(|(x, y)| x.is_finite() && y.is_finite()), "{settings:?}");
        }
    }

    #[test]
    fn too_few_rows_are_refused() {
        for rows in [0, 1, 10] {
            let error = projected(&vec![0.0; rows * 4], 4, SETTINGS).unwrap_err();
            assert_eq!(error, UmapError::Rows { rows, neighbors: 10 });
        }
        assert_eq!(projected(&[0.0; 11 * 4], 4, SETTINGS).unwrap().len(), 11);
    }
}
