//! Update rules: one step of each optimizer.

use super::settings::{
    AdadeltaSettings, AdagradSettings, AdamSettings, AdamWSettings, AdamaxSettings,
    EpsilonPlacement, FtrlSettings, LionSettings, NadamSettings, OptimizerSettings,
    RmsPropSettings,
};
use super::{Piece, Real};

/// Decay of the momentum schedule of Nadam.
const NADAM_DECAY: f64 = 0.96;

/// Update rule of one step.
#[derive(Clone, Copy, Debug)]
pub(in crate::train) enum StepRule<T> {
    Adam { rate: T, beta_1: T, beta_2: T, unbias_1: T, unbias_2: T, epsilon: T, keep: T },
    Adamax { rate: T, beta_1: T, beta_2: T, epsilon: T },
    Nadam { rate: T, beta_1: T, beta_2: T, of_mean: T, of_gradient: T, unbias_2: T, epsilon: T },
    RmsProp { rate: T, rho: T, epsilon: T },
    Adagrad { rate: T, epsilon: T },
    Adadelta { rate: T, rho: T, epsilon: T },
    Ftrl { rate: T, l1: T, l2: T },
    Lion { rate: T, beta_1: T, beta_2: T },
    Sgd { rate: T },
    Momentum { rate: T, momentum: T },
    Nesterov { rate: T, momentum: T },
}

impl<T: Real> StepRule<T> {
    /// Returns the rule of step `steps`, counted from 1.
    pub(super) fn new(settings: &OptimizerSettings, steps: i32, learning_rate: f64) -> Self {
        let real = T::from_f64;
        let rate = real(learning_rate);
        match *settings {
            OptimizerSettings::Adam(adam) => {
                let AdamSettings { beta_1, beta_2, epsilon, epsilon_placement, .. } = adam;
                StepRule::adam(rate, [beta_1, beta_2], steps, (epsilon, epsilon_placement), 1.0)
            }
            OptimizerSettings::AdamW(adam) => {
                let AdamWSettings { beta_1, beta_2, epsilon, epsilon_placement, .. } = adam;
                let keep = match adam.decay_biases {
                    true => 1.0 - learning_rate * adam.weight_decay,
                    false => 1.0,
                };
                StepRule::adam(rate, [beta_1, beta_2], steps, (epsilon, epsilon_placement), keep)
            }
            OptimizerSettings::Adamax(AdamaxSettings { beta_1, beta_2, epsilon, .. }) => {
                StepRule::Adamax {
                    rate: real(learning_rate / (1.0 - beta_1.powi(steps))),
                    beta_1: real(beta_1),
                    beta_2: real(beta_2),
                    epsilon: real(epsilon),
                }
            }
            OptimizerSettings::Nadam(NadamSettings { beta_1, beta_2, epsilon, .. }) => {
                let momentum = |step: i32| beta_1 * (1.0 - 0.5 * NADAM_DECAY.powi(step));
                // The product is 0 in float64 long before this many factors.
                let product: f64 = (1..=steps.min(10_000)).map(momentum).product();
                let (now, next) = (momentum(steps), momentum(steps.saturating_add(1)));
                StepRule::Nadam {
                    rate,
                    beta_1: real(beta_1),
                    beta_2: real(beta_2),
                    of_mean: real(next / (1.0 - product * next)),
                    of_gradient: real((1.0 - now) / (1.0 - product)),
                    unbias_2: real(1.0 / (1.0 - beta_2.powi(steps))),
                    epsilon: real(epsilon),
                }
            }
            OptimizerSettings::RmsProp(RmsPropSettings { rho, epsilon, .. }) => {
                StepRule::RmsProp { rate, rho: real(rho), epsilon: real(epsilon) }
            }
            OptimizerSettings::Adagrad(AdagradSettings { epsilon, .. }) => {
                StepRule::Adagrad { rate, epsilon: real(epsilon) }
            }
            OptimizerSettings::Adadelta(AdadeltaSettings { rho, epsilon, .. }) => {
                StepRule::Adadelta { rate, rho: real(rho), epsilon: real(epsilon) }
            }
            OptimizerSettings::Ftrl(FtrlSettings { l1, l2, beta, .. }) => {
                let l2 = l2 + beta / (2.0 * learning_rate);
                StepRule::Ftrl { rate, l1: real(l1), l2: real(l2) }
            }
            OptimizerSettings::Lion(LionSettings { beta_1, beta_2, .. }) => {
                StepRule::Lion { rate, beta_1: real(beta_1), beta_2: real(beta_2) }
            }
            OptimizerSettings::Sgd(sgd) if sgd.momentum > 0.0 && sgd.nesterov => {
                StepRule::Nesterov { rate, momentum: real(sgd.momentum) }
            }
            OptimizerSettings::Sgd(sgd) if sgd.momentum > 0.0 => {
                StepRule::Momentum { rate, momentum: real(sgd.momentum) }
            }
            OptimizerSettings::Sgd(_) => StepRule::Sgd { rate },
        }
    }

    /// Returns the rule of Adam, which multiplies parameters by `keep` first.
    fn adam(
        rate: T,
        [beta_1, beta_2]: [f64; 2],
        steps: i32,
        (epsilon, placement): (f64, EpsilonPlacement),
        keep: f64,
    ) -> Self {
        let unbias_2 = 1.0 / (1.0 - beta_2.powi(steps));
        // √v + ε, times √(1 / (1 − β₂ᵗ)), is √v̂ + this.
        let epsilon = match placement {
            EpsilonPlacement::Paper => epsilon,
            EpsilonPlacement::Keras => epsilon * unbias_2.sqrt(),
        };
        StepRule::Adam {
            rate,
            beta_1: T::from_f64(beta_1),
            beta_2: T::from_f64(beta_2),
            unbias_1: T::from_f64(1.0 / (1.0 - beta_1.powi(steps))),
            unbias_2: T::from_f64(unbias_2),
            epsilon: T::from_f64(epsilon),
            keep: T::from_f64(keep),
        }
    }

    /// Updates the parameters from index `from` on, one per gradient.
    #[inline(always)]
    pub fn apply(self, piece: &mut Piece<'_, T>, from: usize, gradients: &[T]) {
        let range = from..from + gradients.len();
        let parameters = &mut piece.parameters[range.clone()];
        match self {
            StepRule::Adam { rate, beta_1, beta_2, unbias_1, unbias_2, epsilon, keep } => {
                let means = piece.first[range.clone()].iter_mut().zip(&mut piece.second[range]);
                for ((parameter, &g), (mean, square)) in
                    parameters.iter_mut().zip(gradients).zip(means)
                {
                    *mean = flush(beta_1 * *mean + (T::one() - beta_1) * g);
                    *square = flush(beta_2 * *square + (T::one() - beta_2) * g * g);
                    let step = *mean * unbias_1 / ((*square * unbias_2).sqrt() + epsilon);
                    *parameter = *parameter * keep - rate * step;
                }
            }
            StepRule::Adamax { rate, beta_1, beta_2, epsilon } => {
                let means = piece.first[range.clone()].iter_mut().zip(&mut piece.second[range]);
                for ((parameter, &g), (mean, largest)) in
                    parameters.iter_mut().zip(gradients).zip(means)
                {
                    *mean = flush(beta_1 * *mean + (T::one() - beta_1) * g);
                    *largest = flush((beta_2 * *largest).max(g.abs()));
                    *parameter -= rate * *mean / (*largest + epsilon);
                }
            }
            StepRule::Nadam { rate, beta_1, beta_2, of_mean, of_gradient, unbias_2, epsilon } => {
                let means = piece.first[range.clone()].iter_mut().zip(&mut piece.second[range]);
                for ((parameter, &g), (mean, square)) in
                    parameters.iter_mut().zip(gradients).zip(means)
                {
                    *mean = flush(beta_1 * *mean + (T::one() - beta_1) * g);
                    *square = flush(beta_2 * *square + (T::one() - beta_2) * g * g);
                    let step = of_mean * *mean + of_gradient * g;
                    *parameter -= rate * step / ((*square * unbias_2).sqrt() + epsilon);
                }
            }
            StepRule::Adagrad { rate, epsilon } => {
                let sums = &mut piece.second[range];
                for ((parameter, &g), sum) in parameters.iter_mut().zip(gradients).zip(sums) {
                    *sum += g * g;
                    *parameter -= rate * g / (*sum + epsilon).sqrt();
                }
            }
            StepRule::Adadelta { rate, rho, epsilon } => {
                let means = piece.first[range.clone()].iter_mut().zip(&mut piece.second[range]);
                for ((parameter, &g), (step_square, square)) in
                    parameters.iter_mut().zip(gradients).zip(means)
                {
                    *square = flush(rho * *square + (T::one() - rho) * g * g);
                    let step = ((*step_square + epsilon) / (*square + epsilon)).sqrt() * g;
                    *step_square = flush(rho * *step_square + (T::one() - rho) * step * step);
                    *parameter -= rate * step;
                }
            }
            StepRule::Ftrl { rate, l1, l2 } => {
                let terms = piece.first[range.clone()].iter_mut().zip(&mut piece.second[range]);
                for ((parameter, &g), (linear, sum)) in
                    parameters.iter_mut().zip(gradients).zip(terms)
                {
                    let (before, after) = (sum.sqrt(), (*sum + g * g).sqrt());
                    *linear += g - (after - before) / rate * *parameter;
                    *sum += g * g;
                    let kept = linear.max(-l1).min(l1);
                    *parameter = (kept - *linear) / (after / rate + l2 + l2);
                }
            }
            StepRule::Lion { rate, beta_1, beta_2 } => {
                let means = &mut piece.first[range];
                for ((parameter, &g), mean) in parameters.iter_mut().zip(gradients).zip(means) {
                    let direction = beta_1 * *mean + (T::one() - beta_1) * g;
                    // `signum` of 0 is 1.
                    if direction != T::zero() {
                        *parameter -= rate * direction.signum();
                    }
                    *mean = flush(beta_2 * *mean + (T::one() - beta_2) * g);
                }
            }
            StepRule::RmsProp { rate, rho, epsilon } => {
                let squares = &mut piece.second[range];
                for ((parameter, &g), square) in parameters.iter_mut().zip(gradients).zip(squares) {
                    *square = flush(rho * *square + (T::one() - rho) * g * g);
                    *parameter -= rate * g / (*square + epsilon).sqrt();
                }
            }
            StepRule::Sgd { rate } => {
                for (parameter, &g) in parameters.iter_mut().zip(gradients) {
                    *parameter -= rate * g;
                }
            }
            StepRule::Momentum { rate, momentum } => {
                let velocities = &mut piece.first[range];
                for ((parameter, &g), velocity) in
                    parameters.iter_mut().zip(gradients).zip(velocities)
                {
                    *velocity = flush(momentum * *velocity - rate * g);
                    *parameter += *velocity;
                }
            }
            StepRule::Nesterov { rate, momentum } => {
                let velocities = &mut piece.first[range];
                for ((parameter, &g), velocity) in
                    parameters.iter_mut().zip(gradients).zip(velocities)
                {
                    *velocity = flush(momentum * *velocity - rate * g);
                    *parameter += momentum * *velocity - rate * g;
                }
            }
        }
    }
}

/// Returns zero for a number so small that it changes no parameter. The moments of a unit that has
/// no gradient any more decay to subnormal numbers, which processors handle some hundred times
/// slower.
#[inline(always)]
fn flush<T: Real>(number: T) -> T {
    let least = T::from_f64(1e-36);
    // NaN stays.
    if number < least && number > -least { T::zero() } else { number }
}
