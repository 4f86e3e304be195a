//! The prefix of every symbol of an exported model.

use std::fmt;

/// Longest name; C99 guarantees 31 significant characters of an external symbol, which starts with it.
const MAX_LEN: usize = 40;

/// Prefix of the symbols of a model, and the name of its files: a C identifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

/// Reason why a text is no name of an exported model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{}` cannot be the name of a model in C: {problem}. Give a name of letters, digits and `_` that \
     begins with a letter, such as --name digits", name.escape_debug()
)]
pub struct NameError {
    name: String,
    problem: &'static str,
}

/// Keywords of C99, C11 and C++, and names of standard headers, which a header of the same name
/// would hide.
const RESERVED: &str = " alignas alignof and and_eq asm auto bitand bitor bool break case catch char \
    char16_t char32_t char8_t class co_await co_return co_yield compl concept const const_cast \
    consteval constexpr constinit continue decltype default delete do double dynamic_cast else enum \
    explicit export extern false float for friend goto if inline int long main mutable namespace new \
    noexcept not not_eq nullptr operator or or_eq private protected public register reinterpret_cast \
    requires restrict return short signed sizeof static static_assert static_cast struct switch \
    template this thread_local throw true try typedef typeid typename union unsigned using virtual \
    void volatile wchar_t while xor xor_eq \
    assert complex ctype errno fenv inttypes iso646 limits locale math setjmp signal stdalign stdarg \
    stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string tgmath threads time uchar wchar \
    wctype arm_acle arm_mve Arduino thimble ";

impl Name {
    /// Checks a name.
    ///
    /// # Errors
    /// [`NameError`] for a text that is no C identifier, or one that C, C++ or a standard header has.
    pub fn new(name: &str) -> Result<Self, NameError> {
        let refused = |problem| Err(NameError { name: name.into(), problem });
        let is_letter = |c: char| c.is_ascii_alphabetic();
        if name.is_empty() {
            return refused("it is empty");
        }
        if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return refused("it has a character other than letters, digits and `_`");
        }
        if !name.starts_with(is_letter) {
            return refused("it does not begin with a letter");
        }
        if name.contains("__") {
            return refused("C++ reserves names with `__`");
        }
        if name.len() > MAX_LEN {
            return refused("it is longer than 40 characters");
        }
        let lower = name.to_ascii_lowercase();
        if RESERVED.contains(&format!(" {name} ")) || RESERVED.contains(&format!(" {lower} ")) {
            return refused("C or C++ uses this word or has a header of this name");
        }
        Ok(Name(name.into()))
    }

    /// Makes a name of that of a model: `_` for each character that no identifier has.
    ///
    /// # Errors
    /// [`NameError`] if the result is no name.
    pub fn of_model(name: &str) -> Result<Self, NameError> {
        let mut text = String::new();
        for c in name.chars() {
            let c = if c.is_ascii_alphanumeric() { c } else { '_' };
            if c != '_' || !text.ends_with('_') {
                text.push(c);
            }
        }
        Name::new(text.trim_end_matches('_'))
            .map_err(|error| NameError { name: name.into(), ..error })
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name in upper case, the prefix of macros.
    pub fn upper(&self) -> String {
        self.0.to_ascii_uppercase()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_names_and_other_texts_are_not() {
        for good in ["digits", "mnist_16k", "A1", "integer"] {
            assert_eq!(Name::new(good).map(|name| name.0), Ok(good.to_string()));
        }
        for (bad, problem) in [
            ("", "empty"),
            ("16k", "begin with a letter"),
            ("_x", "begin with a letter"),
            ("a-b", "other than letters"),
            ("größe", "other than letters"),
            ("a__b", "reserves"),
            ("int", "uses this word"),
            ("Class", "uses this word"),
            ("string", "header of this name"),
            (&"x".repeat(41), "longer"),
            ("a\n*/", "other than letters"),
        ] {
            let error = Name::new(bad).unwrap_err().to_string();
            assert!(error.contains(problem) && error.contains("--name digits"), "{error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn the_name_of_a_model_becomes_an_identifier() {
        let of = |name: &str| Name::of_model(name).map(|name| name.0);
        assert_eq!(of("mnist-16k"), Ok("mnist_16k".into()));
        assert_eq!(of("my  model (2)"), Ok("my_model_2".into()));
        let error = of("784-128-10").unwrap_err().to_string();
        assert!(error.contains("`784-128-10`"), "{error}");
        of("").unwrap_err();
        of("---").unwrap_err();
    }
}
