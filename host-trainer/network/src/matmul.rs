//! Matrix multiplication (GEMM) of `f32`, with packing and register tiles.
//!
//! After Goto and van de Geijn, *Anatomy of high-performance matrix multiplication*, 2008. The
//! right factor is packed into panels as wide as a tile of registers. Pieces of a panel that fit
//! into the L1 cache are multiplied by all rows of the left factor, which is read in place. A
//! packed factor serves several products. Sums run over the inner dimension in order, so no element
//! of the result depends on the division of rows and columns among threads.
//!
//! A kernel file with `unsafe`: slices would check their bounds at each multiplication.
#![allow(unsafe_code)]
// Indices of registers: the same index is used for several arrays and an address.
#![allow(clippy::needless_range_loop)]

use std::array::from_fn;
use std::hint::black_box;

use ndarray::{ArrayView2, ArrayViewMut2};
use pulp::{Simd, WithSimd};

use super::transpose::transpose_f32;

/// Elements of the inner dimension per piece. A panel of this many rows and 64 columns stays in the
/// L1 cache.
const DEPTH: usize = 192;

/// Elements per cache line.
const LINE: usize = 16;

/// Elements of a row that are multiplied between two increments of its pointer.
const UNROLLED: usize = 4;

/// Maximum columns of a tile: four vectors of 16.
const WIDEST: usize = 64;

/// Maximum rows of a tile.
const TALLEST: usize = 6;

/// Packed right factor of matrix products. Its memory is reused.
#[derive(Clone, Debug, Default)]
pub struct PackedOperand<T> {
    pub(super) values: Vec<T>,
    pub(super) depth: usize,
    pub(super) columns: usize,
}

/// Division of columns into strips and vectors, by the registers of this processor.
#[derive(Clone, Copy)]
struct Tiling {
    /// Elements per vector.
    lanes: usize,
    /// Vectors per row of the product; the last one may be partial.
    vectors: usize,
    /// Number of strips of vectors, each at most as wide as a tile.
    strips: usize,
}

impl Tiling {
    #[inline(always)]
    fn new<S: Simd>(columns: usize) -> Self {
        let vectors = columns.div_ceil(S::F32_LANES);
        let widest = if S::REGISTER_COUNT >= 32 { 4 } else { 2 };
        Tiling { lanes: S::F32_LANES, vectors, strips: vectors.div_ceil(widest) }
    }

    /// Returns the vectors of a strip. Strips differ by at most one vector.
    #[inline(always)]
    fn strip(&self, index: usize) -> std::ops::Range<usize> {
        index * self.vectors / self.strips..(index + 1) * self.vectors / self.strips
    }

    /// Returns the offset of a panel in the piece of this depth that begins at row `start`.
    #[inline(always)]
    fn panel(&self, start: usize, depth: usize, vector: usize) -> usize {
        (start * self.vectors + depth * vector) * self.lanes
    }
}

/// Packs a matrix into panels for this processor's registers.
pub(super) fn pack_f32(matrix: ArrayView2<'_, f32>, packed: &mut PackedOperand<f32>) {
    (packed.depth, packed.columns) = matrix.dim();
    pulp::Arch::new().dispatch(Pack { matrix, packed });
}

struct Pack<'a> {
    matrix: ArrayView2<'a, f32>,
    packed: &'a mut PackedOperand<f32>,
}

impl WithSimd for Pack<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Pack { matrix, packed } = self;
        let (depth, columns) = matrix.dim();
        let tiling = Tiling::new::<S>(columns);
        let needed = depth * tiling.vectors * tiling.lanes + ALIGNMENT;
        if packed.values.len() < needed {
            packed.values.resize(needed, 0.0);
        }
        let first = aligned(&packed.values);
        let turned = matrix.t();
        for start in (0..depth).step_by(DEPTH) {
            let deep = DEPTH.min(depth - start);
            for strip in (0..tiling.strips).map(|index| tiling.strip(index)) {
                let width = strip.len() * tiling.lanes;
                let from = first + tiling.panel(start, deep, strip.start);
                let panel = &mut packed.values[from..from + deep * width];
                let left = strip.start * tiling.lanes;
                let real = width.min(columns - left);
                if let Some(whole) = matrix.as_slice() {
                    for (row, panel) in panel.chunks_exact_mut(width).enumerate() {
                        let at = (start + row) * columns + left;
                        panel[..real].copy_from_slice(&whole[at..at + real]);
                        panel[real..].fill(0.0);
                    }
                } else if let Some(whole) = turned.as_slice() {
                    transpose_f32(&whole[left * depth + start..], depth, real, deep, panel, width);
                    if real < width {
                        panel.chunks_exact_mut(width).for_each(|row| row[real..].fill(0.0));
                    }
                } else {
                    for (row, panel) in panel.chunks_exact_mut(width).enumerate() {
                        for (column, value) in panel.iter_mut().enumerate() {
                            let inside = column < real;
                            *value =
                                if inside { matrix[(start + row, left + column)] } else { 0.0 };
                        }
                    }
                }
            }
        }
    }
}

/// Alignment of panels in elements, the size of the largest vector.
const ALIGNMENT: usize = 16;

/// Returns the index of the first element at a cache line boundary.
fn aligned(values: &[f32]) -> usize {
    values.as_ptr().align_offset(ALIGNMENT * size_of::<f32>()).min(ALIGNMENT)
}

/// Computes out = a · packed, or out += a · packed, on the calling thread. The instruction set
/// (AVX2, AVX-512, NEON, or scalar) is chosen at run time.
///
/// # Panics
/// If the shapes do not match, or rows of `out` are not contiguous.
pub(super) fn matmul_f32(
    a: ArrayView2<'_, f32>,
    packed: &PackedOperand<f32>,
    out: ArrayViewMut2<'_, f32>,
    add: bool,
) {
    let ((m, k), shape) = (a.dim(), (packed.depth, packed.columns));
    assert_eq!((k, (m, shape.1)), (shape.0, out.dim()), "{m} × {k} times {shape:?}");
    assert!(out.dim().1 <= 1 || out.strides()[1] == 1, "rows in one piece");
    pulp::Arch::new().dispatch(Product { a, packed, out, add });
}

struct Product<'a> {
    a: ArrayView2<'a, f32>,
    packed: &'a PackedOperand<f32>,
    out: ArrayViewMut2<'a, f32>,
    add: bool,
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Product { a, packed, mut out, add } = self;
        let ((m, k), columns) = (a.dim(), packed.columns);
        if k == 0 && !add {
            out.fill(0.0);
        }
        let tiling = Tiling::new::<S>(columns);
        let first = aligned(&packed.values);
        assert!(first + k * tiling.vectors * tiling.lanes <= packed.values.len(), "packed here");
        let (a_row, a_column) = (a.strides()[0], a.strides()[1]);
        let (a, out_row, out) = (a.as_ptr(), out.strides()[0], out.as_mut_ptr());
        for start in (0..k).step_by(DEPTH) {
            let depth = DEPTH.min(k - start);
            for strip in (0..tiling.strips).map(|index| tiling.strip(index)) {
                let panel = first + tiling.panel(start, depth, strip.start);
                let left = strip.start * tiling.lanes;
                for row in (0..m).step_by(TALLEST) {
                    // All pointers stay in their matrices: row < m, start < k, left < columns, and
                    // `packed` is as long as was asserted.
                    let tile = Tile {
                        depth,
                        a: a.wrapping_offset(
                            (row as isize)
                                .wrapping_mul(a_row)
                                .wrapping_add((start as isize).wrapping_mul(a_column)),
                        ),
                        a_row,
                        a_column,
                        panel: packed.values.as_ptr().wrapping_add(panel),
                        out: out.wrapping_offset(
                            (row as isize).wrapping_mul(out_row).wrapping_add(left as isize),
                        ),
                        out_row,
                        width: (columns - left).min(strip.len() * tiling.lanes),
                        add: add || start > 0,
                    };
                    // SAFETY: `run` reads and writes `depth` columns of as many rows of `a` and
                    // `out` as it is asked for, at most those that are left, and as many vectors
                    // as the strip has.
                    unsafe {
                        match strip.len() {
                            1 => run::<S, 1>(simd, tile, TALLEST.min(m - row)),
                            2 => run::<S, 2>(simd, tile, TALLEST.min(m - row)),
                            3 => run::<S, 3>(simd, tile, TALLEST.min(m - row)),
                            _ => run::<S, 4>(simd, tile, TALLEST.min(m - row)),
                        }
                    }
                }
            }
        }
    }
}

/// Pointers and strides of one tile of the product.
#[derive(Clone, Copy)]
struct Tile {
    depth: usize,
    a: *const f32,
    a_row: isize,
    a_column: isize,
    panel: *const f32,
    out: *mut f32,
    out_row: isize,
    /// Columns of the result, at most those of the panel.
    width: usize,
    /// Adds the product to `out` if `true`; overwrites `out` otherwise.
    add: bool,
}

/// SAFETY: see [`multiply`]; `rows` is 1 to [`TALLEST`].
#[inline(always)]
unsafe fn run<S: Simd, const V: usize>(simd: S, tile: Tile, rows: usize) {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        match rows {
            1 => multiply::<S, 1, V>(simd, tile),
            2 => multiply::<S, 2, V>(simd, tile),
            3 => multiply::<S, 3, V>(simd, tile),
            4 => multiply::<S, 4, V>(simd, tile),
            5 => multiply::<S, 5, V>(simd, tile),
            _ => multiply::<S, 6, V>(simd, tile),
        }
    }
}

/// Computes the product of `M` rows of `a` and a panel of `V` vectors, in registers.
///
/// SAFETY: `a` points to `M` rows of `depth` elements at its strides, `panel` to `depth` rows of
/// `V` vectors, `out` to `M` rows of `width` elements that nothing else refers to.
#[inline(always)]
unsafe fn multiply<S: Simd, const M: usize, const V: usize>(simd: S, tile: Tile) {
    let Tile { depth, a, a_row, a_column, panel, out, out_row, width, add } = tile;
    let lanes = S::F32_LANES;
    let mut sums = [[simd.splat_f32s(0.0); V]; M];
    let mut edge = [0.0_f32; WIDEST];
    let whole = width == V * lanes;
    // SAFETY: by this function's contract for `a`, `panel` and `out`; `edge` is as wide as the
    // widest tile.
    unsafe {
        if add {
            for i in 0..M {
                let row = out.wrapping_offset((i as isize).wrapping_mul(out_row));
                let from = match whole {
                    true => row.cast_const(),
                    false => {
                        std::ptr::copy_nonoverlapping(row, edge.as_mut_ptr(), width);
                        edge.as_ptr()
                    }
                };
                for v in 0..V {
                    sums[i][v] = from.wrapping_add(v * lanes).cast::<S::f32s>().read_unaligned();
                }
            }
        }
        let (mut panel, mut a) = (panel, a);
        if a_column == 1 {
            // Each row has its own pointer. While one cache line of each row is multiplied, the
            // lines of the rows below are prefetched, which the processor does not predict.
            let mut rows = [a; M];
            for i in 0..M {
                rows[i] = black_box(a.wrapping_offset((i as isize).wrapping_mul(a_row)));
            }
            let below = a_row.wrapping_mul(M as isize);
            for _ in 0..depth / LINE {
                rows.iter().for_each(|row| prefetch(row.wrapping_offset(below)));
                for _ in 0..LINE / UNROLLED {
                    for column in 0..UNROLLED {
                        step::<S, M, V>(
                            simd,
                            &mut sums,
                            panel,
                            rows.map(|row| row.wrapping_add(column)),
                        );
                        panel = panel.wrapping_add(V * lanes);
                    }
                    rows = rows.map(|row| row.wrapping_add(UNROLLED));
                }
            }
            for _ in 0..depth % LINE {
                step::<S, M, V>(simd, &mut sums, panel, rows);
                rows = rows.map(|row| row.wrapping_add(1));
                panel = panel.wrapping_add(V * lanes);
            }
        } else if a_row == 1 {
            for _ in 0..depth {
                prefetch(a.wrapping_add(LINE));
                step::<S, M, V>(simd, &mut sums, panel, from_fn(|i| a.wrapping_add(i)));
                a = a.wrapping_offset(a_column);
                panel = panel.wrapping_add(V * lanes);
            }
        } else {
            let row = |a: *const f32, i| a.wrapping_offset((i as isize).wrapping_mul(a_row));
            for _ in 0..depth {
                step::<S, M, V>(simd, &mut sums, panel, from_fn(|i| row(a, i)));
                a = a.wrapping_offset(a_column);
                panel = panel.wrapping_add(V * lanes);
            }
        }
        for i in 0..M {
            let row = out.wrapping_offset((i as isize).wrapping_mul(out_row));
            let to = if whole { row } else { edge.as_mut_ptr() };
            for v in 0..V {
                to.wrapping_add(v * lanes).cast::<S::f32s>().write_unaligned(sums[i][v]);
            }
            if !whole {
                std::ptr::copy_nonoverlapping(edge.as_ptr(), row, width);
            }
        }
    }
}

/// Adds the products of one element of each row of `a` and one row of the panel.
///
/// SAFETY: `panel` points to `V` vectors, `left` to elements.
#[inline(always)]
unsafe fn step<S: Simd, const M: usize, const V: usize>(
    simd: S,
    sums: &mut [[S::f32s; V]; M],
    panel: *const f32,
    left: [*const f32; M],
) {
    let mut right = [simd.splat_f32s(0.0); V];
    for v in 0..V {
        let vector = panel.wrapping_add(v * S::F32_LANES).cast::<S::f32s>();
        // SAFETY: by this function's contract.
        right[v] = unsafe { vector.read_unaligned() };
    }
    for i in 0..M {
        // SAFETY: by this function's contract.
        let left = simd.splat_f32s(unsafe { *left[i] });
        for v in 0..V {
            sums[i][v] = simd.mul_add_e_f32s(left, right[v], sums[i][v]);
        }
    }
}

/// Prefetches a cache line. Any address is valid.
#[inline(always)]
fn prefetch(address: *const f32) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint, which reads nothing and cannot fault.
    unsafe {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(address.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, s};

    use super::*;

    #[test]
    fn equals_the_definition_for_odd_shapes_and_all_strides() {
        // Small integers: every product and sum is exact, so the results are equal, not close.
        let matrix = |rows: usize, columns: usize, salt: usize| {
            Array2::from_shape_fn((rows, columns), |(i, j)| {
                ((i * 31 + j * 17 + salt) % 13) as f32 - 6.0
            })
        };
        let shapes = [
            (1, 1, 1),
            (3, 7, 5),
            (64, 33, 10),
            (17, 100, 129),
            (7, 2 * DEPTH + 3, 50),
            (2, 0, 3),
            (0, 2, 3),
        ];
        let mut packed = PackedOperand::default();
        for (m, k, n) in shapes {
            let (a, b) = (matrix(m, k, 1), matrix(k, n, 2));
            let (a_turned, b_turned) = (matrix(k, m, 3), matrix(n, k, 4));
            let b_window = matrix(k + 1, n + 2, 5);
            for (a, b) in [
                (a.view(), b.view()),
                (a_turned.t(), b.view()),
                (a.view(), b_turned.t()),
                (a_turned.t(), b_turned.t()),
                (a.view(), b_window.slice(s![1.., 1..n + 1])),
            ] {
                pack_f32(b, &mut packed);
                // A window of a larger matrix, filled with what must be overwritten.
                let mut whole = Array2::from_elem((m + 2, n + 3), f32::NAN);
                for times in [1.0, 2.0] {
                    let window = whole.slice_mut(s![1..m + 1, 2..n + 2]);
                    matmul_f32(a, &packed, window, times > 1.0);
                    for ((i, j), value) in whole.slice(s![1..m + 1, 2..n + 2]).indexed_iter() {
                        let expected: f32 = (0..k).map(|l| a[(i, l)] * b[(l, j)]).sum();
                        assert_eq!(*value, times * expected, "{m} × {k} × {n} at ({i}, {j})");
                    }
                }
                let written = whole.iter().filter(|value| !value.is_nan()).count();
                assert_eq!(written, m * n, "nothing else may be written");
            }
        }
    }

    #[test]
    fn no_element_depends_on_which_rows_and_columns_are_computed_with_it() {
        let value = |(i, j): (usize, usize)| ((i * 7919 + j * 104_729) % 1009) as f32 / 1009.0;
        let (a, b) =
            (Array2::from_shape_fn((19, 500), value), Array2::from_shape_fn((500, 67), value));
        let matmul = |a: ArrayView2<'_, f32>, b: ArrayView2<'_, f32>| {
            let (mut packed, mut out) =
                (PackedOperand::default(), Array2::zeros((a.nrows(), b.ncols())));
            pack_f32(b, &mut packed);
            matmul_f32(a, &packed, out.view_mut(), false);
            out
        };
        let whole = matmul(a.view(), b.view());
        let part = matmul(a.slice(s![5..12, ..]), b.slice(s![.., 20..31]));
        assert_eq!(whole.slice(s![5..12, 20..31]), part);
        // Nor on whether the inner dimension was cut.
        let mut added = matmul(a.slice(s![.., ..130]), b.slice(s![..130, ..]));
        let mut packed = PackedOperand::default();
        pack_f32(b.slice(s![130.., ..]), &mut packed);
        matmul_f32(a.slice(s![.., 130..]), &packed, added.view_mut(), true);
        assert_eq!(whole, added);
    }
}
