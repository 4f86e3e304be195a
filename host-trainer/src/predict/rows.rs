//! Predictions for the rows of a table, in batches.

use std::io::{self, Write};
use std::sync::Arc;

use model_format::Model;
use ndarray::Array2;

use crate::data::{
    self, Dataset, FeatureLabel, Features, Labels, Raw, Row, RowReader, ScalingMethod, Subset,
    Targets, Values,
};
use crate::evaluate::{Evaluation, Int8Error, evaluate_float, evaluate_int8};
use crate::foreign_text::spreadsheet_cell;
use crate::network::{Network, Objective};
use crate::quantize::DataTypes;
use crate::threads::Threads;

/// Rows per batch.
const BATCH: usize = 4096;

/// Reason why rows cannot be predicted.
#[derive(Debug, thiserror::Error)]
pub enum RowsError {
    /// The table is invalid.
    #[error(transparent)]
    Data(#[from] data::Error),
    /// The model refuses the rows.
    #[error(transparent)]
    Int8(#[from] Int8Error),
    /// The predictions cannot be written.
    #[error("the predictions cannot be written: {0}")]
    Write(#[from] io::Error),
}

/// Scaling of the rows of another file.
#[derive(Clone, Debug)]
pub enum RowScaling {
    /// That of the training rows.
    Training(Subset),
    /// Fixed, for a network without training rows.
    Fixed(ScalingMethod),
}

impl RowScaling {
    /// Returns all rows of a dataset with the scaling.
    pub fn of(&self, dataset: Arc<Dataset>) -> Subset {
        match self {
            RowScaling::Training(train) => train.with_dataset(dataset),
            RowScaling::Fixed(method) => {
                let rows = Subset::all(dataset);
                let scaling = method.fit(&rows);
                rows.scaled(scaling.map(Arc::new))
            }
        }
    }
}

/// A trained network with the preprocessing of its rows.
pub struct FloatSide {
    /// The network.
    pub network: Network<f32>,
    /// Its objective.
    pub objective: Objective,
    /// Scaling of its rows.
    pub scaling: RowScaling,
}

impl FloatSide {
    /// Evaluates the network on all rows of a dataset.
    pub fn evaluate(&self, dataset: Arc<Dataset>, threads: &Threads) -> Evaluation {
        evaluate_float(&self.network, &self.scaling.of(dataset), self.objective, threads)
    }
}

/// A model for rows, its float network, or both.
pub struct RowPredictor<'a> {
    /// The model.
    pub model: Option<Model<'a>>,
    /// The float network.
    pub float: Option<FloatSide>,
    /// Raw counts of the features, if the model takes counts.
    pub raw: Vec<Raw>,
    /// Names and units of the features.
    pub features: Vec<FeatureLabel>,
    /// Classes, or names and units of values; their rows are not used.
    pub targets: Targets,
}

/// Statistics of predictions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answered {
    /// Number of predicted rows.
    pub rows: u64,
    /// Number of rows that were skipped because of missing values.
    pub left_out: u64,
    /// Number of missing values that were replaced by the means of the training rows.
    pub filled: u64,
    /// Number of rows with a true class in the file.
    pub judged: u64,
    /// Number of these rows whose class is predicted correctly.
    pub right: u64,
}

impl RowPredictor<'_> {
    /// Returns the names of the networks in the order of their predictions: the data type of the
    /// model's activations, then `float`.
    pub fn sides(&self) -> impl Iterator<Item = &'static str> {
        let model = self.model.as_ref().map(DataTypes::name_of);
        model.into_iter().chain(self.float.as_ref().map(|_| "float"))
    }

    /// Predicts all rows of a file, as CSV.
    ///
    /// # Errors
    /// [`RowsError`] with line and column for a row that cannot be read.
    pub fn answer_all(
        &self,
        reader: &mut RowReader,
        out: &mut dyn Write,
        threads: &Threads,
    ) -> Result<Answered, RowsError> {
        let mut out = csv::Writer::from_writer(out);
        let write = |out: &mut csv::Writer<_>, cells: Vec<String>| {
            out.write_record(cells).map_err(|error| match error.into_kind() {
                csv::ErrorKind::Io(error) => RowsError::Write(error),
                other => RowsError::Write(io::Error::other(format!("{other:?}"))),
            })
        };
        write(&mut out, self.header(reader.has_target()))?;
        let (mut row, mut answered) = (Row::default(), Answered::default());
        loop {
            let mut batch: Vec<Row> = Vec::with_capacity(BATCH);
            while batch.len() < BATCH && reader.read(&mut row)? {
                batch.push(row.clone());
            }
            if batch.is_empty() {
                break;
            }
            let sides = self.answer(&batch, threads)?;
            for (at, row) in batch.iter().enumerate() {
                write(&mut out, self.cells(row, at, &sides, reader.has_target()))?;
                if let (Some(class), Some(first)) = (row.class, sides.first()) {
                    answered.judged += 1;
                    answered.right += u64::from(first.class(at) == Some(class.into()));
                }
            }
            answered.rows += batch.len() as u64;
        }
        out.flush()?;
        answered.left_out = reader.left_out();
        answered.filled = reader.filled();
        Ok(answered)
    }

    /// Returns the predictions of each network for some rows, in the order of
    /// [`sides`](Self::sides).
    ///
    /// # Errors
    /// [`RowsError`] when the model refuses them.
    pub fn answer(&self, rows: &[Row], threads: &Threads) -> Result<Vec<Evaluation>, RowsError> {
        let dataset = Arc::new(self.dataset(rows)?);
        let mut sides = Vec::new();
        if let Some(model) = &self.model {
            sides.push(evaluate_int8(model, &Subset::all(Arc::clone(&dataset)), threads)?);
        }
        sides.extend(self.float.as_ref().map(|float| float.evaluate(dataset, threads)));
        Ok(sides)
    }

    /// Converts the rows to a dataset. An unknown target becomes the first class, or 0.
    fn dataset(&self, rows: &[Row]) -> Result<Dataset, data::Error> {
        let width = self.features.len();
        let shaped = |values: Vec<f32>, width: usize| {
            Array2::from_shape_vec((rows.len(), width), values).map_err(|error| {
                data::Error::Dataset { dataset: "rows".into(), problem: error.to_string() }
            })
        };
        let inputs = rows.iter().flat_map(|row| row.features.iter().copied()).collect();
        let targets: Targets = match &self.targets {
            Targets::Classes(labels) => {
                let indices = rows.iter().map(|row| row.class.unwrap_or(0)).collect();
                Labels { indices, names: labels.names.clone() }.into()
            }
            Targets::Values(values) => {
                let outputs = values.names.len();
                let zeros = vec![0.0; outputs];
                let truth = |row: &Row| match row.values.is_empty() {
                    true => zeros.clone(),
                    false => row.values.clone(),
                };
                let truths = shaped(rows.iter().flat_map(truth).collect(), outputs)?;
                Values { values: truths, names: values.names.clone(), units: values.units.clone() }
                    .into()
            }
        };
        let features = Features::Reals(shaped(inputs, width)?);
        let mut dataset = Dataset::new("rows", vec![width], features, targets)?;
        if !self.raw.is_empty() {
            dataset = dataset.counted(&self.raw)?;
        }
        dataset.with_feature_labels(self.features.clone())
    }

    /// Returns the column names of the predictions.
    fn header(&self, has_truth: bool) -> Vec<String> {
        let mut names = vec!["line".to_string()];
        let sides: Vec<&str> = self.sides().collect();
        match &self.targets {
            Targets::Classes(labels) => {
                names.extend(sides.iter().map(|side| side.to_string()));
                for side in &sides {
                    names.extend(labels.names.iter().map(|class| format!("{side} {class}")));
                }
                names.extend(has_truth.then(|| "truth".to_string()));
            }
            Targets::Values(values) => {
                let named = |side: &str| {
                    let side = side.to_string();
                    values.names.iter().zip(&values.units).map(move |(name, unit)| {
                        match unit.is_empty() {
                            true => format!("{side} {name}"),
                            false => format!("{side} {name} ({unit})"),
                        }
                    })
                };
                sides.iter().for_each(|side| names.extend(named(side)));
                if has_truth {
                    names.extend(named("truth"));
                }
            }
        }
        names.into_iter().map(|name| for_spreadsheets(&name)).collect()
    }

    fn cells(&self, row: &Row, at: usize, sides: &[Evaluation], has_truth: bool) -> Vec<String> {
        let mut cells = vec![row.line.to_string()];
        match &self.targets {
            Targets::Classes(labels) => {
                let name = |class: Option<usize>| {
                    let name = class.and_then(|class| labels.names.get(class));
                    for_spreadsheets(name.map_or("", String::as_str))
                };
                cells.extend(sides.iter().map(|side| name(side.class(at))));
                for side in sides {
                    cells.extend(probabilities(side, at).iter().map(f32::to_string));
                }
                if has_truth {
                    cells.push(name(row.class.map(usize::from)));
                }
            }
            Targets::Values(values) => {
                for side in sides {
                    cells.extend(outputs(side, at).iter().map(f32::to_string));
                }
                if has_truth {
                    let unknown = vec![String::new(); values.names.len()];
                    let known: Vec<String> = row.values.iter().map(f32::to_string).collect();
                    cells.extend(if known.is_empty() { unknown } else { known });
                }
            }
        }
        cells
    }
}

/// Returns the outputs for a row.
fn outputs(evaluation: &Evaluation, row: usize) -> &[f32] {
    let width = evaluation.width.max(1);
    evaluation.outputs.get(row * width..(row + 1) * width).unwrap_or_default()
}

/// Returns the class probabilities for a row.
pub fn probabilities(evaluation: &Evaluation, row: usize) -> Vec<f32> {
    match outputs(evaluation, row) {
        // A single output is the probability of the second class.
        [second] => vec![1.0 - second, *second],
        all => all.to_vec(),
    }
}

/// Returns a cell that is safe for spreadsheets: a number as it is, text by [`spreadsheet_cell`].
pub fn for_spreadsheets(text: &str) -> String {
    match text.parse::<f64>() {
        Ok(_) => text.to_string(),
        Err(_) => spreadsheet_cell(text).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_become_text_and_numbers_stay() {
        for (text, expected) in [
            ("=1+1", "'=1+1"),
            ("@sum", "'@sum"),
            ("+x", "'+x"),
            ("-cmd", "'-cmd"),
            ("-1.5", "-1.5"),
            ("cool", "cool"),
            ("a=b", "a=b"),
        ] {
            assert_eq!(for_spreadsheets(text), expected);
        }
    }
}
