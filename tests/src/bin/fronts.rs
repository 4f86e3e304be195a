//! Searches for networks on three chips, and writes the fronts beside the presets that they started from into the tables of
//! `host-trainer/SEARCH.md`: `cargo run -p thimble-tests --bin fronts`.
//!
//! A table belongs to the command above it, `cargo thimble search … --for CHIP …`, which is run for each chip of
//! [`CHIPS`]. Finished searches are kept in `target/fronts`.

use std::path::Path;
use std::process::Command;
use std::{fs, io};

use host_trainer::report::{grouped, percent};
use thimble_tests::command::{Finished, host_trainer_path};
use thimble_tests::workspace;

/// A Cortex-M0, a Cortex-M0+ and a Cortex-M4F.
const CHIPS: [&str; 3] = ["nRF51822", "RP2040", "STM32F446"];

/// Start of a command whose table is written, with CHIP for each chip.
const COMMAND: &str = "cargo thimble search ";
const CHIP: &str = "--for CHIP";

fn main() -> io::Result<()> {
    let path = workspace::root().join("host-trainer/SEARCH.md");
    let text = fs::read_to_string(&path)?;
    let mut lines = text.lines().peekable();
    let mut new = String::new();
    // Command whose table comes next.
    let mut command = None;
    while let Some(line) = lines.next() {
        if line.starts_with(COMMAND) && line.contains(CHIP) {
            command = line.strip_prefix(COMMAND);
        }
        new += &format!("{line}\n");
        if let Some(options) = command.filter(|_| line.starts_with("|---")) {
            while lines.next_if(|row| row.starts_with('|')).is_some() {}
            for chip in CHIPS {
                new += &rows(options, chip)?;
            }
            command = None;
        }
    }
    fs::write(&path, new)?;
    println!("{}", path.display());
    Ok(())
}

/// Searches for a chip. Returns the rows of its front.
fn rows(options: &str, chip: &str) -> io::Result<String> {
    let data = options.split(' ').next().unwrap_or_default();
    let name = Path::new(data).file_stem().unwrap_or_default().to_string_lossy();
    let folder = workspace::root().join("target/fronts").join(format!("{name}-{chip}"));
    let options = options.replace(CHIP, &format!("--for {chip}"));
    println!("search {options}");
    let mut search = Command::new(host_trainer_path());
    // Quotes are for the shell.
    let options = options.split(' ').map(|option| option.trim_matches('\''));
    search
        .arg("search")
        .args(options)
        .current_dir(workspace::root())
        .arg("--quiet")
        .arg("--output")
        .arg(&folder);
    Finished::of(&mut search).success();
    front(&folder, chip)
}

fn front(folder: &Path, chip: &str) -> io::Result<String> {
    let text = fs::read_to_string(folder.join("search.csv"))?;
    let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let titles = lines.next().unwrap_or_default();
    let mut rows = String::new();
    for cells in lines {
        let cell = |title: &str| {
            let at = titles.iter().position(|own| *own == title);
            let found = at.and_then(|at| cells.get(at)).copied();
            found.ok_or_else(|| io::Error::other(format!("no {title} in {}", folder.display())))
        };
        let number = |title: &str| cell(title)?.parse::<u64>().map_err(io::Error::other);
        let share = |title: &str| -> io::Result<String> {
            Ok(percent(cell(title)?.parse::<f64>().map_err(io::Error::other)?))
        };
        // The first network of a search is that of the preset.
        let own = if cell("trial")? == "1" { ", the preset" } else { "" };
        rows += &format!(
            "| {chip} | {}{own} | {} | {} | {} | {} | {} | {} | {} |\n",
            cell("network")?,
            cell("activation")?,
            cell("weights")?,
            share("validation")?,
            share("test_quantized")?,
            grouped(number("flash")?),
            grouped(number("ram")?),
            grouped(number("cycles")?),
        );
    }
    // Not on the front: others are better and no larger.
    if !rows.contains("the preset") {
        rows += &format!("| {chip} | the preset is not on the front | | | | | | | |\n");
    }
    Ok(rows)
}
