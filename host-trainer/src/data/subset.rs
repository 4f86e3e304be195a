//! Some rows of a dataset, in an order, without copying them.

use std::sync::Arc;

use ndarray::ArrayView1;

use super::{Dataset, Features, Shift};
use crate::network::Real;

/// Some rows of a dataset.
#[derive(Clone, Debug)]
pub struct Subset {
    dataset: Arc<Dataset>,
    rows: Vec<u32>,
}

impl Subset {
    /// These rows of the dataset; one that the dataset does not have is left out.
    pub fn new(dataset: Arc<Dataset>, mut rows: Vec<u32>) -> Self {
        rows.retain(|&row| (row as usize) < dataset.rows());
        Subset { dataset, rows }
    }

    /// All rows of the dataset.
    pub fn all(dataset: Arc<Dataset>) -> Self {
        let rows = (0..dataset.rows() as u32).collect();
        Subset { dataset, rows }
    }

    /// The dataset that the rows are of.
    pub fn dataset(&self) -> &Arc<Dataset> {
        &self.dataset
    }

    /// The rows, as indices into the dataset.
    pub fn rows(&self) -> &[u32] {
        &self.rows
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Class of the row at `position`.
    #[inline]
    pub fn label(&self, position: usize) -> u16 {
        self.dataset.labels().indices[self.rows[position] as usize]
    }

    /// The bytes of the row at `position`; `None` when the features are not bytes.
    pub fn bytes(&self, position: usize) -> Option<ArrayView1<'_, u8>> {
        match self.dataset.features() {
            Features::Bytes { values, .. } => Some(values.row(self.rows[position] as usize)),
            Features::Reals(_) => None,
        }
    }

    /// Writes the row at `position` as the network sees it, moved by `shift`.
    ///
    /// # Shapes
    /// `out` has [`Dataset::width`] elements.
    pub fn gather<T: Real>(&self, position: usize, shift: Shift, out: &mut [T]) {
        let row = self.rows[position] as usize;
        match self.dataset.features() {
            Features::Bytes { values, scale } => {
                let (scale, values) = (T::from_f32(*scale), values.row(row));
                match values.as_slice() {
                    // A plain loop over slices, vectorized for the processor that runs it.
                    Some(values) if shift == Shift::NONE => pulp::Arch::new().dispatch(|| {
                        for (out, &byte) in out.iter_mut().zip(values) {
                            *out = T::from_u8(byte) * scale;
                        }
                    }),
                    _ => shift.apply(self.dataset.shape(), values, out, |byte| {
                        T::from_u8(byte) * scale
                    }),
                }
            }
            Features::Reals(values) => {
                for (out, &value) in out.iter_mut().zip(values.row(row)) {
                    *out = T::from_f32(value);
                }
            }
        }
    }
}
