//! Fake quantization: a network that computes in real numbers with the weights and activations that
//! its quantized model can represent.
//!
//! Jacob et al., *Quantization and training of neural networks for efficient integer-arithmetic-only
//! inference*, 2018, section 3.
//!
//! Batch normalization between a dense layer and its activation stays a layer of its own. Folding
//! multiplies each row of weights by a factor. Each row has a scale of its own, which takes up the
//! factor, and the codes of the weights remain the same. So the weights that were trained are those
//! of the model, without statistics of a mini-batch in their scale.

mod activations;
mod learned;
mod points;
mod weights;

use model_format::{DataType, Quantization};

pub use activations::{Rounding, ends};
pub use learned::{first_scale, scale_gradient, scale_unit};
pub use points::{Point, Points};
pub use weights::{Clipping, RowScale, code, quantize_row};

use super::{Real, Scalar};
use crate::grid::{Range, WeightGrid};

/// Ranges of the input features: middle and half width of each, in the units of the network's
/// inputs. A feature of half width 0 is ignored.
#[derive(Clone, Debug, PartialEq)]
pub struct InputRanges {
    /// Middle of each range.
    pub middles: Vec<f32>,
    /// Half width of each range.
    pub halves: Vec<f32>,
}

/// Roundings of a layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerRoundings<T> {
    /// Rounding of the pre-activation, before an activation that is a table of the model.
    pub inner: Option<Rounding<T>>,
    /// Rounding of the outputs.
    pub outer: Option<Rounding<T>>,
}

/// Levels of weights and ranges of activations of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct FakeQuantization<T> {
    weights: Vec<WeightGrid>,
    input: Option<InputRanges>,
    data_type: DataType,
    points: Points,
    ranges: Vec<Range>,
    roundings: Vec<LayerRoundings<T>>,
    /// Multiples of a half width per input step.
    input_steps: T,
}

impl<T: Real> FakeQuantization<T> {
    /// Creates the fake quantization of a network with these points. Ranges are empty until they are
    /// set, and activations are not rounded.
    ///
    /// # Shapes
    /// `weights` has one entry per dense layer, with a scale per row; `input` has one range per
    /// feature, or is `None` for pixels, which are exact.
    pub fn new(
        points: Points,
        weights: Vec<WeightGrid>,
        input: Option<InputRanges>,
        data_type: DataType,
    ) -> Self {
        let steps = match data_type {
            DataType::Int8 => 127.0,
            DataType::Int16 => 32767.0,
        };
        FakeQuantization {
            weights,
            input,
            data_type,
            ranges: vec![Range::ZERO; points.tracked()],
            roundings: vec![LayerRoundings { inner: None, outer: None }; points.layers().len()],
            points,
            input_steps: T::from_f64(steps),
        }
    }

    /// Returns the levels of the weights of each dense layer.
    pub fn weights(&self) -> &[WeightGrid] {
        &self.weights
    }

    /// Returns the levels of the weights of each dense layer, for mutation.
    pub fn weights_mut(&mut self) -> &mut [WeightGrid] {
        &mut self.weights
    }

    /// Returns the ranges of the input features, or `None` for pixels.
    pub fn input(&self) -> Option<&InputRanges> {
        self.input.as_ref()
    }

    /// Returns the data type of activations.
    pub fn data_type(&self) -> DataType {
        self.data_type
    }

    /// Returns where activations are rounded.
    pub fn points(&self) -> &Points {
        &self.points
    }

    /// Returns the ranges of the tracked points, first to last.
    pub fn ranges(&self) -> &[Range] {
        &self.ranges
    }

    /// Returns the roundings of each layer.
    pub(crate) fn roundings(&self) -> &[LayerRoundings<T>] {
        &self.roundings
    }

    /// Sets the ranges of the tracked points. Activations are rounded from then on.
    ///
    /// # Shapes
    /// One range per point of [`Points::tracked`].
    pub fn set_ranges(&mut self, ranges: &[Range]) {
        self.ranges.copy_from_slice(ranges);
        self.update_roundings();
    }

    /// Moves the ranges of the tracked points toward those of a mini-batch: range ← momentum · range
    /// + (1 − momentum) · seen. The first mini-batch sets them.
    ///
    /// # Shapes
    /// `seen` has the smallest and the largest value of each tracked point.
    pub fn follow(&mut self, seen: &[[T; 2]], momentum: f64) {
        let keep = if self.is_empty() { 0.0 } else { momentum };
        let mean = |old: f32, seen: T| {
            (keep * f64::from(old) + (1.0 - keep) * Scalar::to_f64(seen)) as f32
        };
        for (range, &[low, high]) in self.ranges.iter_mut().zip(seen) {
            *range = Range::new(mean(range.low(), low), mean(range.high(), high));
        }
        self.update_roundings();
    }

    /// Returns `true` if no mini-batch has set the ranges.
    fn is_empty(&self) -> bool {
        self.ranges.iter().all(|range| *range == Range::ZERO)
    }

    fn update_roundings(&mut self) {
        if self.is_empty() {
            return;
        }
        let ranges = &self.ranges;
        let rounding = |point: Option<Point>| Some(Rounding::new(quantization(ranges, point?)?));
        for (roundings, layer) in self.roundings.iter_mut().zip(self.points.layers()) {
            *roundings =
                LayerRoundings { inner: rounding(layer.inner), outer: rounding(layer.outer) };
        }
    }

    /// Returns the ranges of the quantized model's layers: of each dense layer with ReLU, and of
    /// each table, first to last.
    pub fn model_ranges(&self) -> Vec<Range> {
        let points = self.points.layers().iter().flat_map(|layer| [layer.inner, layer.outer]);
        points
            .flatten()
            .map(|point| match point {
                Point::Tracked { index, limit, .. } => {
                    limited(self.ranges.get(index).copied().unwrap_or(Range::ZERO), limit)
                }
                // Tables of tanh and sigmoid have their own.
                Point::Fixed(_) => Range::new(-1.0, 1.0),
            })
            .collect()
    }

    /// Rounds the inputs of some rows to the steps of their ranges.
    ///
    /// # Shapes
    /// `values` and `out` are rows × features.
    pub(crate) fn round_input(&self, values: &[T], out: &mut [T]) {
        let Some(InputRanges { middles, halves }) = &self.input else {
            out.copy_from_slice(values);
            return;
        };
        let steps = self.input_steps;
        let rows = values.chunks_exact(middles.len()).zip(out.chunks_exact_mut(middles.len()));
        for (values, out) in rows {
            let ranges = middles.iter().zip(halves);
            for ((out, &value), (&middle, &half)) in out.iter_mut().zip(values).zip(ranges) {
                let (middle, half) = (T::from_f32(middle), T::from_f32(half));
                if half > T::zero() {
                    let place = ((value - middle) / half).max(-T::one()).min(T::one());
                    *out = middle + half * (place * steps).round() / steps;
                } else {
                    *out = middle;
                }
            }
        }
    }
}

/// Returns the quantization at a point, given the ranges of all tracked ones.
fn quantization(ranges: &[Range], point: Point) -> Option<Quantization> {
    match point {
        Point::Tracked { index, limit, data_type } => {
            Some(limited(*ranges.get(index)?, limit).quantization_as(data_type))
        }
        Point::Fixed(quantization) => Some(quantization),
    }
}

/// Returns the range without what is beyond a symmetric limit.
fn limited(range: Range, limit: Option<f32>) -> Range {
    match limit {
        Some(limit) => range.intersection(Range::new(-limit, limit)),
        None => range,
    }
}
