//! `--weights` of `train` and `quantize`: the data type of weights.

use clap::ValueEnum;
use model_format::WeightType;

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
    /// A type per layer by measured sensitivity, within the budget or --flash
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
