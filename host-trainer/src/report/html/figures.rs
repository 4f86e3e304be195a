//! Table of classification metrics.

use maud::{Markup, html};

use super::findings::Answers;
use crate::evaluate::summary_figures;
use crate::report::number::{percent, significant};

/// One row per metric, float beside quantized.
pub fn table(float: &Answers, int8: &Answers, precision: &str) -> Markup {
    let of = |answers: &Answers| summary_figures(&answers.confusion, answers.ranking.as_ref());
    let rows = of(float).into_iter().zip(of(int8));
    html! {
        table {
            thead { tr {
                th scope="col" { "figure" } th scope="col" { "float" } th scope="col" { (precision) }
            } }
            tbody {
                @for ((name, float), (_, int8)) in rows { tr {
                    th scope="row" { (name) }
                    td data-column="float" { (share(float)) }
                    td data-column=(precision) { (share(int8)) }
                } }
                @if let (Some(float), Some(int8)) = (&float.ranking, &int8.ranking) { tr {
                    th scope="row" { "loss (cross-entropy)" }
                    td data-column="float" { (significant(float.log_loss)) }
                    td data-column=(precision) { (significant(int8.log_loss)) }
                } }
            }
        }
    }
}

fn share(value: f64) -> String {
    if value.is_finite() { percent(value) } else { "–".into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::{Confusion, Ranking};

    #[test]
    fn figures_that_do_not_exist_are_dashes() {
        let mut confusion = Confusion::new(vec!["a".into(), "b".into()]);
        confusion.add(0, 0);
        confusion.add(0, 1);
        let ranking = Ranking {
            auc: vec![f64::NAN; 2],
            average_precision: vec![f64::NAN; 2],
            top_k: vec![0.5, 1.0],
            log_loss: 0.5,
            calibration_error: 0.25,
        };
        let answers =
            Answers { confusion, roc: Vec::new(), precision_recall: None, ranking: Some(ranking) };
        let page = table(&answers, &answers, "int8").into_string();
        assert!(page.contains("accuracy") && page.contains("50.00 %") && page.contains("25.00 %"));
        assert!(page.contains("loss (cross-entropy)") && page.contains("0.500"));
        assert!(page.contains('–') && !page.contains("NaN") && !page.contains("3 most"));
    }
}
