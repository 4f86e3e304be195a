//! Fingerprints (SHA-256) of datasets, to detect changed data.

use sha2::{Digest, Sha256};

use super::{Dataset, Features, Loaded, Targets};

impl Loaded {
    /// Returns the SHA-256 of a dataset's features, targets and names, in hexadecimal.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        self.train.add_to(&mut hash);
        if let Some(test) = &self.test {
            hash.update(b"test");
            test.add_to(&mut hash);
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Numbers per call of the hash function.
const CHUNK: usize = 1 << 12;

impl Dataset {
    fn add_to(&self, hash: &mut Sha256) {
        text(hash, self.name());
        number(hash, self.shape().len());
        self.shape().iter().for_each(|&length| number(hash, length));
        number(hash, self.rows());
        match self.features() {
            Features::Bytes { values, scale } => {
                hash.update(b"bytes");
                hash.update(scale.to_le_bytes());
                numbers(hash, values.as_slice(), values.iter().map(|&value| [value]));
            }
            Features::Counts { values, raw } => {
                hash.update(b"counts");
                // Calibration lines may follow from the data, so they are hashed, too.
                text(hash, &format!("{raw:?}"));
                numbers(hash, values.as_slice(), values.iter().map(|value| value.to_le_bytes()));
            }
            Features::Reals(values) => {
                hash.update(b"reals");
                numbers(hash, values.as_slice(), values.iter().map(|value| value.to_le_bytes()));
            }
        }
        if let Some(original) = self.original() {
            let values = &original.values;
            numbers(hash, values.as_slice(), values.iter().map(|&value| [value]));
        }
        if let Some(recordings) = self.recordings() {
            // Splits follow them.
            let rows = recordings.of_rows.as_slice();
            numbers(hash, Some(rows), rows.iter().map(|row| row.to_le_bytes()));
        }
        for label in self.feature_labels().iter() {
            text(hash, &label.name);
            text(hash, &label.unit);
        }
        match self.targets() {
            Targets::Classes(labels) => {
                labels.names.iter().for_each(|name| text(hash, name));
                let indices = labels.indices.as_slice();
                numbers(hash, Some(indices), indices.iter().map(|index| index.to_le_bytes()));
            }
            Targets::Values(values) => {
                values.names.iter().chain(&values.units).for_each(|name| text(hash, name));
                let values = &values.values;
                let bytes = values.iter().map(|value| value.to_le_bytes());
                numbers(hash, values.as_slice(), bytes);
            }
        }
    }
}

fn number(hash: &mut Sha256, number: usize) {
    hash.update((number as u64).to_le_bytes());
}

fn text(hash: &mut Sha256, text: &str) {
    number(hash, text.len());
    hash.update(text);
}

/// Hashes numbers as little-endian bytes, directly from memory if they are contiguous and
/// little-endian.
fn numbers<T: bytemuck::NoUninit, const N: usize>(
    hash: &mut Sha256,
    values: Option<&[T]>,
    bytes: impl Iterator<Item = [u8; N]>,
) {
    if let Some(values) = values.filter(|_| cfg!(target_endian = "little")) {
        hash.update(bytemuck::cast_slice::<T, u8>(values));
        return;
    }
    // In chunks: one by one would take ten times as long.
    let mut buffer = Vec::with_capacity(CHUNK * N);
    for value in bytes {
        buffer.extend_from_slice(&value);
        if buffer.len() >= CHUNK * N {
            hash.update(&buffer);
            buffer.clear();
        }
    }
    hash.update(&buffer);
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::Labels;

    fn loaded(value: f32, label: u16, name: &str) -> String {
        let labels = Labels { indices: vec![label, 1], names: vec!["a".into(), name.into()] };
        let features = Features::Reals(array![[value, 1.0], [2.0, 3.0]]);
        let train = Dataset::new("d", vec![2], features, labels).unwrap();
        Loaded { train, test: None, validation: None, origin: "elsewhere".into(), notes: vec![] }
            .fingerprint()
    }

    #[test]
    fn memory_order_does_not_count() {
        let values = [1.0_f32, -2.5, 3.25];
        let hash = |slice: Option<&[f32]>| {
            let mut hash = Sha256::new();
            numbers(&mut hash, slice, values.iter().map(|value| value.to_le_bytes()));
            hash.finalize()
        };
        assert_eq!(hash(Some(&values)), hash(None));
    }

    #[test]
    fn every_value_label_and_name_counts() {
        let one = loaded(0.5, 0, "b");
        assert_eq!(one, loaded(0.5, 0, "b"));
        for other in [loaded(0.500_000_1, 0, "b"), loaded(0.5, 1, "b"), loaded(0.5, 0, "c")] {
            assert_ne!(one, other);
        }
    }
}
