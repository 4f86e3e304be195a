//! Scores of the rows for one class, sorted.

/// Sorts scores by [`f32::total_cmp`], ascending. `true` marks the rows of the class. Among equal
/// scores, they come last.
// The sorting is generic: called elsewhere, it would be compiled with the caller's optimization.
pub fn sort_scores(scores: &mut [(f32, bool)]) {
    // Integers of the same order, which a sort compares without branches.
    let mut keys: Vec<u64> = scores.iter().map(|&(score, of_class)| key(score, of_class)).collect();
    keys.sort_unstable();
    scores.iter_mut().zip(keys).for_each(|(score, key)| *score = value(key));
}

const SIGN: u32 = 1 << 31;

fn key(score: f32, of_class: bool) -> u64 {
    let bits = score.to_bits();
    let ordered = if bits & SIGN == 0 { bits | SIGN } else { !bits };
    (u64::from(ordered) << 1) | u64::from(of_class)
}

fn value(key: u64) -> (f32, bool) {
    let ordered = (key >> 1) as u32;
    let bits = if ordered & SIGN == 0 { !ordered } else { ordered ^ SIGN };
    (f32::from_bits(bits), key & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_that_of_total_cmp() {
        let numbers = [0.5, -0.0, 0.0, -2.5, 1e-40, f32::INFINITY, -1e-40, f32::NEG_INFINITY, 0.5];
        let mut scores: Vec<(f32, bool)> =
            numbers.iter().enumerate().map(|(index, &x)| (x, index % 2 == 0)).collect();
        scores.push((f32::NAN, true));
        let mut expected = scores.clone();
        expected.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        sort_scores(&mut scores);
        let bits = |scores: &[(f32, bool)]| -> Vec<(u32, bool)> {
            scores.iter().map(|(score, of_class)| (score.to_bits(), *of_class)).collect()
        };
        assert_eq!(bits(&scores), bits(&expected));
    }
}
