//! Example programs of packages.

use model_format::{Encoding, Model, OutputKind};
use thimble_support::template::render;

use crate::Name;
use crate::described::inputs;
use crate::layers::{Values, type_of};

/// The example in C.
pub const C: &str = include_str!("../templates/package/example.c");

/// Analog inputs that a sketch reads at the most; further inputs take them again.
const PINS: usize = 6;

/// Inputs that a sketch reads in a line each, at the most.
const MAX_LINES: usize = 32;

/// A loop over all inputs of a sketch.
fn each(statement: &str) -> String {
    format!("  for (size_t k = 0; k < {{{{NAME}}}}_INPUTS; k++) {{\n    {statement}\n  }}\n")
}

/// Parts of an example that depend on the input stage and the outputs of a model.
pub fn values(model: &Model<'_>, name: &Name) -> Values {
    let upper = name.upper();
    let (reading, function, extra, fill) = match model.input().encoding {
        Encoding::Quantized => {
            let fill = each("input[k] = 0;  // Replace this with your own quantized value.");
            (format!("{}_t", type_of(model.input_quantization().data_type)), "checked", "", fill)
        }
        Encoding::Unsigned8 => {
            let fill = each("input[k] = 0;  // Replace this with your own pixel, 0 to 255.");
            ("uint8_t".into(), "pixels", "", fill)
        }
        Encoding::Counts(channels) => {
            let fill = match channels.len() {
                1 => "input[k] = analogRead(A0);".to_string(),
                pins => format!("input[k] = analogRead(A0 + k % {});", pins.min(PINS)),
            };
            ("int16_t".into(), "counts", ", NULL", each(&fill))
        }
        Encoding::Reals(_) => {
            let inputs = inputs(model);
            let mut fill = String::new();
            for (index, input) in inputs.iter().take(MAX_LINES).enumerate() {
                fill += &format!("  input[{index}] = 0.0f;  // {input}\n");
            }
            if fill.is_empty() || inputs.len() > MAX_LINES {
                fill = each("input[k] = 0.0f;  // Replace this with the reading of your sensor.");
            }
            ("float".into(), "reals", ", NULL", fill)
        }
    };
    let call = format!(
        "{name}_run_{function}(input, {upper}_INPUTS, output, {upper}_OUTPUTS, &scratch{extra})"
    );
    let names = vec![("name", name.to_string()), ("NAME", upper)];
    let (sketch, answer) = match model.output().kind {
        OutputKind::Values(_) => (
            include_str!("../templates/package/sketch_values.ino"),
            r#"for (k = 0; k < {{NAME}}_OUTPUTS; k++) {
        {{print}}("output %d = %ld / 1000\n", (int)k, (long)(1000.0f * {{name}}_real(output, k)));
    }"#,
        ),
        _ => (
            include_str!("../templates/package/sketch_class.ino"),
            r#"{{print}}("= %s\n", {{name}}_label({{name}}_class(output)));"#,
        ),
    };
    vec![
        ("reading", reading),
        ("call", call),
        ("sketch_fill", render(&fill, &names)),
        ("sketch_print", render(sketch, &names)),
        ("answer", render(answer, &names)),
    ]
}

/// Values of the example with `main`, of a system with this header and this function to print.
pub fn main(values: &Values, include: &str, print: &str) -> Values {
    program(values, include, print, "int main(void)", "    return 0;\n")
}

/// Values of the example of ESP-IDF.
pub fn app_main(values: &Values) -> Values {
    program(values, "#include <stdio.h>\n", "printf", "void app_main(void)", "")
}

fn program(values: &Values, include: &str, print: &str, main: &str, end: &str) -> Values {
    let mut values = values.clone();
    let print = ("print", print.to_string());
    let answer = values.iter().find(|(name, _)| *name == "answer");
    let answer =
        answer.map_or(String::new(), |(_, text)| render(text, std::slice::from_ref(&print)));
    values.extend([
        ("include", include.to_string()),
        print,
        ("main", main.to_string()),
        ("failed", if end.is_empty() { String::new() } else { " 1".into() }),
        ("end", end.to_string()),
        ("print_answer", answer),
    ]);
    values
}
