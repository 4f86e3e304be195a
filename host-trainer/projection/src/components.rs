//! Principal component analysis.

use nalgebra::{DMatrix, SymmetricEigen};

/// Rows projected onto their two principal components.
#[derive(Clone, Debug, PartialEq)]
pub struct Components {
    /// Coordinates of each row along the first and second component.
    pub points: Vec<(f64, f64)>,
    /// Share of the variance that each component explains.
    pub explained: (f64, f64),
}

/// Computes the two principal components of rows (Pearson, 1901), as eigenvectors of their
/// covariance.
///
/// The sign of a component is arbitrary. It is chosen so that its largest entry is positive, and
/// the same rows always give the same projection.
///
/// # Shapes
/// Every row has `width` values.
pub fn principal_components(rows: &[f32], width: usize) -> Components {
    let count = rows.len().checked_div(width).unwrap_or(0);
    if count == 0 {
        return Components { points: Vec::new(), explained: (0.0, 0.0) };
    }
    let mut centered = DMatrix::from_row_iterator(count, width, rows.iter().map(|&v| f64::from(v)));
    for mut column in centered.column_iter_mut() {
        let mean = column.mean();
        column.add_scalar_mut(-mean);
    }
    let covariance = centered.tr_mul(&centered) / count as f64;
    let eigen = SymmetricEigen::new(covariance);
    let mut order: Vec<usize> = (0..width).collect();
    order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
    let total: f64 = eigen.eigenvalues.iter().map(|value| value.max(0.0)).sum();
    let component = |place: usize| match order.get(place) {
        None => (vec![0.0; count], 0.0),
        Some(&index) => {
            let vector = eigen.eigenvectors.column(index);
            let sign = if vector[vector.iamax()] < 0.0 { -1.0 } else { 1.0 };
            let along = &centered * vector * sign;
            let share = if total > 0.0 { eigen.eigenvalues[index].max(0.0) / total } else { 0.0 };
            (along.iter().copied().collect(), share)
        }
    };
    let ((first, first_share), (second, second_share)) = (component(0), component(1));
    Components {
        points: first.into_iter().zip(second).collect(),
        explained: (first_share, second_share),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_one_component() {
        // Along (1, 2, 2), which has length 3.
        let rows: Vec<f32> =
            (-2..=2).flat_map(|t| [t, 2 * t, 2 * t + 1].map(|v| v as f32)).collect();
        let components = principal_components(&rows, 3);
        assert!((components.explained.0 - 1.0).abs() < 1e-9);
        for ((x, y), t) in components.points.iter().zip(-2..=2) {
            assert!((x - f64::from(3 * t)).abs() < 1e-6 && y.abs() < 1e-6, "{x} {y} {t}");
        }
    }

    #[test]
    fn one_value_and_no_row_have_points_too() {
        let one = principal_components(&[1.0, 3.0], 1);
        assert_eq!(one.points, [(-1.0, 0.0), (1.0, 0.0)]);
        assert!(principal_components(&[], 4).points.is_empty());
        assert_eq!(principal_components(&[5.0; 8], 4).explained, (0.0, 0.0));
    }
}
