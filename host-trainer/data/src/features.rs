//! Features of all rows, in the compact types of their source.

use ndarray::Array2;

use super::Raw;

/// Features of all rows of a dataset.
#[derive(Clone, Debug, PartialEq)]
pub enum Features {
    /// Bytes, such as pixels. Inputs of the network are `scale · byte`.
    ///
    /// They stay bytes in memory, which takes a quarter of the memory of floats, and are converted
    /// per mini-batch. An int8 input represents them exactly: q = byte − 128 with the same scale.
    Bytes {
        /// The bytes, rows × features.
        values: Array2<u8>,
        /// Real value of one step: 1/255 for MNIST, 1/16 for the digits.
        scale: f32,
    },
    /// Raw ADC counts. Inputs of the network are the real numbers that they represent.
    ///
    /// They stay counts, so that a quantized model is evaluated on the inputs of a device.
    Counts {
        /// The counts, rows × features.
        values: Array2<i16>,
        /// Calibration line of each feature's counts.
        raw: Vec<Raw>,
    },
    /// Real numbers, rows × features.
    Reals(Array2<f32>),
}

impl Features {
    /// Returns the number of rows.
    pub fn rows(&self) -> usize {
        match self {
            Features::Bytes { values, .. } => values.nrows(),
            Features::Counts { values, .. } => values.nrows(),
            Features::Reals(values) => values.nrows(),
        }
    }

    /// Returns the number of features per row.
    pub fn width(&self) -> usize {
        match self {
            Features::Bytes { values, .. } => values.ncols(),
            Features::Counts { values, .. } => values.ncols(),
            Features::Reals(values) => values.ncols(),
        }
    }

    /// Converts real features to raw ADC counts, with one calibration line per feature, or one for
    /// all.
    ///
    /// # Errors
    /// A message if the features are not real numbers, or the number of entries of `raw` is neither
    /// 1 nor the number of features.
    pub fn counted(self, raw: &[Raw]) -> Result<Self, String> {
        let width = self.width();
        let Features::Reals(reals) = self else {
            return Err("its features are bytes or counts already: leave data.raw out".into());
        };
        let raw = match raw {
            [all] => vec![*all; width],
            each if each.len() == width => each.to_vec(),
            each => {
                let found = each.len();
                return Err(format!(
                    "data.raw has {found} entries, a row has {width} features: give one for each, \
                     or one for all"
                ));
            }
        };
        let count = |(at, real): ((usize, usize), &f32)| raw[at.1].count(f64::from(*real));
        let counts = reals.indexed_iter().map(count).collect();
        match Array2::from_shape_vec(reals.dim(), counts) {
            Ok(values) => Ok(Features::Counts { values, raw }),
            Err(error) => Err(error.to_string()),
        }
    }
}
