//! Example programs of packages.

use model_format::{Encoding, Model, OutputKind};
use thimble_support::template::render;

use crate::Name;
use crate::layers::{Values, type_of};

/// The example in C.
pub const C: &str = include_str!("../templates/package/example.c");

/// Analog inputs that a sketch reads at the most; further inputs take them again.
const PINS: usize = 6;

/// Parts of an example that depend on the input stage and the outputs of a model.
pub fn values(model: &Model<'_>, name: &Name) -> Values {
    let upper = name.upper();
    let (reading, function, extra, fill) = match model.input().encoding {
        Encoding::Quantized => {
            let fill = "input[k] = 0;  // Replace this with your own quantized value.".to_string();
            (format!("{}_t", type_of(model.input_quantization().data_type)), "checked", "", fill)
        }
        Encoding::Unsigned8 => {
            let fill = "input[k] = 0;  // Replace this with your own pixel, 0 to 255.".to_string();
            ("uint8_t".into(), "pixels", "", fill)
        }
        Encoding::Counts(channels) => {
            let fill = match channels.len() {
                1 => "input[k] = analogRead(A0);".to_string(),
                pins => format!("input[k] = analogRead(A0 + k % {});", pins.min(PINS)),
            };
            ("int16_t".into(), "counts", ", NULL", fill)
        }
        Encoding::Reals(_) => {
            let fill = "input[k] = 0.0f;  // Replace this with the reading of your sensor.";
            ("float".into(), "reals", ", NULL", fill.to_string())
        }
    };
    let call = format!(
        "{name}_run_{function}(input, {upper}_INPUTS, output, {upper}_OUTPUTS, &scratch{extra})"
    );
    let names = vec![("name", name.to_string()), ("NAME", upper)];
    let (sketch, answer) = match model.output().kind {
        OutputKind::Values(_) => (
            include_str!("../templates/package/sketch_values.ino"),
            r#"{{print}}("= %ld / 1000\n", (long)(1000.0f * {{name}}_real(output, 0)));"#,
        ),
        _ => (
            include_str!("../templates/package/sketch_class.ino"),
            r#"{{print}}("= %s\n", {{name}}_label({{name}}_class(output)));"#,
        ),
    };
    vec![
        ("reading", reading),
        ("call", call),
        ("sketch_fill", fill),
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
        ("end", end.to_string()),
        ("print_answer", answer),
    ]);
    values
}
