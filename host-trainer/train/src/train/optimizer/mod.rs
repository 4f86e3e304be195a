//! Optimizers: settings, state, and the step of each.

mod rule;
mod settings;

pub(super) use rule::StepRule;
pub use settings::{
    AdadeltaSettings, AdagradSettings, AdamSettings, AdamWSettings, AdamaxSettings,
    EpsilonPlacement, FtrlSettings, LionSettings, NadamSettings, OptimizerSettings,
    RmsPropSettings, SgdSettings,
};

use thimble_network::Real;

/// An optimizer with its state.
#[derive(Clone, Debug)]
pub struct Optimizer<T> {
    settings: OptimizerSettings,
    /// First moments, velocities of SGD, squared steps of Adadelta, or the linear terms of FTRL.
    /// One per parameter, or empty.
    first: Vec<T>,
    /// Second moments, largest gradients of Adamax, or sums of squared gradients. One per
    /// parameter, or empty.
    second: Vec<T>,
    steps: i32,
}

/// A range of the parameters with their optimizer state.
pub(super) struct Piece<'a, T> {
    /// Index of the first one among all parameters.
    pub offset: usize,
    /// The parameters.
    pub parameters: &'a mut [T],
    first: &'a mut [T],
    second: &'a mut [T],
}

impl<'a, T> Piece<'a, T> {
    /// Splits the range at this index, which is at most its length.
    pub fn split_at(self, middle: usize) -> (Piece<'a, T>, Piece<'a, T>) {
        let (parameters, parameters_right) = self.parameters.split_at_mut(middle);
        let (first, first_right) = self.first.split_at_mut(middle.min(self.first.len()));
        let (second, second_right) = self.second.split_at_mut(middle.min(self.second.len()));
        let left = Piece { offset: self.offset, parameters, first, second };
        let right = Piece {
            offset: self.offset + middle,
            parameters: parameters_right,
            first: first_right,
            second: second_right,
        };
        (left, right)
    }
}

impl<T: Real> Optimizer<T> {
    /// Creates an optimizer for this number of parameters, at step 0.
    pub fn new(settings: OptimizerSettings, parameters: usize) -> Self {
        let (first, second) = match settings {
            OptimizerSettings::Adam(_)
            | OptimizerSettings::AdamW(_)
            | OptimizerSettings::Adamax(_)
            | OptimizerSettings::Nadam(_)
            | OptimizerSettings::Adadelta(_)
            | OptimizerSettings::Ftrl(_) => (parameters, parameters),
            OptimizerSettings::RmsProp(_) | OptimizerSettings::Adagrad(_) => (0, parameters),
            OptimizerSettings::Lion(_) => (parameters, 0),
            OptimizerSettings::Sgd(sgd) if sgd.momentum > 0.0 => (parameters, 0),
            OptimizerSettings::Sgd(_) => (0, 0),
        };
        let accumulator = match settings {
            OptimizerSettings::Adagrad(adagrad) => adagrad.initial_accumulator,
            OptimizerSettings::Ftrl(ftrl) => ftrl.initial_accumulator,
            _ => 0.0,
        };
        Optimizer {
            settings,
            first: vec![T::zero(); first],
            second: vec![T::from_f64(accumulator); second],
            steps: 0,
        }
    }

    /// Returns the settings.
    pub(super) fn settings(&self) -> &OptimizerSettings {
        &self.settings
    }

    /// Begins the next step. Returns the update rule and the parameters to apply it to.
    pub(super) fn begin_step<'a>(
        &'a mut self,
        parameters: &'a mut [T],
        learning_rate: f64,
    ) -> (StepRule<T>, Piece<'a, T>) {
        self.steps = self.steps.saturating_add(1);
        let rule = StepRule::new(&self.settings, self.steps, learning_rate);
        let Optimizer { first, second, .. } = self;
        (rule, Piece { offset: 0, parameters, first, second })
    }

    /// Returns the state: first moments or velocities, second moments, number of steps.
    pub fn memory(&self) -> (&[T], &[T], i32) {
        (&self.first, &self.second, self.steps)
    }

    /// Restores a saved state. Returns `false` and changes nothing if the lengths do not match.
    pub fn load_state(&mut self, first: &[T], second: &[T], steps: i32) -> bool {
        let fits = first.len() == self.first.len() && second.len() == self.second.len();
        if fits {
            self.first.copy_from_slice(first);
            self.second.copy_from_slice(second);
            self.steps = steps;
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The parameter after each of these gradients.
    fn follow(settings: OptimizerSettings, gradients: &[f64]) -> Vec<f64> {
        let (mut parameter, mut optimizer) = ([1.0], Optimizer::new(settings, 1));
        let step = |&gradient: &f64| {
            let rate = settings.learning_rate();
            let (rule, mut piece) = optimizer.begin_step(&mut parameter, rate);
            rule.apply(&mut piece, 0, &[gradient]);
            parameter[0]
        };
        gradients.iter().map(step).collect()
    }

    #[test]
    fn adam_by_hand() {
        let adam = AdamSettings {
            learning_rate: 0.1,
            beta_1: 0.5,
            beta_2: 0.75,
            epsilon: 1e-8,
            epsilon_placement: EpsilonPlacement::Paper,
        };
        // Step 1: m = 1, v = 1, unbiased 2 and 4: 2 / √4 = 1.
        // Step 2: m = 0.5 − 2 = −1.5, v = 0.75 + 4 = 4.75; unbiased −1.5 / 0.75 = −2 and
        // 4.75 / 0.4375.
        let reached = follow(OptimizerSettings::Adam(adam), &[2.0, -4.0]);
        let second = -2.0 / (4.75_f64 / 0.4375).sqrt();
        assert!((reached[0] - 0.9).abs() < 1e-8, "{reached:?}");
        assert!((reached[1] - (0.9 - 0.1 * second)).abs() < 1e-8, "{reached:?}");

        let decayed = AdamWSettings {
            learning_rate: 0.1,
            beta_1: 0.5,
            beta_2: 0.75,
            epsilon: 1e-8,
            epsilon_placement: EpsilonPlacement::Paper,
            weight_decay: 0.5,
            decay_biases: true,
        };
        let reached = follow(OptimizerSettings::AdamW(decayed), &[2.0]);
        assert!((reached[0] - (1.0 - 0.1 * 0.5 - 0.1)).abs() < 1e-8, "{reached:?}");
    }

    #[test]
    fn the_two_placements_of_epsilon_by_hand() {
        let adam = |epsilon_placement| {
            OptimizerSettings::Adam(AdamSettings {
                learning_rate: 0.1,
                beta_1: 0.5,
                beta_2: 0.75,
                epsilon: 0.5,
                epsilon_placement,
            })
        };
        // m = 1, v = 1; m̂ = 2, v̂ = 4. Paper: 0.1 · 2 / (2 + 0.5). Keras: 0.1 · √0.25 / 0.5 · 1 /
        // (1 + 0.5).
        let paper = follow(adam(EpsilonPlacement::Paper), &[2.0]);
        assert!((paper[0] - (1.0 - 0.08)).abs() < 1e-15, "{paper:?}");
        let keras = follow(adam(EpsilonPlacement::Keras), &[2.0]);
        assert!((keras[0] - (1.0 - 0.1 / 1.5)).abs() < 1e-15, "{keras:?}");
    }

    /// Two steps of gradients 2 and −4 from parameter 1. Moments with β₁ = 0.5 and β₂ = 0.75 are
    /// m = 1, then −1.5, and v = 1, then 4.75.
    #[test]
    fn relatives_of_adam_by_hand() {
        let (learning_rate, beta_1, beta_2) = (0.1, 0.5, 0.75);
        let adamax = AdamaxSettings { learning_rate, beta_1, beta_2, epsilon: 1e-9 };
        // u = 2, then max(1.5, 4): steps 0.1 · 2 / 2 and 0.1 · −2 / 4.
        let reached = follow(OptimizerSettings::Adamax(adamax), &[2.0, -4.0]);
        assert!((reached[0] - 0.9).abs() < 1e-8, "{reached:?}");
        assert!((reached[1] - 0.95).abs() < 1e-8, "{reached:?}");

        let nadam = NadamSettings { learning_rate, beta_1, beta_2, epsilon: 1e-9 };
        // Momenta of the schedule: 0.5 · (1 − 0.5 · 0.96^t).
        let u = |t: i32| 0.5 * (1.0 - 0.5 * 0.96_f64.powi(t));
        let first = u(2) * 1.0 / (1.0 - u(1) * u(2)) + (1.0 - u(1)) * 2.0 / (1.0 - u(1));
        let product = u(1) * u(2);
        let second = u(3) * -1.5 / (1.0 - product * u(3)) + (1.0 - u(2)) * -4.0 / (1.0 - product);
        let expected = 1.0 - 0.1 * first / 2.0;
        let reached = follow(OptimizerSettings::Nadam(nadam), &[2.0, -4.0]);
        assert!((reached[0] - expected).abs() < 1e-8, "{reached:?} {expected}");
        let expected = expected - 0.1 * second / (4.75_f64 / 0.4375).sqrt();
        assert!((reached[1] - expected).abs() < 1e-8, "{reached:?} {expected}");

        let lion = LionSettings { learning_rate, beta_1, beta_2 };
        // Means 0.5, then 0.375 − 1. Directions: sign of 1, of 0.25 − 2, of −0.3125 + 0.3125 = 0.
        let reached = follow(OptimizerSettings::Lion(lion), &[2.0, -4.0, 0.625]);
        for (reached, expected) in reached.iter().zip([0.9, 1.0, 1.0]) {
            assert!((reached - expected).abs() < 1e-15, "{reached} {expected}");
        }
    }

    #[test]
    fn adaptive_rates_by_hand() {
        let adagrad =
            AdagradSettings { learning_rate: 0.1, initial_accumulator: 5.0, epsilon: 1e-9 };
        // Sums 5 + 4 = 9, then 25.
        let reached = follow(OptimizerSettings::Adagrad(adagrad), &[2.0, -4.0]);
        assert!((reached[0] - (1.0 - 0.2 / 3.0)).abs() < 1e-8, "{reached:?}");
        assert!((reached[1] - (1.0 - 0.2 / 3.0 + 0.4 / 5.0)).abs() < 1e-8, "{reached:?}");

        let adadelta = AdadeltaSettings { learning_rate: 0.5, rho: 0.75, epsilon: 1.0 };
        // Mean squared gradient 1, then 4.75; steps √1 / √2 · 2 = √2, whose mean square is 0.5, then
        // √1.5 / √5.75 · −4. The learning rate is a factor beside.
        let first = 1.0 - 0.5 * 2_f64.sqrt();
        let reached = follow(OptimizerSettings::Adadelta(adadelta), &[2.0, -4.0]);
        assert!((reached[0] - first).abs() < 1e-15, "{reached:?}");
        let second = first + 0.5 * 4.0 * (1.5_f64 / 5.75).sqrt();
        assert!((reached[1] - second).abs() < 1e-15, "{reached:?}");

        let ftrl = FtrlSettings {
            learning_rate: 0.5,
            initial_accumulator: 0.25,
            l1: 0.5,
            l2: 0.25,
            beta: 0.5,
        };
        // n = 0.25, then 6.25: √n = 0.5 and 2.5. z = 2.4494… for g² = 6: σ = (2.5 − 0.5) / 0.5 = 4,
        // z = √6 − 4 · 1. w = −(z ∓ 0.5) / ((0.5 + 2.5) / 0.5 + 2 · 0.25) if |z| > 0.5, else 0.
        let z = 6_f64.sqrt() - 4.0;
        let reached = follow(OptimizerSettings::Ftrl(ftrl), &[6_f64.sqrt()]);
        assert!((reached[0] - (-0.5 - z) / 6.5).abs() < 1e-15, "{reached:?}");
        // |z| is below 9.
        let reached = follow(OptimizerSettings::Ftrl(FtrlSettings { l1: 9.0, ..ftrl }), &[2.0]);
        assert_eq!(reached, [0.0]);
    }

    #[test]
    fn the_moments_of_a_dead_unit_become_zero_and_not_subnormal() {
        let settings: OptimizerSettings = toml::from_str::<
            std::collections::BTreeMap<String, OptimizerSettings>,
        >("o = { adam = {} }")
        .unwrap()["o"];
        let (mut parameter, mut optimizer) = ([1.0_f32], Optimizer::new(settings, 1));
        let mut step = |gradient: f32| {
            let (rule, mut piece) = optimizer.begin_step(&mut parameter, 1e-3);
            rule.apply(&mut piece, 0, &[gradient]);
            let (first, second, _) = optimizer.memory();
            [first[0], second[0]]
        };
        step(1.0);
        let all: Vec<[f32; 2]> = (0..100_000).map(|_| step(0.0)).collect();
        assert!(all.iter().flatten().all(|moment| !moment.is_subnormal()));
        assert_eq!(all.last(), Some(&[0.0, 0.0]));
    }

    #[test]
    fn a_restored_state_goes_on_with_the_same_steps() {
        for settings in [
            OptimizerSettings::Nadam(NadamSettings {
                learning_rate: 0.1,
                beta_1: 0.9,
                beta_2: 0.999,
                epsilon: 1e-7,
            }),
            OptimizerSettings::Lion(LionSettings { learning_rate: 0.1, beta_1: 0.9, beta_2: 0.99 }),
        ] {
            let gradients = [1.0, -0.5, 0.25, 2.0];
            let whole = follow(settings, &gradients);
            let (mut parameter, mut optimizer) = ([1.0], Optimizer::new(settings, 1));
            for gradient in gradients {
                let (first, second, steps) = optimizer.memory();
                let mut restored = Optimizer::new(settings, 1);
                assert!(restored.load_state(first, second, steps));
                optimizer = restored;
                let (rule, mut piece) = optimizer.begin_step(&mut parameter, 0.1);
                rule.apply(&mut piece, 0, &[gradient]);
            }
            assert_eq!(Some(&parameter[0]), whole.last());
        }
    }

    #[test]
    fn descent_by_hand() {
        let sgd = |momentum, nesterov| {
            OptimizerSettings::Sgd(SgdSettings { learning_rate: 0.25, momentum, nesterov })
        };
        assert_eq!(follow(sgd(0.0, false), &[1.0, 2.0]), [0.75, 0.25]);
        // Velocities −0.25, then −0.125 − 0.5.
        assert_eq!(follow(sgd(0.5, false), &[1.0, 2.0]), [0.75, 0.125]);
        // The same velocities v; steps 0.5 · v − 0.25 · g: −0.125 − 0.25, then −0.3125 − 0.5.
        assert_eq!(follow(sgd(0.5, true), &[1.0, 2.0]), [0.625, -0.1875]);
    }

    #[test]
    fn rmsprop_by_hand() {
        let settings = RmsPropSettings { learning_rate: 0.1, rho: 0.75, epsilon: 1e-8 };
        // Mean squares 1, then 0.75 + 4, and ε under the root: steps 0.1 · 2 / 1 and −0.1 · 4 / √4.75.
        let reached = follow(OptimizerSettings::RmsProp(settings), &[2.0, -4.0]);
        assert!((reached[0] - 0.8).abs() < 1e-8, "{reached:?}");
        assert!((reached[1] - (0.8 + 0.4 / 4.75_f64.sqrt())).abs() < 1e-8, "{reached:?}");
    }

    #[test]
    fn pieces_cover_all_parameters() {
        for settings in [
            OptimizerSettings::Sgd(SgdSettings {
                learning_rate: 1.0,
                momentum: 0.0,
                nesterov: false,
            }),
            OptimizerSettings::Sgd(SgdSettings {
                learning_rate: 1.0,
                momentum: 0.9,
                nesterov: false,
            }),
        ] {
            let (mut parameters, mut optimizer) = ([0.0_f32; 5], Optimizer::new(settings, 5));
            let (rule, whole) = optimizer.begin_step(&mut parameters, 1.0);
            let (mut left, mut right) = whole.split_at(2);
            assert_eq!((left.offset, right.offset), (0, 2));
            rule.apply(&mut left, 0, &[1.0, 2.0]);
            rule.apply(&mut right, 1, &[4.0, 5.0]);
            rule.apply(&mut right, 0, &[3.0]);
            assert_eq!(parameters, [-1.0, -2.0, -3.0, -4.0, -5.0]);
        }
    }
}
