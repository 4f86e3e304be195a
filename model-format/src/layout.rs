//! Weight layouts: the order of a layer's weights in the file.
//!
//! The layouts hold the same numbers in the order in which some core's kernel reads them. Four of
//! them arrange rows in tiles: a tile is R rows by four columns; the tiles of the first R rows
//! follow each other from the first column to the last, then those of the next R rows. What
//! remains when the number of rows is no multiple of R is row-major.

use crate::WeightType;
use crate::sizes::padded;

/// Order of a layer's weights in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum WeightLayout {
    /// int8, row after row. Every core has a kernel for it.
    RowMajor = 0,
    /// int8 in tiles of eight rows; in a tile, the eight weights of the first column, of the
    /// second, …; of earlier releases. A computer reads it, and packs it as another; no device does.
    Columns8 = 3,
    /// Weight + 128 as an unsigned byte, in tiles of four rows; in a tile, the four weights of the
    /// first column, of the second, …; with folded biases.
    ColumnsUnsigned4 = 4,
    /// [`RowMajor`](Self::RowMajor) with folded biases.
    FoldedRows = 5,
    /// int4 in −7..=7, row after row, two to a byte, the first in the low half.
    Int4 = 6,
    /// int4 in tiles of four rows by eight columns; in a tile, the eight weights of the first row,
    /// of the second, …
    Int4Tiles4 = 7,
    /// Only those blocks of four columns that are not all zero: where each row's blocks start,
    /// their numbers, their weights.
    Sparse = 8,
    /// int8 in tiles of four rows; in a tile, the four weights of the first row, each followed by
    /// that of the second row, then those of the third and fourth. The second of two rows is lower
    /// by one where the first is negative, so that both read as a 16-bit number are
    /// 256 · second + first. Rows beside the tiles are as they are.
    Pairs4 = 9,
    /// int2, row after row, four to a byte. Rows follow each other from byte to byte.
    Int2 = 10,
    /// Ternary, row after row, five to a byte. Rows follow each other from byte to byte.
    Ternary = 11,
    /// int4 raised by 8, in tiles of four rows; in a tile, the first byte of each row, the second, …
    Int4Columns4 = 12,
    /// int2, likewise.
    Int2Columns4 = 13,
    /// Ternary, likewise.
    TernaryColumns4 = 14,
}

impl WeightLayout {
    /// All layouts, in the order of their codes in the file.
    pub const ALL: [WeightLayout; 13] = [
        WeightLayout::RowMajor,
        WeightLayout::Columns8,
        WeightLayout::ColumnsUnsigned4,
        WeightLayout::FoldedRows,
        WeightLayout::Int4,
        WeightLayout::Int4Tiles4,
        WeightLayout::Sparse,
        WeightLayout::Pairs4,
        WeightLayout::Int2,
        WeightLayout::Ternary,
        WeightLayout::Int4Columns4,
        WeightLayout::Int2Columns4,
        WeightLayout::TernaryColumns4,
    ];

    /// The layout of a code in the file.
    #[inline(always)]
    pub(crate) const fn from_code(code: u32) -> Option<Self> {
        Some(match code {
            0 => WeightLayout::RowMajor,
            3 => WeightLayout::Columns8,
            4 => WeightLayout::ColumnsUnsigned4,
            5 => WeightLayout::FoldedRows,
            6 => WeightLayout::Int4,
            7 => WeightLayout::Int4Tiles4,
            8 => WeightLayout::Sparse,
            9 => WeightLayout::Pairs4,
            10 => WeightLayout::Int2,
            11 => WeightLayout::Ternary,
            12 => WeightLayout::Int4Columns4,
            13 => WeightLayout::Int2Columns4,
            14 => WeightLayout::TernaryColumns4,
            _ => return None,
        })
    }

    /// The layout's name, as `inspect` prints it.
    pub fn name(self) -> &'static str {
        match self {
            WeightLayout::RowMajor => "row-major",
            WeightLayout::Columns8 => "columns of 8 rows",
            WeightLayout::ColumnsUnsigned4 => "unsigned columns of 4 rows",
            WeightLayout::FoldedRows => "row-major with folded biases",
            WeightLayout::Int4 => "int4 row-major",
            WeightLayout::Int4Tiles4 => "int4 tiles of 4 rows",
            WeightLayout::Sparse => "block-sparse",
            WeightLayout::Pairs4 => "tiles of 4 rows in pairs",
            WeightLayout::Int2 => "int2 row-major",
            WeightLayout::Ternary => "ternary row-major",
            WeightLayout::Int4Columns4 => "int4 columns of 4 rows",
            WeightLayout::Int2Columns4 => "int2 columns of 4 rows",
            WeightLayout::TernaryColumns4 => "ternary columns of 4 rows",
        }
    }

    /// Returns whether each row has a second bias, into which the zero point of the input is folded.
    pub const fn is_folded(self) -> bool {
        matches!(self, WeightLayout::ColumnsUnsigned4 | WeightLayout::FoldedRows)
    }

    /// Returns whether the input must be int8.
    pub const fn needs_int8(self) -> bool {
        matches!(self, WeightLayout::FoldedRows)
    }

    /// Folds the zero point of the input into a row's bias, so that a kernel can work on the input
    /// as it is. Modulo 2³², as accumulators are; 0 for layouts
    /// that fold nothing.
    ///
    /// `sum` is that of all weights of the row.
    pub(crate) const fn fold(self, zero_point: i32, bias: i32, sum: i32) -> i32 {
        match self {
            // The kernel adds 128 to inputs and weights, and takes 128 · Σ input off by itself.
            WeightLayout::ColumnsUnsigned4 => {
                bias.wrapping_sub(zero_point.wrapping_add(128).wrapping_mul(sum))
            }
            WeightLayout::FoldedRows => bias.wrapping_sub(zero_point.wrapping_mul(sum)),
            _ => 0,
        }
    }

    /// The data type of the weights.
    pub const fn weight_type(self) -> WeightType {
        match self {
            WeightLayout::Int4 | WeightLayout::Int4Tiles4 | WeightLayout::Int4Columns4 => {
                WeightType::Int4
            }
            WeightLayout::Int2 | WeightLayout::Int2Columns4 => WeightType::Int2,
            WeightLayout::Ternary | WeightLayout::TernaryColumns4 => WeightType::Ternary,
            _ => WeightType::Int8,
        }
    }

    /// The row-major layout of weights of this type, which every core reads.
    pub const fn row_major(weight_type: WeightType) -> Self {
        match weight_type {
            WeightType::Int8 => WeightLayout::RowMajor,
            WeightType::Int4 => WeightLayout::Int4,
            WeightType::Int2 => WeightLayout::Int2,
            WeightType::Ternary => WeightLayout::Ternary,
        }
    }

    /// Returns whether biases and multipliers may have 16 bits each: where 9 bytes a row are much beside
    /// the weights.
    pub const fn may_be_compact(self) -> bool {
        !matches!(self.weight_type(), WeightType::Int8)
    }

    /// Bits of a byte of weights that are the other way round in this layout.
    pub(crate) const fn flipped_bits(self) -> u8 {
        match self {
            // Adding 128 flips the highest bit.
            WeightLayout::ColumnsUnsigned4 => 0x80,
            // And adding 8 that of four.
            WeightLayout::Int4Columns4 => 0x88,
            _ => 0,
        }
    }

    /// Columns that a row has room for: `inputs`, rounded up to whole bytes or blocks.
    pub const fn columns(self, inputs: usize) -> usize {
        self.row_len(inputs).wrapping_mul(self.weight_type().per_byte())
    }

    /// Bytes of a row's weights, where that is the same for all rows.
    pub const fn row_len(self, inputs: usize) -> usize {
        let bytes = self.weight_type().row_bytes(inputs);
        match (self, self.weight_type()) {
            // Blocks of four columns.
            (WeightLayout::Int4Columns4, _) => bytes.wrapping_add(1) & !1,
            // Blocks of a word.
            (_, WeightType::Int8 | WeightType::Int4) => padded(bytes),
            (_, WeightType::Int2 | WeightType::Ternary) => bytes,
        }
    }

    /// Bytes of all weights; for [`Sparse`](Self::Sparse), of where the rows start alone.
    pub const fn weights_len(self, inputs: usize, outputs: usize) -> usize {
        match self {
            WeightLayout::Sparse => outputs.wrapping_add(1).wrapping_mul(4),
            _ => outputs.wrapping_mul(self.row_len(inputs)),
        }
    }

    /// Rows of a tile, as a power of two.
    const fn tile_rows_log2(self) -> usize {
        match self {
            WeightLayout::Pairs4
            | WeightLayout::ColumnsUnsigned4
            | WeightLayout::Int4Tiles4
            | WeightLayout::Int4Columns4
            | WeightLayout::Int2Columns4
            | WeightLayout::TernaryColumns4 => 2,
            WeightLayout::Columns8 => 3,
            _ => 0,
        }
    }

    /// Rows of a tile; 1 for layouts without tiles.
    pub const fn tile_rows(self) -> usize {
        1 << self.tile_rows_log2()
    }

    /// Position of a row's weights. Not for [`Sparse`](Self::Sparse), which has no formula.
    pub(crate) const fn strides(self, inputs: usize, outputs: usize, row: usize) -> Strides {
        let row_len = self.row_len(inputs);
        let log2 = self.tile_rows_log2();
        if row >= outputs >> log2 << log2 {
            return Strides { start: row.wrapping_mul(row_len), block: 4, byte: 1 };
        }
        let row_in_tile = row & (self.tile_rows() - 1);
        let tile = row.wrapping_sub(row_in_tile).wrapping_mul(row_len);
        let block = 4 << log2;
        match self {
            WeightLayout::Columns8
            | WeightLayout::ColumnsUnsigned4
            | WeightLayout::Int4Columns4
            | WeightLayout::Int2Columns4
            | WeightLayout::TernaryColumns4 => {
                Strides { start: tile.wrapping_add(row_in_tile), block, byte: 1 << log2 }
            }
            WeightLayout::Pairs4 => {
                let pair = row_in_tile >> 1 << 3;
                Strides { start: tile.wrapping_add(pair | row_in_tile & 1), block, byte: 2 }
            }
            _ => Strides { start: tile.wrapping_add(row_in_tile << 2), block, byte: 1 },
        }
    }
}

/// Position of a row's weights, in blocks of four bytes.
pub(crate) struct Strides {
    /// Offset of the first byte.
    pub(crate) start: usize,
    /// From one block to the next.
    pub(crate) block: usize,
    /// From one byte of a block to the next.
    pub(crate) byte: usize,
}

impl Strides {
    /// Offset of the n-th byte of the row.
    #[inline(always)]
    pub(crate) const fn offset(&self, byte: usize) -> usize {
        self.start
            .wrapping_add((byte >> 2).wrapping_mul(self.block))
            .wrapping_add((byte & 3).wrapping_mul(self.byte))
    }

    /// For a row of [`WeightLayout::Pairs4`], whether its weights are coded by those of the row
    /// before, which lie a byte before them.
    pub(crate) const fn is_second_of_pair(&self) -> bool {
        self.byte == 2 && self.start & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Offset of the byte that holds a weight.
    fn offset(
        layout: WeightLayout,
        [inputs, outputs]: [usize; 2],
        row: usize,
        column: usize,
    ) -> usize {
        layout.strides(inputs, outputs, row).offset(column / layout.weight_type().per_byte())
    }

    #[test]
    fn every_byte_has_one_place() {
        for layout in WeightLayout::ALL {
            if layout == WeightLayout::Sparse {
                continue;
            }
            // Miri is slow: only what is less than a tile, and what remains behind some.
            let sizes: [&[usize]; 2] = match cfg!(miri) {
                true => [&[1, 9], &[1, 11]],
                false => [&[1, 3, 4, 5, 8, 9, 17], &[1, 2, 4, 5, 7, 8, 9, 16, 19]],
            };
            for &inputs in sizes[0] {
                for &outputs in sizes[1] {
                    let mut seen = vec![0; layout.weights_len(inputs, outputs)];
                    for row in 0..outputs {
                        for column in 0..layout.columns(inputs) {
                            seen[offset(layout, [inputs, outputs], row, column)] += 1;
                        }
                    }
                    let times = layout.weight_type().per_byte();
                    assert!(seen.iter().all(|n| *n == times), "{layout:?} {outputs}×{inputs}");
                }
            }
        }
    }

    #[test]
    fn tiles_are_in_the_order_that_kernels_read() {
        // 5 rows of 8 columns: one tile row of four rows, and one row that remains.
        let at = |layout, row, column| offset(layout, [8, 5], row, column);
        assert_eq!(at(WeightLayout::Pairs4, 0, 1), 2);
        assert_eq!(at(WeightLayout::Pairs4, 1, 1), 3);
        assert_eq!(at(WeightLayout::Pairs4, 3, 2), 13);
        assert_eq!(at(WeightLayout::Pairs4, 0, 4), 16);
        assert_eq!(at(WeightLayout::Pairs4, 4, 3), 35);
        assert_eq!(at(WeightLayout::ColumnsUnsigned4, 1, 0), 1);
        assert_eq!(at(WeightLayout::ColumnsUnsigned4, 0, 1), 4);
        // The rows of int4 have 4 bytes.
        assert_eq!(at(WeightLayout::Int4Tiles4, 1, 7), 7);
        assert_eq!(at(WeightLayout::Int4Tiles4, 4, 2), 17);
        assert_eq!(at(WeightLayout::Int4Columns4, 3, 2), 7);
        assert_eq!(at(WeightLayout::Int4Columns4, 4, 2), 17);
        // Those of int2 and ternary weights two.
        assert_eq!(at(WeightLayout::Int2Columns4, 1, 4), 5);
        assert_eq!(at(WeightLayout::TernaryColumns4, 4, 5), 9);
        assert_eq!(offset(WeightLayout::Columns8, [8, 9], 1, 1), 9);
        assert_eq!(offset(WeightLayout::Columns8, [8, 9], 2, 3), 26);
    }

    #[test]
    fn every_layout_is_found_by_its_code_and_nothing_else_is() {
        let found: Vec<_> = (0..256).filter_map(WeightLayout::from_code).collect();
        assert_eq!(found, WeightLayout::ALL);
        for layout in WeightLayout::ALL {
            assert_eq!(WeightLayout::from_code(layout as u32), Some(layout));
        }
    }
}
