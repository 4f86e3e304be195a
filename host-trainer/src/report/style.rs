//! Colors of terminal reports. Printing removes them where no terminal shows them.

use anstyle::{AnsiColor, Style};

/// Headings.
pub const HEADING: Style = Style::new().bold();
/// Secondary text.
pub const FAINT: Style = Style::new().dimmed();
/// Main results.
pub const STRONG: Style = AnsiColor::Cyan.on_default().bold();
/// Correct.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// Wrong.
pub const BAD: Style = AnsiColor::Yellow.on_default();

/// Applies a style to a text.
pub fn paint(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}
