//! The files of a project, rendered from `host-trainer/templates`.

use clap::ValueEnum;
use model_format::Model;

use super::linking::{linking, memory_values, rustflags};
use super::quoted::quoted;
use super::{Example, Project, Runner, Runtime, Source, Target, Template};
use crate::foreign_text::shown;
use crate::pack::Core;
use crate::template::render;

/// A file of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its path in the project's folder.
    pub path: &'static str,
    /// Its content.
    pub content: Vec<u8>,
}

const README: &str = include_str!("../../templates/README.md");
// Not Cargo.toml: cargo would take the folder for another package, and leave it out of this one.
const CARGO: &str = include_str!("../../templates/manifest.toml");
const CONFIG: &str = include_str!("../../templates/config.toml");
const GITIGNORE: &str = include_str!("../../templates/gitignore");
const BUILD: &str = include_str!("../../templates/build.rs");
const MEMORY: &str = include_str!("../../templates/memory.x");

const BARE_EMBASSY_HAL: &str = include_str!("../../templates/bare/embassy_hal.rs");
const BARE_ESP: &str = include_str!("../../templates/bare/esp.rs");
const BARE_RISCV: &str = include_str!("../../templates/bare/riscv.rs");
const BARE_SEMIHOSTING: &str = include_str!("../../templates/bare/semihosting.rs");
const EMBASSY: &str = include_str!("../../templates/embassy/main.rs");

const EMBASSY_HAL_CRATES: &str = include_str!("../../templates/dependencies/embassy_hal.toml");
const EMBASSY_CRATES: &str = include_str!("../../templates/dependencies/embassy.toml");
const ESP_CRATES: &str = include_str!("../../templates/dependencies/esp.toml");
const RISCV_CRATES: &str = include_str!("../../templates/dependencies/riscv.toml");
const SEMIHOSTING_ARM: &str = include_str!("../../templates/dependencies/semihosting_arm.toml");
const SEMIHOSTING_RISCV: &str = include_str!("../../templates/dependencies/semihosting_riscv.toml");

const REPORT_CLASS_DEFMT: &str = "\
if let Some(class) = answer.class() {
            defmt::info!(\"class {}\", class);
        }";
const REPORT_VALUES_DEFMT: &str = "\
for (output, value) in answer.reals().enumerate() {
            defmt::info!(\"output {=usize}: {=f32}\", output, value);
        }";
const REPORT_CLASS_PRINTLN: &str = "\
if let Some(class) = answer.class() {
            println!(\"class {} ({})\", class.index(), class.label());
        }";
const REPORT_VALUES_PRINTLN: &str = "\
for (output, value) in answer.reals().enumerate() {
            println!(\"output {output}: {value}\");
        }";

/// The files of a project with a model that is packed for its core.
pub fn files(project: &Project, model: &Model<'_>, packed: &[u8], source: &Source) -> Vec<File> {
    let (target, template) = (project.target, project.template);
    let example = Example::of(model);
    let values = values(project, model, &example, source);
    let text = |path, template| File { path, content: render(template, &values).into_bytes() };
    let mut files = vec![
        text("Cargo.toml", CARGO),
        text(".cargo/config.toml", CONFIG),
        text(".gitignore", GITIGNORE),
        text("README.md", README),
        text("build.rs", BUILD),
        text("src/main.rs", main(target, template)),
        File { path: "src/example.rs", content: example.module(model).into_bytes() },
        File { path: "model.thimble", content: packed.to_vec() },
    ];
    if target.memory.is_some() {
        files.push(text("memory.x", MEMORY));
    }
    files
}

/// The program of a template.
fn main(target: &Target, template: Template) -> &'static str {
    match (template, target.runtime) {
        (Template::Embassy, _) => EMBASSY,
        (Template::Bare, Runtime::EmbassyHal { .. }) => BARE_EMBASSY_HAL,
        (Template::Bare, Runtime::EspHal) => BARE_ESP,
        (Template::Bare, Runtime::RiscvRt) => BARE_RISCV,
        (Template::Bare, Runtime::Semihosting) => BARE_SEMIHOSTING,
    }
}

/// The values of all templates.
fn values(
    project: &Project,
    model: &Model<'_>,
    example: &Example,
    source: &Source,
) -> Vec<(&'static str, String)> {
    let Project { name, target, template, .. } = project;
    let uses_qemu = matches!(target.runner, Runner::Qemu(..));
    let is_class = model.output().kind.labels().is_some();
    let mut features = vec![];
    if !uses_qemu {
        features.push("defmt");
    }
    if target.core == Core::CortexM55 {
        features.push("helium");
    }
    let mut values = vec![
        ("name", name.clone()),
        ("model", shown(model.name())),
        ("chip", target.name.into()),
        ("core", target.core.to_string()),
        ("pack_core", core_argument(target.core)),
        ("target", target.triple.into()),
        // The Rust that the hardware library needs, where it is newer than Thimble's.
        ("rust_version", if target.runtime == Runtime::EspHal { "1.95" } else { "1.90" }.into()),
        ("thimble_nn", source.dependency("thimble-nn", "firmware/engine", &features)),
        ("thimble_build", source.dependency("thimble-build", "firmware/build", &[])),
        ("dependencies", dependencies(target, *template)),
        ("linking", linking(target)),
        ("rustflags", rustflags(target)),
        ("clock_hz", grouped_by_underscores(target.clock_hz)),
        ("run", example.run.into()),
        ("input_type", example.input_type.clone()),
        ("input", readme_input(model, example)),
        ("report_defmt", if is_class { REPORT_CLASS_DEFMT } else { REPORT_VALUES_DEFMT }.into()),
        (
            "report_println",
            if is_class { REPORT_CLASS_PRINTLN } else { REPORT_VALUES_PRINTLN }.into(),
        ),
    ];
    values.extend(runtime_values(target));
    values.extend(runner_values(target));
    values.extend(memory_values(target, *template));
    values
}

/// Names that the program has from the libraries that start it.
fn runtime_values(target: &Target) -> Vec<(&'static str, String)> {
    let (runtime, core) = match target.is_arm() {
        true => ("cortex_m_rt", "cortex_m"),
        false => ("riscv_rt", "riscv"),
    };
    let mut values = vec![("runtime", runtime.into()), ("core_crate", core.into())];
    if let Runtime::EmbassyHal { hal, free_interrupt, .. } = target.runtime {
        values.push(("hal", hal.replace('-', "_")));
        values.push(("interrupt", free_interrupt.into()));
    }
    values
}

/// The program that runs the firmware, and what the README says of it.
fn runner_values(target: &Target) -> Vec<(&'static str, String)> {
    let target_setup = format!("rustup target add {}", target.triple);
    match target.runner {
        Runner::ProbeRs(chip) => {
            let is_small = target.memory.is_some_and(|memory| memory.ram.1 == "16K");
            let buffer = match is_small {
                true => {
                    "# Bytes of RAM that the log may fill until the debugger reads it.\n\
                     DEFMT_RTT_BUFFER_SIZE = \"512\"\n"
                }
                false => "",
            };
            vec![
                ("runner", quoted(&[&format!("probe-rs run --chip {chip}")])),
                ("machine", String::new()),
                (
                    "env",
                    format!(
                        "\n[env]\n# Without it defmt compiles in nothing below an error.\n\
                         DEFMT_LOG = \"info\"\n{buffer}"
                    ),
                ),
                ("setup", format!("{target_setup}\ncargo install probe-rs-tools --locked")),
                (
                    "runs",
                    "It flashes the chip through a debug probe and shows the log: the self-tests of \
                     the model, then one\nanswer after the other. Ctrl-C ends it; the chip goes on."
                        .into(),
                ),
            ]
        }
        Runner::Qemu(program, machine) => {
            let command = format!(
                "{program} -machine {machine} -display none -serial none -monitor none \
                 -semihosting-config enable=on,target=native -kernel"
            );
            let machine = machine.split(' ').next().unwrap_or_default();
            vec![
                ("runner", quoted(&[&command])),
                ("machine", machine.into()),
                ("env", String::new()),
                (
                    "setup",
                    format!("{target_setup}\nsudo apt-get install {}", qemu_package(program)),
                ),
                (
                    "runs",
                    "It starts the program in QEMU: the self-tests of the model, then answers to an \
                     example. QEMU ends with the\nprogram, with an error after a panic."
                        .into(),
                ),
            ]
        }
    }
}

/// Debian's package with a program of QEMU.
fn qemu_package(program: &str) -> &'static str {
    if program.ends_with("arm") { "qemu-system-arm" } else { "qemu-system-misc" }
}

/// The dependencies beside Thimble.
fn dependencies(target: &Target, template: Template) -> String {
    let is_v8m = target.triple.starts_with("thumbv8m");
    let is_v6m = target.triple.starts_with("thumbv6m");
    // The register with the limit of the stack, which Armv8-M has.
    let stack_limit = if is_v8m { ", features = [\"set-msplim\"]" } else { "" };
    let mut values = vec![("stack_limit", stack_limit.to_string())];
    let crates = match target.runtime {
        Runtime::EmbassyHal {
            hal, version, features, time_features, has_critical_section, ..
        } => {
            let has_tasks = template == Template::Embassy;
            let time_features = if has_tasks { time_features } else { &[] };
            let features = [features, time_features].concat();
            let own = ", features = [\"critical-section-single-core\"]";
            let executor = if has_tasks { EMBASSY_CRATES } else { "" };
            // Armv6-M has no atomic exchange.
            let atomic = match is_v6m {
                true => {
                    "portable-atomic = { version = \"1\", default-features = false, features = \
                     [\"critical-section\"] }\n"
                }
                false => "",
            };
            values.extend([
                ("critical_section", if has_critical_section { "" } else { own }.to_string()),
                ("hal", hal.into()),
                ("hal_version", version.into()),
                ("hal_features", quoted(&features)),
                ("executor", executor.into()),
                ("portable_atomic", atomic.into()),
            ]);
            EMBASSY_HAL_CRATES
        }
        Runtime::EspHal => ESP_CRATES,
        Runtime::RiscvRt => RISCV_CRATES,
        Runtime::Semihosting if target.is_arm() => SEMIHOSTING_ARM,
        Runtime::Semihosting => SEMIHOSTING_RISCV,
    };
    render(crates, &values)
}

/// The input of the model, for the README.
fn readme_input(model: &Model<'_>, example: &Example) -> String {
    format!(
        "The model takes {} values, {}: `engine.{}(&input)`.",
        model.input_len(),
        example.meaning,
        example.run
    )
}

/// The name of a core as `pack --for` takes it.
fn core_argument(core: Core) -> String {
    core.to_possible_value().map_or(String::new(), |value| value.get_name().into())
}

/// A number with `_` between groups of three digits.
fn grouped_by_underscores(number: u32) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.char_indices() {
        if index != 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('_');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::TARGETS;
    use super::*;

    const WINE: &[u8] = include_bytes!("../../../firmware/models/wine.thimble");

    #[test]
    fn every_value_of_every_template_is_there() {
        let model = Model::parse(WINE).unwrap();
        let folder = tempfile::tempdir().unwrap();
        for target in &TARGETS {
            for template in [Template::Bare, Template::Embassy] {
                let Ok(project) = Project::new(&folder.path().join("mine"), target, template)
                else {
                    assert!(!target.has_embassy() && template == Template::Embassy);
                    continue;
                };
                for file in files(&project, &model, WINE, &Source::Registry) {
                    let Ok(text) = String::from_utf8(file.content) else { continue };
                    assert!(!text.contains("{{"), "{}, {}: {text}", target.name, file.path);
                }
            }
        }
    }

    #[test]
    fn numbers_are_grouped_as_rust_writes_them() {
        assert_eq!(grouped_by_underscores(125_000_000), "125_000_000");
        assert_eq!(grouped_by_underscores(999), "999");
    }
}
