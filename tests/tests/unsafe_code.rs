//! `unsafe` stands in kernels and in what starts a board, nowhere else, and each says why it is
//! sound. Clippy asks the same of what it compiles; kernels for other cores and boards that are not
//! built here are read all the same.

use std::path::{Path, PathBuf};

use thimble_tests::workspace::{read, root};

/// Where `unsafe` may stand: files, and folders with all that is in them.
const ALLOWED: [&str; 5] = [
    "firmware/src/kernels",
    "firmware/boards",
    "host-trainer/src/network/product.rs",
    "host-trainer/src/network/transpose.rs",
    "host-trainer/templates",
];

/// The Rust files below a folder, without what is built.
fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    let entries = folder.read_dir().unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_name().unwrap_or_default();
        if path.is_dir() && name != "target" && !name.as_encoded_bytes().starts_with(b".") {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// A line without its comment and what stands in quotation marks.
fn code(line: &str) -> String {
    let line = line.split("//").next().unwrap_or_default();
    line.split('"').step_by(2).collect()
}

/// Whether a line begins a block, function, implementation or list of functions that is unsafe: not
/// the type of a pointer to a function, and not an attribute.
fn needs_reason(code: &str) -> bool {
    code.match_indices("unsafe ").any(|(at, _)| {
        let before = code[..at].chars().last();
        let behind = code[at + 7..].trim_start();
        let is_pointer = behind.strip_prefix("extern").map_or(behind, str::trim_start);
        before.is_none_or(|before| !before.is_alphanumeric() && before != '_')
            && !is_pointer.starts_with("fn(")
    })
}

/// Whether the comment above this line, or above the statement that it is a part of, gives a reason.
fn has_reason(lines: &[&str], at: usize) -> bool {
    let gives_reason = |line: &str| line.contains("SAFETY:") || line.contains("# Safety");
    let mut in_comment = false;
    for line in lines[..at].iter().rev() {
        let trimmed = line.trim();
        let is_comment = trimmed.starts_with("//");
        if is_comment && gives_reason(trimmed) {
            return true;
        }
        in_comment |= is_comment;
        // The comment has ended above, or another statement has.
        let ends = |end: &str| code(trimmed).trim_end().ends_with(end);
        if !is_comment
            && (in_comment || trimmed.is_empty() || [";", "}", "{", ","].into_iter().any(ends))
            && !trimmed.starts_with('#')
        {
            break;
        }
    }
    gives_reason(lines[at])
}

#[test]
fn unsafe_code_is_where_it_may_be_and_says_why() {
    let mut files = Vec::new();
    for folder in ["model-format", "firmware", "host-trainer", "tests"] {
        rust_files(&root().join(folder), &mut files);
    }
    let (mut found, mut wrong) = (0, Vec::new());
    for path in &files {
        let name = path.strip_prefix(root()).expect("below the top").display().to_string();
        let text = String::from_utf8(read(path)).expect("Rust is UTF-8");
        let lines: Vec<&str> = text.lines().collect();
        for at in (0..lines.len()).filter(|at| needs_reason(&code(lines[*at]))) {
            found += 1;
            if !ALLOWED.iter().any(|allowed| name.starts_with(allowed)) {
                wrong.push(format!("{name}:{}: not the place for unsafe code", at + 1));
            }
            if !has_reason(&lines, at) {
                wrong.push(format!("{name}:{}: no `SAFETY:` line above", at + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(found > 50, "{found}: the kernels have more");
}

#[test]
fn what_gives_no_reason_is_noticed() {
    let checks = |text: &str| {
        let lines: Vec<&str> = text.lines().collect();
        let mut unsafe_lines = (0..lines.len()).filter(|at| needs_reason(&code(lines[*at])));
        unsafe_lines.all(|at| has_reason(&lines, at))
    };
    assert!(checks("// SAFETY: it is.\nlet x = unsafe { f() };"));
    assert!(checks("// SAFETY: it is,\n// indeed.\nlet x =\n    unsafe { f() };"));
    assert!(checks("/// # Safety\n/// Never.\n#[inline]\npub unsafe fn f() {}"));
    assert!(checks("type F = unsafe extern \"C\" fn(u32);\n// unsafe { }\n\"unsafe { }\""));
    assert!(!checks("let x = unsafe { f() };"));
    assert!(!checks("// SAFETY: it is.\nlet y = 1;\nlet x = unsafe { f() };"));
    assert!(!checks("// SAFETY: it is.\nunsafe { f() };\nunsafe { f() };"));
    assert!(!checks("/// Does.\npub unsafe fn f() {}"));
    assert!(!checks("// Why not.\nunsafe impl Send for X {}"));
}
