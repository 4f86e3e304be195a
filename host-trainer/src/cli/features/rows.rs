//! Rows whose outputs are shown.

use anyhow::{bail, ensure};
use clap::ValueEnum;

use crate::data::{Results, Splits, Subset};

/// Split whose rows are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Rows {
    /// Training rows
    Training,
    /// Validation rows
    Validation,
    /// Test rows
    Test,
    /// All rows of all splits
    All,
}

/// Rows of one or all splits.
#[derive(Clone, Debug)]
pub struct SplitRows<'a> {
    /// Splits with their names.
    pub splits: Vec<(&'static str, &'a Subset)>,
}

impl<'a> SplitRows<'a> {
    /// Selects the rows.
    ///
    /// # Errors
    /// Returns the splits of the run, if it lacks the requested one.
    pub fn new(splits: &'a Splits, rows: Rows) -> anyhow::Result<Self> {
        let test = (splits.results == Results::Test).then_some(&splits.test);
        let known = [
            (Rows::Training, "training", Some(&splits.train)),
            (Rows::Validation, "validation", splits.validation.as_ref()),
            (Rows::Test, "test", test),
        ];
        let known =
            known.into_iter().filter_map(|(kind, name, subset)| Some((kind, name, subset?)));
        let known: Vec<_> = known.collect();
        let chosen = known.iter().filter(|(kind, ..)| rows == Rows::All || rows == *kind);
        let chosen: Vec<_> = chosen.map(|&(_, name, subset)| (name, subset)).collect();
        if chosen.is_empty() {
            let names: Vec<&str> = known.iter().map(|(_, name, _)| *name).collect();
            let wanted = rows.to_possible_value();
            let wanted = wanted.as_ref().map_or("such", |value| value.get_name());
            bail!("the run has no {wanted} rows. Give --rows {}", names.join(", or --rows "));
        }
        let rows = SplitRows { splits: chosen };
        ensure!(rows.len() > 0, "the split has no rows");
        Ok(rows)
    }

    /// Returns the number of rows.
    pub fn len(&self) -> usize {
        self.splits.iter().map(|(_, subset)| subset.len()).sum()
    }

    /// Returns the names of the classes, empty for regression.
    pub fn class_names(&self) -> &[String] {
        self.splits.first().map_or(&[], |(_, subset)| subset.dataset().class_names())
    }

    /// Returns split, subset and position in it, row by row.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &'a Subset, usize)> + '_ {
        let rows = |&(name, subset): &(&'static str, &'a Subset)| {
            (0..subset.len()).map(move |position| (name, subset, position))
        };
        self.splits.iter().flat_map(rows)
    }

    /// Returns the class of each row, 0 for regression.
    pub fn classes(&self) -> Vec<usize> {
        let class = |(_, subset, position): (_, &Subset, usize)| {
            subset.class(position).map(usize::from).unwrap_or(0)
        };
        self.iter().map(class).collect()
    }

    /// Returns the inputs, if there are two per row.
    pub fn two_inputs(&self) -> Option<Vec<(f64, f64)>> {
        let two = |(_, subset): &(&str, &Subset)| subset.dataset().width() == 2;
        let input = |(_, subset, position): (_, &Subset, usize)| {
            let mut raw = [0.0_f32; 2];
            subset.gather_raw(position, &mut raw);
            (raw[0].into(), raw[1].into())
        };
        self.splits.iter().all(two).then(|| self.iter().map(input).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ndarray::Array2;

    use super::*;
    use crate::data::{Dataset, Features, Labels};

    #[test]
    fn a_split_that_the_run_lacks_is_refused_with_those_it_has() {
        let labels = Labels { indices: vec![0, 1, 1, 0], names: vec!["a".into(), "b".into()] };
        let features =
            Features::Reals(Array2::from_shape_fn((4, 2), |(row, axis)| (row * 2 + axis) as f32));
        let all = Subset::all(Arc::new(Dataset::new("d", vec![2], features, labels).unwrap()));
        let validation = all.with_rows(vec![2]);
        let splits = Splits {
            train: all.with_rows(vec![0, 1]),
            test: validation.clone(),
            validation: Some(validation),
            results: Results::Validation,
        };
        let error = SplitRows::new(&splits, Rows::Test).unwrap_err().to_string();
        assert_eq!(error, "the run has no test rows. Give --rows training, or --rows validation");
        let rows = SplitRows::new(&splits, Rows::All).unwrap();
        assert_eq!((rows.len(), rows.classes()), (3, vec![0, 1, 1]));
        assert_eq!(rows.two_inputs().unwrap(), [(0.0, 1.0), (2.0, 3.0), (4.0, 5.0)]);
    }
}
