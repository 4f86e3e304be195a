//! The dense layer: y = f(x Wᵀ + b).

use ndarray::{ArrayView2, ArrayViewMut2};

use super::{Activation, Real};

/// A dense layer, without its numbers: those lie in the network's parameters, weights first
/// (outputs × inputs, row-major), then biases.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dense {
    /// Number of inputs.
    pub inputs: usize,
    /// Number of outputs.
    pub outputs: usize,
    /// What is applied to each output.
    pub activation: Activation,
}

impl Dense {
    /// Number of weights and biases.
    pub fn parameter_count(&self) -> usize {
        (self.inputs + 1) * self.outputs
    }

    /// The weights (outputs × inputs) and biases in this layer's parameters.
    pub fn view<'p, T: Real>(&self, parameters: &'p [T]) -> (ArrayView2<'p, T>, &'p [T]) {
        let (weights, biases) = parameters.split_at(self.inputs * self.outputs);
        (matrix(weights, self.inputs), biases)
    }

    /// Computes the outputs of a batch.
    ///
    /// # Shapes
    /// Row after row: `input` is rows × inputs, `output` rows × outputs.
    pub(super) fn forward<T: Real>(&self, parameters: &[T], input: &[T], output: &mut [T]) {
        let (weights, biases) = self.view(parameters);
        let product = matrix_mut(output, self.outputs);
        T::product(matrix(input, self.inputs), weights.t(), product);
        self.activation.apply_with_bias(output, biases);
    }

    /// Computes the gradients of a batch.
    ///
    /// # Shapes
    /// Row after row: `input` and `input_gradient` are rows × inputs, `output` and
    /// `output_gradient` rows × outputs. `output_gradient` is used up: afterwards it is the
    /// gradient by the sums before the activation. `gradients` has the layout of the layer's
    /// parameters and is overwritten. `input_gradient` is `None` for the first layer, where nobody
    /// needs it.
    pub(super) fn backward<T: Real>(
        &self,
        parameters: &[T],
        input: &[T],
        output: &[T],
        output_gradient: &mut [T],
        gradients: &mut [T],
        input_gradient: Option<&mut [T]>,
    ) {
        let (weight_gradients, bias_gradients) = gradients.split_at_mut(self.inputs * self.outputs);
        bias_gradients.fill(T::zero());
        self.activation.pull_back(output, output_gradient, bias_gradients);
        let output_gradient = matrix(output_gradient, self.outputs);
        let weight_gradients = matrix_mut(weight_gradients, self.inputs);
        T::product(output_gradient.t(), matrix(input, self.inputs), weight_gradients);
        if let Some(input_gradient) = input_gradient {
            let (weights, _) = self.view(parameters);
            T::product(output_gradient, weights, matrix_mut(input_gradient, self.inputs));
        }
    }
}

const WHOLE_ROWS: &str = "the network cuts its buffers into whole rows";

/// A slice as a matrix of rows of this width.
fn matrix<T: Real>(slice: &[T], width: usize) -> ArrayView2<'_, T> {
    ArrayView2::from_shape((slice.len() / width, width), slice).expect(WHOLE_ROWS)
}

/// A slice as a matrix of rows of this width.
fn matrix_mut<T: Real>(slice: &mut [T], width: usize) -> ArrayViewMut2<'_, T> {
    ArrayViewMut2::from_shape((slice.len() / width, width), slice).expect(WHOLE_ROWS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_by_hand() {
        let dense = Dense { inputs: 2, outputs: 3, activation: Activation::Relu };
        // Rows of weights (1 2), (-1 0), (0 1), then biases.
        let parameters = [1.0, 2.0, -1.0, 0.0, 0.0, 1.0, 0.5, 0.0, -1.0];
        let input = [3.0, 4.0, 1.0, -1.0];
        let mut output = [f64::NAN; 6];
        dense.forward(&parameters, &input, &mut output);
        assert_eq!(output, [11.5, 0.0, 3.0, 0.0, 0.0, 0.0]);

        let mut output_gradient = [1.0, 1.0, 2.0, 5.0, 5.0, 5.0];
        let (mut gradients, mut input_gradient) = ([f64::NAN; 9], [f64::NAN; 4]);
        let input_gradient = &mut input_gradient;
        dense.backward(
            &parameters,
            &input,
            &output,
            &mut output_gradient,
            &mut gradients,
            Some(input_gradient.as_mut_slice()),
        );
        assert_eq!(gradients, [3.0, 4.0, 0.0, 0.0, 6.0, 8.0, 1.0, 0.0, 2.0]);
        assert_eq!(*input_gradient, [1.0, 4.0, 0.0, 0.0]);
    }
}
