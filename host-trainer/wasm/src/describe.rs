//! Description of a model for a page.

use model_format::{
    Channel, Encoding, Layer, Model, OutputKind, Quantization, RealChannel, ValueScale,
};
use serde_json::{Value, json};

/// Returns the description of a model as JSON.
pub fn json(model: &Model<'_>) -> Vec<u8> {
    let details = model.details();
    let output = model.output();
    let features = details.features().map(|feature| {
        let [slope, intercept] = feature.line;
        json!({
            "name": feature.name, "unit": feature.unit, "clipped": feature.clipped,
            "slope": slope, "intercept": intercept,
        })
    });
    let outputs =
        details.outputs().map(|output| json!({ "name": output.name, "unit": output.unit }));
    let (kind, labels, scales) = match output.kind {
        OutputKind::Classes { labels, .. } => ("classes", Some(labels), vec![]),
        OutputKind::Probability { labels, .. } => ("probability", Some(labels), vec![]),
        OutputKind::Values(scales) => ("values", None, scales.iter().map(scale).collect()),
    };
    let labels: Vec<&str> = labels.iter().flat_map(|labels| labels.iter()).collect();
    let description = json!({
        "name": model.name(),
        "checksum": model.checksum(),
        "bytes": model.file_len(),
        "scratch_bytes": model.scratch_len().wrapping_mul(4),
        "self_tests": model.self_tests().len(),
        "preparation": details.preparation(),
        "input": input(model),
        "features": features.collect::<Vec<_>>(),
        "output": {
            "kind": kind,
            "len": model.output_len(),
            "labels": labels,
            "scales": scales,
            "names": outputs.collect::<Vec<_>>(),
            "tensor": tensor(output.quantization),
        },
        "layers": model.layers().map(|each| layer(&each)).collect::<Vec<_>>(),
    });
    description.to_string().into_bytes()
}

fn input(model: &Model<'_>) -> Value {
    let input = model.input();
    let (encoding, channels) = match input.encoding {
        Encoding::Quantized => ("quantized", vec![]),
        Encoding::Unsigned8 => ("pixels", vec![]),
        Encoding::Counts(channels) => ("counts", channels.iter().map(count).collect()),
        Encoding::Reals(channels) => ("reals", channels.iter().map(real).collect()),
    };
    json!({
        "len": model.input_len(),
        "shape": input.shape.iter().collect::<Vec<_>>(),
        "encoding": encoding,
        "channels": channels,
        "tensor": tensor(input.quantization),
    })
}

/// The counts per value of the input, and the count of its zero point.
fn count(channel: Channel) -> Value {
    let sign = if channel.is_falling { -1.0 } else { 1.0 };
    json!({
        "offset": f64::from(channel.offset) / f64::from(Channel::PARTS),
        "factor": sign * channel.multiplier.to_real() * f64::from(Channel::PARTS),
    })
}

fn real(channel: RealChannel) -> Value {
    json!({ "offset": channel.offset, "factor": channel.factor })
}

fn scale(scale: ValueScale) -> Value {
    json!({ "scale": scale.scale, "offset": scale.offset })
}

fn tensor(quantization: Quantization) -> Value {
    json!({
        "bits": 8 * quantization.data_type.bytes(),
        "scale": quantization.scale,
        "zero_point": quantization.zero_point,
    })
}

fn layer(layer: &Layer<'_>) -> Value {
    let range = layer.range();
    let (name, layout) = match layer {
        Layer::Dense(dense) => ("dense", dense.layout.name()),
        Layer::Table(_) => ("table", ""),
        Layer::Softmax(_) => ("softmax", ""),
    };
    json!({
        "kind": name,
        "layout": layout,
        "inputs": layer.inputs(),
        "outputs": layer.outputs(),
        "macs": layer.macs(),
        "is_small": matches!(layer, Layer::Dense(dense) if dense.is_small()),
        "low": range.low,
        "high": range.high,
        "tensor": tensor(layer.output()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(file: &[u8]) -> Value {
        serde_json::from_slice(&json(&Model::parse(file).unwrap())).unwrap()
    }

    #[test]
    fn inputs_and_outputs_are_described() {
        let wine = described(include_bytes!("../../../firmware/models/wine.thimble"));
        assert_eq!(wine["name"], "wine");
        assert_eq!(wine["input"]["encoding"], "reals");
        assert_eq!(wine["input"]["channels"].as_array().map(Vec::len), Some(13));
        assert_eq!(wine["output"]["labels"], json!(["class_0", "class_1", "class_2"]));
        let digits = described(include_bytes!("../../../firmware/models/digits.thimble"));
        assert_eq!(digits["input"]["shape"], json!([8, 8]));
        assert_eq!(digits["layers"][0]["macs"], 64 * 32);
    }

    #[test]
    fn a_channel_of_counts_is_the_line_of_its_converter() {
        let adc = described(include_bytes!("../../../firmware/models/eggcrate-adc.thimble"));
        assert_eq!(adc["output"]["kind"], "values");
        let model = include_bytes!("../../../firmware/models/eggcrate-adc.thimble");
        let model = Model::parse(model).unwrap();
        let channel = &adc["input"]["channels"][0];
        let number = |key: &str| channel[key].as_f64().unwrap();
        // The value of a count by the description is within half a step of the engine's.
        let zero = model.input_quantization().zero_point;
        let mut input = vec![0; model.input_bytes()];
        thimble_nn::encode_counts(&model, [1500, 1500].into_iter(), &mut input).unwrap();
        let by_line = (1500.0 - number("offset")) * number("factor") + f64::from(zero);
        let bytes = model.input_quantization().data_type.values(&input).next().unwrap();
        assert!((by_line - f64::from(bytes)).abs() <= 0.5 + 1e-6, "{by_line} {bytes}");
    }
}
