//! `host-trainer train --folds N`: a cross-validation, one training per fold.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::{Value, json};

use super::args::TrainArgs;
use super::checkpoint::Checkpoints;
use super::progress::TrainProgress;
use super::train::{Interrupt, complete, confusions_text, preset_of};
use super::weights::Target;
use super::{files, terminal};
use crate::data::{Fold, Locations};
use crate::evaluate::{Confusion, Evaluation};
use crate::experiment::{Experiment, Plan, metrics};
use crate::foreign_text;
use crate::report::{
    Cell, Table, grouped, intake_warnings, missing_classes, percent, significant, warnings_text,
};
use crate::run_folder::RunFolder;
use crate::threads::Threads;

/// File with the results of all folds.
const RESULTS: &str = "folds.json";

/// Results of a fold.
struct Tested {
    fold: Fold,
    rows: usize,
    /// Name of the quantized model's precision.
    precision: &'static str,
    float: Figures,
    quantized: Figures,
    metrics: Value,
}

/// Accuracy and confusion matrix, or the squared error of a regression.
struct Figures {
    figure: f64,
    confusion: Confusion,
}

impl Figures {
    fn of(evaluation: &Evaluation) -> Self {
        let confusion = evaluation.confusion.clone();
        let figure = match &evaluation.regression {
            Some(errors) => errors.mean_squared_error,
            None => confusion.accuracy(),
        };
        Figures { figure, confusion }
    }
}

/// Trains and tests every fold, and shows each, the mean, and the sum of the confusion matrices.
pub fn run(args: &TrainArgs, folds: usize, quiet: bool) -> anyhow::Result<()> {
    let all = (1..=folds).map(|number| Fold::new(number, folds).map_err(anyhow::Error::msg));
    let all: Vec<Fold> = all.collect::<Result<_, _>>()?;
    let threads = Threads::new(args.threads.threads).context("threads cannot be started")?;
    let quiet = quiet || args.json;
    let interrupt = Interrupt::default();
    interrupt.watch();
    let mut results = Results { name: String::new(), planned: folds, tested: Vec::new() };
    let mut too_much_lost = None;
    let mut out = PathBuf::new();
    for fold in all {
        let preset = preset_of(args, Some(fold))?;
        results.name.clone_from(&preset.name);
        let usual = || Path::new("runs").join(format!("{}-folds", preset.name));
        out = args.output.clone().unwrap_or_else(usual);
        let locations = Locations::from_environment(args.data.data_dir.clone())
            .with_progress(terminal::loading(quiet));
        let plan = Plan::new(preset, &locations)?;
        let warnings = match fold.number() {
            1 => intake_warnings(&plan.splits),
            // The others are those of the first fold.
            _ => missing_classes(&plan.splits),
        };
        terminal::warn(&warnings_text(&warnings))?;
        let folder = files::run_folder(&out.join(format!("fold-{}", fold.number())))?;
        let Some(experiment) = train(args, plan, &folder, &threads, &interrupt, quiet)? else {
            terminal::note(&format!("stopped in fold {} of {folds}", fold.number()));
            break;
        };
        let tested = Tested {
            fold,
            rows: experiment.splits.test.len(),
            precision: experiment.precision_name(),
            float: Figures::of(&experiment.float),
            quantized: Figures::of(&experiment.int8),
            metrics: metrics(&experiment),
        };
        if !quiet {
            terminal::note(&format!(
                "fold {} of {folds}: {} in float, {} in {}",
                fold.number(),
                tested.shown(tested.float.figure),
                tested.shown(tested.quantized.figure),
                tested.precision
            ));
        }
        results.tested.push(tested);
        // After each fold, so that an error in the next one loses nothing.
        let text = format!("{:#}\n", results.json());
        RunFolder::shared(&out)?.write(RESULTS, text.as_bytes())?;
        let lost = args.max_loss.check(&experiment.float, &experiment.int8).err();
        too_much_lost = too_much_lost.or(lost);
    }
    if results.tested.is_empty() {
        return Ok(());
    }
    if args.json {
        terminal::json(&results.json())?;
    } else {
        let written = foreign_text::path(&out.join(RESULTS));
        terminal::print(&format!("{}\n{written}\n", results.text()))?;
    }
    too_much_lost.map_or(Ok(()), Err)
}

/// Trains a fold into its folder. Returns `None` if it was interrupted.
fn train(
    args: &TrainArgs,
    plan: Plan,
    folder: &RunFolder,
    threads: &Threads,
    interrupt: &Interrupt,
    quiet: bool,
) -> anyhow::Result<Option<Experiment>> {
    let (preset, data) = (plan.preset.clone(), plan.data.clone());
    let batches = plan.splits.train.len().div_ceil(preset.training.batch_size);
    let progress = TrainProgress::bar(preset.training.epochs, batches, quiet);
    let logged = args.log.observe(progress, folder.path(), false);
    let mut watch = Checkpoints::new(logged, folder, &preset, &data, interrupt.stop.clone());
    let trained = plan.train(threads, &interrupt.stop, None, &mut watch);
    let mut logged = watch.into_progress();
    logged.inner().finish();
    let trained = trained?;
    if trained.outcome.interrupted {
        return Ok(None);
    }
    let core = args.target.map(Target::core);
    let experiment = complete(trained, folder, core, !args.no_playground, threads, interrupt)?;
    super::log::finish(&mut logged, folder.path(), &experiment);
    super::checkpoint::remove(folder);
    Ok(Some(experiment))
}

impl Tested {
    fn is_regression(&self) -> bool {
        self.float.confusion.names().is_empty()
    }

    fn shown(&self, figure: f64) -> String {
        match self.is_regression() {
            true => significant(figure),
            false => percent(figure),
        }
    }
}

/// Results of the finished folds.
struct Results {
    name: String,
    /// Number of folds.
    planned: usize,
    tested: Vec<Tested>,
}

/// Columns of the results: the float network and the quantized model.
const COLUMNS: [fn(&Tested) -> &Figures; 2] = [|tested| &tested.float, |tested| &tested.quantized];

impl Results {
    /// Returns the name of the quantized model's precision.
    fn precision(&self) -> &'static str {
        let mut names = self.tested.iter().map(|tested| tested.precision);
        let first = names.next().unwrap_or("quantized");
        match names.all(|name| name == first) {
            true => first,
            false => "quantized",
        }
    }

    fn figures(&self, column: fn(&Tested) -> &Figures) -> Vec<f64> {
        self.tested.iter().map(|tested| column(tested).figure).collect()
    }

    /// Returns the sum of the confusion matrices.
    fn confusion(&self, column: fn(&Tested) -> &Figures) -> Confusion {
        let mut matrices = self.tested.iter().map(|tested| &column(tested).confusion);
        let mut sum = matrices.next().map_or_else(|| Confusion::new(vec![]), Clone::clone);
        matrices.for_each(|confusion| sum.merge(confusion));
        sum
    }

    fn text(&self) -> String {
        let Some(first) = self.tested.first() else { return String::new() };
        let what = match first.is_regression() {
            true => "mean squared error",
            false => "accuracy",
        };
        let name = self.precision();
        let mut table = Table::new([what, "rows", "float", name]);
        for tested in &self.tested {
            let fold = format!("fold {} of {}", tested.fold.number(), tested.fold.of());
            let figures = COLUMNS.map(|column| Cell::from(tested.shown(column(tested).figure)));
            let [float, quantized] = figures;
            table.row([fold.into(), grouped(tested.rows as u64).into(), float, quantized]);
        }
        let rows: usize = self.tested.iter().map(|tested| tested.rows).sum();
        let moments = COLUMNS.map(|column| mean_and_deviation(&self.figures(column)));
        let [float, quantized] = moments.map(|(mean, _)| Cell::from(first.shown(mean)));
        let mean = match self.tested.len() {
            done if done < self.planned => format!("mean of {done} of {} folds", self.planned),
            _ => "mean".to_string(),
        };
        table.row([mean.into(), grouped(rows as u64).into(), float, quantized]);
        let [float, quantized] = moments.map(|(_, deviation)| Cell::from(first.shown(deviation)));
        table.row([
            "standard deviation".to_string().into(),
            String::new().into(),
            float,
            quantized,
        ]);
        let mut text = table.lines().join("\n");
        text.push('\n');
        let [float, quantized] = COLUMNS.map(|column| self.confusion(column));
        text + &confusions_text(&[("float", &float), (name, &quantized)])
    }

    /// Returns the results of all folds, and the metrics of each.
    fn json(&self) -> Value {
        let summary = |column: fn(&Tested) -> &Figures| {
            let figures = self.figures(column);
            let (mean, deviation) = mean_and_deviation(&figures);
            let confusion = self.confusion(column);
            let mut value =
                json!({ "folds": figures, "mean": mean, "standard_deviation": deviation });
            if !confusion.names().is_empty() {
                let rows = confusion.counts().rows().into_iter().map(|row| row.to_vec());
                value["confusion"] = json!(rows.collect::<Vec<_>>());
            }
            value
        };
        let [float, quantized] = COLUMNS.map(summary);
        let classes = self.tested.first().map(|tested| tested.float.confusion.names().to_vec());
        let metrics: Vec<&Value> = self.tested.iter().map(|tested| &tested.metrics).collect();
        json!({
            "preset": self.name,
            "metric": match classes.as_ref().is_none_or(Vec::is_empty) {
                true => "mean_squared_error",
                false => "accuracy",
            },
            "classes": classes,
            "folds": self.planned,
            "interrupted": self.tested.len() < self.planned,
            "float": float,
            (self.precision()): quantized,
            "runs": metrics,
        })
    }
}

/// Returns mean and sample standard deviation; that of one figure is 0.
fn mean_and_deviation(figures: &[f64]) -> (f64, f64) {
    let count = figures.len() as f64;
    let mean = figures.iter().sum::<f64>() / count.max(1.0);
    let squares: f64 = figures.iter().map(|figure| (figure - mean).powi(2)).sum();
    (mean, (squares / (count - 1.0).max(1.0)).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tested(number: usize, correct: usize, wrong: usize) -> Tested {
        let figures = |wrong: usize| {
            let mut confusion = Confusion::new(vec!["a".into(), "b".into()]);
            (0..correct).for_each(|_| confusion.add(1, 1));
            (0..wrong).for_each(|_| confusion.add(0, 1));
            Figures { figure: confusion.accuracy(), confusion }
        };
        Tested {
            fold: Fold::new(number, 2).unwrap(),
            rows: correct + wrong,
            precision: "int8",
            float: figures(0),
            quantized: figures(wrong),
            metrics: json!({}),
        }
    }

    #[test]
    fn folds_count_alike_in_the_mean_and_rows_in_the_matrix() {
        let results = Results {
            name: "p".into(),
            planned: 3,
            tested: vec![tested(1, 3, 1), tested(2, 1, 1)],
        };
        let value = results.json();
        assert_eq!(value["int8"]["folds"], json!([0.75, 0.5]));
        assert_eq!(value["int8"]["mean"], json!(0.625));
        let deviation = value["int8"]["standard_deviation"].as_f64().unwrap();
        assert!((deviation - 0.125 * 2f64.sqrt()).abs() < 1e-12, "{deviation}");
        assert_eq!(value["int8"]["confusion"], json!([[0, 2], [0, 4]]));
        assert_eq!(value["float"]["mean"], json!(1.0));
        let text = anstream::adapter::strip_str(&results.text()).to_string();
        assert!(text.contains("fold 2 of 2") && text.contains("62.50 %"), "{text}");
        assert!(text.contains("mean of 2 of 3 folds") && value["interrupted"] == true, "{text}");
    }
}
