//! Raw ADC counts: 16-bit integers with a calibration line to real numbers.

use serde::{Deserialize, Serialize};

/// Calibration line of one sensor channel's raw ADC counts, through two points. It may fall, as for
/// an NTC thermistor in the upper half of a divider.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Raw {
    /// Smallest and largest count, such as 0 and 4095 of a 12-bit ADC. Subtract 32768 from unsigned
    /// 16-bit counts.
    pub counts: [i16; 2],
    /// Real numbers at these two counts.
    pub range: [f64; 2],
}

impl Raw {
    /// Returns the problem of an invalid line.
    pub fn problem(&self) -> Option<String> {
        let [least, most] = self.counts;
        if least >= most {
            return Some(format!("counts must go up, but are {least} and {most}"));
        }
        let [low, high] = self.range;
        if low == high || !(high - low).is_finite() {
            return Some(format!("range must go up or down, but is {low} to {high}"));
        }
        None
    }

    /// Returns the real difference per count.
    pub fn slope(&self) -> f64 {
        let [least, most] = self.counts.map(f64::from);
        (self.range[1] - self.range[0]) / (most - least)
    }

    /// Returns the real number at a count of 0.
    pub fn intercept(&self) -> f64 {
        self.range[0] - self.slope() * f64::from(self.counts[0])
    }

    /// Converts a count to a real number.
    pub fn real(&self, count: i16) -> f64 {
        self.intercept() + self.slope() * f64::from(count)
    }

    /// Converts a real number to the nearest count, saturating at the smallest and largest count.
    pub fn count(&self, real: f64) -> i16 {
        let [least, most] = self.counts.map(f64::from);
        let count = least + (real - self.range[0]) / self.slope();
        // In range of i16, because both bounds are.
        count.round().clamp(least, most) as i16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADC: Raw = Raw { counts: [0, 4095], range: [-4.0, 4.0] };

    #[test]
    fn counts_are_the_nearest_and_stay_within() {
        assert_eq!((ADC.count(-4.0), ADC.count(4.0), ADC.count(0.0)), (0, 4095, 2048));
        assert_eq!((ADC.count(-9.0), ADC.count(9.0)), (0, 4095));
        for count in [0, 1, 2047, 4094, 4095] {
            assert_eq!(ADC.count(ADC.real(count)), count);
        }
    }

    #[test]
    fn lines_may_fall() {
        let ntc = Raw { counts: [100, 3900], range: [60.0, -10.0] };
        assert_eq!(ntc.problem(), None);
        assert_eq!((ntc.count(60.0), ntc.count(-10.0), ntc.count(25.0)), (100, 3900, 2000));
        assert_eq!((ntc.count(99.0), ntc.count(-99.0)), (100, 3900));
        for count in [100, 101, 2500, 3900] {
            assert_eq!(ntc.count(ntc.real(count)), count);
        }
    }

    #[test]
    fn lines_must_go_somewhere() {
        assert_eq!(ADC.problem(), None);
        for raw in [
            Raw { counts: [5, 5], ..ADC },
            Raw { range: [4.0, 4.0], ..ADC },
            Raw { range: [f64::NAN, 4.0], ..ADC },
            Raw { range: [0.0, f64::INFINITY], ..ADC },
        ] {
            assert!(raw.problem().unwrap().contains("must go"), "{raw:?}");
        }
    }
}
