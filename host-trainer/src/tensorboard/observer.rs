//! Observer that writes the event file of a training.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};

use super::event::{Event, Histogram, Value, version};
use super::record;
use crate::evaluate::Confusion;
use crate::network::{BatchScore, Network};
use crate::train::{BatchRecord, Checkpoint, EpochRecord, Flow, Observer, Progress};

/// Name of the folder of event files in a run's folder.
pub const FOLDER: &str = "tensorboard";

/// Side of a cell of the confusion matrix in pixels.
const CELL: usize = 16;

/// Event file.
#[derive(Debug)]
pub struct Writer(BufWriter<File>);

/// Observer that writes events and passes everything on.
#[derive(Debug)]
pub struct Logged<P> {
    inner: P,
    writer: Option<Writer>,
    epoch: u64,
    /// First error of writing, which does not end the training.
    error: Option<io::Error>,
}

impl Writer {
    /// Creates a file in the run's folder, beside those of the part that a resumed training continues,
    /// or in place of those of an earlier training.
    ///
    /// # Errors
    /// That of the file or the folder.
    pub fn create(run: &Path, resumed: bool) -> io::Result<Self> {
        let folder = run.join(FOLDER);
        if !resumed {
            Self::remove(run)?;
        }
        fs::create_dir_all(&folder)?;
        // TensorBoard reads the files of a folder in the order of their names.
        let name = format!("events.out.tfevents.{:.6}.thimble", now());
        let mut file = BufWriter::new(File::create(folder.join(name))?);
        record::write(&mut file, &version(now()))?;
        file.flush()?;
        Ok(Writer(file))
    }

    /// Removes the files of an earlier training, if there are any.
    ///
    /// # Errors
    /// That of the folder.
    pub fn remove(run: &Path) -> io::Result<()> {
        match fs::remove_dir_all(run.join(FOLDER)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Writes values of a step.
    ///
    /// # Errors
    /// That of the file.
    pub fn write(&mut self, step: u64, values: Vec<(String, Value)>) -> io::Result<()> {
        record::write(&mut self.0, &Event { time: now(), step, values }.to_bytes())?;
        // TensorBoard shows a running training.
        self.0.flush()
    }
}

impl<P> Logged<P> {
    /// Creates an observer; without a writer it only passes on.
    pub fn new(inner: P, writer: Option<Writer>) -> Self {
        Logged { inner, writer, epoch: 0, error: None }
    }

    /// Returns the inner observer.
    pub fn inner(&self) -> &P {
        &self.inner
    }

    /// Writes images of confusion matrices, and returns the first error of all writing.
    ///
    /// # Errors
    /// That of the file.
    pub fn finish(&mut self, matrices: &[(&str, &Confusion)]) -> io::Result<()> {
        let image = |(name, confusion): &(&str, &Confusion)| {
            let tag = format!("confusion/{name}");
            Some((tag, confusion_image(confusion)?))
        };
        let images: Vec<_> = matrices.iter().filter_map(image).collect();
        if !images.is_empty() {
            self.write(images);
        }
        self.error.take().map_or(Ok(()), Err)
    }

    fn write(&mut self, values: Vec<(String, Value)>) {
        let Some(writer) = &mut self.writer else { return };
        if let Err(error) = writer.write(self.epoch, values) {
            self.error.get_or_insert(error);
        }
    }
}

impl<P: Observer<f32>> Observer<f32> for Logged<P> {
    fn batch_done(&mut self, progress: &Progress) {
        self.inner.batch_done(progress);
    }

    fn batch_logged(&mut self, record: &BatchRecord) {
        self.inner.batch_logged(record);
    }

    fn epoch_done(&mut self, record: &EpochRecord, network: &Network<f32>) -> Flow {
        self.epoch = record.epoch as u64;
        if self.writer.is_some() {
            let mut values = scalars("train", &record.train);
            values.extend(record.validation.iter().flat_map(|score| scalars("validation", score)));
            let rate = Value::Scalar(record.learning_rate as f32);
            values.push(("learning_rate".to_string(), rate));
            for (index, (dense, parameters)) in network.dense_layers().enumerate() {
                let (weights, biases) = dense.view(parameters);
                let weights = Histogram::new(weights.iter().map(|&weight| f64::from(weight)));
                let biases = Histogram::new(biases.iter().map(|&bias| f64::from(bias)));
                for (name, histogram) in [("weight", weights), ("bias", biases)] {
                    let value = histogram.map(Value::Histogram);
                    values.extend(value.map(|value| (format!("layers.{index}.{name}"), value)));
                }
            }
            self.write(values);
        }
        self.inner.epoch_done(record, network)
    }

    fn resumable<'a>(&mut self, make: &dyn Fn() -> Checkpoint<'a>) {
        self.inner.resumable(make);
    }

    fn trained(&mut self) {
        self.inner.trained();
    }
}

/// Loss, and accuracy or mean absolute error.
fn scalars(split: &str, score: &BatchScore) -> Vec<(String, Value)> {
    let (name, figure) = match score.mean_absolute_error() {
        Some(error) => ("mean_absolute_error", error),
        None => ("accuracy", score.accuracy()),
    };
    let scalar = |name: &str, value: f64| (format!("{name}/{split}"), Value::Scalar(value as f32));
    vec![scalar("loss", score.loss()), scalar(name, figure)]
}

/// Draws shares of each true class, white for all. A row is a true class, a column a prediction.
fn confusion_image(confusion: &Confusion) -> Option<Value> {
    let classes = confusion.names().len();
    let side = classes.checked_mul(CELL).filter(|side| *side > 0)?;
    let mut pixels = vec![0; side * side];
    for ((truth, taken), &count) in confusion.counts().indexed_iter() {
        let share = f64::from(count) / f64::from(confusion.class_total(truth).max(1));
        for line in pixels.chunks_mut(side).skip(truth * CELL).take(CELL) {
            line.iter_mut().skip(taken * CELL).take(CELL).for_each(|p| *p = (share * 255.0) as u8);
        }
    }
    let side = u32::try_from(side).ok()?;
    let mut png = Vec::new();
    PngEncoder::new(&mut png).write_image(&pixels, side, side, ExtendedColorType::L8).ok()?;
    Some(Value::Image { width: side, height: side, png })
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_confusion_matrix_is_an_image() {
        let mut confusion = Confusion::new(vec!["a".into(), "b".into()]);
        [(0, 0), (0, 1), (1, 1)].into_iter().for_each(|(t, p)| confusion.add(t, p));
        let Some(Value::Image { width: 32, height: 32, png }) = confusion_image(&confusion) else {
            panic!("no image")
        };
        let image = image::load_from_memory(&png).unwrap().to_luma8();
        let at = |x, y| image.get_pixel(x, y).0[0];
        assert_eq!([at(0, 0), at(16, 0), at(15, 16), at(31, 31)], [127, 127, 0, 255]);
        assert_eq!(confusion_image(&Confusion::new(Vec::new())), None);
    }

    #[test]
    fn a_new_training_replaces_the_files_and_a_resumed_one_adds_its_own() {
        let outer = tempfile::tempdir().unwrap();
        let count = || fs::read_dir(outer.path().join(FOLDER)).unwrap().count();
        Writer::create(outer.path(), false).unwrap();
        Writer::create(outer.path(), true).unwrap();
        assert_eq!(count(), 2);
        Writer::create(outer.path(), false).unwrap();
        assert_eq!(count(), 1);
    }
}
