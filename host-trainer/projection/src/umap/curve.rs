//! Similarity of two points in the plane as a function of their distance.

/// Distances at which the curve is fitted.
const SAMPLES: usize = 300;

/// Largest of these distances.
const FARTHEST: f64 = 3.0;

/// Steps of the fit, far more than it takes to converge.
const STEPS: usize = 100;

/// The curve 1 ∕ (1 + a·d²ᵇ).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Curve {
    /// Factor.
    pub a: f64,
    /// Exponent of the squared distance.
    pub b: f64,
}

impl Curve {
    /// Fits the curve by least squares to 1 up to the minimum distance and to an exponential decay
    /// behind it (definition 11 of the paper), by Levenberg's and Marquardt's method.
    pub fn fitted(min_distance: f64) -> Curve {
        let at = |sample: usize| FARTHEST * sample as f64 / (SAMPLES - 1) as f64;
        let target = |d: f64| if d <= min_distance { 1.0 } else { (min_distance - d).exp() };
        let error = |curve: Curve| {
            let difference = |d| curve.at(d) - target(d);
            (0..SAMPLES).map(|sample| difference(at(sample)).powi(2)).sum::<f64>()
        };
        let (mut curve, mut damping) = (Curve { a: 1.0, b: 1.0 }, 1e-3);
        for _ in 0..STEPS {
            // Normal equations for the steps of ln a and ln b, which keep both positive.
            let (mut aa, mut ab, mut bb, mut a_error, mut b_error) = (0.0, 0.0, 0.0, 0.0, 0.0);
            for d in (1..SAMPLES).map(at) {
                let value = curve.at(d);
                let by_a = -value * (1.0 - value);
                let by_b = by_a * curve.b * (d * d).ln();
                let rest = target(d) - value;
                (aa, ab, bb) = (aa + by_a * by_a, ab + by_a * by_b, bb + by_b * by_b);
                (a_error, b_error) = (a_error + by_a * rest, b_error + by_b * rest);
            }
            let (aa, bb) = (aa * (1.0 + damping), bb * (1.0 + damping));
            let determinant = aa * bb - ab * ab;
            let step_a = (a_error * bb - b_error * ab) / determinant;
            let step_b = (b_error * aa - a_error * ab) / determinant;
            let next = Curve { a: curve.a * step_a.exp(), b: curve.b * step_b.exp() };
            match error(next) < error(curve) {
                true => (curve, damping) = (next, damping / 10.0),
                false => damping *= 10.0,
            }
        }
        curve
    }

    fn at(self, distance: f64) -> f64 {
        1.0 / (1.0 + self.a * distance.powf(2.0 * self.b))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_those_of_umap_learn() {
        // `umap.umap_.find_ab_params(1.0, min_dist)` of umap-learn 0.5, which fits by the same least
        // squares, both converged far below
        // the four decimals compared.
        let known = [
            (0.0, 1.932808, 0.790495),
            (0.1, 1.576943, 0.895061),
            (0.5, 0.583030, 1.334167),
            (1.0, 0.114976, 1.929237),
        ];
        for (min_distance, a, b) in known {
            let curve = Curve::fitted(min_distance);
            let differs = (curve.a - a).abs().max((curve.b - b).abs());
            assert!(differs < 1e-4, "{min_distance}: {curve:?}");
        }
    }
}
