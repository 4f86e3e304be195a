//! Inputs and soft targets of mini-batches, prepared while the network trains on the one before.

use std::ops::Range;
use std::sync::Mutex;

use rayon::prelude::*;
use thimble_data::{DeformMemory, Deformation, Deformer, Shift, Subset, image_shape};

use super::distillation::{Distillation, Ensemble, EnsembleMemory, Teacher};
use super::mixup::Mixup;
use super::trainer::Soft;

/// Rows that one task prepares.
const ROWS_PER_TASK: usize = 32;

/// Prepares mini-batches: deforms, averages and mixes images, and asks teachers.
///
/// A row depends only on the seed, the epoch, its position in the split and, for mixup, the row after
/// it, so that neither threads nor a resumed training change it.
#[derive(Debug)]
pub(super) struct Feed<'a> {
    filler: Filler<'a>,
    /// The mini-batch in training, and the next one.
    buffers: [Prepared; 2],
    /// Number of the batch in each buffer.
    batches: [Option<usize>; 2],
}

/// Changes of the rows before a step.
#[derive(Debug)]
pub(super) struct Recipe {
    /// Deformation of images.
    pub deformation: Option<Deformation>,
    /// `true` if images are shifted.
    pub shifts: bool,
    /// Mixup.
    pub mixup: Option<Mixup>,
    /// Distillation.
    pub distillation: Option<Distillation>,
}

impl Recipe {
    /// Returns `true` if targets are distributions over the classes.
    fn is_soft(&self) -> bool {
        self.mixup.is_some() || self.distillation.is_some()
    }
}

/// Rows of the epoch in their order.
#[derive(Clone, Copy)]
pub(super) struct Order<'a> {
    /// Positions in the split.
    pub positions: &'a [u32],
    /// Shift of each.
    pub shifts: &'a [Shift],
    /// Rows per batch.
    pub batch_size: usize,
}

impl Order<'_> {
    /// Returns the range of a batch, empty behind the last one.
    pub fn range(self, batch: usize) -> Range<usize> {
        let rows = self.positions.len();
        let first = (batch * self.batch_size).min(rows);
        first..(first + self.batch_size).min(rows)
    }
}

/// A prepared mini-batch.
#[derive(Debug, Default)]
struct Prepared {
    /// Rows before mixing, averaging and scaling, if there are soft targets.
    whole: Vec<f32>,
    inputs: Vec<f32>,
    targets: Vec<f32>,
    teacher: Vec<f32>,
}

/// Memory of one thread.
#[derive(Debug, Default)]
struct Memory {
    deform: DeformMemory,
    whole: Vec<f32>,
    line: Vec<f32>,
    ensemble: Option<EnsembleMemory>,
}

impl<'a> Feed<'a> {
    /// Returns the feed of a split, or `None` if its rows are used as they are.
    pub fn new(
        subset: &'a Subset,
        recipe: Recipe,
        teachers: &[Teacher],
        seed: u64,
        threads: usize,
    ) -> Option<Self> {
        let is_averaged = subset.dataset().original().is_some();
        let is_used =
            recipe.deformation.is_some() || recipe.is_soft() || (is_averaged && recipe.shifts);
        if !is_used {
            return None;
        }
        let shape = subset.dataset().original().map(|original| original.shape.as_slice());
        let shape = image_shape(shape.unwrap_or(subset.dataset().shape()));
        let channels = shape.map_or(1, |[_, _, channels]| channels);
        let ensemble = recipe.distillation.as_ref();
        let ensemble =
            ensemble.map(|settings| Ensemble::new(teachers, channels, settings.temperature));
        let classes = subset.dataset().class_names().len();
        let memories = (0..threads).map(|_| Mutex::default()).collect();
        let filler = Filler {
            subset,
            recipe,
            shape,
            classes,
            ensemble,
            seed,
            epoch: 0,
            deformer: None,
            memories,
        };
        Some(Feed { filler, buffers: Default::default(), batches: [None; 2] })
    }

    /// Begins an epoch.
    pub fn begin(&mut self, epoch: usize) {
        let filler = &mut self.filler;
        filler.epoch = epoch;
        filler.deformer = filler
            .recipe
            .deformation
            .zip(filler.shape)
            .map(|(deformation, shape)| Deformer::new(deformation, shape, filler.seed, epoch));
        self.batches = [None; 2];
    }

    /// Calls `work` with the inputs and soft targets of a batch, and prepares the next batch at the
    /// same time.
    pub fn with<R: Send>(
        &mut self,
        batch: usize,
        order: Order<'_>,
        work: impl FnOnce(&[f32], Option<Soft<'_>>) -> R + Send,
    ) -> R {
        let Feed { filler, buffers: [even, odd], batches } = self;
        let (current, next) = if batch.is_multiple_of(2) { (even, odd) } else { (odd, even) };
        if batches[batch % 2] != Some(batch) {
            filler.fill(order.range(batch), order, current);
        }
        let settings = filler.recipe.distillation.as_ref();
        let soft = filler.recipe.is_soft().then(|| Soft {
            targets: &current.targets,
            teacher: &current.teacher,
            temperature: settings.map_or(1.0, |settings| settings.temperature),
            weight: settings.map_or(0.0, |settings| settings.weight),
        });
        let (result, ()) = rayon::join(
            || work(&current.inputs, soft),
            || filler.fill(order.range(batch + 1), order, next),
        );
        *batches = match batch.is_multiple_of(2) {
            true => [Some(batch), Some(batch + 1)],
            false => [Some(batch + 1), Some(batch)],
        };
        result
    }
}

/// Prepares rows, on any threads.
#[derive(Debug)]
struct Filler<'a> {
    subset: &'a Subset,
    recipe: Recipe,
    /// Shape of the images before averaging.
    shape: Option<[usize; 3]>,
    classes: usize,
    ensemble: Option<Ensemble>,
    seed: u64,
    epoch: usize,
    deformer: Option<Deformer>,
    memories: Vec<Mutex<Memory>>,
}

impl Filler<'_> {
    fn fill(&self, range: Range<usize>, order: Order<'_>, prepared: &mut Prepared) {
        let rows = range.len();
        prepared.inputs.resize(rows * self.subset.dataset().width(), 0.0);
        let (positions, shifts) = (&order.positions[range.clone()], &order.shifts[range]);
        match self.recipe.is_soft() {
            true => self.fill_soft(positions, shifts, prepared),
            false => self.fill_inputs(positions, shifts, &mut prepared.inputs),
        }
    }

    /// Prepares inputs only.
    fn fill_inputs(&self, positions: &[u32], shifts: &[Shift], inputs: &mut [f32]) {
        let (width, whole_width) = (self.subset.dataset().width(), self.subset.whole_width());
        inputs.par_chunks_mut(ROWS_PER_TASK * width).enumerate().for_each(|(task, out)| {
            self.with_memory(|memory| {
                let Memory { deform, whole, line, .. } = memory;
                whole.resize(whole_width, 0.0);
                let first = task * ROWS_PER_TASK;
                let rows = positions[first..].iter().zip(&shifts[first..]);
                for ((&position, &shift), out) in rows.zip(out.chunks_exact_mut(width)) {
                    let (position, deformer) = (position as usize, self.deformer.as_ref());
                    self.subset.gather_whole(position, shift, deformer, deform, whole);
                    self.subset.finish(whole, line, out);
                }
            });
        });
    }

    /// Prepares inputs, distributions over the classes, and probabilities of the teachers: first all
    /// rows as they are, which mixup needs in pairs.
    fn fill_soft(&self, positions: &[u32], shifts: &[Shift], prepared: &mut Prepared) {
        let rows = positions.len();
        let (width, whole_width) = (self.subset.dataset().width(), self.subset.whole_width());
        let Prepared { whole, inputs, targets, teacher } = prepared;
        whole.resize(rows * whole_width, 0.0);
        targets.resize(rows * self.classes, 0.0);
        // Without teachers there is a task for each chunk all the same.
        let teacher_width = if self.ensemble.is_some() { self.classes } else { 1 };
        teacher.resize(rows * teacher_width, 0.0);
        whole.par_chunks_mut(ROWS_PER_TASK * whole_width).enumerate().for_each(|(task, out)| {
            self.with_memory(|memory| {
                let first = task * ROWS_PER_TASK;
                let rows = positions[first..].iter().zip(&shifts[first..]);
                for ((&position, &shift), out) in rows.zip(out.chunks_exact_mut(whole_width)) {
                    let (position, deformer) = (position as usize, self.deformer.as_ref());
                    self.subset.gather_whole(position, shift, deformer, &mut memory.deform, out);
                }
            });
        });
        let whole = &*whole;
        let chunks = inputs
            .par_chunks_mut(ROWS_PER_TASK * width)
            .zip(targets.par_chunks_mut(ROWS_PER_TASK * self.classes))
            .zip(teacher.par_chunks_mut(ROWS_PER_TASK * teacher_width));
        chunks.enumerate().for_each(|(task, ((inputs, targets), teacher))| {
            self.with_memory(|memory| {
                let Memory { whole: mixed, line, ensemble: kept, .. } = memory;
                let mut answering = self.ensemble.as_ref().map(|ensemble| {
                    (ensemble, kept.get_or_insert_with(|| ensemble.memory(ROWS_PER_TASK)))
                });
                targets.fill(0.0);
                let out =
                    inputs.chunks_exact_mut(width).zip(targets.chunks_exact_mut(self.classes));
                for (row, (input, target)) in out.enumerate() {
                    let index = task * ROWS_PER_TASK + row;
                    self.mix(positions, index, whole, mixed, target);
                    self.subset.finish(mixed, line, input);
                    if let Some((ensemble, memory)) = &mut answering {
                        ensemble.take(row, mixed, memory);
                    }
                }
                if let Some((ensemble, memory)) = answering {
                    ensemble.answer(teacher.len() / self.classes, self.classes, memory, teacher);
                }
            });
        });
    }

    /// Writes row `index` of a batch, mixed with the one after it, and the distribution over the
    /// classes.
    fn mix(
        &self,
        positions: &[u32],
        index: usize,
        whole: &[f32],
        mixed: &mut Vec<f32>,
        target: &mut [f32],
    ) {
        let width = self.subset.whole_width();
        let image = |index: usize| &whole[index * width..][..width];
        mixed.clear();
        mixed.extend_from_slice(image(index));
        let other = (index + 1) % positions.len();
        let share = self
            .recipe
            .mixup
            .map_or(0.0, |mixup| mixup.other_share(self.seed, self.epoch, positions[index]));
        if share > 0.0 {
            let pixels = mixed.iter_mut().zip(image(other));
            pixels.for_each(|(pixel, other)| *pixel += share * (other - *pixel));
        }
        for (index, share) in [(index, 1.0 - share), (other, share)] {
            let class = self.subset.class(positions[index] as usize).map(usize::from);
            if let Some(target) = class.and_then(|class| target.get_mut(class)) {
                *target += share;
            }
        }
    }

    /// Calls `work` with the memory of this thread.
    fn with_memory(&self, work: impl FnOnce(&mut Memory)) {
        let place = rayon::current_thread_index().unwrap_or(0) % self.memories.len().max(1);
        match self.memories.get(place).map(Mutex::try_lock) {
            Some(Ok(mut memory)) => work(&mut memory),
            _ => work(&mut Memory::default()),
        }
    }
}
