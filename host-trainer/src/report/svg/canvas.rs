//! Shared elements of SVG pictures: page, colors, text.

use svg::node::element::{Line, Rectangle, Style, Text};
use svg::{Document, Node};

use crate::foreign_text;

/// Color of the first series, and of correct predictions. Blue and vermilion of Okabe and Ito,
/// *Color universal design*, 2008, are distinguishable with color vision deficiency.
pub const FIRST: &str = "#0072b2";
/// Color of the second series, and of wrong predictions.
pub const SECOND: &str = "#d55e00";

/// Fonts and colors by role, for light and dark mode.
const STYLE: &str = "
text { font-family: ui-sans-serif, system-ui, 'Segoe UI', Helvetica, Arial, sans-serif; \
fill: #57606a; font-size: 12px; }
.page { fill: #ffffff; }
.title { font-size: 16px; font-weight: 600; fill: #1f2328; }
.subtitle { font-size: 13px; font-weight: 600; fill: #1f2328; }
.strong { fill: #1f2328; }
.grid { stroke: #d8dee4; stroke-width: 1; }
.empty { fill: #f3f5f7; }
.on-light { fill: #1f2328; }
.on-dark { fill: #ffffff; }
@media (prefers-color-scheme: dark) {
text { fill: #9198a1; }
.page { fill: #0d1117; }
.title, .subtitle, .strong { fill: #f0f6fc; }
.grid { stroke: #30363d; }
.empty { fill: #161b22; }
.on-light { fill: #f0f6fc; }
}
";

/// Anchor of a text.
#[derive(Clone, Copy, Debug)]
pub enum Anchor {
    /// Its start.
    Start,
    /// Its middle.
    Middle,
    /// Its end.
    End,
}

/// An SVG picture under construction.
#[derive(Clone, Debug)]
pub struct Canvas {
    document: Document,
}

impl Canvas {
    /// Creates an empty page of this size in pixels.
    pub fn new(width: f64, height: f64, description: &str) -> Self {
        let page = Rectangle::new()
            .set("class", "page")
            .set("width", width)
            .set("height", height)
            .set("rx", 8);
        let document = Document::new()
            .set("viewBox", format!("0 0 {width} {height}"))
            .set("width", width)
            .set("height", height)
            .set("role", "img")
            .set("aria-label", description)
            .add(Style::new(STYLE))
            .add(page);
        Canvas { document }
    }

    /// Adds an element.
    pub fn add(&mut self, node: impl Into<Box<dyn Node>>) {
        self.document.append(node);
    }

    /// Adds text with its baseline at `y`.
    pub fn text(&mut self, x: f64, y: f64, anchor: Anchor, class: &str, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let node = Text::new(text)
            .set("x", round(x))
            .set("y", round(y))
            .set("text-anchor", anchor)
            .set("class", class);
        self.add(node);
    }

    /// Adds a grid line.
    pub fn grid(&mut self, from: (f64, f64), to: (f64, f64)) {
        let line = Line::new()
            .set("class", "grid")
            .set("x1", round(from.0))
            .set("y1", round(from.1))
            .set("x2", round(to.0))
            .set("y2", round(to.1));
        self.add(line);
    }

    /// Returns the picture as an SVG file.
    pub fn finish(self) -> String {
        foreign_text::document(format!("{}\n", self.document))
    }
}

/// Rounds to a hundredth of a pixel: the difference is invisible, and the file a third as long.
pub fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
