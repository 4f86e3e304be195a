//! Exported C: every byte the engine's, for compilers of this computer.

use std::process::Command;

use model_format::Model;
use thimble_export::{CSource, Name};
use thimble_tests::c_models::mixed_model;
use thimble_tests::c_program::Case;
use thimble_tests::c_target::{CTarget, WARNINGS};
use thimble_tests::command::{Finished, host_trainer};
use thimble_tests::emulated::default_model;
use thimble_tests::mnist;
use thimble_tests::random_model::RandomModel;
use thimble_tests::trained::mnist_model;
use thimble_tests::workspace::{empty_dir, read, write};

/// Models of all operators, and those of the extremes.
fn random_cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for seed in 0..40 {
        cases.push(Case::random(mixed_model(seed, 60), 4));
    }
    for seed in 0..24 {
        let RandomModel { spec, inputs } = RandomModel::within(seed, 100);
        let file = spec.to_bytes().expect("a valid model");
        let rows: Vec<u8> = inputs.concat().iter().map(|value| *value as u8).collect();
        cases.push(Case::of_rows(file, &rows));
    }
    cases
}

#[test]
fn random_models_by_gcc_with_checks_of_memory() {
    CTarget::HostGcc.check("export-random", &random_cases(), "-O1");
}

#[test]
fn random_models_by_clang() {
    CTarget::HostClang.check("export-random", &random_cases(), "-O2");
}

#[test]
fn golden_models() {
    let cases: Vec<Case> = thimble_tests::golden::all()
        .iter()
        .map(|golden| Case::of_rows(golden.import(), &golden.inputs))
        .collect();
    CTarget::HostGcc.check("export-golden", &cases, "-O2");
}

/// A program without any warning, as C and as C++, at each level of optimization.
#[test]
fn no_compiler_warns() {
    let folder = empty_dir("export-warnings");
    for seed in 0..16 {
        let file = mixed_model(seed, 40);
        let model = Model::parse(&file).expect("a valid model");
        let source = CSource::of(&model, &Name::new(&format!("n{seed}")).expect("an identifier"));
        for file in source.files() {
            write(folder.join(&file.path), &file.content);
        }
        let stricter =
            ["-Wshadow", "-Wcast-qual", "-Wcast-align", "-Wundef", "-Wmissing-prototypes"];
        for (compiler, arguments) in [
            ("gcc", [&["-std=c99", "-O3"], &stricter[..]].concat()),
            ("clang", [&["-std=c99", "-O3"], &stricter[..]].concat()),
            ("g++", vec!["-x", "c++", "-std=c++17", "-Os"]),
            ("clang++", vec!["-x", "c++", "-std=c++17", "-Os"]),
        ] {
            let mut command = Command::new(compiler);
            command.current_dir(&folder).args(arguments).args(WARNINGS);
            Finished::of(command.args(["-c", "-o", "object", &source.source_name])).success();
        }
    }
}

#[test]
fn two_models_share_a_program_and_a_wrong_output_is_noticed() {
    let digits = default_model();
    let mut cases = vec![Case::random(digits.clone(), 3), Case::random(mixed_model(7, 30), 3)];
    CTarget::HostGcc.check("export-two", &cases, "-O0");
    // A bias of the last layer that is wrong.
    let folder = empty_dir("export-wrong");
    cases.truncate(1);
    let sources = thimble_tests::c_program::write_program(&folder, &cases);
    let text = String::from_utf8(read(&sources[0])).expect("text");
    let first = text.find("_layer1_biases").expect("biases");
    let at = first + text[first..].find("    ").expect("values") + 4;
    write(&sources[0], format!("{}100000 + {}", &text[..at], &text[at..]));
    let names = [sources[0].display().to_string(), "main.c".into()];
    let output = CTarget::HostClang.build_and_run(&folder, &names, "-O1");
    assert!(output.contains("output: expected"), "{output}");
    assert!(output.contains("record 0, status: expected 0, got 4"), "the self-test: {output}");
}

/// Presets, trained for one epoch; those of the notebooks on MNIST are compared where their commands
/// run (`notebooks.rs`). MNIST stands in for Fashion-MNIST, whose rows have its shape.
#[test]
fn models_of_presets() {
    let folder = empty_dir("export-presets");
    // Presets take 10,000 rows for validation.
    let data = mnist::first_rows(12_288, 1_000);
    let mut cases = vec![Case::random(mnist_model(), 4)];
    for preset in [
        "digits",
        "eggcrate-adc",
        "motion",
        "u-eggcrate",
        "u-ripple",
        "u-spirals-2",
        "u-spirals-6",
        "mnist",
        "mnist-16k",
        "fashion-mnist",
    ] {
        let mut arguments = vec!["train", preset, "--set", "training.epochs=1", "-o", preset];
        if preset == "fashion-mnist" {
            arguments.extend(["--set", "data.dataset=mnist"]);
        }
        let mut program = host_trainer(&folder, arguments);
        program.env("THIMBLE_DATA", &data);
        Finished::of(&mut program).success();
        cases.push(Case::random(read(folder.join(preset).join("model.thimble")), 6));
    }
    CTarget::HostClang.check("export-preset-models", &cases, "-O1");
}

#[test]
fn the_command_line_writes_checks_and_refuses() {
    let folder = empty_dir("export-command");
    write(folder.join("model.thimble"), default_model());
    let export = |arguments: &[&str]| {
        let fixed = ["export", "c", "model.thimble"];
        Finished::of(&mut host_trainer(&folder, fixed.iter().chain(arguments)))
    };
    let done = export(&["-o", "out"]).success();
    assert!(done.stdout.contains("digits.h") && done.stdout.contains("scratch"), "{done:#?}");
    let first = read(folder.join("out/digits.c"));
    export(&["-o", "out"]).success();
    export(&["-o", "again"]).success();
    assert_eq!(read(folder.join("again/digits.c")), first, "the same text every time");
    write(folder.join("out/digits.h"), "mine");
    export(&["-o", "out"]).refused(1, &["digits.h", "other content", "--force"]);
    assert_eq!(read(folder.join("out/digits.h")), b"mine");
    export(&["-o", "out", "--force"]).success();
    assert_ne!(read(folder.join("out/digits.h")), b"mine");
    export(&["-o", "x", "--name", "2nd"]).refused(1, &["`2nd`", "begin with a letter", "--name"]);
    export(&["-o", "x", "--name", "string"]).refused(1, &["header of this name"]);
    export(&["-o", "x", "--for", "Z80"]).refused(1, &["unknown chip", "nRF52840"]);
    export(&["-o", "x", "--for", "nRF51822"]).success();
    let large = thimble_tests::counts::Network::of(&[1024, 1024]).model();
    write(folder.join("model.thimble"), large);
    export(&["-o", "y", "--for", "nRF51822"]).refused(1, &["does not fit the nRF51822", "flash"]);
    assert!(!folder.join("y").exists(), "nothing was written");
}

/// NULL and wrong numbers of values are answered by a status.
#[test]
fn checked_functions_answer_by_a_status() {
    let folder = empty_dir("export-checked");
    let file = default_model();
    let model = Model::parse(&file).expect("a valid model");
    let source = CSource::of(&model, &Name::new("net").expect("an identifier"));
    for file in source.files() {
        write(folder.join(&file.path), &file.content);
    }
    let main = r#"
#include "net.h"
#include <stdio.h>
void platform_put(const char *text);
int main(void)
{
    static net_input_t in[NET_INPUTS];
    static net_output_t out[NET_OUTPUTS];
    static net_scratch_t scratch;
    printf("%d %d %d %d %d %d %d ",
        net_run_checked(in, NET_INPUTS, out, NET_OUTPUTS, &scratch),
        net_run_checked(NULL, NET_INPUTS, out, NET_OUTPUTS, &scratch),
        net_run_checked(in, NET_INPUTS, NULL, NET_OUTPUTS, &scratch),
        net_run_checked(in, NET_INPUTS, out, NET_OUTPUTS, NULL),
        net_run_checked(in, NET_INPUTS - 1u, out, NET_OUTPUTS, &scratch),
        net_run_checked(in, NET_INPUTS, out, NET_OUTPUTS + 1u, &scratch),
        net_self_test(NULL));
    printf("%s %d\n", net_label(3), net_label(NET_LABELS) == NULL);
    return 0;
}
"#;
    write(folder.join("main.c"), main);
    let sources = ["net.c".to_string(), "main.c".into()];
    let output = CTarget::HostGcc.build_and_run(&folder, &sources, "-O1");
    assert_eq!(output, "0 1 1 1 2 2 1 3 1\n");
}
