//! `--weights` of `train` and `quantize`: the data type of weights, and the budget of a choice per layer.

use anyhow::bail;
use clap::{Args, ValueEnum};
use model_format::WeightType;

use super::quantities::{budget, bytes, count};
use crate::chips::Chip;
use crate::choice::Budget;
use crate::pack::Core;

/// Weight precision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Weights {
    /// 8 bits
    Int8,
    /// 4 bits
    Int4,
    /// 2 bits: −3, −1, 1 and 3
    Int2,
    /// −1, 0 and 1, five to a byte
    Ternary,
    /// A type per layer by measured sensitivity, within --budget, --flash or --cycles
    Auto,
}

impl Weights {
    /// Returns the type of all layers, or `None` for a choice per layer.
    pub fn weight_type(self) -> Option<WeightType> {
        match self {
            Weights::Int8 => Some(WeightType::Int8),
            Weights::Int4 => Some(WeightType::Int4),
            Weights::Int2 => Some(WeightType::Int2),
            Weights::Ternary => Some(WeightType::Ternary),
            Weights::Auto => None,
        }
    }
}

/// Loss of `--weights auto` without another budget.
const LOSS: f64 = 0.5;

/// Budget of `--weights auto`.
#[derive(Clone, Debug, Args)]
pub struct BudgetArgs {
    /// Loss that `--weights auto` may add to int8 weights on validation rows: points of accuracy,
    /// or percent of the squared error
    #[arg(long, value_name = "N", default_value_t = LOSS, value_parser = budget)]
    pub budget: f64,
    /// Size of the model file that `--weights auto` may use, such as 16K, in place of --budget: it
    /// has the smallest loss of those that fit
    #[arg(long, value_name = "BYTES", value_parser = bytes, conflicts_with = "budget")]
    pub flash: Option<usize>,
    /// Cycles of an inference that `--weights auto` may use on the chip of --for, such as 200k, in place
    /// of --budget, by the prediction of `inspect --for`
    #[arg(long, value_name = "N", value_parser = count, conflicts_with_all = ["budget", "flash"],
          requires = "chip")]
    pub cycles: Option<u64>,
}

impl Default for BudgetArgs {
    fn default() -> Self {
        BudgetArgs { budget: LOSS, flash: None, cycles: None }
    }
}

impl BudgetArgs {
    /// Returns the budget. `chip` is that of --for.
    pub fn budget(&self, chip: Option<&'static Chip>) -> Budget {
        match (self.flash, self.cycles, chip) {
            (Some(most), ..) => Budget::Flash(most),
            (_, Some(most), Some(chip)) => Budget::Cycles(most, chip),
            _ => Budget::Loss(self.budget),
        }
    }

    /// Refuses --flash and --cycles for weights that are not chosen.
    ///
    /// # Errors
    /// The option that is to be left out.
    pub fn refuse_unused(&self, is_auto: bool) -> anyhow::Result<()> {
        let given = [("--flash", self.flash.is_some()), ("--cycles", self.cycles.is_some())];
        match given.into_iter().find(|(_, is_given)| *is_given && !is_auto) {
            Some((option, _)) => bail!(
                "{option} is for `--weights auto`, which chooses a type per layer: leave it out"
            ),
            None => Ok(()),
        }
    }
}

/// Target of `train --for`.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// A core.
    Core(Core),
    /// A chip, which has one.
    Chip(&'static Chip),
}

impl Target {
    /// Parses the name of a core or of a chip.
    ///
    /// # Errors
    /// The names of the cores, and where those of the chips are shown.
    pub fn parse(name: &str) -> Result<Self, String> {
        if let Ok(core) = Core::from_str(name, true) {
            return Ok(Target::Core(core));
        }
        Chip::named(name).map(Target::Chip).map_err(|_| {
            let names = Core::value_variants().iter().filter_map(ValueEnum::to_possible_value);
            let names: Vec<String> = names.map(|value| value.get_name().to_string()).collect();
            format!(
                "there is no such core or chip. Cores are {}; `inspect RUN --for list` shows the chips",
                names.join(", ")
            )
        })
    }

    /// Returns the core.
    pub fn core(self) -> Core {
        match self {
            Target::Core(core) => core,
            Target::Chip(chip) => chip.core,
        }
    }

    /// Returns the chip.
    pub fn chip(self) -> Option<&'static Chip> {
        match self {
            Target::Core(_) => None,
            Target::Chip(chip) => Some(chip),
        }
    }
}
