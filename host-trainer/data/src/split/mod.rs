//! Training, validation and test splits.

mod fold;
mod units;

use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thimble_support::random::{Stream, stream};

pub use self::fold::Fold;
use self::units::Units;
use thimble_numeric::validators::{at_least_one, proper_fraction};

use super::{Dataset, Error, Loaded, ScalingMethod, Subset};

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
    /// All windows of random recordings, stratified by class. The amount is of recordings.
    Recordings(Amount),
    /// A fold of a cross-validation, stratified by class: of recordings if the rows are windows of
    /// recordings, otherwise of rows.
    Fold(Fold),
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
    /// All windows of random recordings, stratified by class. The amount is of recordings.
    Recordings(Amount),
    /// A fold of a cross-validation, stratified by class: of recordings if the rows are windows of
    /// recordings, otherwise of rows.
    Fold(Fold),
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
            TestRows::Recordings(amount) => Some(HoldOut::Recordings(amount)),
            TestRows::Fold(fold) => Some(HoldOut::Fold(fold)),
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
            if matches!(hold_out, HoldOut::Recordings(_)) && dataset.recordings().is_none() {
                let problem = "rows of this dataset are not windows of recordings: set stratified \
                               in place of recordings";
                return Err(fail(part, problem));
            }
            if let HoldOut::Fold(fold) = hold_out {
                let units = Units::recordings(&dataset, &rows).len();
                if units < fold.of() {
                    let what = if dataset.recordings().is_some() { "recordings" } else { "rows" };
                    let problem =
                        format!("{} folds, but {units} {what}: lower of (--folds)", fold.of());
                    return Err(fail(part, &problem));
                }
            }
            let taken = hold_out.take_from(&dataset, &mut rows, &mut generator);
            match (taken.is_empty(), rows.is_empty()) {
                (true, _) => Err(fail(part, "no row would be taken: raise count or fraction")),
                (_, true) => Err(fail(part, "no row would be left: lower count or fraction")),
                _ => Ok(Some(taken)),
            }
        };
        if let Some(test) = test.filter(|_| loaded.test.is_some()) {
            let problem = match test {
                HoldOut::Fold(_) => {
                    "this dataset has test rows of its own, which no fold can replace: leave the folds \
                     out (--fold, --folds)"
                }
                _ => "this dataset has test rows of its own: leave it out",
            };
            return Err(fail("test", problem));
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

    /// Returns the names of recordings with windows in more than one split.
    pub fn shared_recordings(&self) -> Vec<&str> {
        let Some(recordings) = self.train.dataset().recordings() else { return Vec::new() };
        let of = |subset: &Subset| -> HashSet<u32> {
            subset
                .rows()
                .iter()
                .filter_map(|&row| recordings.of_rows.get(row as usize))
                .copied()
                .collect()
        };
        let same = |subset: &&Subset| Arc::ptr_eq(subset.dataset(), self.train.dataset());
        // Where there are no test rows, the results are those of the validation rows.
        let test = (self.results == Results::Test).then_some(&self.test);
        let splits = [Some(&self.train), self.validation.as_ref(), test].into_iter().flatten();
        let (mut seen, mut shared) = (HashSet::new(), BTreeSet::new());
        for recordings in splits.filter(same).map(of) {
            shared.extend(seen.intersection(&recordings).copied());
            seen.extend(recordings);
        }
        let name = |recording: u32| recordings.names.get(recording as usize).map(String::as_str);
        shared.into_iter().filter_map(name).collect()
    }

    /// Returns all splits with target scaling for the loss, fitted on the training split.
    pub fn target_scaled(self, method: ScalingMethod) -> Self {
        let scaling = method.fit_targets(&self.train).map(Arc::new);
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
        let scaling = method.fit(&self.train).map(Arc::new);
        Splits {
            train: self.train.scaled(scaling.clone()),
            validation: self.validation.map(|rows| rows.scaled(scaling.clone())),
            test: self.test.scaled(scaling),
            results: self.results,
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::{Features, Labels, Locations, Source};

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
        let target = crate::TableTarget::Classes("c".into());
        let mut table = crate::Table::new(write("a.csv", "x,c\n1,a\n3,b\n,a\n1000,b\n"), target);
        table.missing = crate::Missing::Mean;
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

    /// Ten recordings of four rows each: six of class 0, four of class 1.
    fn windows(test: HoldOut, seed: u64) -> Result<Splits, Error> {
        let of_rows: Vec<u32> = (0..40).map(|row| row / 4).collect();
        let labels: Vec<u16> = of_rows.iter().map(|&recording| u16::from(recording > 5)).collect();
        let names = (0..10).map(|recording| format!("r{recording}")).collect();
        let mut loaded = dataset(&labels);
        let recordings = Arc::new(super::super::RowRecordings { of_rows, names });
        loaded.train = loaded.train.with_recordings(recordings);
        Splits::new(loaded, Some(test), None, seed)
    }

    #[test]
    fn recordings_are_taken_whole_and_by_class() {
        let splits = windows(HoldOut::Recordings(Amount::Fraction(0.5)), 1).unwrap();
        assert_eq!((splits.test.len(), splits.train.len()), (20, 20));
        assert!(splits.shared_recordings().is_empty());
        let of_class_1 = (0..20).filter(|&row| splits.test.class(row) == Some(1)).count();
        assert_eq!(of_class_1, 8);
        let shared = windows(HoldOut::Tail(Amount::Count(6)), 1).unwrap();
        assert_eq!(shared.shared_recordings(), ["r8"]);
        let plain = split(HoldOut::Recordings(Amount::Count(1)), 1).unwrap_err().to_string();
        assert!(plain.contains("data.test: rows of this dataset are not windows"), "{plain}");
    }

    #[test]
    fn folds_part_all_rows() {
        let fold = |text: &str| HoldOut::Fold(text.parse().unwrap());
        let mut all = Vec::new();
        for number in 1..=5 {
            let splits = windows(fold(&format!("{number}/5")), 3).unwrap();
            assert!(splits.shared_recordings().is_empty());
            assert_eq!(splits.test.len(), 8, "two recordings");
            all.extend(splits.test.rows().to_vec());
            let rows = split(fold(&format!("{number}/5")), 3).unwrap();
            assert_eq!(rows.test.len(), 10, "rows, where there are no recordings");
        }
        all.sort_unstable();
        assert!(all.into_iter().eq(0..40));
        for (text, expected) in
            [("0/5", "numbered 1 to 5"), ("6/5", "1 to 5"), ("1/1", "2 to 1000"), ("2", "K/N")]
        {
            let message = text.parse::<Fold>().unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn the_digits_part_into_exact_fifths() {
        let loaded = Source::Digits.load(&Locations::default(), 1).unwrap();
        let fifth = HoldOut::Stratified(Amount::Fraction(0.2));
        let splits = Splits::new(loaded, Some(fifth), None, 1).unwrap();
        assert_eq!((splits.test.len(), splits.train.len()), (359, 1438));
    }
}
