//! Input stage of a quantized model, in floating point.

/// Scaling of raw features to the input of a quantized model: (x − offset) · factor, clipped to
/// −1..=1, the full range of the integer input.
///
/// Each feature has its own range, so that features of different units do not share a scale. A
/// feature with a factor of 0 is ignored.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// Middle of the range of each feature, in its own unit.
    pub offsets: Vec<f32>,
    /// Reciprocal of half the width of the range of each feature.
    pub factors: Vec<f32>,
}
