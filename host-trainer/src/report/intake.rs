//! Overview of the data before training: features, targets and classes.

use super::number::{grouped, percent, significant};
use super::style::{BAD, FAINT, HEADING, paint};
use super::table::Table;
use crate::data::{Dataset, Source, Splits, Spread, Subset, TargetKind, Targets};
use crate::foreign_text::shown;
use crate::train::class_counts;

/// Maximum number of features or classes in a table; more are summarized.
const LISTED: usize = 40;

/// Ratio of deviation to magnitude below which the rounding of f32 becomes visible.
const COARSE: f64 = 2e-6;

/// Tables of features and classes; empty for built-in datasets.
pub fn intake_text(source: &Source, splits: &Splits) -> String {
    let dataset = splits.train.dataset();
    let tables = match source {
        Source::Csv(_) => notes(dataset) + &columns(dataset, &splits.train) + &classes(splits),
        Source::Images(_) => classes(splits),
        Source::Recordings(_) => columns(dataset, &splits.train) + &classes(splits),
        _ => return String::new(),
    };
    format!("{}\n{tables}\n", paint(HEADING, "data"))
}

/// Returns warnings about probable mistakes in the data, one per line.
pub fn intake_warnings(splits: &Splits) -> Vec<String> {
    let mut warnings = missing_classes(splits);
    let dataset = splits.train.dataset();
    let shared = splits.shared_recordings();
    if let Some(first) = shared.first() {
        let (count, all) = (shared.len(), dataset.recordings().map_or(0, |all| all.names.len()));
        warnings.push(format!(
            "{count} of {all} recordings, such as `{}`, have windows in the training split and in \
             another: results are better than on a new recording (leakage). Split by recording: \
             test = {{ recordings = {{ fraction = 0.2 }} }}, and validation likewise",
            shown(first)
        ));
    }
    let Some(intake) = dataset.intake() else { return warnings };
    let name = |feature: usize| match dataset.feature_labels().get(feature) {
        Some(label) => shown(&label.name),
        None => (feature + 1).to_string(),
    };
    let mut constant = Vec::new();
    for (feature, spread) in Spread::of(&splits.train).iter().enumerate() {
        let magnitude = spread.low.abs().max(spread.high.abs());
        if spread.is_constant() {
            constant.push((feature, spread.low));
        } else if spread.deviation < magnitude * COARSE {
            warnings.push(format!(
                "feature `{}` varies so little relative to its magnitude, {}, that float32 \
                 rounds it visibly. Subtract an offset in the file",
                name(feature),
                significant(magnitude)
            ));
        }
    }
    match constant.as_slice() {
        [] => {}
        [(feature, value)] => warnings.push(format!(
            "feature `{}` is {} on all training rows, and has no information. Leave it out with \
             ignore",
            name(*feature),
            significant(*value)
        )),
        many => {
            let names: Vec<String> = many.iter().take(5).map(|(at, _)| name(*at)).collect();
            let more = if many.len() > 5 { ", …" } else { "" };
            warnings.push(format!(
                "{} features are constant on the training rows: {}{more}. Leave them out with \
                 ignore",
                many.len(),
                names.join(", ")
            ));
        }
    }
    for &feature in &intake.row_numbers {
        warnings.push(format!(
            "feature `{}` counts the rows of the file. If it is a row number, leave it out with \
             ignore",
            name(feature as usize)
        ));
    }
    let rows = dataset.rows() as f64;
    for (feature, &missing) in intake.missing.iter().enumerate() {
        if f64::from(missing) > 0.5 * rows {
            let share = percent(f64::from(missing) / rows);
            let name = name(feature);
            warnings.push(format!("feature `{name}` is missing in {share} of the rows"));
        }
    }
    for (feature, &share) in intake.clipped.iter().enumerate().filter(|(_, share)| **share > 0.0) {
        warnings.push(format!(
            "feature `{}` is beyond the range of data.raw in {} of the rows, and is clipped",
            name(feature),
            percent(share)
        ));
    }
    warnings
}

/// Returns a warning for each class without training, validation or test rows.
pub fn missing_classes(splits: &Splits) -> Vec<String> {
    let parts: Vec<_> =
        parts(splits).into_iter().map(|(name, rows)| (name, class_counts(rows))).collect();
    let warning = |(class, name): (usize, &String)| {
        let without = parts.iter().filter(|(_, counts)| counts.get(class).is_none_or(|n| *n == 0));
        let without: Vec<&str> = without.map(|(part, _)| *part).collect();
        let consequence = match without.as_slice() {
            [] => return None,
            ["training", ..] => "the network cannot learn it",
            _ => "no metric on these rows covers it",
        };
        Some(format!(
            "class `{}` has no {} rows: {consequence}. Split by stratified = {{ … }}, or add rows \
             of it",
            shown(name),
            without.join(" and no ")
        ))
    };
    splits.train.dataset().class_names().iter().enumerate().filter_map(warning).collect()
}

/// Formats warnings for the terminal.
pub fn warnings_text(warnings: &[String]) -> String {
    warnings.iter().map(|line| format!("{} {line}\n", paint(BAD, "warning:"))).collect()
}

fn parts(splits: &Splits) -> Vec<(&'static str, &Subset)> {
    let mut parts = vec![("training", &splits.train)];
    parts.extend(splits.validation.as_ref().map(|rows| ("validation", rows)));
    if splits.results.name() == "test" {
        parts.push(("test", &splits.test));
    }
    parts
}

fn count(rows: &Subset, class: usize) -> usize {
    (0..rows.len()).filter(|&row| rows.class(row).map(usize::from) == Some(class)).count()
}

fn notes(dataset: &Dataset) -> String {
    let Some(intake) = dataset.intake() else { return String::new() };
    let mut notes = intake.notes.clone();
    if intake.left_out > 0 {
        let count = grouped(intake.left_out);
        notes.push(format!("rows dropped because of missing values: {count}"));
    }
    if !intake.filled.is_empty() {
        let count = grouped(intake.filled.len() as u64);
        notes.push(format!("missing values replaced by the mean of the training rows: {count}"));
    }
    notes.iter().map(|note| format!("  {}\n", paint(FAINT, note))).collect()
}

/// Features and numeric targets, each with its range and mean on the training rows.
fn columns(dataset: &Dataset, train: &Subset) -> String {
    let spreads = Spread::of(train);
    let labels = dataset.feature_labels();
    let missing = dataset.intake().map_or(&[][..], |intake| &intake.missing);
    let title = |spread: &Spread| match spread.is_constant() {
        true => "constant".to_string(),
        false => String::new(),
    };
    let mut table = Table::new(["feature", "unit", "smallest", "largest", "mean", "missing", ""]);
    if labels.len() > LISTED {
        let low = spreads.iter().map(|spread| spread.low).fold(f64::INFINITY, f64::min);
        let high = spreads.iter().map(|spread| spread.high).fold(f64::NEG_INFINITY, f64::max);
        let constant = spreads.iter().filter(|spread| spread.is_constant()).count();
        let total: u64 = missing.iter().map(|&missing| u64::from(missing)).sum();
        let name = |at: usize| shown(&labels[at].name);
        let mut line = format!(
            "  {} features, {} to {}: {} to {}, {constant} constant, {} missing values\n",
            labels.len(),
            name(0),
            name(labels.len() - 1),
            significant(low),
            significant(high),
            grouped(total)
        );
        line += &targets(dataset, train, None);
        return line;
    }
    for (feature, (label, spread)) in labels.iter().zip(&spreads).enumerate() {
        let missing = missing.get(feature).copied().unwrap_or(0);
        table.row([
            shown(&label.name).into(),
            shown(&label.unit).into(),
            significant(spread.low).into(),
            significant(spread.high).into(),
            significant(spread.mean).into(),
            if missing == 0 { "".into() } else { grouped(missing.into()).into() },
            title(spread).into(),
        ]);
    }
    targets(dataset, train, Some(table))
}

/// Numeric targets, below the features or in a table of their own.
fn targets(dataset: &Dataset, train: &Subset, table: Option<Table>) -> String {
    let header = ["target", "unit", "smallest", "largest", "mean", "", ""];
    let mut table = table.unwrap_or_else(|| Table::new(header));
    let mut is_empty = dataset.feature_labels().len() > LISTED;
    if let Targets::Values(values) = dataset.targets() {
        is_empty = false;
        for (output, name) in values.names.iter().enumerate() {
            let column =
                || train.rows().iter().map(|&row| f64::from(values.values[(row as usize, output)]));
            let mean = column().sum::<f64>() / column().count().max(1) as f64;
            table.row([
                shown(name).into(),
                shown(&values.units[output]).into(),
                significant(column().fold(f64::INFINITY, f64::min)).into(),
                significant(column().fold(f64::NEG_INFINITY, f64::max)).into(),
                significant(mean).into(),
                "".into(),
                "target".into(),
            ]);
        }
    }
    match is_empty {
        true => String::new(),
        false => indented(&table),
    }
}

fn classes(splits: &Splits) -> String {
    let dataset = splits.train.dataset();
    let TargetKind::Classes(classes) = dataset.target_kind() else { return String::new() };
    if classes > LISTED {
        return format!("  {classes} classes\n");
    }
    let parts = parts(splits);
    let mut header = vec!["class".to_string()];
    header.extend(parts.iter().map(|(name, _)| format!("{name} rows")));
    let mut table = Table::new(header);
    for (class, name) in dataset.class_names().iter().enumerate() {
        let mut cells = vec![shown(name).into()];
        cells.extend(parts.iter().map(|(_, rows)| grouped(count(rows, class) as u64).into()));
        table.row(cells);
    }
    indented(&table)
}

fn indented(table: &Table) -> String {
    let lines = table.lines();
    lines.iter().map(|line| format!("  {}\n", line.trim_end())).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ndarray::Array2;

    use super::*;
    use crate::data::{
        Amount, Features, HoldOut, Labels, Loaded, Results, Table as Csv, TableTarget,
    };

    fn splits(text: &str, target: TableTarget, test: HoldOut) -> (Source, Splits) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.csv");
        std::fs::write(&file, text).unwrap();
        let mut table = Csv::new(file, target);
        table.units = [("temp".to_string(), "°C".to_string())].into();
        let train = table.load().unwrap();
        let loaded = Loaded {
            train,
            validation: None,
            test: None,
            origin: String::new(),
            notes: Vec::new(),
        };
        (Source::Csv(table), Splits::new(loaded, Some(test), None, 1).unwrap())
    }

    fn plain(text: &str) -> String {
        let text = anstream::adapter::strip_str(text).to_string();
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n";
        text.lines().map(words).collect()
    }

    #[test]
    fn features_and_classes_are_shown_with_their_rows() {
        let text = "temp,serial,kind\n20,1234567,a\n22,1234567,b\n30,1234567,a\n26,1234567,c\n";
        let tail = HoldOut::Tail(Amount::Count(1));
        let (source, splits) = splits(text, TableTarget::Classes("kind".into()), tail);
        let shown = plain(&intake_text(&source, &splits));
        assert!(shown.contains("temp °C 20.0 30.0 24.0\n"), "{shown}");
        assert!(shown.contains("serial 1,234,567 1,234,567 1,234,567 constant\n"), "{shown}");
        assert!(shown.contains("a 2 0\n") && shown.contains("c 0 1\n"), "{shown}");
        let warnings = intake_warnings(&splits);
        let has = |text: &str| warnings.iter().any(|line| line.contains(text));
        assert!(has("class `c` has no training rows"), "{warnings:?}");
        assert!(has("class `a` has no test rows"), "{warnings:?}");
        assert!(has("feature `serial` is 1,234,567 on all training rows"), "{warnings:?}");
        assert_eq!(warnings.len(), 4, "{warnings:?}");
    }

    #[test]
    fn many_features_are_summed_up_and_targets_shown() {
        let names: Vec<String> = (0..50).map(|n| format!("f{n}")).collect();
        let row = |value: f64| names.iter().map(|_| format!("{value},")).collect::<String>();
        let text = format!("{},y\n{}1\n{}3\n{}9\n", names.join(","), row(0.5), row(2.5), row(7.0));
        let tail = HoldOut::Tail(Amount::Count(1));
        let (source, splits) = splits_of(&text, tail);
        let shown = plain(&intake_text(&source, &splits));
        assert!(shown.contains("50 features, f0 to f49: 0.500 to 2.50, 0 constant"), "{shown}");
        assert!(shown.contains("y 1.00 3.00 2.00 target"), "{shown}");
    }

    #[test]
    fn classes_without_rows_are_named() {
        let names = ["a", "b", "c", "d"].map(String::from).to_vec();
        let labels = Labels { indices: vec![0, 1, 0, 2], names };
        let features = Features::Reals(Array2::zeros((4, 1)));
        let all = Subset::all(Arc::new(Dataset::new("d", vec![1], features, labels).unwrap()));
        let splits = Splits {
            results: Results::Test,
            train: all.with_rows(vec![0, 1]),
            validation: None,
            test: all.with_rows(vec![2, 3]),
        };
        let said = missing_classes(&splits);
        assert_eq!(said.len(), 3);
        assert!(said[0].starts_with("class `b` has no test rows"), "{said:?}");
        assert!(said[1].starts_with("class `c` has no training rows"), "{said:?}");
        assert!(said[2].starts_with("class `d` has no training and no test rows"), "{said:?}");
    }

    fn splits_of(text: &str, test: HoldOut) -> (Source, Splits) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.csv");
        std::fs::write(&file, text).unwrap();
        let table = Csv::new(file, TableTarget::Values(vec!["y".into()]));
        let train = table.load().unwrap();
        let loaded = Loaded {
            train,
            validation: None,
            test: None,
            origin: String::new(),
            notes: Vec::new(),
        };
        (Source::Csv(table), Splits::new(loaded, Some(test), None, 1).unwrap())
    }
}
