//! One step of training: a batch spread over threads, gradients summed in a fixed order.

use rayon::prelude::*;

use super::optimizer::{Optimizer, Piece, StepRule};
use super::settings::Clip;
use super::threads::for_each_parallel;
use crate::data::{Shift, Subset, TargetBuffer};
use crate::network::{BatchScore, Network, Noise, Objective, Penalty, Real, Tape};

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
    objective: Objective,
    /// The network's own, where they can be read while its parameters change.
    penalties: Vec<Penalty>,
    clip: Option<Clip>,
    seed: u64,
    workers: Vec<Worker<T>>,
}

/// What one thread needs for its part of a batch.
#[derive(Debug)]
struct Worker<T> {
    tape: Tape<T>,
    targets: TargetBuffer<T>,
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
    /// A network to be trained in batches of at most `batch_size` rows on so many threads. The seed
    /// decides what dropout drops.
    pub fn new(
        network: Network<T>,
        optimizer: Optimizer<T>,
        objective: Objective,
        batch_size: usize,
        threads: usize,
        seed: u64,
    ) -> Self {
        let worth = network.training_flops().saturating_mul(batch_size) / FLOPS_PER_WORKER;
        let workers = match network.state().is_empty() {
            true => threads.min(worth).min(batch_size).max(1),
            // Batch normalisation is over the whole batch, which so must stay in one piece.
            false => 1,
        };
        let rows = batch_size.div_ceil(workers);
        let worker = || Worker {
            tape: Tape::new(&network, rows),
            targets: TargetBuffer::default(),
            score: BatchScore::default(),
        };
        let workers = (0..workers).map(|_| worker()).collect();
        let penalties = network.penalties().to_vec();
        Learner { network, optimizer, objective, penalties, clip: None, seed, workers }
    }

    /// With gradients that are no larger than this.
    pub fn clipped(self, clip: Option<Clip>) -> Self {
        Learner { clip, ..self }
    }

    /// The network as it is now.
    pub fn network(&self) -> &Network<T> {
        &self.network
    }

    /// The network and its optimizer, to be put back to where a training stopped.
    pub(super) fn parts_mut(&mut self) -> (&mut Network<T>, &mut Optimizer<T>) {
        (&mut self.network, &mut self.optimizer)
    }

    /// The optimizer as it is now.
    pub fn optimizer(&self) -> &Optimizer<T> {
        &self.optimizer
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
        let (network, objective) = (&self.network, self.objective);
        let noise = Noise::of_step(self.seed, self.optimizer.memory().2 as usize);
        // A small last batch may not have a part for every worker.
        let busy = rows.div_ceil(part);
        for_each_parallel(&mut self.workers[..busy], 0, &|index, worker: &mut Worker<T>| {
            let start = index * part;
            let end = (start + part).min(rows);
            worker.learn(
                network,
                objective,
                weight,
                Noise { first_row: start, ..noise },
                Batch {
                    subset: batch.subset,
                    positions: &batch.positions[start..end],
                    shifts: &batch.shifts[start..end],
                },
            );
        });
        let workers = &self.workers[..busy];
        if let [worker] = workers {
            self.network.follow(worker.tape.statistics());
        }
        let sums = Sums { workers, penalties: &self.penalties, clip: ClipRule::None };
        let clip = match self.clip {
            None => ClipRule::None,
            Some(Clip::Value(most)) => ClipRule::Value(T::from_f64(most)),
            Some(Clip::Norm(most)) => {
                let squares = sums.sum_of_squares(self.network.parameters(), self.workers.len());
                ClipRule::Scale(T::from_f64((most / squares.sqrt()).min(1.0)))
            }
        };
        let (rule, piece) = self.optimizer.begin_step(self.network.parameters_mut(), learning_rate);
        Sums { clip, ..sums }.update(piece, rule, self.workers.len());
        workers.iter().fold(BatchScore::default(), |mut sum, worker| {
            sum.add(worker.score);
            sum
        })
    }
}

impl<T: Real> Worker<T> {
    fn learn(
        &mut self,
        network: &Network<T>,
        objective: Objective,
        weight: T,
        noise: Noise,
        part: Batch<'_>,
    ) {
        let (rows, width) = (part.positions.len(), network.inputs());
        let input = self.tape.input_mut(rows).chunks_exact_mut(width);
        for ((&position, &shift), out) in part.positions.iter().zip(part.shifts).zip(input) {
            part.subset.gather(position as usize, shift, out);
        }
        self.targets.gather(part.subset, part.positions.iter().map(|&position| position as usize));
        self.tape.forward_training(network, rows, noise);
        self.score = self.tape.backward(network, objective, self.targets.rows(), rows, weight);
    }
}

/// What is done to gradients that are too large.
#[derive(Clone, Copy, Debug)]
enum ClipRule<T> {
    None,
    /// Each is cut at this magnitude.
    Value(T),
    /// All are multiplied by this.
    Scale(T),
}

/// The gradients of all workers, to be summed block by block.
#[derive(Clone, Copy)]
struct Sums<'a, T> {
    workers: &'a [Worker<T>],
    penalties: &'a [Penalty],
    clip: ClipRule<T>,
}

impl<T: Real> Sums<'_, T> {
    /// Sums the gradients of the parameters from this index on, in the order of the workers.
    #[inline(always)]
    fn sum(&self, start: usize, parameters: &[T], sums: &mut [T]) {
        for (index, worker) in self.workers.iter().enumerate() {
            let gradients = &worker.tape.parameter_gradients()[start..start + sums.len()];
            match index {
                0 => sums.copy_from_slice(gradients),
                _ => sums.iter_mut().zip(gradients).for_each(|(sum, &g)| *sum += g),
            }
        }
        for penalty in self.penalties {
            penalty.add_gradient(start, parameters, sums);
        }
        match self.clip {
            ClipRule::None => {}
            ClipRule::Value(most) => {
                sums.iter_mut()
                    .for_each(|g| *g = if g.abs() > most { most * g.signum() } else { *g });
            }
            ClipRule::Scale(factor) => sums.iter_mut().for_each(|g| *g *= factor),
        }
    }

    /// Sum of the squares of all gradients, shared out over `threads`; the same for any number of
    /// them.
    fn sum_of_squares(&self, parameters: &[T], threads: usize) -> f64 {
        let blocks = parameters.len().div_ceil(BLOCK);
        let block = |index: usize| {
            let start = index * BLOCK;
            let parameters = &parameters[start..(start + BLOCK).min(parameters.len())];
            let mut sums = [T::zero(); BLOCK];
            let sums = &mut sums[..parameters.len()];
            self.sum(start, parameters, sums);
            sums.iter().map(|&g| Real::to_f64(g)).map(|g| g * g).sum::<f64>()
        };
        match threads {
            1 => (0..blocks).map(block).sum(),
            // Collected, so that the order of the last sum does not depend on the threads.
            _ => (0..blocks).into_par_iter().map(block).collect::<Vec<f64>>().iter().sum(),
        }
    }

    /// Sums the gradients and makes the optimizer's step, shared out over `threads`.
    fn update(self, piece: Piece<'_, T>, rule: StepRule<T>, threads: usize) {
        if threads > 1 {
            let left_threads = threads / 2;
            let blocks = piece.parameters.len().div_ceil(BLOCK);
            let middle = (blocks * left_threads / threads * BLOCK).min(piece.parameters.len());
            let (left, right) = piece.split_at(middle);
            rayon::join(
                || self.update(left, rule, left_threads),
                || self.update(right, rule, threads - left_threads),
            );
            return;
        }
        pulp::Arch::new().dispatch(|| self.update_blocks(piece, rule));
    }

    #[inline(always)]
    fn update_blocks(self, mut piece: Piece<'_, T>, rule: StepRule<T>) {
        let mut sums = [T::zero(); BLOCK];
        let mut from = 0;
        while from < piece.parameters.len() {
            let sums = &mut sums[..BLOCK.min(piece.parameters.len() - from)];
            self.sum(piece.offset + from, &piece.parameters[from..from + sums.len()], sums);
            rule.apply(&mut piece, from, sums);
            from += sums.len();
        }
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
    use crate::network::{Activation, DenseSpec, Head, LayerSpec, Loss};
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
        let hidden = DenseSpec { l1: 1e-4, l2: 1e-3, ..DenseSpec::new(3000, Activation::Relu) };
        let layers = [
            LayerSpec::Dense(hidden),
            LayerSpec::Dropout(0.1),
            LayerSpec::Dense(DenseSpec::new(3, Activation::Linear)),
        ];
        Network::new(width, &layers, 1).unwrap()
    }

    const OBJECTIVE: Objective = Objective {
        loss: Loss::SparseCategoricalCrossEntropy,
        label_smoothing: 0.0,
        head: Head::None,
    };

    /// The network after a few batches, the last of them small.
    fn trained(threads: usize, clip: Option<Clip>) -> (usize, Network<f64>, BatchScore) {
        let (rows, width, batch_size) = (151, 20, 75);
        let subset = subset(rows, width);
        let settings = OptimizerSettings::Sgd(SgdSettings {
            learning_rate: 0.1,
            momentum: 0.9,
            nesterov: false,
        });
        let network = network(width);
        let optimizer = Optimizer::new(settings, network.parameters().len());
        let learner = Learner::new(network, optimizer, OBJECTIVE, batch_size, threads, 1);
        let mut learner = learner.clipped(clip);
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
        let (workers, single, score) = trained(1, None);
        assert_eq!((workers, score.rows), (1, 151));
        for threads in [2, 3, 4] {
            let (workers, network, parallel_score) = trained(threads, None);
            assert_eq!(workers, threads);
            assert_eq!(parallel_score.correct, score.correct);
            for (a, b) in single.parameters().iter().zip(network.parameters()) {
                // Three steps of sums of 75 terms below 1 in another order.
                assert!((a - b).abs() < 3.0 * 75.0 * f64::EPSILON, "{a} {b}");
            }
            let again = trained(threads, None).1;
            assert_eq!(again, network, "the same threads give the same bits");
        }
    }

    #[test]
    fn little_networks_stay_on_one_thread() {
        let layers = [LayerSpec::Dense(DenseSpec::new(3, Activation::Linear))];
        let network = Network::<f32>::new(4, &layers, 1).unwrap();
        let settings = OptimizerSettings::Sgd(SgdSettings {
            learning_rate: 0.1,
            momentum: 0.0,
            nesterov: false,
        });
        let optimizer = Optimizer::new(settings, network.parameters().len());
        assert_eq!(Learner::new(network, optimizer, OBJECTIVE, 32, 8, 1).workers(), 1);
    }

    #[test]
    fn clipping_shortens_the_step() {
        let moved = |clip, threads| {
            let (_, trained, _) = trained(threads, clip);
            let before = network(20);
            let pairs = trained.parameters().iter().zip(before.parameters());
            let moves: Vec<f64> = pairs.map(|(a, b)| (a - b).abs()).collect();
            let norm = moves.iter().map(|m| m * m).sum::<f64>().sqrt();
            (norm, moves.into_iter().fold(0.0, f64::max))
        };
        // Three steps at rate 0.1 and momentum 0.9: 0.1 · (1 + 1.9 + 2.71) times the gradient.
        let reach = 0.1 * (1.0 + 1.9 + 2.71);
        for threads in [1, 2] {
            let (free, _) = moved(None, threads);
            let (norm, _) = moved(Some(Clip::Norm(1e-3)), threads);
            assert!(norm <= reach * 1e-3 * (1.0 + 1e-9) && norm > 0.5e-3 * reach, "{norm}");
            let (_, most) = moved(Some(Clip::Value(1e-4)), threads);
            assert!(most <= reach * 1e-4 * (1.0 + 1e-9) && most > 0.5e-4 * reach, "{most}");
            assert!(free > 10.0 * norm);
        }
    }
}
