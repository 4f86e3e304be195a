//! Folds of a cross-validation.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Most folds of a cross-validation.
const MAX_FOLDS: usize = 1000;

/// A fold of a cross-validation: fold 2 of 5 is `{ number = 2, of = 5 }`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "FoldFields")]
pub struct Fold {
    number: usize,
    of: usize,
}

/// The fields of a [`Fold`] before they are checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FoldFields {
    number: usize,
    of: usize,
}

impl TryFrom<FoldFields> for Fold {
    type Error = String;

    fn try_from(FoldFields { number, of }: FoldFields) -> Result<Self, String> {
        if !(2..=MAX_FOLDS).contains(&of) {
            return Err(format!("of = {of}: there must be 2 to {MAX_FOLDS} folds"));
        }
        match (1..=of).contains(&number) {
            true => Ok(Fold { number, of }),
            false => Err(format!("number = {number}: the folds are numbered 1 to {of}")),
        }
    }
}

impl Fold {
    /// Returns a fold by its number, from 1.
    ///
    /// # Errors
    /// Text for an impossible number of the fold or of folds.
    pub fn new(number: usize, of: usize) -> Result<Self, String> {
        Fold::try_from(FoldFields { number, of })
    }

    /// Returns the number of the fold, from 1.
    pub fn number(self) -> usize {
        self.number
    }

    /// Returns the number of folds.
    pub fn of(self) -> usize {
        self.of
    }
}

impl FromStr for Fold {
    type Err = String;

    /// Parses `2/5`.
    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once('/').and_then(|(number, of)| {
            Some(FoldFields { number: number.parse().ok()?, of: of.parse().ok()? })
        });
        parsed.ok_or_else(|| "must be K/N, such as 1/5".to_string()).and_then(Fold::try_from)
    }
}
