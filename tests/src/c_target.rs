//! Compilers of C, and the machines that run what they make: this computer, QEMU, simavr.

use std::path::Path;
use std::process::Command;

use crate::c_program::{Case, write_program};
use crate::command::Finished;
use crate::workspace::{empty_dir, write};

/// Warnings under which exported C is clean.
pub const WARNINGS: [&str; 5] = ["-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror"];

/// A compiler with a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CTarget {
    /// gcc for this computer, with its checks of memory and undefined behavior.
    HostGcc,
    /// clang for this computer.
    HostClang,
    /// Cortex-M0.
    M0,
    /// Cortex-M3.
    M3,
    /// Cortex-M4F.
    M4F,
    /// Cortex-M33.
    M33,
    /// Cortex-M55.
    M55,
    /// RV32IMAC.
    Rv32,
    /// ATmega1284P.
    Avr,
}

/// Emulated Arm core: options of the compiler, machine of QEMU, start of flash and of RAM, instructions
/// of a tick of its timer.
struct Arm {
    options: &'static [&'static str],
    machine: &'static str,
    flash: &'static str,
    ram: &'static str,
    instructions_of_tick: f64,
}

impl CTarget {
    /// Cores with a count of executed instructions.
    pub const COUNTED: [CTarget; 6] =
        [CTarget::M0, CTarget::M3, CTarget::M4F, CTarget::M33, CTarget::M55, CTarget::Rv32];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            CTarget::HostGcc => "gcc",
            CTarget::HostClang => "clang",
            CTarget::M0 => "Cortex-M0",
            CTarget::M3 => "Cortex-M3",
            CTarget::M4F => "Cortex-M4F",
            CTarget::M33 => "Cortex-M33",
            CTarget::M55 => "Cortex-M55",
            CTarget::Rv32 => "RV32IMAC",
            CTarget::Avr => "ATmega1284P",
        }
    }

    fn arm(self) -> Option<Arm> {
        const FLASH: &str = "0x00000000, LENGTH = 4M";
        const RAM: &str = "0x20000000, LENGTH = 1M";
        let arm = |options, machine, flash, ram, instructions_of_tick| {
            Some(Arm { options, machine, flash, ram, instructions_of_tick })
        };
        match self {
            CTarget::M0 => arm(&["-mcpu=cortex-m0"], "mps2-an385", FLASH, RAM, 40.0),
            CTarget::M3 => arm(&["-mcpu=cortex-m3"], "mps2-an385", FLASH, RAM, 40.0),
            CTarget::M4F => arm(
                &["-mcpu=cortex-m4", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"],
                "mps2-an386",
                FLASH,
                RAM,
                40.0,
            ),
            CTarget::M33 => arm(
                &["-mcpu=cortex-m33", "-mfloat-abi=hard", "-mfpu=fpv5-sp-d16"],
                "mps2-an505",
                "0x10000000, LENGTH = 4M",
                "0x38000000, LENGTH = 1M",
                50.0,
            ),
            CTarget::M55 => arm(
                &["-mcpu=cortex-m55", "-mfloat-abi=hard"],
                "mps3-an547",
                "0x10000000, LENGTH = 512K",
                "0x31000000, LENGTH = 1M",
                31.25,
            ),
            _ => None,
        }
    }

    /// Compiles a program with these models and has it compare each answer with the engine's.
    ///
    /// # Panics
    /// When a compiler is missing, when it warns, or when an answer differs; with what was printed.
    pub fn check(self, test: &str, cases: &[Case], optimization: &str) {
        let folder = empty_dir(&format!("{test}-{}", self.name()));
        let models = write_program(&folder, cases);
        let records: usize = cases.iter().map(|case| case.readings.len()).sum();
        let mut sources: Vec<String> =
            models.iter().map(|path| path.display().to_string()).collect();
        sources.push("main.c".into());
        let output = self.build_and_run(&folder, &sources, optimization);
        let expected = format!("0 wrong of {records} records");
        assert!(output.contains(&expected), "{}, {optimization}: {output}", self.name());
    }

    /// Builds a program of C files in a folder and returns what it prints.
    ///
    /// # Panics
    /// When it cannot be built or run, with the compiler's words.
    pub fn build_and_run(self, folder: &Path, sources: &[String], optimization: &str) -> String {
        self.build(folder, sources, optimization, &WARNINGS);
        self.run(folder)
    }

    /// Builds the program `program` of C files in a folder, with these warnings.
    ///
    /// # Panics
    /// When it cannot be built, with the compiler's words.
    pub fn build(self, folder: &Path, sources: &[String], optimization: &str, warnings: &[&str]) {
        let mut compiler = Command::new(self.compiler());
        compiler.current_dir(folder).args(["-std=c99", optimization, "-o", "program"]);
        compiler.args(warnings).args(self.options(folder)).args(sources).arg(self.platform());
        if !matches!(self, CTarget::HostGcc | CTarget::HostClang | CTarget::Avr) {
            compiler.arg("-lgcc");
        }
        Finished::of(&mut compiler).success();
    }

    fn compiler(self) -> &'static str {
        match self {
            CTarget::HostGcc => "gcc",
            CTarget::HostClang => "clang",
            CTarget::Rv32 => "riscv64-unknown-elf-gcc",
            CTarget::Avr => "avr-gcc",
            _ => "arm-none-eabi-gcc",
        }
    }

    fn platform(self) -> &'static str {
        match self {
            CTarget::HostGcc | CTarget::HostClang => "host.c",
            CTarget::Rv32 => "riscv.c",
            CTarget::Avr => "avr.c",
            _ => "arm.c",
        }
    }

    /// Writes the platform's files, and returns the options of the compiler.
    fn options(self, folder: &Path) -> Vec<String> {
        write(folder.join("host.c"), include_str!("c_platform/host.c"));
        write(folder.join("arm.c"), include_str!("c_platform/arm.c"));
        write(folder.join("riscv.c"), include_str!("c_platform/riscv.c"));
        write(folder.join("avr.c"), include_str!("c_platform/avr.c"));
        let owned = |options: &[&str]| options.iter().map(|o| o.to_string()).collect::<Vec<_>>();
        let memory = |flash: &str, ram: &str| {
            let text = format!(
                "MEMORY {{ FLASH : ORIGIN = {flash}\n RAM : ORIGIN = {ram} }}\n{}",
                include_str!("c_platform/memory.ld")
            );
            write(folder.join("program.ld"), text);
        };
        let bare = owned(&[
            "-ffreestanding",
            "-ffunction-sections",
            "-fdata-sections",
            "-nostdlib",
            "-Wl,--gc-sections",
            "-T",
            "program.ld",
        ]);
        if let Some(arm) = self.arm() {
            memory(arm.flash, arm.ram);
            return [owned(&["-mthumb"]), owned(arm.options), bare].concat();
        }
        match self {
            CTarget::HostGcc => {
                owned(&["-fsanitize=undefined,address", "-fno-sanitize-recover=all"])
            }
            CTarget::Rv32 => {
                memory("0x80000000, LENGTH = 4M", "0x80400000, LENGTH = 1M");
                // The older specification has the registers that count without an extension.
                let core = ["-march=rv32imac", "-mabi=ilp32", "-misa-spec=2.2", "-mcmodel=medany"];
                [owned(&core), bare].concat()
            }
            CTarget::Avr => owned(&[
                "-mmcu=atmega1284p",
                "-ffunction-sections",
                "-fdata-sections",
                "-Wl,--gc-sections",
            ]),
            _ => vec![],
        }
    }

    /// Runs `program` in a folder; an emulated core that does not end is stopped.
    ///
    /// # Panics
    /// When it cannot be run.
    pub fn run(self, folder: &Path) -> String {
        let mut command = match self {
            CTarget::HostGcc | CTarget::HostClang => Command::new(folder.join("program")),
            _ => {
                let mut command = Command::new("timeout");
                command.arg("120");
                command
            }
        };
        command.current_dir(folder);
        if let Some(arm) = self.arm() {
            command.args(["qemu-system-arm", "-M", arm.machine, "-serial", "null"]);
            command.args(["-semihosting-config", "enable=on,target=native"]);
        }
        match self {
            CTarget::HostGcc | CTarget::HostClang => {}
            CTarget::Avr => {
                command.args(["simavr", "-m", "atmega1284p", "-f", "16000000", "program"]);
            }
            CTarget::Rv32 => {
                command.args(["qemu-system-riscv32", "-M", "virt", "-bios", "none"]);
                command.args(["-serial", "stdio"]);
            }
            _ => {}
        }
        if !matches!(self, CTarget::HostGcc | CTarget::HostClang | CTarget::Avr) {
            command.args(["-icount", "shift=0", "-display", "none", "-monitor", "none"]);
            command.args(["-kernel", "program"]);
        }
        let finished = Finished::of(&mut command);
        // Semihosting prints on standard error.
        finished.stdout + &finished.stderr
    }

    /// Executed instructions of a tick of `platform_ticks`.
    pub fn instructions_of_tick(self) -> f64 {
        self.arm().map_or(1.0, |arm| arm.instructions_of_tick)
    }
}
