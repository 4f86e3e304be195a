//! Turning matrices over.

use std::array::from_fn;

/// Side of the squares that are turned over in registers.
const SIDE: usize = 8;

/// Writes the transpose of a matrix of `rows` rows and `columns` columns: `to` has `columns` rows
/// and `rows` columns.
///
/// # Shapes
/// Rows of `from` are `from_stride` apart, those of `to` `to_stride`.
///
/// # Panics
/// When a slice is too short for its rows.
#[inline(always)]
pub(super) fn transpose<T: Copy>(
    from: &[T],
    from_stride: usize,
    rows: usize,
    columns: usize,
    to: &mut [T],
    to_stride: usize,
) {
    let (whole_rows, whole_columns) = (rows / SIDE * SIDE, columns / SIDE * SIDE);
    for row in (0..whole_rows).step_by(SIDE) {
        for column in (0..whole_columns).step_by(SIDE) {
            // Arrays of a known length: the compiler makes shuffles of registers of it.
            let square: [[T; SIDE]; SIDE] = from_fn(|i| {
                let at = (row + i) * from_stride + column;
                let line = &from[at..at + SIDE];
                from_fn(|j| line[j])
            });
            // `j` is a column of all rows of the square.
            #[allow(clippy::needless_range_loop)]
            for j in 0..SIDE {
                let line: [T; SIDE] = from_fn(|i| square[i][j]);
                let at = (column + j) * to_stride + row;
                to[at..at + SIDE].copy_from_slice(&line);
            }
        }
    }
    let mut rest = |row: usize, columns: std::ops::Range<usize>| {
        for column in columns {
            to[column * to_stride + row] = from[row * from_stride + column];
        }
    };
    (0..whole_rows).for_each(|row| rest(row, whole_columns..columns));
    (whole_rows..rows).for_each(|row| rest(row, 0..columns));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_finds_its_place_and_no_other_changes() {
        for (rows, columns) in [(1, 1), (8, 8), (16, 24), (9, 17), (3, 40), (21, 2)] {
            let (from_stride, to_stride) = (columns + 3, rows + 2);
            let from: Vec<u32> = (0..(rows * from_stride) as u32).collect();
            let mut to = vec![u32::MAX; columns * to_stride];
            transpose(&from, from_stride, rows, columns, &mut to, to_stride);
            for (index, &value) in to.iter().enumerate() {
                let (column, row) = (index / to_stride, index % to_stride);
                let inside = row < rows;
                let expected = if inside { from[row * from_stride + column] } else { u32::MAX };
                assert_eq!(value, expected, "{rows} × {columns} at ({row}, {column})");
            }
        }
    }
}
