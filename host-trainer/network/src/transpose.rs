//! Matrix transposition.
//!
//! A kernel file with `unsafe`: with bounds checks at each row of each square, transposing a
//! mini-batch takes longer than multiplying it.
#![allow(unsafe_code)]

/// Side of the squares that are transposed in registers.
#[cfg(target_arch = "x86_64")]
const SIDE: usize = 8;

/// Source and destination of a transposition.
///
/// # Shapes
/// `from` has `rows` rows of `columns` elements, `from_stride` apart; `to` has `columns` rows of
/// `rows` elements, `to_stride` apart.
struct Turn<'a, T> {
    from: &'a [T],
    from_stride: usize,
    rows: usize,
    columns: usize,
    to: &'a mut [T],
    to_stride: usize,
}

/// Writes the transpose of a matrix of `rows` rows and `columns` columns: `to` has `columns` rows
/// and `rows` columns.
///
/// # Shapes
/// Rows of `from` are `from_stride` apart. Rows of `to` are `to_stride` apart.
///
/// # Panics
/// If a slice is too short for its rows.
pub(super) fn transpose<T: Copy>(
    from: &[T],
    from_stride: usize,
    rows: usize,
    columns: usize,
    to: &mut [T],
    to_stride: usize,
) {
    Turn { from, from_stride, rows, columns, to, to_stride }.rest(0, 0);
}

/// The same as [`transpose`], with AVX where the processor has it.
pub(super) fn transpose_f32(
    from: &[f32],
    from_stride: usize,
    rows: usize,
    columns: usize,
    to: &mut [f32],
    to_stride: usize,
) {
    let turn = Turn { from, from_stride, rows, columns, to, to_stride };
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = pulp::x86::V3::try_new() {
        return simd.vectorize(x86::Squares { simd, turn });
    }
    turn.rest(0, 0);
}

impl<T: Copy> Turn<'_, T> {
    /// Transposes the elements outside the first `whole_rows` rows and `whole_columns` columns.
    fn rest(self, whole_rows: usize, whole_columns: usize) {
        let Turn { from, from_stride, rows, columns, to, to_stride } = self;
        for row in 0..rows {
            let first = if row < whole_rows { whole_columns } else { 0 };
            let line = &from[row * from_stride..][..columns];
            for column in first..columns {
                to[column * to_stride + row] = line[column];
            }
        }
    }

    /// Returns `true` if both slices contain all their rows.
    #[cfg(target_arch = "x86_64")]
    fn fits(&self) -> bool {
        let length = |rows: usize, stride: usize, width: usize| {
            let before = rows.checked_sub(1)?.checked_mul(stride)?;
            before.checked_add(width).filter(|_| width <= stride)
        };
        length(self.rows, self.from_stride, self.columns).is_some_and(|l| l <= self.from.len())
            && length(self.columns, self.to_stride, self.rows).is_some_and(|l| l <= self.to.len())
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::__m256;

    use pulp::NullaryFnOnce;
    use pulp::x86::V3;

    use super::{SIDE, Turn};

    /// Transposition of squares with AVX, and of the edges element by element.
    pub(super) struct Squares<'a> {
        pub simd: V3,
        pub turn: Turn<'a, f32>,
    }

    impl NullaryFnOnce for Squares<'_> {
        type Output = ();

        #[inline(always)]
        fn call(self) {
            let Squares { simd, turn } = self;
            if turn.rows == 0 || turn.columns == 0 {
                return;
            }
            assert!(turn.fits(), "slices as long as their rows");
            let (whole_rows, whole_columns) = (turn.rows / SIDE * SIDE, turn.columns / SIDE * SIDE);
            let (from, to) = (turn.from.as_ptr(), turn.to.as_mut_ptr());
            for column in (0..whole_columns).step_by(SIDE) {
                for row in (0..whole_rows).step_by(SIDE) {
                    // SAFETY: the square lies within the whole rows and columns, and both slices
                    // hold all of these, as was asserted.
                    unsafe {
                        square(
                            simd,
                            from.add(row * turn.from_stride + column),
                            turn.from_stride,
                            to.add(column * turn.to_stride + row),
                            turn.to_stride,
                        );
                    }
                }
            }
            turn.rest(whole_rows, whole_columns);
        }
    }

    /// Transposes the 4 × 4 blocks of four rows.
    // A function, not a closure: only code that is always inlined is compiled for AVX.
    #[inline(always)]
    fn fours(simd: V3, [a, b, c, d]: [__m256; 4]) -> [__m256; 4] {
        let avx = simd.avx;
        let (low, high) = (avx._mm256_unpacklo_ps(a, b), avx._mm256_unpackhi_ps(a, b));
        let (next_low, next_high) = (avx._mm256_unpacklo_ps(c, d), avx._mm256_unpackhi_ps(c, d));
        [
            avx._mm256_shuffle_ps::<0b01_00_01_00>(low, next_low),
            avx._mm256_shuffle_ps::<0b11_10_11_10>(low, next_low),
            avx._mm256_shuffle_ps::<0b01_00_01_00>(high, next_high),
            avx._mm256_shuffle_ps::<0b11_10_11_10>(high, next_high),
        ]
    }

    /// Transposes one 8 × 8 square: interleaves pairs of rows, then pairs of pairs, then swaps
    /// halves.
    ///
    /// SAFETY: `from` and `to` point to [`SIDE`] rows of [`SIDE`] elements, `from_stride` and
    /// `to_stride` apart.
    #[inline(always)]
    unsafe fn square(
        simd: V3,
        from: *const f32,
        from_stride: usize,
        to: *mut f32,
        to_stride: usize,
    ) {
        let avx = simd.avx;
        let mut rows = [avx._mm256_setzero_ps(); SIDE];
        for (i, row) in rows.iter_mut().enumerate() {
            // SAFETY: by this function's contract.
            *row = unsafe { from.add(i * from_stride).cast::<__m256>().read_unaligned() };
        }
        let [a, b, c, d, e, f, g, h] = rows;
        let (upper, lower) = (fours(simd, [a, b, c, d]), fours(simd, [e, f, g, h]));
        for j in 0..SIDE / 2 {
            let left = avx._mm256_permute2f128_ps::<0x20>(upper[j], lower[j]);
            let right = avx._mm256_permute2f128_ps::<0x31>(upper[j], lower[j]);
            // SAFETY: by this function's contract.
            unsafe {
                to.add(j * to_stride).cast::<__m256>().write_unaligned(left);
                to.add((j + SIDE / 2) * to_stride).cast::<__m256>().write_unaligned(right);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_finds_its_place_and_no_other_changes() {
        for (rows, columns) in
            [(1, 1), (8, 8), (16, 24), (9, 17), (3, 40), (21, 2), (0, 5), (5, 0), (64, 100)]
        {
            let (from_stride, to_stride) = (columns + 3, rows + 2);
            let from: Vec<f32> = (0..rows * from_stride).map(|i| i as f32).collect();
            let untouched = vec![-1.0_f32; columns * to_stride];
            let (mut plain, mut fast) = (untouched.clone(), untouched);
            transpose(&from, from_stride, rows, columns, &mut plain, to_stride);
            transpose_f32(&from, from_stride, rows, columns, &mut fast, to_stride);
            for (index, &value) in plain.iter().enumerate() {
                let (column, row) = (index / to_stride, index % to_stride);
                let expected = if row < rows { from[row * from_stride + column] } else { -1.0 };
                assert_eq!(value, expected, "{rows} × {columns} at ({row}, {column})");
            }
            assert_eq!(plain, fast, "{rows} × {columns}");
        }
    }

    #[test]
    #[should_panic]
    fn a_slice_that_is_too_short_is_refused() {
        transpose_f32(&[0.0; 16 * 8], 8, 16, 8, &mut [0.0; 127], 16);
    }
}
