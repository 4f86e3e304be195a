//! Files that the documents name are there.

use std::fs;
use std::path::{Path, PathBuf};

use thimble_tests::workspace::{read, root};

/// Folders at which a path in a document may begin.
const FOLDERS: [&str; 5] = ["firmware/", "host-trainer/", "model-format/", "tests/", ".github/"];

/// The documents in a folder, relative to the root of the repository.
fn documents(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join(folder)).expect("a folder") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().unwrap_or_default();
        let path = folder.join(&name);
        // What is built, and what a user's commands have written.
        if name.starts_with('.') || ["target", "runs", "corpus"].contains(&name.as_str()) {
            continue;
        }
        match entry.file_type().expect("its type").is_dir() {
            true => found.extend(documents(&path)),
            false if name.ends_with(".md") => found.push(path),
            false => {}
        }
    }
    found
}

/// Paths in code spans, from the root or from the document's folder, and targets of links.
fn named<'t>(document: &Path, text: &'t str) -> Vec<(&'t str, PathBuf)> {
    let spans = text.split('`').skip(1).step_by(2);
    let is_plain =
        |span: &&str| span.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
    // Words in capitals stand for a name: `firmware/boards/BOARD`.
    let is_example = |span: &str| {
        let mut parts = span.split('/');
        parts.any(|part| !part.contains('.') && part.chars().any(|c| c.is_ascii_uppercase()))
    };
    let folder = document.parent().unwrap_or(Path::new(""));
    let place = |span: &str| match root().join(span).exists() {
        true => PathBuf::from(span),
        false => folder.join(span),
    };
    let from_root = spans
        .filter(is_plain)
        .filter(|span| FOLDERS.iter().any(|folder| span.starts_with(folder)) && !is_example(span))
        .map(|span| (span, place(span)));
    let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let links = links
        .filter(|link| !link.contains("://") && !link.starts_with('#'))
        .map(|link| (link, folder.join(link.split('#').next().unwrap_or_default())));
    from_root.chain(links).collect()
}

#[test]
fn every_file_that_a_document_names_is_there() {
    let (mut checked, mut missing) = (0, Vec::new());
    for document in documents(Path::new("")) {
        let text = String::from_utf8(read(root().join(&document))).expect("UTF-8");
        // A fence is three marks, and what lies in it no span.
        let prose: Vec<&str> = text.split("\n```").step_by(2).collect();
        for (name, path) in prose.iter().flat_map(|part| named(&document, part)) {
            checked += 1;
            if !root().join(&path).exists() {
                missing.push(format!("{}: {name}", document.display()));
            }
        }
    }
    assert!(checked > 200, "{checked}");
    assert!(missing.is_empty(), "{missing:#?}");
}
