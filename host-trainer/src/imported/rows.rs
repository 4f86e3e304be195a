//! Rows of an import: a dataset's name, a preset, or a CSV file with or without targets.

use std::fmt::Write;
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::Path;

use anyhow::{Context, bail};

use super::{Import, Meaning};
use crate::data::{
    Amount, RowSpec, ScalingMethod, Schema, SchemaTarget, Source, Table, TableTarget, TestRows,
};
use crate::foreign_text;
use crate::network::Tape;
use crate::preset::{self, DataSettings};
use crate::run_folder::RunFolder;

/// Name of the file with rows and the predictions of the float network, in the folder of the run.
pub const CALIBRATION: &str = "calibration.csv";

/// Share of the rows on which results are measured.
const TEST: f64 = 0.2;

/// Mark at the start of UTF-8 files of some editors.
const BOM: &[u8] = b"\xef\xbb\xbf";
/// Maximum length of a first line in which the separator is searched.
const MAX_LINE: u64 = 1 << 24;

/// Columns of a CSV file.
struct Head {
    /// Names of the columns, if the file has them.
    names: Option<Vec<String>>,
    /// Number of columns.
    width: usize,
    separator: char,
}

/// Returns the data settings, with notes.
pub(super) fn settings(
    import: &Import,
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
    let (table, notes) = table(import, path, folder)?;
    // Without targets, all rows are for calibration, and figures are those of the same rows.
    let test = match notes.is_empty() {
        true => TestRows::Random(Amount::Fraction(TEST)),
        false => TestRows::File(table.file.clone()),
    };
    Ok((plain(Source::Csv(table), Some(test)), notes))
}

pub(super) fn plain(dataset: Source, test: Option<TestRows>) -> DataSettings {
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

/// Opens a CSV file, whose separator is the one that its first line has. Returns its columns and its
/// rows, which are read one by one.
fn open(path: &Path) -> anyhow::Result<(Head, impl Iterator<Item = anyhow::Result<Vec<String>>>)> {
    let name = foreign_text::path(path);
    let mut file = BufReader::new(File::open(path).with_context(|| name.clone())?);
    let mut line = Vec::new();
    file.by_ref().take(MAX_LINE).read_until(b'\n', &mut line).with_context(|| name.clone())?;
    if line.starts_with(BOM) {
        line.drain(..BOM.len());
    }
    let separator = [',', ';', '\t'].into_iter().find(|mark| line.contains(&(*mark as u8)));
    let separator = separator.unwrap_or(',');
    let reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .delimiter(separator as u8)
        .trim(csv::Trim::All)
        .from_reader(Cursor::new(line).chain(file));
    let failed = name.clone();
    let mut rows = reader.into_byte_records().map(move |record| {
        let record = record.with_context(|| failed.clone())?;
        Ok(record.iter().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect())
    });
    let Some(first) = rows.next() else { bail!("{name}: the file has no rows") };
    let first: Vec<String> = first?;
    let width = first.len();
    let (names, first) = match first.iter().any(|cell| cell.parse::<f64>().is_ok()) {
        true => (None, Some(Ok(first))),
        false => (Some(first), None),
    };
    Ok((Head { names, width, separator }, first.into_iter().chain(rows)))
}

/// Returns the settings of the table. One without targets is written into the folder with the
/// network's predictions.
fn table(import: &Import, path: &Path, folder: &RunFolder) -> anyhow::Result<(Table, Vec<String>)> {
    let (head, rows) = open(path)?;
    let (inputs, outputs) = (import.network.inputs(), import.network.outputs());
    match head.target(path, inputs, outputs, import.meaning())? {
        Some(target) => Ok((head.table(path, target), Vec::new())),
        None => predicted(import, path, (&head, rows), folder),
    }
}

impl Head {
    /// Returns the name of a column: its number from 1 in a file without names.
    fn column(&self, at: usize) -> String {
        match &self.names {
            Some(names) => names.get(at).cloned().unwrap_or_default(),
            None => (at + 1).to_string(),
        }
    }

    fn table(&self, path: &Path, target: TableTarget) -> Table {
        Table {
            header: self.names.is_some(),
            separator: Some(self.separator),
            ..Table::new(path, target)
        }
    }

    /// Returns the target, which follows the features, or `None` for features alone.
    fn target(
        &self,
        path: &Path,
        inputs: usize,
        outputs: usize,
        meaning: Meaning,
    ) -> anyhow::Result<Option<TableTarget>> {
        let width = self.width;
        let class = || TableTarget::Classes(self.column(width - 1));
        Ok(Some(match meaning {
            _ if width == inputs => return Ok(None),
            Meaning::Classes if width == inputs + 1 => class(),
            Meaning::Values if width == inputs + outputs => {
                TableTarget::Values((inputs..width).map(|at| self.column(at)).collect())
            }
            // Logits.
            Meaning::Values if width == inputs + 1 => class(),
            _ => bail!(
                "{}: a row has {width} columns, but the network has {inputs} inputs and {outputs} \
                 outputs. Give the features alone, or the features and then the {}",
                foreign_text::path(path),
                match meaning {
                    Meaning::Classes => "class".to_string(),
                    Meaning::Values => format!("{outputs} values"),
                }
            ),
        }))
    }
}

/// Returns the table and the columns of a file of rows for a network that has none: features in the
/// order of its inputs, and the targets behind them if the file has them.
///
/// # Errors
/// Returns the number of columns that does not fit.
pub fn schema_table(
    schema: &Schema,
    path: &Path,
    needs_target: bool,
) -> anyhow::Result<(Table, RowSpec)> {
    let (head, _) = open(path)?;
    let (classes, outputs) = match &schema.target {
        SchemaTarget::Classes(names) => (Some(names.clone()), names.len()),
        SchemaTarget::Values(count) => (None, *count),
    };
    let meaning = if classes.is_some() { Meaning::Classes } else { Meaning::Values };
    let mut target = head.target(path, schema.features, outputs, meaning)?;
    if let (Some(TableTarget::Classes(_)), Meaning::Values) = (&target, meaning) {
        bail!(
            "{}: the last column is a class, but the run has values. Import the network again with \
             --classes",
            foreign_text::path(path)
        );
    }
    if target.is_none() && needs_target {
        bail!(
            "{}: the rows have features alone, and an evaluation compares with targets. Put the \
             class or the values behind the features",
            foreign_text::path(path)
        );
    }
    let values = || (0..outputs).map(|at| format!("output {at}")).collect();
    let target = target.take().unwrap_or_else(|| match meaning {
        Meaning::Classes => TableTarget::Classes("class".into()),
        Meaning::Values => TableTarget::Values(values()),
    });
    let features = (0..schema.features).map(|at| head.column(at)).collect();
    let spec = RowSpec {
        features,
        classes,
        needs_target,
        means: None,
        is_another_file: true,
        ..RowSpec::default()
    };
    Ok((head.table(path, target), spec))
}

/// Writes the rows with the predictions of the network.
fn predicted(
    import: &Import,
    path: &Path,
    (head, rows): (&Head, impl Iterator<Item = anyhow::Result<Vec<String>>>),
    folder: &RunFolder,
) -> anyhow::Result<(Table, Vec<String>)> {
    let (network, scaling) = (&import.network, &import.scaling);
    let (inputs, outputs) = (network.inputs(), network.outputs());
    let mut tape = Tape::forward_only(network, 1);
    let feature = |at: usize| match &head.names {
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
    for (index, cells) in rows.enumerate() {
        let cells = cells?;
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
