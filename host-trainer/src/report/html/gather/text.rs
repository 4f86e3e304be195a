//! Parsing of a run's text files.

use serde_json::Value;

use crate::choice::QuantizationLoss;
use crate::report::attempts::lost;
use crate::report::html::findings::{AttemptRow, Curve};

/// Reads the quantization candidates in metrics.json.
pub fn attempts(quantization: &Value) -> Vec<AttemptRow> {
    let taken = quantization["taken"].as_str();
    let attempts = quantization["attempts"].as_array().map_or(&[][..], Vec::as_slice);
    let row = |attempt: &Value| {
        let points = attempt["accuracy_lost"].as_f64().map(QuantizationLoss::Accuracy);
        let ratio = attempt["squared_error_ratio"].as_f64().map(QuantizationLoss::SquaredError);
        let name = attempt["name"].as_str().unwrap_or_default();
        AttemptRow {
            name: name.to_string(),
            lost: points.or(ratio).map_or("–".into(), lost),
            bytes: attempt["bytes"].as_u64().unwrap_or(0),
            instructions: attempt["instructions_cortex_m4f_estimate"].as_u64().unwrap_or(0),
            is_taken: Some(name) == taken,
        }
    };
    attempts.iter().map(row).collect()
}

/// Reads the curves in history.csv: each column, together with its `validation_…` column.
pub fn curves(csv: &str) -> Vec<Curve> {
    let mut lines = csv.lines();
    let header: Vec<&str> = lines.next().unwrap_or("").split(',').collect();
    let rows: Vec<Vec<Option<f64>>> =
        lines.map(|line| line.split(',').map(|cell| cell.parse().ok()).collect()).collect();
    let points = |column: usize| {
        let point = |row: &Vec<Option<f64>>| {
            let value = row.get(column).copied().flatten()?;
            Some((row.first().copied().flatten()?, value)).filter(|_| value.is_finite())
        };
        rows.iter().filter_map(point).collect::<Vec<_>>()
    };
    let mut curves: Vec<Curve> = header
        .iter()
        .enumerate()
        .filter(|(_, name)| !matches!(**name, "epoch" | "seconds" | "learning_rate"))
        .filter(|(_, name)| !name.starts_with("val_"))
        .map(|(column, name)| {
            let validation = format!("val_{name}");
            let other = header.iter().position(|name| *name == validation);
            Curve {
                name: name.to_string(),
                train: points(column),
                validation: other.map(points).unwrap_or_default(),
            }
        })
        .filter(|curve| !(curve.train.is_empty() && curve.validation.is_empty()))
        .collect();
    // Without weight penalties, the loss of the data is the loss.
    let find = |name: &str| curves.iter().position(|curve| curve.name == name);
    if let (Some(loss), Some(data)) = (find("loss"), find("data_loss"))
        && curves[loss].train == curves[data].train
    {
        curves.remove(data);
    }
    if let Some(column) = header.iter().position(|name| *name == "learning_rate") {
        let train = points(column);
        curves.push(Curve { name: "learning_rate".into(), train, validation: Vec::new() });
    }
    curves
}

/// Lists every setting of a preset by its key, such as `training.epochs`, without name and
/// description, which the headline shows.
pub fn settings(preset: &str) -> Vec<(String, String)> {
    let mut settings = Vec::new();
    if let Ok(table) = preset.parse::<toml::Table>() {
        for (key, value) in &table {
            if !matches!(key.as_str(), "name" | "description") {
                flatten(key, value, &mut settings);
            }
        }
    }
    settings
}

fn flatten(key: &str, value: &toml::Value, settings: &mut Vec<(String, String)>) {
    match value {
        toml::Value::Table(table) => {
            for (name, value) in table {
                flatten(&format!("{key}.{name}"), value, settings);
            }
        }
        toml::Value::Array(items) if items.iter().any(toml::Value::is_table) => {
            for (index, item) in items.iter().enumerate() {
                // One layer per line: its kind, then its settings.
                for (kind, item) in item.as_table().into_iter().flatten() {
                    let mut inner = Vec::new();
                    flatten("", item, &mut inner);
                    let text: Vec<String> = inner
                        .iter()
                        .map(|(key, value)| format!("{} {value}", key.trim_start_matches('.')))
                        .collect();
                    settings.push((format!("{key}.{index}.{kind}"), text.join(", ")));
                }
            }
        }
        toml::Value::String(text) => settings.push((key.to_string(), text.clone())),
        other => settings.push((key.to_string(), other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_become_curves() {
        let csv = "epoch,learning_rate,loss,accuracy,val_loss,seconds\n\
                   1,1e-3,0.5,NaN,0.6,1.0\n2,1e-4,0.25,,,1.0\n";
        let curves = curves(csv);
        let names: Vec<&str> = curves.iter().map(|curve| curve.name.as_str()).collect();
        assert_eq!(names, ["loss", "learning_rate"]);
        assert_eq!(curves[0].train, [(1.0, 0.5), (2.0, 0.25)]);
        assert_eq!(curves[0].validation, [(1.0, 0.6)]);
        assert!(self::curves("").is_empty());
    }

    #[test]
    fn settings_are_flat() {
        let toml = "name = \"x\"\nseed = 1\nlayers = [{ dense = { units = 3 } }]\n[a]\nb = \"c\"\n";
        let expected = [("seed", "1"), ("layers.0.dense", "units 3"), ("a.b", "c")];
        let settings = settings(toml);
        assert_eq!(settings.len(), expected.len());
        for (key, value) in expected {
            assert!(settings.contains(&(key.into(), value.into())), "{settings:?}");
        }
    }
}
