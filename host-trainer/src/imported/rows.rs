//! Rows of an import: a dataset's name, a preset, or a CSV file with or without targets.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, bail};

use super::{Import, Meaning};
use crate::data::{Amount, ScalingMethod, Source, Table, TableTarget, TestRows};
use crate::foreign_text;
use crate::network::Tape;
use crate::preset::{self, DataSettings};
use crate::run_folder::RunFolder;

/// Name of the file with rows and the predictions of the float network, in the folder of the run.
pub const CALIBRATION: &str = "calibration.csv";

/// Share of the rows on which results are measured.
const TEST: f64 = 0.2;

/// Cells of a CSV file.
struct Cells {
    /// Names of the columns, if the file has them.
    names: Option<Vec<String>>,
    rows: Vec<Vec<String>>,
    separator: char,
}

/// Returns the data settings, with notes.
pub(super) fn settings(
    import: &Import<'_>,
    rows: &str,
    folder: &RunFolder,
) -> anyhow::Result<(DataSettings, Vec<String>)> {
    let is_preset = crate::preset::EMBEDDED.iter().any(|preset| preset.name == rows);
    if is_preset || rows.ends_with(".toml") {
        return Ok((preset::find(rows)?.data, Vec::new()));
    }
    if let Some(source) = Source::from_name(rows) {
        let test = match source.has_test() {
            Some(false) => Some(TestRows::Stratified(Amount::Fraction(TEST))),
            _ => None,
        };
        return Ok((plain(source, test), Vec::new()));
    }
    let path = Path::new(rows);
    if !path.is_file() {
        bail!(
            "{}: there is no such CSV file, and no dataset or preset of this name. `host-trainer \
             presets` lists the presets",
            foreign_text::path(path)
        );
    }
    let cells = read(path)?;
    let (table, notes) = table(import, path, &cells, folder)?;
    // Without targets, all rows are for calibration, and figures are those of the same rows.
    let test = match notes.is_empty() {
        true => TestRows::Random(Amount::Fraction(TEST)),
        false => TestRows::File(table.file.clone()),
    };
    Ok((plain(Source::Csv(table), Some(test)), notes))
}

fn plain(dataset: Source, test: Option<TestRows>) -> DataSettings {
    DataSettings {
        dataset,
        test,
        validation: None,
        pool: None,
        resize: None,
        scaling: Some(ScalingMethod::None),
        target_scaling: None,
        raw: Vec::new(),
    }
}

/// Reads a CSV file, whose separator is the one that its first line has.
fn read(path: &Path) -> anyhow::Result<Cells> {
    let failed = || foreign_text::path(path);
    let text = std::fs::read(path).with_context(failed)?;
    let text = String::from_utf8_lossy(&text);
    let text = text.trim_start_matches('\u{feff}');
    let first = text.lines().next().unwrap_or_default();
    let separator = [',', ';', '\t'].into_iter().find(|mark| first.contains(*mark)).unwrap_or(',');
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .delimiter(separator as u8)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.with_context(failed)?;
        rows.push(record.iter().map(str::to_string).collect::<Vec<String>>());
    }
    if rows.is_empty() {
        bail!("{}: the file has no rows", foreign_text::path(path));
    }
    let is_number = |cell: &String| cell.parse::<f64>().is_ok();
    let names = match rows[0].iter().any(is_number) {
        true => None,
        false => Some(rows.remove(0)),
    };
    Ok(Cells { names, rows, separator })
}

/// Returns the settings of the table. One without targets is written into the folder with the
/// network's predictions.
fn table(
    import: &Import<'_>,
    path: &Path,
    cells: &Cells,
    folder: &RunFolder,
) -> anyhow::Result<(Table, Vec<String>)> {
    let network = &import.assembled.network;
    let (inputs, outputs) = (network.inputs(), network.outputs());
    let width = cells.rows.first().map_or(0, Vec::len);
    let column = |at: usize| match &cells.names {
        Some(names) => names.get(at).cloned().unwrap_or_default(),
        None => (at + 1).to_string(),
    };
    let last = width.saturating_sub(outputs)..width;
    let target = match import.meaning() {
        _ if width == inputs => return predicted(import, path, cells, folder),
        Meaning::Classes if width == inputs + 1 => TableTarget::Classes(column(width - 1)),
        Meaning::Values if width == inputs + outputs => {
            TableTarget::Values(last.map(column).collect())
        }
        // Logits.
        Meaning::Values if width == inputs + 1 => TableTarget::Classes(column(width - 1)),
        _ => bail!(
            "{}: a row has {width} columns, but the network has {inputs} inputs and {outputs} \
             outputs. Give the features alone, or the features and then the {}",
            foreign_text::path(path),
            match import.meaning() {
                Meaning::Classes => "class".to_string(),
                Meaning::Values => format!("{outputs} values"),
            }
        ),
    };
    let table = Table {
        header: cells.names.is_some(),
        separator: Some(cells.separator),
        ..Table::new(path, target)
    };
    Ok((table, Vec::new()))
}

/// Writes the rows with the predictions of the network.
fn predicted(
    import: &Import<'_>,
    path: &Path,
    cells: &Cells,
    folder: &RunFolder,
) -> anyhow::Result<(Table, Vec<String>)> {
    let (network, scaling) = (&import.assembled.network, &import.assembled.scaling);
    let (inputs, outputs) = (network.inputs(), network.outputs());
    let mut tape = Tape::forward_only(network, 1);
    let feature = |at: usize| match &cells.names {
        Some(names) => names.get(at).cloned().unwrap_or_default(),
        None => format!("x{at}"),
    };
    let targets: Vec<String> = match (import.meaning(), outputs) {
        (Meaning::Classes, _) => vec!["predicted".to_string()],
        (Meaning::Values, 1) => vec!["predicted".to_string()],
        (Meaning::Values, count) => (0..count).map(|at| format!("predicted{at}")).collect(),
    };
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record((0..inputs).map(feature).chain(targets.iter().cloned()))?;
    let names = import.class_names();
    for (index, cells) in cells.rows.iter().enumerate() {
        let mut record = Vec::with_capacity(inputs + outputs);
        for (at, (cell, x)) in cells.iter().zip(tape.input_mut(1)).enumerate() {
            let value = cell.parse::<f32>().ok().filter(|value| value.is_finite());
            let Some(value) = value else {
                bail!(
                    "{}: row {index}, column {}: `{}` is no number",
                    foreign_text::path(path),
                    at + 1,
                    foreign_text::shown(cell)
                );
            };
            record.push(cell.clone());
            *x = match scaling {
                Some(scaling) => (value - scaling.offsets[at]) * scaling.factors[at],
                None => value,
            };
        }
        tape.forward(network, 1);
        let mut row = tape.outputs(1).to_vec();
        network.head().apply(&mut row);
        match import.meaning() {
            Meaning::Classes => {
                let class = match row[..] {
                    [second] => usize::from(second > 0.5),
                    _ => crate::network::first_largest(&row).0,
                };
                record.push(names.get(class).cloned().unwrap_or_default());
            }
            Meaning::Values => record.extend(row.iter().map(f32::to_string)),
        }
        writer.write_record(record)?;
    }
    let text = writer.into_inner().map_err(|error| anyhow::anyhow!("{error}"))?;
    folder.write(CALIBRATION, &text)?;
    let place = folder.path().join(CALIBRATION);
    let target = match import.meaning() {
        Meaning::Classes => TableTarget::Classes(targets[0].clone()),
        Meaning::Values => TableTarget::Values(targets),
    };
    let mut note = String::new();
    // Writing to a string cannot fail.
    let _ = write!(
        note,
        "the rows have no targets: predictions of the float network are written to {}, and all \
         figures compare with these, on the rows of the calibration",
        foreign_text::path(&place)
    );
    Ok((Table { separator: Some(','), ..Table::new(place, target) }, vec![note]))
}
