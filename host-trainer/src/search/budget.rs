//! Budget of a network on a chip: flash, RAM and cycles, by the chip's predictions.

use model_format::Model;
use serde::{Deserialize, Serialize};

use super::{Candidate, OverBudget, Space, TrialError, untrained_cost};
use crate::chips::{CHIPS, Chip, ChipError};
use crate::experiment::Plan;
use crate::report::grouped;
use crate::threads::Threads;

/// Largest flash, RAM and cycles per inference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// Flash of code and model in bytes.
    pub flash: u64,
    /// RAM of statics and stack in bytes.
    pub ram: u64,
    /// Core cycles of an inference; `None` for any number.
    pub cycles: Option<u64>,
}

/// Predicted flash, RAM and cycles of a model on a chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// Flash of code and model in bytes.
    pub flash: u64,
    /// RAM of statics and stack in bytes.
    pub ram: u64,
    /// Least core cycles of an inference; `None` where they are not predicted.
    pub cycles: Option<u64>,
}

/// A part of a budget that a network exceeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exceeded {
    /// Option of the budget.
    pub option: &'static str,
    /// Unit.
    pub unit: &'static str,
    /// Bound.
    pub bound: u64,
    /// Amount that the network takes.
    pub taken: u64,
}

impl Cost {
    /// Predicts the cost of a packed model, as `inspect --for` does.
    ///
    /// # Errors
    /// [`ChipError`] if the model is packed for another core.
    pub fn of(model: &Model<'_>, chip: &Chip) -> Result<Self, ChipError> {
        let prediction = chip.predict(model)?;
        let cycles = prediction.time.as_ref().ok().map(|time| time.cycles);
        Ok(Cost { flash: prediction.flash(), ram: prediction.ram(), cycles })
    }

    /// Returns flash and cycles as objectives; cycles that are not predicted are infinite.
    pub fn objectives(&self) -> [f64; 2] {
        [self.flash as f64, self.cycles.map_or(f64::INFINITY, |cycles| cycles as f64)]
    }
}

impl Budget {
    /// Returns the first part of the budget that a cost exceeds. Cycles that are not predicted exceed
    /// any bound of cycles.
    pub fn exceeded(&self, cost: &Cost) -> Option<Exceeded> {
        let part = |option, unit, bound, taken| Exceeded { option, unit, bound, taken };
        let cycles = self
            .cycles
            .map(|bound| part("--cycles", "cycles", bound, cost.cycles.unwrap_or(u64::MAX)));
        [
            Some(part("--flash", "bytes of flash", self.flash, cost.flash)),
            Some(part("--ram", "bytes of RAM", self.ram, cost.ram)),
            cycles,
        ]
        .into_iter()
        .flatten()
        .find(|part| part.taken > part.bound)
    }
}

/// Returns the smallest network of a space that is within the budget.
///
/// # Errors
/// [`TrialError::Budget`] with the smallest network, the excess, and the chips that would do.
pub fn smallest(
    plan: &Plan,
    space: &Space,
    chip: &Chip,
    budget: &Budget,
    threads: &Threads,
) -> Result<Candidate, TrialError> {
    let mut least: Option<(Candidate, Exceeded)> = None;
    let candidates = space.smallest();
    for candidate in &candidates {
        let cost = untrained_cost(plan, space, candidate, chip, threads)?;
        let Some(exceeded) = budget.exceeded(&cost) else { return Ok(candidate.clone()) };
        // Bytes and cycles have their proportion in common.
        let by = |of: &Exceeded| of.taken as f64 / of.bound.max(1) as f64;
        if least.as_ref().is_none_or(|(_, other)| by(&exceeded) < by(other)) {
            least = Some((candidate.clone(), exceeded));
        }
    }
    let Some((candidate, exceeded)) = least else { return Err(TrialError::NoCandidate) };
    let mut fitting = Vec::new();
    for other in &CHIPS {
        // Without the bound of cycles on chips whose timings are unknown, nothing is promised.
        let own = Budget { flash: other.flash, ram: other.ram, cycles: budget.cycles };
        let within =
            Budget { flash: own.flash.min(budget.flash), ram: own.ram.min(budget.ram), ..own };
        for candidate in &candidates {
            let cost = untrained_cost(plan, space, candidate, other, threads)?;
            for (is_within, bound) in [(true, within), (false, own)] {
                if bound.exceeded(&cost).is_none() {
                    fitting.push((is_within, other.name));
                }
            }
        }
    }
    let names = |within: bool| {
        let mut names: Vec<&str> =
            fitting.iter().filter(|(of, _)| *of == within).map(|(_, name)| *name).collect();
        names.dedup();
        names.join(", ")
    };
    let remedy = match (names(true), names(false)) {
        (within, _) if !within.is_empty() => format!("Within this budget it runs on {within}"),
        (_, whole) if !whole.is_empty() => {
            format!("Raise {}. With all of its memory, {whole} would do", exceeded.option)
        }
        _ => {
            "No chip of the list would do: `host-trainer inspect RUN --for list` shows them. Give \
              the data fewer features"
                .to_string()
        }
    };
    let over = OverBudget {
        option: exceeded.option,
        bound: grouped(exceeded.bound),
        network: candidate.text(plan.network.inputs(), plan.network.outputs()),
        chip: chip.name,
        taken: grouped(exceeded.taken),
        unit: exceeded.unit,
        more: grouped(exceeded.taken - exceeded.bound),
        remedy,
    };
    Err(Box::new(over).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exceeded_part_is_named() {
        let budget = Budget { flash: 100, ram: 50, cycles: Some(1000) };
        let cost = Cost { flash: 100, ram: 50, cycles: Some(1000) };
        assert_eq!(budget.exceeded(&cost), None);
        let part = |cost: Cost| budget.exceeded(&cost).map(|part| (part.option, part.taken));
        assert_eq!(part(Cost { flash: 101, ..cost }), Some(("--flash", 101)));
        assert_eq!(part(Cost { ram: 51, ..cost }), Some(("--ram", 51)));
        assert_eq!(part(Cost { cycles: Some(1001), ..cost }), Some(("--cycles", 1001)));
        assert_eq!(part(Cost { cycles: None, ..cost }), Some(("--cycles", u64::MAX)));
        let any = Budget { cycles: None, ..budget };
        assert_eq!(any.exceeded(&Cost { cycles: None, ..cost }), None);
    }
}
