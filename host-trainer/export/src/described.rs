//! Names, units and ranges of inputs and outputs, as comments.

use model_format::{Clamp, Encoding, Model, OutputKind, RealChannel};

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
    let input = model.input_quantization();
    let details = model.details();
    let channels: Vec<RealChannel> = match model.input().encoding {
        Encoding::Reals(channels) => channels.iter().collect(),
        _ => Vec::new(),
    };
    let range = Clamp::all(input.data_type);
    let described = details.features().enumerate().map(|(index, feature)| {
        let name = named(feature.name, feature.unit);
        let Some(channel) = channels.get(index % channels.len().max(1)) else { return name };
        if channel.factor == 0.0 {
            return format!("{name}, ignored");
        }
        let end = |q: i16| {
            let steps = f64::from(i32::from(q) - input.zero_point);
            f64::from(channel.offset) + steps / f64::from(channel.factor)
        };
        let (first, last) = (end(range.low), end(range.high));
        format!("{name}, {} to {}", figure(first.min(last)), figure(first.max(last)))
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
