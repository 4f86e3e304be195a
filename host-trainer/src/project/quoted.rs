//! Words as strings of TOML and Rust.

/// Words as strings of TOML and Rust, with commas between them.
pub fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ")
}
