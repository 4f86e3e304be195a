//! The code of the generated module.

use std::path::Path;

use model_format::{Model, OpSet};

/// Returns the code of an expression: a file of `len` bytes as `&'static [u8]`, on a 4-byte boundary.
/// `attribute` is put before the static, such as the section that it lies in.
#[must_use]
pub fn aligned_file(path: &Path, len: usize, attribute: &str) -> String {
    format!(
        "{{\n        \
             #[repr(C, align(4))]\n        \
             struct Aligned([u8; {len}]);\n        \
             {attribute}static FILE: Aligned = Aligned(*include_bytes!({path:?}));\n        \
             &FILE.0\n    \
         }}"
    )
}

/// Returns the code of a module of this name for a model whose file lies at `path`.
#[must_use]
pub fn module(name: &str, path: &Path, model: &Model<'_>) -> String {
    let OpSet { layouts, compact, small, int16, table, softmax, counts, reals, details } =
        OpSet::of(model);
    let labels: Vec<&str> =
        model.output().kind.labels().map(|labels| labels.iter().collect()).unwrap_or_default();
    let described = model.details();
    let (names, units): (Vec<&str>, Vec<&str>) =
        described.features().map(|feature| (feature.name, feature.unit)).unzip();
    let (output_names, output_units): (Vec<&str>, Vec<&str>) =
        described.outputs().map(|output| (output.name, output.unit)).unzip();
    format!(
        "/// The model `{title}`.\n\
         #[allow(dead_code, reason = \"a program need not use every constant\")]\n\
         pub mod {name} {{\n    \
             /// The model file, on a 4-byte boundary.\n    \
             pub const MODEL: ::thimble_nn::StaticModel<Ops> = ::thimble_nn::StaticModel::new({file});\n    \
             /// Words of scratch memory that the engine needs.\n    \
             pub const SCRATCH_LEN: usize = {scratch};\n    \
             /// Number of inputs.\n    \
             pub const INPUTS: usize = {inputs};\n    \
             /// Number of outputs.\n    \
             pub const OUTPUTS: usize = {outputs};\n    \
             /// Labels of the classes; none for a regression.\n    \
             pub const LABELS: [&str; {classes}] = {labels:?};\n    \
             /// Names of the inputs; none where the model file has no names.\n    \
             pub const INPUT_NAMES: [&str; {named}] = {names:?};\n    \
             /// Units of the inputs, as long as `INPUT_NAMES`; empty where there is none.\n    \
             pub const INPUT_UNITS: [&str; {named}] = {units:?};\n    \
             /// Names of the outputs of a regression; none where the model file has no names.\n    \
             pub const OUTPUT_NAMES: [&str; {named_outputs}] = {output_names:?};\n    \
             /// Units of the outputs, as long as `OUTPUT_NAMES`; empty where there is none.\n    \
             pub const OUTPUT_UNITS: [&str; {named_outputs}] = {output_units:?};\n    \
             /// The capabilities that the model needs.\n    \
             #[derive(Clone, Copy, Debug)]\n    \
             pub struct Ops;\n    \
             impl ::thimble_nn::Capabilities for Ops {{\n        \
                 const OPS: ::thimble_nn::OpSet = ::thimble_nn::OpSet {{\n            \
                     layouts: {layouts:#b},\n            \
                     compact: {compact},\n            \
                     small: {small},\n            \
                     int16: {int16},\n            \
                     table: {table},\n            \
                     softmax: {softmax},\n            \
                     counts: {counts},\n            \
                     reals: {reals},\n            \
                     details: {details},\n        \
                 }};\n    \
             }}\n\
         }}\n",
        title = model.name().escape_default(),
        file = aligned_file(path, model.file_len(), ""),
        scratch = model.scratch_len(),
        inputs = model.input_len(),
        outputs = model.output_len(),
        classes = labels.len(),
        named = names.len(),
        named_outputs = output_names.len(),
    )
}

#[cfg(test)]
mod tests {
    use model_format::build::ModelSpec;

    use super::*;

    #[test]
    fn the_module_states_sizes_labels_and_operators() {
        let file = include_bytes!("../../models/digits.thimble");
        let model = Model::parse(file).unwrap();
        let code = module("digits", Path::new("/models/digits.thimble"), &model);
        for line in [
            "pub mod digits {",
            "static FILE: Aligned = Aligned(*include_bytes!(\"/models/digits.thimble\"));",
            "pub const INPUTS: usize = 64;",
            "pub const OUTPUTS: usize = 10;",
            "pub const LABELS: [&str; 10] = [\"0\", \"1\", \"2\", \"3\", \"4\", \"5\", \"6\", \"7\", \"8\", \"9\"];",
            "pub const INPUT_NAMES: [&str; 0] = [];",
            "int16: false,",
            "softmax: false,",
            &format!("struct Aligned([u8; {}]);", file.len()),
            &format!("pub const SCRATCH_LEN: usize = {};", model.scratch_len()),
        ] {
            assert!(code.contains(line), "{line}\n{code}");
        }
    }

    #[test]
    fn names_and_units_are_constants() {
        let file = include_bytes!("../../models/eggcrate-adc.thimble");
        let mut spec = ModelSpec::from(&Model::parse(file).unwrap());
        spec.details.outputs = vec![("height".into(), "\"m\"".into())];
        let file = spec.to_bytes().unwrap();
        let code = module("eggcrate", Path::new("/x"), &Model::parse(&file).unwrap());
        for line in [
            "pub const LABELS: [&str; 0] = [];",
            "pub const OUTPUT_NAMES: [&str; 1] = [\"height\"];",
            "pub const OUTPUT_UNITS: [&str; 1] = [\"\\\"m\\\"\"];",
        ] {
            assert!(code.contains(line), "{line}\n{code}");
        }
    }
}
