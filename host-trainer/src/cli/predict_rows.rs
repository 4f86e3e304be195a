//! `host-trainer predict` for rows of another table, or one row of the run's own dataset.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use model_format::Model;
use serde_json::{Value, json};

use super::evaluate::{read_model, read_model_if_any};
use super::{files, terminal};
use crate::atomic_file;
use crate::data::{
    Dataset, FeatureLabel, Labels, Locations, Missing, RowReader, RowSpec, Source, Table,
    TableTarget, Targets, Values,
};
use crate::experiment::{Plan, SavedRun};
use crate::foreign_text::{self, shown};
use crate::predict::{FloatSide, RowPredictor, RowScaling, probabilities};
use crate::report::style::{FAINT, HEADING, STRONG, paint};
use crate::report::{grouped, percent, significant};
use crate::threads::Threads;

/// A run with everything that predictions for rows need.
pub(crate) struct RowsRun {
    /// Preset and network.
    pub saved: SavedRun,
    /// The plan with its data, or the reason why the data is missing.
    pub plan: Result<Plan, String>,
}

/// File extensions of tables.
const ENDINGS: [&str; 6] = ["csv", "tsv", "txt", "dat", "data", "tab"];

/// Returns whether the file has the extension of a table.
pub(crate) fn is_table(path: &Path) -> bool {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
}

impl RowsRun {
    /// Opens the run that contains a model, or that lacks one, and reads its data if it still
    /// exists.
    pub fn open(model: &Path, locations: &Locations) -> anyhow::Result<Self> {
        let saved = SavedRun::open_float(atomic_file::folder(model))
            .context("predictions for rows need the run of the model, which names the columns")?;
        let plan = saved.plan(locations).map_err(|error| terminal::message(&error.into()));
        Ok(RowsRun { saved, plan })
    }

    /// Returns the settings and the columns of another file.
    pub fn columns(
        &self,
        model: Option<&Model<'_>>,
        file: &Path,
        needs_target: bool,
    ) -> anyhow::Result<(Table, RowSpec)> {
        match &self.saved.preset.data.dataset {
            Source::Csv(table) => {
                Ok((table.clone(), self.trained_columns(table, model, needs_target)?))
            }
            #[cfg(feature = "import")]
            Source::Schema(schema) => crate::imported::schema_table(schema, file, needs_target),
            other => bail!(
                "{}: this run was trained on {other}, and does not take rows of a table",
                foreign_text::path(file)
            ),
        }
    }

    /// Returns the columns of the table that the run was trained on.
    fn trained_columns(
        &self,
        table: &Table,
        model: Option<&Model<'_>>,
        needs_target: bool,
    ) -> anyhow::Result<RowSpec> {
        let train = self.plan.as_ref().map(|plan| plan.splits.train.dataset());
        let mut features = table.features.clone();
        if let (true, Ok(train)) = (features.is_empty(), &train) {
            features = train.feature_labels().iter().map(|label| label.name.clone()).collect();
        }
        if features.is_empty() {
            bail!("the run's preset.toml does not list the features, and {}", self.reason());
        }
        let inputs = model.map_or(self.saved.network.inputs(), Model::input_len);
        if features.len() != inputs {
            bail!(
                "the model takes {inputs} inputs, and the run's preset.toml lists {} features. They \
                 are of two runs",
                features.len()
            );
        }
        let classes = match &table.target {
            TableTarget::Values(_) => None,
            TableTarget::Classes(_) => Some(match (model.and_then(class_names), &train) {
                (Some(names), _) => names,
                (None, Ok(train)) => train.class_names().to_vec(),
                (None, Err(_)) => bail!("the model has no class names, and {}", self.reason()),
            }),
        };
        let means = match (table.missing, &self.plan) {
            (Missing::Mean, Ok(plan)) => {
                let rows = plan.splits.train.rows();
                Some(plan.splits.train.dataset().means_for_missing(rows))
            }
            (Missing::Mean, Err(_)) => bail!(
                "missing = \"mean\" needs the means of the training rows, and {}",
                self.reason()
            ),
            _ => None,
        };
        Ok(RowSpec {
            features,
            classes,
            needs_target,
            means,
            is_another_file: true,
            ..RowSpec::default()
        })
    }

    fn reason(&self) -> String {
        let reason = self.plan.as_ref().err().map_or("", String::as_str);
        format!("its data is missing: {reason}")
    }

    /// Returns the float network, or the reason why the scaling of its rows is unknown.
    pub fn float_side(self, threads: &Threads) -> Result<FloatSide, String> {
        let network = self.saved.network;
        let preset = &self.saved.preset;
        let (objective, scaling) = match (self.plan, &preset.data.dataset) {
            (Ok(plan), _) => {
                (plan.objective_of(&network, threads), RowScaling::Training(plan.splits.train))
            }
            (Err(_), Source::Schema(_)) => (
                preset.training.objective(network.head()),
                RowScaling::Fixed(preset.data.scaling()),
            ),
            (Err(reason), _) => return Err(reason),
        };
        Ok(FloatSide { network, objective, scaling })
    }

    /// Returns a predictor of the model, if there is one, and the float network, if its scaling is
    /// known.
    pub fn predictor<'m>(
        self,
        model: Option<Model<'m>>,
        (table, spec): (&Table, &RowSpec),
        threads: &Threads,
    ) -> anyhow::Result<(RowPredictor<'m>, Option<String>)> {
        let features = spec
            .features
            .iter()
            .map(|name| FeatureLabel { name: name.clone(), unit: table.unit(name) })
            .collect();
        let targets: Targets = match (&table.target, &spec.classes) {
            (TableTarget::Classes(_), Some(names)) => {
                Labels { indices: Vec::new(), names: names.clone() }.into()
            }
            (target, _) => {
                let names: Vec<String> = target.names().into_iter().map(String::from).collect();
                let units = names.iter().map(|name| table.unit(name)).collect();
                Values { values: Default::default(), names, units }.into()
            }
        };
        let raw = self.saved.preset.data.raw.clone();
        let (float, note) = match self.float_side(threads) {
            Ok(float) => (Some(float), None),
            Err(reason) if model.is_none() => bail!("{reason}"),
            Err(reason) => {
                let note = "no float predictions, which need the training data for their scaling";
                (None, Some(format!("{note}: {reason}")))
            }
        };
        Ok((RowPredictor { model, float, raw, features, targets }, note))
    }
}

fn class_names(model: &Model<'_>) -> Option<Vec<String>> {
    model.output().kind.labels().map(|labels| labels.iter().map(String::from).collect())
}

/// Request for predictions of rows.
pub(crate) struct Rows<'a> {
    /// The model.
    pub model: &'a Path,
    /// Output file; `None` for standard output.
    pub output: Option<&'a Path>,
    /// Locations of the datasets.
    pub locations: Locations,
    /// Threads for the computation.
    pub threads: Threads,
    /// Prints JSON.
    pub json: bool,
}

impl Rows<'_> {
    /// Predicts all rows of files, as CSV.
    pub fn answer(&self, files: &[PathBuf]) -> anyhow::Result<()> {
        let [file] = files else {
            bail!("{} files of rows were given. Give one at a time", files.len())
        };
        let bytes = read_model_if_any(self.model)?;
        let model = bytes.as_deref().map(Model::parse).transpose();
        let model = model.with_context(|| foreign_text::path(self.model))?;
        let run = RowsRun::open(self.model, &self.locations)?;
        let (table, spec) = run.columns(model.as_ref(), file, false)?;
        let mut reader = RowReader::open(file, &table, spec.clone())?;
        let notes = reader.notes().to_vec();
        let (predictor, note) = run.predictor(model, (&table, &spec), &self.threads)?;
        let no_rows = || {
            let file = foreign_text::path(file);
            anyhow::anyhow!("{file}: the table has no rows below its header")
        };
        let answered = match self.output {
            Some(path) => files::write_by(path, |out| {
                let answered = predictor.answer_all(&mut reader, out, &self.threads)?;
                // No file is written for an empty result.
                if answered.rows == 0 { Err(no_rows()) } else { Ok(answered) }
            })?,
            None => {
                let mut out = BufWriter::new(io::stdout().lock());
                predictor.answer_all(&mut reader, &mut out, &self.threads).map_err(pipe)?
            }
        };
        if answered.rows == 0 {
            return Err(no_rows());
        }
        let mut said: Vec<String> = notes.into_iter().chain(note).collect();
        if answered.left_out > 0 {
            let count = grouped(answered.left_out);
            said.push(format!("rows skipped because of missing values: {count}"));
        }
        if answered.filled > 0 {
            let count = grouped(answered.filled);
            said.push(format!(
                "missing values replaced by the means of the training rows: {count}"
            ));
        }
        let rows = grouped(answered.rows);
        said.push(match answered.judged {
            0 => format!("{rows} rows predicted"),
            judged => format!(
                "{rows} rows predicted, {} of {} by {} correctly, {}",
                grouped(answered.right),
                grouped(judged),
                predictor.sides().next().unwrap_or("float"),
                percent(answered.right as f64 / judged as f64)
            ),
        });
        // Standard output contains only the predictions.
        said.iter()
            .try_for_each(|line| writeln!(anstream::stderr().lock(), "  {}", paint(FAINT, line)))?;
        Ok(())
    }

    /// Predicts one row of the run's own dataset.
    pub fn row(&self, index: usize) -> anyhow::Result<()> {
        let bytes = read_model(self.model)?;
        let model = Model::parse(&bytes).with_context(|| foreign_text::path(self.model))?;
        let run = RowsRun::open(self.model, &self.locations)?;
        let plan = match run.plan {
            Ok(plan) => plan,
            Err(reason) => bail!("{reason}"),
        };
        let dataset = plan.splits.train.dataset().clone();
        if index >= dataset.rows() {
            let (rows, last) = (grouped(dataset.rows() as u64), dataset.rows() - 1);
            bail!("there is no row {index}. The dataset has {rows}, numbered from 0 to {last}");
        }
        let rows = plan.splits.train.with_dataset(dataset.clone());
        let rows = crate::data::Subset::new(dataset.clone(), vec![index as u32])
            .scaled(rows.scaling().cloned().map(std::sync::Arc::new));
        let objective = plan.objective_of(&run.saved.network, &self.threads);
        let int8 = crate::evaluate::evaluate_int8(&model, &rows, &self.threads)?;
        let float =
            crate::evaluate::evaluate_float(&run.saved.network, &rows, objective, &self.threads);
        let mut features = vec![0.0_f32; dataset.width()];
        rows.gather_raw(0, &mut features);
        let data_type = crate::quantize::DataTypes::name_of(&model);
        let answers = [("float", &float), (data_type, &int8)];
        match self.json {
            true => terminal::json(&row_json(&dataset, index, &features, &rows, &answers))?,
            false => terminal::print(&row_text(&dataset, index, &features, &rows, &answers))?,
        }
        Ok(())
    }
}

type Answer<'a> = (&'a str, &'a crate::evaluate::Evaluation);

fn with_unit(number: f32, unit: &str) -> String {
    let number = significant(number.into());
    if unit.is_empty() { number } else { format!("{number} {}", shown(unit)) }
}

fn row_text(
    dataset: &Dataset,
    index: usize,
    features: &[f32],
    rows: &crate::data::Subset,
    answers: &[Answer<'_>],
) -> String {
    let mut text =
        format!("{} of {}\n", paint(HEADING, format!("row {index}")), shown(dataset.name()));
    let labels = dataset.feature_labels();
    let width = labels.iter().map(|label| shown(&label.name).chars().count()).max().unwrap_or(0);
    for (label, &value) in labels.iter().zip(features) {
        text += &format!("  {:<width$}  {}\n", shown(&label.name), with_unit(value, &label.unit));
    }
    match dataset.targets() {
        Targets::Classes(labels) => {
            let name = |class: usize| shown(labels.names.get(class).map_or("?", String::as_str));
            let truth = rows.class(0).map_or(String::new(), |class| name(class.into()));
            text += &format!("{}  {truth}\n", paint(FAINT, "truth"));
            for (side, answer) in answers {
                let Some(class) = answer.class(0) else { continue };
                let share = probabilities(answer, 0).get(class).copied().unwrap_or(f32::NAN);
                let (name, share) = (paint(STRONG, name(class)), percent(share.into()));
                text += &format!("{}  {name}, {share}\n", paint(FAINT, side));
            }
        }
        Targets::Values(values) => {
            let line = |numbers: &[f32]| {
                let each = numbers.iter().enumerate().map(|(output, &number)| {
                    format!(
                        "{} {}",
                        shown(&values.names[output]),
                        with_unit(number, &values.units[output])
                    )
                });
                each.collect::<Vec<_>>().join(", ")
            };
            let truth = rows.values(0).map_or(Vec::new(), |row| row.to_vec());
            text += &format!("{}  {}\n", paint(FAINT, "truth"), line(&truth));
            for (side, answer) in answers {
                let outputs = &answer.outputs[..answer.width.min(answer.outputs.len())];
                text += &format!("{}  {}\n", paint(FAINT, side), line(outputs));
            }
        }
    }
    text
}

fn row_json(
    dataset: &Dataset,
    index: usize,
    features: &[f32],
    rows: &crate::data::Subset,
    answers: &[Answer<'_>],
) -> Value {
    let labels = dataset.feature_labels();
    let named: Value = match labels.is_empty() {
        true => json!(features),
        false => Value::Object(
            labels
                .iter()
                .zip(features)
                .map(|(label, value)| (label.name.clone(), json!(value)))
                .collect(),
        ),
    };
    let mut value = json!({ "row": index, "features": named });
    match dataset.targets() {
        Targets::Classes(labels) => {
            value["truth"] =
                json!(rows.class(0).and_then(|class| labels.names.get(usize::from(class))));
            for (side, answer) in answers {
                let shares = labels.names.iter().cloned();
                let shares = shares.zip(probabilities(answer, 0).into_iter().map(|p| json!(p)));
                value[*side] = json!({
                    "class": answer.class(0).and_then(|class| labels.names.get(class)),
                    "probabilities": Value::Object(shares.collect()),
                });
            }
        }
        Targets::Values(values) => {
            let named = |numbers: &[f32]| {
                let pairs = values.names.iter().cloned().zip(numbers.iter().map(|v| json!(v)));
                Value::Object(pairs.collect())
            };
            value["truth"] = named(&rows.values(0).map_or(Vec::new(), |row| row.to_vec()));
            for (side, answer) in answers {
                value[*side] = named(&answer.outputs);
            }
        }
    }
    value
}

/// Converts a write error to an I/O error, so that a closed pipe is recognized.
fn pipe(error: crate::predict::RowsError) -> anyhow::Error {
    match error {
        crate::predict::RowsError::Write(error) => error.into(),
        other => other.into(),
    }
}
