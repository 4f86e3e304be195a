//! The linker script of a project, and what its build passes to the linker and the compiler.

use super::quoted::quoted;
use super::{Runner, Runtime, Target, Template};
use crate::pack::Core;

const RP2350_SECTIONS: &str = include_str!("../../templates/rp2350.x");

/// Statics in RAM as the linker scripts of cortex-m-rt and riscv-rt align them.
const STATICS_ARM: &str = "((SIZEOF(.data) + SIZEOF(.bss) + SIZEOF(.uninit) + 24) & ~7)";
const STATICS_RISCV: &str = "((SIZEOF(.data) + SIZEOF(.bss) + SIZEOF(.uninit) + 127) & ~31)";

/// riscv-rt's names of memory, in order.
const ALIASES_RISCV: &str = "\
REGION_ALIAS(\"REGION_TEXT\", FLASH);
REGION_ALIAS(\"REGION_RODATA\", FLASH);
REGION_ALIAS(\"REGION_DATA\", RAM);
REGION_ALIAS(\"REGION_BSS\", RAM);
REGION_ALIAS(\"REGION_HEAP\", RAM);
REGION_ALIAS(\"REGION_STACK\", STACK);

";

/// The linker script, and what the README says of it.
pub fn memory_values(target: &Target, template: Template) -> Vec<(&'static str, String)> {
    let Some(memory) = target.memory else {
        return vec![("memory", String::new()), ("memory_row", String::new())];
    };
    let is_rp = matches!(target.runtime, Runtime::EmbassyHal { hal: "embassy-rp", .. });
    let has_boot = is_rp && target.core == Core::CortexM0;
    let (statics, aliases) = match target.is_arm() {
        true => (STATICS_ARM, ""),
        false => (STATICS_RISCV, ALIASES_RISCV),
    };
    let overflow = match target.runner {
        Runner::ProbeRs(_) => {
            "leaves RAM, which is a fault of the processor: it overwrites no static."
        }
        Runner::Qemu(..) => {
            "overwrites no static. On a chip that is a fault; QEMU's machine has memory below, or\n     \
             ignores what is written there."
        }
    };
    // Checking a model and running it takes less than 1 KB; the rest is for libraries and interrupts.
    let stack = if template == Template::Embassy { "3072" } else { "2048" };
    vec![
        ("memory_comment", format!("{}, all of its memory.", target.name)),
        (
            "boot",
            if has_boot { "  BOOT2 : ORIGIN = 0x10000000, LENGTH = 0x100\n" } else { "" }.into(),
        ),
        ("overflow", overflow.into()),
        ("flash_origin", memory.flash.0.into()),
        ("flash_length", memory.flash.1.into()),
        ("ram_origin", memory.ram.0.into()),
        ("ram_length", memory.ram.1.into()),
        ("statics", statics.into()),
        ("aliases", aliases.into()),
        ("stack", stack.into()),
        ("sections", if is_rp && !has_boot { RP2350_SECTIONS } else { "" }.into()),
        ("memory_row", "| `memory.x` | flash, RAM, and the stack below the statics |\n".into()),
        (
            "memory",
            format!(
                "\n**Memory.** `memory.x` gives the program all of the flash and the RAM. The \
                 scratch memory of the engine is a\nstatic, {}. The build ends with an error if \
                 less than {stack} bytes are left for the stack.\n",
                match template {
                    Template::Bare => "`SCRATCH`",
                    Template::Embassy => "in the task `infer`",
                }
            ),
        ),
    ]
}

/// The lines of the build script that pass arguments to the linker.
pub fn linking(target: &Target) -> String {
    let defmt: &[&str] = match target.runner {
        Runner::ProbeRs(_) => &["-Tdefmt.x"],
        Runner::Qemu(..) => &[],
    };
    let is_rp2040 = target.name == "RP2040";
    let arguments: &[&str] = match target.runtime {
        Runtime::EspHal => &["-Tlinkall.x"],
        _ if is_rp2040 => &["--nmagic", "-Tlink.x", "-Tlink-rp.x"],
        _ => &["--nmagic", "-Tlink.x"],
    };
    let mut text = String::new();
    if target.memory.is_some() {
        text += "    // The linker finds memory.x in this folder.\n    \
                 println!(\"cargo::rustc-link-search={}\", env!(\"CARGO_MANIFEST_DIR\"));\n    \
                 println!(\"cargo::rerun-if-changed=memory.x\");\n";
    }
    text + &format!(
        "    for argument in [{}] {{\n        \
             println!(\"cargo::rustc-link-arg-bins={{argument}}\");\n    \
         }}\n",
        quoted(&[arguments, defmt].concat())
    )
}

/// The processor, where the target alone lacks its instructions.
pub fn rustflags(target: &Target) -> String {
    target.cpu.map_or(String::new(), |cpu| {
        format!(
            "# The target alone has neither DSP nor Helium instructions.\n\
             rustflags = [\"-C\", \"target-cpu={cpu}\"]\n"
        )
    })
}
