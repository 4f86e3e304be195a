//! Functions and matrix products of networks in `f32` and `f64`.

use std::fmt::{Debug, Display};
use std::iter::Sum;
use std::ops::{AddAssign, MulAssign, SubAssign};

use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2, LinalgScalar};
use thimble_numeric::scalar::Scalar;

use super::matmul::{PackedOperand, matmul_f32, pack_f32};
use super::transpose::{transpose, transpose_f32};

/// Floating-point type of a network. Training uses `f32`. Tests use `f64` to compare the gradients
/// of the same code with finite differences.
pub trait Real:
    Scalar + LinalgScalar + AddAssign + SubAssign + MulAssign + Sum + Debug + Display + Default
{
    /// Computes tanh. The form for `f32` vectorizes.
    fn vector_tanh(self) -> Self;
    /// Computes the complementary error function 1 − erf x.
    fn erfc(self) -> Self;

    /// Writes the transpose of a matrix.
    ///
    /// # Shapes
    /// `from` is `rows` × `columns`, `to` is `columns` × `rows`, both contiguous.
    ///
    /// # Panics
    /// If the shapes do not match.
    fn transpose(from: &[Self], rows: usize, columns: usize, to: &mut [Self]);

    /// Packs the right factor of matrix products for the kernel.
    fn pack(matrix: ArrayView2<'_, Self>, packed: &mut PackedOperand<Self>);

    /// Computes out = a · b, or out += a · b, for a packed b.
    ///
    /// # Shapes
    /// `a` is m × k with any strides, `b` is k × n, `out` is m × n with contiguous rows.
    ///
    /// # Panics
    /// If the shapes do not match.
    fn matmul(
        a: ArrayView2<'_, Self>,
        b: &PackedOperand<Self>,
        out: ArrayViewMut2<'_, Self>,
        add: bool,
    );
}

impl Real for f32 {
    /// The rational approximation of Eigen (`Eigen/src/Core/MathFunctionsImpl.h`): odd degree 13
    /// over even degree 6, within a few units in the last place.
    #[inline(always)]
    fn vector_tanh(self) -> Self {
        /// From here on tanh is 1 to the last bit.
        const MOST: f32 = 7.905_311;
        const ODD: [f32; 7] = [
            -2.760_768_4e-16,
            2.000_188e-13,
            -8.604_672e-11,
            5.122_297e-8,
            1.485_722_4e-5,
            6.372_619_3e-4,
            4.893_524_6e-3,
        ];
        const EVEN: [f32; 4] = [1.198_258_4e-6, 1.185_347_1e-4, 2.268_434_6e-3, 4.893_525e-3];
        // `clamp` keeps NaN.
        let x = self.clamp(-MOST, MOST);
        let square = x * x;
        let (mut odd, mut even) = (ODD[0], EVEN[0]);
        for coefficient in &ODD[1..] {
            odd = odd * square + coefficient;
        }
        for coefficient in &EVEN[1..] {
            even = even * square + coefficient;
        }
        x * odd / even
    }

    fn erfc(self) -> Self {
        libm::erfcf(self)
    }

    fn transpose(from: &[f32], rows: usize, columns: usize, to: &mut [f32]) {
        transpose_f32(from, columns, rows, columns, to, rows);
    }

    fn pack(matrix: ArrayView2<'_, f32>, packed: &mut PackedOperand<f32>) {
        pack_f32(matrix, packed);
    }

    fn matmul(
        a: ArrayView2<'_, f32>,
        b: &PackedOperand<f32>,
        out: ArrayViewMut2<'_, f32>,
        add: bool,
    ) {
        matmul_f32(a, b, out, add);
    }
}

impl Real for f64 {
    #[inline(always)]
    fn vector_tanh(self) -> Self {
        self.tanh()
    }

    fn erfc(self) -> Self {
        libm::erfc(self)
    }

    fn transpose(from: &[f64], rows: usize, columns: usize, to: &mut [f64]) {
        transpose(from, columns, rows, columns, to, rows);
    }

    fn pack(matrix: ArrayView2<'_, f64>, packed: &mut PackedOperand<f64>) {
        (packed.depth, packed.columns) = matrix.dim();
        packed.values.clear();
        packed.values.extend(matrix.iter());
    }

    fn matmul(
        a: ArrayView2<'_, f64>,
        b: &PackedOperand<f64>,
        mut out: ArrayViewMut2<'_, f64>,
        add: bool,
    ) {
        let whole = ArrayView2::from_shape((b.depth, b.columns), &b.values);
        let whole = whole.expect("packed in this shape");
        general_mat_mul(1.0, &a, &whole, f64::from(u8::from(add)), &mut out);
    }
}
