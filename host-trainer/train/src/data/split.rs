//! Training, validation and test splits.

use std::path::PathBuf;
use std::sync::Arc;

use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};
use thimble_support::random::{Stream, stream};

use super::{Dataset, Error, Loaded, Scaling, ScalingMethod, Subset};
use crate::validators::{at_least_one, proper_fraction};

/// Selection of the rows of a split.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldOut {
    /// The first rows.
    Head(Amount),
    /// The last rows.
    Tail(Amount),
    /// Random rows.
    Random(Amount),
    /// Random rows, stratified by class.
    Stratified(Amount),
}

/// Test split of a preset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TestRows {
    /// All rows of another file.
    File(PathBuf),
    /// The first rows.
    Head(Amount),
    /// The last rows.
    Tail(Amount),
    /// Random rows.
    Random(Amount),
    /// Random rows, stratified by class.
    Stratified(Amount),
}

impl TestRows {
    /// Returns the selection of rows, or `None` for another file.
    pub fn hold_out(&self) -> Option<HoldOut> {
        match *self {
            TestRows::File(_) => None,
            TestRows::Head(amount) => Some(HoldOut::Head(amount)),
            TestRows::Tail(amount) => Some(HoldOut::Tail(amount)),
            TestRows::Random(amount) => Some(HoldOut::Random(amount)),
            TestRows::Stratified(amount) => Some(HoldOut::Stratified(amount)),
        }
    }
}

/// Split for results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Results {
    /// The test split.
    #[default]
    Test,
    /// The validation split, if there is no test split.
    Validation,
}

impl Results {
    /// Returns the name for messages and files.
    pub fn name(self) -> &'static str {
        match self {
            Results::Test => "test",
            Results::Validation => "validation",
        }
    }
}

/// Size of a split.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Amount {
    /// Number of rows.
    Count(#[serde(deserialize_with = "at_least_one")] usize),
    /// Share of the rows, between 0 and 1.
    Fraction(#[serde(deserialize_with = "proper_fraction")] f64),
}

/// Training, validation and test splits of a dataset.
#[derive(Clone, Debug)]
pub struct Splits {
    /// Training split, for training and calibration.
    pub train: Subset,
    /// Validation split, for monitoring and model selection.
    pub validation: Option<Subset>,
    /// Test split, only for results.
    pub test: Subset,
    /// Origin of `test`: it is the validation split if there is no test split.
    pub results: Results,
}

impl Splits {
    /// Splits a dataset. The test split is taken first, then the validation split from the
    /// remaining rows. The same seed gives the same splits. Without a test split, results are
    /// measured on the validation split.
    ///
    /// # Errors
    /// [`Error::Split`] if a split would be empty, if `test` is given for a source with its own
    /// test split, or if neither `test` nor `validation` is given for a source without one.
    pub fn new(
        loaded: Loaded,
        test: Option<HoldOut>,
        validation: Option<HoldOut>,
        seed: u64,
    ) -> Result<Self, Error> {
        let fail = |part, problem: &str| Error::Split { part, problem: problem.to_string() };
        let mut dataset = loaded.train;
        let mut rows: Vec<u32> = (0..dataset.rows() as u32).collect();
        let mut generator = stream(seed, Stream::Split);
        let mut take = |part, hold_out: Option<HoldOut>| {
            let Some(hold_out) = hold_out else { return Ok(None) };
            let taken = hold_out.take_from(&dataset, &mut rows, &mut generator);
            match (taken.is_empty(), rows.is_empty()) {
                (true, _) => Err(fail(part, "no row would be taken: raise count or fraction")),
                (_, true) => Err(fail(part, "no row would be left: lower count or fraction")),
                _ => Ok(Some(taken)),
            }
        };
        if test.is_some() && loaded.test.is_some() {
            return Err(fail("test", "this dataset has test rows of its own: leave it out"));
        }
        let test = take("test", test)?;
        if validation.is_some() && loaded.validation.is_some() {
            let problem = "this dataset has validation rows of its own: leave it out";
            return Err(fail("validation", problem));
        }
        let validation = take("validation", validation)?;
        let mut own_test = loaded.test;
        if dataset.is_filled() || own_test.as_ref().is_some_and(Dataset::is_filled) {
            let means = dataset.means_for_missing(&rows);
            dataset.fill(&means);
            own_test.iter_mut().for_each(|test| test.fill(&means));
        }
        let dataset = Arc::new(dataset);
        let subset = |rows| Subset::new(Arc::clone(&dataset), rows);
        let own_validation = loaded.validation.map(|rows| Subset::all(Arc::new(rows)));
        let validation = validation.map(subset).or(own_validation);
        let (test, results) = match (test, own_test, &validation) {
            (Some(test), ..) => (subset(test), Results::Test),
            (None, Some(test), _) => (Subset::all(Arc::new(test)), Results::Test),
            (None, None, Some(validation)) => (validation.clone(), Results::Validation),
            (None, None, None) => {
                return Err(fail(
                    "test",
                    "this dataset has no test rows of its own: set it, such as test = { \
                     stratified = { fraction = 0.2 } }, or data.validation",
                ));
            }
        };
        Ok(Splits { train: subset(rows), validation, test, results })
    }

    /// Returns all splits with target scaling for the loss, fitted on the training split.
    pub fn target_scaled(self, method: ScalingMethod) -> Self {
        let scaling = Scaling::fit_targets(method, &self.train).map(Arc::new);
        self.each(|rows| rows.target_scaled(scaling.clone()))
    }

    /// Returns all splits with class weights for the loss.
    pub fn class_weighted(self, weights: Option<Vec<f32>>) -> Self {
        let weights: Option<Arc<[f32]>> = weights.map(Arc::from);
        self.each(|rows| rows.class_weighted(weights.clone()))
    }

    fn each(self, change: impl Fn(Subset) -> Subset) -> Self {
        Splits {
            train: change(self.train),
            validation: self.validation.map(&change),
            test: change(self.test),
            results: self.results,
        }
    }

    /// Returns all splits with feature scaling, fitted on the training split.
    pub fn scaled(self, method: ScalingMethod) -> Self {
        let scaling = Scaling::fit(method, &self.train).map(Arc::new);
        Splits {
            train: self.train.scaled(scaling.clone()),
            validation: self.validation.map(|rows| rows.scaled(scaling.clone())),
            test: self.test.scaled(scaling),
            results: self.results,
        }
    }
}

impl HoldOut {
    /// Moves rows out of `rows` and returns them. Both stay sorted.
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
    // Rows without classes are one stratum.
    let mut of_class = vec![Vec::new(); dataset.classes().max(1)];
    for &row in rows.iter() {
        let class = dataset.labels().map_or(0, |labels| labels.indices[row as usize]);
        of_class[usize::from(class)].push(row);
    }
    // Largest remainder method: each class gives its share rounded down. The remaining rows come
    // from the classes with the largest remainders, so that the total is exact.
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
    fn without_test_rows_results_are_those_of_the_validation_rows() {
        let labels: Vec<u16> = (0..50).map(|row| row % 3).collect();
        let fifth = HoldOut::Random(Amount::Fraction(0.2));
        let splits = Splits::new(dataset(&labels), None, Some(fifth), 1).unwrap();
        assert_eq!(splits.results.name(), "validation");
        assert_eq!(splits.test.rows(), splits.validation.unwrap().rows());
        assert_eq!((splits.train.len(), splits.test.len()), (40, 10));
        let both = Splits::new(dataset(&labels), Some(fifth), Some(fifth), 1).unwrap();
        assert_eq!(both.results.name(), "test");
        assert_ne!(both.test.rows(), both.validation.unwrap().rows());
    }

    #[test]
    fn training_rows_alone_say_what_stands_for_missing_values() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).unwrap();
            folder.path().join(name)
        };
        let target = crate::data::TableTarget::Classes("c".into());
        let mut table =
            crate::data::Table::new(write("a.csv", "x,c\n1,a\n3,b\n,a\n1000,b\n"), target);
        table.missing = crate::data::Missing::Mean;
        let train = table.load().unwrap();
        let test = table.load_another(&write("b.csv", "x,c\n?,a\n"), &train).unwrap();
        let loaded = |test| Loaded {
            train: train.clone(),
            validation: None,
            test,
            origin: String::new(),
            notes: Vec::new(),
        };
        let last = HoldOut::Tail(Amount::Count(1));
        let value = |rows: &Subset, position| {
            let mut out = [0.0_f32];
            rows.gather_raw(position, &mut out);
            out[0]
        };
        let splits = Splits::new(loaded(None), Some(last), None, 1).unwrap();
        assert_eq!((value(&splits.train, 2), value(&splits.test, 0)), (2.0, 1000.0));
        let splits = Splits::new(loaded(Some(test)), None, Some(last), 1).unwrap();
        assert_eq!((value(&splits.train, 2), value(&splits.test, 0)), (2.0, 2.0));
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
