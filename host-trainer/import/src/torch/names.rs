//! Names of modules in a state dict.

use std::collections::BTreeSet;

use thimble_support::foreign_text::shown;

use super::StateDict;

/// Number of tensors that a note names.
const SHOWN: usize = 8;

/// Returns a note on tensors of no module, such as buffers that `forward` uses.
pub(super) fn left_out(all: &StateDict, modules: &[String]) -> Option<String> {
    const PARTS: [&str; 5] =
        ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"];
    let is_used = |name: &str| {
        let module = name.rsplit_once('.').filter(|(_, part)| PARTS.contains(part));
        module.is_some_and(|(module, _)| modules.iter().any(|own| own == module))
    };
    let unused: BTreeSet<&str> =
        all.keys().map(String::as_str).filter(|name| !is_used(name)).collect();
    (!unused.is_empty()).then(|| {
        let names: Vec<&str> = unused.into_iter().take(SHOWN).collect();
        format!(
            "tensors of no layer are left out: {}. If `forward` uses them, such as for a normalization, \
             import the model through ONNX",
            shown(&names.join(", "))
        )
    })
}

/// Returns the names of the modules with weights, numbers in them in numerical order.
pub(super) fn modules(all: &StateDict) -> Vec<String> {
    let names: BTreeSet<&str> =
        all.keys().filter_map(|name| name.strip_suffix(".weight")).collect();
    // Batch normalization without γ has only statistics.
    let plain = all.keys().filter_map(|name| name.strip_suffix(".running_mean"));
    let mut names: Vec<String> = names.into_iter().chain(plain).map(str::to_string).collect();
    names.sort_by_cached_key(|name| numerical(name));
    names.dedup();
    names
}

/// Splits a name such that numbers compare as numbers.
fn numerical(name: &str) -> Vec<(String, u64)> {
    let part = |part: &str| {
        let text = part.trim_end_matches(|c: char| c.is_ascii_digit());
        let number = part.get(text.len()..).unwrap_or_default();
        (text.to_string(), number.parse().unwrap_or(0))
    };
    name.split('.').map(part).collect()
}

/// Returns a list of layers for the message, with relu between them.
pub(super) fn suggestion(modules: &[String], all: &StateDict) -> String {
    let is_dense = |name: &&String| {
        all.get(&format!("{name}.weight")).is_some_and(|weight| weight.shape.len() == 2)
    };
    let last = modules.iter().rposition(|name| is_dense(&name));
    let mut items = Vec::new();
    for (at, name) in modules.iter().enumerate() {
        if is_slopes(name, all) {
            items.push(format!("{name}(prelu)"));
            continue;
        }
        items.push(name.clone());
        let next_is_dense = modules.get(at + 1).is_none_or(|next| is_dense(&next));
        if Some(at) != last && next_is_dense {
            items.push("relu".to_string());
        }
    }
    items.join(", ")
}

/// Returns whether a module has one number per value and nothing else, as a PReLU.
pub(super) fn is_slopes(name: &str, all: &StateDict) -> bool {
    all.get(&format!("{name}.weight")).is_some_and(|weight| weight.shape.len() == 1)
        && !["bias", "running_mean"].iter().any(|part| all.contains_key(&format!("{name}.{part}")))
}
