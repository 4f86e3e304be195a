//! `host-trainer presets`: the list of presets.

use serde_json::{Value, json};

use super::args::PresetsArgs;
use super::{files, terminal};
use crate::foreign_text;
use crate::preset::{EMBEDDED, find};
use crate::report::html::activations_html;
use crate::report::style::{FAINT, STRONG, paint};

/// Lists the presets.
pub fn run(args: &PresetsArgs) -> anyhow::Result<()> {
    if let Some(path) = &args.activations {
        let (page, csv) = activations_html();
        let table = path.with_extension("csv");
        if table == *path {
            anyhow::bail!(
                "{}: the page cannot have the name of its table. End it in .html",
                foreign_text::path(path)
            );
        }
        files::write(path, page.as_bytes())?;
        files::write(&table, csv.as_bytes())?;
        let both = [path, &table].map(|path| format!("{}\n", foreign_text::path(path)));
        return Ok(terminal::print(&both.concat())?);
    }
    if args.json {
        let presets = EMBEDDED.iter().map(|embedded| {
            let preset = find(embedded.name)?;
            Ok(json!({
                "name": preset.name,
                "description": preset.description,
                "epochs": preset.training.epochs,
                "batch_size": preset.training.batch_size,
                "optimizer": preset.training.optimizer.name(),
                "reached": embedded.reached(),
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
                    embedded.reached()
                )
            )
        );
    }
    text += "\nTrain one with `host-trainer train PRESET`. A preset of your own is a TOML file \
             like the preset.toml of every run.\n";
    terminal::print(&text)?;
    Ok(())
}
