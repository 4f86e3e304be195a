//! Evaluation in floating point.

use rayon::prelude::*;

use super::Confusion;
use crate::data::{Shift, Subset};
use crate::network::{BatchScore, Loss, Network, Real, Tape, first_largest};
use crate::train::Threads;

/// Rows that go through the network together. Fixed, so that the sum of losses does not depend on
/// the number of threads.
const CHUNK: usize = 256;

/// How well a network does on some rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Which classes are taken for which.
    pub confusion: Confusion,
    /// Mean loss of a row, where outputs are what the loss takes.
    pub loss: Option<f64>,
}

/// Runs a network over all rows, spread over the threads, and visits each chunk of rows with its
/// tape. What the visits return comes back in the order of the rows.
pub(crate) fn over_chunks<T: Real, R: Send>(
    network: &Network<T>,
    subset: &Subset,
    threads: &Threads,
    visit: impl Fn(&mut Tape<T>, &[u16]) -> R + Sync,
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
        let labels: Vec<u16> = (start..start + rows).map(|row| subset.label(row)).collect();
        visit(tape, &labels)
    };
    threads.install(|| starts.into_par_iter().map_init(start_tape, run).collect())
}

/// Loss and accuracy of a network on some rows.
pub fn score_float<T: Real>(
    network: &Network<T>,
    subset: &Subset,
    loss: Loss,
    threads: &Threads,
) -> BatchScore {
    let width = network.outputs();
    let scores = over_chunks(network, subset, threads, |tape, labels| {
        let outputs = tape.outputs(labels.len());
        let mut gradient = vec![T::zero(); outputs.len()];
        loss.score(outputs, width, labels, T::one(), &mut gradient)
    });
    scores.into_iter().fold(BatchScore::default(), |mut sum, score| {
        sum.add(score);
        sum
    })
}

/// How well a network does on some rows.
pub fn evaluate_float<T: Real>(
    network: &Network<T>,
    subset: &Subset,
    loss: Loss,
    threads: &Threads,
) -> Evaluation {
    let width = network.outputs();
    let names = &subset.dataset().labels().names;
    let parts = over_chunks(network, subset, threads, |tape, labels| {
        let mut confusion = Confusion::new(names.clone());
        for (outputs, &label) in tape.outputs(labels.len()).chunks_exact(width).zip(labels) {
            confusion.add(usize::from(label), first_largest(outputs).0);
        }
        confusion
    });
    let mut confusion = Confusion::new(names.clone());
    parts.iter().for_each(|part| confusion.merge(part));
    Evaluation { confusion, loss: Some(score_float(network, subset, loss, threads).loss()) }
}
