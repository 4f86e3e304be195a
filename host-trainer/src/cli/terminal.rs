//! Output to the terminal, a file or a pipe.

use std::io::{self, IsTerminal, Write};

use anstyle::{AnsiColor, Style};

use crate::foreign_text;
use crate::report::grouped;

/// Columns of reports that are not written to a terminal.
const WIDTH_OF_A_FILE: usize = 120;

/// Time after which reading a dataset shows progress.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(1);

/// Writes to standard output, with colors only if a terminal shows them and NO_COLOR is not set.
///
/// Other control sequences are escaped: see [`foreign_text::screen`].
pub fn print(text: &str) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    out.write_all(foreign_text::screen(text).as_bytes())?;
    out.flush()
}

/// Writes JSON.
pub fn json(value: &serde_json::Value) -> io::Result<()> {
    print(&foreign_text::json(&format!("{value:#}\n")))
}

/// Text of an error with all its causes, each once.
pub fn message(error: &anyhow::Error) -> String {
    let mut message = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        // Many errors already contain their cause.
        if !message.contains(&cause) {
            message = format!("{message}: {cause}");
        }
    }
    message
}

/// Writes a note to standard error.
pub fn note(text: &str) {
    // A note that cannot be written does not stop the program.
    let _ = writeln!(anstream::stderr().lock(), "{}", foreign_text::message(text));
}

/// Writes an error with all its causes to standard error.
pub fn error(error: &anyhow::Error) {
    let red: Style = AnsiColor::Red.on_default().bold();
    let message = foreign_text::message(&message(error));
    // If this fails, the exit code is all that is left.
    let _ = writeln!(anstream::stderr().lock(), "{red}error{red:#}: {message}");
}

/// Writes warnings to standard error.
pub fn warn(text: &str) -> io::Result<()> {
    anstream::stderr().lock().write_all(foreign_text::screen(text).as_bytes())
}

/// Columns of the terminal on standard output, or of a file.
pub fn width() -> usize {
    match io::stdout().is_terminal() {
        true => usize::from(console::Term::stdout().size().1),
        false => WIDTH_OF_A_FILE,
    }
}

/// Returns whether standard output shows colors.
pub fn has_colors() -> bool {
    anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never
}

/// Indicator for work of unknown length: a spinner on a terminal, a plain line elsewhere.
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

/// Progress bar over `count` items, with the remaining time, on a terminal; a plain line elsewhere.
pub fn bar(count: usize, what: &str, quiet: bool) -> indicatif::ProgressBar {
    if quiet || !io::stderr().is_terminal() {
        return spinner(&format!("{} {what}", grouped(count as u64)), quiet);
    }
    let style = bar_style("  {bar:32.cyan/black.bright} {pos}/{len} {msg}  {eta:.dim} left");
    indicatif::ProgressBar::new(count as u64).with_message(what.to_string()).with_style(style)
}

/// Progress of reading a dataset, shown after more than a second.
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

/// Style of progress bars, with a constant template for the text beside them.
pub fn bar_style(template: &'static str) -> indicatif::ProgressStyle {
    // A constant template is always valid.
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
