//! Weights in the order in which the C code reads them.
//!
//! Only the numbers are taken from the model file, not its weight layout: that is made for the
//! kernels of one core, and the C code is for all of them.

use model_format::{Dense, WeightLayout, WeightType};

/// The weights of a dense layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Weights {
    /// Row-major, each row filled up with zeros to `stride` bytes.
    Rows {
        /// Bytes of a row.
        stride: usize,
        /// The weights.
        values: Vec<i8>,
    },
    /// Row-major, several to a byte, in the code of the model file.
    Packed {
        /// Data type of the weights.
        weight_type: WeightType,
        /// Bytes of a row.
        stride: usize,
        /// The bytes.
        values: Vec<i8>,
    },
    /// Blocks of four columns that are not all zero.
    Sparse {
        /// Number of blocks of each row.
        counts: Vec<u16>,
        /// First column of each block.
        columns: Vec<u16>,
        /// The weights of the blocks.
        values: Vec<i8>,
    },
}

/// Rows of this length or more are filled up to whole words: an unaligned word takes longer to read.
const FILLED_FROM: usize = 16;

impl Weights {
    /// Returns the weights of a layer: of fewer bits and block-sparse where the model file has them so.
    pub fn of(dense: &Dense<'_>) -> Self {
        let rows = dense.rows().map(|row| row.weights().collect::<Vec<i8>>());
        if dense.layout.weight_type() != WeightType::Int8 {
            return packed(rows, dense.inputs(), dense.layout.weight_type());
        }
        match dense.layout {
            // A block has four columns, and none lies beyond the inputs.
            WeightLayout::Sparse if dense.inputs() >= 4 => sparse(rows),
            _ => row_major(rows, dense.inputs()),
        }
    }
}

fn row_major(rows: impl Iterator<Item = Vec<i8>>, inputs: usize) -> Weights {
    let stride = if inputs >= FILLED_FROM { inputs.next_multiple_of(4) } else { inputs };
    let filled = |mut row: Vec<i8>| {
        row.resize(stride, 0);
        row
    };
    Weights::Rows { stride, values: rows.flat_map(filled).collect() }
}

fn packed(rows: impl Iterator<Item = Vec<i8>>, inputs: usize, weight_type: WeightType) -> Weights {
    let pack = |weights: &[i8]| weight_type.pack(weights) as i8;
    let bytes = |row: Vec<i8>| row.chunks(weight_type.per_byte()).map(pack).collect::<Vec<i8>>();
    let values = rows.flat_map(bytes).collect();
    Weights::Packed { weight_type, stride: weight_type.row_bytes(inputs), values }
}

fn sparse(rows: impl Iterator<Item = Vec<i8>>) -> Weights {
    let (mut counts, mut columns, mut values) = (Vec::new(), Vec::new(), Vec::new());
    for row in rows {
        let before = columns.len();
        for (number, block) in row.chunks(4).enumerate() {
            if block.iter().all(|weight| *weight == 0) {
                continue;
            }
            // A last block of fewer columns moves down to the last four columns.
            let missing = 4 - block.len();
            columns.push((4 * number).saturating_sub(missing) as u16);
            values.extend(std::iter::repeat_n(0, missing));
            values.extend(block);
        }
        counts.push((columns.len() - before) as u16);
    }
    Weights::Sparse { counts, columns, values }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_rows_are_filled_up_and_short_ones_are_not() {
        let Weights::Rows { stride, values } =
            row_major([vec![1; 17], vec![2; 17]].into_iter(), 17)
        else {
            panic!("rows")
        };
        assert_eq!((stride, values.len(), &values[16..21]), (20, 40, [1, 0, 0, 0, 2].as_slice()));
        let short = row_major([vec![1; 5], vec![2; 5]].into_iter(), 5);
        assert!(matches!(short, Weights::Rows { stride: 5, values } if values.len() == 10));
    }

    #[test]
    fn weights_of_fewer_bits_share_a_byte() {
        let found = packed([vec![1, -1, -7], vec![7, 7, 0]].into_iter(), 3, WeightType::Int4);
        let values = vec![0xf1u8 as i8, 9, 0x77, 0];
        let weight_type = WeightType::Int4;
        assert_eq!(found, Weights::Packed { weight_type, stride: 2, values });
        let weight_type = WeightType::Int2;
        let found = packed([vec![-1, 3, -3, 1, 1]].into_iter(), 5, weight_type);
        let values = vec![0b10_00_11_01u8 as i8, 0b10];
        assert_eq!(found, Weights::Packed { weight_type, stride: 2, values });
    }

    #[test]
    fn a_short_last_block_moves_down() {
        let packed =
            sparse([vec![0, 0, 0, 0, 5, 6], vec![1, 0, 0, 0, 0, 0], vec![0; 6]].into_iter());
        let values = vec![0, 0, 5, 6, 1, 0, 0, 0];
        assert_eq!(packed, Weights::Sparse { counts: vec![1, 1, 0], columns: vec![2, 0], values });
    }
}
