//! Choice of the rows of a split, and of recordings as a whole.

use std::collections::HashSet;

use rand::seq::SliceRandom;

use super::{Amount, Fold, HoldOut};
use crate::Dataset;

impl HoldOut {
    /// Moves rows out of `rows` and returns them. Both stay sorted.
    pub(super) fn take_from(
        self,
        dataset: &Dataset,
        rows: &mut Vec<u32>,
        generator: &mut impl rand::Rng,
    ) -> Vec<u32> {
        let mut taken = match self {
            HoldOut::Head(amount) => rows.drain(..amount.of(rows.len()).min(rows.len())).collect(),
            HoldOut::Tail(amount) => {
                rows.split_off(rows.len() - amount.of(rows.len()).min(rows.len()))
            }
            HoldOut::Random(amount) => {
                rows.shuffle(generator);
                rows.split_off(rows.len() - amount.of(rows.len()).min(rows.len()))
            }
            HoldOut::Stratified(amount) => {
                let units = Units::rows(dataset, rows);
                units.take(amount.of(rows.len()), generator).from(rows)
            }
            HoldOut::Recordings(amount) => {
                let units = Units::recordings(dataset, rows);
                units.take(amount.of(units.len()), generator).from(rows)
            }
            HoldOut::Fold(fold) => {
                Units::recordings(dataset, rows).fold(fold, generator).from(rows)
            }
        };
        taken.sort_unstable();
        rows.sort_unstable();
        taken
    }
}

/// Rows, or recordings, that a split takes whole.
pub(super) struct Units<'a> {
    /// Unit of each row of the dataset; without, each row is its own.
    of_rows: Option<&'a [u32]>,
    /// The units by class.
    by_class: Vec<Vec<u32>>,
}

/// Units for a split.
struct Taken<'a> {
    of_rows: Option<&'a [u32]>,
    units: HashSet<u32>,
}

impl<'a> Units<'a> {
    /// Each row by itself. Rows without classes are one stratum.
    pub(super) fn rows(dataset: &Dataset, rows: &[u32]) -> Self {
        Units::new(dataset, rows, None)
    }

    /// Each recording as a whole, or each row if there are no recordings. A recording has the class
    /// of its first row.
    pub(super) fn recordings(dataset: &'a Dataset, rows: &[u32]) -> Self {
        Units::new(dataset, rows, dataset.recordings().map(|found| found.of_rows.as_slice()))
    }

    fn new(dataset: &Dataset, rows: &[u32], of_rows: Option<&'a [u32]>) -> Self {
        let mut by_class = vec![Vec::new(); dataset.classes().max(1)];
        let mut seen = HashSet::new();
        for &row in rows {
            let unit = of_rows.map_or(row, |of_rows| of_rows[row as usize]);
            let class = dataset.labels().map_or(0, |labels| labels.indices[row as usize]);
            if of_rows.is_none() || seen.insert(unit) {
                by_class[usize::from(class)].push(unit);
            }
        }
        Units { of_rows, by_class }
    }

    pub(super) fn len(&self) -> usize {
        self.by_class.iter().map(Vec::len).sum()
    }

    /// Takes random units, stratified.
    fn take(&self, count: usize, generator: &mut impl rand::Rng) -> Taken<'a> {
        let all = self.len();
        let count = count.min(all);
        // Largest remainder method: each class gives its share rounded down. The remaining units
        // come from the classes with the largest remainders, so that the total is exact.
        let share = |class: &Vec<u32>| class.len() as f64 * count as f64 / all.max(1) as f64;
        let mut counts: Vec<usize> =
            self.by_class.iter().map(|class| share(class) as usize).collect();
        let mut by_loss: Vec<usize> = (0..self.by_class.len()).collect();
        by_loss.sort_by(|&a, &b| {
            share(&self.by_class[b]).fract().total_cmp(&share(&self.by_class[a]).fract())
        });
        let lacking = count - counts.iter().sum::<usize>();
        by_loss.into_iter().take(lacking).for_each(|class| counts[class] += 1);
        let mut units = HashSet::with_capacity(count);
        for (class, count) in self.by_class.iter().zip(counts) {
            let mut class = class.clone();
            class.shuffle(generator);
            units.extend(class.split_off(class.len() - count.min(class.len())));
        }
        Taken { of_rows: self.of_rows, units }
    }

    /// Deals shuffled units to the folds, class after class, and takes those of one fold.
    fn fold(&self, fold: Fold, generator: &mut impl rand::Rng) -> Taken<'a> {
        let mut units = HashSet::new();
        let mut turn = 0;
        for class in &self.by_class {
            let mut class = class.clone();
            class.shuffle(generator);
            for unit in class {
                if turn % fold.of() == fold.number() - 1 {
                    units.insert(unit);
                }
                turn += 1;
            }
        }
        Taken { of_rows: self.of_rows, units }
    }
}

impl Taken<'_> {
    /// Moves the rows of the units out of `rows`.
    fn from(self, rows: &mut Vec<u32>) -> Vec<u32> {
        let is_taken = |row: u32| {
            self.units.contains(&self.of_rows.map_or(row, |of_rows| of_rows[row as usize]))
        };
        let (taken, rest) = rows.iter().partition(|&&row| is_taken(row));
        *rows = rest;
        taken
    }
}

impl Amount {
    fn of(self, rows: usize) -> usize {
        match self {
            Amount::Count(count) => count,
            Amount::Fraction(fraction) => (fraction * rows as f64).round() as usize,
        }
    }
}
