//! Numbers that a preset may have, checked as they are read, so that the message has the place.

use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// The largest count that a preset may have: no product of an epoch's and a row's count overflows.
pub const MAX_COUNT: usize = 1_000_000_000;

/// A whole number, 1 or more.
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

/// The number of outputs of a layer: what the model format takes.
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

/// A number above zero.
pub fn positive<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    check(deserializer, "must be above 0", |value| value > 0.0 && value.is_finite())
}

/// A number from zero on.
pub fn not_negative<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    check(deserializer, "must be 0 or more", |value| value >= 0.0 && value.is_finite())
}

/// A number from 0 to below 1, such as a momentum.
pub fn below_one<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    check(deserializer, "must be from 0 to below 1", |value| (0.0..1.0).contains(&value))
}

/// A number between 0 and 1, neither included.
pub fn proper_fraction<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    check(deserializer, "must be between 0 and 1", |value| value > 0.0 && value < 1.0)
}

/// A number from 0 to 1.
pub fn fraction<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    check(deserializer, "must be from 0 to 1", |value| (0.0..=1.0).contains(&value))
}

/// A share in percent of which most is kept.
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
