//! The matrix product, where nearly all time of training goes.
//!
//! A kernel file: the only one of this package with `unsafe` in it, since the fastest product in
//! Rust has an interface of raw pointers.
#![allow(unsafe_code)]

use gemm_f32::gemm::f32::get_gemm_fn;
use ndarray::{ArrayView2, ArrayViewMut2};

/// out = a · b by the kernel for this processor (AVX2, AVX-512, NEON, or plain), chosen at run
/// time, on the calling thread alone.
///
/// # Panics
/// When the shapes do not fit.
pub(super) fn product_f32(
    a: ArrayView2<'_, f32>,
    b: ArrayView2<'_, f32>,
    out: ArrayViewMut2<'_, f32>,
) {
    // The kernel writes columns of registers: where those of `out` are not in one piece but its
    // rows are, the transposed product is, which is the same numbers. Else it would write each
    // by itself.
    match out.strides()[0].abs() > out.strides()[1].abs() {
        true => product_by_columns(b.reversed_axes(), a.reversed_axes(), out.reversed_axes()),
        false => product_by_columns(a, b, out),
    }
}

fn product_by_columns(
    a: ArrayView2<'_, f32>,
    b: ArrayView2<'_, f32>,
    mut out: ArrayViewMut2<'_, f32>,
) {
    let ((m, k), (k_b, n)) = (a.dim(), b.dim());
    assert_eq!((k, (m, n)), (k_b, out.dim()), "{m} × {k} times {k_b} × {n}");
    let (out_strides, a_strides, b_strides) = (
        [out.strides()[0], out.strides()[1]],
        [a.strides()[0], a.strides()[1]],
        [b.strides()[0], b.strides()[1]],
    );
    let out_pointer = out.as_mut_ptr();
    // SAFETY: the pointers and strides are those of live views of m × n, m × k and k × n elements
    // (asserted above), so every element that the kernel reaches lies in them; `out` is borrowed
    // mutably, so it overlaps neither `a` nor `b`. `read_dst` is false: `out` is only written.
    unsafe {
        get_gemm_fn()(
            m,
            n,
            k,
            out_pointer,
            out_strides[1],
            out_strides[0],
            false,
            a.as_ptr(),
            a_strides[1],
            a_strides[0],
            b.as_ptr(),
            b_strides[1],
            b_strides[0],
            0.0,
            1.0,
            false,
            false,
            false,
            gemm_common::Parallelism::None,
        );
    }
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
        for (m, k, n) in [(1, 1, 1), (3, 7, 5), (64, 33, 10), (17, 100, 129), (2, 0, 3), (0, 2, 3)]
        {
            let (a, b) = (matrix(m, k, 1), matrix(k, n, 2));
            let (a_turned, b_turned) = (matrix(k, m, 3), matrix(n, k, 4));
            for (a, b) in [
                (a.view(), b.view()),
                (a_turned.t(), b.view()),
                (a.view(), b_turned.t()),
                (a_turned.t(), b_turned.t()),
            ] {
                // A window of a larger matrix, filled with what must be overwritten.
                let mut whole = Array2::from_elem((m + 2, n + 3), f32::NAN);
                product_f32(a, b, whole.slice_mut(s![1..m + 1, 2..n + 2]));
                for ((i, j), value) in whole.slice(s![1..m + 1, 2..n + 2]).indexed_iter() {
                    let expected: f32 = (0..k).map(|l| a[(i, l)] * b[(l, j)]).sum();
                    assert_eq!(*value, expected, "{m} × {k} × {n} at ({i}, {j})");
                }
                let written = whole.iter().filter(|value| !value.is_nan()).count();
                assert_eq!(written, m * n, "nothing else may be written");
            }
        }
    }
}
