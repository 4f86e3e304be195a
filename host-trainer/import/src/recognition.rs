//! Recognition of activations that a graph computes in pieces, by their values.

use thimble_network::Activation;

use crate::expression::{Expressions, Kind};
use crate::float_network::Line;
use crate::pieces::{self, Piece};

/// Maximum number of element-wise nodes of one activation.
const MAX_NODES: usize = 32;
/// Maximum number of values between an activation in pieces and its base.
const MAX_BETWEEN: usize = 64;
/// Maximum depth of joined branches in an activation: the approximation of GELU has 2.
const MAX_DEPTH: usize = 4;
/// Largest bound of values that is recognized as a part of an activation.
const MAX_BOUND: f64 = 50.0;
/// Inputs at which functions are compared. The outer ones show bounds that few values reach.
const POINTS: [f64; 16] =
    [-60.0, -25.0, -9.0, -4.0, -3.0, -1.7, -0.9, -0.3, 0.0, 0.4, 1.1, 2.6, 4.2, 7.5, 25.0, 60.0];

impl Expressions {
    /// Recognizes an activation that is computed in pieces, by its values. Returns the value before
    /// it and the function.
    pub(crate) fn composed(&self, number: usize) -> Option<(usize, Vec<Piece>)> {
        let base = self.base(number, 0)?;
        let own: Vec<f64> =
            POINTS.iter().map(|x| self.value(number, base, *x)).collect::<Option<_>>()?;
        Some((base, function(&own)?))
    }

    /// Returns the value before a composed activation: the last one that all paths to it share.
    /// `None` if there is nothing composed.
    fn base(&self, number: usize, depth: usize) -> Option<usize> {
        // Each level follows two branches.
        if depth > MAX_DEPTH {
            return None;
        }
        let mut current = number;
        let mut last_unary = None;
        for _ in 0..MAX_NODES {
            match &self.0[current].kind {
                Kind::Same(before) | Kind::Pieces(before, _) | Kind::Clip(before, ..) => {
                    current = *before;
                }
                Kind::Unary(before, _) => {
                    last_unary = Some(current);
                    current = *before;
                }
                Kind::Select(condition, a, b) => {
                    let others = [*a, *b].map(|number| self.before(number, depth));
                    let all = |number: &usize| others.iter().all(|other| other.contains(number));
                    return self.before(*condition, depth).into_iter().find(all);
                }
                Kind::Binary(_, a, b) => {
                    let (first, second) = (self.before(*a, depth), self.before(*b, depth));
                    return first.into_iter().find(|number| second.contains(number));
                }
                _ => return last_unary.map(|_| current),
            }
        }
        None
    }

    /// Returns a value and those that it follows from element by element, nearest first.
    fn before(&self, number: usize, depth: usize) -> Vec<usize> {
        let mut all = vec![number];
        let mut current = number;
        while all.len() < MAX_NODES {
            current = match &self.0[current].kind {
                Kind::Same(before)
                | Kind::Pieces(before, _)
                | Kind::Clip(before, ..)
                | Kind::Unary(before, _) => *before,
                Kind::Binary(..) | Kind::Select(..) => match self.base(current, depth + 1) {
                    Some(base) => base,
                    None => break,
                },
                _ => break,
            };
            all.push(current);
        }
        all
    }

    /// Computes a value for a number of the base. `None` if it does not follow from it alone.
    fn value(&self, number: usize, base: usize, x: f64) -> Option<f64> {
        // Values follow from earlier ones only. Each is computed once.
        let between = self.0.get(base..=number).filter(|some| some.len() <= MAX_BETWEEN)?;
        let mut values: Vec<Option<f64>> = Vec::with_capacity(between.len());
        for (at, expression) in between.iter().enumerate() {
            let of = |number: usize| values.get(number.checked_sub(base)?).copied().flatten();
            let value = if at == 0 { Some(x) } else { of_kind(&expression.kind, of) };
            values.push(value);
        }
        values.last().copied().flatten()
    }
}

/// Computes a value from those before it. `None` if it does not follow element by element.
fn of_kind(kind: &Kind, of: impl Fn(usize) -> Option<f64>) -> Option<f64> {
    Some(match kind {
        Kind::Same(before) => of(*before)?,
        Kind::Pieces(before, pieces) => pieces.iter().fold(of(*before)?, |x, piece| piece.value(x)),
        // Bounds that no point reaches would be lost.
        Kind::Clip(_, low, high)
            if [low, high].iter().any(|bound| bound.is_finite() && bound.abs() > MAX_BOUND) =>
        {
            return None;
        }
        Kind::Clip(before, low, high) => of(*before)?.max(*low).min(*high),
        Kind::Select(condition, a, b) => match of(*condition)? {
            0.0 => of(*b)?,
            _ => of(*a)?,
        },
        Kind::Unary(before, unary) => unary.value(of(*before)?),
        Kind::Binary(binary, a, b) => binary.value(of(*a)?, of(*b)?),
        _ => return None,
    })
}

/// Returns the function with these values at [`POINTS`].
fn function(own: &[f64]) -> Option<Vec<Piece>> {
    let at = |x: f64| own[POINTS.iter().position(|point| *point == x).unwrap_or(0)];
    let fits = |pieces: &Vec<Piece>| {
        let near = |(own, x): (&f64, &f64)| {
            let value = pieces.iter().fold(*x, |x, piece| piece.value(x));
            // Constants in f32, such as the square root of 2, are off by 6e-8.
            (own - value).abs() <= 1e-6 * (1.0 + value.abs())
        };
        own.iter().zip(&POINTS).all(near)
    };
    let scaled = |mut pieces: Vec<Piece>, factor: f64| {
        if (factor - 1.0).abs() > 1e-6 {
            pieces.push(Piece::Line(Line::new(factor, 0.0)));
        }
        (factor != 0.0).then_some(pieces)
    };
    let plain = |activation: &Activation| {
        let factor = at(2.6) / activation.value(2.6);
        scaled(vec![Piece::Activation(*activation)], factor)
    };
    // Functions with parameters, which follow from single values.
    let (rise, bottom, top) = (at(0.4) / 0.4, at(-60.0), at(60.0));
    let low = if bottom == at(-25.0) { bottom } else { f64::NEG_INFINITY };
    let high = if top == at(25.0) { top } else { f64::INFINITY };
    let leaky = |slope: f64| pieces::leaky_relu(slope / rise);
    let capped = || {
        let mut pieces = leaky(at(-0.9) / -0.9)?;
        pieces.extend(pieces::clip(f64::NEG_INFINITY, high)?);
        Some(pieces)
    };
    let with_parameters = [
        leaky(at(-0.9) / -0.9).and_then(|pieces| scaled(pieces, rise)),
        pieces::scaled_elu(-at(-60.0) / rise, rise),
        pieces::clip(low, high),
        capped(),
    ];
    let all = pieces::COMPOSED.iter().map(plain).chain(with_parameters);
    let mut all = all.flatten().chain([pieces::log_sigmoid()]);
    all.find(|pieces| !pieces.is_empty() && fits(pieces))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expression::{Binary, Expression};
    use crate::float_network::FloatNetwork;

    /// x · sigmoid(x), with numbers 0 (input), 1 (sigmoid), 2 (product).
    fn silu() -> Expressions {
        let value =
            |kind| Expression { place: "node".into(), name: "n".into(), shape: vec![3], kind };
        Expressions(vec![
            value(Kind::Input),
            value(Kind::Pieces(0, vec![Piece::Activation(Activation::Sigmoid)])),
            value(Kind::Binary(Binary::Multiply, 0, 1)),
        ])
    }

    #[test]
    fn activations_in_pieces_are_recognized_by_their_values() {
        let mut values = silu();
        let silu = vec![Piece::Activation(Activation::Silu)];
        assert_eq!(values.composed(2), Some((0, silu)));
        values.0[2].kind = Kind::Binary(Binary::Add, 0, 1);
        assert_eq!(values.composed(2), None);
        // Each value is the square of the one before: as many paths as numbers of 40 bits.
        let mut deep = Expressions(vec![values.0[0].clone()]);
        for number in 0..40 {
            let kind = Kind::Binary(Binary::Multiply, number, number);
            deep.0.push(Expression { kind, ..values.0[0].clone() });
        }
        assert_eq!(deep.composed(40), None);
        let mut network = FloatNetwork {
            source: "",
            shape: vec![3],
            steps: Vec::new(),
            classes: Vec::new(),
            notes: Vec::new(),
        };
        let message = values.append(2, &mut network).unwrap_err().to_string();
        assert!(message.contains("adds two computed values"), "{message}");
    }

    /// Returns the function with the values of a closure.
    fn found(value: impl Fn(f64) -> f64) -> Option<Vec<Piece>> {
        function(&POINTS.map(value))
    }

    #[test]
    fn parameters_follow_from_values() {
        assert_eq!(found(|x| x.max(0.2 * x)), pieces::leaky_relu(0.2));
        let elu = |x: f64| if x > 0.0 { x } else { 0.6 * x.exp_m1() };
        assert_eq!(found(elu), pieces::scaled_elu(0.6, 1.0));
        assert_eq!(found(|x| x.clamp(-0.5, 20.0)), pieces::clip(-0.5, 20.0));
        assert_eq!(found(|x| x.clamp(0.0, 6.0)), Some(vec![Piece::Activation(Activation::Relu6)]));
        let capped = found(|x: f64| x.max(0.1 * x).min(4.0)).unwrap();
        assert_eq!(capped.iter().fold(9.0, |x, piece| piece.value(x)), 4.0);
        assert_eq!(found(|x| -(-x).exp().ln_1p()), Some(pieces::log_sigmoid()));
        // A bound that only one value reaches.
        assert_eq!(found(|x| x.clamp(0.0, 50.0)), None);
        assert_eq!(found(|x| x * x), None);
        assert_eq!(found(f64::sin), None);
    }
}
