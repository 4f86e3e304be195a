//! Quantities on the command line.

use crate::data::Fold;

/// Parses a size in bytes, such as 16K.
pub(super) fn bytes(text: &str) -> Result<usize, String> {
    let units = [("", 1), ("b", 1), ("k", 1024), ("kb", 1024), ("kib", 1024)];
    let large = ["m", "mb", "mib"].map(|unit| (unit, 1024 * 1024));
    quantity(text, &[&units[..], &large].concat())
        .and_then(|size| usize::try_from(size).ok())
        .ok_or("a size is needed, such as 16K or 16384".into())
}

/// Parses a count, such as 500k or 2M.
pub(super) fn count(text: &str) -> Result<u64, String> {
    quantity(text, &[("", 1), ("k", 1000), ("m", 1_000_000)])
        .ok_or("a whole number is needed, such as 500000 or 500k".into())
}

/// Parses the number of folds of a cross-validation.
pub(super) fn folds(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().and_then(|of| Some((of, Fold::new(1, of).ok()?)));
    count.map(|(of, _)| of).ok_or("2 to 1000 folds are possible, such as 5".into())
}

/// Parses a loss that is accepted.
pub(super) fn budget(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(budget) if budget >= 0.0 && budget.is_finite() => Ok(budget),
        _ => Err("a number from 0 on is needed, such as 0.5".into()),
    }
}

/// Parses a positive whole number and its unit, in letters of either case.
fn quantity(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    let digits = lower.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let (_, unit) = units.iter().find(|(name, _)| *name == &lower[digits.len()..])?;
    let number: u64 = digits.parse().ok().filter(|number| *number > 0)?;
    Some(number.saturating_mul(*unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        let sizes = ["16384", "16K", "16k", "16KB", "16KiB", "2M"].map(|text| bytes(text).unwrap());
        assert_eq!(sizes, [16384, 16384, 16384, 16384, 16384, 2 * 1024 * 1024]);
        for wrong in ["", "K", "0", "-1", "16G", "1.5K", "16 K", "16bb"] {
            assert!(bytes(wrong).unwrap_err().contains("such as 16K"), "{wrong}");
        }
    }

    #[test]
    fn cycles_have_units() {
        assert_eq!(["500k", "2M", "17"].map(|text| count(text).unwrap()), [500_000, 2_000_000, 17]);
        for wrong in ["", "k", "0", "-1", "1.5k", "5kk", "5g"] {
            assert!(count(wrong).unwrap_err().contains("500k"), "{wrong}");
        }
    }
}
