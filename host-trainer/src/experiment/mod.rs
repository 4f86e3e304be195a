//! One experiment: from a preset to a trained network, its quantized model, and their evaluation.

mod finish;
mod layout;
mod levels;
mod metrics;
mod npy;
mod read;
mod report;
mod run;
mod teachers;
mod write;

pub use finish::Finished;
pub use layout::lay_out;
pub use metrics::{metrics, metrics_json};
pub use read::{ReadError, SavedRun, check_data, check_run, read_metrics};
pub use report::{Pages, ReportError};
pub use run::{Error, Experiment, Plan, Trained};
pub use teachers::TeacherError;
pub use write::write_without_rows;

#[cfg(test)]
mod tests {
    use std::num::NonZero;
    use std::{fs, path::Path};

    use super::*;
    use crate::choice::quantize_network;
    use crate::data::Locations;
    use crate::network::Network;
    use crate::preset::{Preset, find};
    use crate::run_folder::{Manifest, RunFolder, RunWriter, State};
    use crate::threads::Threads;
    use crate::train::{EpochRecord, Flow, Observer, Progress, StopFlag};

    /// Stops training after this number of batches, as Ctrl-C does.
    struct StopAfter(usize, StopFlag);

    impl Observer<f32> for StopAfter {
        fn batch_done(&mut self, _: &Progress) {
            self.0 -= 1;
            if self.0 == 0 {
                self.1.stop();
            }
        }

        fn epoch_done(&mut self, _: &EpochRecord, _: &Network<f32>) -> Flow {
            Flow::Continue
        }
    }

    fn digits(epochs: usize) -> Preset {
        let mut preset = find("digits").unwrap();
        preset.training.epochs = epochs;
        preset
    }

    fn run(preset: Preset, threads: usize, batches: usize) -> Result<Experiment, Error> {
        let threads = Threads::new(NonZero::new(threads)).unwrap();
        let stop = StopFlag::default();
        let mut observer = StopAfter(batches, stop.clone());
        Plan::new(preset, &Locations::default()).unwrap().run(&threads, &stop, None, &mut observer)
    }

    fn read(folder: &Path, name: &str) -> String {
        fs::read_to_string(folder.join(name)).unwrap()
    }

    #[test]
    fn the_same_seed_gives_the_same_files_and_another_one_others() {
        let written = |seed, threads| {
            let experiment = run(Preset { seed, ..digits(3) }, threads, usize::MAX).unwrap();
            let outer = tempfile::tempdir().unwrap();
            let folder = RunFolder::create(outer.path()).unwrap();
            experiment.write(&folder, None).unwrap();
            ["model.thimble", "weights.safetensors", "preset.toml", "confusion.svg"]
                .map(|name| fs::read(folder.path().join(name)).unwrap())
        };
        // Such a small network is trained on one thread, regardless of their number.
        assert_eq!(written(1, 1), written(1, 2));
        assert_ne!(written(1, 1), written(2, 1));
    }

    #[test]
    fn metrics_are_where_programs_look_for_them() {
        let experiment = run(digits(3), 1, usize::MAX).unwrap();
        let outer = tempfile::tempdir().unwrap();
        experiment.write(&RunFolder::create(outer.path()).unwrap(), None).unwrap();
        let metrics: serde_json::Value =
            serde_json::from_str(&read(outer.path(), "metrics.json")).unwrap();
        for kind in ["float", "int8"] {
            let accuracy = metrics[kind]["test"]["accuracy"].as_f64().unwrap();
            assert!((0.8..=1.0).contains(&accuracy), "{kind}: {accuracy}");
        }
        assert_eq!(read(outer.path(), "history.csv").lines().count(), 1 + 3);
        for (name, _) in Experiment::FILES {
            assert!(fs::metadata(outer.path().join(name)).unwrap().len() > 0, "{name}");
        }
        let preset = Preset::read(&read(outer.path(), "preset.toml"), "preset.toml").unwrap();
        assert_eq!(preset, digits(3));
    }

    #[test]
    fn a_run_read_back_gives_the_same_report() {
        let experiment = run(digits(3), 1, usize::MAX).unwrap();
        let outer = tempfile::tempdir().unwrap();
        experiment.write(&RunFolder::create(outer.path()).unwrap(), None).unwrap();
        let threads = Threads::new(NonZero::new(2)).unwrap();
        let saved = SavedRun::open(outer.path()).unwrap();
        assert_eq!(saved.network.parameters(), experiment.outcome.network.parameters());
        let pages = saved.report(&Locations::default(), true, &threads).unwrap();
        assert_eq!(pages, experiment.report(true, &threads).unwrap());
        assert!(pages.report.contains("<script"), "it runs the model");
        let without = saved.report(&Locations::default(), false, &threads).unwrap().report;
        assert!(!without.contains("NaN") && !without.contains("<script"));

        fs::write(outer.path().join("weights.safetensors"), b"short").unwrap();
        let message = SavedRun::open(outer.path()).unwrap_err().to_string();
        assert!(message.contains("weights.safetensors"), "{message}");
        let message = SavedRun::open(&outer.path().join("none")).unwrap_err().to_string();
        assert!(message.contains("none/preset.toml"), "{message}");
    }

    #[test]
    fn weights_that_are_no_numbers_are_refused_by_layer() {
        let experiment = run(digits(1), 1, usize::MAX).unwrap();
        let threads = Threads::new(NonZero::new(1)).unwrap();
        let mut network = experiment.outcome.network.clone();
        network.parameters_mut()[70] = f32::NAN;
        let Experiment { preset, objective, splits, .. } = &experiment;
        let refused = quantize_network(preset, &network, *objective, splits, &threads);
        let message = refused.unwrap_err().to_string();
        assert!(message.contains("layers.0.weight") && message.contains("input 6"), "{message}");

        let outer = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(outer.path()).unwrap();
        experiment.write(&folder, None).unwrap();
        let mut bytes = fs::read(outer.path().join("weights.safetensors")).unwrap();
        let end = bytes.len();
        bytes[end - 4..].copy_from_slice(&f32::INFINITY.to_le_bytes());
        // Not only an edited file, but one whose hash the manifest contains.
        let manifest = Manifest::read(outer.path()).unwrap();
        let mut writer = RunWriter::reopen(&folder, manifest, &[]).unwrap();
        writer.replace("weights.safetensors", &bytes).unwrap();
        writer.commit(State::Complete).unwrap();
        let message = SavedRun::open(outer.path()).unwrap_err().to_string();
        assert!(message.contains("weights.safetensors: layers."), "{message}");
        assert!(message.contains("NaN or infinite"), "{message}");
    }

    #[test]
    fn a_stopped_run_keeps_what_was_learnt() {
        // 90 batches per epoch: stopped in the second epoch.
        let experiment = run(digits(50), 1, 100).unwrap();
        assert!(experiment.outcome.interrupted);
        let epochs = &experiment.outcome.history.epochs;
        assert_eq!((epochs.len(), epochs[1].train.rows), (2, 10 * 16));
        assert!(experiment.int8.confusion.accuracy() > 0.5);
    }
}
