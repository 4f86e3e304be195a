//! Outputs of both networks on a grid of two inputs, for the page in three dimensions.

use model_format::Model;
use ndarray::Array2;

use super::plane::rows_like;
use super::{GatherError, RunParts};
use crate::data::{Results, Subset, Targets};
use crate::evaluate::{Evaluation, evaluate_float, evaluate_int8};
use crate::quantize::DataTypes;
use crate::report::html::surface::{Surface, SurfacePoints};
use crate::threads::Threads;

/// Grid points per side.
const SIDE: usize = 100;

/// Maximum number of rows per split that are drawn.
const POINTS: usize = 10_000;

/// Maximum number of outputs; of more, the page would be large.
const OUTPUTS: usize = 8;

/// Runs both networks over a grid of the range of the data. `None` if the network does not have two
/// inputs, or has more than eight outputs.
///
/// # Errors
/// [`GatherError`] when network, model and data are not of the same run.
pub fn surface(parts: &RunParts<'_>, threads: &Threads) -> Result<Option<Surface>, GatherError> {
    let (splits, dataset) = (parts.splits, parts.splits.train.dataset());
    let outputs = outputs(&splits.train);
    if dataset.width() != 2 || outputs.len() > OUTPUTS {
        return Ok(None);
    }
    let test = (splits.results == Results::Test).then_some(&splits.test);
    let subsets = [("training", Some(&splits.train)), ("validation", splits.validation.as_ref())];
    let points: Vec<SurfacePoints> = subsets
        .into_iter()
        .chain([("test", test)])
        .filter_map(|(split, subset)| Some(points(split, subset?)))
        .collect();
    let (x, y) = (range(points.iter().flat_map(|p| &p.x)), range(points.iter().flat_map(|p| &p.y)));
    let at = |(from, to): (f32, f32), index: usize| match index + 1 == SIDE {
        true => to,
        false => from + (to - from) * index as f32 / (SIDE - 1) as f32,
    };
    let grid = Array2::from_shape_fn((SIDE * SIDE, 2), |(index, axis)| match axis {
        0 => at(x, index % SIDE),
        _ => at(y, index / SIDE),
    });
    let Some(grid) = rows_like(&splits.train, grid) else { return Ok(None) };
    let float = evaluate_float(parts.network, &grid, parts.objective, threads);
    let model: &Model<'_> = parts.model;
    let quantized = evaluate_int8(model, &grid, threads)?;
    let label = |axis: usize| {
        let label = dataset.feature_labels().get(axis);
        let known = label.filter(|label| !label.name.is_empty());
        known.map_or(["x", "y"][axis].into(), |l| with_unit(&l.name, &l.unit))
    };
    Ok(Some(Surface {
        name: parts.preset.name.clone(),
        inputs: [label(0), label(1)],
        float: columns(&float, outputs.len()),
        quantized: columns(&quantized, outputs.len()),
        outputs,
        side: SIDE,
        x: (x.0.into(), x.1.into()),
        y: (y.0.into(), y.1.into()),
        points,
        data_type: DataTypes::name_of(model),
    }))
}

/// Returns the names of the outputs. Two classes have one: the probability of the second.
fn outputs(subset: &Subset) -> Vec<String> {
    match subset.dataset().targets() {
        Targets::Values(values) => {
            let pairs = values.names.iter().zip(&values.units);
            pairs.map(|(name, unit)| with_unit(name, unit)).collect()
        }
        Targets::Classes(labels) => shown_classes(labels.names.len())
            .filter_map(|class| labels.names.get(class))
            .map(|name| format!("probability of {name}"))
            .collect(),
    }
}

/// Returns the classes whose probabilities are shown: the second of two, or all.
fn shown_classes(count: usize) -> std::ops::Range<usize> {
    if count == 2 { 1..2 } else { 0..count }
}

fn with_unit(name: &str, unit: &str) -> String {
    if unit.is_empty() { name.to_string() } else { format!("{name} in {unit}") }
}

fn points(split: &'static str, subset: &Subset) -> SurfacePoints {
    let every = subset.len().div_ceil(POINTS).max(1);
    let positions: Vec<usize> = (0..subset.len()).step_by(every).collect();
    let raw = |axis: usize| -> Vec<f32> {
        let value = |&position: &usize| {
            let mut raw = [0.0_f32; 2];
            subset.gather_raw(position, &mut raw);
            raw[axis]
        };
        positions.iter().map(value).collect()
    };
    let z = match subset.dataset().targets() {
        Targets::Values(values) => {
            let value = |position: usize, output: usize| {
                subset.values(position).and_then(|values| values.get(output).copied())
            };
            let column = |output: usize| {
                positions.iter().map(|&p| value(p, output).unwrap_or(f32::NAN)).collect()
            };
            (0..values.names.len()).map(column).collect()
        }
        Targets::Classes(labels) => {
            let is = |class: usize, position: usize| {
                let own = subset.class(position).map(usize::from) == Some(class);
                if own { 1.0 } else { 0.0 }
            };
            let column = |class: usize| positions.iter().map(|&p| is(class, p)).collect();
            shown_classes(labels.names.len()).map(column).collect()
        }
    };
    SurfacePoints {
        split,
        all: subset.len(),
        rows: positions.iter().filter_map(|&p| subset.rows().get(p).copied()).collect(),
        x: raw(0),
        y: raw(1),
        z,
    }
}

/// Returns the least and the largest of some numbers, which differ.
fn range<'a>(values: impl Iterator<Item = &'a f32>) -> (f32, f32) {
    let finite = values.copied().filter(|value| value.is_finite());
    let (low, high) =
        finite.fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    match low < high {
        true => (low, high),
        false if low.is_finite() => (low - 0.5, low + 0.5),
        false => (0.0, 1.0),
    }
}

/// Returns the predictions column by column. Of two probabilities, the second.
fn columns(evaluation: &Evaluation, outputs: usize) -> Vec<Vec<f32>> {
    let width = evaluation.width.max(1);
    let first = width.saturating_sub(outputs);
    let column = |index: usize| evaluation.outputs.iter().skip(index).step_by(width).copied();
    (first..width).map(|index| column(index).collect()).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::data::{Dataset, Features, Labels};

    #[test]
    fn two_classes_have_one_surface_and_three_have_three() {
        let names = |count: usize| {
            let names = ["a", "b", "c"][..count].iter().map(|&name| name.to_string()).collect();
            let labels = Labels { indices: vec![0, 1, 1], names };
            let features = Features::Reals(ndarray::arr2(&[[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]));
            let subset =
                Subset::all(Arc::new(Dataset::new("d", vec![2], features, labels).unwrap()));
            (outputs(&subset), points("training", &subset))
        };
        let (two, points) = names(2);
        assert_eq!(two, ["probability of b"]);
        assert_eq!((points.x, points.y), (vec![0.0, 2.0, 4.0], vec![1.0, 3.0, 5.0]));
        assert_eq!(points.z, [[0.0, 1.0, 1.0]]);
        let (three, points) = names(3);
        assert_eq!((three.len(), points.z.len()), (3, 3));
        assert_eq!(points.z[2], [0.0; 3]);
    }

    #[test]
    fn a_range_has_a_width() {
        assert_eq!(range([1.0, f32::NAN, -1.0].iter()), (-1.0, 1.0));
        assert_eq!(range([2.0].iter()), (1.5, 2.5));
        assert_eq!(range([].iter()), (0.0, 1.0));
    }
}
