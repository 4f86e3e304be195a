//! Description of a sensor.

use serde::{Deserialize, Serialize};

/// Largest number of axes of a sensor.
pub const MAX_AXES: usize = 9;

/// A sensor whose samples a computer records. A count is `units / counts` of `unit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SensorInfo<'a> {
    /// Name of the sensor, at most 64 bytes.
    pub name: &'a str,
    /// Unit of a sample's real value, such as `mg`, at most 64 bytes.
    pub unit: &'a str,
    /// Axes of a sample, 1 to [`MAX_AXES`].
    pub axes: u8,
    /// Samples per 1,000 seconds.
    pub millihertz: u32,
    /// Real value of [`counts`](Self::counts) counts.
    pub units: u32,
    /// Counts, at least 1.
    pub counts: u32,
}
