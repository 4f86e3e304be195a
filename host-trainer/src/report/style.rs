//! Colors of the terminal reports. What prints them drops them where no terminal shows them.

use anstyle::{AnsiColor, Style};

/// What a line is about.
pub const HEADING: Style = Style::new().bold();
/// Beside what matters.
pub const FAINT: Style = Style::new().dimmed();
/// What matters most.
pub const STRONG: Style = AnsiColor::Cyan.on_default().bold();
/// Right.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// Wrong.
pub const BAD: Style = AnsiColor::Yellow.on_default();

/// Text in a style.
pub fn paint(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}
