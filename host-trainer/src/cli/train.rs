//! `host-trainer train`: training, quantization, and evaluation of a network.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use anyhow::{Context, bail};
use model_format::Model;
use serde_json::json;
use tempfile::TempDir;

use super::args::TrainArgs;
use super::aware::{budget_of, mixed_weights, rounding_text, weights_setting};
use super::checkpoint::{self, Checkpoints};
use super::progress::TrainProgress;
use super::weights::{Target, Weights};
use super::{files, folds, terminal};
use crate::data::{Fold, Locations, Results};
use crate::evaluate::{Confusion, Threshold};
use crate::experiment::{Experiment, Plan, SavedRun, Trained, metrics};
use crate::foreign_text::{self, escaped, shown};
use crate::network::Network;
use crate::pack::Core;
use crate::preset::Preset;
use crate::report::{
    Column, architecture_text, attempts_text, aware_text, clipping_text, confusion_text,
    constant_warnings, feature_ranges, grouped, intake_text, intake_warnings, model_text, percent,
    quality_text, seconds, significant, warnings_text,
};
use crate::run_folder::RunFolder;
use crate::threads::Threads;
use crate::train::StopFlag;

/// Exit code that a shell reports for a program ended by Ctrl-C.
const INTERRUPTED: i32 = 130;

/// Trains, writes the weights, quantizes, evaluates, and writes the remaining files.
pub fn run(args: &TrainArgs, quiet: bool) -> anyhow::Result<()> {
    if let Some(folds) = args.folds {
        return folds::run(args, folds, quiet);
    }
    let preset = preset_of(args, args.fold)?;
    let threads = Threads::new(args.threads.threads).context("threads cannot be started")?;
    let out = args.output.clone().unwrap_or_else(|| Path::new("runs").join(&preset.name));
    let locations = Locations::from_environment(args.data.data_dir.clone())
        .with_progress(terminal::loading(quiet || args.json));
    let mut plan = Plan::new(preset, &locations)?;
    if let Some(from) = &args.from {
        start_from(&mut plan, from, &out)?;
    }
    let budget = match args.weights {
        Some(Weights::Auto) => Some(budget_of(args)?),
        _ => None,
    };
    if let Some(budget) = budget {
        let weights = mixed_weights(&mut plan, budget, &threads)?;
        if !quiet && !args.json {
            terminal::print(&format!("{weights}\n\n"))?;
        }
    }
    let folder = files::run_folder(&out)?;
    let resume = match args.resume {
        true => Some(checkpoint::read(&folder, &plan.preset, &plan.data)?),
        false => None,
    };
    let quiet = quiet || args.json;
    if !quiet {
        terminal::print(&introduction(&plan))?;
        terminal::print(&intake_text(&plan.preset.data.dataset, &plan.splits))?;
    }
    // Warnings are shown even with `--quiet`.
    terminal::warn(&warnings_text(&intake_warnings(&plan.splits)))?;
    let interrupt = Interrupt::default();
    interrupt.watch();
    let batches = plan.splits.train.len().div_ceil(plan.preset.training.batch_size);
    let progress = TrainProgress::new(plan.preset.training.epochs, batches, quiet);
    let stop = interrupt.stop.clone();
    let logged = args.log.observe(progress, folder.path(), args.resume);
    let mut watch = Checkpoints::new(logged, &folder, &plan.preset, &plan.data, stop.clone());
    let trained = plan.train(&threads, &stop, resume, &mut watch);
    let mut logged = watch.into_progress();
    logged.inner().finish();
    let trained = trained?;
    let interrupted = trained.outcome.interrupted;
    let core = args.target.map(Target::core);
    let experiment = complete(trained, &folder, core, !args.no_playground, &threads, &interrupt)?;
    super::log::finish(&mut logged, folder.path(), &experiment);
    if !interrupted {
        checkpoint::remove(&folder);
    }
    match args.json {
        true => {
            let mut value = metrics(&experiment);
            value["folder"] = json!(folder.path().display().to_string());
            terminal::json(&value)?;
        }
        false => terminal::print(&results(&experiment, &folder)?)?,
    }
    budget.map_or(Ok(()), |budget| budget.check(experiment.model_bytes()))?;
    args.max_loss.check(&experiment.float, &experiment.int8)
}

/// Returns the preset with the settings of the command line, and with this fold as test rows.
pub(super) fn preset_of(args: &TrainArgs, fold: Option<Fold>) -> anyhow::Result<Preset> {
    let fold = fold.map(|fold| {
        let (number, of) = (fold.number(), fold.of());
        format!("data.test={{ fold = {{ number = {number}, of = {of} }} }}")
    });
    let of_test = |setting: &&String| setting.trim_start().starts_with("data.test");
    if let (Some(_), Some(setting)) = (&fold, args.set.iter().find(of_test)) {
        bail!("--set {}: the test rows are those of the fold. Leave it out", shown(setting));
    }
    let settings = weights_setting(args)?.into_iter().chain(args.set.clone()).chain(fold);
    let settings: Vec<String> = settings.collect();
    let locations = Locations::from_environment(args.data.data_dir.clone());
    let preset = args.table.find(&args.preset, &settings, &locations)?;
    let preset = preset.with_teachers(&args.teacher)?;
    let mut preset = preset.with_settings(&settings)?;
    preset.seed = args.seed.unwrap_or(preset.seed);
    Ok(preset)
}

/// Replaces the initial weights by those of another run with the same layers.
fn start_from(plan: &mut Plan, from: &Path, output: &Path) -> anyhow::Result<()> {
    let folder = || foreign_text::path(from);
    if files::is_same_place(from, output) {
        bail!(
            "{}: the new run would replace this one. Choose another folder with --output",
            folder()
        );
    }
    let saved = SavedRun::open_learnt(from)?;
    let layers = |network: &Network<f32>| network.layers().map(|v| *v.layer).collect::<Vec<_>>();
    let (own, other) = (&plan.network, &saved.network);
    if layers(own) != layers(other) || own.head() != other.head() {
        bail!(
            "{}: its network is {}, but the preset has {}, or other activations. Train with its own \
             preset, {}",
            folder(),
            saved.preset.network.shape(other.inputs()),
            plan.preset.network.shape(own.inputs()),
            foreign_text::path(&from.join("preset.toml"))
        );
    }
    plan.network.parameters_mut().copy_from_slice(saved.network.parameters());
    plan.network.state_mut().copy_from_slice(saved.network.state());
    Ok(())
}

/// Writes the weights, quantizes, and writes the remaining files into the folder. If the folder
/// takes no more, as on a full disk, writes them into a new temporary folder.
///
/// # Errors
/// Returns the failed step of quantization or writing, and the location of the trained weights.
pub(super) fn complete(
    trained: Trained,
    folder: &RunFolder,
    core: Option<Core>,
    playground: bool,
    threads: &Threads,
    interrupt: &Interrupt,
) -> anyhow::Result<Experiment> {
    let name = trained.preset.name.clone();
    // The run's folder, or its replacement.
    let spare: Spare;
    let (mut failure, mut place) = (None, None);
    let mut writer = match trained.write(folder, core) {
        Ok(writer) => writer,
        Err(error) => {
            spare = match Spare::new(&name) {
                Ok(spare) => spare,
                Err(_) => return Err(error.into()),
            };
            match trained.write(&spare.folder, core) {
                Ok(writer) => {
                    place = Some(spare.keep());
                    failure = Some(error);
                    writer
                }
                Err(_) => return Err(error.into()),
            }
        }
    };
    interrupt.learnt_is_in(Some(writer.folder().path()));
    if interrupt.stop.is_stopped() && !trained.outcome.interrupted {
        // Ctrl-C came after the last batch, when training could no longer be stopped.
        leave(writer.folder().path());
    }
    let learnt = foreign_text::path(writer.folder().path());
    let experiment = trained.quantize(core, threads).with_context(|| {
        format!(
            "the trained weights are in {learnt}. \
             Continue with `host-trainer quantize {learnt}`"
        )
    })?;
    let report = experiment.report(playground, threads);
    let pages = report.as_ref().ok();
    if let Err(error) = experiment.write_model(&mut writer, pages) {
        // The whole run in one folder.
        if let Ok(spare) = Spare::new(&name)
            && experiment.write(&spare.folder, pages).is_ok()
        {
            place = Some(spare.keep());
        }
        failure.get_or_insert(error);
    }
    interrupt.learnt_is_in(None);
    match (failure, place) {
        (None, _) => {
            report?;
            Ok(experiment)
        }
        (Some(error), None) => Err(error.into()),
        (Some(error), Some(place)) => Err(anyhow::Error::new(error)
            .context(format!("the run was written to {} instead", foreign_text::path(&place)))),
    }
}

/// A new temporary folder, removed unless it is kept.
struct Spare {
    folder: RunFolder,
    temporary: Cell<Option<TempDir>>,
}

impl Spare {
    fn new(name: &str) -> anyhow::Result<Self> {
        let temporary = tempfile::Builder::new().prefix(&format!("{name}-")).tempdir()?;
        let folder = RunFolder::create(temporary.path())?;
        Ok(Spare { folder, temporary: Cell::new(Some(temporary)) })
    }

    fn keep(&self) -> PathBuf {
        if let Some(temporary) = self.temporary.take() {
            return temporary.keep();
        }
        self.folder.path().to_path_buf()
    }
}

/// Ends the interrupted program, and shows how to resume.
fn leave(folder: &Path) -> ! {
    let folder = foreign_text::path(folder);
    terminal::note(&format!(
        "\nstopped: the trained weights are in {folder}. Continue with `host-trainer quantize \
         {folder}`"
    ));
    std::process::exit(INTERRUPTED);
}

/// Ctrl-C handler. It stops training after the current batch. It ends the program if training was
/// stopped before, or if the trained weights are on disk.
#[derive(Clone, Default)]
pub(super) struct Interrupt {
    /// Stops training.
    pub stop: StopFlag,
    /// Folder of the network that is being quantized.
    learnt: Arc<Mutex<Option<PathBuf>>>,
}

impl Interrupt {
    /// Installs the handler.
    pub fn watch(&self) {
        let Interrupt { stop, learnt } = self.clone();
        // Without a handler, Ctrl-C ends the program at once, as usual.
        let _ = ctrlc::set_handler(move || {
            let learnt = learnt.lock().ok().and_then(|folder| folder.clone());
            if let Some(folder) = learnt {
                leave(&folder);
            }
            if stop.is_stopped() {
                std::process::exit(INTERRUPTED);
            }
            stop.stop();
        });
    }

    /// Records the folder of the trained weights while the model is made.
    pub fn learnt_is_in(&self, folder: Option<&Path>) {
        if let Ok(mut learnt) = self.learnt.lock() {
            *learnt = folder.map(Path::to_path_buf);
        }
    }
}

/// Text about the data, the network and the training, before it begins.
fn introduction(plan: &Plan) -> String {
    use crate::report::style::{HEADING, paint};

    let preset = &plan.preset;
    let validation = match &plan.splits.validation {
        Some(rows) => format!(" · {} validation", grouped(rows.len() as u64)),
        None => String::new(),
    };
    let test = match plan.splits.results {
        Results::Test => format!(" · {} test", grouped(plan.splits.test.len() as u64)),
        Results::Validation => String::new(),
    };
    let notes: String = plan.notes.iter().map(|note| format!("\n           {note}")).collect();
    let scaled = match plan.splits.train.target_scaling() {
        Some(_) => ", of scaled targets (all other metrics are in the target's own unit)",
        None => "",
    };
    let mut text = format!(
        "{}  {}\n  data     {} training{validation}{test} rows, {}{notes}\n  network  {}, {} parameters\n  \
         training {} epochs, batches of {}, {}, seed {}\n  loss     {}{scaled}\n",
        paint(HEADING, &preset.name),
        escaped(&preset.description),
        grouped(plan.splits.train.len() as u64),
        shown(&plan.origin),
        preset.network.shape(plan.network.inputs()),
        grouped(plan.network.parameters().len() as u64),
        preset.training.epochs,
        preset.training.batch_size,
        preset.training.optimizer.name(),
        preset.seed,
        preset.training.loss.name(),
    );
    text += &class_weights_text(plan);
    text += &rounding_text(&plan.preset);
    text += &format!("\n{}", architecture_text(&plan.network));
    text + "\n"
}

/// Text for the class weights in the loss, if there are any.
fn class_weights_text(plan: &Plan) -> String {
    const SHOWN: usize = 12;
    let Some(weights) = plan.splits.train.class_weights() else { return String::new() };
    let names = plan.splits.train.dataset().class_names();
    let each = names.iter().zip(weights).take(SHOWN);
    let each: Vec<String> =
        each.map(|(name, weight)| format!("{name} {}", significant((*weight).into()))).collect();
    let more = if names.len() > SHOWN { " …" } else { "" };
    format!("  weights  {}{more}\n", each.join(" · "))
}

/// Text for the results.
pub(super) fn results(experiment: &Experiment, folder: &RunFolder) -> anyhow::Result<String> {
    use crate::report::style::{BAD, FAINT, HEADING, paint};

    let Experiment { outcome, float, int8, .. } = experiment;
    let model = Model::parse(experiment.model_bytes())?;
    let mut text = String::new();
    if outcome.interrupted {
        let epochs = outcome.history.epochs.len();
        let note =
            format!("stopped in epoch {epochs}; the weights are kept, and --resume continues");
        text += &format!("{}\n", paint(BAD, note));
    }
    if let Some(kept) = outcome.kept_epoch() {
        let spent = outcome.history.epochs.iter().map(|record| record.seconds).sum();
        let accuracy = match kept.train.mean_absolute_error() {
            Some(error) => format!("mean absolute error {}", significant(error)),
            None => format!("accuracy {}", percent(kept.train.accuracy())),
        };
        text += &format!(
            "trained in {}, {} per epoch on {}: loss {:.4}{}, {accuracy} on the training rows\n",
            seconds(spent),
            seconds(outcome.history.seconds_per_epoch()),
            match outcome.workers {
                1 => "one thread".to_string(),
                workers => format!("{workers} threads"),
            },
            kept.train.loss(),
            match experiment.splits.train.target_scaling() {
                Some(_) => " of scaled targets",
                None => "",
            },
        );
    }
    let validated = outcome.kept_epoch().and_then(|kept| kept.validation);
    if let (Some(validated), Results::Test) = (validated, experiment.splits.results) {
        text += &format!("validation rows: {}\n", super::progress::score(&validated));
    }
    if let Some(epoch) = outcome.best_epoch {
        let epochs = outcome.history.epochs.len();
        text += &format!(
            "epoch {epoch} of {epochs} was the best; its weights are kept and evaluated\n"
        );
    }
    text += &threshold_text(experiment);
    text += "\n";
    let name = experiment.precision_name();
    let columns =
        [Column { title: "float", evaluation: float }, Column { title: name, evaluation: int8 }];
    for warning in constant_warnings(&columns) {
        text += &format!("{}\n\n", paint(BAD, format!("warning: {warning}")));
    }
    text += &quality_text(&columns, experiment.splits.results);
    text += &confusions_text(&[("float", &float.confusion), (name, &int8.confusion)]);
    text += &format!("\n{}", attempts_text(&experiment.choice));
    if let Some(aware) = aware_text(&outcome.network, float, int8) {
        text += &format!("{aware}\n");
    }
    if let Some(clipping) = clipping_text(&feature_ranges(&model)) {
        text += &format!("{clipping}\n");
    }
    text += "\n";
    text += &model_text(&model, Some(outcome.network.parameters().len() * 4));
    text += &format!("\n{}\n", paint(HEADING, "written"));
    let surface = Some(Experiment::SURFACE);
    let surface = surface.filter(|(name, _)| folder.path().join(name).is_file());
    let files = Experiment::FILES.into_iter().chain([Experiment::REPORT]).chain(surface);
    for (name, what) in
        files.filter(|(n, _)| experiment.has_classes() || !n.starts_with("confusion"))
    {
        let path: PathBuf = folder.path().join(name);
        let width = foreign_text::path(folder.path()).len() + 22;
        text += &format!("  {:<width$} {}\n", foreign_text::path(&path), paint(FAINT, what));
    }
    Ok(text)
}

/// Text for the threshold between two classes and the rows that selected it, if it is not 0.5.
fn threshold_text(experiment: &Experiment) -> String {
    let threshold = experiment.objective.threshold;
    let (rule, part) = (experiment.preset.training.threshold, experiment.selection.part);
    let why = match rule {
        Threshold::Fixed(_) if rule == Threshold::default() => return String::new(),
        Threshold::Fixed(_) => "as set".to_string(),
        Threshold::F1 => format!("which has the best F1 of the rarer class on {part} rows"),
        Threshold::Balanced => format!("which has the best balanced accuracy on {part} rows"),
    };
    let names = experiment.float.confusion.names();
    let second = names.get(1).map_or("", String::as_str);
    format!("rows are classified as `{second}` above a probability of {threshold:.4}, {why}\n")
}

/// Text for confusion matrices side by side, with a line above; empty without classes.
pub(crate) fn confusions_text(matrices: &[(&str, &Confusion)]) -> String {
    use crate::report::style::{FAINT, paint};

    if matrices.iter().all(|(_, confusion)| confusion.names().is_empty()) {
        return String::new();
    }
    let line = paint(FAINT, "row: true class · column: predicted class");
    format!("\n{line}\n{}", confusion_text(matrices, terminal::width()))
}
