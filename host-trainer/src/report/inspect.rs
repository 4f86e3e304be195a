//! Contents of a model file.

use model_format::{
    Clamp, Encoding, Layer, Model, Output, OutputKind, Quantization, VERSION, ValueScale,
};

use super::features::{feature_ranges, ranges_text, six_digits};
use super::layer_titles::layer_titles;
use super::number::{bytes, grouped, significant};
use super::style::{HEADING, paint};
use super::summary::joined;
use super::table::Table;
use crate::foreign_text::shown;

/// Describes a model as text. `self_tests` is the number of its self-tests that pass.
pub fn inspect_text(model: &Model<'_>, self_tests: usize) -> String {
    let shape: Vec<String> = model.input().shape.iter().map(u16::to_string).collect();
    let encoding = match model.input().encoding {
        Encoding::Quantized => "raw bytes are the int8 values".to_string(),
        Encoding::Unsigned8 => "raw bytes b are pixels: q = b − 128".into(),
        Encoding::Counts(channels) => match channels.len() {
            1 => "from the raw counts of a sensor".to_string(),
            count => format!("from the raw counts of {count} sensor channels"),
        },
        Encoding::Reals(_) => "from real numbers, each feature with its own range".into(),
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
        kind(model.input().quantization)
    );
    let output = model.output();
    text += &match output.kind {
        OutputKind::Classes { labels, .. } => format!(
            "output  {} classes ({}), {}\n",
            labels.len(),
            labels.iter().map(shown).collect::<Vec<_>>().join(" "),
            kind(output.quantization)
        ),
        OutputKind::Probability { labels, .. } => format!(
            "output  the probability of {} (against {}), {}\n",
            shown(labels.get(1).unwrap_or_default()),
            shown(labels.get(0).unwrap_or_default()),
            kind(output.quantization)
        ),
        OutputKind::Values(scales) if scales.is_empty() => {
            format!("output  {} values, {}\n", model.output_len(), kind(output.quantization))
        }
        OutputKind::Values(_) => {
            format!("output  {} values, each with its own scale\n", model.output_len())
        }
    };
    if let Some(threshold) = threshold(&output) {
        text += &threshold;
    }
    text += &described(model);
    text += "\n";
    text += &joined(&layers(model));
    let count = model.self_tests().count();
    text += &format!(
        "\nflash   {}\nRAM     {} of scratch memory\nwork    {} multiply-accumulates per inference\n\
         tests   {self_tests} of {count} self-tests pass\n",
        bytes(model.file_len() as u64),
        bytes(model.scratch_len() as u64 * 4),
        grouped(model.macs())
    );
    text
}

/// Decision threshold of a model of two classes, if it is not 0.5.
fn threshold(output: &Output<'_>) -> Option<String> {
    let tensor = output.quantization;
    match output.kind {
        OutputKind::Probability { labels, threshold } => {
            let above = tensor.scale * (threshold - tensor.zero_point) as f32;
            Some(format!("        {} where it is above {}\n", labels.get(1)?, real(above.into())))
        }
        OutputKind::Classes { labels, threshold } if threshold != 0 => Some(format!(
            "        {} where its score exceeds the other's by more than {}\n",
            labels.get(1)?,
            real((tensor.scale * threshold as f32).into())
        )),
        _ => None,
    }
}

/// Features and outputs with names, units and ranges, and the size of this metadata.
fn described(model: &Model<'_>) -> String {
    let details = model.details();
    let mut text = String::new();
    if let Some(table) = ranges_text(&feature_ranges(model)) {
        text += &format!("\n{}", joined(&table));
    }
    let scales: Vec<ValueScale> = match model.output().kind {
        OutputKind::Values(scales) => scales.iter().collect(),
        _ => Vec::new(),
    };
    if !scales.is_empty() {
        let mut table = Table::new(["output", "unit", "from", "to", "step"]).gap(2);
        let output = model.output().quantization;
        let all = Clamp::all(output.data_type);
        let labels: Vec<_> = details.outputs().collect();
        for (index, scale) in scales.iter().enumerate() {
            let label = labels.get(index).filter(|label| !label.name.is_empty());
            let end = |q: i16| f64::from(scale.real(i32::from(q) - output.zero_point));
            table.row([
                label.map_or_else(|| index.to_string(), |label| shown(label.name)).into(),
                labels.get(index).map_or(String::new(), |label| shown(label.unit)).into(),
                six_digits(end(all.low)).into(),
                six_digits(end(all.high)).into(),
                significant(scale.scale.into()).into(),
            ]);
        }
        text += &format!("\n{}", joined(&table));
    }
    if !details.preparation().is_empty() {
        text += &format!("images  {}\n", shown(details.preparation()));
    }
    if !details.is_empty() {
        text += &format!(
            "\nnames   {} of the file; `host-trainer pack --strip` removes them\n",
            bytes(details.len() as u64)
        );
    }
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
    for (title, layer) in layer_titles(model).into_iter().zip(model.layers()) {
        let Layer::Dense(dense) = layer else {
            table.row([
                title.into(),
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
        // The multiplier of a row is input scale · weight scale / output scale.
        let ratio = f64::from(dense.output.scale) / f64::from(dense.input.scale);
        let (mut least, mut most) = (f64::INFINITY, 0.0_f64);
        for row in dense.rows() {
            let scale = row.multiplier.to_real() * ratio;
            (least, most) = (least.min(scale), most.max(scale));
        }
        table.row([
            title.into(),
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

fn kind(quantization: Quantization) -> String {
    let zero = quantization.zero_point;
    let sign = if zero < 0 { '+' } else { '−' };
    format!("real = {} · (q {sign} {})", real(quantization.scale.into()), zero.abs())
}

/// Formats a scale with at least four digits.
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
