//! Predictions of the cycles of an inference.

use model_format::{DataType, Dense, Encoding, Layer, Model, WeightType};
use serde::Deserialize;

use super::{Chip, Waits};

/// Number of [`Costs`].
pub const PARTS: usize = 7;

/// Cycles, or executed instructions, of the parts of an inference on a core: fitted to counts of
/// emulated images. Cycles are those of the timings that the core's documentation states
/// (`tests/cycles`), at memory without wait states.
///
/// In this order: of a call; of a layer; of four inputs of a layer, prepared once for all rows; of a
/// tile of four rows; of a row beside the tiles; of four weights of each row of a tile; of four
/// weights of a row beside the tiles.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(transparent)]
pub struct Costs(pub [f64; PARTS]);

impl Costs {
    /// Returns how often a network of these layers, inputs and rows each, has each part.
    pub fn parts(layers: impl IntoIterator<Item = (usize, usize)>) -> [f64; PARTS] {
        let mut sums = [0; PARTS];
        sums[0] = 1;
        for (inputs, rows) in layers {
            let (words, tiles, left) = (inputs.div_ceil(4), rows / 4, rows % 4);
            for (sum, part) in
                sums[1..].iter_mut().zip([1, words, tiles, left, tiles * words, left * words])
            {
                *sum += part;
            }
        }
        sums.map(|sum| sum as f64)
    }

    /// Returns the cost of an inference of a network of these layers, inputs and rows each.
    pub fn total(&self, layers: impl IntoIterator<Item = (usize, usize)>) -> f64 {
        Self::parts(layers).iter().zip(self.0).map(|(part, cost)| part * cost).sum()
    }

    /// Returns the cost of a layer of so many inputs and rows.
    pub fn of_layer(&self, inputs: usize, rows: usize) -> f64 {
        self.total([(inputs, rows)]) - self.of_call()
    }

    /// Returns the cost of a call.
    pub fn of_call(&self) -> f64 {
        self.0[0]
    }
}

/// Predicted time of an inference: at least so much.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Time {
    /// Core cycles of the dense layers for an input without zeros, without wait states.
    pub cycles: u64,
    /// Clock of the core, in MHz.
    pub clock_mhz: u64,
    /// Clocks in which the core waits for the memory of the weights, if they were measured on the
    /// chip.
    pub waits: Option<u64>,
    /// Parts of the model that come on top.
    pub beside: Vec<&'static str>,
}

impl Time {
    /// Returns the time of these cycles and of the measured waits in milliseconds, at the chip's
    /// clock.
    pub fn milliseconds(&self) -> f64 {
        let clocks = self.cycles + self.waits.unwrap_or(0);
        clocks as f64 / self.clock_mhz as f64 / 1e3
    }
}

/// Reason why no cycles are predicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoTime {
    /// The vendor of the core publishes no timings.
    #[error("the timings of its core are not published")]
    Core,
    /// A layer's weights or values are of a kind that was not measured.
    #[error(
        "they are known for int8 activations and weights that are packed for its core and not sparse"
    )]
    Layer,
}

/// Predicts the cycles of an inference by the costs of the chip's core.
pub(super) fn predict<'c>(
    chip: &Chip,
    costs: &dyn Fn(Kind) -> Option<&'c Costs>,
    waits: &Waits,
    model: &Model<'_>,
) -> Result<Time, NoTime> {
    let mut beside = Vec::new();
    if matches!(model.input().encoding, Encoding::Counts(_) | Encoding::Reals(_)) {
        beside.push("the input stage");
    }
    let mut cycles = costs(Kind::Wide(WeightType::Int8)).ok_or(NoTime::Core)?.of_call();
    let mut is_first = true;
    for layer in model.layers() {
        match layer {
            Layer::Dense(dense) => {
                let of_kind = costs(measured(chip, &dense).ok_or(NoTime::Layer)?);
                let of_kind = of_kind.ok_or(NoTime::Layer)?;
                // Whatever a call costs beside its layers was fitted with them.
                if std::mem::take(&mut is_first) {
                    cycles = of_kind.of_call();
                }
                cycles += of_kind.of_layer(dense.inputs(), dense.outputs());
            }
            Layer::Table(_) if !beside.contains(&"tables") => beside.push("tables"),
            Layer::Table(_) => {}
            Layer::Softmax(_) => beside.push("softmax"),
        }
    }
    let cycles = cycles.max(0.0).round() as u64;
    Ok(Time { cycles, clock_mhz: chip.clock_mhz, waits: waits.clocks(chip, model), beside })
}

/// Dense layers of which the costs were fitted apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Those with weights of int8 that the core runs whole.
    Small,
    /// All others with weights of this type.
    Wide(WeightType),
}

/// Returns the kind of a layer, if it was measured.
fn measured(chip: &Chip, dense: &Dense<'_>) -> Option<Kind> {
    let types = [dense.input.data_type, dense.output.data_type];
    let weight_type = dense.layout.weight_type();
    let is_packed = chip.core.layout(weight_type, DataType::Int8) == dense.layout;
    let is_small = weight_type == WeightType::Int8 && dense.is_small();
    let kind = if is_small { Kind::Small } else { Kind::Wide(weight_type) };
    (types == [DataType::Int8; 2] && is_packed).then_some(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_network() {
        // 9 inputs are three words, 5 rows are a tile and one beside it; 5 inputs are two words.
        let parts = Costs::parts([(9, 5), (5, 3)]);
        assert_eq!(parts, [1.0, 2.0, 5.0, 1.0, 4.0, 3.0, 3.0 + 6.0]);
        let costs = Costs([100.0, 0.0, 0.0, 0.0, 0.0, 10.0, 1.0]);
        assert_eq!(costs.total([(9, 5), (5, 3)]), 139.0);
        assert_eq!(costs.of_call() + costs.of_layer(9, 5) + costs.of_layer(5, 3), 139.0);
    }
}
