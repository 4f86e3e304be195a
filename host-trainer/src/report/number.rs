//! Number formatting.

/// Formats a whole number with thousands separators.
pub fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3 + 1);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Formats a number of bytes.
pub fn bytes(count: u64) -> String {
    format!("{} bytes", grouped(count))
}

/// Formats a share in percent with two decimals; a dash if it is not finite.
pub fn percent(share: f64) -> String {
    match share.is_finite() {
        true => format!("{:.2} %", share * 100.0),
        false => "–".to_string(),
    }
}

/// Formats a measured number with three significant digits and a minus sign (−); a dash if it is
/// not finite.
pub fn significant(value: f64) -> String {
    let magnitude = value.abs();
    let text = match magnitude {
        m if !m.is_finite() => return "–".to_string(),
        0.0 => return "0".to_string(),
        m if !(1e-3..1e7).contains(&m) => format!("{m:.2e}").replace('-', "−"),
        m if m >= 999.5 => grouped(m.round() as u64),
        m => {
            // Exponent after rounding: 0.9996 is 1.00.
            let exponent = format!("{m:.2e}").split_once('e').and_then(|(_, e)| e.parse().ok());
            let decimals = (2 - exponent.unwrap_or(0_i32)).max(0) as usize;
            format!("{m:.decimals$}")
        }
    };
    if value < 0.0 { format!("−{text}") } else { text }
}

/// Formats a coefficient of determination.
pub fn r_squared(value: f64) -> String {
    match value.is_finite() {
        true => format!("{value:.4}").replace('-', "−"),
        false => "–".to_string(),
    }
}

/// Formats a duration with a suitable number of digits.
pub fn seconds(value: f64) -> String {
    match value {
        v if !v.is_finite() => "–".to_string(),
        v if v < 1e-3 => format!("{:.0} µs", v * 1e6),
        v if v < 1.0 => format!("{:.0} ms", v * 1000.0),
        v if v < 10.0 => format!("{v:.2} s"),
        v if v < 120.0 => format!("{v:.0} s"),
        v => format!("{} min {:.0} s", (v / 60.0) as u64, v % 60.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!([0, 999, 1000, 1234567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(
            [percent(1.0), percent(0.97532), percent(f64::NAN)],
            ["100.00 %", "97.53 %", "–"]
        );
        assert_eq!(
            [7.6e-5, 0.0123, 1.5, 75.2, 130.0].map(seconds),
            ["76 µs", "12 ms", "1.50 s", "75 s", "2 min 10 s"]
        );
        assert_eq!([1.0, -2.9217, f64::NAN].map(r_squared), ["1.0000", "−2.9217", "–"]);
    }

    #[test]
    fn measured_numbers_have_three_digits() {
        let cases = [
            (-0.012_34, "−0.0123"),
            (1.5, "1.50"),
            (123.4, "123"),
            (0.9996, "1.00"),
            (9.996, "10.0"),
            (999.7, "1,000"),
            (251_767.1, "251,767"),
            (7.665_973e10, "7.67e10"),
            (0.0, "0"),
            (0.000_262, "2.62e−4"),
            (-2e-7, "−2.00e−7"),
            (f64::NAN, "–"),
        ];
        for (value, text) in cases {
            assert_eq!(significant(value), text, "{value}");
        }
    }
}
