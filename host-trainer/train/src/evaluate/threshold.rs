//! Decision threshold for binary classification.

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Decision threshold on the probability of the second of two classes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Threshold {
    /// This probability. 0.5 predicts the more probable class.
    Fixed(f64),
    /// The threshold with the best F1 of the class with fewer rows.
    F1,
    /// The threshold with the best balanced accuracy.
    Balanced,
}

impl Default for Threshold {
    fn default() -> Self {
        Threshold::Fixed(0.5)
    }
}

/// Smallest distance of a chosen threshold from 0 and 1. A model's outputs have no integer step
/// closer to them.
const MARGIN: f32 = 1e-4;

/// Chooses the decision threshold by the probabilities of the second class on some rows, which
/// should not be test rows. Candidates lie midway between probabilities that occur. Among equally
/// good ones it chooses the nearest to 0.5. If all rows are of one class, it returns 0.5.
///
/// # Shapes
/// `probabilities` and `truths` have one element per row. Truths are 0 or 1.
pub fn choose_threshold(rule: Threshold, probabilities: &[f32], truths: &[u16]) -> f32 {
    if let Threshold::Fixed(threshold) = rule {
        return threshold as f32;
    }
    let positives = truths.iter().filter(|&&truth| truth == 1).count();
    let negatives = truths.len() - positives;
    if positives == 0 || negatives == 0 {
        return 0.5;
    }
    let mut rows: Vec<(f32, bool)> =
        probabilities.iter().zip(truths).map(|(&p, &truth)| (p, truth == 1)).collect();
    rows.sort_by(|a, b| b.0.total_cmp(&a.0));
    // With the threshold below the rows so far, all of them are predicted as the second class.
    let (mut found, mut mistaken) = (0_usize, 0_usize);
    let mut best = (f64::NEG_INFINITY, 0.5_f32);
    let groups: Vec<&[(f32, bool)]> = rows.chunk_by(|a, b| a.0 == b.0).collect();
    for pair in groups.windows(2) {
        let (group, next) = (pair[0], pair[1]);
        found += group.iter().filter(|(_, positive)| *positive).count();
        mistaken += group.iter().filter(|(_, positive)| !*positive).count();
        let merit = match rule {
            Threshold::F1 if positives <= negatives => f1(found, found + mistaken, positives),
            Threshold::F1 => f1(negatives - mistaken, truths.len() - found - mistaken, negatives),
            _ => {
                let (recall, fallout) =
                    (found as f64 / positives as f64, mistaken as f64 / negatives as f64);
                (recall + 1.0 - fallout) / 2.0
            }
        };
        let threshold = (group[0].0 + next[0].0) / 2.0;
        let nearer = (threshold - 0.5).abs() < (best.1 - 0.5).abs();
        if merit > best.0 || (merit == best.0 && nearer) {
            best = (merit, threshold);
        }
    }
    best.1.clamp(MARGIN, 1.0 - MARGIN)
}

/// F1 score: 2 · right / (rows predicted as the class + rows of the class).
fn f1(right: usize, taken: usize, rows: usize) -> f64 {
    2.0 * right as f64 / (taken + rows) as f64
}

const F1: &str = "f1";
const BALANCED: &str = "balanced";

impl Serialize for Threshold {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Threshold::Fixed(threshold) => serializer.serialize_f64(*threshold),
            Threshold::F1 => serializer.serialize_str(F1),
            Threshold::Balanced => serializer.serialize_str(BALANCED),
        }
    }
}

impl<'de> Deserialize<'de> for Threshold {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WordOrNumber;

        impl Visitor<'_> for WordOrNumber {
            type Value = Threshold;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a probability between 0 and 1, \"f1\" or \"balanced\"")
            }

            fn visit_f64<E: Error>(self, threshold: f64) -> Result<Threshold, E> {
                match threshold > 0.0 && threshold < 1.0 {
                    true => Ok(Threshold::Fixed(threshold)),
                    false => Err(E::custom(format!("must be between 0 and 1, but is {threshold}"))),
                }
            }

            fn visit_i64<E: Error>(self, threshold: i64) -> Result<Threshold, E> {
                self.visit_f64(threshold as f64)
            }

            fn visit_str<E: Error>(self, word: &str) -> Result<Threshold, E> {
                match word {
                    F1 => Ok(Threshold::F1),
                    BALANCED => Ok(Threshold::Balanced),
                    _ => Err(E::unknown_variant(word, &[F1, BALANCED])),
                }
            }
        }

        deserializer.deserialize_any(WordOrNumber)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_by_hand() {
        let probabilities = [0.9, 0.4, 0.35, 0.3, 0.1, 0.1];
        let truths = [1, 0, 1, 0, 0, 0];
        let chosen = |rule| choose_threshold(rule, &probabilities, &truths);
        assert_eq!(chosen(Threshold::Fixed(0.3)), 0.3);
        // Above 0.65: F1 2·1/(2+1) = 0.67, recall 1/2. Above 0.325: F1 2·2/(2+3) = 0.8, balanced
        // accuracy (1 + 3/4)/2.
        assert!((chosen(Threshold::F1) - 0.325).abs() < 1e-6);
        assert!((chosen(Threshold::Balanced) - 0.325).abs() < 1e-6);
        // A row more that is wrong there: F1 prefers to miss one.
        let truths = [1, 0, 0, 1, 0, 0];
        let f1 = choose_threshold(Threshold::F1, &probabilities, &truths);
        // 0.65: 2/3; 0.2: 2·2/(2+4) = 2/3: as good, and the first is nearer to 0.5.
        assert!((f1 - 0.65).abs() < 1e-6, "{f1}");
        let balanced = choose_threshold(Threshold::Balanced, &probabilities, &truths);
        // 0.65: (1/2 + 1)/2; 0.2: (1 + 1/2)/2: as good again.
        assert!((balanced - 0.65).abs() < 1e-6, "{balanced}");
    }

    #[test]
    fn f1_is_that_of_the_rarer_class_whichever_it_is() {
        // Of the first class there are two rows: probabilities turned around, and classes.
        let probabilities = [0.1, 0.6, 0.65, 0.7, 0.9, 0.9];
        let chosen = choose_threshold(Threshold::F1, &probabilities, &[0, 1, 0, 1, 1, 1]);
        assert!((chosen - 0.675).abs() < 1e-6, "{chosen}");
    }

    #[test]
    fn rows_of_one_class_or_one_probability_choose_nothing() {
        for (probabilities, truths) in
            [(vec![0.1, 0.9], vec![1, 1]), (vec![0.2; 2], vec![0, 1]), (vec![], vec![])]
        {
            assert_eq!(choose_threshold(Threshold::F1, &probabilities, &truths), 0.5);
        }
    }

    #[test]
    fn words_and_numbers_are_read() {
        #[derive(Debug, Deserialize)]
        struct Line {
            threshold: Threshold,
        }
        let read = |text: &str| toml::from_str::<Line>(&format!("threshold = {text}"));
        assert_eq!(read("0.3").unwrap().threshold, Threshold::Fixed(0.3));
        assert_eq!(read("\"f1\"").unwrap().threshold, Threshold::F1);
        for (text, expected) in [
            ("1.5", "must be between 0 and 1, but is 1.5"),
            ("1", "must be between 0 and 1"),
            ("\"f2\"", "unknown variant `f2`, expected `f1` or `balanced`"),
            ("true", "a probability between 0 and 1"),
        ] {
            let message = read(text).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
    }
}
