//! Class labels of a table: the distinct words of a column, sorted.

use std::cmp::Ordering;
use std::collections::HashMap;

use model_format::limits::{MAX_LABELS, MAX_TEXT};
use thimble_support::foreign_text::shown;

use super::super::Labels;
use super::cells::is_missing_class;
use super::decode::text;
use super::problem::{Problem, listed};

/// Maximum number of distinct words in a column of classes.
const MOST: usize = 4096;

/// Classes of a column: collected from rows, or given by a model.
#[derive(Debug, Default)]
pub(super) struct ClassNames {
    names: Vec<String>,
    /// Line of the first row of each class, or 0 for the classes of a model.
    lines: Vec<u64>,
    rows: Vec<u64>,
    index: HashMap<Vec<u8>, u16>,
    last: (Vec<u8>, u16),
    known: bool,
}

impl ClassNames {
    /// Creates the classes of a model. Other classes are errors.
    pub fn known(names: &[String]) -> Self {
        let index = names.iter().enumerate();
        ClassNames {
            names: names.to_vec(),
            lines: vec![0; names.len()],
            rows: vec![0; names.len()],
            index: index.map(|(at, name)| (name.clone().into_bytes(), at as u16)).collect(),
            last: (Vec::new(), 0),
            known: true,
        }
    }

    /// Returns the names so far, in the order of first rows.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Returns the class of a cell, or `None` for a missing value.
    #[inline]
    pub fn find(&mut self, cell: &[u8], line: u64, column: &str) -> Result<Option<u16>, Problem> {
        if !cell.is_empty() && cell == self.last.0 {
            self.rows[usize::from(self.last.1)] += 1;
            return Ok(Some(self.last.1));
        }
        let found = match self.index.get(cell) {
            Some(&class) => class,
            None => match self.add(cell, line, column)? {
                Some(class) => class,
                None => return Ok(None),
            },
        };
        self.rows[usize::from(found)] += 1;
        self.last.0.clear();
        self.last.0.extend_from_slice(cell);
        self.last.1 = found;
        Ok(Some(found))
    }

    fn add(&mut self, cell: &[u8], line: u64, column: &str) -> Result<Option<u16>, Problem> {
        let name = text(cell);
        let fail = |problem| Err(Problem::cell(line, column, problem));
        // The same name in another encoding is another cell.
        if let Some(class) = self.names.iter().position(|own| *own == name) {
            self.index.insert(cell.to_vec(), class as u16);
            return Ok(Some(class as u16));
        }
        if is_missing_class(&name) {
            return Ok(None);
        }
        let name_shown = shown(&name);
        if self.known {
            let there = listed(self.names.iter().map(String::as_str));
            let same = self.names.iter().find(|own| alike(own, &name));
            let meant = same.map_or(String::new(), |own| format!(" (did you mean `{own}`?)"));
            return fail(format!("`{name_shown}` is none of the classes{meant}: {there}"));
        }
        if name.contains('\n') {
            return fail(format!(
                "the class `{name_shown}` spans lines: close the quote at its beginning, or take \
                 it out"
            ));
        }
        if name.chars().any(char::is_control) {
            return fail(format!("the class `{name_shown}` has control characters: take them out"));
        }
        if name.len() > MAX_TEXT {
            let bytes = name.len();
            return fail(format!(
                "the class `{name_shown}` has {bytes} bytes, a model's have {MAX_TEXT} at most: \
                 shorten it, or name another column as target"
            ));
        }
        if self.names.len() == MOST {
            let problem = format!("more than {MOST} classes, {}", too_many(&self.names));
            return Err(Problem::column(column, problem));
        }
        self.names.push(name.into_owned());
        self.lines.push(line);
        self.rows.push(0);
        let class = (self.names.len() - 1) as u16;
        self.index.insert(cell.to_vec(), class);
        Ok(Some(class))
    }

    /// Checks and sorts the classes, unless they are those of a model.
    pub fn labels(&self, column: &str, mut indices: Vec<u16>) -> Result<Labels, Problem> {
        if self.known {
            return Ok(Labels { indices, names: self.names.clone() });
        }
        let fail = |problem: String| Problem::column(column, problem);
        if let Some((a, b)) = near(&self.names) {
            return Err(fail(format!(
                "the classes `{}` ({} rows, the first in line {}) and `{}` ({} rows, the first in \
                 line {}) are nearly the same: write them alike, or apart",
                self.names[a],
                self.rows[a],
                self.lines[a],
                self.names[b],
                self.rows[b],
                self.lines[b]
            )));
        }
        let order = check(&self.names).map_err(fail)?;
        indices.iter_mut().for_each(|class| *class = order[usize::from(*class)]);
        Ok(Labels { indices, names: sorted(&self.names, &order) })
    }
}

/// Returns the class of each row. Classes are the distinct words in alphabetical order, or in
/// numeric order if all are numbers.
pub(in super::super) fn classes(words: &[String]) -> Result<Labels, String> {
    let (mut names, mut index) = (Vec::new(), HashMap::new());
    let mut indices: Vec<u16> = Vec::with_capacity(words.len());
    for word in words {
        let class = *index.entry(word.as_str()).or_insert_with(|| {
            names.push(word.clone());
            names.len() - 1
        });
        indices.push(class.min(usize::from(u16::MAX)) as u16);
    }
    let order = check(&names)?;
    indices.iter_mut().for_each(|class| *class = order[usize::from(*class)]);
    Ok(Labels { indices, names: sorted(&names, &order) })
}

fn sorted(names: &[String], order: &[u16]) -> Vec<String> {
    let mut sorted = vec![String::new(); names.len()];
    names.iter().zip(order).for_each(|(name, &at)| sorted[usize::from(at)] = name.clone());
    sorted
}

/// Checks the number of classes, and returns the sorted position of each.
fn check(names: &[String]) -> Result<Vec<u16>, String> {
    match names {
        [] => return Err("no row has a class".to_string()),
        [only] => {
            let only = shown(only);
            return Err(format!("all rows are of class `{only}`: there is nothing to tell apart"));
        }
        _ => {}
    }
    if names.len() > MAX_LABELS {
        return Err(format!("{} classes {}", names.len(), too_many(names)));
    }
    let mut order: Vec<usize> = (0..names.len()).collect();
    order.sort_by(|&a, &b| class_order(&names[a], &names[b], all_numbers(names)));
    let mut places = vec![0; names.len()];
    order.iter().enumerate().for_each(|(place, &class)| places[class] = place as u16);
    Ok(places)
}

fn too_many(names: &[String]) -> String {
    let some = listed(names.iter().take(3).map(String::as_str));
    format!(
        "are more than a model can have, {MAX_LABELS} ({some}, …): if they are numbers to be \
         learnt as such, set target = {{ values = [...] }}; if each row has its own, name another \
         column"
    )
}

/// Returns `true` if all classes are numbers.
fn all_numbers(names: &[String]) -> bool {
    names.iter().all(|name| value(name).is_some())
}

/// Parses the name of a class as a number.
fn value(name: &str) -> Option<f64> {
    let plain = match name.contains('.') {
        true => name.to_string(),
        false => name.replacen(',', ".", 1),
    };
    plain.parse().ok().filter(|value: &f64| value.is_finite())
}

/// Compares names of classes, numerically if all are numbers, else alphabetically.
fn class_order(a: &str, b: &str, numbers: bool) -> Ordering {
    let by_text = a.cmp(b);
    match (value(a), value(b)) {
        (Some(a), Some(b)) if numbers => a.total_cmp(&b).then(by_text),
        _ => by_text,
    }
}

/// Returns two classes that differ only by case, whitespace, or the format of a number.
fn near(names: &[String]) -> Option<(usize, usize)> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let numbers = all_numbers(names);
    for (at, name) in names.iter().enumerate() {
        let key = match value(name) {
            Some(value) if numbers => value.to_string(),
            _ => plain(name),
        };
        if let Some(&other) = seen.get(&key) {
            // Single letters in both cases are distinct classes.
            if numbers || name.chars().count() > 1 || names[other].chars().count() > 1 {
                return Some((other, at));
            }
        }
        seen.entry(key).or_insert(at);
    }
    None
}

fn plain(name: &str) -> String {
    name.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect()
}

fn alike(a: &str, b: &str) -> bool {
    plain(a) == plain(b) || value(a).is_some_and(|a| value(b) == Some(a))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(words: &[&str]) -> Result<Vec<String>, String> {
        let mut found = ClassNames::default();
        let mut indices = Vec::new();
        for (row, word) in words.iter().enumerate() {
            let class = found.find(word.as_bytes(), row as u64 + 2, "c");
            let class = class.map_err(|problem| problem.text)?;
            indices.extend(class);
        }
        let labels = found.labels("c", indices).map_err(|problem| problem.text)?;
        for (&index, word) in labels.indices.iter().zip(words) {
            assert_eq!(labels.names[usize::from(index)], *word);
        }
        Ok(labels.names)
    }

    #[test]
    fn classes_are_sorted_by_alphabet_or_by_size() {
        assert_eq!(names(&["b", "a", "b", "c"]).unwrap(), ["a", "b", "c"]);
        assert_eq!(names(&["10", "9", "-2"]).unwrap(), ["-2", "9", "10"]);
        assert_eq!(names(&["10.0", "1.0", "2.0"]).unwrap(), ["1.0", "2.0", "10.0"]);
        assert_eq!(names(&["10", "9", "x"]).unwrap(), ["10", "9", "x"]);
        assert_eq!(names(&["none", "alarm"]).unwrap(), ["alarm", "none"]);
        let words = ["b", "a"].map(String::from);
        assert_eq!(classes(&words).unwrap().indices, [1, 0]);
    }

    #[test]
    fn classes_that_are_nearly_the_same_are_named() {
        for words in [["Cool", "cool", "x"], ["very cold", "verycold", "x"], ["1", "1.0", "2"]] {
            let message = names(&words).unwrap_err();
            assert!(message.contains(words[0]) && message.contains(words[1]), "{message}");
            assert!(message.contains("line 2") && message.contains("line 3"), "{message}");
        }
        assert_eq!(names(&["A", "a"]).unwrap(), ["A", "a"]);
    }

    #[test]
    fn what_is_no_class_is_named() {
        let many: Vec<String> = (0..300).map(|i| format!("c{i}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let long = "x".repeat(65);
        for (words, expected) in [
            (vec!["a", "a"], "all rows are of class `a`"),
            (many, "300 classes are more than a model can have, 256 (c0, c1, c2, …)"),
            (vec!["a", &long], "has 65 bytes, a model's have 64"),
            (vec!["a", "b\u{1b}[31m"], "`b\\u{1b}[31m` has control characters"),
            (vec!["a", "b\nc"], "spans lines"),
        ] {
            let message = names(&words).unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
        let mut known = ClassNames::known(&["cool".to_string(), "warm".to_string()]);
        assert_eq!(known.find(b"warm", 2, "c"), Ok(Some(1)));
        assert_eq!(known.find(b"", 2, "c"), Ok(None));
        let problem = known.find(b"Cool", 3, "c").unwrap_err();
        assert!(problem.text.contains("(did you mean `cool`?): cool, warm"), "{problem:?}");
    }
}
