//! Conversion of element-wise operators and of SOFTMAX.

use model_format::build::{LayerSpec, TableSpec};
use model_format::{Clamp, DataType, Quantization, Softmax};

use super::chain::{Value, Walk, no_activation};
use super::element_wise;
use super::error::{ImportError, OperatorProblem, TensorProblem};
use super::schema::{Kind, Operator};
use super::tensor::Tensor;
use crate::{split, tables};

impl Walk<'_> {
    /// Converts an element-wise operator, or SOFTMAX, of int8 values.
    pub(super) fn element_wise(
        &mut self,
        operator: &Operator<'_>,
        x: Quantization,
        tensor: &Tensor<'_>,
    ) -> Result<(), ImportError> {
        let y = tensor.int8()?;
        let check = |needed: Quantization, name: &'static str| match y == needed {
            true => Ok(()),
            false => {
                let found = tensor.describe();
                let problem = OperatorProblem::OutputQuantization { found, needed: name };
                Err(operator.refuse(problem))
            }
        };
        let layer = match operator.kind {
            Kind::Relu if x == y => {
                return self.clamp(Clamp { low: y.zero_point as i16, high: 127 });
            }
            Kind::Relu => element_wise::relu(x, y).ok_or_else(|| {
                let real = f64::from(x.scale / y.scale);
                operator.refuse(OperatorProblem::Multiplier { row: 0, real })
            })?,
            Kind::Relu6 if x == y => return self.clamp(element_wise::relu6_bounds(x)),
            Kind::Relu6 => element_wise::relu6(x, y),
            Kind::Tanh => {
                check(Quantization::int8(1.0 / 128.0, 0), "steps of 1/128 around 0")?;
                tables::tanh_int8(x)
            }
            Kind::Logistic => {
                check(Softmax::OUTPUT, "steps of 1/256 from −128")?;
                tables::logistic_int8(x)
            }
            Kind::LeakyRelu => {
                let slope = operator.slope()?;
                element_wise::leaky_relu(x, y, slope).ok_or_else(|| {
                    let real = f64::from(x.scale * slope / y.scale);
                    operator.refuse(OperatorProblem::Multiplier { row: 0, real })
                })?
            }
            Kind::HardSwish => element_wise::hard_swish(x, y).ok_or_else(|| {
                let real = f64::from(x.scale / 128.0 / y.scale);
                operator.refuse(OperatorProblem::Multiplier { row: 0, real })
            })?,
            Kind::Gelu => element_wise::gelu(x, y, operator.is_approximate()?),
            Kind::Mul => self.silu(operator, x, y)?,
            Kind::Prelu => return self.prelu(operator, x, y),
            // Only softmax remains.
            _ => {
                check(Softmax::OUTPUT, "steps of 1/256 from −128")?;
                return self.softmax(operator, x, tensor);
            }
        };
        self.layers.push(LayerSpec::Table(layer));
        Ok(())
    }

    /// Converts RELU, RELU6, LEAKY_RELU, TANH or LOGISTIC of int16 values, by a table with
    /// interpolation.
    pub(super) fn element_wise_int16(
        &mut self,
        operator: &Operator<'_>,
        x: Quantization,
        tensor: &Tensor<'_>,
    ) -> Result<(), ImportError> {
        let y = tensor.quantized()?;
        if y.data_type != DataType::Int16 {
            return Err(tensor.refuse(TensorProblem::NotInt8 { found: tensor.kind.name() }));
        }
        let function: Box<dyn Fn(f64) -> f64> = match operator.kind {
            Kind::Relu if x == y => {
                self.clamp(Clamp { low: 0, high: i16::MAX })?;
                return Ok(());
            }
            Kind::Relu6 if x == y => return self.clamp(element_wise::relu6_bounds(x)),
            Kind::Relu => Box::new(|x| x.max(0.0)),
            Kind::Relu6 => Box::new(|x| x.clamp(0.0, 6.0)),
            Kind::LeakyRelu => {
                let slope = f64::from(operator.slope()?);
                Box::new(move |x| if x < 0.0 { slope * x } else { x })
            }
            Kind::Tanh => Box::new(f64::tanh),
            Kind::Logistic => Box::new(|x| 1.0 / (1.0 + (-x).exp())),
            _ => return Err(operator.refuse(OperatorProblem::Unsupported)),
        };
        self.layers.push(LayerSpec::Table(tables::of_function(x, y, function)));
        self.value = Value::Quantized(y);
        Ok(())
    }

    /// Converts SiLU, which is written as a product of its input and the LOGISTIC of it.
    fn silu(
        &self,
        operator: &Operator<'_>,
        x: Quantization,
        y: Quantization,
    ) -> Result<TableSpec, ImportError> {
        let [first, second] = [0, 1].map(|place| operator.input(place).unwrap_or(-1));
        let other = if first == self.at { second } else { first };
        if !self.givers.is_logistic(self.graph, other, self.at)? {
            return Err(operator.refuse(OperatorProblem::NotInFront));
        }
        let logistic = self.graph.tensor(other)?;
        if logistic.int8()? != Softmax::OUTPUT {
            let (found, needed) = (logistic.describe(), "steps of 1/256 from −128");
            return Err(operator.refuse(OperatorProblem::OutputQuantization { found, needed }));
        }
        no_activation(operator)?;
        let real = f64::from(x.scale) * f64::from(Softmax::OUTPUT.scale) / f64::from(y.scale);
        let table = element_wise::product(&tables::logistic_int8(x), x, y, real);
        table.ok_or_else(|| operator.refuse(OperatorProblem::Multiplier { row: 0, real }))
    }

    /// Converts PRELU: to a table where all units have one slope, else to dense layers.
    fn prelu(
        &mut self,
        operator: &Operator<'_>,
        x: Quantization,
        y: Quantization,
    ) -> Result<(), ImportError> {
        let tensor = self.graph.tensor(operator.input(1).unwrap_or(-1))?;
        let Quantization { scale, zero_point, .. } = tensor.int8()?;
        let slopes: Vec<i32> =
            tensor.int8_values()?.iter().map(|slope| i32::from(*slope) - zero_point).collect();
        let multipliers = element_wise::prelu_multipliers(x, y, scale).ok_or_else(|| {
            let real = f64::from(x.scale) / f64::from(y.scale);
            operator.refuse(OperatorProblem::Multiplier { row: 0, real })
        })?;
        if slopes.iter().all(|slope| *slope == slopes[0]) {
            let slope = slopes.first().copied().unwrap_or(0);
            self.layers.push(LayerSpec::Table(element_wise::prelu(x, y, slope, multipliers)));
            return Ok(());
        }
        let (what, found, needed) = ("slopes", slopes.len(), self.elements);
        if found != needed {
            return Err(operator.refuse(OperatorProblem::Elements { what, found, needed }));
        }
        let split = split::prelu(&mut self.layers, x, y, &slopes, multipliers);
        split.map_err(|error| operator.refuse(OperatorProblem::Split(error)))?;
        self.note(
            operator,
            "has a slope per unit, and becomes three dense layers of few weights, with the same bytes. \
             A LeakyReLU, or a PReLU with `shared_axes`, is one table",
        );
        Ok(())
    }

    /// Converts the end of a function in float32, between DEQUANTIZE and QUANTIZE.
    pub(super) fn quantize_reals(
        &mut self,
        operator: &Operator<'_>,
        reals: &[f32],
        y: &Tensor<'_>,
    ) -> Result<(), ImportError> {
        self.check_depth()?;
        let output = y.int8().map_err(|_| operator.refuse(OperatorProblem::Unsupported))?;
        let entries = reals.iter().map(|real| element_wise::quantize(*real, output)).collect();
        self.layers.push(LayerSpec::Table(TableSpec { output, entries }));
        self.value = Value::Quantized(output);
        Ok(())
    }

    fn softmax(
        &mut self,
        operator: &Operator<'_>,
        x: Quantization,
        y: &Tensor<'_>,
    ) -> Result<(), ImportError> {
        // Softmax is over the last dimension, so all others must be 1.
        let last = y.shape.last().and_then(|last| usize::try_from(*last).ok()).unwrap_or(0);
        if last != self.elements {
            let (what, found, needed) = ("values of a softmax", last, self.elements);
            return Err(operator.refuse(OperatorProblem::Elements { what, found, needed }));
        }
        let beta = operator.beta()?;
        if !(beta.is_normal() && beta > 0.0) {
            return Err(operator.refuse(OperatorProblem::Beta(beta)));
        }
        self.layers.push(LayerSpec::Softmax(tables::softmax(x, beta)));
        Ok(())
    }

    /// Clamps the values, by the previous dense layer if there is one, which costs nothing.
    pub(super) fn clamp(&mut self, bounds: Clamp) -> Result<(), ImportError> {
        let Value::Quantized(quantization) = self.value else { return Ok(()) };
        if let Some(LayerSpec::Dense(dense)) = self.layers.last_mut() {
            let Clamp { low, high } = dense.clamp;
            let within = |bound: i16| bound.clamp(bounds.low, bounds.high);
            dense.clamp = Clamp { low: within(low), high: within(high) };
        } else {
            let Clamp { low, high } = bounds;
            let entries: Vec<i16> = match quantization.data_type {
                DataType::Int8 => (-128..128).map(|q: i16| q.clamp(low, high)).collect(),
                DataType::Int16 => {
                    let at = |k: i32| (k * 256).clamp(low.into(), high.into()) as i16;
                    (-128..=128).map(at).collect()
                }
            };
            self.layers.push(LayerSpec::Table(TableSpec { output: quantization, entries }));
        }
        Ok(())
    }
}
