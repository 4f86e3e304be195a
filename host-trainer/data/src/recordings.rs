//! Recordings of sensors in CSV files, cut into windows.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thimble_numeric::validators::positive;
use thimble_support::foreign_text::shown;

use super::image_folder::{entries, file_name, is_hidden};
use super::table::{Row, RowReader, RowSpec, Section, Table, TableTarget, classes, stem};
use super::windows::{Recording, Sensor, Windows};
use super::{Dataset, Error};

/// Largest relative difference of the time between samples, for recordings of the same rate.
const SAME_RATE: f64 = 0.1;

/// Largest count of a sensor: features are quarters of a count in 16 bits.
const MAX_COUNT: f64 = 8191.0;

/// Recordings of a sensor: a CSV file, or a folder with one folder of CSV files per class, named
/// after the class. A row is a sample.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recordings {
    /// Path of the file or folder, relative to the working directory.
    pub path: PathBuf,
    /// Columns of the axes. Without a line of names, columns are `1`, `2`, and so on.
    pub axes: Vec<String>,
    /// Windows and their features.
    pub window: Windows,
    /// Column of the class. By default, the name of the file's folder is the class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Column with the number or name of the recording within its file. By default, a file is a
    /// recording.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording: Option<String>,
    /// Column of the time, for a check that all recordings have the same rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// Real value per count of the device's sensor. The default of 1 is for files of raw counts.
    #[serde(default = "one", deserialize_with = "positive")]
    pub resolution: f64,
    /// Unit of the real value.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub unit: String,
    /// `true` if the first line of a file contains the names of the columns.
    #[serde(default = "yes")]
    pub header: bool,
}

fn one() -> f64 {
    1.0
}

fn yes() -> bool {
    true
}

/// Samples of a file by recording, with the time between samples.
struct Read {
    recording: Recording,
    /// Median time between samples.
    interval: Option<f64>,
}

impl Recordings {
    /// Returns a problem of the settings, with its key.
    pub fn problem(&self) -> Option<(&'static str, String)> {
        if let Some(problem) = self.window.problem() {
            return Some(("window", problem));
        }
        if self.axes.is_empty() {
            return Some(("axes", "it is empty: name the columns of the samples".into()));
        }
        let others = [&self.label, &self.recording, &self.time].into_iter().flatten();
        let names: Vec<&String> = self.axes.iter().chain(others).collect();
        let twice = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name));
        twice.map(|(_, name)| {
            ("axes", format!("column `{}` is named twice: a column has one role", shown(name)))
        })
    }

    /// Reads all files and computes the features of their windows. Returns notes for the user, too.
    ///
    /// # Errors
    /// [`Error::File`] and [`Error::Table`] for a file that cannot be read. [`Error::Dataset`] for a
    /// recording that is shorter than a window, or of another rate than the others.
    pub(super) fn load(&self) -> Result<(Dataset, Vec<String>), Error> {
        let name = stem(&self.path);
        let fail = |problem: String| Error::Dataset { dataset: name.clone(), problem };
        if let Some((key, problem)) = self.problem() {
            return Err(fail(format!("data.dataset.recordings.{key}: {problem}")));
        }
        // In the order of first rows, or of folders.
        let mut names: Vec<String> = Vec::new();
        let mut found = Vec::new();
        match self.label {
            None => {
                for folder in self.folders()? {
                    let class = names.len() as u16;
                    names.push(file_name(&folder));
                    for file in csv_files(&folder)? {
                        self.read(&file, class, &mut names, &mut found)?;
                    }
                }
            }
            Some(_) if self.path.is_dir() => {
                for file in csv_files(&self.path)? {
                    self.read(&file, 0, &mut names, &mut found)?;
                }
            }
            Some(_) => self.read(&self.path, 0, &mut names, &mut found)?,
        }
        if found.is_empty() {
            return Err(fail(
                "there is no .csv file in it: it must be a file with a `label` column, or a folder \
                 with one folder of .csv files per class"
                    .into(),
            ));
        }
        // Sorted, as the classes of every table.
        let labels = classes(&names).map_err(fail)?;
        for (class, _) in found.iter_mut().flat_map(|read: &mut Read| &mut read.recording.stretches)
        {
            *class = labels.indices[usize::from(*class)];
        }
        let names = labels.names;
        self.check_rates(&found).map_err(fail)?;
        let recordings: Vec<Recording> = found.into_iter().map(|read| read.recording).collect();
        let sensor = Sensor {
            axes: &self.axes,
            resolution: self.resolution,
            unit: &self.unit,
            remedy: "Set data.dataset.recordings.resolution to the real value of several counts, by which \
                     the device then divides, too; or name another feature",
        };
        self.window.cut(&name, &recordings, names, &sensor)
    }

    /// Returns the folders of classes.
    fn folders(&self) -> Result<Vec<PathBuf>, Error> {
        let mut folders = Vec::new();
        for path in entries(&self.path)?.into_iter().filter(|path| !is_hidden(path)) {
            let problem = match path.is_dir() {
                true if csv_files(&path)?.is_empty() => {
                    "there is no .csv file in this folder of a class: take the folder away"
                }
                true => {
                    folders.push(path);
                    continue;
                }
                false if is_csv(&path) => {
                    "it stands beside the folders of classes: put it into the folder of its class, or \
                     set label to its column of classes"
                }
                false => continue,
            };
            let (file, problem) = (path, problem.to_string());
            return Err(Error::Table { file, place: "name".into(), problem });
        }
        Ok(folders)
    }

    /// Reads a file. With a column of classes, new ones are added to `names`.
    fn read(
        &self,
        path: &Path,
        class: u16,
        names: &mut Vec<String>,
        found: &mut Vec<Read>,
    ) -> Result<(), Error> {
        let fail = |place: String, problem: String| Error::Table {
            file: path.to_path_buf(),
            place,
            problem,
        };
        let target = match &self.label {
            Some(label) => TableTarget::Classes(label.clone()),
            None => TableTarget::Values(Vec::new()),
        };
        let table = Table { header: self.header, ..Table::new(path, target) };
        let spec = RowSpec {
            features: self.axes.clone(),
            needs_target: self.label.is_some(),
            section: Section::Recordings,
            ..RowSpec::default()
        };
        let mut reader = RowReader::open(path, &table, spec)?;
        for column in [&self.recording, &self.time].into_iter().flatten() {
            let names = reader.column_names();
            if !names.contains(column) {
                let names: Vec<String> = names.iter().map(|name| shown(name)).collect();
                let problem =
                    format!("there is no column `{}` among {}", shown(column), names.join(", "));
                return Err(fail("line 1".into(), problem));
            }
        }
        let mut row = Row::default();
        // Recordings of the file by their name.
        let mut places: HashMap<String, usize> = HashMap::new();
        let mut times: Vec<Vec<f64>> = Vec::new();
        let first = found.len();
        while reader.read(&mut row)? {
            let recording = self.recording.as_ref().and_then(|column| reader.text(column));
            let recording = recording.unwrap_or_default();
            let at = match places.get(&recording) {
                Some(&at) => at,
                None => {
                    times.push(Vec::new());
                    let name = match &self.recording {
                        Some(_) => format!("{}, {recording}", path.display()),
                        None => path.display().to_string(),
                    };
                    let of_name = Recording { name, stretches: Vec::new() };
                    found.push(Read { recording: of_name, interval: None });
                    places.insert(recording, times.len() - 1);
                    times.len() - 1
                }
            };
            let class = match reader.class_name(&row) {
                None => class,
                Some(name) => match names.iter().position(|own| own == name) {
                    Some(class) => class as u16,
                    None => {
                        names.push(name.to_string());
                        (names.len() - 1) as u16
                    }
                },
            };
            let stretches = &mut found[first + at].recording.stretches;
            if stretches.last().is_none_or(|(last, _)| *last != class) {
                stretches.push((class, Vec::new()));
            }
            let Some((_, samples)) = stretches.last_mut() else { continue };
            for (value, axis) in row.features.iter().zip(&self.axes) {
                let count = (f64::from(*value) / self.resolution).round();
                if count.abs() > MAX_COUNT {
                    let place = format!("line {}, column `{}`", row.line, shown(axis));
                    let problem = format!(
                        "{value} is {count} counts of the sensor, and features hold ±{MAX_COUNT}: set \
                         data.dataset.recordings.resolution to the real value of one count, or of \
                         several, by which the device then divides, too"
                    );
                    return Err(fail(place, problem));
                }
                samples.push(count as i16);
            }
            if let Some(column) = &self.time {
                let text = reader.text(column).unwrap_or_default();
                let Ok(time) = text.replace(',', ".").parse::<f64>() else {
                    let place = format!("line {}, column `{}`", row.line, shown(column));
                    let problem = format!(
                        "`{}` is no number: times are numbers, such as seconds. Leave \
                         data.dataset.recordings.time out where they are not",
                        shown(&text)
                    );
                    return Err(fail(place, problem));
                };
                times[at].push(time);
            }
        }
        if found.len() == first {
            let problem = "there is no sample in it: take the file away".to_string();
            return Err(fail("line 1".into(), problem));
        }
        for (read, times) in found[first..].iter_mut().zip(&times) {
            read.interval = interval(times);
            if let Some(interval) = read.interval.filter(|interval| *interval <= 0.0) {
                let problem = format!(
                    "the time between samples of recording `{}` is {interval}, and must be positive",
                    shown(&read.recording.name)
                );
                return Err(fail(format!("column `{}`", time_name(&self.time)), problem));
            }
        }
        Ok(())
    }

    /// Checks that all recordings have the same time between samples.
    fn check_rates(&self, found: &[Read]) -> Result<(), String> {
        let known = |read: &Read| Some((read.recording.name.clone(), read.interval?));
        let mut intervals = found.iter().filter_map(known);
        let Some((first, expected)) = intervals.next() else { return Ok(()) };
        match intervals.find(|(_, interval)| (interval / expected - 1.0).abs() > SAME_RATE) {
            None => Ok(()),
            Some((other, interval)) => Err(format!(
                "recordings have different rates: `{}` has a sample per {expected:.4} of `{}`, `{}` \
                 one per {interval:.4}. Resample them to one rate",
                shown(&first),
                time_name(&self.time),
                shown(&other)
            )),
        }
    }
}

fn time_name(time: &Option<String>) -> String {
    shown(time.as_deref().unwrap_or_default())
}

/// Returns the median difference of neighbors.
fn interval(times: &[f64]) -> Option<f64> {
    let mut steps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    steps.sort_unstable_by(f64::total_cmp);
    steps.get(steps.len() / 2).copied()
}

fn csv_files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut files = entries(folder)?;
    files.retain(|path| is_csv(path) && !is_hidden(path));
    Ok(files)
}

fn is_csv(path: &Path) -> bool {
    path.extension().is_some_and(|end| end.eq_ignore_ascii_case("csv")) && !path.is_dir()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Features;

    fn settings(path: PathBuf, toml: &str) -> Recordings {
        let path = toml::Value::String(path.display().to_string());
        let text = format!(
            "path = {path}\naxes = [\"x\", \"y\"]\nwindow = {{ length = 2, step = 2, each = \
             [\"mean\"] }}\n{toml}"
        );
        toml::from_str(&text).unwrap()
    }

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        folder
    }

    fn means(data: &Dataset) -> Vec<i16> {
        let Features::Counts { values, .. } = data.features() else { panic!("counts") };
        values.column(0).to_vec()
    }

    #[test]
    fn folders_are_classes_and_files_are_recordings() {
        let folder = folder(&[
            ("walk/a.csv", "x,y\n2,0\n6,0\n4,0\n4,0\n"),
            ("rest/b.csv", "y,x\n0,10\n0,10\n"),
            ("walk/notes.txt", "not a table"),
            (".git/c.csv", "x,y\n1,1\n1,1\n"),
            ("walk/._a.csv", "left behind"),
            ("notes.txt", "not a class"),
        ]);
        let data =
            settings(folder.path().into(), "resolution = 2.0\nunit = \"mg\"").load().unwrap().0;
        assert_eq!(data.class_names(), ["rest", "walk"]);
        assert_eq!(data.labels().unwrap().indices, [0, 1, 1]);
        assert_eq!(means(&data), [20, 8, 8]);
        assert_eq!(data.recordings().unwrap().of_rows, [0, 1, 1]);
    }

    #[test]
    fn a_file_can_have_labels_and_recordings_in_columns() {
        let folder = folder(&[(
            "all.csv",
            "n,x,y,what,t\n20240500,1,0,walk,1764400000.00\n20240500,1,0,walk,1764400000.04\n\
             20240501,5,0,walk,1764400000.00\n20240501,5,0,walk,1764400000.04\n\
             20240500,3,0,rest,1764400000.08\n20240500,5,0,rest,1764400000.12\n",
        )]);
        let with = "label = \"what\"\nrecording = \"n\"\ntime = \"t\"";
        let (data, _) = settings(folder.path().join("all.csv"), with).load().unwrap();
        assert_eq!(data.class_names(), ["rest", "walk"]);
        assert_eq!(
            (means(&data), data.labels().unwrap().indices.clone()),
            (vec![4, 16, 20], vec![1, 0, 1])
        );
        assert_eq!(data.recordings().unwrap().of_rows, [0, 0, 1]);
    }

    #[test]
    fn unusable_recordings_are_refused_with_file_and_remedy() {
        let good = "t,x,y\n0,1,2\n1,1,2\n2,1,2\n";
        for (files, toml, expected) in [
            (
                vec![("a/1.csv", good), ("b/2.csv", "t,x,y\n0,1,2\n2,1,2\n")],
                "time = \"t\"",
                "different rates",
            ),
            (
                vec![("a/1.csv", good), ("b/2.csv", "t,x,y\n0,1,2\n")],
                "",
                "b/2.csv` has 1 samples, but a window has 2",
            ),
            (
                vec![("a/1.csv", good), ("b/2.csv", "t,x,y\n1,1,2\n1,1,2\n")],
                "time = \"t\"",
                "must be positive",
            ),
            (
                vec![("a/1.csv", good), ("b/2.csv", "t,x,y\n0,1,99999\n1,1,2\n")],
                "",
                "line 2, column `y`: 99999",
            ),
            (vec![("a/1.csv", "t,x\n0,1\n1,1\n")], "", "no column `y`"),
            (vec![("a/1.csv", "x,y\n")], "", "no sample in it"),
            (vec![("a/1.txt", good)], "", "no .csv file"),
            (vec![("a/1.csv", good), ("2.csv", good)], "", "beside the folders of classes"),
            (vec![("a/1.csv", good)], "recording = \"n\"", "no column `n` among t, x, y"),
            (
                vec![("a/1.csv", "t,x,y\n12:00,1,1\n12:01,1,1\n")],
                "time = \"t\"",
                "`12:00` is no number",
            ),
            (vec![("a/1.csv", good)], "time = \"x\"", "`x` is named twice"),
            // Remedies name keys that recordings have.
            (
                vec![("a/1.csv", "x,y\n1,\n1,1\n")],
                "",
                "value is missing: fill it in, or take the line out",
            ),
            (
                vec![("a/1.csv", "x,y\n1,up\n1,1\n")],
                "",
                "`up` is no number: name another column, or write",
            ),
            (vec![("a/1.csv", "x,y\n1,2 g\n1,1 g\n")], "", "take the unit out of the cells"),
            (vec![("a/1.csv", "# 7\nx,y\n1,2\n")], "", "take the line out"),
            (
                vec![("a/1.csv", "1,2\n3,4\n")],
                "",
                "set header = false in data.dataset.recordings, and the columns are called 1, 2",
            ),
            (vec![("a/1.csv", "1,2\n3,4\n")], "header = false", "data.dataset.recordings.axes"),
        ] {
            let folder = folder(&files);
            let message = settings(folder.path().into(), toml).load().unwrap_err().to_string();
            assert!(message.contains(expected), "{expected}: {message}");
            assert!(!message.contains("dataset.csv"), "{message}");
        }
    }
}
