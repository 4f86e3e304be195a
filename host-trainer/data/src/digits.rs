//! The embedded dataset of handwritten digits, 8 × 8 (`data/digits/README.md`).

use ndarray::Array2;

use super::dataset::digit_names;
use super::idx::Idx;
use super::{Dataset, Error, Features, Labels};

const IMAGES: &[u8] = include_bytes!("../digits/images.idx3.gz");
const LABELS: &[u8] = include_bytes!("../digits/labels.idx1.gz");
const REMEDY: &str = "The program was built from a damaged source tree: clone it again";

/// Dark dots in a full cell of 4 × 4. Inputs of the network are shares of it.
const FULL: f32 = 16.0;

/// Returns all 1,797 digits, 8 × 8.
pub(super) fn load() -> Result<Dataset, Error> {
    let images = Idx::<3>::read(IMAGES.to_vec(), "data/digits/images.idx3.gz", REMEDY)?;
    let labels = Idx::<1>::read(LABELS.to_vec(), "data/digits/labels.idx1.gz", REMEDY)?;
    let [rows, height, width] = images.dimensions;
    let values =
        Array2::from_shape_vec((rows, height * width), images.elements).map_err(|error| {
            Error::Dataset { dataset: "digits".to_string(), problem: error.to_string() }
        })?;
    Dataset::new(
        "digits",
        vec![height, width],
        Features::Bytes { values, scale: 1.0 / FULL },
        Labels {
            indices: labels.elements.into_iter().map(u16::from).collect(),
            names: digit_names(),
        },
    )
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn the_digits_are_those_of_the_source() {
        let digits = load().unwrap();
        assert_eq!((digits.rows(), digits.shape()), (1797, [8, 8].as_slice()));
        let Features::Bytes { values, .. } = digits.features() else { panic!("bytes") };
        assert_eq!(values.iter().max(), Some(&16));
        let mut hash = Sha256::new();
        hash.update(values.as_slice().unwrap());
        hash.update(digits.labels().unwrap().indices.iter().map(|&l| l as u8).collect::<Vec<_>>());
        let hash: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        // Of `load_digits().data` and `.target` of scikit-learn 1.9.1, as bytes.
        assert_eq!(hash, "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826");
        let mut counts = [0; 10];
        digits.labels().unwrap().indices.iter().for_each(|&label| counts[usize::from(label)] += 1);
        assert_eq!(counts, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
    }
}
