//! What is in a model file.

use model_format::{Encoding, Layer, Meaning, Model, Quantization, VERSION};

use super::number::{bytes, grouped};
use super::style::{HEADING, paint};
use super::summary::joined;
use super::table::Table;
use crate::foreign_text::shown;

/// Everything about a model, as text. `self_tests` is how many of its own tests it passes.
pub fn inspect_text(model: &Model<'_>, self_tests: usize) -> String {
    let shape: Vec<String> = model.input().shape.iter().map(u16::to_string).collect();
    let encoding = match model.input().encoding {
        Encoding::Quantized => "raw bytes are the int8 values".to_string(),
        Encoding::Unsigned8 => "raw bytes b are pixels: q = b − 128".into(),
        Encoding::Raw(channels) => match channels.len() {
            1 => "made from what a sensor counts".to_string(),
            count => format!("made from what {count} channels of sensors count"),
        },
    };
    let mut text = format!(
        "{}  {}, format version {VERSION}, CRC-32 {:08x}\n",
        paint(HEADING, shown(model.name())),
        bytes(model.file_len() as u64),
        model.checksum()
    );
    text += &format!(
        "input   {} = {} values, {}; {encoding}\n",
        shape.join(" × "),
        model.input_len(),
        meaning(model.input().quantization)
    );
    let output = model.output();
    text += &match output.meaning {
        Meaning::Classes(labels) => format!(
            "output  {} classes ({}), {}\n",
            labels.len(),
            labels.iter().map(shown).collect::<Vec<_>>().join(" "),
            meaning(output.quantization)
        ),
        Meaning::Values { unit } => format!(
            "output  {} values{}, {}\n",
            model.output_len(),
            if unit.is_empty() { String::new() } else { format!(" in {}", shown(unit)) },
            meaning(output.quantization)
        ),
    };
    text += "\n";
    text += &joined(&layers(model));
    let count = model.self_tests().count();
    text += &format!(
        "\nflash   {}\nRAM     {} of scratch memory\nwork    {} multiply-accumulates an inference\n\
         tests   {self_tests} of {count} self-tests pass\n",
        bytes(model.file_len() as u64),
        bytes(model.scratch_len() as u64 * 4),
        grouped(model.macs())
    );
    text
}

fn layers(model: &Model<'_>) -> Table {
    let mut table = Table::new([
        "layer",
        "inputs",
        "outputs",
        "input scale",
        "zero",
        "weight scales",
        "output scale",
        "zero",
        "clamp",
        "MACs",
        "bytes",
    ])
    .gap(2);
    for (index, layer) in model.layers().enumerate() {
        let Layer::Dense(dense) = layer else {
            table.row([
                format!("{index} {}", layer.name()).into(),
                grouped(layer.inputs() as u64).into(),
                grouped(layer.outputs() as u64).into(),
                real(layer.input().scale.into()).into(),
                signed(layer.input().zero_point).into(),
                "–".into(),
                real(layer.output().scale.into()).into(),
                signed(layer.output().zero_point).into(),
                "–".into(),
                "0".into(),
                grouped(layer.flash_len() as u64).into(),
            ]);
            continue;
        };
        // A row's multiplier is input scale · weight scale / output scale.
        let ratio = f64::from(dense.output.scale) / f64::from(dense.input.scale);
        let (mut least, mut most) = (f64::INFINITY, 0.0_f64);
        for row in dense.rows() {
            let scale = row.multiplier.to_real() * ratio;
            (least, most) = (least.min(scale), most.max(scale));
        }
        table.row([
            format!("{index} dense").into(),
            grouped(dense.inputs() as u64).into(),
            grouped(dense.outputs() as u64).into(),
            real(dense.input.scale.into()).into(),
            signed(dense.input.zero_point).into(),
            format!("{}–{}", real(least), real(most)).into(),
            real(dense.output.scale.into()).into(),
            signed(dense.output.zero_point).into(),
            format!("{}..{}", signed(dense.clamp.low.into()), dense.clamp.high).into(),
            grouped(layer.macs()).into(),
            grouped(dense.flash_len() as u64).into(),
        ]);
    }
    table
}

fn meaning(quantization: Quantization) -> String {
    let zero = quantization.zero_point;
    let sign = if zero < 0 { '+' } else { '−' };
    format!("real = {} · (q {sign} {})", real(quantization.scale.into()), zero.abs())
}

/// A scale, to at least four digits.
fn real(scale: f64) -> String {
    match scale >= 1e-3 {
        true => format!("{scale:.6}"),
        false => format!("{scale:.3e}").replace('-', "−"),
    }
}

fn signed(value: i32) -> String {
    match value < 0 {
        true => format!("−{}", value.unsigned_abs()),
        false => value.to_string(),
    }
}
