//! Operators and their parameters in small float models: each is taken with the outputs of its own
//! framework.
//!
//! `tests/golden/README.md` gives the sources of the models.

use host_trainer::network::Tape;
use thimble_import::{Options, assemble, read};
use thimble_tests::workspace::root;

/// Features of a row.
const WIDTH: usize = 6;

fn floats(name: &str) -> Vec<f32> {
    let path = root().join("tests/golden/float").join(name);
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

/// Returns the outputs of the imported network.
fn outputs(name: &str, inputs: &[f32]) -> Result<Vec<f32>, String> {
    let path = root().join("tests/golden/float").join(name);
    let file = read(&path, &Options::default()).map_err(|error| error.to_string())?;
    let assembled = assemble(&file).map_err(|error| error.to_string())?;
    let mut tape = Tape::forward_only(&assembled.network, 1);
    let mut all = Vec::new();
    for row in inputs.chunks_exact(WIDTH) {
        for (at, x) in tape.input_mut(1).iter_mut().enumerate() {
            *x = match &assembled.scaling {
                Some(scaling) => (row[at] - scaling.offsets[at]) * scaling.factors[at],
                None => row[at],
            };
        }
        tape.forward(&assembled.network, 1);
        let mut row = tape.outputs(1).to_vec();
        assembled.network.head().apply(&mut row);
        all.extend(row);
    }
    Ok(all)
}

#[test]
fn outputs_are_those_of_the_framework() {
    let folder = std::fs::read_dir(root().join("tests/golden/float")).expect("it is there");
    let names = folder.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| !name.ends_with(".f32")).collect();
    names.sort();
    assert!(names.len() >= 25, "{names:?}");
    let inputs = floats("input.f32");
    let mut failures = Vec::new();
    for name in names {
        let expected = floats(&format!("{name}.f32"));
        let found = match outputs(&name, &inputs) {
            Ok(found) => found,
            Err(error) => {
                failures.push(format!("{name}: {error}"));
                continue;
            }
        };
        assert_eq!(found.len(), expected.len(), "{name}: outputs");
        // 1e-5 of the largest output: some dozens of float32 sums, whose order differs.
        let largest = expected.iter().fold(1.0_f32, |largest, y| largest.max(y.abs()));
        let differences = found.iter().zip(&expected).map(|(a, b)| (a - b).abs());
        let difference = differences.fold(0.0, f32::max);
        if difference > 1e-5 * largest || found.iter().any(|y| y.is_nan()) {
            failures.push(format!("{name}: {difference} of {largest}"));
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}
