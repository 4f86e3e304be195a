//! One step of training: a batch spread over threads, gradients summed in a fixed order.

use super::optimizer::{Optimizer, Piece, StepRule};
use super::threads::for_each_parallel;
use crate::data::{Shift, Subset};
use crate::network::{BatchScore, Loss, Network, Real, Tape};

/// Work below which another thread costs more than it saves, in floating-point operations of a
/// batch: waking a sleeping thread takes some tens of microseconds.
const FLOPS_PER_WORKER: usize = 4_000_000;

/// Parameters that are summed and stepped at once: few enough to stay in the first-level cache.
const BLOCK: usize = 1024;

/// A network in training.
///
/// Each batch is cut into as many parts as there are workers, the same way every time; each
/// worker computes the gradients of its part on its own tape. Then the workers share the
/// parameters out, and each sums the gradients of its share in the order of the workers and makes
/// the optimizer's step. So the result depends on the number of workers, never on their speed.
#[derive(Debug)]
pub struct Learner<T> {
    network: Network<T>,
    optimizer: Optimizer<T>,
    loss: Loss,
    workers: Vec<Worker<T>>,
}

/// What one thread needs for its part of a batch.
#[derive(Debug)]
struct Worker<T> {
    tape: Tape<T>,
    labels: Vec<u16>,
    score: BatchScore,
}

/// Rows of a training set, in the order in which they are learnt.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// The set.
    pub subset: &'a Subset,
    /// Positions in the set.
    pub positions: &'a [u32],
    /// How each row is moved; as many as positions.
    pub shifts: &'a [Shift],
}

impl<T: Real> Learner<T> {
    /// A network to be trained in batches of at most `batch_size` rows on so many threads.
    pub fn new(
        network: Network<T>,
        optimizer: Optimizer<T>,
        loss: Loss,
        batch_size: usize,
        threads: usize,
    ) -> Self {
        let worth = network.training_flops().saturating_mul(batch_size) / FLOPS_PER_WORKER;
        let workers = threads.min(worth).min(batch_size).max(1);
        let rows = batch_size.div_ceil(workers);
        let worker = || Worker {
            tape: Tape::new(&network, rows),
            labels: Vec::with_capacity(rows),
            score: BatchScore::default(),
        };
        let workers = (0..workers).map(|_| worker()).collect();
        Learner { network, optimizer, loss, workers }
    }

    /// The network as it is now.
    pub fn network(&self) -> &Network<T> {
        &self.network
    }

    /// The network, training being over.
    pub fn into_network(self) -> Network<T> {
        self.network
    }

    /// Number of threads that share each batch.
    pub fn workers(&self) -> usize {
        self.workers.len()
    }

    /// Learns one batch, which has at least one row and at most as many as stated at the start.
    /// To be called inside [`Threads::install`](super::Threads::install). Allocates nothing.
    pub fn step(&mut self, batch: Batch<'_>, learning_rate: f64) -> BatchScore {
        let rows = batch.positions.len();
        let part = rows.div_ceil(self.workers.len());
        let weight = T::one() / T::from_f64(rows as f64);
        let (network, loss) = (&self.network, self.loss);
        // A small last batch may not have a part for every worker.
        let busy = rows.div_ceil(part);
        for_each_parallel(&mut self.workers[..busy], 0, &|index, worker: &mut Worker<T>| {
            let start = index * part;
            let end = (start + part).min(rows);
            worker.learn(network, loss, weight, Batch {
                subset: batch.subset,
                positions: &batch.positions[start..end],
                shifts: &batch.shifts[start..end],
            });
        });
        let (rule, piece) =
            self.optimizer.begin_step(self.network.parameters_mut(), learning_rate);
        let workers = &self.workers[..busy];
        update(piece, rule, workers, self.workers.len());
        workers.iter().fold(BatchScore::default(), |mut sum, worker| {
            sum.add(worker.score);
            sum
        })
    }
}

impl<T: Real> Worker<T> {
    fn learn(&mut self, network: &Network<T>, loss: Loss, weight: T, part: Batch<'_>) {
        let (rows, width) = (part.positions.len(), network.inputs());
        let input = self.tape.input_mut(rows).chunks_exact_mut(width);
        self.labels.clear();
        for ((&position, &shift), out) in part.positions.iter().zip(part.shifts).zip(input) {
            part.subset.gather(position as usize, shift, out);
            self.labels.push(part.subset.label(position as usize));
        }
        self.tape.forward(network, rows);
        self.score = self.tape.backward(network, loss, &self.labels, weight);
    }
}

/// Sums the workers' gradients and makes the optimizer's step, shared out over `threads`.
fn update<T: Real>(
    piece: Piece<'_, T>,
    rule: StepRule<T>,
    workers: &[Worker<T>],
    threads: usize,
) {
    if threads > 1 {
        let left_threads = threads / 2;
        let blocks = piece.parameters.len().div_ceil(BLOCK);
        let middle = (blocks * left_threads / threads * BLOCK).min(piece.parameters.len());
        let (left, right) = piece.split_at(middle);
        rayon::join(
            || update(left, rule, workers, left_threads),
            || update(right, rule, workers, threads - left_threads),
        );
        return;
    }
    pulp::Arch::new().dispatch(|| update_blocks(piece, rule, workers));
}

#[inline(always)]
fn update_blocks<T: Real>(mut piece: Piece<'_, T>, rule: StepRule<T>, workers: &[Worker<T>]) {
    let mut sums = [T::zero(); BLOCK];
    let mut from = 0;
    while from < piece.parameters.len() {
        let sums = &mut sums[..BLOCK.min(piece.parameters.len() - from)];
        let start = piece.offset + from;
        for (index, worker) in workers.iter().enumerate() {
            let gradients = &worker.tape.parameter_gradients()[start..start + sums.len()];
            match index {
                0 => sums.copy_from_slice(gradients),
                _ => sums.iter_mut().zip(gradients).for_each(|(sum, &g)| *sum += g),
            }
        }
        rule.apply(&mut piece, from, sums);
        from += sums.len();
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZero;
    use std::sync::Arc;

    use ndarray::Array2;

    use super::super::{OptimizerSettings, Threads};
    use super::*;
    use crate::data::{Dataset, Features, Labels};
    use crate::network::{Activation, DenseSpec, Initializer, LayerSpec};
    use crate::train::optimizer::SgdSettings;

    fn subset(rows: usize, width: usize) -> Subset {
        let values =
            Array2::from_shape_fn((rows, width), |(i, j)| ((i * 31 + j * 7) % 17) as f32 / 17.0);
        let labels = Labels {
            indices: (0..rows).map(|row| (row % 3) as u16).collect(),
            names: vec!["a".into(), "b".into(), "c".into()],
        };
        let features = Features::Reals(values);
        Subset::all(Arc::new(Dataset::new("d", vec![width], features, labels).unwrap()))
    }

    fn network(width: usize) -> Network<f64> {
        let layer = |units, activation| {
            LayerSpec::Dense(DenseSpec { units, activation, weights: Initializer::XavierUniform })
        };
        let layers = [layer(3000, Activation::Relu), layer(3, Activation::Linear)];
        Network::new(width, &layers, 1).unwrap()
    }

    /// The network after a few batches, the last of them small.
    fn trained(threads: usize) -> (usize, Network<f64>, BatchScore) {
        let (rows, width, batch_size) = (151, 20, 75);
        let subset = subset(rows, width);
        let settings = OptimizerSettings::Sgd(SgdSettings { learning_rate: 0.1, momentum: 0.9 });
        let network = network(width);
        let optimizer = Optimizer::new(settings, network.parameters().len());
        let loss = Loss::SparseCategoricalCrossEntropy;
        let mut learner = Learner::new(network, optimizer, loss, batch_size, threads);
        let (positions, shifts) = ((0..rows as u32).collect::<Vec<_>>(), vec![Shift::NONE; rows]);
        let threads = Threads::new(NonZero::new(threads)).unwrap();
        let mut score = BatchScore::default();
        for (positions, shifts) in positions.chunks(batch_size).zip(shifts.chunks(batch_size)) {
            let batch = Batch { subset: &subset, positions, shifts };
            score.add(threads.install(|| learner.step(batch, 0.1)));
        }
        (learner.workers(), learner.into_network(), score)
    }

    #[test]
    fn threads_change_nothing_but_the_order_of_sums() {
        let (workers, single, score) = trained(1);
        assert_eq!((workers, score.rows), (1, 151));
        for threads in [2, 3, 4] {
            let (workers, network, parallel_score) = trained(threads);
            assert_eq!(workers, threads);
            assert_eq!(parallel_score.correct, score.correct);
            for (a, b) in single.parameters().iter().zip(network.parameters()) {
                // Three steps of sums of 75 terms below 1 in another order.
                assert!((a - b).abs() < 3.0 * 75.0 * f64::EPSILON, "{a} {b}");
            }
            let again = trained(threads).1;
            assert_eq!(again, network, "the same threads give the same bits");
        }
    }

    #[test]
    fn little_networks_stay_on_one_thread() {
        let layers = [LayerSpec::Dense(DenseSpec {
            units: 3,
            activation: Activation::Linear,
            weights: Initializer::Zeros,
        })];
        let network = Network::<f32>::new(4, &layers, 1).unwrap();
        let settings = OptimizerSettings::Sgd(SgdSettings { learning_rate: 0.1, momentum: 0.0 });
        let optimizer = Optimizer::new(settings, network.parameters().len());
        let loss = Loss::SparseCategoricalCrossEntropy;
        assert_eq!(Learner::new(network, optimizer, loss, 32, 8).workers(), 1);
    }
}
