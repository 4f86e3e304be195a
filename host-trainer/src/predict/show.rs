//! Preprocessed image and predictions, on the terminal.

use super::answer::Answers;
use crate::data::Prepared;
use crate::foreign_text::shown;
use crate::report::percent;
use crate::report::style::{FAINT, HEADING, STRONG, paint};

/// Maximum number of listed classes.
const LISTED: usize = 10;

/// Width of a bar in characters.
const BAR: usize = 24;

/// Shades from background to ink, for terminals without colors.
const SHADES: [char; 5] = [' ', '░', '▒', '▓', '█'];

/// Shows the image beside the probabilities; `colors` enables the terminal's colors.
pub fn show(image: &Prepared, answers: &Answers, colors: bool) -> String {
    let picture = picture(image, colors);
    let table = table(answers);
    let width = image.width + 2;
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

/// Draws the image in a frame, two pixels per character: half blocks in color, or shades.
fn picture(image: &Prepared, colors: bool) -> Vec<String> {
    let Prepared { height, width, channels, ref bytes, levels, .. } = *image;
    let full = |level: u8| (u32::from(level) * 255 / u32::from(levels.max(1))).min(255) as u8;
    let at = |row: usize, column: usize| -> [u8; 3] {
        let pixel = bytes.get((row * width + column) * channels..).unwrap_or_default();
        match (channels, pixel) {
            (3, &[red, green, blue, ..]) => [red, green, blue].map(full),
            (_, &[gray, ..]) => [full(gray); 3],
            _ => [0; 3],
        }
    };
    let mut lines = vec![format!("┌{}┐", "─".repeat(width))];
    for row in (0..height).step_by(2) {
        let mut line = String::from("│");
        for column in 0..width {
            let (upper, lower) =
                (at(row, column), if row + 1 < height { at(row + 1, column) } else { [0; 3] });
            match colors {
                true => {
                    let ([r, g, b], [s, h, c]) = (upper, lower);
                    line += &format!("\x1b[38;2;{r};{g};{b};48;2;{s};{h};{c}m▀");
                }
                false => {
                    let sum: usize = upper.iter().chain(&lower).map(|&v| usize::from(v)).sum();
                    let shade = sum * SHADES.len() / (6 * 255);
                    line.push(SHADES[shade.min(SHADES.len() - 1)]);
                }
            }
        }
        line += if colors { "\x1b[0m│" } else { "│" };
        lines.push(line);
    }
    lines.push(format!("└{}┘", "─".repeat(width)));
    lines
}

/// Lists the most probable classes, each with its probability and a bar.
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
    lines.push(format!("{} {}", paint(HEADING, "prediction"), paint(STRONG, name(answers.class))));
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
        let image = Prepared {
            height: 2,
            width: 3,
            channels: 1,
            bytes: vec![0, 255, 128, 0, 255, 128],
            levels: 255,
            inverted: true,
        };
        let answers = Answers {
            classes: vec!["no".into(), "yes".into()],
            class: 1,
            int8: vec![0.25, 0.75],
            float: Some(vec![0.2, 0.8]),
        };
        let text = anstream::adapter::strip_str(&show(&image, &answers, false)).to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "┌───┐   prediction yes");
        assert_eq!(lines[1], "│ █▒│   class       int8      float");
        assert_eq!(lines[2], "└───┘   yes      75.00 %    80.00 %  ██████████████████");
        assert!(show(&image, &answers, true).contains("\x1b[38;2;255;255;255;48;2;255;255;255m▀"));
        let color = Prepared { height: 1, width: 2, channels: 3, ..image };
        let text = show(&color, &answers, true);
        assert!(text.contains("\x1b[38;2;0;255;128;48;2;0;0;0m▀"), "{text}");
    }
}
