//! `host-trainer sweep`: one training for each point of a grid.

use std::fs;
use std::num::NonZero;
use std::path::Path;

use anyhow::{Context, bail};
use serde_json::Value;

use super::args::SweepArgs;
use super::compare::compared;
use super::terminal;
use super::train::stop_on_interrupt;
use crate::data::Locations;
use crate::experiment::{Experiment, Plan};
use crate::preset::{self, Preset};
use crate::report::html::{Compared, compare_html};
use crate::report::style::{STRONG, paint};
use crate::report::{Cell, Table, percent, seconds};
use crate::run_folder::RunFolder;
use crate::train::{Observer, StopFlag, Threads};

/// A part of a sweep: the points whose number, modulo `count`, is `index`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Counted from 0.
    index: usize,
    /// Parts that there are.
    count: NonZero<usize>,
}

impl std::str::FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fail = || format!("`{text}` must be I/N with I from 1 to N, such as 2/3");
        let (index, count) = text.split_once('/').ok_or_else(fail)?;
        let count: NonZero<usize> = count.parse().map_err(|_| fail())?;
        let index: usize = index.parse().map_err(|_| fail())?;
        match (1..=count.get()).contains(&index) {
            true => Ok(Shard { index: index - 1, count }),
            false => Err(fail()),
        }
    }
}

/// A point of the grid: `key=value` for each key.
type Point = Vec<String>;

/// The points of a grid, the last key changing fastest. Each axis is `key=value,value,…`; a comma
/// inside brackets parts nothing.
fn points(axes: &[String]) -> anyhow::Result<Vec<Point>> {
    let mut points: Vec<Point> = vec![Vec::new()];
    for axis in axes {
        let Some((key, values)) = axis.split_once('=').filter(|(key, _)| !key.is_empty()) else {
            bail!("--grid {axis}: must be KEY=VALUE,VALUE,…");
        };
        let values = split_values(values);
        if values.iter().any(|value| value.is_empty()) {
            bail!("--grid {axis}: a value is missing");
        }
        let with = |point: &Point| {
            let point = point.clone();
            values.iter().map(move |value| [&point[..], &[format!("{key}={value}")]].concat())
        };
        points = points.iter().flat_map(with).collect();
    }
    Ok(points)
}

fn split_values(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut values) = (0, 0, Vec::new());
    for (index, character) in text.char_indices() {
        match character {
            '[' | '{' => depth += 1,
            ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                values.push(text[start..index].trim());
                start = index + 1;
            }
            _ => {}
        }
    }
    values.push(text[start..].trim());
    values
}

/// One who watches nothing.
struct Unseen;

impl Observer<f32> for Unseen {}

/// Trains each point of the grid that is not done yet, and shows all that are.
pub fn run(args: &SweepArgs, quiet: bool) -> anyhow::Result<()> {
    let base = preset::find(&args.preset)?.with_settings(&args.set)?;
    let points = points(&args.grid)?;
    let presets: Vec<Preset> =
        points.iter().map(|point| base.with_settings(point)).collect::<Result<_, _>>()?;
    let out =
        args.out.clone().unwrap_or_else(|| Path::new("runs").join(format!("sweep-{}", base.name)));
    let folder = RunFolder::create(&out)?;
    let threads = Threads::new(args.threads.threads).context("threads cannot be started")?;
    let locations = Locations::from_environment(args.data.data_dir.clone());
    let stop = StopFlag::default();
    stop_on_interrupt(&stop);
    for (number, preset) in presets.iter().enumerate() {
        let mine = args.shard.is_none_or(|shard| number % shard.count == shard.index);
        if !mine || stop.is_stopped() || finished(&out, number, preset).is_some() {
            continue;
        }
        if !quiet {
            eprint_line(&format!(
                "{}/{}  {}",
                number + 1,
                presets.len(),
                points[number].join("  ")
            ));
        }
        let experiment =
            Plan::new(preset.clone(), &locations)?.run(&threads, &stop, None, &mut Unseen);
        let experiment = match experiment {
            Ok(experiment) => experiment,
            // One point that diverges, or asks for too large a batch, is a result too.
            Err(error) => {
                eprint_line(&format!("  {error}"));
                continue;
            }
        };
        if !experiment.outcome.interrupted {
            let folder = RunFolder::create(run_path(&out, number))?;
            experiment.write(&folder)?;
            folder.write(Experiment::REPORT.0, experiment.report(&threads)?.as_bytes())?;
        }
    }
    let rows: Vec<Row> = presets
        .iter()
        .enumerate()
        .map(|(number, preset)| Row {
            number,
            point: points[number].clone(),
            metrics: finished(&out, number, preset),
        })
        .collect();
    // Each shard has a table of its own, so that none overwrites another's.
    let name = match args.shard {
        Some(shard) => format!("sweep-{}-of-{}", shard.index + 1, shard.count),
        None => "sweep".to_string(),
    };
    let (csv_name, page_name) = (format!("{name}.csv"), format!("{name}.html"));
    folder.write(&csv_name, csv(&args.grid, &rows).as_bytes())?;
    folder.write(&page_name, page(&base.name, &rows).as_bytes())?;
    terminal::print(&table(&args.grid, &rows))?;
    let (csv, page) = (out.join(csv_name), out.join(page_name));
    terminal::print(&format!("\n{}\n{}\n", csv.display(), page.display()))?;
    Ok(())
}

fn eprint_line(line: &str) {
    use std::io::Write;
    // A line that cannot be shown is no reason to stop.
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

fn run_path(out: &Path, number: usize) -> std::path::PathBuf {
    out.join(format!("{:04}", number + 1))
}

/// The metrics of a point that was trained before, by this sweep or another part of it.
fn finished(out: &Path, number: usize, preset: &Preset) -> Option<Value> {
    let folder = run_path(out, number);
    let text = fs::read_to_string(folder.join("preset.toml")).ok()?;
    // What was trained with other settings is trained anew.
    if text != preset.to_toml() {
        return None;
    }
    serde_json::from_str(&fs::read_to_string(folder.join("metrics.json")).ok()?).ok()
}

/// A point with what it reached.
struct Row {
    number: usize,
    point: Point,
    metrics: Option<Value>,
}

impl Row {
    /// Float, quantized: accuracies or squared errors; then seconds.
    fn figures(&self) -> Option<[f64; 3]> {
        let metrics = self.metrics.as_ref()?;
        let quantized = ["int8", "int16"].into_iter().find(|name| metrics[*name].is_object())?;
        let figure = |name: &str| {
            let test = &metrics[name]["test"];
            test["accuracy"].as_f64().or(test["mean_squared_error"].as_f64())
        };
        Some([figure("float")?, figure(quantized)?, metrics["training"]["seconds"].as_f64()?])
    }

    fn is_regression(&self) -> bool {
        let error = |metrics: &Value| metrics["float"]["test"]["mean_squared_error"].is_number();
        self.metrics.as_ref().is_some_and(error)
    }

    fn values(&self) -> Vec<&str> {
        self.point.iter().filter_map(|setting| Some(setting.split_once('=')?.1)).collect()
    }
}

fn keys(axes: &[String]) -> Vec<&str> {
    axes.iter().filter_map(|axis| Some(axis.split_once('=')?.0)).collect()
}

fn csv(axes: &[String], rows: &[Row]) -> String {
    let quoted = |text: &str| match text.contains([',', '"']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_string(),
    };
    let mut csv = format!("run,{},float,quantized,seconds\n", keys(axes).join(","));
    for row in rows {
        let values: Vec<String> = row.values().into_iter().map(quoted).collect();
        let figures = match row.figures() {
            Some([float, quantized, seconds]) => format!("{float},{quantized},{seconds:.3}"),
            None => ",,".to_string(),
        };
        csv += &format!("{:04},{},{figures}\n", row.number + 1, values.join(","));
    }
    csv
}

/// All points that are done, side by side, each with a link to its own report.
fn page(name: &str, rows: &[Row]) -> String {
    let of_row = |row: &Row| {
        let folder = format!("{:04}", row.number + 1);
        Some(Compared {
            run: format!("{folder} · {}", row.point.join(", ")),
            report: Some(format!("{folder}/{}", Experiment::REPORT.0)),
            ..compared(Path::new(&folder), row.metrics.as_ref()?)
        })
    };
    let runs: Vec<Compared> = rows.iter().filter_map(of_row).collect();
    let title = format!("{name}: {} of {} points of the sweep", runs.len(), rows.len());
    compare_html(&title, &runs)
}

fn table(axes: &[String], rows: &[Row]) -> String {
    let mut header = vec!["run"];
    header.extend(keys(axes));
    header.extend(["float", "quantized", "time"]);
    let mut table = Table::new(header);
    let regression = rows.iter().any(Row::is_regression);
    let better = |a: &f64, b: &f64| if regression { b.total_cmp(a) } else { a.total_cmp(b) };
    let best = rows.iter().filter_map(|row| Some(row.figures()?[0])).max_by(better);
    for row in rows {
        let figures = row.figures();
        let style = match (figures, best) {
            (Some([float, ..]), Some(best)) if float == best => STRONG,
            _ => anstyle::Style::new(),
        };
        let mut cells = vec![Cell::styled(format!("{:04}", row.number + 1), style)];
        cells.extend(row.values().into_iter().map(|value| Cell::styled(value, style)));
        let show = |value: f64| if regression { format!("{value:.6}") } else { percent(value) };
        match figures {
            Some([float, quantized, time]) => cells.extend(
                [show(float), show(quantized), seconds(time)].map(|text| Cell::styled(text, style)),
            ),
            None => cells.extend(["–", "–", "–"].map(Cell::from)),
        }
        table.row(cells);
    }
    let mut text: String = table.lines().into_iter().map(|line| line + "\n").collect();
    if best.is_some() {
        text += &format!(
            "\n{} is the best, by what the float network reaches\n",
            paint(STRONG, "bold")
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_has_every_combination() {
        let axes = ["a.b=1,2".to_string(), "c=[1, 2],x".to_string()];
        let expected =
            [["a.b=1", "c=[1, 2]"], ["a.b=1", "c=x"], ["a.b=2", "c=[1, 2]"], ["a.b=2", "c=x"]];
        assert_eq!(points(&axes).unwrap(), expected);
        assert!(points(&["a".to_string()]).is_err());
        assert!(points(&["a=1,".to_string()]).unwrap_err().to_string().contains("missing"));
    }

    #[test]
    fn shards_are_counted_from_one() {
        let shard: Shard = "2/3".parse().unwrap();
        assert_eq!((shard.index, shard.count.get()), (1, 3));
        for text in ["0/3", "4/3", "1/0", "1", "a/b", ""] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }

    #[test]
    fn results_become_csv() {
        let metrics = serde_json::json!({
            "float": { "test": { "accuracy": 0.75 } },
            "int8": { "test": { "accuracy": 0.5 } },
            "training": { "seconds": 1.25 },
        });
        let axes = ["a=1".to_string(), "c=[1, 2]".to_string()];
        let point = points(&axes).unwrap().remove(0);
        let rows = [
            Row { number: 0, point: point.clone(), metrics: Some(metrics) },
            Row { number: 1, point, metrics: None },
        ];
        assert_eq!(
            csv(&axes, &rows),
            "run,a,c,float,quantized,seconds\n0001,1,\"[1, 2]\",0.75,0.5,1.250\n\
             0002,1,\"[1, 2]\",,,\n"
        );
        assert!(table(&axes, &rows).contains("75.00 %"));
    }
}
