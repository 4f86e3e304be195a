//! What both networks answer, held against the truth.

use super::roc::roc;
use super::{RunParts, pictures};
use crate::data::{Results, Subset, Targets};
use crate::evaluate::{Evaluation, Regression};
use crate::network::first_largest;
use crate::report::html::findings::{Answers, Classes, Task, ValueAnswers, Values, Wrong};

/// The wrong answers that are shown.
const WRONG: usize = 16;

/// Points of a plot of answers over targets.
const POINTS: usize = 1500;

/// How well both networks do.
pub fn task(parts: &RunParts<'_>) -> Task {
    let names = parts.splits.train.dataset().class_names().to_vec();
    let unit = match parts.splits.test.dataset().targets() {
        Targets::Values(values) => values.units.first().cloned().unwrap_or_default(),
        Targets::Classes(_) => String::new(),
    };
    match (parts.float.regression, parts.quantized.regression) {
        (Some(float), Some(quantized)) => Task::Values(Box::new(Values {
            unit,
            float: values(&parts.splits.test, parts.float, float),
            int8: values(&parts.splits.test, parts.quantized, quantized),
        })),
        _ => Task::Classes(Box::new(classes(parts, names))),
    }
}

fn classes(parts: &RunParts<'_>, names: Vec<String>) -> Classes {
    let splits = parts.splits;
    let (float, int8) = (rows(parts.float), rows(parts.quantized));
    let count = |subset: &Subset| {
        let mut counts = vec![0; names.len()];
        for class in (0..subset.len()).filter_map(|position| class(subset, position)) {
            if let Some(count) = counts.get_mut(class) {
                *count += 1;
            }
        }
        counts
    };
    let mut distribution = vec![("training", count(&splits.train))];
    distribution.extend(splits.validation.iter().map(|subset| ("validation", count(subset))));
    if splits.results == Results::Test {
        distribution.push(("test", count(&splits.test)));
    }
    let truths: Vec<usize> =
        (0..splits.test.len()).map(|position| class(&splits.test, position).unwrap_or(0)).collect();
    let different = float.iter().zip(&int8).filter(|(f, q)| best(f).0 != best(q).0).count();
    Classes {
        distribution,
        float: answers(parts.float, &truths, &float),
        int8: answers(parts.quantized, &truths, &int8),
        different,
        wrong: wrong(&splits.test, &names, &truths, (&float, &int8)),
    }
}

/// The class that probabilities stand for, with its own. A single one is that of the second class.
fn best(probabilities: &[f32]) -> (usize, f64) {
    match probabilities {
        [second] if *second > 0.5 => (1, f64::from(*second)),
        [second] => (0, f64::from(1.0 - *second)),
        _ => {
            let (class, probability) = first_largest(probabilities);
            (class, f64::from(probability))
        }
    }
}

/// The probability of a class.
fn probability(probabilities: &[f32], class: usize) -> f32 {
    match (probabilities, class) {
        ([second], 0) => 1.0 - *second,
        ([second], _) => *second,
        _ => probabilities.get(class).copied().unwrap_or(0.0),
    }
}

fn answers(evaluation: &Evaluation, truths: &[usize], rows: &[&[f32]]) -> Answers {
    let confusion = evaluation.confusion.clone();
    let curve = |class: usize| {
        roc(rows.iter().zip(truths).map(|(row, &truth)| (probability(row, class), truth == class)))
    };
    let roc = (0..confusion.names().len()).map(curve).collect();
    Answers { roc, confusion, ranking: evaluation.ranking.clone() }
}

/// The outputs, row by row.
fn rows(evaluation: &Evaluation) -> Vec<&[f32]> {
    evaluation.outputs.chunks_exact(evaluation.width.max(1)).collect()
}

/// The class of a row.
pub fn class(subset: &Subset, position: usize) -> Option<usize> {
    subset.class(position).map(usize::from)
}

fn wrong(
    subset: &Subset,
    names: &[String],
    truths: &[usize],
    (float, int8): (&[&[f32]], &[&[f32]]),
) -> Vec<Wrong> {
    let int8 = |row: usize| best(int8[row]);
    let float = |row: usize| best(float[row]);
    let mut rows: Vec<usize> = (0..truths.len()).filter(|&r| int8(r).0 != truths[r]).collect();
    // Of equally sure ones, first those that float is wrong about too and sure of.
    let key = |row: usize| {
        let (class, sure) = float(row);
        (int8(row).1, if class == truths[row] { -sure } else { sure })
    };
    rows.sort_by(|&a, &b| {
        let (a, b) = (key(a), key(b));
        b.0.total_cmp(&a.0).then(b.1.total_cmp(&a.1))
    });
    let name = |(class, sure): (usize, f64)| (names.get(class).cloned().unwrap_or_default(), sure);
    rows.into_iter()
        .take(WRONG)
        .map(|row| Wrong {
            picture: pictures::picture(subset, row),
            row,
            truth: names.get(truths[row]).cloned().unwrap_or_default(),
            int8: name(int8(row)),
            float: name(float(row)),
        })
        .collect()
}

fn values(subset: &Subset, evaluation: &Evaluation, regression: Regression) -> ValueAnswers {
    let width = evaluation.width.max(1);
    let every = (evaluation.outputs.len()).div_ceil(POINTS).max(1);
    let point = |index: usize| {
        let target = *subset.values(index / width)?.get(index % width)?;
        Some((f64::from(target), f64::from(*evaluation.outputs.get(index)?)))
    };
    ValueAnswers {
        mse: regression.mean_squared_error,
        mae: regression.mean_absolute_error,
        r2: regression.r_squared,
        points: (0..evaluation.outputs.len()).step_by(every).filter_map(point).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_probability_is_that_of_the_second_class() {
        assert_eq!(best(&[0.75]), (1, 0.75));
        assert_eq!(best(&[0.25]), (0, 0.75));
        assert_eq!(best(&[0.1, 0.7, 0.2]).0, 1);
        assert_eq!((probability(&[0.25], 0), probability(&[0.25], 1)), (0.75, 0.25));
    }
}
