//! Validation rows of a search.

use crate::data::{Amount, HoldOut};
use crate::preset::Preset;

/// Share of the training rows that choose among networks, if the preset has no validation rows.
const VALIDATION: f64 = 0.2;

/// Returns the preset with validation rows, taken from its training rows if it has none: of windows,
/// whole recordings.
pub(super) fn validated(preset: &Preset) -> Preset {
    let mut preset = preset.clone();
    let amount = Amount::Fraction(VALIDATION);
    let data = &mut preset.data;
    if data.validation.is_none() {
        // With validation rows there is no default for the test rows.
        data.test = data.test.take().or(data.default_test());
        data.validation = Some(match (data.dataset.has_recordings(), data.dataset.has_values()) {
            (true, _) => HoldOut::Recordings(amount),
            (false, true) => HoldOut::Random(amount),
            (false, false) => HoldOut::Stratified(amount),
        });
    }
    preset
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::TestRows;
    use crate::preset;

    #[test]
    fn validation_rows_are_whole_recordings_beside_the_default_test_rows() {
        let mut activity = preset::find("activity").unwrap();
        activity.data.test = None;
        let data = validated(&activity).data;
        assert_eq!(data.validation, Some(HoldOut::Recordings(Amount::Fraction(0.2))));
        assert_eq!(data.test, Some(TestRows::Recordings(Amount::Fraction(0.2))));
        let digits = validated(&preset::find("digits").unwrap()).data;
        assert_eq!(digits.validation, Some(HoldOut::Stratified(Amount::Fraction(0.2))));
    }
}
