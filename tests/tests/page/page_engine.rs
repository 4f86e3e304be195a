//! The engine inside of pages is that of the sources.

use std::process::Command;

use thimble_tests::command::Finished;
use thimble_tests::workspace::root;

#[test]
fn the_committed_module_is_built_from_the_sources() {
    let script = root().join("host-trainer/wasm/build");
    let checked = Finished::of(Command::new("bash").arg(script).arg("--check")).success();
    println!("{}", checked.stdout);
}
