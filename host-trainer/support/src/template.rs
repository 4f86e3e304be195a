//! Templates: text with `{{name}}` where values go.

/// Replaces each `{{name}}` of a template by the value of that name. Values are not searched again.
///
/// A name without a value stays as it is; a test renders every template and finds none.
pub fn render(template: &str, values: &[(&str, String)]) -> String {
    let mut text = String::with_capacity(template.len() * 2);
    let mut rest = template;
    while let Some((before, behind)) = rest.split_once("{{") {
        text += before;
        let found = behind.split_once("}}").and_then(|(name, behind)| {
            values
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| (value.as_str(), behind))
        });
        rest = match found {
            Some((value, behind)) => {
                text += value;
                behind
            }
            None => {
                text += "{{";
                behind
            }
        };
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::render;

    #[test]
    fn values_go_where_their_names_are_and_are_not_searched_again() {
        let values = [("a", "1".to_string()), ("b", "{{a}}".to_string())];
        assert_eq!(render("{{a}} {{b}} {{a}}", &values), "1 {{a}} 1");
        assert_eq!(render("{{c}} {{ {x} {{a}}{{", &values), "{{c}} {{ {x} 1{{");
        assert_eq!(render("", &values), "");
    }
}
