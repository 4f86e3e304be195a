//! `host-trainer presets`: the list of presets.

use serde_json::{Value, json};

use super::args::PresetsArgs;
use super::terminal;
use crate::preset::{EMBEDDED, find};
use crate::report::style::{FAINT, STRONG, paint};

/// Lists the presets.
pub fn run(args: &PresetsArgs) -> anyhow::Result<()> {
    if args.json {
        let presets = EMBEDDED.iter().map(|embedded| {
            let preset = find(embedded.name)?;
            Ok(json!({
                "name": preset.name,
                "description": preset.description,
                "epochs": preset.training.epochs,
                "batch_size": preset.training.batch_size,
                "optimizer": preset.training.optimizer.name(),
                "reached": embedded.reached,
            }))
        });
        let presets = presets.collect::<anyhow::Result<Vec<Value>>>()?;
        terminal::json(&Value::Array(presets))?;
        return Ok(());
    }
    let mut text = String::new();
    for embedded in EMBEDDED {
        let preset = find(embedded.name)?;
        text += &format!(
            "{:<20} {}\n{:<20} {}\n",
            paint(STRONG, format!("{:<20}", preset.name)),
            preset.description,
            "",
            paint(
                FAINT,
                format!(
                    "{} epochs, batches of {}, {}; reached: {}",
                    preset.training.epochs,
                    preset.training.batch_size,
                    preset.training.optimizer.name(),
                    embedded.reached
                )
            )
        );
    }
    text += "\nTrain one with `host-trainer train PRESET`. A preset of your own is a TOML file \
             like the preset.toml of every run.\n";
    terminal::print(&text)?;
    Ok(())
}
