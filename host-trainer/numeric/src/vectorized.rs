//! SIMD dispatch at run time: loops compiled for AVX2, AVX-512 and NEON, chosen by the processor.

use std::marker::PhantomData;

use pulp::{Simd, WithSimd};

/// A loop that is compiled once for each instruction set.
///
/// `run` must be `#[inline(always)]`, and so must every function that it calls. A function or
/// closure that is not inlined is compiled for the baseline instruction set.
pub trait Loop<Arguments> {
    /// Result of the loop.
    type Output;

    /// Runs the loop.
    fn run(arguments: Arguments) -> Self::Output;
}

/// Runs a loop with the widest SIMD instructions of this processor: AVX-512, AVX2, NEON, or scalar
/// code.
#[inline]
pub fn vectorized<L: Loop<A>, A>(arguments: A) -> L::Output {
    struct Op<L, A>(A, PhantomData<L>);

    impl<L: Loop<A>, A> WithSimd for Op<L, A> {
        type Output = L::Output;

        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> L::Output {
            L::run(self.0)
        }
    }

    pulp::Arch::new().dispatch(Op::<L, A>(arguments, PhantomData))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sum;

    impl Loop<&[u32]> for Sum {
        type Output = u32;

        #[inline(always)]
        fn run(values: &[u32]) -> u32 {
            values.iter().sum()
        }
    }

    #[test]
    fn the_loop_runs_once_over_its_arguments() {
        assert_eq!(vectorized::<Sum, _>([1, 2, 3].as_slice()), 6);
    }
}
