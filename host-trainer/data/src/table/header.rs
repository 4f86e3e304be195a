//! Header of a CSV file: columns of features and targets by name.

use model_format::limits::{MAX_TEXT, MAX_WIDTH};
use thimble_support::foreign_text::shown;
use thimble_support::nearest;

use super::problem::{Problem, Section, listed};
use super::rows::RowSpec;
use super::settings::Table;

/// Columns of a file.
#[derive(Debug, Default)]
pub(super) struct Columns {
    /// Names of all columns, empty for a column without a name.
    pub names: Vec<String>,
    /// Number of cells per row. Additional cells must be empty.
    pub width: usize,
    /// Columns of the features, in the model's order.
    pub features: Vec<usize>,
    /// Columns of the targets. Empty if the file has no target.
    pub targets: Vec<usize>,
    /// Notes for the user.
    pub notes: Vec<String>,
}

/// Resolves the columns of features and targets. `sample` contains the cells of the first lines.
pub(super) fn resolve(
    table: &Table,
    spec: &RowSpec,
    sample: &[Vec<String>],
) -> Result<Columns, Problem> {
    let mut columns = named(table, sample);
    let there: Vec<&str> = columns.names.iter().map(String::as_str).collect();
    let is_nameless = |name: &str| name.is_empty() || name.starts_with("Unnamed: ");
    let find = |name: &str, key: &str| -> Result<usize, Problem> {
        match there.iter().position(|own| *own == name) {
            Some(at) => Ok(at),
            None => Err(missing(table, spec, &[name], &there, sample, key)),
        }
    };
    let target_names = table.target.names();
    let has_target = target_names.iter().all(|name| there.contains(name));
    if has_target || spec.needs_target {
        columns.targets =
            target_names.iter().map(|name| find(name, "target")).collect::<Result<_, _>>()?;
    }
    if spec.features.is_empty() {
        for name in &table.ignore {
            find(name, "ignore")?;
        }
        let is_left_out = |at: usize| {
            columns.targets.contains(&at) || table.ignore.iter().any(|name| name == there[at])
        };
        for at in (0..columns.width).filter(|&at| !is_left_out(at)) {
            match is_nameless(there[at]) {
                false => columns.features.push(at),
                true if at == 0 => columns.notes.push(
                    "column 1 has no name, as pandas writes row numbers: it is left out".into(),
                ),
                true => {
                    columns.notes.push(format!("column {} has no name: it is left out", at + 1))
                }
            }
        }
    } else {
        let absent: Vec<&str> =
            spec.features.iter().map(String::as_str).filter(|name| !there.contains(name)).collect();
        if !absent.is_empty() {
            return Err(missing(table, spec, &absent, &there, sample, "features"));
        }
        columns.features =
            spec.features.iter().map(|name| find(name, "features")).collect::<Result<_, _>>()?;
    }
    let found = columns.features.len();
    if found == 0 || found > MAX_WIDTH {
        let text = format!("{found} features, but a model takes 1 to {MAX_WIDTH}: name others");
        return Err(Problem { place: spec.section.place("features"), text });
    }
    for &at in columns.targets.iter().chain(&columns.features) {
        check_name(at, &there, spec.section)?;
    }
    if spec.needs_target && !spec.is_another_file {
        let used = || columns.features.iter().chain(&columns.targets).map(|&at| there[at]);
        if let Some(name) = table.units.keys().find(|name| !used().any(|own| own == *name)) {
            let text =
                format!("there is no feature or target `{}`, but: {}", shown(name), listed(used()));
            return Err(Problem::key("units", text));
        }
    }
    Ok(columns)
}

/// Returns the names of all columns.
fn named(table: &Table, sample: &[Vec<String>]) -> Columns {
    let mut columns = Columns::default();
    let Some(first) = sample.first() else { return columns };
    if !table.header {
        let is_filled =
            |at: usize| sample.iter().any(|cells| cells.get(at).is_some_and(|c| !c.is_empty()));
        columns.width = (0..first.len()).rev().find(|&at| is_filled(at)).map_or(0, |at| at + 1);
        columns.names = (1..=columns.width).map(|at| at.to_string()).collect();
        return columns;
    }
    columns.names = first.clone();
    if has_row_names(first, &sample[1..]) {
        columns.names.insert(0, String::new());
        columns.notes.push(
            "rows have one cell more than the first line names, as R writes row names".into(),
        );
    }
    // Trailing separators, as Excel writes them, make empty columns.
    while columns.names.last().is_some_and(String::is_empty) {
        columns.names.pop();
    }
    columns.width = columns.names.len();
    columns
}

/// Returns `true` if each row begins with a row name or number for which the header has no column.
fn has_row_names(header: &[String], rows: &[Vec<String>]) -> bool {
    let longer = |cells: &Vec<String>| {
        cells.len() == header.len() + 1 && cells.last().is_some_and(|last| !last.is_empty())
    };
    if rows.len() < 2 || !rows.iter().all(longer) {
        return false;
    }
    let first: Vec<&str> = rows.iter().map(|cells| cells[0].as_str()).collect();
    let numbers: Option<Vec<i64>> = first.iter().map(|cell| cell.parse().ok()).collect();
    match numbers {
        Some(numbers) => numbers.windows(2).all(|pair| pair[1] == pair[0] + 1),
        None => {
            let mut words = first.clone();
            words.sort_unstable();
            words.dedup();
            words.len() == first.len() && !first.iter().any(|cell| cell.parse::<f64>().is_ok())
        }
    }
}

fn check_name(at: usize, there: &[&str], section: Section) -> Result<(), Problem> {
    let name = there[at];
    if let Some(other) = there.iter().enumerate().position(|(own, n)| own != at && *n == name) {
        let (a, b) = (at.min(other) + 1, at.max(other) + 1);
        let text = format!("columns {a} and {b} have the same name: rename one in the first line");
        return Err(Problem::column(name, text));
    }
    if name.len() > MAX_TEXT {
        let bytes = name.len();
        let text = format!(
            "its name has {bytes} bytes, those in a model have {MAX_TEXT} at most: shorten it in \
             the first line{}",
            section.remedy(", or leave the column out by ignore", "")
        );
        return Err(Problem::column(name, text));
    }
    if name.chars().any(char::is_control) {
        let text = "its name has control characters: rename it in the first line".to_string();
        return Err(Problem::column(name, text));
    }
    Ok(())
}

/// Returns the error for missing columns.
fn missing(
    table: &Table,
    spec: &RowSpec,
    absent: &[&str],
    there: &[&str],
    sample: &[Vec<String>],
    key: &str,
) -> Problem {
    let list = listed(there.iter().copied());
    let mut text = match absent {
        [name] => format!("there is no column `{}`, but: {list}", shown(name)),
        names => {
            let names = listed(names.iter().copied());
            format!("there are no columns {names}, but: {list}")
        }
    };
    if spec.is_another_file && key == "features" {
        let needed = listed(spec.features.iter().map(String::as_str));
        text += &format!(". The columns that are needed: {needed}");
    }
    let is_number = |cell: &String| cell.replace(',', ".").parse::<f64>().is_ok();
    let numbers = |cells: &[String]| cells.iter().filter(|cell| is_number(cell)).count();
    let rows = sample.iter().skip(1).take(5).map(|cells| numbers(cells)).max().unwrap_or(0);
    let usual = sample.iter().skip(1).map(Vec::len).max().unwrap_or(0);
    let first = sample[0].len();
    if table.header && usual > 1 && (first + 1 == 2 * usual || first == 2 * usual) {
        text += ". The names and the first row seem to stand in one line: break it between them";
    } else if table.header && first == 1 && usual > 1 {
        text += ". Lines above the names are no part of the table: take them out";
        text += &spec.section.remedy(", or set comment to the character that they begin with", "");
    } else if table.header && numbers(&sample[0]) > 0 && numbers(&sample[0]) >= rows {
        text += ". The first line has numbers, so it seems to be a row: ";
        text += spec.section.remedy_without_header();
    } else if let [name] = absent {
        let same = there.iter().find(|own| own.eq_ignore_ascii_case(name)).copied();
        if let Some(meant) = same.or_else(|| nearest(name, there.iter().copied())) {
            text += &format!(" (did you mean `{}`?)", shown(meant));
        } else if there.len() == 1 {
            let otherwise = "write a comma or a semicolon between columns";
            text += ". Only one column was found: ";
            text += &spec.section.remedy("set separator", otherwise);
        }
    }
    let place = if table.header { "line 1".to_string() } else { spec.section.place(key) };
    Problem { place, text }
}
