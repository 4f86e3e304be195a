//! The source file.

use model_format::{DataType, Encoding, Layer, Model, OutputKind};
use thimble_support::template::render;

use crate::header::header;
use crate::layers::{Kernel, Layers, Types, Values, type_of};
use crate::literal::{array, comment, float, integer, string};
use crate::name::Name;
use crate::package::File;
use crate::plan::Plan;

/// A model as C source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CSource {
    /// Name of the header file.
    pub header_name: String,
    /// The header file.
    pub header: String,
    /// Name of the source file.
    pub source_name: String,
    /// The source file.
    pub source: String,
    /// Bytes of the constants that every program needs: weights and parameters.
    pub flash: usize,
    /// Bytes of scratch memory.
    pub scratch: usize,
    /// Values of templates.
    pub(crate) values: Values,
}

impl CSource {
    /// Writes a model as C.
    ///
    /// The same model and name give the same bytes.
    pub fn of(model: &Model<'_>, name: &Name) -> Self {
        let plan = Plan::new(model);
        let mut values = model_values(model, name, &plan);
        let layers = Layers::new(model, &plan, name, &values);
        let mut text = String::new();
        let mut add = |template: &str, values: &Values| text += &render(template, values);
        add(include_str!("templates/prelude.c"), &values);
        let uses = |kernel: fn(&Kernel) -> bool| layers.kernels.iter().any(kernel);
        let counts = matches!(model.input().encoding, Encoding::Counts(_));
        let has_dense = uses(|kernel| {
            use Kernel::{Dense, Int2, Int4, Ternary};
            matches!(kernel, Dense(_) | Int4(_) | Int2(_) | Ternary(_))
        });
        let has_rows = has_dense || uses(|kernel| matches!(kernel, Kernel::Sparse(_)));
        let dense = |x: &str| layers.kernels.iter().any(|kernel| is_dense(kernel, x));
        if dense("int8") || dense("int16") {
            add(include_str!("templates/simd.c"), &values);
            // With Helium, int8 needs no words.
            let and_words = if dense("int16") { "" } else { " && !defined({{NAME}}_MVE)" };
            let and_words = render(and_words, &values);
            values.push(("and_words", and_words));
            add(include_str!("templates/words.c"), &values);
        }
        add(&layers.arrays, &Values::new());
        if has_rows || counts {
            add(include_str!("templates/requantize.c"), &values);
        }
        if has_rows {
            add(include_str!("templates/rows.c"), &values);
        }
        if has_dense {
            add(include_str!("templates/dense_type.c"), &values);
        }
        if uses(|kernel| matches!(kernel, Kernel::Sparse(_))) {
            add(include_str!("templates/sparse_type.c"), &values);
        }
        for y in ["int8", "int16"] {
            let is_output =
                |kernel: &Kernel| matches!(kernel, Kernel::Dense(types) if types.y == y);
            if layers.kernels.iter().any(is_output) {
                let store = if y == "int8" { "vstrbq_s32" } else { "vstrhq_s32" };
                let mut values = values.clone();
                values.extend([("y_kernel", y.into()), ("mve_store", store.to_string())]);
                add(include_str!("templates/group.c"), &values);
            }
        }
        if dense("int8") {
            add(include_str!("templates/dot_int8.c"), &values);
        }
        if dense("int16") {
            add(include_str!("templates/dot_int16.c"), &values);
        }
        for kernel in &layers.kernels {
            let (template, types) = kernel_template(*kernel);
            let mut values = values.clone();
            values.extend([("x_kernel", types.x.to_string()), ("y_kernel", types.y.to_string())]);
            add(template, &values);
        }
        add(&layers.function, &Values::new());
        let entry_points = entry_points(model, name, &values);
        text += &entry_points;
        CSource {
            header_name: format!("{name}.h"),
            header: header(model, &values),
            source_name: format!("{name}.c"),
            source: text,
            flash: layers.flash,
            scratch: plan.scratch_len(),
            values,
        }
    }
}

impl CSource {
    /// The two files, side by side.
    pub fn files(&self) -> Vec<File> {
        let file =
            |path: &String, content: &String| File { path: path.clone(), content: content.clone() };
        vec![file(&self.header_name, &self.header), file(&self.source_name, &self.source)]
    }
}

fn is_dense(kernel: &Kernel, x: &str) -> bool {
    matches!(kernel, Kernel::Dense(types) if types.x == x)
}

fn kernel_template(kernel: Kernel) -> (&'static str, Types) {
    let none = Types { x: "", y: "" };
    match kernel {
        Kernel::Dense(types) => (include_str!("templates/dense.c"), types),
        Kernel::Int4(types) => (include_str!("templates/int4.c"), types),
        Kernel::Int2(types) => (include_str!("templates/int2.c"), types),
        Kernel::Ternary(types) => (include_str!("templates/ternary.c"), types),
        Kernel::Sparse(types) => (include_str!("templates/sparse.c"), types),
        Kernel::Table8 => (include_str!("templates/table_int8.c"), none),
        Kernel::Table16 => (include_str!("templates/table_int16.c"), none),
        Kernel::Softmax => (include_str!("templates/softmax.c"), none),
    }
}

/// Values that every template of a model may name.
fn model_values(model: &Model<'_>, name: &Name, plan: &Plan<'_>) -> Values {
    let (input, output) = (model.input_quantization(), model.output().quantization);
    let widths = model.layers().filter_map(|layer| match layer {
        Layer::Dense(dense) => Some(format!("-{}", dense.outputs())),
        _ => None,
    });
    let shape = format!("{}{}", model.input_len(), widths.collect::<String>());
    let title = match comment(model.name()) {
        empty if empty.trim().is_empty() => name.to_string(),
        title => title,
    };
    let (least, most) = match input.data_type {
        DataType::Int8 => (-128, 127),
        DataType::Int16 => (-32768, 32767),
    };
    let bits = |data_type: DataType| (8 * data_type.bytes()).to_string();
    vec![
        ("name", name.to_string()),
        ("NAME", name.upper()),
        ("title", title),
        ("shape", shape),
        ("file_bytes", model.file_len().to_string()),
        ("checksum", format!("{:08x}", model.checksum())),
        ("inputs", model.input_len().to_string()),
        ("outputs", model.output_len().to_string()),
        ("scratch_bytes", plan.scratch_len().to_string()),
        ("self_tests", model.self_tests().len().to_string()),
        ("input_scale", float(input.scale)),
        ("input_zero_point", input.zero_point.to_string()),
        ("output_scale", float(output.scale)),
        ("output_zero_point", output.zero_point.to_string()),
        ("x", type_of(input.data_type).into()),
        ("y", type_of(output.data_type).into()),
        ("x_bits", bits(input.data_type)),
        ("y_bits", bits(output.data_type)),
        ("input_offset", plan.input_offset().to_string()),
        ("output_offset", plan.output_offset().to_string()),
        ("least", (least - input.zero_point).to_string()),
        ("most", (most - input.zero_point).to_string()),
    ]
}

/// The functions of the interface, with their constants.
fn entry_points(model: &Model<'_>, name: &Name, values: &Values) -> String {
    let macros = name.upper();
    let mut text = render(include_str!("templates/run.c"), values);
    let mut values = values.clone();
    let numbers = |element: &str, symbol: &str, numbers: Vec<i64>| {
        array(&macros, element, &format!("{name}_{symbol}"), numbers.into_iter().map(integer))
    };
    match model.input().encoding {
        Encoding::Quantized => {}
        Encoding::Unsigned8 => text += &render(include_str!("templates/pixels.c"), &values),
        Encoding::Counts(channels) => {
            let of = |value: fn(model_format::Channel) -> i32| -> Vec<i64> {
                channels.iter().map(|channel| value(channel).into()).collect()
            };
            text += "\n/* The input stage: zero in 1/256 of a count, multiplier, shift of each channel. */\n";
            text += &numbers("int32_t", "offsets", of(|channel| channel.offset));
            let factor = |channel: model_format::Channel| match channel.is_falling {
                true => -channel.multiplier.mantissa,
                false => channel.multiplier.mantissa,
            };
            text += &numbers("int32_t", "factors", of(factor));
            let shift = |channel: model_format::Channel| channel.multiplier.shift.into();
            text += &numbers("int8_t", "factor_shifts", of(shift));
            values.push(("channels", channels.len().to_string()));
            text += &render(include_str!("templates/counts.c"), &values);
        }
        Encoding::Reals(channels) => {
            let of = |symbol: &str, value: fn(model_format::RealChannel) -> f32| {
                let numbers: Vec<String> =
                    channels.iter().map(|channel| float(value(channel))).collect();
                array(&macros, "float", &format!("{name}_{symbol}"), numbers.into_iter())
            };
            text += &format!("\n#ifndef {macros}_NO_FLOAT\n");
            text += "/* The input stage: zero of each channel, values of the input per unit. */\n";
            text += &of("offsets", |channel| channel.offset);
            text += &of("factors", |channel| channel.factor);
            text += "#endif\n";
            values.push(("channels", channels.len().to_string()));
            text += &render(include_str!("templates/reals.c"), &values);
        }
    }
    text += &self_tests(model, name, &values);
    text + &outputs(model, name, values)
}

fn self_tests(model: &Model<'_>, name: &Name, values: &Values) -> String {
    if model.self_tests().len() == 0 {
        return render(include_str!("templates/self_test_none.c"), values);
    }
    let (x, y) = (model.input_quantization().data_type, model.output_data_type());
    let all = |element: DataType, symbol: &str, bytes: Vec<u8>| {
        let values: Vec<String> =
            element.values(&bytes).map(|value| integer(value.into())).collect();
        let (element, symbol) = (format!("{}_t", type_of(element)), format!("{name}_{symbol}"));
        array(&name.upper(), &element, &symbol, values.into_iter())
    };
    let inputs = model.self_tests().flat_map(|test| test.input.to_vec()).collect();
    let outputs = model.self_tests().flat_map(|test| test.output.to_vec()).collect();
    let text = "\n/* Inputs and outputs of the self-tests. */\n".to_string()
        + &all(x, "test_inputs", inputs)
        + &all(y, "test_outputs", outputs);
    text + &render(include_str!("templates/self_test.c"), values)
}

/// Functions that say what outputs stand for.
fn outputs(model: &Model<'_>, name: &Name, mut values: Values) -> String {
    let macros = name.upper();
    let (labels, class) = match model.output().kind {
        OutputKind::Values(scales) => {
            let mut text = String::new();
            let (mut scale, mut offset) = (format!("{macros}_OUTPUT_SCALE"), "0.0f".to_string());
            if !scales.is_empty() {
                let scales: Vec<_> = scales.iter().collect();
                let of = |symbol: &str, value: fn(&model_format::ValueScale) -> f32| {
                    let numbers: Vec<String> =
                        scales.iter().map(|each| float(value(each))).collect();
                    array(&macros, "float", &format!("{name}_{symbol}"), numbers.into_iter())
                };
                text += &format!("\n#ifndef {macros}_NO_FLOAT\n");
                text += "/* Real distance of two neighboring values of each output; value of its zero. */\n";
                text += &of("value_scales", |each| each.scale);
                text += &of("value_offsets", |each| each.offset);
                text += "#endif\n";
                scale = format!("{macros}_F32(&{name}_value_scales[index])");
                offset = format!("{macros}_F32(&{name}_value_offsets[index])");
            }
            values.extend([("scale", scale), ("offset", offset)]);
            return text + &render(include_str!("templates/real.c"), &values);
        }
        OutputKind::Classes { labels, threshold } if labels.len() == 2 => {
            values.push(("threshold", threshold.to_string()));
            (labels, include_str!("templates/class_two.c"))
        }
        OutputKind::Classes { labels, .. } => (labels, include_str!("templates/class_most.c")),
        OutputKind::Probability { labels, threshold } => {
            values.push(("threshold", threshold.to_string()));
            (labels, include_str!("templates/class_probability.c"))
        }
    };
    let mut text = render(class, &values);
    text += "\n/* Labels of the classes. */\n";
    for (index, label) in labels.iter().enumerate() {
        text += &format!(
            "static const char {name}_label{index}[] {macros}_FLASH = {};\n",
            string(label)
        );
    }
    let names = (0..labels.len()).map(|index| format!("{name}_label{index}"));
    text += &array(
        &macros,
        "char *const",
        &format!("{name}_labels"),
        names.collect::<Vec<_>>().into_iter(),
    );
    text + &render(include_str!("templates/label.c"), &values)
}
