//! Class weights in the loss, for imbalanced classes.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use thimble_data::Subset;

/// Weight of each class in the loss.
#[derive(Clone, Debug, PartialEq)]
pub enum ClassWeight {
    /// n / (k · nᶜ) for n rows of k classes, with nᶜ rows of the class. All classes have the same
    /// total weight, and the mean weight of a row is 1. As scikit-learn's
    /// `compute_class_weight("balanced")`.
    Balanced,
    /// Weights by class name. Other classes have weight 1.
    ByClass(BTreeMap<String, f64>),
}

/// Name of [`ClassWeight::Balanced`] in presets.
const BALANCED: &str = "balanced";

impl ClassWeight {
    /// Returns the weight of each class, from the class counts of the training split.
    ///
    /// # Errors
    /// A message for a class name that the dataset does not have. It lists the dataset's classes.
    pub fn weights(&self, train: &Subset) -> Result<Vec<f32>, String> {
        let names = train.dataset().class_names();
        match self {
            ClassWeight::Balanced => {
                let counts = class_counts(train);
                let known = counts.iter().filter(|&&count| count > 0).count();
                let weight = |&count: &usize| match count {
                    0 => 1.0,
                    _ => (train.len() as f64 / (known as f64 * count as f64)) as f32,
                };
                Ok(counts.iter().map(weight).collect())
            }
            ClassWeight::ByClass(table) => {
                if let Some(unknown) = table.keys().find(|name| !names.contains(name)) {
                    let all = names.join("`, `");
                    return Err(format!("there is no class `{unknown}`: the classes are `{all}`"));
                }
                let weight = |name| table.get(name).copied().unwrap_or(1.0) as f32;
                Ok(names.iter().map(weight).collect())
            }
        }
    }
}

/// Returns the number of rows of each class.
pub fn class_counts(rows: &Subset) -> Vec<usize> {
    let mut counts = vec![0; rows.dataset().classes()];
    for class in (0..rows.len()).filter_map(|row| rows.class(row)) {
        counts[usize::from(class)] += 1;
    }
    counts
}

impl Serialize for ClassWeight {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            ClassWeight::Balanced => serializer.serialize_str(BALANCED),
            ClassWeight::ByClass(table) => table.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ClassWeight {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WordOrTable;

        impl<'de> Visitor<'de> for WordOrTable {
            type Value = ClassWeight;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"balanced\" or a table such as { fault = 10.0, ok = 1.0 }")
            }

            fn visit_str<E: Error>(self, word: &str) -> Result<ClassWeight, E> {
                match word {
                    BALANCED => Ok(ClassWeight::Balanced),
                    _ => Err(E::unknown_variant(word, &[BALANCED])),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ClassWeight, A::Error> {
                let mut table = BTreeMap::new();
                while let Some((class, weight)) = map.next_entry::<String, f64>()? {
                    if !(weight > 0.0 && (weight as f32).is_normal()) {
                        let problem = format!("{class}: must be above 0, but is {weight}");
                        return Err(A::Error::custom(problem));
                    }
                    table.insert(class, weight);
                }
                Ok(ClassWeight::ByClass(table))
            }
        }

        deserializer.deserialize_any(WordOrTable)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ndarray::Array2;
    use thimble_data::{Dataset, Features, Labels};

    use super::*;

    fn rows() -> Subset {
        let names = ["ok", "fault", "none"].map(String::from).to_vec();
        let labels = Labels { indices: vec![0, 0, 0, 1], names };
        let features = Features::Reals(Array2::zeros((4, 1)));
        Subset::all(Arc::new(Dataset::new("d", vec![1], features, labels).unwrap()))
    }

    fn read(text: &str) -> Result<ClassWeight, String> {
        #[derive(Deserialize)]
        struct Line {
            weight: ClassWeight,
        }
        let line: Result<Line, _> = toml::from_str(&format!("weight = {text}"));
        line.map(|line| line.weight).map_err(|error| error.to_string())
    }

    #[test]
    fn balanced_weights_are_those_of_scikit_learn() {
        // compute_class_weight("balanced", classes=[0, 1], y=[0, 0, 0, 1]): 2/3 and 2.
        assert_eq!(read("\"balanced\"").unwrap().weights(&rows()).unwrap(), [2.0 / 3.0, 2.0, 1.0]);
    }

    #[test]
    fn a_table_names_classes_that_there_are() {
        let weights = read("{ fault = 10.0 }").unwrap().weights(&rows()).unwrap();
        assert_eq!(weights, [1.0, 10.0, 1.0]);
        let refused = read("{ faul = 2.0 }").unwrap().weights(&rows()).unwrap_err();
        assert_eq!(refused, "there is no class `faul`: the classes are `ok`, `fault`, `none`");
        for (text, expected) in [
            ("\"balance\"", "unknown variant `balance`, expected `balanced`"),
            ("{ ok = 0.0 }", "ok: must be above 0, but is 0"),
            ("3", "\"balanced\" or a table"),
        ] {
            let refused = read(text).unwrap_err();
            assert!(refused.contains(expected), "{refused}");
        }
    }
}
