//! Evaluation of float networks.

use std::ops::Range;

use rayon::prelude::*;
use thimble_data::{Shift, Subset, TargetBuffer};
use thimble_network::{BatchScore, Network, Objective, Real, Tape};
use thimble_numeric::threads::Threads;

use super::Evaluation;

/// Rows per forward pass. Fixed, so that the sum of losses does not depend on the number of
/// threads.
const CHUNK: usize = 256;

/// Runs a network on all rows in parallel. Calls `visit` for each chunk of rows with its tape, its
/// first position and its number of rows. Returns the results in the order of the rows.
pub(crate) fn over_chunks<T: Real, R: Send>(
    network: &Network<T>,
    subset: &Subset,
    threads: &Threads,
    visit: impl Fn(&mut Tape<T>, usize, usize) -> R + Sync,
) -> Vec<R> {
    let starts: Vec<usize> = (0..subset.len()).step_by(CHUNK).collect();
    let start_tape = || Tape::forward_only(network, CHUNK);
    let run = |tape: &mut Tape<T>, start: usize| {
        let rows = CHUNK.min(subset.len() - start);
        let width = network.inputs();
        for (offset, out) in tape.input_mut(rows).chunks_exact_mut(width).enumerate() {
            subset.gather(start + offset, Shift::NONE, out);
        }
        tape.forward(network, rows);
        visit(tape, start, rows)
    };
    threads.install(|| starts.into_par_iter().map_init(start_tape, run).collect())
}

/// Runs a network on some rows. The returned tape contains the outputs of every layer.
pub fn layer_outputs(
    network: &Network<f32>,
    subset: &Subset,
    positions: Range<usize>,
) -> Tape<f32> {
    let rows = positions.len();
    let mut tape = Tape::forward_only(network, rows);
    let inputs = tape.input_mut(rows).chunks_exact_mut(network.inputs());
    for (position, out) in positions.zip(inputs) {
        subset.gather(position, Shift::NONE, out);
    }
    tape.forward(network, rows);
    tape
}

/// Computes loss, with weight penalties, and accuracy of a network on some rows.
// Only for f32, as `evaluate_float`, so that it is compiled with this crate's optimization and not
// the caller's.
pub fn score_float(
    network: &Network<f32>,
    subset: &Subset,
    objective: Objective,
    threads: &Threads,
) -> BatchScore {
    let width = network.outputs();
    let scores = over_chunks(network, subset, threads, |tape, start, rows| {
        score_chunk(tape.outputs(rows), width, subset, start..start + rows, objective)
    });
    let mut score = sum(scores.into_iter());
    score.add_penalty(network.penalty());
    score
}

fn score_chunk<T: Real>(
    outputs: &[T],
    width: usize,
    subset: &Subset,
    positions: Range<usize>,
    objective: Objective,
) -> BatchScore {
    let mut targets = TargetBuffer::default();
    targets.gather(subset, positions);
    let mut gradient = vec![T::zero(); outputs.len()];
    objective.score(outputs, width, targets.rows(), T::one(), &mut gradient)
}

/// Sums scores in order.
fn sum(scores: impl Iterator<Item = BatchScore>) -> BatchScore {
    scores.fold(BatchScore::default(), |mut sum, score| {
        sum.add(score);
        sum
    })
}

/// Evaluates a float network on some rows. Values are in the target's own unit. The loss is the
/// training loss, of scaled targets if they are scaled.
pub fn evaluate_float(
    network: &Network<f32>,
    subset: &Subset,
    objective: Objective,
    threads: &Threads,
) -> Evaluation {
    let width = network.outputs();
    let head = objective.scoring_head();
    let parts = over_chunks(network, subset, threads, |tape, start, rows| {
        let mut outputs = tape.outputs(rows).to_vec();
        let score = score_chunk(&outputs, width, subset, start..start + rows, objective);
        let answers: Vec<usize> =
            outputs.chunks_exact(width).map(|row| objective.class(row)).collect();
        outputs.chunks_exact_mut(width).for_each(|row| head.apply(row));
        let value = |(index, &y): (usize, &f32)| match subset.target_scaling() {
            Some(scaling) => scaling.unscale(index % width, f64::from(y)) as f32,
            None => y,
        };
        (outputs.iter().enumerate().map(value).collect::<Vec<f32>>(), answers, score)
    });
    let outputs = parts.iter().flat_map(|(outputs, ..)| outputs.iter().copied()).collect();
    let answers: Vec<usize> =
        parts.iter().flat_map(|(_, answers, _)| answers.iter().copied()).collect();
    let mut score = sum(parts.into_iter().map(|(.., score)| score));
    score.add_penalty(network.penalty());
    Evaluation {
        loss: Some(score.loss()),
        data_loss: Some(score.data_loss()),
        ..Evaluation::new(subset, outputs, &answers)
    }
}
