//! Memory and time that a model takes on chips.

use super::number::{bytes, grouped, significant};
use super::style::{HEADING, paint};
use super::table::Table;
use crate::chips::{Chip, NoTime, Prediction, Time};

/// Text for the memory and the time that a model takes on one chip.
pub fn prediction_text(chip: &Chip, prediction: &Prediction) -> String {
    let Prediction { code, model, scratch, statics, stack, board, ref time } = *prediction;
    let board_line = |what: &str, signed: bool| {
        let stack = if signed { board.stack_signed } else { board.stack };
        let verdict = if board.fits(chip, signed) { "fits" } else { "does not fit" };
        format!(
            "  {what:<34}{}: {} of statics, {} of stack: {verdict}\n",
            bytes(board.ram(signed)),
            grouped(board.statics),
            grouped(stack),
        )
    };
    let verdict = match prediction.fits(chip) {
        true => "fits",
        false => "does not fit",
    };
    format!(
        "{}  {}, the engine alone with this model: {verdict}\n\
         flash   {} of {}: {} of code, {} of model\n\
         RAM     {} of {}: {} of scratch memory, {} of other statics, {} of stack\n\
         cycles  {}\n\
         RAM of a board with the device application, including slots, log and frames\n{}{}",
        paint(HEADING, chip.name),
        chip.core_name,
        bytes(prediction.flash()),
        grouped(chip.flash),
        grouped(code),
        grouped(model),
        bytes(prediction.ram()),
        grouped(chip.ram),
        grouped(scratch),
        grouped(statics),
        grouped(stack),
        time_text(time),
        board_line("accepts any model", false),
        board_line("accepts signed models only", true),
    )
}

fn time_text(time: &Result<Time, NoTime>) -> String {
    match time {
        Ok(time) => {
            let beside = match time.beside.as_slice() {
                [] => String::new(),
                parts => format!(", {}", parts.join(", ")),
            };
            let (cycles, clock_mhz) = (grouped(time.cycles), time.clock_mhz);
            let milliseconds = significant(time.milliseconds());
            let documents = "by the timings that the core's documents state";
            match time.waits {
                None => format!(
                    "at least {cycles} for an input without zeros, {milliseconds} ms at {clock_mhz} \
                     MHz, {documents}; flash waits{beside} come on top"
                ),
                Some(waits) => {
                    let beside = match time.beside.is_empty() {
                        true => String::new(),
                        false => format!("; {} come on top", beside.trim_start_matches(", ")),
                    };
                    format!(
                        "{cycles} for an input without zeros, {documents}, and {} of waits for \
                         memory, by a measurement on the chip: {milliseconds} ms at {clock_mhz} \
                         MHz{beside}",
                        grouped(waits)
                    )
                }
            }
        }
        Err(reason) => format!("not predicted: {reason}"),
    }
}

/// Table of the memory that a model takes on each chip; empty cells where it is packed for another
/// core.
pub fn chips_text(chips: &[(&Chip, Option<Prediction>)]) -> String {
    let mut table =
        Table::new(["chip", "core", "flash", "used", "RAM", "used", "at least", ""]).gap(2);
    for (chip, prediction) in chips {
        let used = |bytes: fn(&Prediction) -> u64| {
            prediction.as_ref().map_or("–".into(), |prediction| grouped(bytes(prediction)))
        };
        let verdict = match prediction {
            None => "packed for another core",
            Some(prediction) if prediction.fits(chip) => "fits",
            Some(_) => "does not fit",
        };
        table.row([
            chip.name.into(),
            chip.core_name.into(),
            grouped(chip.flash).into(),
            used(Prediction::flash).into(),
            grouped(chip.ram).into(),
            used(Prediction::ram).into(),
            prediction
                .as_ref()
                .and_then(|prediction| prediction.time.as_ref().ok())
                .map_or("–".into(), |time| format!("{} ms", significant(time.milliseconds())))
                .into(),
            verdict.into(),
        ]);
    }
    super::summary::joined(&table)
}
