//! The static library for C: compiled by the program, linked by gcc, run in QEMU.

use std::process::Command;

use host_trainer::pack::{Core, pack};
use model_format::Model;
use object::{Object, ObjectSymbol};
use thimble_nn::{Answer, Engine};
use thimble_tests::c_target::CTarget;
use thimble_tests::command::{Finished, host_trainer};
use thimble_tests::emulated::default_model;
use thimble_tests::variant::variant;
use thimble_tests::workspace::{empty_dir, read, write};

/// A line of outputs as the program prints it.
fn line(model: &[u8], input: &[u8]) -> String {
    let model = Model::parse(model).expect("a valid model");
    let mut scratch = vec![0; model.scratch_len()];
    let mut engine = Engine::new(model.clone(), &mut scratch).expect("enough scratch memory");
    let output = engine.run_bytes(input).expect("the right length");
    let answer = Answer::new(&model, output);
    let values: Vec<String> = answer.values().map(|value| value.to_string()).collect();
    format!("0 {} 0 0 {}", values.join(" "), answer.class().expect("a class").label())
}

fn check(target: CTarget, core: Core, name: &str) {
    let folder = empty_dir(&format!("export-lib-{name}"));
    let arguments = ["export", "lib", "--for", name, "-o", "."];
    let said = Finished::of(&mut host_trainer(&folder, arguments)).success().stdout;
    assert!(said.contains("libthimble.a"), "{said}");
    let packed = |model: &[u8]| {
        pack(&Model::parse(model).expect("a valid model"), core).expect("it can be packed")
    };
    let (first, second) = (packed(&default_model()), packed(&variant(200_000)));
    let input: Vec<u8> = (0..64u32).map(|k| (k * 37 % 251) as u8).collect();
    for (name, bytes) in [("first", &first), ("second", &second), ("input", &input)] {
        let text: String = bytes.iter().map(|byte| format!("{byte},")).collect();
        write(folder.join(format!("{name}.inc")), text + "\n");
    }
    write(folder.join("library.c"), include_str!("../../src/c_platform/library.c"));
    let sources = ["library.c".to_string(), "libthimble.a".into()];
    let printed = target.build_and_run(&folder, &sources, "-O2");
    let (first, second) = (line(&first, &input), line(&second, &input));
    assert_ne!(first, second, "the models differ");
    // Uninitialized, then success, 64 inputs; each error by its code; the built-in model, then the
    // updated one, then the built-in one again.
    let expected = [
        "4 0 0 0 64 0",
        &first,
        "2 2 1 1 8 2 5 7 3 the scratch memory is too small for the model",
        "0 0 -1",
        "15 12 0 13 13 0",
        &first,
        "0 0",
        &second,
        "0 0 -1",
        &first,
    ];
    let lines: Vec<&str> = printed.lines().map(str::trim_end).collect();
    assert_eq!(lines, expected, "{name}");
}

#[test]
fn cortex_m0() {
    check(CTarget::M0, Core::CortexM0, "cortex-m0");
}

#[test]
fn cortex_m4f() {
    check(CTarget::M4F, Core::CortexM4, "cortex-m4");
}

#[test]
fn cortex_m3() {
    check(CTarget::M3, Core::CortexM3, "cortex-m3");
}

#[test]
fn cortex_m33() {
    check(CTarget::M33, Core::CortexM33, "cortex-m33");
}

#[test]
fn cortex_m55() {
    check(CTarget::M55, Core::CortexM55, "cortex-m55");
}

#[test]
fn rv32() {
    check(CTarget::Rv32, Core::Rv32, "rv32");
}

/// One object; all that it defines begins with `thimble_`, and it asks for little of C.
#[test]
fn no_symbol_collides() {
    let folder = empty_dir("export-lib-symbols");
    let arguments = ["export", "lib", "--for", "cortex-m4", "-o", "."];
    Finished::of(&mut host_trainer(&folder, arguments)).success();
    let archiver = |operation: &str| {
        let mut command = Command::new("arm-none-eabi-ar");
        command.args([operation, "libthimble.a"]).current_dir(&folder);
        Finished::of(&mut command).success().stdout
    };
    let members = archiver("t");
    assert_eq!(members.lines().count(), 1, "one object: {members}");
    archiver("x");
    let data = read(folder.join(members.trim_end()));
    let object = object::File::parse(&*data).expect("an ELF file");
    let mut needed = Vec::new();
    for symbol in object.symbols().filter(|symbol| symbol.is_global()) {
        let name = symbol.name().expect("a name");
        if symbol.is_undefined() {
            needed.push(name);
        } else {
            assert!(name.starts_with("thimble_"), "{name}");
        }
    }
    let library = ["memcmp", "memcpy", "memset", "fmaxf", "fminf"];
    needed.retain(|name| !library.contains(name) && !name.starts_with("__aeabi_mem"));
    assert!(needed.is_empty(), "nothing panics, and nothing else is needed: {needed:?}");
    let refused = ["export", "lib", "--for", "any", "-o", "x"];
    Finished::of(&mut host_trainer(&folder, refused)).refused(1, &["one core", "--for cortex-m4"]);
}
