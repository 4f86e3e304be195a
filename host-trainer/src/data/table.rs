//! Tables: CSV files with named columns.

use std::path::{Path, PathBuf};

use csv::{ReaderBuilder, StringRecord};
use model_format::limits::{MAX_LABELS, MAX_WIDTH};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::{Dataset, Error, Features, Labels, Targets, Values};

/// A CSV file whose first line names its columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The file, seen from where the command is run.
    pub file: PathBuf,
    /// What is to be learnt.
    pub target: TableTarget,
    /// The columns to learn it from, all of numbers; where none is named, all but the target.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
    /// What stands between two columns.
    #[serde(default = "comma")]
    pub separator: char,
}

/// What is to be learnt from a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TableTarget {
    /// The class that a column names, in any words.
    Classes(String),
    /// The numbers in these columns.
    Values(Vec<String>),
}

fn comma() -> char {
    ','
}

/// A column that is used.
struct Column<'a> {
    name: &'a str,
    index: usize,
}

impl Table {
    /// Reads the file.
    ///
    /// # Errors
    /// [`Error::File`] when it cannot be read, [`Error::Table`] with line and column for what is
    /// missing, no number, or not finite.
    pub fn load(&self) -> Result<Dataset, Error> {
        let fail = |place: String, problem: String| Error::Table {
            file: self.file.clone(),
            place,
            problem,
        };
        let separator = u8::try_from(self.separator)
            .map_err(|_| fail("data.dataset.csv.separator".into(), "must be ASCII".into()))?;
        let file =
            std::fs::File::open(&self.file).map_err(Error::file(&self.file, "cannot be opened"))?;
        let mut reader = ReaderBuilder::new()
            .delimiter(separator)
            .trim(csv::Trim::All)
            .flexible(true)
            .from_reader(file);
        let broken = |error: csv::Error| {
            let line = error.position().map_or(1, csv::Position::line);
            fail(format!("line {line}"), error.to_string())
        };
        let header = reader.headers().map_err(broken)?.clone();
        let find = |name: &str| -> Result<usize, Error> {
            header.iter().position(|column| column == name).ok_or_else(|| {
                let there = header.iter().collect::<Vec<_>>().join(", ");
                fail("line 1".into(), format!("there is no column `{name}`, but: {there}"))
            })
        };
        let target_names: Vec<&str> = match &self.target {
            TableTarget::Classes(name) => vec![name],
            TableTarget::Values(names) => names.iter().map(String::as_str).collect(),
        };
        let column = |name| Ok(Column { name, index: find(name)? });
        let targets: Vec<Column<'_>> =
            target_names.iter().map(|&name| column(name)).collect::<Result<_, Error>>()?;
        let features: Vec<Column<'_>> = match self.features.is_empty() {
            false => self.features.iter().map(|name| column(name)).collect::<Result<_, Error>>()?,
            true => header
                .iter()
                .enumerate()
                .filter(|(_, name)| !target_names.contains(name))
                .map(|(index, name)| Column { name, index })
                .collect(),
        };
        if let Some(both) = features.iter().find(|f| target_names.contains(&f.name)) {
            let problem = format!("column `{}` is both feature and target", both.name);
            return Err(fail("data.dataset.csv.features".into(), problem));
        }
        if features.is_empty() || features.len() > MAX_WIDTH || targets.is_empty() {
            let problem = format!(
                "{} features and {} targets: name 1 to {MAX_WIDTH} features, and a target",
                features.len(),
                targets.len()
            );
            return Err(fail("line 1".into(), problem));
        }
        let (mut inputs, mut values, mut words) = (Vec::new(), Vec::new(), Vec::new());
        let mut record = StringRecord::new();
        while reader.read_record(&mut record).map_err(broken)? {
            let line = record.position().map_or(0, csv::Position::line);
            if record.len() != header.len() {
                let problem = format!(
                    "{} fields, but the first line names {}: complete the line",
                    record.len(),
                    header.len()
                );
                return Err(fail(format!("line {line}"), problem));
            }
            let cell = |column: &Column<'_>| {
                let place = format!("line {line}, column `{}`", column.name);
                match record.get(column.index) {
                    Some(text) if !is_missing(text) => Ok((place, text)),
                    _ => {
                        let remedy = "the value is missing: fill it in, or take the line out";
                        Err(fail(place, remedy.into()))
                    }
                }
            };
            let number = |column: &Column<'_>| -> Result<f32, Error> {
                let (place, text) = cell(column)?;
                match text.parse::<f32>() {
                    Ok(value) if value.is_finite() => Ok(value),
                    Ok(_) => Err(fail(place, format!("`{text}` is not a finite number"))),
                    Err(_) => Err(fail(
                        place,
                        format!(
                            "`{text}` is no number: leave the column out by naming \
                             data.dataset.csv.features, or write numbers for its words"
                        ),
                    )),
                }
            };
            for column in &features {
                inputs.push(number(column)?);
            }
            match &self.target {
                TableTarget::Classes(_) => words.push(cell(&targets[0])?.1.to_string()),
                TableTarget::Values(_) => {
                    for column in &targets {
                        values.push(number(column)?);
                    }
                }
            }
        }
        let rows = inputs.len() / features.len();
        let shaped = |values: Vec<f32>, width: usize| {
            Array2::from_shape_vec((rows, width), values)
                .map_err(|error| fail("the table".into(), error.to_string()))
        };
        let targets: Targets = match &self.target {
            TableTarget::Classes(name) => {
                classes(&words).map_err(|problem| fail(format!("column `{name}`"), problem))?.into()
            }
            TableTarget::Values(names) => Values {
                values: shaped(values, targets.len())?,
                names: names.clone(),
                units: vec![String::new(); targets.len()],
            }
            .into(),
        };
        let name = stem(&self.file);
        let width = features.len();
        Dataset::new(name, vec![width], Features::Reals(shaped(inputs, width)?), targets)
    }
}

/// What people and programs write where a value is missing.
fn is_missing(text: &str) -> bool {
    matches!(text, "" | "NA" | "N/A" | "null" | "NULL" | "?")
}

/// The class of each row: classes are the words that there are, in alphabetical order, or by size
/// where all are numbers.
pub(super) fn classes(words: &[String]) -> Result<Labels, String> {
    let mut names: Vec<String> = words.to_vec();
    names.sort_unstable();
    names.dedup();
    if let Ok(mut numbers) = names
        .iter()
        .map(|n| n.parse::<i64>().map(|i| (i, n.clone())))
        .collect::<Result<Vec<_>, _>>()
    {
        numbers.sort_unstable();
        names = numbers.into_iter().map(|(_, name)| name).collect();
    }
    if let [only] = names.as_slice() {
        return Err(format!("all rows are of class `{only}`: there is nothing to tell apart"));
    }
    if names.len() > MAX_LABELS {
        return Err(format!(
            "{} classes are more than a model can have, {MAX_LABELS}: if they are numbers to be \
             learnt as such, set target = {{ values = [...] }}",
            names.len()
        ));
    }
    let place = |word: &String| names.iter().position(|name| name == word).unwrap_or(0) as u16;
    Ok(Labels { indices: words.iter().map(place).collect(), names: names.clone() })
}

/// A file's or folder's name without what is behind its dot.
pub(super) fn stem(path: &Path) -> String {
    path.file_stem().map_or_else(|| "data".into(), |stem| stem.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str, target: TableTarget, features: &[&str]) -> Result<Dataset, Error> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("plants.csv");
        std::fs::write(&file, text).unwrap();
        let features = features.iter().map(|name| name.to_string()).collect();
        Table { file, target, features, separator: ',' }.load()
    }

    fn class(name: &str) -> TableTarget {
        TableTarget::Classes(name.into())
    }

    #[test]
    fn columns_are_found_by_name() {
        let text = "kind,length,note,width\nrose, 1.5,x,2\n\"oak, old\",3,y,-4e1\n";
        let data = load(text, class("kind"), &["width", "length"]).unwrap();
        assert_eq!((data.name(), data.rows(), data.width()), ("plants", 2, 2));
        assert_eq!(data.class_names(), ["oak, old", "rose"]);
        assert_eq!(data.labels().unwrap().indices, [1, 0]);
        let expected = ndarray::array![[2.0, 1.5], [-40.0, 3.0]];
        assert_eq!(data.features(), &Features::Reals(expected));
        let target = TableTarget::Values(vec!["b".into()]);
        let data = load("a,b,c\n1,2,3\n4,5,6\n", target, &[]).unwrap();
        assert_eq!(data.width(), 2);
        let Targets::Values(values) = data.targets() else { panic!("numbers") };
        assert_eq!(values.values, ndarray::array![[2.0], [5.0]]);
    }

    #[test]
    fn numbers_as_classes_are_sorted_by_size() {
        let data = load("x,c\n1,10\n1,9\n1,2\n", class("c"), &[]).unwrap();
        assert_eq!(data.class_names(), ["2", "9", "10"]);
    }

    #[test]
    fn every_refusal_names_line_and_column() {
        let many: String = (0..300).map(|i| format!("1,c{i}\n")).collect();
        for (text, features, expected) in [
            ("x,c\n1,a\n,b\n", vec![], "line 3, column `x`: the value is missing"),
            ("x,c\n1,a\n2,NA\n", vec![], "line 3, column `c`: the value is missing"),
            ("x,c\n1,a\nred,b\n", vec![], "line 3, column `x`: `red` is no number"),
            ("x,c\nNaN,a\n2,b\n", vec![], "line 2, column `x`: `NaN` is not a finite number"),
            ("x,c\n1e99,a\n2,b\n", vec![], "`1e99` is not a finite number"),
            ("x,c\n1,a\n2\n", vec![], "line 3: 1 fields, but the first line names 2"),
            ("x,c\n1,a,3\n", vec![], "line 2: 3 fields"),
            ("x,c\n1,a\n2,a\n", vec![], "column `c`: all rows are of class `a`"),
            ("x,c\n1,a\n2,b\n", vec!["y"], "there is no column `y`, but: x, c"),
            ("x,c\n1,a\n2,b\n", vec!["c"], "is both feature and target"),
            ("c\na\nb\n", vec![], "0 features"),
            ("x,c\n", vec![], "nothing to learn"),
            (&format!("x,c\n{many}"), vec![], "300 classes are more"),
        ] {
            let message = load(text, class("c"), &features).unwrap_err().to_string();
            assert!(message.contains(expected), "{text:?}: {message}");
        }
    }
}
