//! The optimizer's step, by shares of the parameters: gradients over the whole batch, block by block.

use std::ops::Range;

use thimble_network::{GradientMemory, GradientPlan, Penalty, Real, Scalar};
use thimble_numeric::threads::join;
use thimble_numeric::vectorized::{Loop, vectorized};

use super::optimizer::{Piece, StepRule};
use super::steps::Steps;
use super::trainer::Worker;

/// Parameters whose gradients one thread computes, and its scratch memory.
#[derive(Debug)]
pub(super) struct Share<T> {
    pub(super) span: Range<usize>,
    pub(super) memory: GradientMemory<T>,
    /// Gradients of the span, stored only for clipping by the global norm.
    pub(super) gradients: Vec<T>,
    /// Gradients of the learned steps of the span's rows.
    pub(super) steps: Vec<T>,
}

/// Sources of a batch's gradients: tapes and weight penalties.
#[derive(Clone, Copy)]
pub(super) struct Gradients<'a, T> {
    pub(super) workers: &'a [Worker<T>],
    pub(super) plan: &'a GradientPlan,
    pub(super) penalties: &'a [Penalty],
    /// Learned steps, and the factor of weight decay since the weights were rounded.
    pub(super) steps: Option<(&'a Steps<T>, T)>,
}

impl<T: Real> Gradients<'_, T> {
    /// Calls `visit` block by block with the gradients of a span of parameters, including weight
    /// penalties. Appends the gradients of learned steps to `of_steps`.
    pub(super) fn visit(
        &self,
        span: Range<usize>,
        memory: &mut GradientMemory<T>,
        parameters: &[T],
        of_steps: &mut Vec<T>,
        mut visit: impl FnMut(usize, &mut [T]),
    ) {
        let tapes = self.workers.iter().map(|worker| &worker.tape);
        self.plan.sum(tapes, span, memory, |first, some| {
            let parameters = &parameters[first..][..some.len()];
            if let Some((steps, decay)) = self.steps {
                steps.add_gradients(first, parameters, some, decay, of_steps);
            }
            for penalty in self.penalties {
                penalty.add_gradient(first, parameters, some);
            }
            visit(first, some);
        });
    }

    /// Applies the optimizer to a span of parameters, with gradients clipped to the magnitude
    /// `most`. Appends the gradients of learned steps to `of_steps`.
    pub(super) fn step(
        &self,
        span: Range<usize>,
        memory: &mut GradientMemory<T>,
        piece: &mut Piece<'_, T>,
        of_steps: &mut Vec<T>,
        (rule, most): (StepRule<T>, Option<T>),
    ) {
        let tapes = self.workers.iter().map(|worker| &worker.tape);
        self.plan.sum(tapes, span, memory, |first, some| {
            if let Some((steps, decay)) = self.steps {
                let weights = &piece.parameters[first - piece.offset..][..some.len()];
                steps.add_gradients(first, weights, some, decay, of_steps);
            }
            vectorized::<Step, _>((self.penalties, most, rule, &mut *piece, first, some));
        });
    }
}

struct Step;

impl<T: Real> Loop<(&[Penalty], Option<T>, StepRule<T>, &mut Piece<'_, T>, usize, &mut [T])>
    for Step
{
    type Output = ();

    #[inline(always)]
    fn run(
        (penalties, most, rule, piece, first, gradients): (
            &[Penalty],
            Option<T>,
            StepRule<T>,
            &mut Piece<'_, T>,
            usize,
            &mut [T],
        ),
    ) {
        let from = first - piece.offset;
        for penalty in penalties {
            let parameters = &piece.parameters[from..from + gradients.len()];
            penalty.add_gradient(first, parameters, gradients);
        }
        if let Some(most) = most {
            for g in &mut *gradients {
                *g = within(*g, most);
            }
        }
        rule.apply(piece, from, gradients);
    }
}

/// Clips a gradient to a magnitude.
#[inline(always)]
pub(super) fn within<T: Real>(gradient: T, most: T) -> T {
    if gradient.abs() > most { most * gradient.signum() } else { gradient }
}

/// Calls `work` on each share with its range of the parameters, in parallel.
pub(super) fn update<T: Real>(
    shares: &mut [Share<T>],
    mut piece: Piece<'_, T>,
    work: &(impl Fn(&mut Share<T>, &mut Piece<'_, T>) + Sync),
) {
    match shares {
        [] => {}
        [share] => work(share, &mut piece),
        _ => {
            let (left, right) = shares.split_at_mut(shares.len() / 2);
            let middle = right[0].span.start - piece.offset;
            let (left_piece, right_piece) = piece.split_at(middle);
            join(|| update(left, left_piece, work), || update(right, right_piece, work));
        }
    }
}

/// Returns the sum of squares of all elements. The order does not depend on the division into
/// slices.
pub(super) fn sum_of_squares<'a, T: Real>(parts: impl Iterator<Item = &'a [T]>) -> f64 {
    const LANES: usize = 16;
    let (mut sums, mut lane) = ([0.0; LANES], 0);
    for &value in parts.flatten() {
        let value = Scalar::to_f64(value);
        sums[lane] += value * value;
        lane = (lane + 1) % LANES;
    }
    sums.iter().sum()
}
