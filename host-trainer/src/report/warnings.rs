//! Warnings about results, in plain sentences.

use super::intake::missing_classes;
use super::number::{percent, r_squared};
use super::summary::Column;
use crate::data::Splits;
use crate::evaluate::{ConstantAnswer, constant_answers};

/// Returns all warnings: classes without rows, and predictions no better than a constant.
pub fn warnings(splits: &Splits, columns: &[Column<'_>]) -> Vec<String> {
    let mut all = missing_classes(splits);
    all.extend(constant_warnings(columns));
    all
}

/// Returns a warning for each constant prediction that one of the networks does not outperform.
pub fn constant_warnings(columns: &[Column<'_>]) -> Vec<String> {
    let mut all = Vec::new();
    let answers: Vec<Vec<ConstantAnswer>> =
        columns.iter().map(|column| constant_answers(column.evaluation)).collect();
    // Metric of each network.
    let each = |figure: &dyn Fn(&Column<'_>) -> String| {
        let figures =
            columns.iter().map(|column| format!("{} in {}", figure(column), column.title));
        figures.collect::<Vec<_>>().join(", ")
    };
    let classes = answers.iter().flatten().filter_map(|answer| match answer {
        ConstantAnswer::Class { class, share, is_balanced } => Some((class, *share, *is_balanced)),
        ConstantAnswer::Mean { .. } => None,
    });
    // The worst of the networks.
    if let Some((class, share, is_balanced)) = classes.min_by_key(|(.., is_balanced)| *is_balanced)
    {
        let accuracy = each(&|column| percent(column.evaluation.confusion.accuracy()));
        let constant = format!(
            "always answering `{class}`, which is right for {} of these rows",
            percent(share)
        );
        all.push(match is_balanced {
            true => format!(
                "Accuracy ({accuracy}) is no better than {constant}. The other classes are found all \
                 the same: balanced accuracy is {}",
                each(&|column| percent(column.evaluation.confusion.balanced_accuracy()))
            ),
            false => format!(
                "The classifier is no better than {constant}: accuracy {accuracy}. Train longer, or \
                 set training.class_weight = \"balanced\" where classes are uneven"
            ),
        });
    }
    let outputs = columns.first().map_or(&[][..], |column| &column.evaluation.per_output);
    for (index, output) in outputs.iter().enumerate() {
        let of = |answer: &&ConstantAnswer| matches!(answer, ConstantAnswer::Mean { output: name } if *name == output.name);
        let bad: Vec<bool> =
            answers.iter().map(|of_column| of_column.iter().any(|a| of(&a))).collect();
        if !bad.contains(&true) {
            continue;
        }
        let figures = each(&|column| {
            let errors = column.evaluation.per_output.get(index).map(|output| output.errors);
            r_squared(errors.map_or(f64::NAN, |errors| errors.r_squared))
        });
        let remedy = match bad.first() {
            Some(true) => {
                ". Train longer, raise the learning rate, or set data.target_scaling = \"standard\""
            }
            _ => ": quantization loses it",
        };
        all.push(format!(
            "Output `{}` is no better than always answering its mean: R² {figures}{remedy}",
            output.name
        ));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::{Confusion, Evaluation, OutputRegression, Regression};

    fn evaluation() -> Evaluation {
        Evaluation {
            outputs: Vec::new(),
            width: 1,
            answers: Vec::new(),
            confusion: Confusion::new(Vec::new()),
            ranking: None,
            regression: None,
            per_output: Vec::new(),
            loss: None,
            data_loss: None,
        }
    }

    fn of(float: &Evaluation, int8: &Evaluation) -> Vec<String> {
        constant_warnings(&[
            Column { title: "float", evaluation: float },
            Column { title: "int8", evaluation: int8 },
        ])
    }

    #[test]
    fn outputs_that_are_a_constant_are_named() {
        let values = |tilt: f64, lux: f64| {
            let output = |name: &str, r_squared| OutputRegression {
                name: name.into(),
                unit: String::new(),
                errors: Regression { mean_squared_error: 1.0, mean_absolute_error: 1.0, r_squared },
            };
            let per_output = vec![output("tilt", tilt), output("lux", lux)];
            Evaluation { per_output, ..evaluation() }
        };
        let said = of(&values(-0.005, 0.7), &values(-0.006, 0.7));
        assert_eq!(said.len(), 1);
        assert!(said[0].contains("`tilt` is no better than always answering its mean"), "{said:?}");
        assert!(said[0].contains("R² −0.0050 in float, −0.0060 in int8"), "{said:?}");
        let said = of(&values(0.9, 0.7), &values(-0.006, 0.7));
        assert!(said[0].ends_with("quantization loses it"), "{said:?}");
        assert!(of(&values(0.9, 0.7), &values(0.9, 0.7)).is_empty());
    }

    #[test]
    fn a_classifier_that_is_a_constant_is_called_that() {
        let classes = |found: usize| {
            let mut confusion = Confusion::new(vec!["ok".into(), "fault".into()]);
            (0..8)
                .for_each(|row| confusion.add(usize::from(row > 5), usize::from(row > 7 - found)));
            Evaluation { confusion, ..evaluation() }
        };
        let said = of(&classes(0), &classes(0));
        assert!(said[0].contains("no better than always answering `ok`"), "{said:?}");
        assert!(said[0].contains("75.00 % in float, 75.00 % in int8"), "{said:?}");
        assert!(said[0].contains("class_weight"), "{said:?}");
        assert!(of(&classes(1), &classes(1)).is_empty());
    }
}
