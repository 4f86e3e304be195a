//! Range checks for the numbers of a preset. They run in serde's deserialization, so that a message
//! includes the line of the file.

use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// The largest count in a preset. The product of epochs and rows cannot overflow.
pub const MAX_COUNT: usize = 1_000_000_000;

/// Deserializes an integer from 1 to [`MAX_COUNT`].
pub fn at_least_one<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let value = i64::deserialize(deserializer)?;
    match usize::try_from(value) {
        Ok(count) if count > MAX_COUNT => {
            Err(D::Error::custom(format!("must be at most {MAX_COUNT}, but is {value}")))
        }
        Ok(count) if count > 0 => Ok(count),
        _ => Err(D::Error::custom(format!("must be at least 1, but is {value}"))),
    }
}

/// Deserializes an integer as [`at_least_one`], where the key is present.
pub fn optional_at_least_one<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<usize>, D::Error> {
    at_least_one(deserializer).map(Some)
}

/// Deserializes a layer's number of outputs, at most the model format's `MAX_WIDTH`.
pub fn width<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let width = at_least_one(deserializer)?;
    match width <= model_format::limits::MAX_WIDTH {
        true => Ok(width),
        false => Err(D::Error::custom(format!(
            "must be at most {}, the widest layer of a model, but is {width}",
            model_format::limits::MAX_WIDTH
        ))),
    }
}

/// Deserializes a positive, finite number.
pub fn positive<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    check(deserializer, "must be above 0", |value| value > 0.0 && value.is_finite())
}

/// Deserializes a non-negative, finite number.
pub fn not_negative<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    check(deserializer, "must be 0 or more", |value| value >= 0.0 && value.is_finite())
}

/// Deserializes a finite number.
pub fn finite<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    check(deserializer, "must be a finite number", f64::is_finite)
}

/// Deserializes a number in [0, 1), such as a momentum.
pub fn below_one<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    check(deserializer, "must be from 0 to below 1", |value| (0.0..1.0).contains(&value))
}

/// Deserializes a number as [`below_one`], where the key is present.
pub fn optional_below_one<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<f64>, D::Error> {
    below_one(deserializer).map(Some)
}

/// Deserializes a number in (0, 1).
pub fn proper_fraction<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    check(deserializer, "must be between 0 and 1", |value| value > 0.0 && value < 1.0)
}

/// Deserializes a number in \[0, 1\].
pub fn fraction<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    check(deserializer, "must be from 0 to 1", |value| (0.0..=1.0).contains(&value))
}

/// Deserializes a percentile in (50, 100].
pub fn percentile<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    check(deserializer, "must be above 50 and at most 100", |value| value > 50.0 && value <= 100.0)
}

fn check<'de, D: Deserializer<'de>>(
    deserializer: D,
    rule: &str,
    holds: impl Fn(f64) -> bool,
) -> Result<f64, D::Error> {
    let value = f64::deserialize(deserializer)?;
    match holds(value) {
        true => Ok(value),
        false => Err(D::Error::custom(format!("{rule}, but is {value}"))),
    }
}
