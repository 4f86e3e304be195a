//! `host-trainer predict --split`: predictions of both networks for the rows of a run's own dataset.

use std::io::{self, BufWriter, Write};

use anyhow::{Context, bail};
use clap::ValueEnum;
use model_format::Model;

use super::evaluate::read_model;
use super::files;
use super::predict_rows::{Rows, RowsRun};
use crate::data::{Results, Subset, Targets};
use crate::evaluate::{Evaluation, evaluate_float, evaluate_int8};
use crate::experiment::Plan;
use crate::foreign_text::{self, spreadsheet_cell};
use crate::predict::probabilities;
use crate::quantize::DataTypes;
use crate::report::grouped;

/// Rows of a run's dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Split {
    /// Training rows
    Training,
    /// Validation rows
    Validation,
    /// Test rows
    Test,
    /// The rows of all splits
    All,
}

impl Split {
    /// Returns the splits with their names.
    fn rows(self, plan: &Plan) -> Vec<(&'static str, &Subset)> {
        let splits = &plan.splits;
        let mut all = vec![("training", &splits.train)];
        all.extend(splits.validation.as_ref().map(|rows| ("validation", rows)));
        if splits.results == Results::Test {
            all.push(("test", &splits.test));
        }
        let name = match self {
            Split::Training => "training",
            Split::Validation => "validation",
            Split::Test => "test",
            Split::All => return all,
        };
        all.retain(|(split, _)| *split == name);
        all
    }
}

impl Rows<'_> {
    /// Predicts the rows of a split, as CSV: split, index in it, truth, and of each network the
    /// prediction with its probabilities.
    pub fn split(&self, split: Split) -> anyhow::Result<()> {
        let bytes = read_model(self.model)?;
        let model = Model::parse(&bytes).with_context(|| foreign_text::path(self.model))?;
        let run = RowsRun::open(self.model, &self.locations)?;
        let plan = match &run.plan {
            Ok(plan) => plan,
            Err(reason) => bail!("{reason}"),
        };
        let parts = split.rows(plan);
        if parts.is_empty() {
            let known: Vec<String> = Split::All
                .rows(plan)
                .into_iter()
                .map(|(name, rows)| format!("{name} ({})", grouped(rows.len() as u64)))
                .collect();
            bail!("the run has no such rows. Its splits are {}", known.join(", "));
        }
        let objective = plan.objective_of(&run.saved.network, &self.threads);
        let mut csv = csv::Writer::from_writer(Vec::new());
        let data_type = DataTypes::name_of(&model);
        csv.write_record(header(plan.splits.train.dataset().targets(), data_type))?;
        for (name, rows) in parts {
            let int8 = evaluate_int8(&model, rows, &self.threads)?;
            let float = evaluate_float(&run.saved.network, rows, objective, &self.threads);
            for row in 0..rows.len() {
                csv.write_record(cells(name, row, rows, [&float, &int8]))?;
            }
        }
        let text = csv.into_inner()?;
        match self.output {
            Some(path) => Ok(files::write(path, &text)?),
            None => Ok(BufWriter::new(io::stdout().lock()).write_all(&text)?),
        }
    }
}

/// Returns the names of the columns.
fn header(targets: &Targets, data_type: &str) -> Vec<String> {
    let mut header = ["split", "row"].map(String::from).to_vec();
    let names = match targets {
        Targets::Classes(labels) => {
            header.push("truth".to_string());
            &labels.names
        }
        Targets::Values(values) => {
            header.extend(values.names.iter().map(|name| column("truth", name)));
            &values.names
        }
    };
    for network in ["float", data_type] {
        if let Targets::Classes(_) = targets {
            header.push(network.to_string());
        }
        header.extend(names.iter().map(|name| column(network, name)));
    }
    header
}

fn column(network: &str, name: &str) -> String {
    spreadsheet_cell(&format!("{network} {name}")).into_owned()
}

fn cells(split: &str, row: usize, rows: &Subset, networks: [&Evaluation; 2]) -> Vec<String> {
    let mut cells = vec![split.to_string(), row.to_string()];
    let class_name = |class: Option<usize>| {
        let name = class.and_then(|class| rows.dataset().class_names().get(class));
        name.map_or(String::new(), |name| spreadsheet_cell(name).into_owned())
    };
    match rows.values(row) {
        Some(values) => cells.extend(values.iter().map(f32::to_string)),
        None => cells.push(class_name(rows.class(row).map(usize::from))),
    }
    for network in networks {
        match network.class(row) {
            Some(class) => {
                cells.push(class_name(Some(class)));
                cells.extend(probabilities(network, row).iter().map(f32::to_string));
            }
            None => {
                let outputs = network.outputs.chunks_exact(network.width.max(1)).nth(row);
                cells.extend(outputs.unwrap_or_default().iter().map(f32::to_string));
            }
        }
    }
    cells
}
