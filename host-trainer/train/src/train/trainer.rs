//! Training step: data-parallel forward and backward passes, gradient clipping, optimizer update.

use std::ops::Range;

use thimble_data::{Shift, Subset, TargetBuffer};
use thimble_network::{
    BatchScore, GradientMemory, GradientPlan, Network, Noise, Objective, Penalty, Real, SoftRows,
    Tape, TargetRows,
};
use thimble_numeric::threads::for_each_parallel;

use super::aware::Aware;
use super::optimizer::Optimizer;
use super::settings::Clip;
use super::shares::{Gradients, Share, sum_of_squares, update, within};

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

/// Tape, targets and score of one thread's micro-batch.
#[derive(Debug)]
pub(super) struct Worker<T> {
    pub(super) tape: Tape<T>,
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
        let share = |span| {
            let memory = GradientMemory::default();
            Share { span, memory, gradients: Vec::new(), steps: Vec::new() }
        };
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

    /// Rounds the weights of an averaged network with the same layers, for evaluation. `steps` are the
    /// averages of learned steps.
    pub(super) fn round_average(&mut self, network: &Network<T>, steps: &[T]) {
        if let Some(aware) = &mut self.aware {
            aware.quantize_average(network, steps);
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
    /// [`Threads::install_awake`](thimble_numeric::threads::Threads::install_awake). It does not allocate.
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
        let mut decay = T::one();
        if let Some(keep) = self.optimizer.settings().decay_of_weights(learning_rate) {
            decay = T::from_f64(keep);
            self.network.scale_weights(decay);
        }
        let steps = self.aware.as_ref().and_then(Aware::steps).map(|steps| (steps, decay));
        let gradients = Gradients { workers, plan: &self.plan, penalties: &self.penalties, steps };
        let (rule, piece) = self.optimizer.begin_step(self.network.parameters_mut(), learning_rate);
        if let Some(Clip::Norm(most)) = self.clip {
            let parameters = &*piece.parameters;
            for_each_parallel(&mut self.shares, 0, &|_, share: &mut Share<T>| {
                let Share { span, memory, gradients: all, steps } = share;
                steps.clear();
                gradients.visit(span.clone(), memory, parameters, steps, |first, some| {
                    all[first - span.start..][..some.len()].copy_from_slice(some);
                });
            });
            let all = self.shares.iter().map(|share| &*share.gradients);
            let of_steps = self.shares.iter().map(|share| &*share.steps);
            let norm = sum_of_squares(all.chain(of_steps)).sqrt();
            let factor = T::from_f64((most / norm).min(1.0));
            update(&mut self.shares, piece, &|share, piece| {
                share.gradients.iter_mut().for_each(|g| *g *= factor);
                share.steps.iter_mut().for_each(|g| *g *= factor);
                rule.apply(piece, 0, &share.gradients);
            });
        } else {
            let most = match self.clip {
                Some(Clip::Value(most)) => Some(T::from_f64(most)),
                _ => None,
            };
            update(&mut self.shares, piece, &|share, piece| {
                let Share { span, memory, steps, .. } = share;
                steps.clear();
                gradients.step(span.clone(), memory, piece, steps, (rule, most));
                if let Some(most) = most {
                    steps.iter_mut().for_each(|g| *g = within(*g, most));
                }
            });
        }
        if let Some(steps) = self.aware.as_mut().and_then(Aware::steps_mut) {
            steps.step(self.shares.iter().map(|share| &*share.steps), learning_rate);
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

#[cfg(test)]
mod tests {
    use std::num::NonZero;
    use std::sync::Arc;

    use model_format::{DataType, WeightType};
    use ndarray::Array2;
    use thimble_data::{Dataset, Features, Labels, Values};
    use thimble_network::{Activation, Clipping, DenseSpec, Head, LayerSpec, Loss, Points};
    use thimble_numeric::threads::Threads;

    use super::super::OptimizerSettings;
    use super::*;
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
        trained_with(threads, clip, false)
    }

    /// The network after a few batches, with learned steps of ternary weights or without rounding.
    fn trained_with(
        threads: usize,
        clip: Option<Clip>,
        learns_steps: bool,
    ) -> (usize, Network<f32>, BatchScore) {
        let (rows, width, batch_size) = (151, 20, 75);
        let subset = subset(rows, width);
        let settings = OptimizerSettings::Sgd(SgdSettings {
            learning_rate: 0.1,
            momentum: 0.9,
            nesterov: false,
        });
        let network = network(width);
        let optimizer = Optimizer::new(settings, network.parameters().len());
        let aware = learns_steps.then(|| learned(&network, WeightType::Ternary, settings));
        let trainer = Trainer::new(network, optimizer, OBJECTIVE, batch_size, threads, 1);
        let mut trainer = trainer.clipped(clip);
        aware.into_iter().for_each(|aware| trainer.set_aware(aware));
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
        let clips = [None, Some(Clip::Norm(1e-3)), Some(Clip::Value(1e-4))];
        for (clip, learns_steps) in clips.into_iter().flat_map(|clip| [(clip, false), (clip, true)])
        {
            let (workers, single, score) = trained_with(1, clip, learns_steps);
            assert_eq!((workers, score.rows), (1, 151));
            for threads in [2, 3, 4] {
                let (workers, network, parallel_score) = trained_with(threads, clip, learns_steps);
                assert_eq!(workers, threads);
                assert_eq!(parallel_score.correct, score.correct);
                assert!(network == single, "{threads} threads, {clip:?}, {learns_steps}");
            }
        }
    }

    fn learned<T: Real>(
        network: &Network<T>,
        weight_type: WeightType,
        optimizer: OptimizerSettings,
    ) -> Aware<T> {
        let points = Points::new(network, DataType::Int8, false).unwrap();
        let types = vec![weight_type; network.dense_layers().count()];
        Aware::new(network, points, &types, Clipping::Learned, None, DataType::Int8, optimizer)
    }

    #[test]
    fn steps_are_learned_by_hand() {
        let values = Array2::from_shape_vec((1, 2), vec![1.0, 2.0]).unwrap();
        let names = vec!["y".into()];
        let labels = Values { values: Array2::zeros((1, 1)), names, units: vec![String::new()] };
        let subset = Subset::all(Arc::new(
            Dataset::new("d", vec![2], Features::Reals(values), labels).unwrap(),
        ));
        let objective = Objective { loss: Loss::MeanSquaredError, ..OBJECTIVE };
        // Mean magnitude 1, so that the scale is 2, with codes 0 and −1. The output is −4, its slope
        // −8, the weights' slopes −8 and −16, the scale's −8 · (0 − 0.25) − 16 · (−1 + 0.75) = 6.
        let slopes: [f64; 3] = [-8.0, -16.0, -8.0];
        // √g with g = 1 / √2, of the parameter of the scale.
        let unit = 2_f64.powf(-0.25);
        let norm = (slopes.iter().map(|g| g * g).sum::<f64>() + (6.0 * unit).powi(2)).sqrt();
        let clips = [
            (None, slopes, 6.0 * unit),
            (Some(Clip::Value(5.0)), [-5.0; 3], 5.0),
            (Some(Clip::Norm(1.0)), slopes.map(|g| g / norm), 6.0 * unit / norm),
        ];
        for (clip, slopes, slope) in clips {
            let layers = [LayerSpec::Dense(DenseSpec::new(1, Activation::Linear))];
            let mut network = Network::<f64>::new(2, &layers, 1).unwrap();
            network.parameters_mut().copy_from_slice(&[0.5, -1.5, 0.0]);
            let settings = OptimizerSettings::Sgd(SgdSettings {
                learning_rate: 0.01,
                momentum: 0.0,
                nesterov: false,
            });
            let aware = learned(&network, WeightType::Ternary, settings);
            let optimizer = Optimizer::new(settings, 3);
            let mut trainer = Trainer::new(network, optimizer, objective, 1, 1, 1).clipped(clip);
            trainer.set_aware(aware);
            let shifts = &[Shift::NONE];
            let batch =
                Batch { subset: &subset, positions: &[0], shifts, inputs: None, soft: None };
            let loss = trainer.step(batch, 0.01).loss_sum;
            assert!((loss - 16.0).abs() < 1e-14, "{loss}");
            let before = [0.5, -1.5, 0.0];
            let expected = before.iter().zip(slopes).map(|(w, g)| w - 0.01 * g);
            for (found, expected) in trainer.network().parameters().iter().zip(expected) {
                assert!((found - expected).abs() < 1e-14, "{clip:?}: {found} {expected}");
            }
            let scale = 2.0 - 0.01 * slope * unit;
            trainer.round_weights();
            let rounded = trainer.into_network();
            let fake = rounded.fake_quantization().unwrap();
            // As precise as it is stored.
            assert_eq!(fake.weights()[0].scales, [f64::from(scale as f32)], "{clip:?}");
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
            let thimble_network::Layer::Dense(dense) = a.layer else { continue };
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
