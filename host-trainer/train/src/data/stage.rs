//! The input stage of a quantized model, in floating point.

/// The conversion of raw features to what the first layer of a quantized model sees: (x − offset) ·
/// factor, clipped to −1..=1, which an integer input stands for with all its steps.
///
/// Each feature has a range of its own, so that features of unlike units share no scale. A feature
/// with a factor of 0 is ignored.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// Middle of the range of each feature, in its own unit.
    pub offsets: Vec<f32>,
    /// One over half the width of the range of each feature.
    pub factors: Vec<f32>,
}
