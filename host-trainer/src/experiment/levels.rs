//! Levels of weights and ranges of activations that quantization-aware training leaves, beside the
//! weights in their file.
//!
//! The metadata have the data types: `weights` of each dense layer, `activations`, and `outputs` for
//! whether the last layer's outputs have a range. `layers.N.weight_scale` has the weight of code 1
//! per row, `activations.range` lowest and highest value of each activation, `input.range` middle
//! and half width of each feature.

use std::collections::HashMap;

use model_format::{DataType, WeightType};
use safetensors::{Dtype, SafeTensors};

use crate::grid::{Range, WeightGrid};
use crate::network::{FakeQuantization, InputRanges, Network, Points};

/// A tensor to be written: name, shape and bytes.
pub(super) type Tensor = (String, Vec<usize>, Vec<u8>);

const RANGES: &str = "activations.range";
const INPUT: &str = "input.range";

/// Returns the tensors and metadata of a network's fake quantization. None without one.
pub(super) fn write(network: &Network<f32>) -> (Vec<Tensor>, HashMap<String, String>) {
    let Some(fake) = network.fake_quantization() else { return Default::default() };
    let bytes = |values: Vec<f32>| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    let mut tensors = Vec::new();
    for (index, grid) in fake.weights().iter().enumerate() {
        let name = format!("layers.{index}.weight_scale");
        tensors.push((
            name,
            vec![grid.scales.len()],
            bytes(grid.scales.iter().map(|scale| *scale as f32).collect()),
        ));
    }
    let ends = fake.ranges().iter().flat_map(|range| [range.low(), range.high()]).collect();
    tensors.push((RANGES.to_string(), vec![fake.ranges().len(), 2], bytes(ends)));
    if let Some(input) = fake.input() {
        let pairs = input.middles.iter().zip(&input.halves);
        let pairs = pairs.flat_map(|(&middle, &half)| [middle, half]).collect();
        tensors.push((INPUT.to_string(), vec![input.halves.len(), 2], bytes(pairs)));
    }
    let names: Vec<&str> = fake.weights().iter().map(|grid| grid.weight_type.name()).collect();
    let outputs = fake.points().has_outputs().to_string();
    let metadata = [
        ("weights", names.join(",")),
        ("activations", fake.data_type().name().to_string()),
        ("outputs", outputs),
    ];
    (tensors, metadata.map(|(key, value)| (key.to_string(), value)).into())
}

/// Sets the fake quantization of a network to that of a file, if it has one.
///
/// # Errors
/// The problem of a file that does not fit the network.
pub(super) fn read(
    file: &SafeTensors<'_>,
    metadata: &HashMap<String, String>,
    network: &mut Network<f32>,
) -> Result<(), String> {
    let Some(names) = metadata.get("weights") else { return Ok(()) };
    let values = |name: &str, shape: &[usize]| {
        let tensor = file.tensor(name).map_err(|error| error.to_string())?;
        if tensor.shape() != shape || tensor.dtype() != Dtype::F32 {
            return Err(format!("{name} is not F32 of shape {shape:?}"));
        }
        let (values, _) = tensor.data().as_chunks();
        let values: Vec<f32> = values.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
        match values.iter().all(|value| value.is_finite()) {
            true => Ok(values),
            false => Err(format!("{name} has numbers that are NaN or infinite")),
        }
    };
    let data_type = match metadata.get("activations").map(String::as_str) {
        Some("int8") => DataType::Int8,
        Some("int16") => DataType::Int16,
        _ => return Err("the data type of its activations is unknown".to_string()),
    };
    let outputs = metadata.get("outputs").is_some_and(|outputs| outputs == "true");
    let points =
        Points::new(network, data_type, outputs).map_err(|error| format!("network.{error}"))?;
    let mut weights = Vec::new();
    let mut names = names.split(',');
    for (index, (dense, _)) in network.dense_layers().enumerate() {
        let name = names.next().unwrap_or_default();
        let Some(weight_type) = WeightType::named(name) else {
            return Err(format!("the data type of its weights in dense layer {index} is unknown"));
        };
        let scales = values(&format!("layers.{index}.weight_scale"), &[dense.outputs])?;
        if scales.iter().any(|scale| *scale <= 0.0) {
            return Err(format!("layers.{index}.weight_scale has scales that are not above 0"));
        }
        let scales = scales.into_iter().map(f64::from).collect();
        weights.push(WeightGrid { weight_type, scales });
    }
    let input = match file.tensor(INPUT) {
        Ok(_) => {
            let pairs = values(INPUT, &[network.inputs(), 2])?;
            let (pairs, _) = pairs.as_chunks::<2>();
            let (middles, halves) = pairs.iter().map(|&[middle, half]| (middle, half)).unzip();
            Some(InputRanges { middles, halves })
        }
        Err(_) => None,
    };
    let ends = values(RANGES, &[points.tracked(), 2])?;
    let (ends, _) = ends.as_chunks::<2>();
    let ranges: Vec<Range> = ends.iter().map(|&[low, high]| Range::new(low, high)).collect();
    let mut fake = FakeQuantization::new(points, weights, input, data_type);
    fake.set_ranges(&ranges);
    network.set_fake_quantization(Some(fake));
    Ok(())
}
