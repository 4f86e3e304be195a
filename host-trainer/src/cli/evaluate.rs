//! `host-trainer evaluate`.

use std::fs;
use std::path::Path;

use anyhow::{Context, bail};
use model_format::Model;

use super::args::EvaluateArgs;
use super::terminal;
use crate::data::{Locations, Source, Splits};
use crate::evaluate::evaluate_int8;
use crate::preset::{self, Preset, nearest};
use crate::report::style::{FAINT, HEADING, paint};
use crate::report::{Column, accuracy_text, confusion_text, grouped, model_text};
use crate::train::Threads;

/// Evaluates a model on the test rows of a dataset.
pub fn run(args: &EvaluateArgs) -> anyhow::Result<()> {
    let source = source(&args.dataset)?;
    let bytes = read_model(&args.model)?;
    let model = Model::parse(&bytes).with_context(|| args.model.display().to_string())?;
    let (preset, origin) = split_preset(&args.model, source)?;
    let seed = args.seed.unwrap_or(preset.seed);
    let threads = Threads::new(args.threads.threads).context("threads cannot be started")?;
    let loaded = source.load(&Locations::from_environment(args.data.data_dir.clone()))?;
    let rows = match source.has_test() {
        true => format!("all test rows of {source}"),
        false => format!("test rows of {source} as {origin} parts it with seed {seed}"),
    };
    let splits = Splits::new(loaded, preset.data.test, None, seed)?;
    let evaluation = evaluate_int8(&model, &splits.test, &threads)?;
    let mut text = format!(
        "{}  on {} {rows}\n\n",
        paint(HEADING, model.name()),
        grouped(splits.test.len() as u64)
    );
    text += &accuracy_text(&[Column { title: "int8", evaluation: &evaluation }]);
    text += &format!("\n{}\n", paint(FAINT, "row: true class · column: taken for"));
    text += &confusion_text(&[("int8", &evaluation.confusion)], terminal::width());
    text += "\n";
    text += &model_text(&model, None);
    terminal::print(&text)?;
    Ok(())
}

/// The dataset of this name.
pub(super) fn source(name: &str) -> anyhow::Result<Source> {
    if let Some(source) = Source::from_name(name) {
        return Ok(source);
    }
    let known = Source::ALL.map(Source::name);
    let meant = nearest(name, known).map_or(String::new(), |n| format!(" (did you mean `{n}`?)"));
    bail!("there is no dataset `{name}`{meant}. There are: {}", known.join(", "))
}

/// The bytes of a model file.
pub(super) fn read_model(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("{}: the model cannot be read", path.display()))
}

/// The preset that says which rows are test rows: that of the run which made the model, where it
/// lies beside it, or the one that comes with the program.
fn split_preset(model: &Path, source: Source) -> anyhow::Result<(Preset, String)> {
    let beside = model.with_file_name("preset.toml");
    if let Ok(text) = fs::read_to_string(&beside) {
        let name = beside.display().to_string();
        let preset = Preset::read(&text, &name)?;
        if preset.data.dataset == source {
            return Ok((preset, name));
        }
    }
    Ok((preset::find(source.name())?, format!("the preset {source}")))
}
