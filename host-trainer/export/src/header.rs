//! The header file.

use model_format::{Encoding, Model, OutputKind};
use thimble_support::template::render;

use crate::described::described;
use crate::layers::Values;

/// Writes the header of a model.
pub fn header(model: &Model<'_>, values: &Values) -> String {
    let mut entry_points = String::new();
    let mut add = |template: &str| entry_points += &render(template, values);
    match model.input().encoding {
        Encoding::Quantized => {}
        Encoding::Unsigned8 => add(include_str!("templates/header_pixels.h")),
        Encoding::Counts(_) => add(include_str!("templates/header_counts.h")),
        Encoding::Reals(_) => add(include_str!("templates/header_reals.h")),
    }
    let mut label_count = String::new();
    match model.output().kind {
        OutputKind::Values(_) => add(include_str!("templates/header_values.h")),
        OutputKind::Classes { labels, .. } | OutputKind::Probability { labels, .. } => {
            add(include_str!("templates/header_classes.h"));
            let text = "/* Number of classes. */\n#define {{NAME}}_LABELS {{labels}}\n";
            let mut values = values.clone();
            values.push(("labels", labels.len().to_string()));
            label_count = render(text, &values);
        }
    }
    let mut values = values.clone();
    values.extend([
        ("entry_points", entry_points),
        ("label_count", label_count),
        ("described", described(model)),
    ]);
    render(include_str!("templates/header.h"), &values)
}
