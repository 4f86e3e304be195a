//! A training in progress: the batches of an epoch, and its state in a checkpoint.

use std::borrow::Cow;
use std::time::Instant;

use thimble_data::{Shift, Splits};
use thimble_network::{Network, Objective};
use thimble_numeric::threads::Threads;

use super::average::Average;
use super::aware::Aware;
use super::checkpoint::{Checkpoint, CheckpointError, Place};
use super::feed::{Feed, Order};
use super::observe::{Observer, Progress, StopFlag};
use super::pruning::Mask;
use super::schedule::warm_up;
use super::start::Start;
use super::steps::Steps;
use super::trainer::Batch;
use super::training::TrainError;
use super::{BatchRecord, EpochRecord, Settings, Trainer};
use crate::evaluate::score_float;

/// A training in progress.
pub(super) struct Run<'a> {
    pub(super) splits: &'a Splits,
    pub(super) settings: &'a Settings,
    pub(super) trainer: Trainer<f32>,
    /// Positions in the training set, in the order of this epoch.
    pub(super) positions: Vec<u32>,
    /// Image shift of each position in this epoch.
    pub(super) shifts: Vec<Shift>,
    /// Parameters and state of the best epoch.
    pub(super) best: Option<(Vec<f32>, Vec<f32>)>,
    pub(super) place: Place,
    /// Prepares the inputs, if rows are not used as they are.
    pub(super) feed: Option<Feed<'a>>,
    /// Moving average of the weights.
    pub(super) average: Option<Average>,
    /// Pruned blocks.
    pub(super) mask: Option<Mask>,
    /// Start of quantization-aware training.
    pub(super) aware: Option<Start>,
}

impl Run<'_> {
    /// Returns `true` if early stopping ends the training here, or had ended it before the
    /// checkpoint.
    pub(super) fn has_lost_patience(&self) -> bool {
        let stopping = self.settings.early_stopping.as_ref();
        stopping.is_some_and(|stopping| stopping.is_over(&self.place.stopping))
    }

    /// Returns the network that is evaluated and kept: the moving average, if there is one, rounded
    /// in quantization-aware training.
    pub(super) fn network(&self) -> &Network<f32> {
        match (&self.average, self.trainer.aware()) {
            (Some(average), None) => average.network(),
            _ => self.trainer.evaluated(),
        }
    }

    /// Returns `true` while more blocks will be pruned. No epoch before is the best.
    pub(super) fn is_pruning(&self) -> bool {
        let steps = self.settings.epochs * self.batches();
        let last = self.settings.pruning.map(|pruning| pruning.last_step(steps));
        last.is_some_and(|last| self.place.steps < last)
    }

    pub(super) fn batches(&self) -> usize {
        self.positions.len().div_ceil(self.settings.batch_size)
    }

    /// Runs the remaining batches of the epoch. `start` is the epoch's start time. If stopped, it
    /// runs at least one batch, because at batch 0 the rows would be shuffled again.
    pub(super) fn epoch(
        &mut self,
        start: Instant,
        stop: &StopFlag,
        observer: &mut dyn Observer<f32>,
    ) -> Result<EpochRecord, TrainError> {
        let Settings { epochs, batch_size, schedule, optimizer, .. } = self.settings;
        let batches = self.batches();
        let warm_up_steps = (self.settings.warm_up_epochs * batches as f64).round() as usize;
        let (epoch, mut learning_rate) = (self.place.epoch, 0.0);
        let (positions, shifts, batch_size) = (&*self.positions, &*self.shifts, *batch_size);
        let order = Order { positions, shifts, batch_size };
        if let Some(feed) = &mut self.feed {
            feed.begin(epoch);
        }
        while self.place.batch < batches {
            let range = order.range(self.place.batch);
            let steps = self.place.steps;
            learning_rate = optimizer.learning_rate()
                * schedule.factor(steps, epochs * batches, batches)
                * warm_up(steps, warm_up_steps)
                * self.place.plateau_share;
            let rows = Batch {
                subset: &self.splits.train,
                positions: &positions[range.clone()],
                shifts: &shifts[range],
                inputs: None,
                soft: None,
            };
            let trainer = &mut self.trainer;
            let batch_score = match &mut self.feed {
                Some(feed) => feed.with(self.place.batch, order, |inputs, soft| {
                    trainer.step(Batch { inputs: Some(inputs), soft, ..rows }, learning_rate)
                }),
                None => trainer.step(rows, learning_rate),
            };
            self.place.steps += 1;
            self.place.batch += 1;
            if let Some(mask) = &mut self.mask {
                let parameters = self.trainer.parts_mut().0.parameters_mut();
                mask.tighten(parameters, self.place.steps, epochs * batches);
                mask.apply(parameters);
            }
            if let Some(average) = &mut self.average {
                let steps = self.trainer.aware().and_then(Aware::steps);
                let steps = steps.map_or(&[][..], Steps::parameters);
                average.follow(self.trainer.network(), steps, self.place.steps);
                if let Some(mask) = &self.mask {
                    mask.apply(average.network_mut().parameters_mut());
                }
            }
            let batch = self.place.batch;
            if !batch_score.loss_sum.is_finite() {
                return Err(TrainError::Diverged { epoch, batch, loss: batch_score.loss() });
            }
            self.place.score.add(batch_score);
            if self.settings.log_every.is_some_and(|every| batch.is_multiple_of(every)) {
                let record = BatchRecord { epoch, batch, loss: batch_score.loss() };
                self.place.history.batches.push(record);
                observer.batch_logged(&record);
            }
            let score = self.place.score;
            observer.batch_done(&Progress { epoch, epochs: *epochs, batch, batches, score });
            if stop.is_stopped() {
                break;
            }
        }
        let seconds = start.elapsed().as_secs_f64();
        let train = self.place.score;
        Ok(EpochRecord { epoch, learning_rate, train, validation: None, seconds })
    }

    /// Begins to round weights and activations, in the first epoch that does.
    pub(super) fn begin_rounding(&mut self) {
        if let Some(start) = &self.aware
            && self.place.epoch > start.float_epochs
            && self.trainer.aware().is_none()
        {
            let aware = start.aware(self.trainer.network());
            if let (Some(average), Some(steps)) = (&mut self.average, aware.steps()) {
                average.begin_steps(steps.parameters());
            }
            self.trainer.set_aware(aware);
        }
    }

    /// Returns the running statistics of a network, the ends of the ranges of activations, and these
    /// learned steps of weights; zeros before rounding.
    pub(super) fn state(&self, network: &Network<f32>, steps: &[f32]) -> Vec<f32> {
        let mut state = network.state().to_vec();
        match (self.trainer.aware(), &self.aware) {
            (Some(aware), _) => {
                state.extend(aware.ends());
                state.extend(steps);
            }
            (None, Some(start)) => state.resize(state.len() + start.numbers(), 0.0),
            (None, None) => {}
        }
        state
    }

    /// Returns the learned steps of weights in training. Empty without.
    pub(super) fn steps(&self) -> &[f32] {
        self.trainer.aware().and_then(Aware::steps).map_or(&[], Steps::parameters)
    }

    pub(super) fn validate(
        &mut self,
        record: &mut EpochRecord,
        objective: Objective,
        threads: &Threads,
    ) {
        match &self.average {
            Some(average) => self.trainer.round_average(average.network(), average.steps()),
            None => self.trainer.round_weights(),
        }
        record.validation = self
            .splits
            .validation
            .as_ref()
            .map(|validation| score_float(self.network(), validation, objective, threads));
    }

    pub(super) fn keep_best(&mut self) {
        let (network, steps) = match &self.average {
            Some(average) => (average.network(), average.steps()),
            None => (self.trainer.network(), self.steps()),
        };
        let (parameters, state) = (network.parameters(), self.state(network, steps));
        match &mut self.best {
            Some(best) => {
                best.0.copy_from_slice(parameters);
                best.1 = state;
            }
            None => self.best = Some((parameters.to_vec(), state)),
        }
    }

    /// Returns the checkpoint of the current state.
    pub(super) fn checkpoint(&self) -> Checkpoint<'_> {
        let (first, second, _) = self.trainer.optimizer().memory();
        let best = self.best.as_ref();
        Checkpoint {
            parameters: Cow::Borrowed(self.trainer.network().parameters()),
            state: Cow::Owned(self.state(self.trainer.network(), self.steps())),
            first: Cow::Borrowed(first),
            second: Cow::Borrowed(second),
            best: best.map(|(p, s)| (Cow::Borrowed(p.as_slice()), Cow::Borrowed(s.as_slice()))),
            average: self.average.as_ref().map(|average| {
                let network = average.network();
                let state = [network.state(), average.steps()].concat();
                (Cow::Borrowed(network.parameters()), Cow::Owned(state))
            }),
            steps: self.trainer.aware().and_then(Aware::steps).map(|steps| {
                let (first, second, _) = steps.optimizer().memory();
                (Cow::Borrowed(first), Cow::Borrowed(second))
            }),
            mask: self.mask.as_ref().map(|mask| Cow::Borrowed(mask.kept())),
            positions: Cow::Borrowed(&self.positions),
            place: self.place.clone(),
        }
    }

    /// Restores the state of a checkpoint.
    pub(super) fn take_up(&mut self, checkpoint: Checkpoint<'_>) -> Result<(), CheckpointError> {
        let other = |problem: &str| CheckpointError::Other(problem.to_string());
        let place = checkpoint.place;
        let workers = self.trainer.workers();
        if place.workers != workers {
            let was = place.workers;
            return Err(CheckpointError::Other(format!(
                "its batches were shared by {was} threads, now it would be {workers}: use \
                 --threads {was}"
            )));
        }
        let taken = i32::try_from(place.steps).unwrap_or(i32::MAX);
        let (batches, steps) = (self.batches(), self.aware.as_ref().map_or(0, Start::rows));
        let states = self.state(self.trainer.network(), &[]).len();
        let (network, optimizer) = self.trainer.parts_mut();
        let fits = |parameters: &[f32], state: &[f32]| {
            parameters.len() == network.parameters().len() && state.len() == states
        };
        let (parameters, state) = (&checkpoint.parameters, &checkpoint.state);
        if !fits(parameters, state) || checkpoint.best.iter().any(|(p, s)| !fits(p, s)) {
            return Err(other("its network has another number of parameters"));
        }
        let (state, numbers) = state.split_at(network.state().len());
        if numbers.iter().any(|number| !number.is_finite()) {
            let problem = "ranges of its activations, or steps of its weights, are NaN or infinite";
            return Err(CheckpointError::Beyond(problem.to_string()));
        }
        network.parameters_mut().copy_from_slice(parameters);
        network.state_mut().copy_from_slice(state);
        if !optimizer.load_state(&checkpoint.first, &checkpoint.second, taken) {
            return Err(other("it was trained by another optimizer"));
        }
        let mut sorted = checkpoint.positions.to_vec();
        sorted.sort_unstable();
        if !sorted.into_iter().eq(0..self.positions.len() as u32) {
            return Err(other("it was trained with another number of rows"));
        }
        let network = self.trainer.network();
        network.check_finite().map_err(|error| CheckpointError::Beyond(error.to_string()))?;
        let others = checkpoint.best.iter().chain(&checkpoint.average).chain(&checkpoint.steps);
        let others = others.flat_map(|(parameters, state)| [parameters, state]);
        for numbers in others.chain([&checkpoint.first, &checkpoint.second]) {
            if numbers.iter().any(|number| !number.is_finite()) {
                let problem =
                    "numbers of its optimizer, its average or its best epoch are NaN or infinite";
                return Err(CheckpointError::Beyond(problem.to_string()));
            }
        }
        check_place(&place, self.settings, self.positions.len())
            .map_err(CheckpointError::Beyond)?;
        match (&mut self.average, &checkpoint.average) {
            (None, None) => {}
            (Some(own), Some((parameters, state))) => {
                let network = own.network_mut();
                let rows = checkpoint.steps.as_ref().map_or(0, |_| steps);
                let lengths = (network.parameters().len(), network.state().len() + rows);
                if (parameters.len(), state.len()) != lengths {
                    return Err(other("its network has another number of parameters"));
                }
                network.parameters_mut().copy_from_slice(parameters);
                let (state, steps) = state.split_at(network.state().len());
                network.state_mut().copy_from_slice(state);
                own.begin_steps(steps);
            }
            _ => return Err(other("one of them has no moving average of the weights")),
        }
        match (&mut self.mask, &checkpoint.mask) {
            (None, None) => {}
            (Some(own), Some(mask)) => {
                if !own.load(mask) {
                    return Err(other("it pruned other weights"));
                }
            }
            _ => return Err(other("one of them prunes no weights")),
        }
        // The epoch before has rounded, and its ranges and steps go on.
        let begun = self
            .aware
            .as_ref()
            .filter(|start| (place.epoch, place.batch) > (start.float_epochs + 1, 0));
        let learned = begun.filter(|start| start.rows() > 0);
        if learned.is_some() != checkpoint.steps.is_some() {
            return Err(other("one of them does not learn the steps of weights"));
        }
        if let Some(start) = begun {
            let mut aware = start.aware(self.trainer.network());
            aware.set_numbers(numbers);
            if let (Some(steps), Some((first, second))) = (aware.steps_mut(), &checkpoint.steps) {
                if steps.parameters().iter().any(|&parameter| parameter <= 0.0) {
                    let problem = "steps of its weights are not above 0";
                    return Err(CheckpointError::Beyond(problem.to_string()));
                }
                let done = place.steps - start.float_epochs * batches;
                let done = i32::try_from(done).unwrap_or(i32::MAX);
                if !steps.optimizer_mut().load_state(first, second, done) {
                    return Err(other("it was trained by another optimizer"));
                }
            }
            self.trainer.set_aware(aware);
        }
        self.best = checkpoint.best.map(|(p, s)| (p.to_vec(), s.to_vec()));
        self.positions = checkpoint.positions.into_owned();
        self.place = place;
        Ok(())
    }
}

/// Checks that a training with these settings can have reached these counters.
fn check_place(place: &Place, settings: &Settings, rows: usize) -> Result<(), String> {
    /// Period of ChaCha in words, see `rand_chacha::ChaCha8Rng::set_word_pos`.
    const WORDS: u128 = 1 << 68;
    let batches = rows.div_ceil(settings.batch_size);
    let done = place.epoch.checked_sub(1).filter(|&done| done <= settings.epochs);
    let Some(done) = done.filter(|_| place.batch < batches) else {
        let (epoch, batch) = (place.epoch, place.batch);
        return Err(format!(
            "it stands at epoch {epoch}, batch {batch}, of {} epochs of {batches} batches",
            settings.epochs
        ));
    };
    // No overflow: a preset limits both.
    let steps = done * batches + place.batch;
    if place.steps != steps {
        return Err(format!("it has {} steps where there were {steps}", place.steps));
    }
    let scores =
        place.history.epochs.iter().flat_map(|epoch| [Some(epoch.train), epoch.validation]);
    let scores = scores.flatten().chain([place.score]);
    let numbers =
        place.history.epochs.iter().flat_map(|epoch| [epoch.learning_rate, epoch.seconds]);
    let sound = place.history.epochs.len() == done
        && scores.into_iter().all(|score| {
            score.correct <= score.rows && !score.loss_sum.is_nan() && score.penalty_sum >= 0.0
        })
        && numbers.chain([place.plateau_share]).all(|number| number.is_finite() && number >= 0.0)
        && place.plateau_share <= 1.0
        && place.history.batches.iter().all(|record| record.loss.is_finite())
        && [place.stopping, place.plateau].iter().all(|b| b.waited <= done && !b.cost.is_nan())
        && place.score.rows <= rows
        && place.shuffle_words < WORDS
        && place.shift_words < WORDS;
    match sound {
        true => Ok(()),
        false => Err("its counters are beyond those of its epoch".to_string()),
    }
}
