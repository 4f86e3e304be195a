//! The few figures that sum up how well classes are told apart.

use super::{Confusion, Ranking};

/// Accuracy and its companions, each a name and a share from 0 to 1, NaN where there is none. What
/// needs probabilities is left out where there is no `ranking`; so is what would be nearly always
/// true, the class being among the three most probable of three or four.
pub fn summary_figures(
    confusion: &Confusion,
    ranking: Option<&Ranking>,
) -> Vec<(&'static str, f64)> {
    let mut figures = vec![
        ("accuracy", confusion.accuracy()),
        ("precision, mean of classes", confusion.macro_mean(Confusion::precision)),
        ("recall, mean of classes", confusion.macro_mean(Confusion::recall)),
        ("F1, mean of classes", confusion.macro_mean(Confusion::f1)),
    ];
    if let Some(ranking) = ranking {
        let known = || ranking.auc.iter().filter(|area| area.is_finite());
        figures.push(("area under ROC, mean", known().sum::<f64>() / known().count() as f64));
        if ranking.auc.len() > 4
            && let Some(&within) = ranking.top_k.get(2)
        {
            figures.push(("among the 3 most probable", within));
        }
        figures.push(("calibration error", ranking.calibration_error));
    }
    figures
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unknown_or_says_nothing_is_left_out() {
        let mut confusion = Confusion::new((0..5).map(|class| class.to_string()).collect());
        confusion.add(0, 0);
        confusion.add(0, 1);
        let names = |ranking: Option<&Ranking>| {
            summary_figures(&confusion, ranking).iter().map(|(name, _)| *name).collect::<Vec<_>>()
        };
        assert_eq!(names(None).len(), 4);
        let top_k = vec![0.5, 0.75, 1.0, 1.0, 1.0];
        let mut ranking =
            Ranking { auc: vec![0.5, f64::NAN, 0.7, 0.6, 0.6], top_k, calibration_error: 0.25 };
        assert_eq!(names(Some(&ranking)).len(), 7);
        let mean = summary_figures(&confusion, Some(&ranking))[4].1;
        assert!((mean - 0.6).abs() < 1e-12, "{mean}");
        ranking.auc.truncate(4);
        assert!(!names(Some(&ranking)).contains(&"among the 3 most probable"));
    }
}
