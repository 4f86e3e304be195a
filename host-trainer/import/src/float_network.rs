//! The common intermediate form: a chain of dense layers, affine functions and activations.

use model_format::Quantization;
use model_format::limits::MAX_WIDTH;
pub use thimble_convert::line::Line;
use thimble_network::{Activation, Head};

use crate::error::{Error, Result};

/// Maximum number of steps of a chain.
const MAX_STEPS: usize = 4096;

/// A float network as it is in a file.
#[derive(Clone, Debug, PartialEq)]
pub struct FloatNetwork {
    /// Type of the file, such as "Keras model (.keras)".
    pub source: &'static str,
    /// Shape of the input without the batch.
    pub shape: Vec<usize>,
    /// The steps, first to last.
    pub steps: Vec<Step>,
    /// Names of the classes, if the file has them.
    pub classes: Vec<String>,
    /// Notes for the user on omitted layers and assumptions.
    pub notes: Vec<String>,
}

/// A step of the chain.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Name of its layer or node.
    pub name: String,
    /// The function.
    pub function: Function,
}

/// The function of a step.
#[derive(Clone, Debug, PartialEq)]
pub enum Function {
    /// y = W x + b.
    Dense {
        /// Weights, outputs × inputs, row-major.
        weights: Vec<f64>,
        /// Biases, one per output.
        biases: Vec<f64>,
        /// Scale of the weights of each output, where they are multiples of it in the file; else
        /// none.
        scales: Vec<f64>,
    },
    /// y = (x − offset) · factor + shift, per value.
    Affine(Vec<Line>),
    /// y = x for x > 0, and slope · x below, with a slope per value.
    Slopes(Vec<f64>),
    /// An activation of each value, or softmax of all.
    Activation(Activation),
    /// The nearest value of a quantized tensor.
    Quantize(Quantization),
}

impl FloatNetwork {
    /// Returns the number of inputs.
    pub fn inputs(&self) -> usize {
        crate::tensor::size(&self.shape)
    }

    /// Returns `true` if the file has quantized values.
    pub fn is_quantized(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.function, Function::Quantize(_)))
    }

    /// Appends a step.
    pub(crate) fn push(&mut self, name: &str, function: Function) {
        self.steps.push(Step { name: name.to_string(), function });
    }

    /// Checks that widths fit each other and the model format, and that all numbers are finite.
    ///
    /// # Errors
    /// [`Error::Place`] with the step.
    pub fn check(&self) -> Result<()> {
        let mut width = self.inputs();
        check_width("the input", width)?;
        if self.steps.len() > MAX_STEPS {
            let problem = format!("{} steps are more than {MAX_STEPS}", self.steps.len());
            return Err(Error::place("the network", problem));
        }
        for (index, step) in self.steps.iter().enumerate() {
            let place = || format!("step {index} (`{}`)", step.name);
            let numbers: Vec<f64> = match &step.function {
                Function::Dense { weights, biases, scales } => {
                    check_width(&place(), biases.len())?;
                    if weights.len() != width * biases.len() {
                        let problem = format!(
                            "it has {} weights, but {width} inputs and {} outputs",
                            weights.len(),
                            biases.len()
                        );
                        return Err(Error::place(place(), problem));
                    }
                    width = biases.len();
                    if !scales.is_empty() && scales.len() != width {
                        let problem = format!("{} scales for {width} outputs", scales.len());
                        return Err(Error::place(place(), problem));
                    }
                    weights.iter().chain(biases).chain(scales).copied().collect()
                }
                Function::Affine(lines) if lines.len() != width => {
                    let problem = format!("it has {} values for {width} inputs", lines.len());
                    return Err(Error::place(place(), problem));
                }
                Function::Affine(lines) => {
                    lines.iter().flat_map(|line| [line.offset, line.factor, line.shift]).collect()
                }
                Function::Slopes(slopes) if slopes.len() != width => {
                    let problem = format!("it has {} slopes for {width} inputs", slopes.len());
                    return Err(Error::place(place(), problem));
                }
                Function::Slopes(slopes) => slopes.clone(),
                Function::Activation(_) | Function::Quantize(_) => continue,
            };
            // Numbers that f32 cannot represent become infinite.
            if let Some(at) = numbers.iter().position(|number| !(*number as f32).is_finite()) {
                let problem = format!(
                    "number {at} is {}, which is NaN, infinite, or too large for float32. The \
                     training diverged, or the file is damaged",
                    numbers[at]
                );
                return Err(Error::place(place(), problem));
            }
        }
        Ok(())
    }

    /// Computes the outputs of one row in double precision.
    ///
    /// # Shapes
    /// `row` has [`inputs`](Self::inputs) values, and the network is [`check`](Self::check)ed.
    pub fn outputs(&self, row: &[f64]) -> Vec<f64> {
        let mut values = row.to_vec();
        for step in &self.steps {
            match &step.function {
                Function::Dense { weights, biases, .. } => {
                    let rows = weights.chunks_exact(values.len().max(1)).zip(biases);
                    values = rows
                        .map(|(row, b)| {
                            b + row.iter().zip(&values).map(|(w, x)| w * x).sum::<f64>()
                        })
                        .collect();
                }
                Function::Affine(lines) => {
                    values.iter_mut().zip(lines).for_each(|(x, line)| *x = line.value(*x));
                }
                Function::Slopes(slopes) => {
                    let below = values.iter_mut().zip(slopes).filter(|(x, _)| **x < 0.0);
                    below.for_each(|(x, slope)| *x *= slope);
                }
                Function::Activation(Activation::Softmax) => Head::Softmax.apply(&mut values),
                Function::Activation(activation) => {
                    values.iter_mut().for_each(|x| *x = activation.value(*x));
                }
                Function::Quantize(to) => values.iter_mut().for_each(|x| *x = nearest(*x, *to)),
            }
        }
        values
    }
}

/// Returns the nearest value of a quantization, ties to even, as ONNX says.
fn nearest(x: f64, to: Quantization) -> f64 {
    let (scale, zero_point) = (f64::from(to.scale), f64::from(to.zero_point));
    let q = (x / scale).round_ties_even() + zero_point;
    scale * (q.clamp(-128.0, 127.0) - zero_point)
}

fn check_width(place: &str, width: usize) -> Result<()> {
    if (1..=MAX_WIDTH).contains(&width) {
        return Ok(());
    }
    let problem = format!("{width} values, but a model has 1 to {MAX_WIDTH} per layer");
    Err(Error::place(place, problem))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(function: Function) -> FloatNetwork {
        FloatNetwork {
            source: "test",
            shape: vec![2],
            steps: vec![Step { name: "a".into(), function }],
            classes: Vec::new(),
            notes: Vec::new(),
        }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let dense = |weights: Vec<f64>, biases| {
            network(Function::Dense { weights, biases, scales: Vec::new() })
        };
        dense(vec![1.0, 2.0], vec![0.0]).check().unwrap();
        assert_eq!(dense(vec![1.0, 2.0], vec![0.5]).outputs(&[3.0, 4.0]), [11.5]);
        for (network, word) in [
            (dense(vec![1.0], vec![0.0]), "1 weights"),
            (dense(vec![1.0, f64::NAN], vec![0.0]), "number 1 is NaN"),
            (dense(vec![1.0, 1e39], vec![0.0]), "too large"),
            (dense(Vec::new(), Vec::new()), "0 values"),
            (network(Function::Affine(vec![Line::IDENTITY])), "1 values for 2 inputs"),
            (network(Function::Slopes(vec![0.5; 3])), "3 slopes for 2 inputs"),
        ] {
            let message = network.check().unwrap_err().to_string();
            assert!(message.contains(word) && message.contains("`a`"), "{message}");
        }
    }
}
