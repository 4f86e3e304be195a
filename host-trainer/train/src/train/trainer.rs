//! Training step: data-parallel forward and backward passes, gradient clipping, optimizer update.

use std::ops::Range;

use super::aware::Aware;
use super::optimizer::{Optimizer, Piece, StepRule};
use super::settings::Clip;
use crate::data::{Shift, Subset, TargetBuffer};
use crate::network::{
    BatchScore, GradientMemory, GradientPlan, Network, Noise, Objective, Penalty, Real, SoftRows,
    Tape, TargetRows,
};
use crate::threads::{for_each_parallel, join};
use crate::vectorized::{Loop, vectorized};

/// Smallest work per thread, in floating-point operations of a batch. Below it, synchronization
/// costs more than another thread saves: some microseconds, and far more if another program uses
/// the core.
const FLOPS_PER_WORKER: usize = 4_000_000;

/// A network in training.
///
/// Each batch is divided into one micro-batch per worker. Each worker runs forward and backward
/// passes on its own tape. Then the parameters are divided among the threads. Each computes the
/// gradients of its share over the whole batch, a few rows of weights at a time, and applies the
/// optimizer while they are in its cache. Gradients are never stored as a whole. All sums run over
/// the rows in order, so the weights do not depend on the number of workers or their speed.
#[derive(Debug)]
pub struct Trainer<T> {
    network: Network<T>,
    /// The fake-quantized network, on which passes run in quantization-aware training.
    aware: Option<Aware<T>>,
    optimizer: Optimizer<T>,
    objective: Objective,
    /// Copy of the network's penalties, readable while its parameters change.
    penalties: Vec<Penalty>,
    clip: Option<Clip>,
    seed: u64,
    workers: Vec<Worker<T>>,
    plan: GradientPlan,
    shares: Vec<Share<T>>,
}

/// Parameters whose gradients one thread computes, and its scratch memory.
#[derive(Debug)]
struct Share<T> {
    span: Range<usize>,
    memory: GradientMemory<T>,
    /// Gradients of the span, stored only for clipping by the global norm.
    gradients: Vec<T>,
}

/// Tape, targets and score of one thread's micro-batch.
#[derive(Debug)]
struct Worker<T> {
    tape: Tape<T>,
    targets: TargetBuffer<T>,
    /// Soft targets, probabilities of teachers, class weights.
    soft: [Vec<T>; 3],
    score: BatchScore,
}

/// A mini-batch of a training split.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// The training split.
    pub subset: &'a Subset,
    /// Positions of the rows in the split.
    pub positions: &'a [u32],
    /// Image shift of each row, one per position.
    pub shifts: &'a [Shift],
    /// Prepared inputs, rows × features, in place of the rows of the split.
    pub inputs: Option<&'a [f32]>,
    /// Soft targets in place of those of the split.
    pub soft: Option<Soft<'a>>,
}

/// Soft targets of a mini-batch, and probabilities of teachers: rows × outputs.
#[derive(Clone, Copy, Debug)]
pub struct Soft<'a> {
    /// Distributions over the classes.
    pub targets: &'a [f32],
    /// Probabilities of the teachers. Not read if `weight` is 0.
    pub teacher: &'a [f32],
    /// Divisor of the logits in the loss by the teachers.
    pub temperature: f64,
    /// Share of that loss.
    pub weight: f64,
}

impl Soft<'_> {
    /// Returns those of a range of the rows.
    fn part(self, rows: Range<usize>, outputs: usize) -> Self {
        let range = rows.start * outputs..rows.end * outputs;
        let teacher = if self.weight > 0.0 { &self.teacher[range.clone()] } else { &[] };
        Soft { targets: &self.targets[range], teacher, ..self }
    }
}

impl<T: Real> Trainer<T> {
    /// Creates a trainer for batches of at most `batch_size` rows on at most `threads` threads.
    /// `seed` determines the dropout masks.
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
            // Batch normalization uses the statistics of the whole batch, so the batch is not
            // divided.
            false => 1,
        };
        let rows = batch_size.div_ceil(workers);
        let worker = || Worker {
            tape: Tape::new(&network, rows),
            targets: TargetBuffer::default(),
            soft: Default::default(),
            score: BatchScore::default(),
        };
        let workers = (0..workers).map(|_| worker()).collect();
        let penalties = network.penalties().to_vec();
        let plan = GradientPlan::new(&network);
        let share = |span| Share { span, memory: GradientMemory::default(), gradients: Vec::new() };
        let spans = plan.spans(if worth > 1 { threads.min(worth) } else { 1 });
        let shares = spans.into_iter().map(share).collect();
        let (clip, aware) = (None, None);
        Trainer {
            network,
            aware,
            optimizer,
            objective,
            penalties,
            clip,
            seed,
            workers,
            plan,
            shares,
        }
    }

    /// Runs all further passes on the fake-quantized network.
    pub(super) fn set_aware(&mut self, aware: Aware<T>) {
        for worker in &mut self.workers {
            worker.tape = Tape::new(aware.network(), worker.tape.capacity());
        }
        self.aware = Some(aware);
    }

    /// Returns the fake-quantized network in training.
    pub(super) fn aware(&self) -> Option<&Aware<T>> {
        self.aware.as_ref()
    }

    /// Returns the fake-quantized network in training, for mutation.
    pub(super) fn aware_mut(&mut self) -> Option<&mut Aware<T>> {
        self.aware.as_mut()
    }

    /// Rounds the weights of another network with the same layers, for evaluation.
    pub(super) fn round_weights_of(&mut self, network: &Network<T>) {
        if let Some(aware) = &mut self.aware {
            aware.quantize(network);
        }
    }

    /// Rounds the weights after the last step, for evaluation.
    pub(super) fn round_weights(&mut self) {
        if let Some(aware) = &mut self.aware {
            aware.quantize(&self.network);
        }
    }

    /// Returns the network that is evaluated: the fake-quantized one, if there is one.
    pub(super) fn evaluated(&self) -> &Network<T> {
        self.aware.as_ref().map_or(&self.network, Aware::network)
    }

    /// Sets gradient clipping.
    pub fn clipped(mut self, clip: Option<Clip>) -> Self {
        self.clip = clip;
        for share in &mut self.shares {
            let stored = if matches!(clip, Some(Clip::Norm(_))) { share.span.len() } else { 0 };
            share.gradients.resize(stored, T::zero());
        }
        self
    }

    /// Returns the current network.
    pub fn network(&self) -> &Network<T> {
        &self.network
    }

    /// Returns the network and its optimizer, to restore a checkpoint.
    pub(super) fn parts_mut(&mut self) -> (&mut Network<T>, &mut Optimizer<T>) {
        (&mut self.network, &mut self.optimizer)
    }

    /// Returns the current optimizer.
    pub fn optimizer(&self) -> &Optimizer<T> {
        &self.optimizer
    }

    /// Returns the network: the fake-quantized one, if there is one.
    pub fn into_network(self) -> Network<T> {
        match self.aware {
            Some(aware) => aware.into_network(),
            None => self.network,
        }
    }

    /// Returns the number of threads that share each batch.
    pub fn workers(&self) -> usize {
        self.workers.len()
    }

    /// Trains on one batch of 1 to `batch_size` rows. Call it inside
    /// [`Threads::install_awake`](crate::threads::Threads::install_awake). It does not allocate.
    pub fn step(&mut self, batch: Batch<'_>, learning_rate: f64) -> BatchScore {
        let rows = batch.positions.len();
        let part = rows.div_ceil(self.workers.len());
        let weight = T::one() / T::from_f64(rows as f64);
        self.round_weights();
        let network = self.aware.as_ref().map_or(&self.network, Aware::network);
        let objective = self.objective;
        let (width, outputs) = (network.inputs(), network.outputs());
        let noise = Noise::of_step(self.seed, self.optimizer.memory().2 as usize);
        // A small last batch may have fewer micro-batches than workers.
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
                    inputs: batch.inputs.map(|inputs| &inputs[start * width..end * width]),
                    soft: batch.soft.map(|soft| soft.part(start..end, outputs)),
                },
            );
        });
        let workers = &self.workers[..busy];
        let mut score = workers.iter().fold(BatchScore::default(), |mut sum, worker| {
            sum.add(worker.score);
            sum
        });
        score.add_penalty(self.network.penalty());
        if let Some(aware) = &mut self.aware {
            aware.follow(workers.iter().map(|worker| worker.tape.seen()));
        }
        if let [worker] = workers {
            self.network.follow(worker.tape.statistics());
        }
        if let Some(keep) = self.optimizer.settings().decay_of_weights(learning_rate) {
            self.network.scale_weights(T::from_f64(keep));
        }
        let gradients = Gradients { workers, plan: &self.plan, penalties: &self.penalties };
        let (rule, piece) = self.optimizer.begin_step(self.network.parameters_mut(), learning_rate);
        if let Some(Clip::Norm(most)) = self.clip {
            let parameters = &*piece.parameters;
            for_each_parallel(&mut self.shares, 0, &|_, share: &mut Share<T>| {
                let Share { span, memory, gradients: all } = share;
                gradients.visit(span.clone(), memory, parameters, 0, |first, some| {
                    all[first - span.start..][..some.len()].copy_from_slice(some);
                });
            });
            let norm = sum_of_squares(self.shares.iter().map(|share| &*share.gradients)).sqrt();
            let factor = T::from_f64((most / norm).min(1.0));
            update(&mut self.shares, piece, &|share, piece| {
                share.gradients.iter_mut().for_each(|g| *g *= factor);
                rule.apply(piece, 0, &share.gradients);
            });
        } else {
            let most = match self.clip {
                Some(Clip::Value(most)) => Some(T::from_f64(most)),
                _ => None,
            };
            update(&mut self.shares, piece, &|share, piece| {
                gradients.step(share.span.clone(), &mut share.memory, piece, rule, most);
            });
        }
        score
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
        match part.inputs {
            Some(prepared) => {
                for (out, row) in input.zip(prepared.chunks_exact(width)) {
                    out.iter_mut().zip(row).for_each(|(out, &value)| *out = T::from_f32(value));
                }
            }
            None => {
                let rows = part.positions.iter().zip(part.shifts);
                for ((&position, &shift), out) in rows.zip(input) {
                    part.subset.gather(position as usize, shift, out);
                }
            }
        }
        let targets = match part.soft {
            Some(soft) => {
                let class_weights = part.subset.class_weights().unwrap_or_default();
                let all = [soft.targets, soft.teacher, class_weights];
                for (to, from) in self.soft.iter_mut().zip(all) {
                    to.clear();
                    to.extend(from.iter().map(|&value| T::from_f32(value)));
                }
                let [targets, teacher, class_weights] = &self.soft;
                TargetRows::Soft(SoftRows {
                    targets,
                    teacher,
                    temperature: T::from_f64(soft.temperature),
                    weight: T::from_f64(soft.weight),
                    class_weights,
                })
            }
            None => {
                let positions = part.positions.iter().map(|&position| position as usize);
                self.targets.gather(part.subset, positions);
                self.targets.rows()
            }
        };
        self.tape.forward_training(network, rows, noise);
        self.score = self.tape.backward(network, objective, targets, rows, weight);
    }
}

/// Sources of a batch's gradients: tapes and weight penalties.
#[derive(Clone, Copy)]
struct Gradients<'a, T> {
    workers: &'a [Worker<T>],
    plan: &'a GradientPlan,
    penalties: &'a [Penalty],
}

impl<T: Real> Gradients<'_, T> {
    /// Calls `visit` block by block with the gradients of a span of parameters, including weight
    /// penalties. The first element of `parameters` has the index `offset` among all.
    fn visit(
        &self,
        span: Range<usize>,
        memory: &mut GradientMemory<T>,
        parameters: &[T],
        offset: usize,
        mut visit: impl FnMut(usize, &mut [T]),
    ) {
        let tapes = self.workers.iter().map(|worker| &worker.tape);
        self.plan.sum(tapes, span, memory, |first, some| {
            let parameters = &parameters[first - offset..][..some.len()];
            for penalty in self.penalties {
                penalty.add_gradient(first, parameters, some);
            }
            visit(first, some);
        });
    }

    /// Applies the optimizer to a span of parameters, with gradients clipped to the magnitude
    /// `most`.
    fn step(
        &self,
        span: Range<usize>,
        memory: &mut GradientMemory<T>,
        piece: &mut Piece<'_, T>,
        rule: StepRule<T>,
        most: Option<T>,
    ) {
        let tapes = self.workers.iter().map(|worker| &worker.tape);
        self.plan.sum(tapes, span, memory, |first, some| {
            vectorized::<Step, _>((self.penalties, most, rule, &mut *piece, first, some));
        });
    }
}

struct Step;

impl<T: Real> Loop<(&[Penalty], Option<T>, StepRule<T>, &mut Piece<'_, T>, usize, &mut [T])>
    for Step
{
    type Output = ();

    #[inline(always)]
    fn run(
        (penalties, most, rule, piece, first, gradients): (
            &[Penalty],
            Option<T>,
            StepRule<T>,
            &mut Piece<'_, T>,
            usize,
            &mut [T],
        ),
    ) {
        let from = first - piece.offset;
        for penalty in penalties {
            let parameters = &piece.parameters[from..from + gradients.len()];
            penalty.add_gradient(first, parameters, gradients);
        }
        if let Some(most) = most {
            for g in &mut *gradients {
                *g = if g.abs() > most { most * g.signum() } else { *g };
            }
        }
        rule.apply(piece, from, gradients);
    }
}

/// Calls `work` on each share with its range of the parameters, in parallel.
fn update<T: Real>(
    shares: &mut [Share<T>],
    mut piece: Piece<'_, T>,
    work: &(impl Fn(&mut Share<T>, &mut Piece<'_, T>) + Sync),
) {
    match shares {
        [] => {}
        [share] => work(share, &mut piece),
        _ => {
            let (left, right) = shares.split_at_mut(shares.len() / 2);
            let middle = right[0].span.start - piece.offset;
            let (left_piece, right_piece) = piece.split_at(middle);
            join(|| update(left, left_piece, work), || update(right, right_piece, work));
        }
    }
}

/// Returns the sum of squares of all elements. The order does not depend on the division into
/// slices.
fn sum_of_squares<'a, T: Real>(parts: impl Iterator<Item = &'a [T]>) -> f64 {
    const LANES: usize = 16;
    let (mut sums, mut lane) = ([0.0; LANES], 0);
    for &value in parts.flatten() {
        let value = Real::to_f64(value);
        sums[lane] += value * value;
        lane = (lane + 1) % LANES;
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use std::num::NonZero;
    use std::sync::Arc;

    use ndarray::Array2;

    use super::super::OptimizerSettings;
    use super::*;
    use crate::data::{Dataset, Features, Labels};
    use crate::network::{Activation, DenseSpec, Head, LayerSpec, Loss};
    use crate::threads::Threads;
    use crate::train::optimizer::{AdamWSettings, EpsilonPlacement, SgdSettings};

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

    fn network(width: usize) -> Network<f32> {
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
        threshold: 0.5,
    };

    /// The network after a few batches, the last of them small.
    fn trained(threads: usize, clip: Option<Clip>) -> (usize, Network<f32>, BatchScore) {
        let (rows, width, batch_size) = (151, 20, 75);
        let subset = subset(rows, width);
        let settings = OptimizerSettings::Sgd(SgdSettings {
            learning_rate: 0.1,
            momentum: 0.9,
            nesterov: false,
        });
        let network = network(width);
        let optimizer = Optimizer::new(settings, network.parameters().len());
        let trainer = Trainer::new(network, optimizer, OBJECTIVE, batch_size, threads, 1);
        let mut trainer = trainer.clipped(clip);
        let (positions, shifts) = ((0..rows as u32).collect::<Vec<_>>(), vec![Shift::NONE; rows]);
        let threads = Threads::new(NonZero::new(threads)).unwrap();
        let mut score = BatchScore::default();
        for (positions, shifts) in positions.chunks(batch_size).zip(shifts.chunks(batch_size)) {
            let batch = Batch { subset: &subset, positions, shifts, inputs: None, soft: None };
            score.add(threads.install(|| trainer.step(batch, 0.1)));
        }
        (trainer.workers(), trainer.into_network(), score)
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        for clip in [None, Some(Clip::Norm(1e-3)), Some(Clip::Value(1e-4))] {
            let (workers, single, score) = trained(1, clip);
            assert_eq!((workers, score.rows), (1, 151));
            for threads in [2, 3, 4] {
                let (workers, network, parallel_score) = trained(threads, clip);
                assert_eq!(workers, threads);
                assert_eq!(parallel_score.correct, score.correct);
                assert!(network == single, "{threads} threads, {clip:?}");
            }
        }
    }

    #[test]
    fn decay_without_biases_shrinks_weights_only() {
        let subset = subset(60, 20);
        let step = |decay_biases, weight_decay| {
            let layers =
                [8, 3].map(|units| LayerSpec::Dense(DenseSpec::new(units, Activation::Tanh)));
            let mut network = Network::<f32>::new(20, &layers, 1).unwrap();
            network.parameters_mut().iter_mut().for_each(|parameter| *parameter += 0.5);
            let settings = OptimizerSettings::AdamW(AdamWSettings {
                learning_rate: 0.1,
                beta_1: 0.9,
                beta_2: 0.999,
                epsilon: 1e-7,
                epsilon_placement: EpsilonPlacement::Keras,
                weight_decay,
                decay_biases,
            });
            let optimizer = Optimizer::new(settings, network.parameters().len());
            let mut trainer = Trainer::new(network, optimizer, OBJECTIVE, 60, 1, 1);
            let positions: Vec<u32> = (0..60).collect();
            let (positions, shifts) = (positions.as_slice(), [Shift::NONE; 60]);
            let batch =
                Batch { subset: &subset, positions, shifts: &shifts, inputs: None, soft: None };
            trainer.step(batch, 0.1);
            trainer.into_network()
        };
        let [all, weights, none] = [step(true, 0.5), step(false, 0.5), step(true, 0.0)];
        let mut checked = 0;
        for ((a, b), c) in all.layers().zip(weights.layers()).zip(none.layers()) {
            let crate::network::Layer::Dense(dense) = a.layer else { continue };
            let count = dense.inputs * dense.outputs;
            assert_eq!(a.parameters[..count], b.parameters[..count]);
            assert_eq!(b.parameters[count..], c.parameters[count..]);
            assert_ne!(a.parameters[count..], c.parameters[count..]);
            checked += 1;
        }
        assert_eq!(checked, 2);
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
        assert_eq!(Trainer::new(network, optimizer, OBJECTIVE, 32, 8, 1).workers(), 1);
    }

    #[test]
    fn clipping_shortens_the_step() {
        let moved = |clip, threads| {
            let (_, trained, _) = trained(threads, clip);
            let before = network(20);
            let pairs = trained.parameters().iter().zip(before.parameters());
            let moves: Vec<f64> = pairs.map(|(a, b)| f64::from((a - b).abs())).collect();
            let norm = moves.iter().map(|m| m * m).sum::<f64>().sqrt();
            (norm, moves.into_iter().fold(0.0, f64::max))
        };
        // Three steps at rate 0.1 and momentum 0.9: 0.1 · (1 + 1.9 + 2.71) times the gradient.
        let reach = 0.1 * (1.0 + 1.9 + 2.71);
        for threads in [1, 2] {
            let (free, _) = moved(None, threads);
            let (norm, _) = moved(Some(Clip::Norm(1e-3)), threads);
            assert!(norm <= reach * 1e-3 * (1.0 + 1e-4) && norm > 0.5e-3 * reach, "{norm}");
            let (_, most) = moved(Some(Clip::Value(1e-4)), threads);
            assert!(most <= reach * 1e-4 * (1.0 + 1e-4) && most > 0.5e-4 * reach, "{most}");
            assert!(free > 10.0 * norm);
        }
    }
}
