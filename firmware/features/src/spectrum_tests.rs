//! Features of frequencies, beside their definition computed in f64.

use std::f64::consts::TAU;
use std::vec;
use std::vec::Vec;

use super::*;
use crate::{Feature, Features, FeaturesMismatch, log2};

/// Rounding of f32, relative.
const UNIT: f64 = 1.0 / (1 << 24) as f64;

/// Mean square of a series at each frequency from 1 by the definition, negative frequencies included.
fn defined(series: &[f64]) -> Vec<f64> {
    let len = series.len() as f64;
    let weights: Vec<f64> = (0..series.len())
        .map(|n| 1.0 - ((2.0 * n as f64 - (len - 1.0)) / (len + 1.0)).powi(2))
        .collect();
    let sum = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>();
    let mean = sum(&mut series.iter().zip(&weights).map(|(x, w)| x * w))
        / sum(&mut weights.iter().copied());
    let squares = sum(&mut weights.iter().map(|w| w * w));
    let frequencies = 2 * bins(series.len());
    let power = |frequency: usize| {
        let (mut real, mut imaginary) = (0.0, 0.0);
        for (n, (x, w)) in series.iter().zip(&weights).enumerate() {
            let angle = TAU * ((n * frequency) % frequencies) as f64 / frequencies as f64;
            real += (x - mean) * w * angle.cos();
            imaginary += (x - mean) * w * angle.sin();
        }
        let sides = if 2 * frequency == frequencies { 1.0 } else { 2.0 };
        sides * (real * real + imaginary * imaginary) / (frequencies as f64 * squares)
    };
    (1..=frequencies / 2).map(power).collect()
}

/// Largest error of the root mean square of any set of frequencies, of samples of at most `most`, with u = 2⁻²⁴:
///
/// - Weights err by 4 u at most: they are 1 − t² with t of two roundings. Those that the mean is taken with, and their sums of L
///   terms of one size and products, move it by (2 L + 15) · u · most.
/// - Each weighted sample errs by its weight's, 4 u · 2 · most, and by two roundings of numbers up to 2 · most; all of them have
///   a root mean square of 1 / √(8/15) of that at most, in units of the weights'.
/// - The transform adds 6.7 u per stage of the root of all squares (`fourier.rs`), the sums of up to L powers and of L
///   squares of weights (L + 8) u.
fn error(series: &[f64], all: f64) -> f64 {
    let len = series.len() as f64;
    let most = series.iter().fold(0.0f64, |most, x| most.max(x.abs()));
    let stages = f64::from((2 * bins(series.len())).ilog2()) + 1.0;
    (2.0 * len + 15.0 + 12.0 * 1.37) * UNIT * most + (6.7 * stages + len + 8.0) * UNIT * all
}

fn lines_of<const BINS: usize>(series: &[f64], check: impl FnOnce(&Lines<'_>)) {
    let Spectrum { mut points, mut total } = Spectrum::<BINS>::new();
    let turns = &Spectrum::<BINS>::TURNS;
    let memory = Lent { points: &mut points, total: &mut total, turns };
    let mut lines = Lines::new(memory, series.len()).unwrap();
    lines.set(series.iter().map(|x| *x as f32), series.len());
    check(&lines);
}

/// Random numbers, tones beside gravity, a step, a knock, and nearly nothing.
fn series(rng: &mut fastrand::Rng, case: usize, len: usize) -> Vec<f64> {
    let (tone, phase) = (rng.f64() / 2.0, rng.f64() * TAU);
    let value = |n: usize, rng: &mut fastrand::Rng| match case % 6 {
        0 => f64::from(rng.i16(-2048..2048)),
        1 => (500.0 + 300.0 * (TAU * tone * n as f64 + phase).sin()).round(),
        2 => f64::from(u8::from(n > len / 2)) * 2047.0,
        3 => f64::from(u8::from(n == len / 3)) * -8191.0,
        4 => f64::from(8191 - rng.i16(0..2)),
        _ => f64::from(rng.i16(..)),
    };
    (0..len).map(|n| value(n, rng)).collect()
}

#[test]
fn bands_are_those_of_the_definition() {
    let mut rng = fastrand::Rng::with_seed(19);
    for case in 0..120 {
        let len = if case < 40 { case + 1 } else { rng.usize(1..=MAX_SPECTRUM_WINDOW) };
        let series = series(&mut rng, case, len);
        let exact = defined(&series);
        let all = exact.iter().sum::<f64>();
        // The variance of the weighted samples, which Parseval's theorem gives without a transform, is checked by hand below.
        let error = error(&series, all.sqrt());
        lines_of::<512>(&series, |lines| {
            let near = |above: usize, last: usize| {
                let exact = exact[above..last].iter().sum::<f64>().sqrt();
                let found = f64::from(lines.mean_square(above, last)).sqrt();
                assert!(
                    (found - exact).abs() <= error,
                    "{case} {len} {above}: {found} {exact} {error}"
                );
            };
            for frequency in 0..exact.len() {
                near(frequency, frequency + 1);
            }
            near(0, exact.len());
            // Bands: their ends, and nothing left out.
            for of in 1..=(exact.len().ilog2() + 1).min(u32::from(MAX_BANDS)) as u8 {
                let mut above = 0;
                for band in 1..=of {
                    let last = exact.len() >> (of - band);
                    assert_eq!(lines.band(band, of), root(lines.mean_square(above, last)));
                    above = last;
                }
                assert_eq!(above, exact.len());
            }
        });
    }
}

#[test]
fn dominant_frequencies_are_those_of_the_definition() {
    let mut rng = fastrand::Rng::with_seed(20);
    for case in 0..120 {
        let len = if case < 40 { case + 1 } else { rng.usize(1..=MAX_SPECTRUM_WINDOW) };
        let series = series(&mut rng, case, len);
        let mut exact = defined(&series);
        let error = error(&series, exact.iter().sum::<f64>().sqrt());
        // A frequency and not its share of the energy decides.
        if let Some(last) = exact.last_mut() {
            *last *= 2.0;
        }
        let most = exact.iter().fold(0.0f64, |most, power| most.max(*power));
        // A power errs by at most so much.
        let most_error = 2.0 * most.sqrt() * 1.5 * error + (1.5 * error).powi(2);
        lines_of::<512>(&series, |lines| {
            let found = lines.dominant_frequency();
            if lines.band(1, 1) == 0 {
                assert_eq!(found, 0);
                return;
            }
            let cycles = f64::from(found) / f64::from(STEPS_PER_CYCLE);
            let place = cycles * (2 * exact.len()) as f64;
            // Half a step is rounded, which may move the place past the middle of two frequencies.
            let rounding = 0.51 * (2 * exact.len()) as f64 / f64::from(STEPS_PER_CYCLE);
            let vertex = |at: usize| {
                let power = |frequency: usize| match frequency {
                    0 => 0.0,
                    _ if frequency > exact.len() => exact[(2 * exact.len() - frequency).max(1) - 1],
                    _ => exact[frequency - 1],
                };
                let (below, top, above) = (power(at - 1), power(at), power(at + 1));
                let curvature = 2.0 * top - below - above;
                let offset =
                    if at == exact.len() { 0.0 } else { 0.5 * (above - below) / curvature };
                // Each of the three powers errs; the offset is at most a half.
                (
                    at as f64 + offset,
                    rounding + 3.0 * most_error / (curvature - 4.0 * most_error).max(0.0),
                )
            };
            let fits = (1..=exact.len()).any(|at| {
                let (vertex, tolerance) = vertex(at);
                exact[at - 1] >= most - 2.0 * most_error && (place - vertex).abs() <= tolerance
            });
            assert!(fits, "{case} {len}: {place} {:?}", &exact[..exact.len().min(8)]);
        });
    }
}

#[test]
fn frequencies_of_tones_are_found_between_those_of_the_transform() {
    // Three cycles in the window and more, and three from half the sampling rate.
    for len in [33, 52, 64, 100, 128, 1000] {
        for part in 0..200 {
            let cycles = 3.0 + (len as f64 / 2.0 - 6.0) * f64::from(part) / 199.0;
            let tone = |n: usize| 1000.0 * (TAU * cycles * n as f64 / len as f64 + 1.0).sin();
            let series: Vec<f64> = (0..len).map(|n| tone(n).round()).collect();
            lines_of::<512>(&series, |lines| {
                let found = f64::from(lines.dominant_frequency()) / f64::from(STEPS_PER_CYCLE);
                let spacing = 1.0 / (2 * bins(len)) as f64;
                let difference = (found - cycles / len as f64).abs();
                // Half a step is rounded.
                let rounding = 0.501 / f64::from(STEPS_PER_CYCLE);
                assert!(
                    difference < spacing / 5.0 + rounding,
                    "{len} {cycles}: {}",
                    difference / spacing
                );
            });
        }
    }
}

fn features<const N: usize>(features: &Features<'_>, samples: &[i16]) -> [i16; N] {
    let mut out = [0; N];
    features.compute_with_spectrum(samples, &mut Spectrum::<64>::new(), &mut out).unwrap();
    out
}

const KINDS: [Feature; 5] = [
    Feature::DominantFrequency,
    Feature::BandRms { band: 1, of: 3 },
    Feature::BandRms { band: 2, of: 3 },
    Feature::BandRms { band: 3, of: 3 },
    Feature::LogBandRms { band: 2, of: 3 },
];

#[test]
fn tones_by_hand() {
    // 0.17 cycles per sample lie in the second of three bands, 1/8 to 1/4.
    let tone: Vec<i16> =
        (0..100).map(|n| (500.0 + 400.0 * (TAU * 0.17 * f64::from(n)).sin()) as i16).collect();
    let single = Features { axes: 1, each: &KINDS, magnitude: &[], total: &[] };
    let [frequency, low, middle, high, logarithm] = features(&single, &tone);
    assert!((1690..=1710).contains(&frequency), "{frequency}");
    // A root mean square of 400 / √2, within 6.1 % by the root, and nothing elsewhere but the sides of the window's spectrum.
    assert!((1131..1201).contains(&middle), "{middle}");
    assert!(low < middle / 20 && high < middle / 20, "{low} {high}");
    assert_eq!(logarithm, log2(middle));
    // Half the sampling rate.
    let fast: Vec<i16> = (0..64).map(|n| if n % 2 == 0 { 100 } else { -100 }).collect();
    let found: [i16; 5] = features(&single, &fast);
    assert_eq!(found[0], STEPS_PER_CYCLE / 2);
    assert!(
        found[1..3].iter().all(|band| *band < 20) && (399..430).contains(&found[3]),
        "{found:?}"
    );
    // What does not vary has no frequency.
    assert_eq!(features(&single, &[1234; 100]), [0; 5]);
    assert_eq!(features(&single, &[7]), [0; 5]);
}

#[test]
fn the_total_does_not_depend_on_the_orientation() {
    let series = |n: usize| {
        let angle = TAU * 0.11 * n as f64;
        [800.0 * angle.sin(), 500.0 * (1.9 * angle).cos()]
    };
    let turned = |turn: f64| -> Vec<i16> {
        let turned = |[x, y]: [f64; 2]| {
            [x * turn.cos() - y * turn.sin(), x * turn.sin() + y * turn.cos()]
                .map(|x| x.round() as i16)
        };
        (0..128).flat_map(|n| turned(series(n))).collect()
    };
    let total = Features { axes: 2, each: &[], magnitude: &[], total: &KINDS };
    let straight: [i16; 5] = features(&total, &turned(0.0));
    assert!((1095..1105).contains(&straight[0]), "{straight:?}");
    for turn in [0.3, 1.0, 2.5] {
        let found: [i16; 5] = features(&total, &turned(turn));
        // Rounding of samples moves a root mean square by at most √2 · half a count, and its root is within 6.1 %.
        for (found, straight) in found.iter().zip(&straight) {
            let most = 0.061 * f64::from(*straight) + 4.0;
            assert!((f64::from(*found) - f64::from(*straight)).abs() <= most, "{found} {straight}");
        }
    }
}

#[test]
fn axes_magnitude_and_total_do_not_mix() {
    let mut rng = fastrand::Rng::with_seed(21);
    let samples: Vec<i16> = (0..240).map(|_| rng.i16(-2048..2048)).collect();
    let both = Features { axes: 2, each: &KINDS, magnitude: &KINDS, total: &KINDS };
    let found: [i16; 20] = features(&both, &samples);
    let axis = |axis: usize| samples.iter().skip(axis).step_by(2).copied().collect::<Vec<_>>();
    let single = Features { axes: 1, each: &KINDS, magnitude: &[], total: &[] };
    assert_eq!(found[..5], features::<5>(&single, &axis(0)));
    assert_eq!(found[5..10], features::<5>(&single, &axis(1)));
    let parts = [
        Features { axes: 2, each: &[], magnitude: &KINDS, total: &[] },
        Features { axes: 2, each: &[], magnitude: &[], total: &KINDS },
    ];
    assert_eq!(found[10..15], features::<5>(&parts[0], &samples));
    assert_eq!(found[15..], features::<5>(&parts[1], &samples));
    // Beside other features, and in memory of any size with any content.
    let mixed = Features { axes: 2, each: &[], magnitude: &[Feature::Mean, KINDS[0]], total: &[] };
    let mut memory = Spectrum::<512>::new();
    let mut out = [0; 2];
    for _ in 0..2 {
        mixed.compute_with_spectrum(&samples, &mut memory, &mut out).unwrap();
        assert_eq!(out[1], found[10]);
    }
}

#[test]
fn what_has_no_spectrum_is_refused() {
    let of = |feature: Feature, samples: usize, bins_of_64: bool| {
        let kinds = [feature];
        let features = Features { axes: 1, each: &kinds, magnitude: &[], total: &[] };
        let (samples, mut out) = (vec![1; samples], [0]);
        match bins_of_64 {
            true => features.compute_with_spectrum(&samples, &mut Spectrum::<64>::new(), &mut out),
            false => features.compute(&samples, &mut out),
        }
    };
    let refused = Err(FeaturesMismatch);
    assert_eq!(of(Feature::DominantFrequency, 100, true), Ok(()));
    assert_eq!(of(Feature::DominantFrequency, 100, false), refused);
    assert_eq!(of(Feature::DominantFrequency, 129, true), refused);
    assert_eq!(of(Feature::Mean, 129, true), Ok(()));
    for (band, bands, expected) in
        [(0, 3, refused), (4, 3, refused), (1, 11, refused), (3, 3, Ok(()))]
    {
        assert_eq!(of(Feature::BandRms { band, of: bands }, 100, true), expected, "{band}");
        assert_eq!(of(Feature::LogBandRms { band, of: bands }, 100, true), expected, "{band}");
    }
    // Bands below the lowest frequency of a short window are empty.
    assert_eq!(of(Feature::BandRms { band: 1, of: 10 }, 4, true), Ok(()));
}
