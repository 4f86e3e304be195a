//! Activations of both networks on test rows, layer by layer.

use model_format::Quantization;
use rayon::prelude::*;

use super::layers::{self, LayerMeasure};
use super::{GatherError, RunParts};
use crate::evaluate::{HostEngine, InputEncoder, Int8Error, layer_outputs};
use crate::quantize::clips_logits;
use crate::threads::Threads;

/// Rows per forward pass.
const CHUNK: usize = 128;

/// Maximum number of evaluated rows.
const ROWS: usize = 2048;

/// Measures the activations of test rows that are evenly spread over the split.
pub fn over_test_rows(
    parts: &RunParts<'_>,
    threads: &Threads,
) -> Result<Vec<LayerMeasure>, GatherError> {
    let RunParts { prepared, model, objective, .. } = *parts;
    let folded = &prepared.network;
    let groups = layers::groups(model, folded)?;
    let mut empty: Vec<LayerMeasure> =
        groups.iter().map(|group| LayerMeasure::new(group.output)).collect();
    if let (Some(group), Some(last)) = (groups.last(), empty.last_mut())
        && clips_logits(folded, objective, group.output.data_type)
    {
        last.of_logits();
    }
    let test = &parts.splits.test;
    let every = test.len().div_ceil(ROWS).max(1);
    let rows = test.rows().iter().copied().step_by(every).collect();
    let subset = prepared.rows(&test.with_rows(rows));
    let encoder = InputEncoder::new(model, &subset)?;
    let quantizations: Vec<Quantization> = model.layers().map(|layer| layer.output()).collect();
    let starts: Vec<usize> = (0..subset.len()).step_by(CHUNK).collect();
    let chunk = |start: usize| -> Result<Vec<LayerMeasure>, GatherError> {
        let rows = CHUNK.min(subset.len() - start);
        let tape = layer_outputs(folded, &subset, start..start + rows);
        let mut engine = HostEngine::new(model).map_err(Int8Error::Engine)?;
        let mut input = vec![0; model.input_bytes()];
        let mut trace = vec![Vec::new(); quantizations.len()];
        let mut measures = empty.clone();
        for row in 0..rows {
            encoder.encode(&subset, start + row, &mut input);
            engine
                .run_traced(&input, &mut |layer, bytes| {
                    let of_layer = trace.get_mut(layer).zip(quantizations.get(layer));
                    if let Some((reals, &quantization)) = of_layer {
                        *reals = dequantize(bytes, quantization);
                    }
                })
                .map_err(Int8Error::Input)?;
            for (measure, group) in measures.iter_mut().zip(&groups) {
                let float = tape.activation(group.on_tape, rows);
                let width = float.len() / rows;
                measure.add(&float[row * width..(row + 1) * width], &trace[group.compared]);
            }
        }
        Ok(measures)
    };
    let parts: Vec<Vec<LayerMeasure>> = threads
        .install(|| starts.into_par_iter().map(chunk).collect::<Result<Vec<_>, GatherError>>())?;
    let mut measures = empty;
    for part in parts {
        measures.iter_mut().zip(&part).for_each(|(sum, seen)| sum.merge(seen));
    }
    Ok(measures)
}

/// Dequantizes the bytes of a tensor.
fn dequantize(bytes: &[u8], quantization: Quantization) -> Vec<f32> {
    quantization.data_type.values(bytes).map(|value| quantization.dequantize(value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_stand_for_real_numbers() {
        assert_eq!(dequantize(&[0x80, 0, 2], Quantization::int8(0.5, -128)), [0.0, 64.0, 65.0]);
        assert_eq!(dequantize(&[0xff, 0xff, 1, 0], Quantization::int16(2.0)), [-2.0, 2.0]);
    }
}
