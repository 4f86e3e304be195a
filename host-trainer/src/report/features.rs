//! Range of each feature at the input of a model, and the share of clipped readings.

use model_format::Model;

use super::number::significant;
use super::table::Table;
use crate::foreign_text::shown;

/// Maximum number of features that are named individually.
const NAMED: usize = 6;

/// Range of a feature.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureRange {
    /// Name, or number if it has none.
    pub name: String,
    /// Unit; may be empty.
    pub unit: String,
    /// The smallest and the largest reading that do not clip; `None` for an ignored feature, which
    /// was constant on the training rows.
    pub ends: Option<[f64; 2]>,
    /// Clipped readings per million training rows.
    pub clipped: u32,
}

impl FeatureRange {
    /// Returns the share of clipped training rows in percent; a dash for none.
    pub fn clipped_percent(&self) -> String {
        match self.clipped {
            0 => "–".to_string(),
            ppm => format!("{} %", significant(f64::from(ppm) / 1e4)),
        }
    }

    /// Returns both ends as text.
    pub fn ends_text(&self) -> [String; 2] {
        match self.ends {
            Some(ends) => ends.map(six_digits),
            None => ["ignored".to_string(), "–".to_string()],
        }
    }
}

/// Returns the range of each feature of a model that takes readings in their own units; empty for
/// pixels and quantized values.
pub fn feature_ranges(model: &Model<'_>) -> Vec<FeatureRange> {
    let details = model.details();
    let features: Vec<_> = details.features().collect();
    let described = match (model.real_channels(), model.channels()) {
        (Some(channels), _) => features.len().max(channels.len()),
        (None, Some(_)) => features.len(),
        (None, None) => 0,
    };
    let range = |index: usize| {
        let feature = features.get(index);
        FeatureRange {
            name: match feature {
                Some(feature) if !feature.name.is_empty() => feature.name.to_string(),
                _ => index.to_string(),
            },
            unit: feature.map_or(String::new(), |feature| feature.unit.to_string()),
            ends: model.input_range(index),
            clipped: feature.map_or(0, |feature| feature.clipped),
        }
    };
    (0..described).map(range).collect()
}

/// Returns a table of ranges; `None` without ranges.
pub fn ranges_text(ranges: &[FeatureRange]) -> Option<Table> {
    if ranges.is_empty() {
        return None;
    }
    let mut table = Table::new(["feature", "unit", "from", "to", "clipped"]).gap(2);
    for range in ranges {
        let [from, to] = range.ends_text();
        table.row([
            shown(&range.name).into(),
            shown(&range.unit).into(),
            from.into(),
            to.into(),
            range.clipped_percent().into(),
        ]);
    }
    Some(table)
}

/// Returns a sentence that names the features that clip most, and the ignored features; `None` if
/// there are neither.
pub fn clipping_text(ranges: &[FeatureRange]) -> Option<String> {
    let mut clipped: Vec<&FeatureRange> = ranges.iter().filter(|range| range.clipped > 0).collect();
    clipped.sort_by_key(|range| std::cmp::Reverse(range.clipped));
    let name = |range: &&FeatureRange| format!("`{}`", shown(&range.name));
    let more = |count: usize| match count.checked_sub(NAMED) {
        Some(more @ 1..) => format!(" and {more} more"),
        _ => String::new(),
    };
    let mut parts = Vec::new();
    if !clipped.is_empty() {
        let named = clipped.iter().take(NAMED);
        let named: Vec<String> =
            named.map(|range| format!("{} {}", name(range), range.clipped_percent())).collect();
        parts.push(format!(
            "training rows beyond the range of a feature, clipped to its ends: {}{}",
            named.join(", "),
            more(clipped.len())
        ));
    }
    let ignored: Vec<&FeatureRange> = ranges.iter().filter(|range| range.ends.is_none()).collect();
    if !ignored.is_empty() {
        let named: Vec<String> = ignored.iter().take(NAMED).map(name).collect();
        parts.push(format!(
            "ignored, because they are constant on the training rows: {}{}",
            named.join(", "),
            more(ignored.len())
        ));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// Formats a number with six significant digits, without trailing zeros.
pub(super) fn six_digits(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-4..1e9).contains(&magnitude) {
        return format!("{value:.3e}").replace('-', "−");
    }
    let digits = if magnitude < 1.0 { 6 } else { 5 - (magnitude.log10().floor() as i32).min(5) };
    let text = format!("{value:.0$}", digits.max(0) as usize);
    let text = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_string(),
        false => text,
    };
    text.replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(name: &str, ends: Option<[f64; 2]>, clipped: u32) -> FeatureRange {
        FeatureRange { name: name.into(), unit: String::new(), ends, clipped }
    }

    #[test]
    fn features_that_clip_are_named_most_first() {
        let ends = Some([0.0, 1.0]);
        let ranges = [
            range("a", ends, 0),
            range("b", ends, 1200),
            range("c", ends, 9800),
            range("d", None, 0),
        ];
        let text = clipping_text(&ranges).unwrap();
        assert!(text.contains("`c` 0.980 %, `b` 0.120 %"), "{text}");
        assert!(text.ends_with("constant on the training rows: `d`"), "{text}");
        assert_eq!(clipping_text(&ranges[..1]), None);
    }

    #[test]
    fn ends_have_six_digits() {
        for (value, text) in [
            (101_325.25, "101325"),
            (14.83, "14.83"),
            (-0.48, "−0.48"),
            (0.0, "0"),
            (1.5e-13, "1.500e−13"),
            (1_234_567.0, "1234567"),
        ] {
            assert_eq!(six_digits(value), text);
        }
    }
}
