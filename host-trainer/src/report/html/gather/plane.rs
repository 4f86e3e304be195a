//! Predictions over a plane of two inputs.

use std::sync::Arc;

use ndarray::Array2;
use rayon::prelude::*;

use super::{GatherError, RunParts};
use crate::data::{Dataset, Features, Labels, Source, Subset, Targets, Values};
use crate::evaluate::{Evaluation, evaluate_float, evaluate_int8};
use crate::report::html::findings::{Legend, Picture, Plane};
use crate::report::html::picture::{class_color, color, css, value_color};
use crate::threads::Threads;

/// Grid points per side.
const SIDE: usize = 160;

/// Maximum number of rows for the picture of the targets, of which each point searches all.
const TRUTH_ROWS: usize = 6000;

/// Maximum number of test rows that are drawn.
const POINTS: usize = 300;

/// Runs both networks over a grid.
pub fn gather(parts: &RunParts<'_>, threads: &Threads) -> Result<Plane, GatherError> {
    let splits = parts.splits;
    let subsets: Vec<&Subset> =
        [Some(&splits.train), splits.validation.as_ref(), Some(&splits.test)]
            .into_iter()
            .flatten()
            .collect();
    let rows: Vec<([f32; 2], f32)> = subsets.iter().flat_map(|subset| rows(subset)).collect();
    let range = |axis: usize| {
        let values = rows.iter().map(|(row, _)| row[axis]);
        let (low, high) =
            values.fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        let margin = ((high - low) * 0.04).max(f32::MIN_POSITIVE);
        (low - margin, high + margin)
    };
    let (x, y) = (range(0), range(1));
    let at = |(from, to): (f32, f32), index: usize| {
        from + (to - from) * (index as f32 + 0.5) / SIDE as f32
    };
    // Row by row from the top, as in a picture.
    let point = |index: usize| [at(x, index % SIDE), at(y, SIDE - 1 - index / SIDE)];
    let grid = Array2::from_shape_fn((SIDE * SIDE, 2), |(index, axis)| point(index)[axis]);
    let names = splits.train.dataset().class_names().to_vec();
    let (float, int8) = match rows_like(&splits.train, grid) {
        Some(subset) => (
            Some(evaluate_float(parts.network, &subset, parts.objective, threads)),
            Some(evaluate_int8(parts.model, &subset, threads)?),
        ),
        None => (None, None),
    };
    let every = rows.len().div_ceil(TRUTH_ROWS).max(1);
    let nearby: Vec<([f32; 2], f32)> = rows.iter().copied().step_by(every).collect();
    let scale = [1.0 / (x.1 - x.0), 1.0 / (y.1 - y.0)];
    let function = match parts.preset.data.dataset {
        Source::Surface(surface) => Some(surface.function),
        _ => None,
    };
    let known = |point: [f32; 2]| match function {
        Some(function) => function.value(point[0].into(), point[1].into()) as f32,
        None => nearest(&nearby, point, scale),
    };
    let truth: Vec<f32> = threads
        .install(|| (0..SIDE * SIDE).into_par_iter().map(|index| known(point(index))).collect());
    let answers = |evaluation: Option<Evaluation>| -> Vec<f32> {
        let Some(Evaluation { outputs, width, answers, .. }) = evaluation else {
            return Vec::new();
        };
        match names.is_empty() {
            true => outputs.chunks_exact(width.max(1)).map(|row| row[0]).collect(),
            false => answers.into_iter().map(f32::from).collect(),
        }
    };
    let (float, int8) = (answers(float), answers(int8));
    let (legend, paint): (Legend, Box<dyn Fn(f32) -> [u8; 3]>) = match names.is_empty() {
        false => (
            Legend::Classes(
                names.iter().cloned().enumerate().map(|(c, n)| (n, class_color(c))).collect(),
            ),
            Box::new(|value| lighter(class_color(value as usize))),
        ),
        true => {
            let (low, high) = truth
                .iter()
                .fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), &v| (l.min(v), h.max(v)));
            let span = (high - low).max(f32::MIN_POSITIVE);
            (
                Legend::Values(low.into(), high.into()),
                Box::new(move |value| value_color(((value - low) / span).into())),
            )
        }
    };
    let picture = |values: &[f32]| -> Picture {
        let pixels: Vec<[u8; 3]> = values.iter().map(|&value| paint(value)).collect();
        let side = SIDE as u32;
        color(side, side, &pixels).unwrap_or(Picture { png: Vec::new(), size: (0, 0) })
    };
    let every = splits.test.len().div_ceil(POINTS).max(1);
    let points = match names.is_empty() {
        true => Vec::new(),
        false => self::rows(&splits.test)
            .step_by(every)
            .map(|([x, y], class)| (x.into(), y.into(), class as usize))
            .collect(),
    };
    let range = |(low, high): (f32, f32)| (f64::from(low), f64::from(high));
    Ok(Plane {
        x: range(x),
        y: range(y),
        truth: Some(picture(&truth)),
        float: picture(&float),
        int8: picture(&int8),
        points,
        legend,
        scatter: scattered(&rows, &names),
    })
}

/// Returns the inputs of all rows, with their class or value.
fn rows(subset: &Subset) -> impl Iterator<Item = ([f32; 2], f32)> + '_ {
    (0..subset.len()).map(|position| {
        let mut raw = [0.0_f32; 2];
        subset.gather_raw(position, &mut raw);
        let value = || subset.values(position).and_then(|values| values.first().copied());
        let target = subset.class(position).map(f32::from).or_else(value);
        (raw, target.unwrap_or(0.0))
    })
}

/// Maximum number of rows of the scatter plot.
const SCATTERED: usize = 8000;

/// Returns rows with their color: that of their class, or of their value.
fn scattered(rows: &[([f32; 2], f32)], names: &[String]) -> Vec<(f64, f64, String)> {
    let every = rows.len().div_ceil(SCATTERED).max(1);
    let (low, high) = rows
        .iter()
        .fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), &(_, v)| (l.min(v), h.max(v)));
    // As many colors as the eye tells apart, because a series has one.
    const SHADES: f32 = 24.0;
    let color = |target: f32| match names.is_empty() {
        false => class_color(target as usize),
        true => {
            let share = (target - low) / (high - low).max(f32::MIN_POSITIVE);
            value_color(f64::from((share * SHADES).round() / SHADES))
        }
    };
    let point = |&([x, y], target): &([f32; 2], f32)| (x.into(), y.into(), css(color(target)));
    rows.iter().step_by(every).map(point).collect()
}

/// Creates rows with these features, preprocessed as those of `like`.
pub(super) fn rows_like(like: &Subset, features: Array2<f32>) -> Option<Subset> {
    let (dataset, rows) = (like.dataset(), features.nrows());
    let targets = match dataset.targets() {
        Targets::Classes(labels) => {
            Targets::Classes(Labels { indices: vec![0; rows], names: labels.names.clone() })
        }
        Targets::Values(values) => Targets::Values(Values {
            values: Array2::zeros((rows, values.names.len())),
            names: values.names.clone(),
            units: values.units.clone(),
        }),
    };
    let shape = dataset.shape().to_vec();
    let features = Features::Reals(features);
    let features = match dataset.features() {
        Features::Counts { raw, .. } => features.counted(raw).ok()?,
        _ => features,
    };
    let dataset = Dataset::new(dataset.name(), shape, features, targets).ok()?;
    Some(like.with_dataset(Arc::new(dataset)))
}

/// Returns the target of the row that is nearest to a point.
fn nearest(rows: &[([f32; 2], f32)], point: [f32; 2], scale: [f32; 2]) -> f32 {
    let mut best = (f32::INFINITY, 0.0);
    for (row, target) in rows {
        let [dx, dy] = [(row[0] - point[0]) * scale[0], (row[1] - point[1]) * scale[1]];
        let distance = dx * dx + dy * dy;
        if distance < best.0 {
            best = (distance, *target);
        }
    }
    best.1
}

/// Returns a lighter color, as a background for points of that color.
fn lighter(color: [u8; 3]) -> [u8; 3] {
    color.map(|channel| 255 - ((255 - u16::from(channel)) * 11 / 20) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_row_decides() {
        let rows = [([0.0, 0.0], 1.0), ([10.0, 0.0], 2.0)];
        assert_eq!(nearest(&rows, [4.0, 3.0], [1.0, 1.0]), 1.0);
        assert_eq!(nearest(&rows, [6.0, -3.0], [1.0, 1.0]), 2.0);
        assert_eq!(nearest(&[], [6.0, -3.0], [1.0, 1.0]), 0.0);
    }
}
