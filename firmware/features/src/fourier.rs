//! A Fourier transform of real numbers, in f32, the same bits on every core and computer.
//!
//! Radix 2, decimation in time (Cooley and Tukey, 1965), with two real numbers to a complex one.
//!
//! Bits of features belong to the models that were trained on them, so that no release of another library may change them.
//! One loop serves windows of all lengths, with a table for the longest that a program has; libraries such as microfft have a
//! function per length, and one table for the longest of all crates that use them.

/// A complex number: real and imaginary part.
pub(crate) type Complex = [f32; 2];

/// Returns cosine and sine of 2π · `index` / (2 · `HALF`), for each index below `HALF`: half a turn.
pub(crate) const fn half_turn<const HALF: usize>() -> [Complex; HALF] {
    let mut turns = [[0.0; 2]; HALF];
    let mut index = 0;
    while index < HALF {
        let (cosine, sine) = cosine_and_sine(index as f64 / (2 * HALF) as f64);
        turns[index] = [cosine as f32, sine as f32];
        index += 1;
    }
    turns
}

/// Returns cosine and sine of an angle in turns, from 0 to 1/2.
///
/// All powers of two of a turn are exact, so that tables of all lengths have the same numbers.
const fn cosine_and_sine(turns: f64) -> (f64, f64) {
    if turns > 0.25 {
        let (cosine, sine) = cosine_and_sine(0.5 - turns);
        return (-cosine, sine);
    }
    if turns > 0.125 {
        let (cosine, sine) = cosine_and_sine(0.25 - turns);
        return (sine, cosine);
    }
    let angle = core::f64::consts::TAU * turns;
    // Taylor series: for an eighth of a turn, the 18th term is below 1e-17.
    let (mut cosine, mut sine, mut term, mut power) = (0.0, 0.0, 1.0, 0);
    while power < 18 {
        match power % 4 {
            0 => cosine += term,
            1 => sine += term,
            2 => cosine -= term,
            _ => sine -= term,
        }
        power += 1;
        term *= angle / power as f64;
    }
    (cosine, sine)
}

/// Replaces a series by its power spectrum, times four: |2 · X|² of frequency *k* in the real part of point *k*, from 1,
/// and that of half the sampling rate, frequency *M*, in point 0. Imaginary parts are left over.
///
/// The mean of the series, X of frequency 0, is lost.
///
/// # Shapes
/// `points`: *M* pairs of successive samples, *M* a power of two. `turns`: [`half_turn`] of *M* or of a multiple of it by a
/// power of two; other lengths give numbers without meaning.
pub(crate) fn powers(points: &mut [Complex], turns: &[Complex]) {
    transform(points, turns);
    let shift = shift(turns, points.len());
    let Some((first, mut rest)) = points.split_first_mut() else { return };
    let middle = 2.0 * (first[0] - first[1]);
    first[0] = middle * middle;
    // X of k and of M − k from points k and M − k.
    for frequency in 1..turns.len() {
        let [cosine, sine] = turn(turns, frequency, shift);
        match rest {
            [] => return,
            [middle] => {
                // A quarter of a turn.
                middle[0] = 4.0 * (middle[0] * middle[0] + middle[1] * middle[1]);
                return;
            }
            [a, inner @ .., b] => {
                let even = [a[0] + b[0], a[1] - b[1]];
                let odd = [a[1] + b[1], b[0] - a[0]];
                let turned = [cosine * odd[0] + sine * odd[1], cosine * odd[1] - sine * odd[0]];
                let (sum, difference) = (add(even, turned), subtract(even, turned));
                a[0] = sum[0] * sum[0] + sum[1] * sum[1];
                b[0] = difference[0] * difference[0] + difference[1] * difference[1];
                rest = inner;
            }
        }
    }
}

/// Transforms *M* complex points in place.
fn transform(points: &mut [Complex], turns: &[Complex]) {
    reverse_bits(points);
    for stage in 0..points.len().checked_ilog2().unwrap_or(0) {
        let half = 1 << stage;
        let shift = shift(turns, half);
        let mut rest = &mut *points;
        while let Some((low, others)) = rest.split_at_mut_checked(half) {
            let Some((high, others)) = others.split_at_mut_checked(half) else { break };
            for (index, (low, high)) in low.iter_mut().zip(high).enumerate() {
                let [cosine, sine] = turn(turns, index, shift);
                let turned = [cosine * high[0] + sine * high[1], cosine * high[1] - sine * high[0]];
                *high = subtract(*low, turned);
                *low = add(*low, turned);
            }
            rest = others;
        }
    }
}

/// Binary logarithm of the table's entries from one turn to the next, of so many in half a turn.
fn shift(turns: &[Complex], of_half_a_turn: usize) -> u32 {
    of_half_a_turn.leading_zeros().saturating_sub(turns.len().leading_zeros())
}

/// Cosine and sine of a turn.
fn turn(turns: &[Complex], index: usize, shift: u32) -> Complex {
    turns.get(index.wrapping_shl(shift)).copied().unwrap_or_default()
}

/// Moves each point to the place whose number has the same bits backwards.
fn reverse_bits(points: &mut [Complex]) {
    let len = points.len();
    let unused = len.leading_zeros() + 1;
    for index in 0..len {
        let reversed = index.reverse_bits().checked_shr(unused).unwrap_or(0);
        if (index + 1..len).contains(&reversed) {
            points.swap(index, reversed);
        }
    }
}

fn add(a: Complex, b: Complex) -> Complex {
    [a[0] + b[0], a[1] + b[1]]
}

fn subtract(a: Complex, b: Complex) -> Complex {
    [a[0] - b[0], a[1] - b[1]]
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;
    use std::vec::Vec;

    use super::*;

    #[test]
    fn turns_are_the_nearest_f32() {
        const TURNS: [Complex; 512] = half_turn::<512>();
        for (index, [cosine, sine]) in TURNS.into_iter().enumerate() {
            let (exact_sine, exact_cosine) = (TAU * index as f64 / 1024.0).sin_cos();
            // The library's functions err by less than 1e-15, too; half a unit of the last place of f32 below 1 is 2⁻²⁵.
            let near = |found: f32, exact: f64| (f64::from(found) - exact).abs() < 3e-8 + 1e-15;
            assert!(near(cosine, exact_cosine) && near(sine, exact_sine), "{index}");
        }
        assert_eq!(TURNS[256], [0.0, 1.0]);
        assert_eq!(TURNS[128][0].to_bits(), TURNS[128][1].to_bits());
        // Tables of all lengths have the same numbers.
        let short = half_turn::<8>();
        assert!(short.iter().zip(TURNS.iter().step_by(64)).all(|(a, b)| a == b));
    }

    /// Powers by the definition, in f64: of frequencies 1 to M.
    fn defined(series: &[f32]) -> Vec<f64> {
        let len = series.len();
        let power = |frequency: usize| {
            let (mut real, mut imaginary) = (0.0, 0.0);
            for (n, value) in series.iter().enumerate() {
                let angle = TAU * ((n * frequency) % len) as f64 / len as f64;
                real += f64::from(*value) * angle.cos();
                imaginary -= f64::from(*value) * angle.sin();
            }
            4.0 * (real * real + imaginary * imaginary)
        };
        (1..=len / 2).map(power).collect()
    }

    fn found(series: &[f32], turns: &[Complex]) -> Vec<f32> {
        let mut points = series.as_chunks().0.to_vec();
        powers(&mut points, turns);
        points.rotate_left(1);
        points.iter().map(|point| point[0]).collect()
    }

    #[test]
    fn powers_are_those_of_the_definition() {
        const TURNS: [Complex; 512] = half_turn::<512>();
        let mut rng = fastrand::Rng::with_seed(5);
        for bits in 1..=10 {
            let len = 1 << bits;
            for case in 0..20 {
                let tone = rng.usize(0..=len / 2) as f64;
                let series: Vec<f32> = (0..len)
                    .map(|n| match case {
                        0 => f32::from(u8::from(n == len / 3)),
                        1 => 1000.0 * (TAU * tone * n as f64 / len as f64).cos() as f32,
                        _ => f32::from(rng.i16(-8000..8000)) / 16.0,
                    })
                    .collect();
                let exact = defined(&series);
                // Higham, Accuracy and Stability of Numerical Algorithms, theorem 24.2: the error of all frequencies
                // together is at most bits · η of their root of the sum of squares, with η = μ + γ₄ (√2 + μ), where the
                // table errs by μ ≤ 2⁻²⁵ · √2 and γ₄ = 4 · 2⁻²⁴; one stage more makes reals of pairs. The transform of all
                // frequencies has the norm √len · ‖series‖, doubled here.
                let unit = 2f64.powi(-24);
                let eta = unit + 4.0 * unit * 2f64.sqrt() * 1.001;
                let norm = series.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
                let error = f64::from(bits + 1) * eta * 2.0 * (len as f64).sqrt() * norm;
                let found = found(&series, &TURNS);
                assert_eq!(found.len(), exact.len());
                for (frequency, (found, exact)) in found.iter().zip(&exact).enumerate() {
                    let difference = (f64::from(*found).sqrt() - exact.sqrt()).abs();
                    // Squaring and adding err by three roundings more.
                    let all = error + 3.0 * unit * exact.sqrt();
                    assert!(difference <= all, "{len} {case} {frequency}: {difference} {all}");
                }
            }
        }
    }

    #[test]
    fn longer_tables_give_the_same_bits() {
        let series: Vec<f32> = (0..16).map(|n| ((n * 37) % 23) as f32 - 11.0).collect();
        assert_eq!(found(&series, &half_turn::<8>()), found(&series, &half_turn::<256>()));
    }

    #[test]
    fn lengths_without_meaning_do_not_panic() {
        for len in [0, 1, 3, 6] {
            let mut points = std::vec![[1.0; 2]; len];
            powers(&mut points, &half_turn::<4>());
            powers(&mut points, &[]);
        }
    }
}
