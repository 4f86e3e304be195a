//! Cycles per inference on each core with documented timings, by the plugin of `tests/cycles`.
//!
//! A model at memory without wait states, exact and the same on every machine; see
//! [`thimble_cycles::timing`] for its rules.

use host_trainer::chips::{Costs, PARTS};
use host_trainer::device::command::Vector;
use model_format::WeightType;
use model_format::limits::MAX_SMALL_INPUTS;
use thimble_cycles::{Core as Timing, Count};

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

/// Networks that the constants of predictions are fitted to: wide and narrow layers, rows beside the
/// tiles, one layer and several.
const FITTED: [Network; 24] = [
    Network::of(&[400, 400]),
    Network::of(&[600, 300]),
    Network::of(&[64, 64]),
    Network::of(&[128, 128]),
    Network::of(&[256, 64, 12]),
    Network::of(&[512, 32]),
    Network::of(&[600, 100, 10]),
    Network::of(&[100, 67]),
    Network::of(&[300, 9]),
    Network::of(&[200, 3]),
    Network::of(&[40, 129]),
    Network::of(&[36, 8]),
    Network::of(&[64, 48, 10]),
    Network::of(&[64, 64, 64, 64]),
    Network::of(&[128, 8, 128]),
    Network::of(&[4, 4]),
    Network::of(&[8, 8, 8]),
    Network::of(&[8, 16, 2]),
    Network::of(&[16, 16, 16, 16]),
    Network::of(&[20, 12, 3]),
    Network::of(&[3, 30, 1]),
    Network::of(&[30, 7]),
    Network::of(&[2, 12, 12, 2]),
    Network::of(&[32, 24, 16, 8]),
];

/// Networks that constants are fitted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fitted {
    /// Of any layers.
    All,
    /// Of small layers, which cores run whole.
    Small,
    /// Of other layers.
    Wide,
}

impl Fitted {
    fn networks(self) -> impl Iterator<Item = &'static Network> {
        let is_small = |(inputs, _): (usize, usize)| inputs <= MAX_SMALL_INPUTS;
        FITTED.iter().filter(move |network| match self {
            Fitted::All => true,
            Fitted::Small => layers(network).all(is_small),
            Fitted::Wide => !layers(network).any(is_small),
        })
    }
}

impl Core {
    /// Returns the cycles of the parts of an inference with weights of this data type for each of the core's
    /// timings, and its executed instructions: the least squares of relative errors over networks without
    /// zeros.
    ///
    /// # Panics
    /// When the firmware cannot be built or run, with the reason.
    pub fn part_costs(
        &self,
        weight_type: WeightType,
        fitted_to: Fitted,
    ) -> (Vec<(Timing, Costs)>, Costs) {
        let timings = self.core.timings();
        let networks: Vec<Network> =
            fitted_to.networks().map(|network| Network { weight_type, ..*network }).collect();
        let fitted = |counts: &mut dyn Iterator<Item = f64>| fitted(&networks, counts);
        if timings.is_empty() {
            let counts = self.costs_of(&networks, Network::model_without_zeros);
            return (vec![], fitted(&mut counts.into_iter().map(f64::from)));
        }
        let counts = self.cycles_without_zeros(&networks);
        let of = |index: usize| fitted(&mut counts.iter().map(|count| count[index].cycles as f64));
        let cycles = timings.iter().enumerate().map(|(index, timing)| (*timing, of(index)));
        let instructions = fitted(&mut counts.iter().map(|count| count[0].instructions as f64));
        (cycles.collect(), instructions)
    }

    /// Returns instructions and cycles as [`cycles`](Self::cycles) does, of networks in which hardly
    /// any value is zero.
    ///
    /// # Panics
    /// When the firmware cannot be built or run, with the reason.
    pub fn cycles_without_zeros(&self, networks: &[Network]) -> Vec<Vec<Count>> {
        self.cycles_of(networks, Network::model_without_zeros)
    }

    /// Returns instructions and cycles of an inference of each network for random inputs, for each
    /// of the core's timings.
    ///
    /// # Panics
    /// When the firmware cannot be built or run, with the reason.
    pub fn cycles(&self, networks: &[Network]) -> Vec<Vec<Count>> {
        self.cycles_of(networks, Network::model)
    }

    fn cycles_of(
        &self,
        networks: &[Network],
        model: impl Fn(&Network) -> Vec<u8>,
    ) -> Vec<Vec<Count>> {
        let models: Vec<Vec<u8>> =
            networks.iter().map(|network| self.packed(&model(network))).collect();
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

/// Inputs and rows of each layer.
pub fn layers(network: &Network) -> impl Iterator<Item = (usize, usize)> {
    network.widths.windows(2).map(|pair| (pair[0], pair[1]))
}

/// Returns the costs that fit the counts of the networks best.
fn fitted(networks: &[Network], counts: impl Iterator<Item = f64>) -> Costs {
    let row =
        |(network, count): (&Network, f64)| Costs::parts(layers(network)).map(|part| part / count);
    Costs(least_squares(networks.iter().zip(counts).map(row)))
}

/// Solves, in the least squares, that the scalar product with each row is 1.
fn least_squares(rows: impl Iterator<Item = [f64; PARTS]>) -> [f64; PARTS] {
    let (mut normal, mut right) = ([[0.0; PARTS]; PARTS], [0.0; PARTS]);
    for row in rows {
        for i in 0..PARTS {
            right[i] += row[i];
            for j in 0..PARTS {
                normal[i][j] += row[i] * row[j];
            }
        }
    }
    // Gauss and Jordan, by the largest pivot.
    for column in 0..PARTS {
        let size = |row: &usize| normal[*row][column].abs();
        let pivot = (column..PARTS).max_by(|a, b| size(a).total_cmp(&size(b))).expect("rows");
        normal.swap(column, pivot);
        right.swap(column, pivot);
        for row in (0..PARTS).filter(|row| *row != column) {
            let of_pivot = normal[column];
            let factor = normal[row][column] / of_pivot[column];
            normal[row].iter_mut().zip(of_pivot).for_each(|(value, of)| *value -= factor * of);
            right[row] -= factor * right[column];
        }
    }
    let costs: [f64; PARTS] = std::array::from_fn(|part| right[part] / normal[part][part]);
    // A hundredth of a cycle is beyond what they say.
    costs.map(|cost| (cost * 1e3).round() / 1e3)
}
