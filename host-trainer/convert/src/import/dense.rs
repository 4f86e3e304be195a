//! Import of FULLY_CONNECTED as a dense layer.
//!
//! Weights beyond ±127, such as −128, are split over copies of their inputs ([`crate::split`]).
//!
//! Sources: `micro/kernels/fully_connected_common.cc` for the multipliers,
//! `kernels/kernel_util.cc` for `GetQuantizedConvolutionMultipler` and the activation ranges.

use model_format::build::{DenseSpec, LayerSpec};
use model_format::limits::MAX_WIDTH;
use model_format::{Clamp, DataType, Multiplier, Quantization, WeightLayout};

use super::chain::Walk;
use super::element_wise::quantize;
use super::error::{ImportError, OperatorProblem, TensorProblem};
use super::schema::{Graph, Operator, Type};
use super::tensor::Tensor;
use crate::split::split;

/// Largest deviation of a bias scale that TensorFlow Lite Micro accepts, in steps of the output.
const BIAS_SCALE_TOLERANCE: f64 = 0.02;

impl Walk<'_> {
    /// Converts FULLY_CONNECTED.
    pub(super) fn dense(
        &mut self,
        operator: &Operator<'_>,
        x: Quantization,
        y: &Tensor<'_>,
    ) -> Result<(), ImportError> {
        let inputs = self.elements;
        let (layer, wide) = dense(self.graph, operator, x, inputs, y)?;
        let split = split(&mut self.layers, x, inputs, &wide);
        let split = split.map_err(|error| operator.refuse(OperatorProblem::Split(error)))?;
        if split.copies > 0 {
            let copies = split.copies;
            self.note(operator, &format!(
                "has weights beyond ±127, the range of a model file. They are split over copies of \
                 {copies} of its {inputs} inputs, with the same bytes. A converter with symmetric weights \
                 makes a smaller model"
            ));
        }
        self.elements = layer.outputs;
        self.quantized(layer.output);
        let (inputs, weights) = (split.inputs, split.weights);
        self.layers.push(LayerSpec::Dense(DenseSpec { inputs, weights, ..layer }));
        Ok(())
    }
}

/// Reads a FULLY_CONNECTED: its layer without weights, and the weights less their zero point.
fn dense(
    graph: Graph<'_>,
    operator: &Operator<'_>,
    x: Quantization,
    inputs: usize,
    y: &Tensor<'_>,
) -> Result<(DenseSpec, Vec<i32>), ImportError> {
    let output = y.quantized()?;
    if output.data_type != x.data_type {
        return Err(y.refuse(TensorProblem::NotInt8 { found: y.kind.name() }));
    }
    match operator.weights_format()? {
        0 => {}
        format => return Err(operator.refuse(OperatorProblem::WeightsFormat(format))),
    }
    let weights = graph.tensor(operator.input(1).unwrap_or(-1))?;
    let [rows, columns] = weights.shape[..] else {
        return Err(operator.refuse(OperatorProblem::WeightsShape(weights.shape.clone())));
    };
    check(operator, "inputs", inputs, columns)?;
    let outputs = usize::try_from(rows).unwrap_or(0);
    let found = if y.fits(outputs) { outputs } else { y.elements()? };
    check(operator, "outputs", found, rows)?;
    let scales = weights.weight_scales(outputs)?;
    if scales.len() > 1 && weights.dimension != 0 {
        return Err(operator.refuse(OperatorProblem::QuantizedDimension(weights.dimension)));
    }
    let bias = match operator.input(2) {
        // A missing optional tensor.
        None | Some(-1) => None,
        Some(bias) => Some(graph.tensor(bias)?),
    };
    let multipliers = match scales {
        [scale] => {
            // Multiplied in f32 first, as in TensorFlow Lite Micro.
            let product = f64::from(x.scale * scale);
            if let Some(bias) = &bias {
                check_bias_scale(operator, bias, x, *scale, output)?;
            }
            vec![multiplier(operator, 0, product / f64::from(output.scale), output)?; outputs]
        }
        scales => (0..)
            .zip(scales)
            .map(|(row, scale)| {
                let real = f64::from(x.scale) * f64::from(*scale) / f64::from(output.scale);
                multiplier(operator, row, real, output)
            })
            .collect::<Result<_, _>>()?,
    };
    let layer = DenseSpec {
        inputs,
        outputs,
        weights: Vec::new(),
        biases: match bias {
            Some(bias) => biases(&bias, outputs)?,
            None => vec![0; outputs],
        },
        multipliers,
        output,
        clamp: clamp(operator, output)?,
        layout: WeightLayout::RowMajor,
    };
    Ok((layer, weight_values(&weights, inputs, outputs)?))
}

fn check(
    operator: &Operator<'_>,
    what: &'static str,
    found: usize,
    dimension: i32,
) -> Result<(), ImportError> {
    let needed = usize::try_from(dimension).unwrap_or(0);
    if found == needed && (1..=MAX_WIDTH).contains(&needed) {
        return Ok(());
    }
    Err(operator.refuse(OperatorProblem::Elements { what, found, needed }))
}

fn multiplier(
    operator: &Operator<'_>,
    row: usize,
    real: f64,
    output: Quantization,
) -> Result<Multiplier, ImportError> {
    let refused = |_| operator.refuse(OperatorProblem::Multiplier { row, real });
    let multiplier = Multiplier::from_real(real).map_err(refused)?;
    Ok(match output.data_type {
        DataType::Int8 => multiplier,
        DataType::Int16 => reduced(multiplier),
    })
}

/// Returns the multiplier of 16 bits that TensorFlow Lite Micro rescales sums of 64 bits by
/// (`MultiplyByQuantizedMultiplier` in `internal/common.cc`), with its rounding.
fn reduced(multiplier: Multiplier) -> Multiplier {
    const MOST: i32 = 0x7fff;
    let bits = ((i64::from(multiplier.mantissa) + (1 << 15)) >> 16) as i32;
    Multiplier { mantissa: bits.min(MOST) << 16, ..multiplier }
}

/// Checks the bias scale as TensorFlow Lite Micro does for models with one scale per tensor.
fn check_bias_scale(
    operator: &Operator<'_>,
    bias: &Tensor<'_>,
    x: Quantization,
    weight_scale: f32,
    output: Quantization,
) -> Result<(), ImportError> {
    let product = f64::from(x.scale) * f64::from(weight_scale);
    let bias = f64::from(bias.scales.first().copied().unwrap_or(0.0));
    // Not `> tolerance`: a NaN must be refused as well.
    match (product - bias).abs() / f64::from(output.scale) <= BIAS_SCALE_TOLERANCE {
        true => Ok(()),
        false => Err(operator.refuse(OperatorProblem::BiasScale { bias, product })),
    }
}

/// Returns the weights less their zero point, which is that of all rows.
fn weight_values(
    weights: &Tensor<'_>,
    inputs: usize,
    outputs: usize,
) -> Result<Vec<i32>, ImportError> {
    let bytes = weights.data::<1>(inputs.saturating_mul(outputs))?;
    let zero_point = weights.weight_zero_point();
    Ok(bytes.iter().map(|byte| i32::from(i8::from_le_bytes(*byte)) - zero_point).collect())
}

fn biases(bias: &Tensor<'_>, outputs: usize) -> Result<Vec<i32>, ImportError> {
    if bias.kind == Type::INT64 {
        let wide = bias.data(outputs)?.iter().map(|bytes| i64::from_le_bytes(*bytes));
        return (0..)
            .zip(wide)
            .map(|(row, wide)| {
                i32::try_from(wide)
                    .map_err(|_| bias.refuse(TensorProblem::Bias { row, bias: wide }))
            })
            .collect();
    }
    if bias.kind != Type::INT32 {
        return Err(bias.refuse(TensorProblem::NotInt32 { found: bias.kind.name() }));
    }
    Ok(bias.data(outputs)?.iter().map(|bytes| i32::from_le_bytes(*bytes)).collect())
}

/// Returns the clamp bounds of the fused activation: `CalculateActivationRangeQuantized`.
fn clamp(operator: &Operator<'_>, y: Quantization) -> Result<Clamp, ImportError> {
    let low = y.zero_point as i16;
    let all = Clamp::all(y.data_type);
    Ok(match operator.fused_activation()? {
        0 => all,
        1 => Clamp { low, high: all.high },
        2 => Clamp { low: quantize(-1.0, y), high: quantize(1.0, y) },
        3 => Clamp { low, high: quantize(6.0, y) },
        code => {
            let name = match code {
                4 => "TANH".to_string(),
                5 => "SIGN_BIT".to_string(),
                code => format!("of code {code}"),
            };
            return Err(operator.refuse(OperatorProblem::Activation(name)));
        }
    })
}
