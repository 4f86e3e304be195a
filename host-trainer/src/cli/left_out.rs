//! Commands whose feature is not in this build.

use anyhow::bail;
use clap::Args;

/// Arguments of a command that this build does not contain; any are accepted.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub struct LeftOut {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    arguments: Vec<String>,
}

impl LeftOut {
    /// Returns an error with the command line that has this command.
    ///
    /// # Errors
    /// Always: this build has no such command.
    pub fn refuse(&self, command: &str) -> anyhow::Result<()> {
        let words = self.arguments.iter().map(|word| crate::foreign_text::escaped(word));
        let typed: Vec<String> = words.map(|word| format!(" {word}")).collect();
        bail!(
            "`{command}` is not in this build, which has only the features for a first training. \
             In Thimble's folder, run `cargo thimble {command}{}`. Elsewhere, install \
             host-trainer with --features full",
            typed.concat()
        )
    }
}
