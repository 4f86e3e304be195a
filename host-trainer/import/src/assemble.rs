//! Assembly of a trainable network: affine functions become input scaling or part of dense layers.

use thimble_network::{Activation, DenseSpec, LayerSpec, Network};
use thimble_numeric::scaling::Scaling;
use thimble_support::foreign_text::shown;

use crate::error::{Error, Result};
use crate::float_network::{FloatNetwork, Function, Line};

/// Maximum number of weights of all added layers: a diagonal matrix of 2048 values.
const MAX_ADDED: usize = 1 << 22;

/// A network as training and quantization take it.
#[derive(Clone, Debug)]
pub struct Assembled {
    /// Scaling of the features, if the file has one. Each feature keeps its own, so that features
    /// of different ranges never share a scale.
    pub scaling: Option<Scaling>,
    /// The layers.
    pub layers: Vec<LayerSpec>,
    /// The network, whose inputs are scaled features.
    pub network: Network<f32>,
    /// Notes for the user on added layers.
    pub notes: Vec<String>,
}

/// A dense layer with the activation behind it.
struct Layer {
    name: String,
    inputs: usize,
    weights: Vec<f64>,
    biases: Vec<f64>,
    activation: Activation,
    /// The layer only adds pairs of values, and is part of the next dense layer if one follows.
    is_sum: bool,
}

impl Layer {
    /// Returns a layer that computes an affine function per value.
    fn diagonal(name: &str, lines: &[Line]) -> Self {
        let width = lines.len();
        let mut weights = vec![0.0; width * width];
        for (at, line) in lines.iter().enumerate() {
            weights[at * width + at] = line.factor;
        }
        Layer {
            name: name.to_string(),
            inputs: width,
            weights,
            biases: lines.iter().map(|line| line.intercept()).collect(),
            activation: Activation::Linear,
            is_sum: false,
        }
    }

    /// Returns a layer that computes value − slope · mirrored of values and as many mirrored ones.
    fn sum(name: &str, slopes: &[f64]) -> Self {
        let width = slopes.len();
        let mut weights = vec![0.0; 2 * width * width];
        for (at, slope) in slopes.iter().enumerate() {
            weights[2 * at * width + at] = 1.0;
            weights[2 * at * width + width + at] = -slope;
        }
        Layer {
            name: name.to_string(),
            inputs: 2 * width,
            weights,
            biases: vec![0.0; width],
            activation: Activation::Linear,
            is_sum: true,
        }
    }

    /// Appends the negative of each output.
    fn mirror(&mut self) {
        self.weights.extend(self.weights.clone().iter().map(|weight| -weight));
        self.biases.extend(self.biases.clone().iter().map(|bias| -bias));
    }

    /// Folds a sum of pairs, whose outputs are the layer's inputs, into the layer.
    fn fold_sum(&mut self, sum: &Layer) {
        let width = self.inputs;
        let mut weights = vec![0.0; self.biases.len() * sum.inputs];
        for (row, bias) in self.biases.iter_mut().enumerate() {
            for (at, own) in self.weights[row * width..][..width].iter().enumerate() {
                for of in [at, width + at] {
                    weights[row * sum.inputs + of] = own * sum.weights[at * sum.inputs + of];
                }
                *bias += own * sum.biases[at];
            }
        }
        (self.inputs, self.weights) = (sum.inputs, weights);
    }

    /// Folds an affine function of the layer's inputs into the layer.
    fn fold_before(&mut self, lines: &[Line]) {
        for (row, bias) in self.weights.chunks_exact_mut(self.inputs).zip(&mut self.biases) {
            for (weight, line) in row.iter_mut().zip(lines) {
                *bias += *weight * line.intercept();
                *weight *= line.factor;
            }
        }
    }

    /// Folds an affine function of the layer's outputs into the layer, which is linear.
    fn fold_behind(&mut self, lines: &[Line]) {
        let rows = self.weights.chunks_exact_mut(self.inputs).zip(&mut self.biases);
        for ((row, bias), line) in rows.zip(lines) {
            row.iter_mut().for_each(|weight| *weight *= line.factor);
            *bias = line.value(*bias);
        }
    }
}

/// Converts the steps of a file to a network of dense layers with the same function.
///
/// Affine functions before the first layer become the scaling of the features. Others are folded
/// into a dense layer in double precision. Where there is none, between two activations, a dense
/// layer with a diagonal matrix is added.
///
/// # Errors
/// [`Error::Place`] for a network without layers.
pub fn assemble(file: &FloatNetwork) -> Result<Assembled> {
    file.check()?;
    let mut notes = Vec::new();
    if file.is_quantized() {
        notes.push(
            "the file's own quantization is left out: without --calibrate, it is kept".into(),
        );
    }
    let mut layers: Vec<Layer> = Vec::new();
    // Affine function of the current values that is not part of a layer yet.
    let mut pending: Option<Vec<Line>> = None;
    let mut scaling: Option<Vec<Line>> = None;
    let mut width = file.inputs();
    let mut budget = Budget(MAX_ADDED);
    for step in &file.steps {
        match &step.function {
            Function::Affine(lines) => match layers.last_mut() {
                Some(layer) if pending.is_none() && layer.activation == Activation::Linear => {
                    layer.fold_behind(lines);
                }
                _ => {
                    let composed = match pending.take() {
                        Some(before) => before.iter().zip(lines).map(|(a, b)| a.then(*b)).collect(),
                        None => lines.clone(),
                    };
                    pending = Some(composed);
                }
            },
            Function::Dense { weights, biases, .. } => {
                let mut layer = Layer {
                    name: step.name.clone(),
                    inputs: width,
                    weights: weights.clone(),
                    biases: biases.clone(),
                    activation: Activation::Linear,
                    is_sum: false,
                };
                if pending.is_none()
                    && let Some(sum) =
                        layers.pop_if(|l| l.is_sum && l.activation == Activation::Linear)
                {
                    layer.fold_sum(&sum);
                }
                match pending.take() {
                    Some(lines) if layers.is_empty() => {
                        scaling = Some(into_scaling(lines, &mut layer))
                    }
                    Some(lines) => layer.fold_before(&lines),
                    None => {}
                }
                width = biases.len();
                layers.push(layer);
            }
            // Quantized anew, with the ranges of the given rows.
            Function::Quantize(_) => {}
            Function::Activation(_) | Function::Slopes(_) => {
                let is_free = layers.last().is_some_and(|l| l.activation == Activation::Linear);
                if !is_free || pending.is_some() {
                    let lines = pending.take().unwrap_or_else(|| vec![Line::IDENTITY; width]);
                    notes.push(added(&step.name, width));
                    budget.spend(&step.name, width * width)?;
                    let mut layer = Layer::diagonal(&step.name, &lines);
                    if layers.is_empty() {
                        let mut identity =
                            Layer::diagonal(&step.name, &vec![Line::IDENTITY; width]);
                        scaling = Some(into_scaling(lines, &mut identity));
                        layer = identity;
                    }
                    layers.push(layer);
                }
                let Some(last) = layers.last_mut() else { continue };
                match &step.function {
                    Function::Activation(activation) => last.activation = *activation,
                    Function::Slopes(slopes) => {
                        // y = relu(x) − slope · relu(−x)
                        notes.push(format!(
                            "`{}` has slopes that differ or are negative: its {width} values become \
                             {} with relu",
                            shown(&step.name),
                            2 * width
                        ));
                        budget.spend(&step.name, last.weights.len() + 2 * width * width)?;
                        last.mirror();
                        last.activation = Activation::Relu;
                        layers.push(Layer::sum(&step.name, slopes));
                    }
                    _ => {}
                }
            }
        }
    }
    if layers.is_empty() {
        return Err(Error::place("the network", "it has no layer with weights"));
    }
    if let Some(lines) = pending {
        let name = file.steps.last().map_or("", |step| step.name.as_str());
        notes.push(added(name, width));
        budget.spend(name, width * width)?;
        layers.push(Layer::diagonal(name, &lines));
    }
    let scaling = scaling.filter(|lines| lines.iter().any(|line| *line != Line::IDENTITY));
    let scaling = scaling.map(|lines| Scaling {
        offsets: lines.iter().map(|line| line.offset as f32).collect(),
        factors: lines.iter().map(|line| line.factor as f32).collect(),
    });
    let specs = specs(&layers);
    let mut network = Network::new(file.inputs(), &specs, 1)
        .map_err(|error| Error::place("the network", error.to_string()))?;
    let numbers = layers.iter().flat_map(|layer| layer.weights.iter().chain(&layer.biases));
    network.parameters_mut().iter_mut().zip(numbers).for_each(|(p, &number)| *p = number as f32);
    if let Err(error) = network.check_finite() {
        return Err(Error::place("the network", format!("{error} once it is folded")));
    }
    Ok(Assembled { scaling, layers: specs, network, notes })
}

/// Weights that added layers may still have.
struct Budget(usize);

impl Budget {
    fn spend(&mut self, name: &str, weights: usize) -> Result<()> {
        self.0 = self.0.checked_sub(weights).ok_or_else(|| {
            let problem = format!(
                "{weights} more weights would be needed for it, and all that are added may be \
                 {MAX_ADDED}. Put an activation such as relu directly behind a dense layer"
            );
            Error::place(format!("`{}`", shown(name)), problem)
        })?;
        Ok(())
    }
}

/// Returns offsets and factors of the features. What is added after the factor becomes part of the
/// first layer.
fn into_scaling(mut lines: Vec<Line>, first: &mut Layer) -> Vec<Line> {
    let shifts: Vec<Line> = lines.iter().map(|line| Line::new(1.0, line.shift)).collect();
    first.fold_before(&shifts);
    lines.iter_mut().for_each(|line| line.shift = 0.0);
    lines
}

fn added(name: &str, width: usize) -> String {
    format!(
        "`{}` has no dense layer before it: one with a diagonal matrix of {width} × {width} weights \
         is added",
        shown(name)
    )
}

/// Returns the specifications, each dense layer with the name of its step if that is unique.
fn specs(layers: &[Layer]) -> Vec<LayerSpec> {
    let is_unique = |name: &str| layers.iter().filter(|layer| layer.name == name).count() == 1;
    let spec = |layer: &Layer| {
        let mut spec = DenseSpec::new(layer.biases.len(), layer.activation);
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
        if !layer.name.is_empty()
            && layer.name.len() <= model_format::limits::MAX_TEXT
            && layer.name.chars().all(plain)
            && is_unique(&layer.name)
        {
            spec.name = Some(layer.name.clone());
        }
        LayerSpec::Dense(spec)
    };
    layers.iter().map(spec).collect()
}

#[cfg(test)]
mod tests {
    use thimble_network::Tape;

    use super::*;
    use crate::float_network::Step;

    fn network(functions: Vec<Function>) -> FloatNetwork {
        let step = |(at, function)| Step { name: format!("s{at}"), function };
        FloatNetwork {
            source: "test",
            shape: vec![2],
            steps: functions.into_iter().enumerate().map(step).collect(),
            classes: Vec::new(),
            notes: Vec::new(),
        }
    }

    fn dense(units: usize, inputs: usize) -> Function {
        let number = |at: usize| ((at * 7 + 3) % 11) as f64 / 4.0 - 1.25;
        Function::Dense {
            weights: (0..units * inputs).map(number).collect(),
            biases: (0..units).map(|at| number(at + 5)).collect(),
            scales: Vec::new(),
        }
    }

    fn affine(width: usize) -> Function {
        let line = |at: usize| Line {
            offset: at as f64 - 0.5,
            factor: 0.75 + at as f64 / 4.0,
            shift: 0.25 - at as f64,
        };
        Function::Affine((0..width).map(line).collect())
    }

    fn slopes(width: usize) -> Function {
        Function::Slopes((0..width).map(|at| 0.75 * at as f64 - 0.5).collect())
    }

    #[test]
    fn every_order_of_steps_keeps_its_function() {
        let act = Function::Activation;
        for functions in [
            vec![affine(2), affine(2), dense(3, 2)],
            vec![dense(3, 2), affine(3), act(Activation::Tanh), affine(3), dense(2, 3), affine(2)],
            vec![act(Activation::Tanh), dense(2, 2), act(Activation::Softmax)],
            vec![affine(2), act(Activation::Relu), affine(2), dense(2, 2)],
            vec![dense(3, 2), act(Activation::Relu), act(Activation::Tanh), affine(3)],
            vec![dense(3, 2), act(Activation::Relu), affine(3), act(Activation::Sigmoid)],
            vec![dense(3, 2), dense(2, 3), act(Activation::Relu6), act(Activation::Softmax)],
            vec![dense(3, 2), slopes(3), dense(2, 3)],
            vec![affine(2), slopes(2), affine(2), dense(3, 2), slopes(3), affine(3), dense(1, 3)],
            vec![dense(2, 2), act(Activation::Tanh), affine(2), slopes(2), act(Activation::Tanh)],
            vec![dense(2, 2), affine(2), slopes(2)],
        ] {
            let file = network(functions);
            let assembled = assemble(&file).unwrap();
            for row in [[0.3, -0.8], [2.0, 1.5], [-1.0, 0.1]] {
                let scaled = row.iter().enumerate().map(|(at, x)| match &assembled.scaling {
                    Some(s) => (*x as f32 - s.offsets[at]) * s.factors[at],
                    None => *x as f32,
                });
                let mut tape = Tape::forward_only(&assembled.network, 1);
                let scaled: Vec<f32> = scaled.collect();
                tape.input_mut(1).copy_from_slice(&scaled);
                tape.forward(&assembled.network, 1);
                let mut outputs = tape.outputs(1).to_vec();
                assembled.network.head().apply(&mut outputs);
                for (found, expected) in outputs.iter().zip(file.outputs(&row)) {
                    // Some dozens of roundings of numbers below 20.
                    let difference = (f64::from(*found) - expected).abs();
                    assert!(difference < 2e-5, "{:?}: {found} {expected}", file.steps);
                }
            }
        }
    }

    #[test]
    fn slopes_double_the_layer_before_and_widen_the_next() {
        let file = network(vec![dense(3, 2), slopes(3), affine(3), dense(1, 3)]);
        let assembled = assemble(&file).unwrap();
        assert_eq!((assembled.layers.len(), assembled.network.parameters().len()), (2, 18 + 7));
        assert!(assembled.notes[0].contains("become 6 with relu"), "{:?}", assembled.notes);
    }

    #[test]
    fn scaling_stays_per_feature() {
        let assembled = assemble(&network(vec![affine(2), dense(3, 2)])).unwrap();
        let scaling = assembled.scaling.unwrap();
        assert_eq!((scaling.offsets, scaling.factors), (vec![-0.5, 0.5], vec![0.75, 1.0]));
        let identity = network(vec![Function::Affine(vec![Line::IDENTITY; 2]), dense(3, 2)]);
        assert_eq!(assemble(&identity).unwrap().scaling, None);
        assert!(assemble(&network(vec![affine(2)])).is_err());
    }
}
