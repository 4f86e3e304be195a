//! Trains the presets and the commands of `host-trainer/NOTEBOOKS.md` with several seeds, and writes
//! their figures into that page, into `host-trainer/README.md` and `ZOO.md`, and into the list of
//! presets.
//!
//! `figures [WORD]...` trains only commands that contain one of the words. Finished trainings are
//! kept in `target/figures`, so that an interrupted run goes on. All take about an hour.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

use host_trainer::report::grouped;
use serde_json::Value;
use thimble_tests::command::{Finished, host_trainer_path};
use thimble_tests::workspace;

/// Seeds of a command.
const SEEDS: std::ops::RangeInclusive<u64> = 1..=3;
/// Seeds of the command whose outcome depends on the seed most.
const MANY_SEEDS: std::ops::RangeInclusive<u64> = 1..=24;
const WITH_MANY_SEEDS: &str = "train u-spirals-2";
/// Accuracy in percent above which a network of two classes has learnt something.
const LEARNT: f64 = 55.0;
/// Commands that take as long as all others together, with one seed.
const WITH_ONE_SEED: [&str; 4] =
    ["train d-1024-sigmoid", "train zoo-mnist-48k", "train zoo-mnist-213k", "train zoo-mnist-2m"];
/// Start of a command in the documents.
const CARGO: &str = "cargo thimble ";

fn main() -> io::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let folder = workspace::root().join("target/figures");
    fs::create_dir_all(&folder)?;
    // A copy, so that a build meanwhile changes nothing.
    let program = folder.join("host-trainer");
    fs::copy(host_trainer_path(), &program)?;
    let runs = Runs { program, folder, words };

    let page = workspace::root().join("host-trainer/NOTEBOOKS.md");
    rewrite(&page, |line| {
        let command = line.split('`').nth(1)?.strip_prefix(CARGO)?;
        let figures = runs.of(command.starts_with("train ").then_some(command)?)?;
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let kept = cells.get(..4)?.join(" | ");
        Some(format!("| {kept} | {} |", figures.cell()))
    })?;

    let list = workspace::root().join("host-trainer/preset/reached.txt");
    let names: Vec<String> = fs::read_to_string(&list)?
        .lines()
        .filter_map(|line| Some(line.split_once('\t')?.0.to_string()))
        .collect();
    let mut reached = BTreeMap::new();
    for name in &names {
        if let Some(figures) = runs.of(&format!("train {name}")) {
            reached.insert(name.clone(), figures);
        }
    }
    rewrite(&list, |line| {
        let name = line.split_once('\t')?.0;
        Some(format!("{name}\t{}", reached.get(name)?.sentence()))
    })?;
    rewrite(&workspace::root().join("host-trainer/ZOO.md"), |line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let figures = reached.get(*cells.first()?)?;
        Some(format!("| {} | {} |", cells.get(..4)?.join(" | "), figures.cells_of_zoo()))
    })?;
    rewrite(&workspace::root().join("host-trainer/README.md"), |line| {
        let mut cells = line.strip_prefix("| ")?.split(" | ");
        let title = cells.next()?;
        let figures = reached.get(title.split(',').next()?)?;
        (cells.count() == 2).then(|| format!("| {title} | {} |", figures.two_cells()))
    })
}

/// Replaces each line of a file for which there is another.
fn rewrite(path: &Path, replaced: impl Fn(&str) -> Option<String>) -> io::Result<()> {
    let text = fs::read_to_string(path)?;
    let lines = text.lines().map(|line| replaced(line).unwrap_or_else(|| line.to_string()) + "\n");
    let new: String = lines.collect();
    fs::write(path, new)?;
    println!("{}", path.display());
    Ok(())
}

/// Trainings, finished or to be run.
struct Runs {
    program: PathBuf,
    folder: PathBuf,
    words: Vec<String>,
}

impl Runs {
    /// Returns the figures of a command, or `None` if it is not chosen and was not run before.
    fn of(&self, command: &str) -> Option<Figures> {
        let chosen = self.words.is_empty() || self.words.iter().any(|word| command.contains(word));
        let seeds = match command {
            WITH_MANY_SEEDS => MANY_SEEDS,
            command if WITH_ONE_SEED.contains(&command) => 1..=1,
            _ => SEEDS,
        };
        let metrics: Vec<Value> =
            seeds.map(|seed| self.metrics(command, seed, chosen)).collect::<Option<_>>()?;
        Figures::of(&metrics)
    }

    fn metrics(&self, command: &str, seed: u64, chosen: bool) -> Option<Value> {
        let plain: String = command
            .chars()
            .map(|c| if c.is_alphanumeric() || c == '-' { c } else { '_' })
            .collect();
        let kept = self.folder.join(format!("{plain}-{seed}.json"));
        if let Ok(text) = fs::read_to_string(&kept) {
            return serde_json::from_str(&text).ok();
        }
        if !chosen {
            return None;
        }
        println!("{command} --seed {seed}");
        let mut program = Command::new(&self.program);
        program.args(command.split(' ')).args(["--seed", &seed.to_string(), "--json", "--output"]);
        let finished = Finished::of(program.arg(self.folder.join("run"))).success();
        fs::write(&kept, &finished.stdout).ok()?;
        serde_json::from_str(&finished.stdout).ok()
    }
}

/// Figures of several seeds.
struct Figures {
    /// Split of the results.
    results: &'static str,
    /// Name of the quantized model's data type.
    data_type: &'static str,
    classes: bool,
    /// Accuracies in percent or mean squared errors, per seed.
    float: Vec<f64>,
    quantized: Vec<f64>,
    /// Mean absolute errors.
    absolute: Vec<f64>,
    /// Accuracies of the validation rows, where the results are those of test rows.
    validation: Vec<f64>,
    /// Mean loss of the results.
    log_loss: Option<f64>,
    /// Accuracies of the quantized models on the rows that select among them.
    selection: Vec<f64>,
    /// Bytes of the model file.
    bytes: u64,
    /// Seconds of training.
    seconds: f64,
}

impl Figures {
    fn of(metrics: &[Value]) -> Option<Figures> {
        let first = metrics.first()?;
        let results = ["test", "validation"]
            .into_iter()
            .find(|part| first["float"][part]["rows"].is_number())?;
        let data_type =
            ["int8", "int16", "mixed"].into_iter().find(|name| first[name].is_object())?;
        let classes = first["float"][results]["accuracy"].is_number();
        let key = if classes { "accuracy" } else { "mean_squared_error" };
        let factor = if classes { 100.0 } else { 1.0 };
        let all = |find: &dyn Fn(&Value) -> Option<f64>| -> Vec<f64> {
            metrics.iter().filter_map(find).collect()
        };
        let scaled = |network: &'static str| {
            all(&move |m| Some(m[network][results][key].as_f64()? * factor))
        };
        let loss = all(&|m| m["float"][results]["log_loss"].as_f64());
        let seconds = all(&|m| m["training"]["seconds"].as_f64());
        Some(Figures {
            results,
            data_type,
            classes,
            float: scaled("float"),
            // Another seed may have got another data type.
            quantized: all(&|m| {
                let name = ["int8", "int16", "mixed"].into_iter().find(|n| m[n].is_object())?;
                Some(m[name][results][key].as_f64()? * factor)
            }),
            absolute: all(&|m| m["float"][results]["mean_absolute_error"].as_f64()),
            validation: match results {
                "test" => all(&|m| Some(m["float"]["validation"]["accuracy"].as_f64()? * 100.0)),
                _ => Vec::new(),
            },
            selection: all(&|m| Some(m["selection"][data_type]["accuracy"].as_f64()? * 100.0)),
            bytes: first[data_type]["model_bytes"].as_u64()?,
            log_loss: (!loss.is_empty()).then(|| mean(&loss)),
            seconds: mean(&seconds),
        })
    }

    fn text(&self, values: &[f64]) -> String {
        match self.classes {
            true => format!("{:.2} %", mean(values)),
            false => format!("{:.6}", mean(values)),
        }
    }

    fn spread(&self, values: &[f64]) -> String {
        match (values.len(), self.classes) {
            (1, _) => " (one seed)".to_string(),
            (_, true) => format!(" ± {:.2}", spread(values)),
            (_, false) => format!(" ± {:.6}", spread(values)),
        }
    }

    /// Text for the list of presets.
    fn sentence(&self) -> String {
        let what = if self.classes { "" } else { "a mean squared error of " };
        let (float, quantized) = (self.text(&self.float), self.text(&self.quantized));
        match float == quantized {
            true => format!("{what}{float} in float and in {}", self.data_type),
            false => format!("{what}{float} in float, {quantized} in {}", self.data_type),
        }
    }

    /// Cells of the table in README.md.
    fn two_cells(&self) -> String {
        let cell = |values: &[f64]| format!("{}{}", self.text(values), self.spread(values));
        format!("{} | {}", cell(&self.float), cell(&self.quantized))
    }

    /// Cells of the table in ZOO.md: bytes, validation rows and test rows of the quantized model by
    /// seed, seconds.
    fn cells_of_zoo(&self) -> String {
        let each = |values: &[f64]| {
            values.iter().map(|value| format!("{value:.2}")).collect::<Vec<_>>().join(", ")
        };
        let (validation, test) = (each(&self.selection), each(&self.quantized));
        format!("{} B | {validation} | {test} | {:.0} s", grouped(self.bytes), self.seconds)
    }

    /// Cell of the table in NOTEBOOKS.md.
    fn cell(&self) -> String {
        if !self.classes {
            return format!(
                "MSE {:.1e} ± {:.0e}, {} {:.1e}, MAE {:.4} ({}), {:.0} s",
                mean(&self.float),
                spread(&self.float),
                self.data_type,
                mean(&self.quantized),
                mean(&self.absolute),
                self.results,
                self.seconds
            );
        }
        if self.float.len() > 3 {
            let each = |values: &[f64]| {
                values.iter().map(|value| format!("{value:.1}")).collect::<Vec<_>>().join(", ")
            };
            let learnt = self.float.iter().filter(|&&accuracy| accuracy > LEARNT).count();
            return format!(
                "{} %: {learnt} of {} above {LEARNT} %; {} {} % ({})",
                each(&self.float),
                self.float.len(),
                self.data_type,
                each(&self.quantized),
                self.results
            );
        }
        let validation = match self.validation.is_empty() {
            true => String::new(),
            false => format!(
                "{:.2} %{} validation, ",
                mean(&self.validation),
                self.spread(&self.validation)
            ),
        };
        let loss = self.log_loss.map_or(String::new(), |loss| format!(", loss {loss:.3}"));
        format!(
            "{validation}{}{} {}{loss}, {} {}, {:.0} s",
            self.text(&self.float),
            self.spread(&self.float),
            self.results,
            self.data_type,
            self.text(&self.quantized),
            self.seconds
        )
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Returns half the difference of the largest and the smallest.
fn spread(values: &[f64]) -> f64 {
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    (most - least) / 2.0
}
