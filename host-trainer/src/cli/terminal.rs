//! Writing to the terminal, or to what stands in its place.

use std::io::{self, IsTerminal, Write};

use anstyle::{AnsiColor, Style};

use crate::foreign_text;
use crate::report::grouped;

/// Columns that reports may use where nobody can tell how wide the page is.
const WIDTH_OF_A_FILE: usize = 120;

/// Time for which reading a dataset is not worth a line.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(1);

/// Writes to standard output; colors only where a terminal shows them and NO_COLOR is not set.
///
/// Nothing else that a terminal would obey gets through: see [`foreign_text::screen`].
pub fn print(text: &str) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    out.write_all(foreign_text::screen(text).as_bytes())?;
    out.flush()
}

/// Writes JSON for a program to read.
pub fn json(value: &serde_json::Value) -> io::Result<()> {
    print(&foreign_text::json(&format!("{value:#}\n")))
}

/// An error with all its causes, each said once.
pub fn message(error: &anyhow::Error) -> String {
    let mut message = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        // Many errors already say what their cause says.
        if !message.contains(&cause) {
            message = format!("{message}: {cause}");
        }
    }
    message
}

/// Writes a note to standard error.
pub fn note(text: &str) {
    // A note that cannot be shown is no reason to stop.
    let _ = writeln!(anstream::stderr().lock(), "{}", foreign_text::message(text));
}

/// Writes an error with all its causes to standard error.
pub fn error(error: &anyhow::Error) {
    let red: Style = AnsiColor::Red.on_default().bold();
    let message = foreign_text::message(&message(error));
    // When even this cannot be written, the exit code is all that is left.
    let _ = writeln!(anstream::stderr().lock(), "{red}error{red:#}: {message}");
}

/// Writes warnings to standard error.
pub fn warn(text: &str) -> io::Result<()> {
    anstream::stderr().lock().write_all(foreign_text::screen(text).as_bytes())
}

/// Columns of the terminal that standard output is, or of a file.
pub fn width() -> usize {
    match io::stdout().is_terminal() {
        true => usize::from(console::Term::stdout().size().1),
        false => WIDTH_OF_A_FILE,
    }
}

/// Whether standard output shows colors.
pub fn has_colors() -> bool {
    anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never
}

/// A sign of work of unknown length: turning on a terminal, a plain line elsewhere.
pub fn spinner(what: &str, quiet: bool) -> indicatif::ProgressBar {
    if quiet {
        return indicatif::ProgressBar::hidden();
    }
    if !io::stderr().is_terminal() {
        note(&format!("  {what} …"));
        return indicatif::ProgressBar::hidden();
    }
    let spinner = indicatif::ProgressBar::new_spinner().with_message(foreign_text::shown(what));
    spinner.enable_steady_tick(std::time::Duration::from_millis(100));
    spinner
}

/// A bar over so many things: with the time left on a terminal, a plain line elsewhere.
pub fn bar(count: usize, what: &str, quiet: bool) -> indicatif::ProgressBar {
    if quiet || !io::stderr().is_terminal() {
        return spinner(&format!("{} {what}", grouped(count as u64)), quiet);
    }
    let style = bar_style("  {bar:32.cyan/black.bright} {pos}/{len} {msg}  {eta:.dim} left");
    indicatif::ProgressBar::new(count as u64).with_message(what.to_string()).with_style(style)
}

/// Progress of reading a dataset, which is shown where it takes more than a second.
pub fn loading(quiet: bool) -> crate::data::LoadProgress {
    if quiet {
        return crate::data::LoadProgress::default();
    }
    let start = std::time::Instant::now();
    let shown: std::sync::OnceLock<indicatif::ProgressBar> = std::sync::OnceLock::new();
    crate::data::LoadProgress::new(move |done, all| {
        if shown.get().is_none() && start.elapsed() < PATIENCE {
            return;
        }
        let bar = shown.get_or_init(|| bar(all, "images", false));
        bar.set_position(done as u64);
        if done >= all {
            bar.finish_and_clear();
        }
    })
}

/// How bars look, with what this template, a constant, shows beside them.
pub fn bar_style(template: &'static str) -> indicatif::ProgressStyle {
    // A constant is always understood.
    indicatif::ProgressStyle::with_template(template)
        .unwrap_or_else(|_| indicatif::ProgressStyle::default_bar())
        .progress_chars("━━╌")
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn a_cause_is_said_once() {
        let error = crate::data::read_image(std::path::Path::new("none.jpg")).unwrap_err();
        let text = message(&anyhow::Error::new(error).context("a photograph"));
        assert_eq!(text.matches("No such file").count(), 1, "{text}");
        assert!(text.starts_with("a photograph: none.jpg: "), "{text}");
        let other = Err::<(), _>(io::Error::other("why")).context("what").unwrap_err();
        assert_eq!(message(&other), "what: why");
    }
}
