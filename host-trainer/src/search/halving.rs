//! Successive halving over brackets of candidates.
//!
//! A bracket is independent of all others, so that shards of a search train the same candidates as
//! the whole. Half of its candidates are drawn; the others differ in one or two settings from the best
//! of the first half. All train for a ninth of the epochs, the best third for a third, the best third
//! of these for all epochs, each from the beginning, so that its schedule is whole.

use std::ops::Range;

use super::rank::ranked;
use super::{Candidate, Score, Space};
use crate::random::{SplitMix, mix};

/// Number of candidates of a bracket.
pub const BRACKET: usize = 27;

/// Number of rungs: of trainings of increasing length.
pub const RUNGS: usize = 3;

/// One of so many candidates of a rung reaches the next.
const REDUCTION: usize = 3;

/// Key of the random numbers of candidates, apart from other uses of the seed.
const KEY: u64 = 0x7365_6172_6368;

/// A candidate with its number among all of the search.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// Number, from 0.
    pub number: usize,
    /// The candidate.
    pub candidate: Candidate,
}

/// Trains candidates for a rung. Returns a score per trial, `None` for one that diverged. An error, or
/// a stop by the user, ends the search.
pub trait Evaluate {
    /// Reason to end the search.
    type Error;

    /// Returns whether a candidate is within the budget.
    ///
    /// # Errors
    /// Reason to end the search.
    fn fits(&mut self, candidate: &Candidate) -> Result<bool, Self::Error>;

    /// Trains trials.
    ///
    /// # Errors
    /// Reason to end the search.
    fn train(&mut self, rung: usize, trials: &[Trial]) -> Result<Vec<Option<Score>>, Self::Error>;
}

/// Returns the trials of each bracket.
pub fn brackets(trials: usize) -> Vec<Range<usize>> {
    let starts = (0..trials).step_by(BRACKET);
    starts.map(|start| start..(start + BRACKET).min(trials)).collect()
}

/// Returns the epochs of a rung.
pub fn epochs(rung: usize, all: usize) -> usize {
    let exponent = u32::try_from(RUNGS.saturating_sub(rung + 1)).unwrap_or(0);
    (all / REDUCTION.pow(exponent)).max(1)
}

/// Returns the largest number of trainings of a bracket.
pub fn trainings(bracket: &Range<usize>) -> usize {
    let rungs = std::iter::successors(Some(bracket.len()), |count| Some(count.div_ceil(REDUCTION)));
    // The preset's network reaches every rung.
    rungs.take(RUNGS).sum::<usize>() + if bracket.start == 0 { RUNGS - 1 } else { 0 }
}

/// Trains the candidates of a bracket. `smallest` replaces a candidate where none is found within the
/// budget.
///
/// # Errors
/// That of `evaluate`.
pub fn search<E: Evaluate>(
    space: &Space,
    seed: u64,
    bracket: Range<usize>,
    smallest: &Candidate,
    evaluate: &mut E,
) -> Result<(), E::Error> {
    let drawn = bracket.len().div_ceil(2);
    let mut trials = Vec::with_capacity(bracket.len());
    for number in bracket.clone().take(drawn) {
        let mut first = (number == 0).then(|| space.nearest());
        let candidate = within(number, seed, smallest, evaluate, |random| {
            first.take().unwrap_or_else(|| space.draw(random))
        })?;
        trials.push(Trial { number, candidate });
    }
    let mut scores = evaluate.train(0, &trials)?;
    let parents = best(&scores, drawn.div_ceil(REDUCTION));
    let first = trials.len();
    for (place, number) in bracket.clone().skip(drawn).enumerate() {
        let parent = match parents.is_empty() {
            true => smallest.clone(),
            false => trials[parents[place % parents.len()]].candidate.clone(),
        };
        let candidate =
            within(number, seed, smallest, evaluate, |random| space.mutate(&parent, random))?;
        trials.push(Trial { number, candidate });
    }
    if trials.len() > first {
        scores.extend(evaluate.train(0, &trials[first..])?);
    }
    // Beyond the budget, another one has its number.
    let is_preset =
        trials.first().is_some_and(|trial| trial.number == 0 && trial.candidate == space.nearest());
    let mut count = trials.len();
    for rung in 1..RUNGS {
        count = count.div_ceil(REDUCTION);
        let mut kept = best(&scores, count);
        kept.sort_unstable();
        // The preset's network is compared with all that are better.
        if is_preset && !kept.contains(&0) {
            kept.insert(0, 0);
        }
        trials = kept.iter().map(|&index| trials[index].clone()).collect();
        scores = evaluate.train(rung, &trials)?;
    }
    Ok(())
}

/// Draws candidates until one is within the budget.
fn within<E: Evaluate>(
    number: usize,
    seed: u64,
    smallest: &Candidate,
    evaluate: &mut E,
    mut draw: impl FnMut(&mut SplitMix) -> Candidate,
) -> Result<Candidate, E::Error> {
    const TRIES: usize = 100;
    // A generator per trial: its candidate does not depend on the tries of others.
    let mut random = SplitMix::new(mix(mix(seed) ^ KEY) ^ number as u64);
    for _ in 0..TRIES {
        let candidate = draw(&mut random);
        if evaluate.fits(&candidate)? {
            return Ok(candidate);
        }
    }
    Ok(smallest.clone())
}

/// Returns the indices of the best scores, the best first.
fn best(scores: &[Option<Score>], count: usize) -> Vec<usize> {
    let known: Vec<(usize, &Score)> = scores
        .iter()
        .enumerate()
        .filter_map(|(index, score)| Some((index, score.as_ref()?)))
        .collect();
    let points: Vec<[f64; 3]> = known
        .iter()
        .map(|(_, score)| {
            let [error, flash, cycles] = score.objectives();
            // Equal errors on few rows are ranked by their cross-entropy.
            [error + 1e-9 * score.log_loss, flash, cycles]
        })
        .collect();
    ranked(&points).into_iter().take(count).map(|index| known[index].0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preset::find;
    use crate::search::Cost;

    /// Scores by width: wide is good, and large.
    #[derive(Default)]
    struct Widths(Vec<(usize, Trial)>);

    impl Evaluate for Widths {
        type Error = ();

        fn fits(&mut self, candidate: &Candidate) -> Result<bool, ()> {
            Ok(candidate.hidden.iter().sum::<usize>() < 100)
        }

        fn train(&mut self, rung: usize, trials: &[Trial]) -> Result<Vec<Option<Score>>, ()> {
            self.0.extend(trials.iter().map(|trial| (rung, trial.clone())));
            let score = |trial: &Trial| {
                let width = trial.candidate.hidden.iter().sum::<usize>();
                let cost = Cost { flash: width as u64, ram: 0, cycles: None };
                let figure = width as f64;
                // Every fifth diverges.
                (trial.number % 5 != 3).then_some(Score {
                    error: 1.0 / (1.0 + figure),
                    log_loss: 0.0,
                    figure,
                    cost,
                })
            };
            Ok(trials.iter().map(score).collect())
        }
    }

    #[test]
    fn rungs_shrink_and_lengthen() {
        assert_eq!(brackets(60), [0..27, 27..54, 54..60]);
        assert_eq!([0, 1, 2].map(|rung| epochs(rung, 90)), [10, 30, 90]);
        assert_eq!([0, 1, 2].map(|rung| epochs(rung, 2)), [1, 1, 2]);
        assert_eq!((trainings(&(27..54)), trainings(&(0..27))), (27 + 9 + 3, 27 + 9 + 3 + 2));
    }

    #[test]
    fn a_bracket_is_the_same_each_time_and_within_the_budget() {
        let space = Space::new(find("digits").unwrap(), 64, 20_000, false);
        let smallest = space.smallest().remove(0);
        let run = |seed, bracket: Range<usize>| {
            let mut seen = Widths::default();
            search(&space, seed, bracket, &smallest, &mut seen).unwrap();
            seen.0
        };
        let seen = run(1, 0..27);
        assert_eq!(seen, run(1, 0..27));
        assert_ne!(seen, run(2, 0..27));
        let at = |rung| seen.iter().filter(|(of, _)| *of == rung).count();
        assert_eq!([at(0), at(1)], [27, 9 + usize::from(!seen_best(&seen))]);
        assert!(seen.iter().any(|(rung, trial)| (*rung, trial.number) == (2, 0)));
        let within = |trial: &Trial| trial.candidate.hidden.iter().sum::<usize>() < 100;
        assert!(seen.iter().all(|(_, trial)| within(trial)));
        // Drawn ones are those of the trial's number alone.
        assert_ne!(run(1, 27..54)[0].1.candidate, seen[1].1.candidate);
    }

    /// Whether the preset's network is among the best of the first rung, not only kept.
    fn seen_best(seen: &[(usize, Trial)]) -> bool {
        seen.iter().filter(|(rung, _)| *rung == 1).count() == 9
    }
}
