//! Names, units and ranges of inputs and outputs, as comments.

use model_format::{Encoding, Model, OutputKind};

use crate::literal::comment;

/// Writes the inputs of a model and its outputs in their order, as comments of C; nothing where the
/// model file has no names.
pub fn described(model: &Model<'_>) -> String {
    let mut text = String::new();
    let inputs: Vec<String> = inputs(model);
    if !inputs.is_empty() {
        text += "/*\n * Inputs, in this order; values beyond a range are taken as its end:\n";
        for (index, input) in inputs.iter().enumerate() {
            text += &format!(" * {index:>4}  {input}\n");
        }
        text += " */\n";
    }
    let details = model.details();
    let outputs: Vec<String> =
        details.outputs().map(|output| named(output.name, output.unit)).collect();
    if matches!(model.output().kind, OutputKind::Values(_)) && !outputs.is_empty() {
        text += "/*\n * Outputs, in this order:\n";
        for (index, output) in outputs.iter().enumerate() {
            text += &format!(" * {index:>4}  {output}\n");
        }
        text += " */\n";
    }
    text
}

/// Name, unit and range of each input; none where the model file has no names.
pub fn inputs(model: &Model<'_>) -> Vec<String> {
    let details = model.details();
    let is_ranged = matches!(model.input().encoding, Encoding::Counts(_) | Encoding::Reals(_));
    let described = details.features().enumerate().map(|(index, feature)| {
        let name = named(feature.name, feature.unit);
        match model.input_range(index) {
            Some([low, high]) => format!("{name}, {} to {}", figure(low), figure(high)),
            None if is_ranged => format!("{name}, ignored"),
            None => name,
        }
    });
    let described: Vec<String> = described.collect();
    match details.features().all(|feature| feature.name.is_empty()) {
        true => Vec::new(),
        false => described,
    }
}

fn named(name: &str, unit: &str) -> String {
    match unit {
        "" => comment(name),
        unit => format!("{} ({})", comment(name), comment(unit)),
    }
}

/// A number with four significant digits.
fn figure(value: f64) -> String {
    if value == 0.0 {
        return "0".into();
    }
    let digits = 3 - value.abs().log10().floor() as i32;
    let decimals = digits.clamp(0, 9) as usize;
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_four_digits() {
        for (value, text) in
            [(12.3456, "12.35"), (-0.012_346, "-0.01235"), (98_765.4, "98765"), (0.0, "0")]
        {
            assert_eq!(figure(value), text);
        }
    }
}
