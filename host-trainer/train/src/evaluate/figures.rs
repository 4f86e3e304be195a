//! Summary metrics of a classifier.

use super::{Confusion, Ranking};

/// Returns summary metrics of a classifier by name, each from 0 to 1, or NaN if undefined. Without
/// a `ranking` there are no metrics of probabilities. Top-3 accuracy is omitted for four or fewer
/// classes.
pub fn summary_figures(confusion: &Confusion, ranking: Option<&Ranking>) -> Vec<(String, f64)> {
    let mut figures = vec![
        ("accuracy", confusion.accuracy()),
        ("balanced accuracy (mean recall)", confusion.balanced_accuracy()),
        ("precision, mean of classes", confusion.macro_mean(Confusion::precision)),
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
    let mut figures: Vec<(String, f64)> =
        figures.into_iter().map(|(name, figure)| (name.to_string(), figure)).collect();
    if let (Some(class), Some(ranking)) = (confusion.rarer(), ranking)
        && let Some(&area) = ranking.average_precision.get(class)
    {
        figures.push((format!("average precision of {}", confusion.names()[class]), area));
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
            let figures = summary_figures(&confusion, ranking).into_iter();
            figures.map(|(name, _)| name).collect::<Vec<_>>()
        };
        assert_eq!(names(None).len(), 4);
        let top_k = vec![0.5, 0.75, 1.0, 1.0, 1.0];
        let auc = vec![0.5, f64::NAN, 0.7, 0.6, 0.6];
        let average_precision = auc.clone();
        let mut ranking =
            Ranking { auc, average_precision, top_k, log_loss: 0.5, calibration_error: 0.25 };
        assert_eq!(names(Some(&ranking)).len(), 7);
        let mean = summary_figures(&confusion, Some(&ranking))[4].1;
        assert!((mean - 0.6).abs() < 1e-12, "{mean}");
        ranking.auc.truncate(4);
        assert!(!names(Some(&ranking)).contains(&"among the 3 most probable".to_string()));
        // Of two classes, the rarer one is looked for.
        let mut two = Confusion::new(vec!["fault".into(), "ok".into()]);
        (0..3).for_each(|row| two.add(usize::from(row > 0), 1));
        let (name, area) = summary_figures(&two, Some(&ranking)).pop().unwrap();
        assert_eq!((name.as_str(), area), ("average precision of fault", 0.5));
    }
}
