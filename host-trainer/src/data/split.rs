//! Parting a dataset into training, validation and test rows.

use std::sync::Arc;

use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::{Dataset, Error, Loaded, Scaling, ScalingMethod, Subset};
use crate::checked::{at_least_one, proper_fraction};
use crate::random::{Stream, stream};

/// Which and how many rows are taken out of a dataset.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldOut {
    /// The first ones.
    Head(Amount),
    /// The last ones.
    Tail(Amount),
    /// Any, all equally likely.
    Random(Amount),
    /// Any, but of each class the same share.
    Stratified(Amount),
}

/// How many rows are taken out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Amount {
    /// This many.
    Count(#[serde(deserialize_with = "at_least_one")] usize),
    /// This share, between 0 and 1.
    Fraction(#[serde(deserialize_with = "proper_fraction")] f64),
}

/// The parts of a dataset.
#[derive(Clone, Debug)]
pub struct Splits {
    /// What the network learns from, and ranges are calibrated on.
    pub train: Subset,
    /// What is watched during training, and what selections are made by.
    pub validation: Option<Subset>,
    /// What the result is measured on, and nothing else is done with.
    pub test: Subset,
}

impl Splits {
    /// Parts what a source gave. Test rows are taken out first, then validation rows from what is
    /// left; the same seed takes the same rows.
    ///
    /// # Errors
    /// [`Error::Split`] when a part would be empty, or `test` is given for a source that has test
    /// rows of its own, or not given for one that has none.
    pub fn new(
        loaded: Loaded,
        test: Option<HoldOut>,
        validation: Option<HoldOut>,
        seed: u64,
    ) -> Result<Self, Error> {
        let fail = |part, problem: &str| Error::Split { part, problem: problem.to_string() };
        let dataset = Arc::new(loaded.train);
        let mut rows: Vec<u32> = (0..dataset.rows() as u32).collect();
        let mut generator = stream(seed, Stream::Split);
        let mut take = |part, hold_out: HoldOut, rows: &mut Vec<u32>| {
            let taken = hold_out.take_from(&dataset, rows, &mut generator);
            match (taken.is_empty(), rows.is_empty()) {
                (true, _) => Err(fail(part, "no row would be taken: raise count or fraction")),
                (_, true) => Err(fail(part, "no row would be left: lower count or fraction")),
                _ => Ok(Subset::new(Arc::clone(&dataset), taken)),
            }
        };
        let test = match (test, loaded.test) {
            (Some(test), None) => take("test", test, &mut rows)?,
            (None, Some(test)) => Subset::all(Arc::new(test)),
            (Some(_), Some(_)) => {
                return Err(fail("test", "this dataset has test rows of its own: leave it out"));
            }
            (None, None) => {
                return Err(fail(
                    "test",
                    "this dataset has no test rows of its own: set it, such as test = { \
                     stratified = { fraction = 0.2 } }",
                ));
            }
        };
        let validation = match (validation, loaded.validation) {
            (Some(_), Some(_)) => {
                return Err(fail(
                    "validation",
                    "this dataset has validation rows of its own: leave it out",
                ));
            }
            (Some(validation), None) => Some(take("validation", validation, &mut rows)?),
            (None, validation) => validation.map(|rows| Subset::all(Arc::new(rows))),
        };
        Ok(Splits { train: Subset::new(dataset, rows), validation, test })
    }

    /// All parts scaled, as fits the training rows.
    pub fn scaled(self, method: ScalingMethod) -> Self {
        let scaling = Scaling::fit(method, &self.train).map(Arc::new);
        Splits {
            train: self.train.scaled(scaling.clone()),
            validation: self.validation.map(|rows| rows.scaled(scaling.clone())),
            test: self.test.scaled(scaling),
        }
    }
}

impl HoldOut {
    /// Moves rows out of `rows` and returns them; both stay sorted.
    fn take_from(
        self,
        dataset: &Dataset,
        rows: &mut Vec<u32>,
        generator: &mut impl rand::Rng,
    ) -> Vec<u32> {
        let (HoldOut::Head(amount)
        | HoldOut::Tail(amount)
        | HoldOut::Random(amount)
        | HoldOut::Stratified(amount)) = self;
        let count = amount.of(rows.len());
        if count == 0 || count >= rows.len() {
            return if count == 0 { Vec::new() } else { std::mem::take(rows) };
        }
        let mut taken = match self {
            HoldOut::Head(_) => rows.drain(..count).collect(),
            HoldOut::Tail(_) => rows.split_off(rows.len() - count),
            HoldOut::Random(_) => {
                rows.shuffle(generator);
                rows.split_off(rows.len() - count)
            }
            HoldOut::Stratified(_) => take_stratified(count, dataset, rows, generator),
        };
        taken.sort_unstable();
        rows.sort_unstable();
        taken
    }
}

fn take_stratified(
    count: usize,
    dataset: &Dataset,
    rows: &mut Vec<u32>,
    generator: &mut impl rand::Rng,
) -> Vec<u32> {
    // Rows that have no classes are all alike.
    let mut of_class = vec![Vec::new(); dataset.classes().max(1)];
    for &row in rows.iter() {
        let class = dataset.labels().map_or(0, |labels| labels.indices[row as usize]);
        of_class[usize::from(class)].push(row);
    }
    // Each class gives its share rounded down; the rows still lacking come from the classes
    // that lost most by rounding, so that the total is exact.
    let share = |class: &Vec<u32>| class.len() as f64 * count as f64 / rows.len() as f64;
    let mut counts: Vec<usize> = of_class.iter().map(|class| share(class) as usize).collect();
    let mut by_loss: Vec<usize> = (0..of_class.len()).collect();
    by_loss.sort_by(|&a, &b| share(&of_class[b]).fract().total_cmp(&share(&of_class[a]).fract()));
    let lacking = count - counts.iter().sum::<usize>();
    by_loss.into_iter().take(lacking).for_each(|class| counts[class] += 1);

    let mut taken = Vec::with_capacity(count);
    rows.clear();
    for (mut class, count) in of_class.into_iter().zip(counts) {
        class.shuffle(generator);
        taken.extend(class.split_off(class.len() - count.min(class.len())));
        rows.extend(class);
    }
    taken
}

impl Amount {
    fn of(self, rows: usize) -> usize {
        match self {
            Amount::Count(count) => count,
            Amount::Fraction(fraction) => (fraction * rows as f64).round() as usize,
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::data::{Features, Labels, Locations, Source};

    fn dataset(labels: &[u16]) -> Loaded {
        let features = Features::Reals(Array2::zeros((labels.len(), 1)));
        let labels =
            Labels { indices: labels.to_vec(), names: vec!["a".into(), "b".into(), "c".into()] };
        Loaded {
            train: Dataset::new("d", vec![1], features, labels).unwrap(),
            test: None,
            validation: None,
            origin: String::new(),
            notes: Vec::new(),
        }
    }

    fn split(test: HoldOut, seed: u64) -> Result<Splits, Error> {
        let labels: Vec<u16> = (0..50).map(|row| [0, 0, 0, 1, 2][row % 5]).collect();
        Splits::new(dataset(&labels), Some(test), None, seed)
    }

    #[test]
    fn head_and_tail_take_the_ends_in_order() {
        let head = split(HoldOut::Head(Amount::Count(10)), 1).unwrap();
        assert!(head.test.rows().iter().copied().eq(0..10));
        assert!(head.train.rows().iter().copied().eq(10..50));
        let tail = split(HoldOut::Tail(Amount::Fraction(0.2)), 1).unwrap();
        assert!(tail.test.rows().iter().copied().eq(40..50));
    }

    #[test]
    fn a_stratified_part_has_each_class_in_its_share_and_no_row_twice() {
        for count in [1, 5, 7, 10, 49] {
            let splits = split(HoldOut::Stratified(Amount::Count(count)), 3).unwrap();
            let mut all = [splits.test.rows(), splits.train.rows()].concat();
            all.sort_unstable();
            assert!(all.into_iter().eq(0..50));
            let mut counts = [0; 3];
            (0..count).for_each(|i| counts[usize::from(splits.test.class(i).unwrap())] += 1);
            for (class, share) in [0.6, 0.2, 0.2].into_iter().enumerate() {
                let expected = share * count as f64;
                assert!((f64::from(counts[class]) - expected).abs() < 1.0, "{counts:?}");
            }
        }
    }

    #[test]
    fn the_seed_alone_decides() {
        for take in [HoldOut::Random, HoldOut::Stratified] {
            let rows = |seed| split(take(Amount::Count(20)), seed).unwrap().test.rows().to_vec();
            assert_eq!(rows(1), rows(1));
            assert_ne!(rows(1), rows(2));
        }
    }

    #[test]
    fn empty_parts_are_refused_by_name() {
        let message = |amount| split(HoldOut::Head(amount), 1).unwrap_err().to_string();
        assert!(message(Amount::Count(0)).contains("data.test: no row would be taken"));
        assert!(message(Amount::Count(50)).contains("data.test: no row would be left"));
        assert!(message(Amount::Count(usize::MAX)).contains("no row would be left"));
        assert!(Splits::new(dataset(&[0, 1]), None, None, 1).is_err());
    }

    #[test]
    fn the_digits_part_into_exact_fifths() {
        let loaded = Source::Digits.load(&Locations::default(), 1).unwrap();
        let fifth = HoldOut::Stratified(Amount::Fraction(0.2));
        let splits = Splits::new(loaded, Some(fifth), None, 1).unwrap();
        assert_eq!((splits.test.len(), splits.train.len()), (359, 1438));
    }
}
