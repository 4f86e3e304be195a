//! Comparison with the constant baseline: most frequent class or mean.

use super::Evaluation;

/// Largest R² of an output that counts as no better than its mean. Chance may give some rows this
/// much.
const NO_BETTER: f64 = 0.02;

/// A constant baseline that a network does not beat.
#[derive(Clone, Debug, PartialEq)]
pub enum ConstantAnswer {
    /// The most frequent class.
    Class {
        /// The class.
        class: String,
        /// Share of the rows of this class.
        share: f64,
        /// `true` if balanced accuracy is above chance, so that the network finds other classes
        /// too.
        is_balanced: bool,
    },
    /// The mean of an output.
    Mean {
        /// The output.
        output: String,
    },
}

/// Returns the constant baselines that a network does not beat on the evaluated rows: the most
/// frequent class, by accuracy, and the mean of each output whose R² is about 0 or below.
pub fn constant_answers(evaluation: &Evaluation) -> Vec<ConstantAnswer> {
    let confusion = &evaluation.confusion;
    let classes = (0..confusion.names().len()).filter(|&class| confusion.class_total(class) > 0);
    let classes = classes.count();
    // Rows of a single class allow no comparison.
    let class = confusion
        .most_frequent()
        .filter(|(_, share)| classes > 1 && confusion.accuracy() <= *share);
    let class = class.map(|(class, share)| ConstantAnswer::Class {
        class: confusion.names()[class].clone(),
        share,
        is_balanced: confusion.balanced_accuracy() > 1.0 / classes as f64 + NO_BETTER,
    });
    let outputs = evaluation.per_output.iter().filter(|o| o.errors.r_squared <= NO_BETTER);
    let outputs = outputs.map(|o| ConstantAnswer::Mean { output: o.name.clone() });
    class.into_iter().chain(outputs).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::{Confusion, OutputRegression, Regression};

    fn evaluation(confusion: Confusion, r_squared: &[f64]) -> Evaluation {
        let output = |(index, &r_squared): (usize, &f64)| OutputRegression {
            name: format!("y{index}"),
            unit: String::new(),
            errors: Regression { mean_squared_error: 1.0, mean_absolute_error: 1.0, r_squared },
        };
        Evaluation {
            outputs: Vec::new(),
            width: 1,
            answers: Vec::new(),
            confusion,
            ranking: None,
            regression: None,
            per_output: r_squared.iter().enumerate().map(output).collect(),
            loss: None,
            data_loss: None,
        }
    }

    fn classes(counts: [[usize; 2]; 2]) -> Vec<ConstantAnswer> {
        let mut confusion = Confusion::new(vec!["ok".into(), "fault".into()]);
        for (truth, row) in counts.iter().enumerate() {
            for (answer, &count) in row.iter().enumerate() {
                (0..count).for_each(|_| confusion.add(truth, answer));
            }
        }
        constant_answers(&evaluation(confusion, &[]))
    }

    #[test]
    fn accuracy_must_beat_the_most_frequent_class() {
        let class =
            |is_balanced| [ConstantAnswer::Class { class: "ok".into(), share: 0.75, is_balanced }];
        assert_eq!(classes([[6, 0], [2, 0]]), class(false));
        // As accurate, but it finds every fault.
        assert_eq!(classes([[4, 2], [0, 2]]), class(true));
        assert!(classes([[6, 0], [1, 1]]).is_empty());
        assert!(classes([[5, 1], [0, 0]]).is_empty() && classes([[0, 0], [0, 0]]).is_empty());
    }

    #[test]
    fn an_output_must_beat_its_mean() {
        let values = evaluation(Confusion::new(Vec::new()), &[0.9, -0.005, f64::NAN, 0.01]);
        let mean = |output: &str| ConstantAnswer::Mean { output: output.into() };
        assert_eq!(constant_answers(&values), [mean("y1"), mean("y3")]);
    }
}
