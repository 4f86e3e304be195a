//! Predictions of both networks, compared with the targets.

use super::precision_recall::precision_recall;
use super::roc::roc;
use super::{RunParts, pictures};
use crate::data::{Results, Subset};
use crate::evaluate::{Evaluation, Regression};
use crate::report::html::findings::{
    Answers, ClassAnswer, Classes, Example, OutputAnswers, Task, ValueAnswers, Values, Wrong,
};
use thimble_support::random::{Stream, choose};

/// Maximum number of wrong predictions that are shown.
const WRONG: usize = 16;

/// Maximum number of points in a plot of predictions over targets.
const POINTS: usize = 1500;

/// Gathers the results of classification or regression.
pub fn task(parts: &RunParts<'_>) -> Task {
    let names = parts.splits.train.dataset().class_names().to_vec();
    match (parts.float.regression, parts.quantized.regression) {
        (Some(float), Some(int8)) => {
            let of = parts.float.per_output.iter().zip(&parts.quantized.per_output).enumerate();
            let test = &parts.splits.test;
            let outputs = of.map(|(output, (float, int8))| OutputAnswers {
                name: float.name.clone(),
                unit: float.unit.clone(),
                float: values(test, parts.float, output, float.errors),
                int8: values(test, parts.quantized, output, int8.errors),
            });
            Task::Values(Box::new(Values { float, int8, outputs: outputs.collect() }))
        }
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
    let answered = parts.float.answers.iter().zip(&parts.quantized.answers);
    let different = answered.filter(|(float, int8)| float != int8).count();
    Classes {
        distribution,
        float: answers(parts.float, &truths, &float),
        int8: answers(parts.quantized, &truths, &int8),
        different,
        examples: examples(&splits.test, parts),
        wrong: wrong(&splits.test, &names, &truths, (parts.float, parts.quantized)),
        threshold: (names.len() == 2).then(|| f64::from(parts.objective.threshold)),
    }
}

/// Returns the probability of a class.
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
    let precision_recall = confusion.rarer().and_then(|class| {
        let scores = rows.iter().zip(truths);
        let scores = scores.map(|(row, &truth)| (probability(row, class), truth == class));
        precision_recall(&confusion.names()[class], scores)
    });
    Answers { roc, precision_recall, confusion, ranking: evaluation.ranking.clone() }
}

/// Returns the outputs, row by row.
fn rows(evaluation: &Evaluation) -> Vec<&[f32]> {
    evaluation.outputs.chunks_exact(evaluation.width.max(1)).collect()
}

/// Returns the class of a row.
pub fn class(subset: &Subset, position: usize) -> Option<usize> {
    subset.class(position).map(usize::from)
}

/// Number of random rows.
const EXAMPLES: usize = 10;

/// Returns random rows of a split, the same for the same seed, with the predictions of both
/// networks.
fn examples(subset: &Subset, parts: &RunParts<'_>) -> Vec<Example> {
    let classes = parts.float.confusion.names().len();
    let answer = |evaluation: &Evaluation, row: usize| {
        let outputs = evaluation.outputs.chunks_exact(evaluation.width.max(1)).nth(row);
        let outputs = outputs.unwrap_or_default();
        ClassAnswer {
            class: evaluation.class(row).unwrap_or_default(),
            probabilities: (0..classes)
                .map(|class| f64::from(probability(outputs, class)))
                .collect(),
        }
    };
    let example = |row: usize| {
        Some(Example {
            picture: pictures::picture(subset, row),
            row,
            truth: class(subset, row)?,
            float: answer(parts.float, row),
            int8: answer(parts.quantized, row),
        })
    };
    let rows = choose(parts.preset.seed, Stream::Examples, EXAMPLES, subset.len());
    rows.into_iter().filter_map(example).collect()
}

fn wrong(
    subset: &Subset,
    names: &[String],
    truths: &[usize],
    (float, int8): (&Evaluation, &Evaluation),
) -> Vec<Wrong> {
    let sure = |evaluation: &Evaluation, row: usize| {
        let class = evaluation.answers.get(row).map_or(0, |&class| usize::from(class));
        let outputs = evaluation.outputs.chunks_exact(evaluation.width.max(1)).nth(row);
        (class, outputs.map_or(0.0, |outputs| f64::from(probability(outputs, class))))
    };
    let int8 = |row: usize| sure(int8, row);
    let float = |row: usize| sure(float, row);
    let mut rows: Vec<usize> = (0..truths.len()).filter(|&r| int8(r).0 != truths[r]).collect();
    // Among equal probabilities, rows that float predicts wrong with confidence come first.
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

fn values(
    subset: &Subset,
    evaluation: &Evaluation,
    output: usize,
    errors: Regression,
) -> ValueAnswers {
    let width = evaluation.width.max(1);
    let rows = evaluation.outputs.len() / width;
    let every = (rows * width).div_ceil(POINTS).max(1);
    let point = |row: usize| {
        let target = *subset.values(row)?.get(output)?;
        Some((f64::from(target), f64::from(*evaluation.outputs.get(row * width + output)?)))
    };
    ValueAnswers { errors, points: (0..rows).step_by(every).filter_map(point).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_probability_is_that_of_the_second_class() {
        assert_eq!((probability(&[0.25], 0), probability(&[0.25], 1)), (0.75, 0.25));
    }
}
