//! Loops compiled for the processor that runs them, not for the oldest one that could.

use std::marker::PhantomData;

use pulp::{Simd, WithSimd};

/// A loop over some arguments.
///
/// It is no closure, because a closure that is too large to be inlined is compiled by itself, for
/// the oldest processor: `run` must be `#[inline(always)]`, and so must what it calls.
pub(crate) trait Loop<Arguments> {
    /// What the loop gives.
    type Output;

    /// Runs the loop.
    fn run(arguments: Arguments) -> Self::Output;
}

/// Runs a loop with the vectors of this processor: AVX2, AVX-512, NEON, or none.
#[inline]
pub(crate) fn vectorized<L: Loop<A>, A>(arguments: A) -> L::Output {
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
