//! Targets of the rows of a mini-batch.

/// Targets of the rows of a mini-batch.
#[derive(Clone, Copy, Debug)]
pub enum TargetRows<'a, T> {
    /// One class index per row. A single output has the target 0 or 1; several outputs have the
    /// one-hot target of the class.
    Classes(&'a [u16]),
    /// Class indices, and a weight per class that multiplies loss and gradient of a row.
    WeightedClasses(&'a [u16], &'a [T]),
    /// One number per output and row, row-major.
    Values(&'a [T]),
    /// Scaled numbers, and per output the size of one scaled unit in the target's own unit.
    ScaledValues(&'a [T], &'a [T]),
    /// Distributions over the classes, for the categorical losses.
    Soft(SoftRows<'a, T>),
}

/// Distributions over the classes, and probabilities of teachers. Each is row-major, with one number
/// per output and row.
#[derive(Clone, Copy, Debug)]
pub struct SoftRows<'a, T> {
    /// Distributions by the labels.
    pub targets: &'a [T],
    /// Probabilities of teachers at the temperature. Empty if `weight` is 0.
    pub teacher: &'a [T],
    /// Divisor of the logits in the loss by the teachers.
    pub temperature: T,
    /// Share of that loss.
    pub weight: T,
    /// Weight of each class, or empty. That of a row is the mean by its distribution.
    pub class_weights: &'a [T],
}

impl<T> TargetRows<'_, T> {
    /// Returns `true` if targets are classes.
    pub fn are_classes(&self) -> bool {
        matches!(self, TargetRows::Classes(_) | TargetRows::WeightedClasses(..))
    }
}
