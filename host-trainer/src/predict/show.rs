//! What the network saw, and what it says, on the terminal.

use super::answer::Answers;
use super::prepare::Ink;
use crate::foreign_text::shown;
use crate::report::percent;
use crate::report::style::{FAINT, HEADING, STRONG, paint};

/// The most classes that are listed.
const LISTED: usize = 10;

/// Width of a bar.
const BAR: usize = 24;

/// From paper to ink, where there are no colours.
const SHADES: [char; 5] = [' ', '░', '▒', '▓', '█'];

/// The picture beside the probabilities. `colours` says whether the terminal has them.
pub fn show(ink: &Ink, answers: &Answers, colours: bool) -> String {
    let picture = picture(ink, colours);
    let table = table(answers);
    let width = ink.size.1 + 2;
    let mut text = String::new();
    for line in 0..picture.len().max(table.len()) {
        match picture.get(line) {
            Some(picture) => text += picture,
            None => text += &" ".repeat(width),
        }
        text += "   ";
        text += table.get(line).map_or("", String::as_str);
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

/// The picture in a frame, two pixels to a character: half blocks in grey, or shades.
fn picture(ink: &Ink, colours: bool) -> Vec<String> {
    let (height, width) = ink.size;
    let at =
        |row: usize, column: usize| ink.pixels.get(row * width + column).copied().unwrap_or(0.0);
    let mut lines = vec![format!("┌{}┐", "─".repeat(width))];
    for row in (0..height).step_by(2) {
        let mut line = String::from("│");
        for column in 0..width {
            let (upper, lower) =
                (at(row, column), if row + 1 < height { at(row + 1, column) } else { 0.0 });
            match colours {
                true => {
                    let grey = |value: f32| (value.clamp(0.0, 1.0) * 255.0) as u8;
                    let (u, l) = (grey(upper), grey(lower));
                    line += &format!("\x1b[38;2;{u};{u};{u};48;2;{l};{l};{l}m▀");
                }
                false => {
                    let shade = ((upper + lower) / 2.0 * SHADES.len() as f32) as usize;
                    line.push(SHADES[shade.min(SHADES.len() - 1)]);
                }
            }
        }
        line += if colours { "\x1b[0m│" } else { "│" };
        lines.push(line);
    }
    lines.push(format!("└{}┘", "─".repeat(width)));
    lines
}

/// The likeliest classes, each with its probability and a bar.
fn table(answers: &Answers) -> Vec<String> {
    let mut order: Vec<usize> = (0..answers.int8.len()).collect();
    order.sort_by(|&a, &b| answers.int8[b].total_cmp(&answers.int8[a]));
    let names: Vec<String> = answers.classes.iter().map(|name| shown(name)).collect();
    let name = |class: usize| names.get(class).map_or("?", String::as_str);
    let widths = order.iter().take(LISTED).map(|&class| name(class).chars().count());
    let width = widths.max().unwrap_or(0).max(5);
    let mut header = format!("{:<width$}  {:>9}", "class", "int8");
    if answers.float.is_some() {
        header += &format!("  {:>9}", "float");
    }
    let mut lines = Vec::new();
    if let Some(&best) = order.first() {
        lines.push(format!("{} {}", paint(HEADING, "it says"), paint(STRONG, name(best))));
    }
    lines.push(paint(FAINT, header));
    for &class in order.iter().take(LISTED) {
        let share = answers.int8[class];
        let mut line = format!("{:<width$}  {:>9}", name(class), percent(f64::from(share)));
        if let Some(float) = &answers.float {
            let share = float.get(class).copied().unwrap_or(f32::NAN);
            line += &format!("  {:>9}", percent(f64::from(share)));
        }
        line += "  ";
        line += &paint(STRONG, "█".repeat((share * BAR as f32).round() as usize));
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picture_and_probabilities_stand_side_by_side() {
        let ink = Ink { size: (2, 3), pixels: vec![0.0, 1.0, 0.5, 0.0, 1.0, 0.5], inverted: true };
        let answers = Answers {
            classes: vec!["no".into(), "yes".into()],
            int8: vec![0.25, 0.75],
            float: Some(vec![0.2, 0.8]),
        };
        let text = anstream::adapter::strip_str(&show(&ink, &answers, false)).to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "┌───┐   it says yes");
        assert_eq!(lines[1], "│ █▒│   class       int8      float");
        assert_eq!(lines[2], "└───┘   yes      75.00 %    80.00 %  ██████████████████");
        assert!(show(&ink, &answers, true).contains("\x1b[38;2;255;255;255;48;2;255;255;255m▀"));
    }
}
