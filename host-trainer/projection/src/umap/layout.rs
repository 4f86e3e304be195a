//! Placement of the rows in the plane by stochastic gradient descent (algorithm 5 of the paper).

use rand::RngExt;
use thimble_support::random::{Stream, stream};

use super::curve::Curve;
use super::graph::Edge;

/// Negative samples per attraction.
const NEGATIVE_SAMPLES: usize = 5;

/// Largest change of a coordinate by one sample, before the learning rate.
const CLIP: f32 = 4.0;

/// Largest coordinate of the initial placement.
const EXTENT: f64 = 10.0;

/// Noise of the initial placement, which separates equal points.
const NOISE: f32 = 1e-4;

/// Added to squared distances of repulsion, which would be infinite at 0.
const LEAST_DISTANCE: f32 = 1e-3;

/// Returns the number of epochs for a number of rows, as in umap-learn.
pub fn epochs(rows: usize) -> usize {
    if rows <= 10_000 { 500 } else { 200 }
}

/// Scales the initial places, and adds noise.
pub fn start(places: &[(f64, f64)], seed: u64) -> Vec<[f32; 2]> {
    let largest = places.iter().fold(0.0_f64, |most, (x, y)| most.max(x.abs()).max(y.abs()));
    let factor = if largest > 0.0 { EXTENT / largest } else { 0.0 };
    let mut random = stream(seed, Stream::Layout);
    let mut noisy = |value: f64| (value * factor) as f32 + random.random_range(-NOISE..NOISE);
    places.iter().map(|&(x, y)| [noisy(x), noisy(y)]).collect()
}

/// Moves the points: neighbors attract each other as often as their edge is heavy, and each
/// attraction comes with repulsions from random points. One thread makes all updates, in the order
/// of the edges, so that a seed gives one result.
pub fn optimize(points: &mut [[f32; 2]], edges: &[Edge], curve: Curve, epochs: usize, seed: u64) {
    let (a, b) = (curve.a as f32, curve.b as f32);
    let heaviest = edges.iter().fold(0.0_f32, |most, edge| most.max(edge.weight));
    // An edge is used whenever the sum of its share over the epochs reaches the next whole number.
    let mut dues = vec![0.0_f32; edges.len()];
    let mut random = stream(seed, Stream::NegativeSamples);
    for epoch in 0..epochs {
        let rate = 1.0 - epoch as f32 / epochs as f32;
        for (edge, due) in edges.iter().zip(&mut dues) {
            *due += edge.weight / heaviest;
            if *due < 1.0 {
                continue;
            }
            *due -= 1.0;
            let (from, to) = (edge.from as usize, edge.to as usize);
            let ([x, y], difference) = (points[from], between(points[from], points[to]));
            let mut point = [x, y];
            let squared = square(difference);
            if squared > 0.0 {
                let power = squared.powf(b);
                let attraction = -2.0 * a * b * power / (squared * (1.0 + a * power));
                let step = difference.map(|d| rate * (attraction * d).clamp(-CLIP, CLIP));
                point = [x + step[0], y + step[1]];
                points[to] = [points[to][0] - step[0], points[to][1] - step[1]];
            }
            for _ in 0..NEGATIVE_SAMPLES {
                let other = random.random_range(0..points.len());
                let difference = between(point, points[other]);
                let squared = square(difference);
                if other != from && squared > 0.0 {
                    let power = squared.powf(b);
                    let repulsion = 2.0 * b / ((LEAST_DISTANCE + squared) * (1.0 + a * power));
                    let step = difference.map(|d| rate * (repulsion * d).clamp(-CLIP, CLIP));
                    point = [point[0] + step[0], point[1] + step[1]];
                }
            }
            points[from] = point;
        }
    }
}

fn between(from: [f32; 2], to: [f32; 2]) -> [f32; 2] {
    [from[0] - to[0], from[1] - to[1]]
}

fn square([x, y]: [f32; 2]) -> f32 {
    x * x + y * y
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_has_the_shape_of_the_places_and_no_equal_points() {
        let points = start(&[(-2.0, 0.0), (4.0, 1.0), (4.0, 1.0)], 1);
        for ([x, y], (x_near, y_near)) in points.iter().zip([(-5.0, 0.0), (10.0, 2.5), (10.0, 2.5)])
        {
            // The noise, and the rounding of a coordinate of 10.
            assert!((x - x_near).abs() < 2.0 * NOISE && (y - y_near).abs() < 2.0 * NOISE);
        }
        assert_ne!(points[1], points[2]);
        assert!(start(&[(0.0, 0.0); 2], 1).iter().flatten().all(|value| value.abs() <= NOISE));
    }

    #[test]
    fn neighbors_come_closer_and_others_move_away() {
        let edge = |from, to| Edge { from, to, weight: 1.0 };
        let edges = [edge(0, 1), edge(1, 0), edge(2, 3), edge(3, 2)];
        let mut points = start(&[(0.0, 1.0), (1.0, 0.0), (0.0, 0.0), (1.0, 1.0)], 1);
        let before = points.clone();
        optimize(&mut points, &edges, Curve { a: 1.577, b: 0.895 }, 200, 1);
        let distance =
            |points: &[[f32; 2]], a: usize, b: usize| square(between(points[a], points[b])).sqrt();
        assert!(distance(&points, 0, 1) < distance(&before, 0, 1) / 4.0);
        assert!(distance(&points, 0, 2) > 2.0 * distance(&points, 0, 1), "{points:?}");
    }
}
