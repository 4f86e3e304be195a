//! The page that runs a model, and the same as a section of a report.

use std::io::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use maud::{Markup, PreEscaped, html};

use super::PageContent;
use crate::foreign_text;
use crate::report::html::page;

/// The engine as WebAssembly, which `host-trainer/wasm/build` writes.
const ENGINE: &[u8] = include_bytes!("engine.wasm");

/// The scripts, in the order in which they use each other.
const SCRIPTS: [&str; 15] = [
    include_str!("script/engine.js"),
    include_str!("script/elements.js"),
    include_str!("script/model.js"),
    include_str!("script/float.js"),
    include_str!("script/answer.js"),
    include_str!("script/features.js"),
    include_str!("script/drawing.js"),
    include_str!("script/csv.js"),
    include_str!("script/rows.js"),
    include_str!("script/plane.js"),
    include_str!("script/costs.js"),
    include_str!("script/layers.js"),
    include_str!("script/link.js"),
    include_str!("script/board.js"),
    include_str!("script/main.js"),
];

/// Returns a page that runs the model: one self-contained file.
pub fn page_html(content: &PageContent) -> String {
    let title = format!("{}: try it", content.name);
    let body = html! {
        header { h1 { (title) } }
        p class="faint" {
            "The engine of the device runs in this page: its answers have the same bytes as on a \
             board. Nothing is sent anywhere."
        }
        (playground(content))
    };
    page(&title, body)
}

/// Returns the part of a page that runs the model.
pub fn playground(content: &PageContent) -> Markup {
    // No name can end the element of the script.
    let data = foreign_text::json(&content.data.to_string()).replace('<', "\\u003c");
    html! {
        style { (PreEscaped(include_str!("playground.css"))) }
        div id="playground" { p { "Loading the engine …" } }
        noscript { p class="note warn" { "This page needs JavaScript, which is part of the file." } }
        script id="playground-data" type="application/json" { (PreEscaped(data)) }
        script id="playground-engine" type="text/plain" { (STANDARD.encode(packed(ENGINE))) }
        script { (PreEscaped(format!("\"use strict\";\n(() => {{\n{}}})();\n", SCRIPTS.concat()))) }
    }
}

/// Packs bytes by gzip, which browsers unpack.
fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    // Writing to a vector cannot fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Largest size of a page without its model, in bytes.
    const LIMIT: usize = 250_000;

    #[test]
    fn a_page_without_a_model_is_small_and_no_name_is_markup() {
        let name = "</script><b>&".to_string();
        let content = PageContent { data: json!({ "model": name }), name };
        let page = page_html(&content);
        println!("{} bytes", page.len());
        assert!(page.len() <= LIMIT, "{} bytes", page.len());
        assert!(!page.contains("<b>&"));
        let closed = page.matches("</script>").count();
        assert_eq!(closed, page.matches("<script").count());
        assert!(!page.contains("src="), "nothing is fetched");
    }
}
