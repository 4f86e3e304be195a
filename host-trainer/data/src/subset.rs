//! Subsets: ordered rows of a dataset, with scaling and class weights, without a copy.

use std::sync::Arc;

use ndarray::ArrayView1;
use thimble_numeric::scalar::Scalar;
use thimble_numeric::targets::TargetRows;
use thimble_numeric::vectorized::{Loop, vectorized};

use super::{Dataset, DeformMemory, Deformer, Features, Scaling, Shift, Stage, Targets};

/// Ordered rows of a dataset.
#[derive(Clone, Debug)]
pub struct Subset {
    dataset: Arc<Dataset>,
    rows: Vec<u32>,
    scaling: Option<Arc<Scaling>>,
    target_scaling: Option<Arc<Scaling>>,
    class_weights: Option<Arc<[f32]>>,
    stage: Option<Arc<Stage>>,
}

/// Targets of a mini-batch.
#[derive(Clone, Debug, Default)]
pub struct TargetBuffer<T> {
    classes: Vec<u16>,
    values: Vec<T>,
    /// Class weights, if any.
    weights: Vec<T>,
    /// Size of one scaled unit of each output, if targets are scaled.
    units: Vec<T>,
}

impl<T: Scalar> TargetBuffer<T> {
    /// Gathers the targets of these positions. Allocates only for a batch that is larger than all
    /// previous ones.
    pub fn gather(&mut self, subset: &Subset, positions: impl Iterator<Item = usize>) {
        self.classes.clear();
        self.values.clear();
        self.weights.clear();
        self.units.clear();
        let rows = positions.map(|position| subset.rows[position] as usize);
        match subset.dataset.targets() {
            Targets::Classes(labels) => {
                self.classes.extend(rows.map(|row| labels.indices[row]));
                let weights = subset.class_weights().unwrap_or_default();
                self.weights.extend(weights.iter().map(|&weight| T::from_f32(weight)));
            }
            Targets::Values(targets) => match subset.target_scaling() {
                None => {
                    for row in rows {
                        self.values.extend(targets.values.row(row).iter().map(|&v| T::from_f32(v)));
                    }
                }
                Some(scaling) => {
                    for row in rows {
                        let values = targets.values.row(row);
                        let scaled = |(output, &value): (usize, &f32)| {
                            T::from_f64(scaling.scale(output, value.into()))
                        };
                        self.values.extend(values.iter().enumerate().map(scaled));
                    }
                    self.units.extend(scaling.units().map(T::from_f64));
                }
            },
        }
    }

    /// Returns the gathered targets.
    pub fn rows(&self) -> TargetRows<'_, T> {
        match (self.values.is_empty(), self.weights.is_empty(), self.units.is_empty()) {
            (true, true, _) => TargetRows::Classes(&self.classes),
            (true, false, _) => TargetRows::WeightedClasses(&self.classes, &self.weights),
            (false, _, true) => TargetRows::Values(&self.values),
            (false, _, false) => TargetRows::ScaledValues(&self.values, &self.units),
        }
    }
}

impl Subset {
    /// Creates a subset of these rows. Rows that the dataset does not have are ignored.
    pub fn new(dataset: Arc<Dataset>, mut rows: Vec<u32>) -> Self {
        rows.retain(|&row| (row as usize) < dataset.rows());
        Subset {
            dataset,
            rows,
            scaling: None,
            target_scaling: None,
            class_weights: None,
            stage: None,
        }
    }

    /// Creates a subset of all rows.
    pub fn all(dataset: Arc<Dataset>) -> Self {
        let rows = (0..dataset.rows() as u32).collect();
        Subset::new(dataset, rows)
    }

    /// Returns other rows of the same dataset, with the same scaling and weights.
    pub fn with_rows(&self, mut rows: Vec<u32>) -> Self {
        rows.retain(|&row| (row as usize) < self.dataset.rows());
        Subset { rows, ..self.clone() }
    }

    /// Returns all rows of another dataset, with the same scaling and weights.
    pub fn with_dataset(&self, dataset: Arc<Dataset>) -> Self {
        let rows = (0..dataset.rows() as u32).collect();
        Subset { dataset, rows, ..self.clone() }
    }

    /// Returns the same rows with feature scaling.
    pub fn scaled(self, scaling: Option<Arc<Scaling>>) -> Self {
        Subset { scaling, ..self }
    }

    /// Returns the feature scaling.
    pub fn scaling(&self) -> Option<&Scaling> {
        self.scaling.as_deref()
    }

    /// Returns the same rows with target scaling for the loss.
    pub fn target_scaled(self, target_scaling: Option<Arc<Scaling>>) -> Self {
        Subset { target_scaling, ..self }
    }

    /// Returns the target scaling for the loss, with one entry per output, or `None` for no
    /// scaling. [`values`](Self::values) are never scaled.
    pub fn target_scaling(&self) -> Option<&Scaling> {
        self.target_scaling.as_deref()
    }

    /// Returns the same rows with class weights, which multiply the loss of rows.
    pub fn class_weighted(self, class_weights: Option<Arc<[f32]>>) -> Self {
        Subset { class_weights, ..self }
    }

    /// Returns the class weights of the loss, or `None` if all are 1.
    pub fn class_weights(&self) -> Option<&[f32]> {
        self.class_weights.as_deref()
    }

    /// Returns the dataset.
    pub fn dataset(&self) -> &Arc<Dataset> {
        &self.dataset
    }

    /// Returns the rows as indices into the dataset.
    pub fn rows(&self) -> &[u32] {
        &self.rows
    }

    /// Returns the number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Returns `true` for no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Returns the class of the row at `position`, for classification.
    #[inline]
    pub fn class(&self, position: usize) -> Option<u16> {
        self.dataset.labels().map(|labels| labels.indices[self.rows[position] as usize])
    }

    /// Returns the targets of the row at `position`, for regression.
    pub fn values(&self, position: usize) -> Option<ArrayView1<'_, f32>> {
        match self.dataset.targets() {
            Targets::Classes(_) => None,
            Targets::Values(targets) => Some(targets.values.row(self.rows[position] as usize)),
        }
    }

    /// Returns the bytes of the row at `position`, or `None` for other features.
    pub fn bytes(&self, position: usize) -> Option<ArrayView1<'_, u8>> {
        match self.dataset.features() {
            Features::Bytes { values, .. } => Some(values.row(self.rows[position] as usize)),
            Features::Counts { .. } | Features::Reals(_) => None,
        }
    }

    /// Returns the raw counts of the row at `position`, or `None` for other features.
    pub fn counts(&self, position: usize) -> Option<ArrayView1<'_, i16>> {
        match self.dataset.features() {
            Features::Counts { values, .. } => Some(values.row(self.rows[position] as usize)),
            Features::Bytes { .. } | Features::Reals(_) => None,
        }
    }

    /// Returns the same rows with the input stage of a quantized model, which replaces the scaling.
    pub fn staged(self, stage: Option<Arc<Stage>>) -> Self {
        Subset { stage, ..self }
    }

    /// Writes the row at `position` as the network's input, shifted by `shift`.
    ///
    /// # Shapes
    /// `out` has [`Dataset::width`] elements.
    pub fn gather<T: Scalar>(&self, position: usize, shift: Shift, out: &mut [T]) {
        self.gather_shifted(position, shift, out);
        self.scale(out);
    }

    /// Returns the number of elements of [`gather_whole`](Self::gather_whole).
    pub fn whole_width(&self) -> usize {
        match self.dataset.original() {
            Some(original) => original.values.ncols(),
            None => self.dataset.width(),
        }
    }

    /// Writes the row at `position` before averaging and scaling, deformed if it is an image and
    /// there is a deformer.
    ///
    /// # Shapes
    /// `out` has [`whole_width`](Self::whole_width) elements.
    pub fn gather_whole(
        &self,
        position: usize,
        shift: Shift,
        deformer: Option<&Deformer>,
        memory: &mut DeformMemory,
        out: &mut [f32],
    ) {
        let row = self.rows[position] as usize;
        let Features::Bytes { values, scale } = self.dataset.features() else {
            return self.gather_raw(position, out);
        };
        let (values, shape) = match self.dataset.original() {
            Some(original) => (&original.values, original.shape.as_slice()),
            None => (values, self.dataset.shape()),
        };
        let image = values.row(row);
        let deformed = match (deformer, image.as_slice()) {
            (Some(deformer), Some(image)) => {
                deformer.apply(position as u32, shift, image, memory, out)
            }
            _ => false,
        };
        match image.as_slice() {
            _ if deformed => out.iter_mut().for_each(|value| *value *= scale),
            Some(image) if shift == Shift::NONE => {
                vectorized::<FromBytes, _>((image, *scale, out));
            }
            _ => shift.apply(shape, image, out, |byte| f32::from(byte) * scale),
        }
    }

    /// Averages and scales a row of [`gather_whole`](Self::gather_whole) to the network's input.
    /// `line` is memory.
    ///
    /// # Shapes
    /// `out` has [`Dataset::width`] elements.
    pub fn finish(&self, whole: &[f32], line: &mut Vec<f32>, out: &mut [f32]) {
        match self.dataset.original() {
            Some(original) => original.averager.reals(whole, line, out),
            None => out.copy_from_slice(whole),
        }
        self.scale(out);
    }

    /// Applies the input stage or the scaling to a row.
    fn scale<T: Scalar>(&self, out: &mut [T]) {
        if let Some(stage) = &self.stage {
            let (one, ends) = (T::one(), stage.offsets.iter().zip(&stage.factors));
            for (value, (&offset, &factor)) in out.iter_mut().zip(ends) {
                let moved = (*value - T::from_f32(offset)) * T::from_f32(factor);
                *value = moved.max(-one).min(one);
            }
        } else if let Some(scaling) = &self.scaling {
            let scaling = scaling.offsets.iter().zip(&scaling.factors);
            for (value, (&offset, &factor)) in out.iter_mut().zip(scaling) {
                *value = (*value - T::from_f32(offset)) * T::from_f32(factor);
            }
        }
    }

    /// Writes the row at `position` before scaling.
    ///
    /// # Shapes
    /// `out` has [`Dataset::width`] elements.
    pub fn gather_raw<T: Scalar>(&self, position: usize, out: &mut [T]) {
        self.gather_shifted(position, Shift::NONE, out);
    }

    fn gather_shifted<T: Scalar>(&self, position: usize, shift: Shift, out: &mut [T]) {
        let row = self.rows[position] as usize;
        match self.dataset.features() {
            Features::Bytes { values, scale } => {
                let (scale, values) = (T::from_f32(*scale), values.row(row));
                match values.as_slice() {
                    Some(values) if shift == Shift::NONE => {
                        vectorized::<FromBytes, _>((values, scale, out));
                    }
                    _ => shift
                        .apply(self.dataset.shape(), values, out, |byte| T::from_u8(byte) * scale),
                }
            }
            Features::Counts { values, raw } => {
                for ((out, &count), raw) in out.iter_mut().zip(values.row(row)).zip(raw) {
                    *out = T::from_f32(raw.real(count) as f32);
                }
            }
            Features::Reals(values) => {
                let values = values.row(row);
                match values.as_slice() {
                    Some(values) => {
                        out.iter_mut().zip(values).for_each(|(out, &v)| *out = T::from_f32(v));
                    }
                    None => out.iter_mut().zip(values).for_each(|(out, &v)| *out = T::from_f32(v)),
                }
            }
        }
    }
}

struct FromBytes;

impl<T: Scalar> Loop<(&[u8], T, &mut [T])> for FromBytes {
    type Output = ();

    #[inline(always)]
    fn run((values, scale, out): (&[u8], T, &mut [T])) {
        out.iter_mut().zip(values).for_each(|(out, &byte)| *out = T::from_u8(byte) * scale);
    }
}
