//! Files of raw ADC and sensor counts.

use std::path::Path;

use anyhow::bail;
use model_format::Model;
use thimble_nn::{InputError, encode_counts};

use super::files;
use crate::foreign_text;

/// Reads the rows of a file of counts: int16 little-endian, one count per model input.
pub(crate) fn read_rows(model: &Model<'_>, path: &Path) -> anyhow::Result<Vec<Vec<i16>>> {
    if model.channels().is_none() {
        bail!("{}: {}", model.name(), InputError::NotCounts);
    }
    let bytes = files::read(path)?;
    let row = model.input_len() * 2;
    if bytes.is_empty() || !bytes.len().is_multiple_of(row) {
        bail!(
            "{} has {} bytes, which is not a whole number of rows. The model takes {} counts per \
             row, {row} bytes",
            foreign_text::path(path),
            bytes.len(),
            model.input_len()
        );
    }
    let counts = |row: &[u8]| row.as_chunks().0.iter().map(|c| i16::from_le_bytes(*c)).collect();
    Ok(bytes.chunks_exact(row).map(counts).collect())
}

/// Encodes rows of counts as the model's input bytes. Also returns the number of readings that
/// saturated.
pub(crate) fn encode(model: &Model<'_>, rows: &[Vec<i16>]) -> anyhow::Result<(Vec<u8>, u32)> {
    let (len, mut saturated) = (model.input_bytes(), 0);
    let mut inputs = vec![0; rows.len() * len];
    for (row, input) in rows.iter().zip(inputs.chunks_exact_mut(len)) {
        saturated += encode_counts(model, row.iter().copied(), input)?;
    }
    Ok((inputs, saturated))
}
