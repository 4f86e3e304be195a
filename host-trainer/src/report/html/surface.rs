//! Page with the surface of a network of two inputs, in three dimensions.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{PreEscaped, html};
use serde_json::json;

use super::page::page;
use crate::foreign_text;
use crate::report::number::{grouped, significant as number};

/// Name of the page.
pub const SURFACE: &str = "surface.html";

/// Surface of a network over its two inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Surface {
    /// Name of the run.
    pub name: String,
    /// Names of the two inputs, with units.
    pub inputs: [String; 2],
    /// Names of the outputs, with units; of a classifier, the probabilities of its classes.
    pub outputs: Vec<String>,
    /// Grid points per side.
    pub side: usize,
    /// First and last column of the grid.
    pub x: (f64, f64),
    /// First and last row of the grid.
    pub y: (f64, f64),
    /// Rows of the data, by split.
    pub points: Vec<SurfacePoints>,
    /// Outputs of the float network on the grid, per output, row by row.
    pub float: Vec<Vec<f32>>,
    /// Outputs of the quantized model on the grid.
    pub quantized: Vec<Vec<f32>>,
    /// Data type of the quantized model's activations.
    pub data_type: &'static str,
}

/// Rows of a split.
#[derive(Clone, Debug, PartialEq)]
pub struct SurfacePoints {
    /// Name of the split: `training`, `validation` or `test`.
    pub split: &'static str,
    /// Number of all its rows, of which there may be too many to draw.
    pub all: usize,
    /// Index of each row in its file or generator.
    pub rows: Vec<u32>,
    /// First input.
    pub x: Vec<f32>,
    /// Second input.
    pub y: Vec<f32>,
    /// Target of each output.
    pub z: Vec<Vec<f32>>,
}

/// CSS colors of splits and networks.
fn color(name: &str) -> &'static str {
    match name {
        "float" => "--first",
        "quantized" => "--second",
        "training" => "--text",
        "validation" => "--third",
        _ => "--faint",
    }
}

/// Returns the page: one self-contained file with a script.
pub fn surface_html(surface: &Surface) -> String {
    let networks = [
        ("float", "float network".to_string(), &surface.float),
        ("quantized", format!("{} network", surface.data_type), &surface.quantized),
    ];
    let data = json!({
        "side": surface.side,
        "inputs": surface.inputs,
        "outputs": surface.outputs,
        "x": [surface.x.0, surface.x.1],
        "y": [surface.y.0, surface.y.1],
        // Ranges, which the script computes.
        "z": vec![[0.0, 1.0]; surface.outputs.len()],
        "networks": networks.iter().map(|(name, title, z)| json!({
            "name": name, "title": title, "color": color(name), "z": texts(z),
        })).collect::<Vec<_>>(),
        "points": surface.points.iter().map(|points| json!({
            "split": points.split,
            "title": format!("{} data", points.split),
            "color": color(points.split),
            "rows": STANDARD.encode(points.rows.iter().flat_map(|r| r.to_le_bytes()).collect::<Vec<u8>>()),
            "x": text(&points.x),
            "y": text(&points.y),
            "z": texts(&points.z),
        })).collect::<Vec<_>>(),
    });
    // No name can end the element of the script.
    let data = foreign_text::json(&data.to_string()).replace('<', "\\u003c");
    let title = format!("{}: surface", surface.name);
    let [x, y] = &surface.inputs;
    let described = format!(
        "Surface of {} over {x} and {y}, with the rows of the data. Arrow keys turn it, plus and \
         minus zoom, Home resets the view.",
        surface.outputs.join(", ")
    );
    let body = html! {
        style { (PreEscaped(include_str!("surface.css"))) }
        header { h1 { (title) } }
        p class="faint" {
            "Drag or arrow keys turn the picture, the wheel or two fingers zoom. A label shows the \
             numbers under the pointer. Grid: " (surface.side) " × " (surface.side) " over the data, "
            (x) " from " (number(surface.x.0)) " to " (number(surface.x.1)) ", "
            (y) " from " (number(surface.y.0)) " to " (number(surface.y.1)) ". "
            (surface.data_type) " is computed by the engine that devices run"
            @if let Some(most) = largest_difference(surface) {
                ", and differs from float by at most " (number(most))
            }
            "."
        }
        fieldset class="choices" {
            legend class="spoken" { "Shown" }
            @if surface.outputs.len() > 1 {
                span {
                    label for="output" style="--swatch: none" { "Output" } " "
                    select id="output" autocomplete="off" {
                        @for output in &surface.outputs { option { (output) } }
                    }
                }
            }
            @for points in &surface.points {
                @let shown = points.rows.len();
                @let count = match shown == points.all {
                    true => grouped(shown as u64),
                    false => format!("{} of {}", grouped(shown as u64), grouped(points.all as u64)),
                };
                @let text = format!("{} data ({count})", points.split);
                (check(points.split, &text, true))
            }
            @for (name, title, _) in &networks { (check(name, title, *name == "float")) }
            button id="reset" type="button" { "Reset view" }
        }
        div class="stage" {
            canvas id="surface" tabindex="0" role="img" aria-label=(described) {}
            div id="tip" hidden {}
        }
        p id="spoken" class="spoken" aria-live="polite" {}
        noscript { p class="note warn" { "This page needs JavaScript, which is part of the file." } }
        script id="surface-data" type="application/json" { (PreEscaped(data)) }
        script { (PreEscaped(include_str!("surface.js"))) }
    };
    page(&title, body)
}

/// Checkbox with the color of what it shows.
fn check(name: &str, text: &str, checked: bool) -> maud::Markup {
    html! {
        label style=(format!("--swatch: var({})", color(name))) {
            input type="checkbox" id=(format!("show-{name}")) autocomplete="off" checked[checked];
            " " (text)
        }
    }
}

/// Returns the largest difference of both networks on the grid.
fn largest_difference(surface: &Surface) -> Option<f64> {
    let pairs = surface.float.iter().flatten().zip(surface.quantized.iter().flatten());
    let differences = pairs.map(|(float, quantized)| f64::from((float - quantized).abs()));
    differences.filter(|difference| difference.is_finite()).reduce(f64::max)
}

/// Little-endian numbers in Base64.
fn text(values: &[f32]) -> String {
    STANDARD.encode(values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>())
}

fn texts(values: &[Vec<f32>]) -> Vec<String> {
    values.iter().map(|values| text(values)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surface(output: &str) -> Surface {
        Surface {
            name: "run".into(),
            inputs: ["x".into(), "y".into()],
            outputs: vec![output.into()],
            side: 2,
            x: (-1.0, 1.0),
            y: (-1.0, 1.0),
            points: vec![SurfacePoints {
                split: "training",
                all: 9,
                rows: vec![3],
                x: vec![0.5],
                y: vec![0.25],
                z: vec![vec![1.0]],
            }],
            float: vec![vec![0.0, 1.0, 2.0, 3.0]],
            quantized: vec![vec![0.0, 1.25, 2.0, f32::NAN]],
            data_type: "int8",
        }
    }

    #[test]
    fn a_name_ends_no_script() {
        let page = surface_html(&surface("</script><!--\u{202e}"));
        assert_eq!((page.matches("<script").count(), page.matches("</script").count()), (2, 2));
        assert!(!page.contains("<!--") && !page.contains('\u{202e}'));
    }

    #[test]
    fn rows_differences_and_networks_are_named() {
        let page = surface_html(&surface("z"));
        for text in ["training data (1 of 9)", "int8 network", "by at most 0.250", "show-float"] {
            assert!(page.contains(text), "{text}");
        }
        assert!(!page.contains("id=\"output\""), "one output needs no choice");
    }

    #[test]
    fn numbers_come_back_from_their_text() {
        assert_eq!(STANDARD.decode(text(&[1.0, -0.5])).unwrap(), [0, 0, 128, 63, 0, 0, 0, 191]);
    }
}
