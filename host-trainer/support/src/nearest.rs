//! Suggestions for misspelled words by Jaro–Winkler similarity.

/// Returns the candidate that is most similar to the word, if any is similar enough.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        // Below this, words only share a few letters.
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_found_and_nonsense_is_not() {
        let known = ["digits", "mnist"];
        assert_eq!(nearest("digit", known), Some("digits"));
        assert_eq!(nearest("minst", known), Some("mnist"));
        assert_eq!(nearest("cifar", known), None);
    }
}
