//! Models that are already quantized, with their own scales.
//!
//! A chain of float operators between quantizations becomes layers of integers: a dense layer with the
//! integers of the file, a table for an element-wise function. ONNX Runtime rescales an accumulator in
//! float32 and rounds ties to even, a device in fixed point as FORMAT.md says: outputs of a layer may
//! differ by one step.

use model_format::build::{DenseSpec, EncodingSpec, InputSpec, LayerSpec};
use model_format::limits::{MAX_DIMENSIONS, MAX_LAYERS};
use model_format::{Clamp, Encoding, Multiplier, Quantization, WeightLayout};
use thimble_convert::import::Chain;
use thimble_convert::split::{MAX_WEIGHT, split};
use thimble_convert::tables;
use thimble_network::Activation;

use crate::error::{Error, Result};
use crate::float_network::{FloatNetwork, Function, Line, Step};

/// Quantization of pixels from 0 to 1, one step per gray level.
const PIXELS: Quantization = Quantization::int8(1.0 / 255.0, -128);

/// Converts a network that [`FloatNetwork::is_quantized`], with the scales of its file.
///
/// # Errors
/// [`Error::Place`] with the step that is not quantized or has no integer form.
pub fn quantized(file: &FloatNetwork) -> Result<Chain> {
    file.check()?;
    let mut walk = Walk {
        layers: Vec::new(),
        notes: file.notes.clone(),
        width: file.inputs(),
        pending: Vec::new(),
    };
    let mut input = None;
    let mut current: Option<Quantization> = None;
    for (at, step) in file.steps.iter().enumerate() {
        let Function::Quantize(to) = step.function else {
            walk.pending.push((at, step));
            continue;
        };
        match current {
            None => input = Some((to, walk.encoding(to)?)),
            Some(_) if walk.is_rounded_twice(file.steps.get(at + 1)) => {
                walk.notes.push(format!(
                    "step {at} (`{}`) is left out: what is added next is part of the dense layer before \
                     it, so that outputs may differ by a step from a runtime that rounds both",
                    step.name
                ));
                continue;
            }
            Some(from) => walk.layer(from, to)?,
        }
        current = Some(to);
    }
    let (Some((quantization, encoding)), Some(last)) = (input, current) else {
        return Err(Error::place("the network", "it has no quantized values"));
    };
    walk.end(last)?;
    if walk.layers.is_empty() || walk.layers.len() > MAX_LAYERS {
        let problem = format!("{} layers, but a model has 1 to {MAX_LAYERS}", walk.layers.len());
        return Err(Error::place("the network", problem));
    }
    let shape = match file.shape[..] {
        [] => vec![file.inputs()],
        _ if file.shape.len() > MAX_DIMENSIONS => vec![file.inputs()],
        _ => file.shape.clone(),
    };
    let is_softmax = matches!(walk.layers.last(), Some(LayerSpec::Softmax(_)));
    Ok(Chain {
        input: InputSpec { shape, quantization, encoding },
        is_classifier: is_softmax || !file.classes.is_empty(),
        layers: walk.layers,
        outputs: walk.width,
        notes: walk.notes,
    })
}

struct Walk<'f> {
    layers: Vec<LayerSpec>,
    notes: Vec<String>,
    /// Number of current values.
    width: usize,
    /// Steps since the last quantization, with their indices.
    pending: Vec<(usize, &'f Step)>,
}

fn refuse((at, step): (usize, &Step), problem: &str) -> Error {
    let problem = format!("{problem}. Or import the model with --calibrate: it is quantized anew");
    Error::place(format!("step {at} (`{}`)", step.name), problem)
}

impl<'f> Walk<'f> {
    /// Converts what comes before the first quantization: affine functions of the features.
    fn encoding(&mut self, to: Quantization) -> Result<EncodingSpec> {
        let mut lines: Option<Vec<Line>> = None;
        for pending in std::mem::take(&mut self.pending) {
            let Function::Affine(next) = &pending.1.function else {
                return Err(refuse(pending, "it computes with values that are not quantized"));
            };
            let composed = match lines {
                None => next.clone(),
                Some(before) => {
                    before.iter().zip(next).map(|(a, b)| a.then(*b)).collect::<Vec<_>>()
                }
            };
            if composed.iter().any(|line| line.channel(to).is_none()) {
                return Err(refuse(pending, "it gives a constant whatever the feature is"));
            }
            lines = Some(composed);
        }
        Ok(match lines {
            None if to == PIXELS => Encoding::Unsigned8,
            // One channel for all features.
            None => Encoding::Reals(Line::IDENTITY.channel(to).into_iter().collect()),
            Some(lines) => {
                Encoding::Reals(lines.iter().filter_map(|line| line.channel(to)).collect())
            }
        })
    }

    /// Returns whether a quantization stands between a dense layer and what is added to its outputs.
    fn is_rounded_twice(&self, next: Option<&Step>) -> bool {
        let is_dense = matches!(
            self.pending.last().map(|(_, step)| &step.function),
            Some(Function::Dense { .. })
        );
        let adds = |lines: &[Line]| lines.iter().any(|line| *line != lines[0]);
        let next = next.map(|step| &step.function);
        is_dense && matches!(next, Some(Function::Affine(lines)) if adds(lines))
    }

    /// Converts the steps between two quantizations.
    fn layer(&mut self, from: Quantization, to: Quantization) -> Result<()> {
        let pending = std::mem::take(&mut self.pending);
        let is_dense = |(_, step): &(usize, &Step)| matches!(step.function, Function::Dense { .. });
        if pending.iter().any(is_dense) {
            return self.dense(&pending, from, to);
        }
        if pending.is_empty() && from == to {
            return Ok(());
        }
        for pending in &pending {
            match &pending.1.function {
                Function::Activation(Activation::Softmax) => {
                    return Err(refuse(*pending, "a softmax is the last layer of a model"));
                }
                Function::Affine(lines) if lines.iter().any(|line| *line != lines[0]) => {
                    return Err(refuse(
                        *pending,
                        "it differs from value to value, and has no dense layer before it",
                    ));
                }
                Function::Slopes(slopes) if slopes.iter().any(|slope| *slope != slopes[0]) => {
                    return Err(refuse(*pending, "its slopes differ from value to value"));
                }
                _ => {}
            }
        }
        let value = |x: f64| {
            pending.iter().fold(x, |x, (_, step)| match &step.function {
                Function::Affine(lines) => lines.first().map_or(x, |line| line.value(x)),
                Function::Slopes(slopes) if x < 0.0 => x * slopes.first().copied().unwrap_or(1.0),
                Function::Slopes(_) => x,
                Function::Activation(activation) => activation.value(x),
                Function::Dense { .. } | Function::Quantize(_) => x,
            })
        };
        self.layers.push(LayerSpec::Table(tables::of_function(from, to, value)));
        Ok(())
    }

    /// Converts a dense layer with what is folded into it.
    fn dense(
        &mut self,
        pending: &[(usize, &'f Step)],
        from: Quantization,
        to: Quantization,
    ) -> Result<()> {
        let [first, behind @ ..] = pending else { return Ok(()) };
        let Function::Dense { weights, biases, scales } = &first.1.function else {
            return Err(refuse(
                *first,
                "it changes values before a dense layer, without a quantization between them",
            ));
        };
        if scales.is_empty() {
            return Err(refuse(*first, "its weights are not quantized"));
        }
        let (inputs, outputs) = (self.width, biases.len());
        let mut biases = biases.clone();
        let mut factors = vec![1.0; outputs];
        let mut clamp = Clamp::INT8;
        for (index, step) in behind.iter().enumerate() {
            match &step.1.function {
                Function::Affine(lines) if clamp == Clamp::INT8 => {
                    for ((factor, bias), line) in factors.iter_mut().zip(&mut biases).zip(lines) {
                        *factor *= line.factor;
                        *bias = line.value(*bias);
                    }
                }
                Function::Activation(activation) if index + 1 == behind.len() => {
                    clamp = clamp_of(*activation, to).ok_or_else(|| {
                        refuse(
                            *step,
                            "no quantization stands between it and the dense layer before it",
                        )
                    })?;
                }
                _ if index == 0 => {
                    return Err(refuse(
                        *step,
                        "no quantization stands between it and the dense layer before it",
                    ));
                }
                _ => {
                    return Err(refuse(
                        *step,
                        "nothing may follow an activation before it is quantized",
                    ));
                }
            }
        }
        let mut wide = Vec::with_capacity(weights.len());
        let mut spec = DenseSpec {
            inputs,
            outputs,
            weights: Vec::new(),
            biases: Vec::with_capacity(outputs),
            multipliers: Vec::with_capacity(outputs),
            output: to,
            clamp,
            layout: WeightLayout::RowMajor,
        };
        for row in 0..outputs {
            let scale = scales[row];
            // A factor of 0 leaves the bias alone, in steps of the output.
            let (sign, unit) = match factors[row] == 0.0 {
                true => (0.0, f64::from(to.scale)),
                false => {
                    (factors[row].signum(), f64::from(from.scale) * scale * factors[row].abs())
                }
            };
            for weight in &weights[row * inputs..][..inputs] {
                let steps = (sign * weight / scale).round();
                if steps.is_nan() || steps.abs() > f64::from(MAX_WEIGHT) {
                    let problem = format!(
                        "row {row} has a weight of {steps} steps, but int8 less a zero point has at \
                         most {MAX_WEIGHT}. Quantize weights to int8"
                    );
                    return Err(refuse(*first, &problem));
                }
                wide.push(steps as i32);
            }
            let real = unit / f64::from(to.scale);
            let multiplier = Multiplier::from_real(real)
                .map_err(|_| refuse(*first, &format!("row {row} has the multiplier {real}")))?;
            spec.multipliers.push(multiplier);
            let bias = (biases[row] / unit).round();
            if bias.abs() > f64::from(i32::MAX) {
                return Err(refuse(*first, &format!("row {row} has a bias of {bias} steps")));
            }
            spec.biases.push(bias as i32);
        }
        let split = split(&mut self.layers, from, inputs, &wide);
        let split = split.map_err(|error| refuse(*first, &format!("its weights: {error}")))?;
        if split.copies > 0 {
            self.notes.push(format!(
                "step {} (`{}`) has weights beyond ±127, the range of a model file. They are split over \
                 copies of {} of its {inputs} inputs, with the same result. Weights that are quantized \
                 symmetrically make a smaller model",
                first.0, first.1.name, split.copies
            ));
        }
        (spec.inputs, spec.weights) = (split.inputs, split.weights);
        self.width = outputs;
        self.layers.push(LayerSpec::Dense(spec));
        Ok(())
    }

    /// Converts what follows the last quantization.
    fn end(&mut self, last: Quantization) -> Result<()> {
        match std::mem::take(&mut self.pending)[..] {
            [] => {}
            [(_, step)] if step.function == Function::Activation(Activation::Softmax) => {
                self.layers.push(LayerSpec::Softmax(tables::softmax(last, 1.0)));
            }
            [(_, step)] if step.function == Function::Activation(Activation::Sigmoid) => {
                self.layers.push(LayerSpec::Table(tables::logistic_int8(last)));
            }
            [(_, step)] if step.function == Function::Activation(Activation::Tanh) => {
                self.layers.push(LayerSpec::Table(tables::tanh_int8(last)));
            }
            [first, ..] => {
                return Err(refuse(
                    first,
                    "its outputs are not quantized. Quantize the outputs, too",
                ));
            }
        }
        Ok(())
    }
}

/// Returns the bounds of an activation that clamps.
fn clamp_of(activation: Activation, to: Quantization) -> Option<Clamp> {
    let low = to.zero_point as i16;
    match activation {
        Activation::Linear => Some(Clamp::INT8),
        Activation::Relu => Some(Clamp { low, high: 127 }),
        Activation::Relu6 => {
            let six = (6.0 / f64::from(to.scale)).round_ties_even() + f64::from(to.zero_point);
            Some(Clamp { low, high: six.clamp(low.into(), 127.0) as i16 })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use model_format::Model;
    use model_format::build::{ModelSpec, OutputSpec};
    use thimble_nn::Engine;

    use super::*;

    fn network(functions: Vec<Function>) -> FloatNetwork {
        let step = |function| Step { name: "n".into(), function };
        FloatNetwork {
            source: "test",
            shape: vec![2],
            steps: functions.into_iter().map(step).collect(),
            classes: Vec::new(),
            notes: Vec::new(),
        }
    }

    fn dense(weights: &[f64], biases: &[f64], scales: &[f64]) -> Function {
        Function::Dense {
            weights: weights.to_vec(),
            biases: biases.to_vec(),
            scales: scales.to_vec(),
        }
    }

    /// Outputs of the engine, as real numbers, for values of the input.
    fn outputs(file: &FloatNetwork, input: [i8; 2]) -> Vec<f64> {
        let Chain { input: spec, layers, outputs, .. } = quantized(file).unwrap();
        let to = match layers.last().unwrap() {
            LayerSpec::Dense(dense) => dense.output,
            LayerSpec::Table(table) => table.output,
            LayerSpec::Softmax(_) => panic!("no softmax"),
        };
        let spec = ModelSpec {
            name: "x".into(),
            input: spec,
            output: OutputSpec::Values(vec![]),
            layers,
            self_tests: vec![],
            details: Default::default(),
        };
        let bytes = spec.to_bytes().unwrap();
        let model = Model::parse(&bytes).unwrap();
        assert_eq!(model.output_len(), outputs);
        let mut scratch = vec![0; model.scratch_len()];
        let mut engine = Engine::new(model, &mut scratch).unwrap();
        let bytes = engine.run_bytes(&input.map(|q| q as u8)).unwrap();
        let real = |byte: &u8| f64::from(to.scale) * f64::from(*byte as i8 as i32 - to.zero_point);
        bytes.iter().map(real).collect()
    }

    #[test]
    fn layers_keep_integers_scales_and_clamps() {
        let (x, h, y) = (
            Quantization::int8(0.5, -3),
            Quantization::int8(0.25, -128),
            Quantization::int8(1.0, 4),
        );
        let relu = Function::Activation(Activation::Relu);
        let file = network(vec![
            Function::Quantize(x),
            dense(&[1.5, -0.5, 2.0, 2.0], &[1.0, -1.0], &[0.5, 2.0]),
            relu,
            Function::Quantize(h),
            dense(&[1.0, -2.0], &[3.0], &[1.0]),
            Function::Quantize(y),
        ]);
        // Real inputs 2 and −1: 1.5 · 2 + 0.5 + 1 = 4.5 and 4 − 2 − 1 = 1; 4.5 − 2 + 3 = 5.5, which
        // both round to 6.
        assert_eq!(outputs(&file, [1, -5]), [6.0]);
        assert_eq!(file.outputs(&[2.0, -1.0]), [6.0]);
        // −2 and 1: a relu of −3.5 + 1 and of −2 − 1 is 0.
        assert_eq!(outputs(&file, [-7, -1]), [3.0]);
    }

    #[test]
    fn what_is_added_behind_a_quantization_is_the_bias() {
        let q = |scale| Quantization::int8(scale, 0);
        let add = Function::Affine(vec![Line::new(1.0, 1.0), Line::new(1.0, -2.0)]);
        let file = network(vec![
            Function::Quantize(q(1.0)),
            dense(&[1.0, 0.0, 0.0, 1.0], &[0.0, 0.0], &[1.0, 1.0]),
            Function::Quantize(q(1.0)),
            add,
            Function::Quantize(q(1.0)),
            Function::Activation(Activation::Tanh),
            Function::Quantize(q(1.0 / 64.0)),
        ]);
        let both = outputs(&file, [3, 2]);
        assert_eq!(both, [4f64.tanh(), 0.0].map(|y| (y * 64.0).round() / 64.0));
        assert_eq!(quantized(&file).unwrap().notes.len(), 1);
    }

    #[test]
    fn a_factor_of_zero_leaves_the_constant() {
        let q = |scale| Function::Quantize(Quantization::int8(scale, 1));
        let lines = vec![Line::new(0.0, 3.0), Line::new(1.0, 1.0)];
        let file = network(vec![
            q(1.0),
            dense(&[1.0, 1.0, 1.0, -1.0], &[9.0, 0.0], &[1.0, 1.0]),
            Function::Affine(lines),
            q(0.5),
        ]);
        assert_eq!(outputs(&file, [5, 2]), [3.0, 4.0]);
        assert_eq!(outputs(&file, [-7, 6]), [3.0, -12.0]);
    }

    #[test]
    fn what_has_no_integer_form_is_named() {
        let q = || Function::Quantize(Quantization::int8(1.0, 0));
        let one = |scale| dense(&[1.0, 1.0], &[0.0], &[scale]);
        let constant = || Function::Affine(vec![Line::new(1.0, 0.0), Line::new(0.0, 2.0)]);
        for (functions, word) in [
            (vec![one(1.0), q()], "not quantized"),
            (vec![q(), dense(&[1.0, 1.0], &[0.0], &[]), q()], "its weights are not quantized"),
            (vec![q(), one(1.0 / 300.0), q()], "300 steps"),
            (vec![q(), one(1.0)], "outputs are not quantized"),
            (vec![q()], "0 layers"),
            (vec![constant(), q(), one(1.0), q()], "it gives a constant"),
            (vec![q(), one(1.0), Function::Activation(Activation::Tanh), q()], "no quantization"),
            (vec![q(), Function::Activation(Activation::Softmax), q(), one(1.0), q()], "softmax"),
        ] {
            let message = quantized(&network(functions)).unwrap_err().to_string();
            assert!(message.contains(word), "{message}");
        }
    }
}
