//! The place that a project takes Thimble from.

use std::path::{Path, PathBuf};

use super::quoted::quoted;

/// The place that a project takes Thimble from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The top folder of a checkout.
    Checkout(PathBuf),
    /// crates.io.
    Registry,
}

impl Source {
    /// The checkout that this program was built from if it still exists, else crates.io.
    pub fn find() -> Self {
        let is_checkout = |folder: &&Path| folder.join("firmware/engine/Cargo.toml").is_file();
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        here.ancestors()
            .find(is_checkout)
            .map_or(Source::Registry, |top| Source::Checkout(top.to_path_buf()))
    }

    /// A dependency on a crate of Thimble as TOML, with the other source in a comment.
    pub(super) fn dependency(&self, name: &str, folder: &str, features: &[&str]) -> String {
        let features = match features {
            [] => String::new(),
            some => format!(", features = [{}]", quoted(some)),
        };
        let version = env!("CARGO_PKG_VERSION");
        let released = format!("{name} = {{ version = \"{version}\"{features} }}");
        match self {
            Source::Checkout(top) => {
                let path = toml::Value::from(top.join(folder).display().to_string());
                format!(
                    "# From the checkout that made this project; from crates.io:\n\
                     # {released}\n{name} = {{ path = {path}{features} }}"
                )
            }
            Source::Registry => format!(
                "# From crates.io; from a checkout of Thimble:\n\
                 # {name} = {{ path = \"thimble/{folder}\"{features} }}\n{released}"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_name_both_sources() {
        let checkout = Source::Checkout("/a \"b\"".into());
        let text = checkout.dependency("thimble-nn", "firmware/engine", &["defmt"]);
        let parsed: toml::Table = toml::from_str(&text).unwrap();
        assert_eq!(parsed["thimble-nn"]["path"].as_str(), Some("/a \"b\"/firmware/engine"));
        assert!(text.contains("# thimble-nn = { version = "), "{text}");
        let text = Source::Registry.dependency("thimble-nn", "firmware/engine", &[]);
        let parsed: toml::Table = toml::from_str(&text).unwrap();
        assert!(parsed["thimble-nn"]["version"].is_str(), "{text}");
    }
}
