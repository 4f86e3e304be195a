//! Floating-point types of networks: `f32` and `f64`.

use num_traits::Float;

/// Floating-point type of features, targets and weights, and its conversions.
pub trait Scalar: Float + Send + Sync {
    /// Converts from `f32`, exactly.
    fn from_f32(value: f32) -> Self;
    /// Converts from `f64`, to the nearest number.
    fn from_f64(value: f64) -> Self;
    /// Converts from a byte, exactly.
    fn from_u8(value: u8) -> Self;
    /// Converts to `f64`, exactly.
    fn to_f64(self) -> f64;
}

impl Scalar for f32 {
    #[inline(always)]
    fn from_f32(value: f32) -> Self {
        value
    }

    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        value as f32
    }

    #[inline(always)]
    fn from_u8(value: u8) -> Self {
        f32::from(value)
    }

    #[inline(always)]
    fn to_f64(self) -> f64 {
        f64::from(self)
    }
}

impl Scalar for f64 {
    #[inline(always)]
    fn from_f32(value: f32) -> Self {
        f64::from(value)
    }

    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        value
    }

    #[inline(always)]
    fn from_u8(value: u8) -> Self {
        f64::from(value)
    }

    #[inline(always)]
    fn to_f64(self) -> f64 {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversions_are_exact_or_to_the_nearest() {
        fn bytes_and_back<T: Scalar>() {
            for byte in 0..=255 {
                assert_eq!(T::from_u8(byte).to_f64(), f64::from(byte));
            }
            assert_eq!(T::from_f32(0.1).to_f64(), f64::from(0.1_f32));
        }
        bytes_and_back::<f32>();
        bytes_and_back::<f64>();
        // The neighbors of 0.1 are 7.5e-9 apart.
        assert_eq!(<f32 as Scalar>::from_f64(0.1), 0.1_f32);
        assert_eq!(<f64 as Scalar>::from_f64(0.1), 0.1_f64);
    }
}
