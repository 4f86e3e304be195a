//! `host-trainer inspect`: contents and memory requirements of a model.

use anyhow::Context;
use clap::Args;
use model_format::Model;
use serde_json::{Value, json};
use thimble_nn::Engine;

use super::args::model_file;
use super::evaluate::read_model;
use super::terminal;
use crate::chips::{CHIPS, Chip, Prediction, Waits};
use crate::foreign_text;
use crate::report::{chips_text, inspect_text, prediction_text};
use std::path::PathBuf;

/// Arguments of `inspect`.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// Model file, or folder of a run
    #[arg(value_name = "MODEL|RUN", value_parser = model_file())]
    pub model: PathBuf,
    /// Predict the flash and RAM that the model takes on a chip, such as nRF51822, and whether it
    /// fits; `list` shows all chips
    #[arg(long = "for", value_name = "CHIP")]
    pub chip: Option<String>,
    /// File of measured waits for memory, which `device bench --calibrate` writes
    #[arg(long, value_name = "FILE", requires = "chip")]
    pub calibration: Option<PathBuf>,
    /// Print the prediction as a JSON object
    #[arg(long, requires = "chip")]
    pub json: bool,
}

/// Shows the contents of a model file and runs its self-tests, or predicts the memory and the time
/// that it takes on a chip.
pub fn run(args: &InspectArgs) -> anyhow::Result<()> {
    let bytes = read_model(&args.model)?;
    let place = || foreign_text::path(&args.model);
    let model = Model::parse(&bytes).with_context(place)?;
    let waits = Waits::contributed()?;
    let waits = match &args.calibration {
        Some(path) => waits.replaced_by(Waits::read(path)?),
        None => waits,
    };
    let predict = |chip: &Chip| chip.predict_with(&model, &waits);
    let text = match args.chip.as_deref() {
        None => inspect_text(&model, passed(&model)?),
        Some("list") => {
            // Chips for which the model is not packed are marked as such.
            let all: Vec<_> = CHIPS.iter().map(|chip| (chip, predict(chip).ok())).collect();
            match args.json {
                true => {
                    let all = all.into_iter().map(|(chip, found)| value(chip, found));
                    format!("{:#}\n", Value::from_iter(all))
                }
                false => chips_text(&all),
            }
        }
        Some(name) => {
            let chip = Chip::named(name)?;
            let prediction = predict(chip).with_context(place)?;
            match args.json {
                true => format!("{:#}\n", value(chip, Some(prediction))),
                false => prediction_text(chip, &prediction),
            }
        }
    };
    terminal::print(&text)?;
    Ok(())
}

fn value(chip: &Chip, prediction: Option<Prediction>) -> Value {
    let mut value = json!({
        "chip": chip.name,
        "core": chip.core_name,
        "flash_bytes": chip.flash,
        "ram_bytes": chip.ram,
    });
    if let Some(prediction) = prediction {
        value["predicted"] = json!({
            "fits": prediction.fits(chip),
            "flash_bytes": prediction.flash(),
            "code_bytes": prediction.code,
            "model_bytes": prediction.model,
            "ram_bytes": prediction.ram(),
            "scratch_bytes": prediction.scratch,
            "static_bytes": prediction.statics,
            "stack_bytes": prediction.stack,
            "board": board(chip, &prediction, false),
            "signed_board": board(chip, &prediction, true),
        });
        if let Ok(time) = &prediction.time {
            value["predicted"]["time"] = json!({
                "min_cycles": time.cycles,
                "min_milliseconds": time.cycles as f64 / time.clock_mhz as f64 / 1e3,
                "clock_mhz": time.clock_mhz,
                "measured_wait_cycles": time.waits,
                "milliseconds": time.waits.map(|_| time.milliseconds()),
                "not_counted": time.beside,
            });
        }
    }
    value
}

/// RAM of a board with the device application.
fn board(chip: &Chip, prediction: &Prediction, signed: bool) -> Value {
    let board = prediction.board;
    json!({
        "fits": board.fits(chip, signed),
        "ram_bytes": board.ram(signed),
        "static_bytes": board.statics,
        "stack_bytes": if signed { board.stack_signed } else { board.stack },
    })
}

/// Number of self-tests that a model passes in the engine.
fn passed(model: &Model<'_>) -> anyhow::Result<usize> {
    let mut scratch = vec![0; model.scratch_len()];
    let mut engine = Engine::new(model.clone(), &mut scratch)?;
    let mut passed = 0;
    for test in model.self_tests() {
        passed += usize::from(engine.run_bytes(test.input)? == test.output);
    }
    Ok(passed)
}
