//! Cycles per inference on each core with documented timings, by the plugin of `tests/cycles`.
//!
//! A model at memory without wait states, exact and the same on every machine; see
//! [`thimble_cycles::timing`] for its rules.

use host_trainer::device::command::Vector;
use thimble_cycles::Count;

use crate::counts::{Core, IMAGES, Network, ROWS, random_inputs};
use crate::mnist;
use crate::trained;

/// The autoencoder of MLPerf Tiny's anomaly detection.
pub const AD01: Network = Network::of(&[640, 128, 128, 128, 128, 8, 128, 128, 128, 128, 640]);

/// A network in which fixed costs rule.
pub const TINY: Network = Network::of(&[1, 16, 16, 1]);

/// Networks of the table, with their names: 784-128-10 with int8, int4, int2 and ternary weights, and others.
pub const NETWORKS: [(&str, Network); 9] = [
    ("784-128-10", Network::MLP),
    ("int4", Network::NARROW[0]),
    ("int2", Network::NARROW[1]),
    ("ternary", Network::NARROW[2]),
    ("ad01", AD01),
    ("64-32-10", Network::of(&[64, 32, 10])),
    ("32-16-4", Network::of(&[32, 16, 4])),
    ("12-16-16-5", Network::of(&[12, 16, 16, 5])),
    ("1-16-16-1", TINY),
];

impl Core {
    /// Returns instructions and cycles of an inference of each network for random inputs, for each
    /// of the core's timings.
    ///
    /// # Panics
    /// When the firmware cannot be built or run, with the reason.
    pub fn cycles(&self, networks: &[Network]) -> Vec<Vec<Count>> {
        let models: Vec<Vec<u8>> =
            networks.iter().map(|network| self.packed(&network.model())).collect();
        let inputs: Vec<Vec<i8>> =
            networks.iter().map(|network| random_inputs(ROWS * network.input_bytes())).collect();
        let vectors = models.iter().zip(&inputs).map(|(model, inputs)| Vector { model, inputs });
        let counts = self.core.cycles(&vectors.collect::<Vec<_>>());
        counts.into_iter().map(|counts| means(counts, ROWS)).collect()
    }

    /// Returns instructions and cycles of an inference of a network that was trained on MNIST, in
    /// the mean of so many test images, for each of the core's timings.
    ///
    /// # Panics
    /// When the firmware cannot be built or run, with the reason.
    pub fn mnist_cycles(&self, images: usize) -> Vec<Count> {
        assert!(images <= IMAGES, "the work memory of boards has room for {IMAGES} images");
        let model = self.packed(&trained::mnist_model());
        let (test_images, _) = mnist::test_set();
        let inputs = test_images[..images].concat();
        let counts = self.core.cycles(&[Vector { model: &model, inputs: &inputs }]);
        counts.into_iter().next().map_or(vec![], |counts| means(counts, images))
    }
}

/// The means of counts over a number of rows, rounded up.
fn means(counts: Vec<Count>, rows: usize) -> Vec<Count> {
    let mean = |sum: u64| sum.div_ceil(rows as u64);
    let each =
        |count: Count| Count { instructions: mean(count.instructions), cycles: mean(count.cycles) };
    counts.into_iter().map(each).collect()
}
