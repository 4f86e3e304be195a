//! Parameter gradients, summed over the micro-batches of a batch in a fixed order.

use std::ops::Range;

use super::{Layer, Network, Real, Tape};

/// Number of weights whose gradients are summed at once. They stay in the L2 cache until the
/// optimizer has used them.
const BLOCK: usize = 25_600;

/// Rows of weights in one tile of the matrix product.
const TILE: usize = 6;

/// Layout of all layers' parameters, and the sums of their gradients.
///
/// Terms and order of each sum do not depend on the division of parameters and batch among threads.
/// Any number of threads computes the same bits.
#[derive(Clone, Debug)]
pub struct GradientPlan {
    layers: Vec<(Layer, Range<usize>, Range<usize>)>,
}

/// Scratch memory for sums of gradients, one per thread.
#[derive(Clone, Debug, Default)]
pub struct GradientMemory<T> {
    sums: Vec<T>,
}

impl GradientPlan {
    /// Returns the plan of a network.
    pub fn new<T: Real>(network: &Network<T>) -> Self {
        let places = network.placed().iter();
        let place = places.map(|p| (p.layer, p.parameters.clone(), p.state.clone()));
        GradientPlan { layers: place.collect() }
    }

    /// Divides all parameters into `count` spans of about equal work. Some spans are empty if there
    /// are fewer rows of weights than spans.
    pub fn spans(&self, count: usize) -> Vec<Range<usize>> {
        let total = self.layers.last().map_or(0, |(_, range, _)| range.end);
        let cut = |index: usize| {
            let wanted = total * index / count;
            let place = self.layers.iter().find(|(_, range, _)| range.contains(&wanted));
            match place {
                Some((Layer::Dense(dense), range, _)) => {
                    let weights = dense.inputs * dense.outputs;
                    let rows = (wanted - range.start).min(weights) / dense.inputs / TILE * TILE;
                    range.start + rows * dense.inputs
                }
                Some((_, range, _)) => range.start,
                None => total,
            }
        };
        (0..count)
            .map(|index| cut(index)..if index + 1 == count { total } else { cut(index + 1) })
            .collect()
    }

    /// Sums the gradients of a span of parameters over the last passes of these tapes, in order.
    /// Calls `visit` block by block, with the index of the block's first parameter.
    ///
    /// `span` is one of [`spans`](Self::spans), or the range of all parameters.
    pub fn sum<'a, T: Real>(
        &self,
        tapes: impl Iterator<Item = &'a Tape<T>> + Clone,
        span: Range<usize>,
        memory: &mut GradientMemory<T>,
        mut visit: impl FnMut(usize, &mut [T]),
    ) {
        let GradientMemory { sums } = memory;
        for (index, (layer, range, state)) in self.layers.iter().enumerate() {
            let range_here = range.start.max(span.start)..range.end.min(span.end);
            if range_here.is_empty() {
                continue;
            }
            let passes = tapes.clone().map(|tape| tape.layer_pass(index));
            match layer {
                Layer::Dense(dense) => {
                    let biases = range.start + dense.inputs * dense.outputs;
                    let row =
                        |parameter: usize| (parameter.min(biases) - range.start) / dense.inputs;
                    let rows = row(range_here.start)..row(range_here.end);
                    let step = (BLOCK / dense.inputs / TILE * TILE).max(TILE);
                    for first in rows.clone().step_by(step) {
                        let some = first..(first + step).min(rows.end);
                        let sums = sized(sums, some.len() * dense.inputs);
                        dense.weight_gradients(passes.clone(), some, sums);
                        visit(range.start + first * dense.inputs, sums);
                    }
                    if range_here.end > biases {
                        let some = range_here.start.max(biases) - biases..range_here.end - biases;
                        let sums = sized(sums, some.len());
                        let parts = passes.map(|(_, gradient)| gradient);
                        dense.bias_gradients(parts, some.clone(), sums);
                        visit(biases + some.start, sums);
                    }
                }
                Layer::BatchNormalization(_) => {
                    let sums = sized(sums, state.len());
                    sums.fill(T::zero());
                    for tape in tapes.clone() {
                        let gradients = &tape.normalization_gradients()[state.clone()];
                        sums.iter_mut().zip(gradients).for_each(|(sum, &g)| *sum += g);
                    }
                    let inside = range_here.start - range.start..range_here.end - range.start;
                    visit(range_here.start, &mut sums[inside]);
                }
                Layer::Activation { .. } | Layer::Dropout { .. } => {}
            }
        }
    }
}

/// Returns the first `length` elements of a buffer, which grows if it is shorter.
fn sized<T: Real>(buffer: &mut Vec<T>, length: usize) -> &mut [T] {
    if buffer.len() < length {
        buffer.resize(length, T::zero());
    }
    &mut buffer[..length]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tests::{dense, normalization};
    use crate::{Activation, Noise, Objective, TargetRows};

    #[test]
    fn spans_and_parts_change_no_bit() {
        let layers =
            [dense(70, Activation::Relu), dense(9, Activation::Tanh), dense(3, Activation::Linear)];
        let network = Network::<f32>::new(400, &layers, 1).unwrap();
        let plan = GradientPlan::new(&network);
        let objective = Objective { head: network.head(), ..Objective::default() };
        let rows = 37;
        let value = |i: usize| ((i * 2_654_435_761) % 1000) as f32 / 500.0 - 1.0;
        let input: Vec<f32> = (0..rows * 400).map(value).collect();
        let labels: Vec<u16> = (0..rows).map(|row| (row * 7 % 3) as u16).collect();
        let gradients = |parts: usize, spans: usize| {
            let rows_of_part = rows.div_ceil(parts);
            let tapes: Vec<Tape<f32>> = input
                .chunks(rows_of_part * 400)
                .zip(labels.chunks(rows_of_part))
                .map(|(input, labels)| {
                    let rows = labels.len();
                    let mut tape = Tape::new(&network, rows_of_part);
                    tape.input_mut(rows).copy_from_slice(input);
                    tape.forward_training(&network, rows, Noise::default());
                    tape.backward(&network, objective, TargetRows::Classes(labels), rows, 0.1);
                    tape
                })
                .collect();
            let mut all = Vec::new();
            for span in plan.spans(spans) {
                let mut memory = GradientMemory::default();
                plan.sum(tapes.iter(), span, &mut memory, |first, gradients| {
                    assert_eq!(first, all.len(), "without gaps, in order");
                    all.extend_from_slice(gradients);
                });
            }
            all
        };
        let whole = gradients(1, 1);
        assert_eq!(whole.len(), network.parameters().len());
        for (parts, spans) in [(2, 1), (1, 2), (2, 2), (3, 5), (5, 40)] {
            assert_eq!(gradients(parts, spans), whole, "{parts} parts, {spans} spans");
        }
    }

    #[test]
    fn spans_cover_everything_once() {
        let layers = [dense(20, Activation::Linear), normalization(), dense(3, Activation::Linear)];
        let network = Network::<f32>::new(2, &layers, 1).unwrap();
        for count in 1..9 {
            let spans = GradientPlan::new(&network).spans(count);
            assert_eq!(spans.len(), count);
            let end = spans.iter().fold(0, |at, span| {
                assert_eq!(at, span.start);
                span.end
            });
            assert_eq!(end, network.parameters().len());
        }
    }
}
