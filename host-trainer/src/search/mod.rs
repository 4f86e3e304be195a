//! Search for networks within the flash, the RAM and the cycles of a chip.
//!
//! Successive halving over brackets of candidates, ranked by several objectives: accuracy or error on
//! selection rows, flash, cycles. Jamieson and Talwalkar, *Non-stochastic best arm identification and
//! hyperparameter optimization*, 2016; Schmucker et al., *Multi-objective asynchronous successive
//! halving*, 2021.

mod budget;
mod halving;
mod rank;
mod space;
mod trial;

pub use budget::{Budget, Cost, Exceeded, smallest};
pub use halving::{BRACKET, Evaluate, RUNGS, Trial, brackets, epochs, search, trainings};
pub use rank::front;
pub use space::{Candidate, Space};
pub use trial::{OverBudget, Score, TrialError, evaluate, untrained_cost};
