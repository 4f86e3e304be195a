//! Loading of a whole CSV file as a dataset.

use std::path::Path;
use std::sync::Arc;

use ndarray::Array2;

use super::super::{Dataset, Error, FeatureLabel, Features, Targets, Values};
use super::problem::Problem;
use super::rows::{Row, RowReader, RowSpec};
use super::settings::{Missing, Table, TableTarget};
use super::stem;

/// Report of reading a table, for the user.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Intake {
    /// Notes on the detected dialect.
    pub notes: Vec<String>,
    /// Number of missing values per feature.
    pub missing: Vec<u32>,
    /// Number of dropped rows.
    pub left_out: u64,
    /// Row and feature of each missing value that is replaced by a mean.
    pub filled: Vec<(u32, u32)>,
    /// Features whose values are row numbers.
    pub row_numbers: Vec<u32>,
    /// Share of the rows beyond the range of `data.raw`, per feature.
    pub clipped: Vec<f64>,
}

impl Table {
    /// Reads the file as a dataset.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be read. [`Error::Table`] with line and column for a cell that
    /// is missing, not a number, or not finite.
    pub fn load(&self) -> Result<Dataset, Error> {
        if self.target.names().is_empty() {
            let problem = "no column is named: name at least one".to_string();
            return Err(Problem::key("target.values", problem).of(&self.file));
        }
        let spec =
            RowSpec { features: self.features.clone(), needs_target: true, ..RowSpec::default() };
        self.read(&self.file, spec)
    }

    /// Reads another file with the columns and classes of a dataset of this table. Columns may be
    /// in any order, and other columns are ignored.
    ///
    /// # Errors
    /// As [`load`](Self::load). Also [`Error::Table`] with both lists of names if a column is
    /// missing, or a class is not in the dataset.
    pub fn load_another(&self, path: &Path, like: &Dataset) -> Result<Dataset, Error> {
        let spec = RowSpec {
            features: like.feature_labels().iter().map(|label| label.name.clone()).collect(),
            classes: like.labels().map(|labels| labels.names.clone()),
            needs_target: true,
            means: None,
            is_another_file: true,
            ..RowSpec::default()
        };
        self.read(path, spec)
    }

    /// Reads a whole file.
    ///
    /// # Errors
    /// Those of [`RowReader`], and [`Error::Table`] for a table without rows.
    pub fn read(&self, path: &Path, spec: RowSpec) -> Result<Dataset, Error> {
        let (is_another_file, is_filled) = (spec.is_another_file, spec.means.is_some());
        let fail = |problem: Problem| problem.of(path);
        let mut reader = RowReader::open(path, self, spec)?;
        let names: Vec<String> = reader.feature_names().into_iter().map(String::from).collect();
        let width = names.len();
        let expected = reader.expected_rows().unwrap_or(0);
        let mut inputs = Vec::new();
        // If memory is short, reading row by row fails later.
        let _ = inputs.try_reserve(expected.saturating_mul(width));
        let (mut values, mut indices) = (Vec::new(), Vec::with_capacity(expected.min(1 << 24)));
        let mut intake = Intake { missing: vec![0; width], ..Intake::default() };
        let mut counts: Vec<bool> = vec![true; width];
        let (mut first, mut row, mut rows) = (Vec::new(), Row::default(), 0_u32);
        while reader.read(&mut row)? {
            for &feature in &row.missing {
                intake.missing[feature as usize] += 1;
                intake.filled.push((rows, feature));
            }
            if rows == 0 {
                first.clone_from(&row.features);
            }
            if rows < 1000 {
                for ((counts, value), first) in counts.iter_mut().zip(&row.features).zip(&first) {
                    *counts &= *value == first + rows as f32;
                }
            }
            inputs.extend_from_slice(&row.features);
            indices.extend(row.class);
            values.extend_from_slice(&row.values);
            rows = match rows.checked_add(1) {
                Some(rows) => rows,
                None => {
                    let text = format!("it has more than {} rows: split the file", u32::MAX);
                    return Err(fail(Problem::line(row.line, text)));
                }
            };
        }
        if rows == 0 {
            let text = match reader.left_out() {
                0 => "there is no row below the names: there is nothing to learn".to_string(),
                count => format!("all {count} rows have missing values: name columns to ignore"),
            };
            return Err(fail(Problem::line(2, text)));
        }
        inputs.shrink_to_fit();
        if rows > 3 {
            let counting = counts.iter().enumerate().filter(|(_, counts)| **counts);
            intake.row_numbers = counting.map(|(feature, _)| feature as u32).collect();
        }
        intake.notes = reader.notes().to_vec();
        intake.left_out = reader.left_out();
        let rows = rows as usize;
        let shaped = |values: Vec<f32>, width: usize| {
            Array2::from_shape_vec((rows, width), values)
                .map_err(|error| fail(Problem { place: "rows".into(), text: error.to_string() }))
        };
        let mut inputs = shaped(inputs, width)?;
        if self.missing == Missing::Mean && !intake.filled.is_empty() && !is_filled {
            let all = |feature: &u32| intake.missing[*feature as usize] as usize == rows;
            if let Some(feature) = (0..width as u32).find(all).filter(|_| !is_another_file) {
                let name = &names[feature as usize];
                let text = "all of its values are missing: leave it out by data.dataset.csv.ignore";
                return Err(fail(Problem::column(name, text.to_string())));
            }
            // The means of the training split replace these after splitting.
            let value = |row: u32, feature: usize| f64::from(inputs[(row as usize, feature)]);
            let means = means(width, 0..rows as u32, &intake.filled, value);
            for &(row, feature) in &intake.filled {
                inputs[(row as usize, feature as usize)] = means[feature as usize];
            }
        }
        let targets: Targets = match (&self.target, reader.classes()) {
            (TableTarget::Classes(_), Some(classes)) => {
                classes.labels(reader.target_name(), indices).map_err(fail)?.into()
            }
            (target, _) => {
                let names: Vec<String> = target.names().into_iter().map(String::from).collect();
                let units = names.iter().map(|name| self.unit(name)).collect();
                Values { values: shaped(values, names.len())?, names, units }.into()
            }
        };
        let labels =
            names.into_iter().map(|name| FeatureLabel { unit: self.unit(&name), name }).collect();
        let dataset = Dataset::new(stem(path), vec![width], Features::Reals(inputs), targets)?;
        Ok(dataset.with_feature_labels(labels)?.with_intake(Arc::new(intake)))
    }
}

/// Returns the mean of each feature over the values that are not missing, for rows in ascending
/// order. The mean of no value is 0.
pub(in super::super) fn means(
    width: usize,
    rows: impl Iterator<Item = u32>,
    filled: &[(u32, u32)],
    value: impl Fn(u32, usize) -> f64,
) -> Vec<f32> {
    let (mut sums, mut counts) = (vec![0.0_f64; width], vec![0_u64; width]);
    // Both lists are in ascending order.
    let mut holes = filled.iter().peekable();
    let mut is_hole = vec![false; width];
    for row in rows {
        is_hole.fill(false);
        while let Some(&&(at, feature)) = holes.peek().filter(|(at, _)| *at <= row) {
            is_hole[feature as usize] |= at == row;
            holes.next();
        }
        for feature in (0..width).filter(|&feature| !is_hole[feature]) {
            sums[feature] += value(row, feature);
            counts[feature] += 1;
        }
    }
    let mean =
        |(sum, count): (f64, u64)| if count == 0 { 0.0 } else { (sum / count as f64) as f32 };
    sums.into_iter().zip(counts).map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(target: TableTarget) -> Table {
        Table::new("plants.csv", target)
    }

    fn class(name: &str) -> TableTarget {
        TableTarget::Classes(name.into())
    }

    fn load(text: impl AsRef<[u8]>, table: Table) -> Result<Dataset, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(&table.file);
        std::fs::write(&file, text).unwrap();
        Table { file, ..table }.load().map_err(|error| error.to_string())
    }

    fn reals(data: &Dataset) -> &Array2<f32> {
        match data.features() {
            Features::Reals(values) => values,
            _ => panic!("tables have real numbers"),
        }
    }

    fn names(data: &Dataset) -> Vec<&str> {
        data.feature_labels().iter().map(|label| label.name.as_str()).collect()
    }

    #[test]
    fn columns_are_found_by_name() {
        let text = "kind,length,note,width\nrose, 1.5,x,2\n\"oak, old\",3,y,-4e1\n";
        let features = vec!["width".to_string(), "length".to_string()];
        let units = [("width".to_string(), "mm".to_string())].into();
        let data = load(text, Table { features, units, ..table(class("kind")) }).unwrap();
        assert_eq!((data.name(), data.rows(), data.width()), ("plants", 2, 2));
        assert_eq!(data.class_names(), ["oak, old", "rose"]);
        assert_eq!(data.labels().unwrap().indices, [1, 0]);
        assert_eq!(reals(&data), ndarray::array![[2.0, 1.5], [-40.0, 3.0]]);
        assert_eq!(data.feature_labels()[0].unit, "mm");
        let target = TableTarget::Values(vec!["b".into()]);
        let units = [("b".to_string(), "V".to_string())].into();
        let data = load("a,b,c\n1,2,3\n4,5,6\n", Table { units, ..table(target) }).unwrap();
        assert_eq!(names(&data), ["a", "c"]);
        let Targets::Values(values) = data.targets() else { panic!("numbers") };
        assert_eq!(
            (&values.values, &values.units[0]),
            (&ndarray::array![[2.0], [5.0]], &"V".into())
        );
    }

    #[test]
    fn every_refusal_names_line_and_column() {
        let many: String = (0..300).map(|i| format!("1,c{i}\n")).collect();
        for (text, expected) in [
            ("x,c\n1,a\n,b\n", "line 3, column `x`: the value is missing: fill it in, or set"),
            ("x,c\n1,a\n2,NA\n", "line 3, column `c`: the value is missing (`NA`)"),
            ("x,c\n\n1,a\n\nred,b\n", "line 5, column `x`: `red` is no number"),
            ("x,c\nNaN,a\n2,b\n", "line 2, column `x`: the value is missing (`NaN`)"),
            ("x,c\n1e99,a\n2,b\n", "`1e99` is not a finite number"),
            ("x,c\n1,a\n2\n", "line 3: 1 fields, but the first line names 2: complete"),
            ("x,c\n1,a,3\n", "line 2: 3 fields, but the first line names 2: take `3`"),
            (
                "x,y,c\n1,2,a\n3,4,b5,6,c\n",
                "line 3: 5 fields, but the first line names 3: two \
              lines have run into one at `b5`",
            ),
            ("x,y,c\n1,2,a\n3,4,b,5,6,c\n", "run into one at `b 5`"),
            ("x,y,c1,2,a\n3,4,b\n", "The names and the first row seem to stand in one line"),
            (
                "x,y,c\nm,V,\n1,2,a\n3,4,b\n",
                "line 2, column `x`: `m` is no number: where the line \
              below the names has units",
            ),
            (
                "x,y,c\n1,2,a\n3,4,5,b\n",
                "line 3: 4 fields, but the first line names 3: where commas",
            ),
            ("x,c\n1,a\n2,a\n", "column `c`: all rows are of class `a`"),
            ("x,x,c\n1,2,a\n", "column `x`: columns 1 and 2 have the same name"),
            ("c,x,c\n1,2,a\n", "column `c`: columns 1 and 3 have the same name"),
            ("x,C\n1,a\n2,b\n", "there is no column `c`, but: x, C (did you mean `C`?)"),
            ("1.5,a\n2,b\n", "set header = false"),
            ("c\na\nb\n", "0 features"),
            ("x,c\n", "nothing to learn"),
            ("", "line 1: the file is empty"),
            ("\n \n", "only blank lines"),
            ("# a log\nx,c\n1,a\n", "line 1: `# a log` seems to be a comment"),
            ("x,c\n1,a\n# 2,b\n", "line 3: `# 2` seems to be a comment"),
            ("A log\nx,c\n1,a\n", "`c`, but: A log. Lines above the names are no part"),
            ("x,c\n1,a\nx,c\n2,b\n", "line 3, column `x`: the names of the first line come again"),
            ("x,c\n1,\"a\n2,b\n", "line 2, column `c`: the quote in `\"a` is not closed"),
            ("x,c\n1,Cool\n2,cool\n3,b\n", "nearly the same"),
            (&format!("x,c\n{many}"), "300 classes are more"),
            (&format!("{},c\n1,a\n", "x".repeat(65)), "its name has 65 bytes"),
            ("x\u{1b}[2J,c\n1,a\n2,b\n", "column `x\\u{1b}[2J`: its name has control"),
        ] {
            let message = load(text, table(class("c"))).unwrap_err();
            assert!(message.contains(expected), "{text:?}: {message}");
            assert!(!message.contains(['\n', '\u{1b}']), "{message}");
        }
        let kind = |features: &[&str], ignore: &[&str]| Table {
            features: features.iter().map(|name| name.to_string()).collect(),
            ignore: ignore.iter().map(|name| name.to_string()).collect(),
            ..table(class("c"))
        };
        for (settings, expected) in [
            (kind(&["y"], &[]), "there is no column `y`, but: x, c"),
            (kind(&["c"], &[]), "is both feature and target"),
            (kind(&[], &["z"]), "there is no column `z`"),
            (kind(&[], &["x"]), "0 features"),
            (
                Table { units: [("z".into(), "K".into())].into(), ..kind(&[], &[]) },
                "units: there is no feature or target `z`, but: x, c",
            ),
        ] {
            let message = load("x,c\n1,a\n2,b\n", settings).unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
        let values = table(TableTarget::Values(vec!["c".into()]));
        let message = load("x,c\n1,a\n2,b\n", values).unwrap_err();
        assert!(message.contains("set target = { classes = \"c\" }"), "{message}");
    }

    #[test]
    fn files_are_read_as_programs_write_them() {
        let expected = ndarray::array![[20.5, 4.0], [-1.0, 5.25]];
        let utf_16: Vec<u8> = "\u{feff}t;h;c\r\n20,5;4;a\r\n-1;5,25;b\r\n"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        for text in [
            b"t,h,c\n20.5,4,a\n-1,5.25,b\n".as_slice(),
            b"\xef\xbb\xbft;h;c\r\n20,5;4;a\r\n-1;5,25;b\r\n",
            b"t,h,c\r20.5,4,a\r-1,5.25,b",
            b"t,h,c,\n20.5,4,a,\n-1,5.25,b,\n",
            b"t,h,c,,,\n20.5,4,a,,,\n-1,5.25,b,,,\n,,,,,\n",
            b"t,h,c\n20.5,4,a,\n-1,5.25,b,\n",
            b",t,h,c\n0,20.5,4,a\n1,-1,5.25,b\n",
            b"Unnamed: 0,t,h,c\n0,20.5,4,a\n1,-1,5.25,b\n",
            b"t,h,c\n1,20.5,4,a\n2,-1,5.25,b\n",
            b"\"t\",\"h\",\"c\"\n\"20,5\",\"4\",\"a\"\n\"-1\",\"5,25\",\"b\"\n",
            b"sep=;\nt;h;c\n20.5;4;a\n-1;5.25;b\n",
            b"  t   h   c\n20.5   4   a\n  -1 5.25   b\n",
            b"t\th\tc\n20.5\t4\ta\n\xe2\x88\x921\t5.25\tb\n",
            b"\n\nt,h,c\n\n20.5,4,a\n\n-1,5.25,b\n\n",
            &utf_16,
        ] {
            let data = load(text, table(class("c")));
            let data = data.unwrap_or_else(|error| panic!("{}: {error}", text.escape_ascii()));
            assert_eq!(reals(&data), expected, "{}", text.escape_ascii());
            assert_eq!(names(&data), ["t", "h"], "{}", text.escape_ascii());
            assert_eq!(data.class_names(), ["a", "b"]);
        }
        let headless = Table { header: false, ..table(class("3")) };
        let data = load("20.5,4,a\n-1,5.25,b\n", headless.clone()).unwrap();
        assert_eq!((reals(&data), names(&data)), (&expected, vec!["1", "2"]));
        let message = load("t,h,c\n20.5,4,a\n-1,5.25,b\n", headless).unwrap_err();
        assert!(message.contains("leave header = false out"), "{message}");
        let comments = Table { comment: Some('#'), ..table(class("c")) };
        let data = load("# log\nt,h,c\n20.5,4,a\n# later\n-1,5.25,b\n", comments).unwrap();
        assert_eq!(reals(&data), expected);
        let latin = load(b"t \xb0C,h,c\n1,2,k\xfchl\n3,4,warm\n", table(class("c"))).unwrap();
        assert_eq!((names(&latin)[0], latin.class_names()[0].as_str()), ("t °C", "kühl"));
    }

    #[test]
    fn missing_values_are_dropped_or_replaced_by_the_mean() {
        let text = "x,y,c\n1,2,a\nNone,4,b\n3,?,a\n5,6,\n7,9,b\n";
        let with = |missing| load(text, Table { missing, ..table(class("c")) });
        assert!(with(Missing::Refuse).unwrap_err().contains("line 3, column `x`"));
        let dropped = with(Missing::Drop).unwrap();
        assert_eq!(reals(&dropped), ndarray::array![[1.0, 2.0], [7.0, 9.0]]);
        assert_eq!(dropped.intake().unwrap().left_out, 3);
        let mean = with(Missing::Mean).unwrap();
        let x = 11.0 / 3.0;
        assert_eq!(reals(&mean), ndarray::array![[1.0, 2.0], [x, 4.0], [3.0, 5.0], [7.0, 9.0]]);
        let intake = mean.intake().unwrap();
        assert_eq!((intake.left_out, intake.missing.as_slice()), (1, [1, 1].as_slice()));
        let empty = Table { missing: Missing::Mean, ..table(class("c")) };
        let message = load("x,y,c\n,1,a\n,2,b\n", empty).unwrap_err();
        assert!(message.contains("column `x`: all of its values are missing"), "{message}");
        let dropping = Table { missing: Missing::Drop, ..table(class("c")) };
        let message = load("x,y,c\n,1,a\n,2,b\n", dropping).unwrap_err();
        assert!(message.contains("all 2 rows have missing values"), "{message}");
    }

    #[test]
    fn another_file_has_its_columns_in_any_order() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let table = Table::new(write("a.csv", "x,y,c\n1,2,cool\n3,4,warm\n"), class("c"));
        let first = table.load().unwrap();
        let other = write("b.csv", "c;note;y;x\nwarm;q;2,5;1\n");
        let second = table.load_another(&other, &first).unwrap();
        assert_eq!(reals(&second), ndarray::array![[1.0, 2.5]]);
        assert_eq!(
            second.labels().unwrap(),
            &super::super::super::Labels {
                indices: vec![1],
                names: vec!["cool".into(), "warm".into()],
            }
        );
        for (text, expected) in [
            ("x,z,c\n1,2,cool\n", "no column `y`, but: x, z, c. The columns that are needed: x, y"),
            ("x,y,c\n1,2,hot\n", "line 2, column `c`: `hot` is none of the classes: cool, warm"),
            ("x,y\n1,2\n", "there is no column `c`"),
            ("x,y,c\n", "no row below"),
        ] {
            let message = table.load_another(&write("c.csv", text), &first);
            let message = message.unwrap_err().to_string();
            assert!(message.contains(expected) && message.contains("c.csv"), "{message}");
        }
    }

    #[test]
    fn columns_that_count_rows_are_noticed() {
        let rows: String =
            (0..9).map(|row| format!("{},{},{}\n", row + 5, row * row, row % 2)).collect();
        let data = load(format!("id,x,c\n{rows}"), table(class("c"))).unwrap();
        assert_eq!(data.intake().unwrap().row_numbers, [0]);
    }
}
