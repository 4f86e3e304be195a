//! C literals and arrays.

use std::fmt::Write;

/// Longest line of an array.
const LINE: usize = 100;

/// An integer as an expression of its type: the least of 32 bits is no literal of C.
pub fn integer(value: i64) -> String {
    match value {
        -2_147_483_648 => "(-2147483647 - 1)".into(),
        value => value.to_string(),
    }
}

/// A binary32 number, with as many digits as tell it from all others.
pub fn float(value: f32) -> String {
    format!("{value:e}f")
}

/// A text as a string literal: what is not printable ASCII as octal bytes.
pub fn string(text: &str) -> String {
    let mut literal = String::from("\"");
    for byte in text.bytes() {
        match byte {
            // `?` may be part of a trigraph.
            b'"' | b'\\' | b'?' => {
                literal.push('\\');
                literal.push(byte.into());
            }
            b' '..=b'~' => literal.push(byte.into()),
            _ => {
                let _ = write!(literal, "\\{byte:03o}");
            }
        }
    }
    literal + "\""
}

/// A text inside a comment: what could end or warn of one is replaced.
pub fn comment(text: &str) -> String {
    let kept = |c: char| c.is_ascii_alphanumeric() || " -_.,:+()%/".contains(c);
    let text = text.replace('°', "deg ").replace(['µ', 'μ'], "u").replace('²', "2");
    text.chars().map(|c| if kept(c) { c } else { '_' }).collect()
}

/// A constant array in program memory.
///
/// `element` is its type, `values` its elements as C expressions.
pub fn array(
    macros: &str,
    element: &str,
    name: &str,
    values: impl ExactSizeIterator<Item = String>,
) -> String {
    let len = values.len();
    let mut text =
        format!("static const {element} {name}[{len}] {macros}_FLASH {macros}_ALIGNED = {{");
    let mut column = LINE;
    for (index, value) in values.enumerate() {
        let end = if index + 1 == len { "" } else { "," };
        if column + value.len() + 2 > LINE {
            text += "\n   ";
            column = 3;
        }
        let _ = write!(text, " {value}{end}");
        column += value.len() + 1 + end.len();
    }
    text + "\n};\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_say_what_they_stand_for() {
        assert_eq!(integer(-5), "-5");
        assert_eq!(integer(i32::MIN.into()), "(-2147483647 - 1)");
        assert_eq!(float(1.0), "1e0f");
        assert_eq!(float(1.0 / 255.0), "3.921569e-3f");
        assert_eq!(string("a\"b\\ ?\u{e9}\n1"), r#""a\"b\\ \?\303\251\0121""#);
        assert_eq!(comment("a*/b??/\n(c)"), "a_/b__/_(c)");
    }

    #[test]
    fn every_float_is_read_back() {
        for bits in (0..0x7f80_0000u32).step_by(65_537) {
            let value = f32::from_bits(bits);
            let text = float(value);
            assert_eq!(
                text.trim_end_matches('f').parse::<f32>().map(f32::to_bits),
                Ok(bits),
                "{text}"
            );
        }
    }

    #[test]
    fn long_arrays_are_broken_into_lines() {
        let text = array("N", "int8_t", "n_w", (0..40).map(|k: i32| integer((-100 - k).into())));
        assert!(
            text.starts_with("static const int8_t n_w[40] N_FLASH N_ALIGNED = {\n    -100, -101,")
        );
        assert!(text.ends_with(" -139\n};\n"), "{text}");
        assert!(text.lines().all(|line| line.len() <= LINE), "{text}");
    }
}
