//! Dense (fully connected) layers, forward and backward: y = f(x Wᵀ + b).

use std::ops::Range;

use ndarray::{ArrayView2, ArrayViewMut2, s};

use super::{Activation, PackedOperand, Real};

/// Shape and activation of a dense layer. Its weights (outputs × inputs, row-major) and then its
/// biases lie in the network's parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dense {
    /// Number of inputs.
    pub inputs: usize,
    /// Number of outputs.
    pub outputs: usize,
    /// Activation function.
    pub activation: Activation,
}

impl Dense {
    /// Returns the number of weights and biases.
    pub fn parameter_count(&self) -> usize {
        (self.inputs + 1) * self.outputs
    }

    /// Returns the weights (outputs × inputs) and the biases among this layer's parameters.
    pub fn view<'p, T: Real>(&self, parameters: &'p [T]) -> (ArrayView2<'p, T>, &'p [T]) {
        let (weights, biases) = parameters.split_at(self.inputs * self.outputs);
        (matrix(weights, self.inputs), biases)
    }

    /// Computes the outputs of a mini-batch.
    ///
    /// # Shapes
    /// `input` is rows × inputs, `output` is rows × outputs, both row-major.
    pub(super) fn forward<T: Real>(
        &self,
        parameters: &[T],
        input: &[T],
        output: &mut [T],
        workspace: &mut Workspace<T>,
    ) {
        let (weights, biases) = self.view(parameters);
        workspace.product_by_rows(weights, matrix(input, self.inputs), output);
        self.activation.apply_with_bias(output, biases);
    }

    /// Computes the outputs of a mini-batch, and keeps the pre-activations for
    /// [`backward`](Self::backward).
    ///
    /// # Shapes
    /// As in [`forward`](Self::forward); `kept` is rows × outputs.
    pub(super) fn forward_keeping<T: Real>(
        &self,
        parameters: &[T],
        input: &[T],
        kept: &mut [T],
        output: &mut [T],
        workspace: &mut Workspace<T>,
    ) {
        self.forward_rounding(parameters, input, kept, output, workspace, |_| ());
    }

    /// Computes the outputs of a mini-batch from pre-activations that are rounded by `round`, and
    /// keeps these.
    ///
    /// # Shapes
    /// As in [`forward_keeping`](Self::forward_keeping).
    pub(super) fn forward_rounding<T: Real>(
        &self,
        parameters: &[T],
        input: &[T],
        kept: &mut [T],
        output: &mut [T],
        workspace: &mut Workspace<T>,
        round: impl FnOnce(&mut [T]),
    ) {
        let (weights, biases) = self.view(parameters);
        workspace.product_by_rows(weights, matrix(input, self.inputs), kept);
        Activation::Linear.apply_with_bias(kept, biases);
        round(kept);
        self.activation.apply(self.outputs, kept, output);
    }

    /// Backpropagates a mini-batch: turns ∂L/∂output into ∂L/∂pre-activation, in place, and
    /// computes ∂L/∂input from it.
    ///
    /// # Shapes
    /// `input_gradient` is rows × inputs. `kept`, `output` and `gradient` are rows × outputs. All
    /// are row-major. `kept` may be empty unless the activation needs its input, and
    /// `input_gradient` is `None` for the first layer, which needs none.
    pub(super) fn backward<T: Real>(
        &self,
        parameters: &[T],
        kept: &[T],
        output: &[T],
        gradient: &mut [T],
        input_gradient: Option<&mut [T]>,
        workspace: &mut Workspace<T>,
    ) {
        self.activation.backward(self.outputs, kept, output, gradient);
        if let Some(input_gradient) = input_gradient {
            let (weights, _) = self.view(parameters);
            workspace.product_by_rows(weights.t(), matrix(gradient, self.outputs), input_gradient);
        }
    }

    /// Sums the weight gradients of some outputs over the micro-batches of a batch, in order.
    ///
    /// # Shapes
    /// `parts` yields, per micro-batch, the layer's input (rows × inputs), packed by
    /// [`Real::pack`], and ∂L/∂pre-activation (rows × outputs). `gradients` is outputs.len() ×
    /// inputs.
    pub(super) fn weight_gradients<'a, T: Real>(
        &self,
        parts: impl Iterator<Item = (&'a PackedOperand<T>, &'a [T])>,
        outputs: Range<usize>,
        gradients: &mut [T],
    ) {
        for (index, (input, gradient)) in parts.enumerate() {
            let gradient = matrix(gradient, self.outputs);
            let some = gradient.slice_move(s![.., outputs.clone()]);
            T::matmul(some.reversed_axes(), input, matrix_mut(gradients, self.inputs), index > 0);
        }
    }

    /// Sums the bias gradients of some outputs over the micro-batches of a batch, in order.
    ///
    /// # Shapes
    /// `parts` yields ∂L/∂pre-activation (rows × outputs) per micro-batch. `gradients` is as long
    /// as `outputs`.
    pub(super) fn bias_gradients<'a, T: Real>(
        &self,
        parts: impl Iterator<Item = &'a [T]>,
        outputs: Range<usize>,
        gradients: &mut [T],
    ) {
        gradients.fill(T::zero());
        for row in parts.flat_map(|part| part.chunks_exact(self.outputs)) {
            gradients.iter_mut().zip(&row[outputs.clone()]).for_each(|(sum, &g)| *sum += g);
        }
    }
}

/// Scratch memory of matrix products, reused between calls.
#[derive(Clone, Debug, Default)]
pub(super) struct Workspace<T> {
    packed: PackedOperand<T>,
    columns: Vec<T>,
}

impl<T: Real> Workspace<T> {
    /// Computes out = rows · leftᵀ.
    ///
    /// The product is computed as (left · rowsᵀ)ᵀ. `left`, the weights, is by far the larger
    /// factor. This way it is read in place, and only the rows of a mini-batch are transposed.
    ///
    /// # Shapes
    /// `left` is m × k, `rows` n × k, `out` n × m.
    fn product_by_rows(&mut self, left: ArrayView2<'_, T>, rows: ArrayView2<'_, T>, out: &mut [T]) {
        let (m, n) = (left.nrows(), rows.nrows());
        T::pack(rows.t(), &mut self.packed);
        if self.columns.len() < m * n {
            self.columns.resize(m * n, T::zero());
        }
        let columns = &mut self.columns[..m * n];
        T::matmul(left, &self.packed, matrix_mut(columns, n), false);
        T::transpose(columns, m, n, out);
    }
}

const WHOLE_ROWS: &str = "the network cuts its buffers into whole rows";

/// Views a slice as a row-major matrix of this width.
pub(super) fn matrix<T: Real>(slice: &[T], width: usize) -> ArrayView2<'_, T> {
    ArrayView2::from_shape((slice.len() / width, width), slice).expect(WHOLE_ROWS)
}

/// Views a slice as a row-major matrix of this width.
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
        let (mut output, mut workspace) = ([f64::NAN; 6], Workspace::default());
        dense.forward(&parameters, &input, &mut output, &mut workspace);
        assert_eq!(output, [11.5, 0.0, 3.0, 0.0, 0.0, 0.0]);

        let mut gradient = [1.0, 1.0, 2.0, 5.0, 5.0, 5.0];
        let mut input_gradient = [f64::NAN; 4];
        let into = Some(input_gradient.as_mut_slice());
        dense.backward(&parameters, &[], &output, &mut gradient, into, &mut workspace);
        let mut packed = PackedOperand::default();
        f64::pack(matrix(&input, 2), &mut packed);
        let parts = || std::iter::once((&packed, gradient.as_slice()));
        let (mut weights, mut biases) = ([f64::NAN; 4], [f64::NAN; 2]);
        dense.weight_gradients(parts(), 0..2, &mut weights);
        dense.bias_gradients(parts().map(|part| part.1), 1..3, &mut biases);
        assert_eq!((weights, biases), ([3.0, 4.0, 0.0, 0.0], [0.0, 2.0]));
        dense.weight_gradients(parts(), 1..3, &mut weights);
        assert_eq!(weights, [0.0, 0.0, 6.0, 8.0]);
        assert_eq!(input_gradient, [1.0, 4.0, 0.0, 0.0]);
    }
}
