//! Programs in C with exported models and the answers that the engine gives, for the computer, for
//! emulated cores and for simulated ones.

use std::path::{Path, PathBuf};

use fastrand::Rng;
use model_format::{Encoding, Model};
use thimble_export::{CSource, Name};
use thimble_nn::{Answer, Engine, InputError};

/// A model with readings for it.
#[derive(Clone, Debug)]
pub struct Case {
    /// Model file.
    pub file: Vec<u8>,
    /// Readings.
    pub readings: Vec<Reading>,
}

/// Reading for a model's input stage.
#[derive(Clone, Debug)]
pub enum Reading {
    /// Bytes of quantized values.
    Values(Vec<u8>),
    /// Unsigned bytes.
    Pixels(Vec<u8>),
    /// Raw counts.
    Counts(Vec<i16>),
    /// Real numbers.
    Reals(Vec<f32>),
    /// Nothing: the self-tests of the model.
    SelfTest,
}

impl Case {
    /// A model with random readings of every kind that it takes.
    ///
    /// # Panics
    /// When the file is no model.
    pub fn random(file: Vec<u8>, rows: usize) -> Self {
        let model = Model::parse(&file).unwrap_or_else(|error| panic!("{error}"));
        let mut rng = Rng::with_seed(model.checksum().into());
        let inputs = model.input_len();
        let mut readings = vec![Reading::SelfTest];
        for _ in 0..rows {
            let values = (0..model.input_bytes()).map(|_| rng.u8(..)).collect();
            readings.push(Reading::Values(values));
            readings.push(match model.input().encoding {
                Encoding::Quantized => continue,
                Encoding::Unsigned8 => Reading::Pixels((0..inputs).map(|_| rng.u8(..)).collect()),
                Encoding::Counts(_) => {
                    let far = rng.bool();
                    let count = |rng: &mut Rng| if far { rng.i16(..) } else { rng.i16(-200..1100) };
                    Reading::Counts((0..inputs).map(|_| count(&mut rng)).collect())
                }
                Encoding::Reals(_) => {
                    let scale = [1.0, 300.0, 1e9][rng.usize(0..3)];
                    let real = |_| (rng.f32() - 0.5) * scale;
                    let mut reals: Vec<f32> = (0..inputs).map(real).collect();
                    match rng.u8(0..6) {
                        0 => reals[inputs / 2] = f32::NAN,
                        1 => reals[0] = f32::INFINITY,
                        2 => reals[inputs - 1] = f32::NEG_INFINITY,
                        _ => {}
                    }
                    Reading::Reals(reals)
                }
            });
        }
        Case { file, readings }
    }

    /// A model with rows of quantized values.
    pub fn of_rows(file: Vec<u8>, rows: &[u8]) -> Self {
        let len = Model::parse(&file).unwrap_or_else(|error| panic!("{error}")).input_bytes();
        let readings = rows.chunks_exact(len).map(|row| Reading::Values(row.to_vec())).collect();
        Case { file, readings }
    }
}

/// Answer of the engine: status of the C interface, saturated readings, class, bits of the last
/// output's real value, output.
type Expected = (u8, u16, u16, u32, Vec<u8>);

fn expected(model: &Model<'_>, reading: &Reading) -> Expected {
    const NOT_A_NUMBER: u8 = 3;
    let mut scratch = vec![0; model.scratch_len()];
    let mut engine =
        Engine::new(model.clone(), &mut scratch).unwrap_or_else(|error| panic!("{error}"));
    let shifted: Vec<u8>;
    let answer = match reading {
        Reading::Counts(counts) => engine.run_counts(counts),
        Reading::Reals(reals) => engine.run_reals(reals),
        Reading::SelfTest => return (0, 0, 0, 0, vec![]),
        Reading::Values(bytes) | Reading::Pixels(bytes) => {
            let flip = if matches!(reading, Reading::Pixels(_)) { 0x80 } else { 0 };
            shifted = bytes.iter().map(|byte| byte ^ flip).collect();
            let output = engine.run_bytes(&shifted).unwrap_or_else(|error| panic!("{error}"));
            Ok(Answer::new(model, output))
        }
    };
    match answer {
        Ok(answer) => {
            let class = answer.class().map_or(0, |class| class.index() as u16);
            let real = match answer.class() {
                Some(_) => 0,
                None => answer.reals().last().map_or(0, f32::to_bits),
            };
            (0, answer.saturated() as u16, class, real, answer.bytes().to_vec())
        }
        Err(InputError::NotANumber { .. }) => {
            (NOT_A_NUMBER, 0, 0, 0, vec![0; model.output_bytes()])
        }
        Err(error) => panic!("{error}"),
    }
}

/// Writes the files of a program: each model, the vectors, and `program.c`, which includes models and
/// `main`. Returns the folder's source files of models, which a program may compile by themselves.
///
/// # Panics
/// When a case is invalid or a file cannot be written.
pub fn write_program(folder: &Path, cases: &[Case]) -> Vec<PathBuf> {
    let mut vectors: Vec<u8> = Vec::new();
    let (mut includes, mut calls, mut sources) = (String::new(), String::new(), Vec::new());
    let (mut records, mut input_bytes, mut output_bytes) = (0u32, 4, 4);
    let mut scratch = String::new();
    for (index, case) in cases.iter().enumerate() {
        let model = Model::parse(&case.file).unwrap_or_else(|error| panic!("{error}"));
        let name = Name::new(&format!("m{index}")).unwrap_or_else(|error| panic!("{error}"));
        let source = CSource::of(&model, &name);
        assert_eq!(source, CSource::of(&model, &name), "the same text every time");
        for file in source.files() {
            crate::workspace::write(folder.join(&file.path), file.content);
        }
        sources.push(folder.join(&source.source_name));
        includes += &format!("#include \"{}\"\n", source.header_name);
        scratch += &format!("    {name}_scratch_t {name};\n");
        calls += &calls_of(&model, index);
        output_bytes = output_bytes.max(model.output_bytes());
        for reading in &case.readings {
            records += 1;
            let (status, saturated, class, real, output) = expected(&model, reading);
            let (kind, bytes): (u8, Vec<u8>) = match reading {
                Reading::Values(bytes) => (0, bytes.clone()),
                Reading::Pixels(bytes) => (1, bytes.clone()),
                Reading::Counts(counts) => {
                    (2, counts.iter().flat_map(|count| count.to_le_bytes()).collect())
                }
                Reading::Reals(reals) => {
                    (3, reals.iter().flat_map(|real| real.to_le_bytes()).collect())
                }
                Reading::SelfTest => (4, vec![]),
            };
            input_bytes = input_bytes.max(bytes.len());
            vectors.extend((index as u16).to_le_bytes());
            vectors.extend([kind, status]);
            vectors.extend(saturated.to_le_bytes());
            vectors.extend(class.to_le_bytes());
            vectors.extend(real.to_le_bytes());
            vectors.extend((bytes.len() as u16).to_le_bytes());
            vectors.extend((output.len() as u16).to_le_bytes());
            vectors.extend(bytes);
            vectors.extend(output);
        }
    }
    let mut all = records.to_le_bytes().to_vec();
    all.extend(vectors);
    let lines: Vec<String> = all
        .chunks(32)
        .map(|line| line.iter().map(|byte| format!("{byte},")).collect::<String>())
        .collect();
    crate::workspace::write(folder.join("vectors.inc"), lines.join("\n") + "\n");
    let glue = format!(
        "#include <stddef.h>\n#include <stdint.h>\n{includes}\n\
         void platform_put(const char *text);\n\n\
         typedef struct {{\n    uint32_t status;\n    uint16_t saturated;\n    uint16_t class_index;\n    \
         uint32_t real;\n}} answer_t;\n\n\
         static union {{\n{scratch}}} scratch;\n\
         static union {{\n    uint8_t bytes[{input_bytes}];\n    int32_t alignment;\n}} input;\n\
         static union {{\n    uint8_t bytes[{output_bytes}];\n    int32_t alignment;\n}} output;\n\n\
         static uint32_t bits_of(float real)\n{{\n    union {{\n        float real;\n        \
         uint32_t bits;\n    }} both;\n    both.real = real;\n    return both.bits;\n}}\n\n\
         static uint32_t run(uint16_t model, uint8_t kind, answer_t *answer)\n{{\n    \
         const void *const in = input.bytes;\n    void *const out = output.bytes;\n    \
         uint32_t status = 99;\n    (void)bits_of;\n    switch (model) {{\n{calls}    default:\n        \
         break;\n    }}\n    return status;\n}}\n\n{}",
        include_str!("c_platform/main.c")
    );
    crate::workspace::write(folder.join("main.c"), &glue);
    sources
}

/// The cases of a switch that run one model.
fn calls_of(model: &Model<'_>, index: usize) -> String {
    let (m, up) = (format!("m{index}"), format!("M{index}"));
    let arguments = format!("{up}_INPUTS, (m{index}_output_t *)out, {up}_OUTPUTS, &scratch.{m}");
    let raw = match model.input().encoding {
        Encoding::Quantized => String::new(),
        Encoding::Unsigned8 => {
            format!("status = {m}_run_pixels((const uint8_t *)in, {arguments});")
        }
        Encoding::Counts(_) => format!(
            "status = {m}_run_counts((const int16_t *)in, {arguments}, &answer->saturated);"
        ),
        Encoding::Reals(_) => {
            format!("status = {m}_run_reals((const float *)in, {arguments}, &answer->saturated);")
        }
    };
    let raw = if raw.is_empty() { raw } else { format!("            {raw}\n") };
    let meaning = match model.output().kind {
        model_format::OutputKind::Values(_) => format!(
            "answer->real = bits_of({m}_real((const {m}_output_t *)out, {up}_OUTPUTS - 1u));"
        ),
        _ => format!("answer->class_index = (uint16_t){m}_class((const {m}_output_t *)out);"),
    };
    format!(
        "    case {index}u:\n        if (kind == 0u) {{\n            \
         status = {m}_run_checked((const {m}_input_t *)in, {arguments});\n        \
         }} else if (kind == 4u) {{\n            return {m}_self_test(&scratch.{m});\n        \
         }} else {{\n{raw}        }}\n        {meaning}\n        break;\n"
    )
}
