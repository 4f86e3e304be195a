//! The chips and emulated machines that a project can be made for.

use thimble_support::nearest;

use super::ProjectError;
use crate::chips::Chip;
use crate::pack::Core;

/// A chip or an emulated machine.
#[derive(Debug, PartialEq, Eq)]
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// Other names that people know it by: boards with the chip.
    pub aliases: &'static [&'static str],
    /// Its name in [`CHIPS`](crate::chips::CHIPS), whose figures tell whether a model fits; `None`
    /// for emulated machines, which have memory for any model.
    pub chip: Option<&'static str>,
    /// The core that the model is packed for.
    pub core: Core,
    /// The target that Rust compiles for.
    pub triple: &'static str,
    /// The processor that the compiler needs to know, where the target does not tell.
    pub cpu: Option<&'static str>,
    /// Frequency of the core after the start of the program, in hertz.
    pub clock_hz: u32,
    /// The libraries that start the program.
    pub runtime: Runtime,
    /// Flash and RAM; `None` where the hardware library brings its own linker script.
    pub memory: Option<Memory>,
    /// The program that runs the firmware.
    pub runner: Runner,
}

/// The libraries that start a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runtime {
    /// cortex-m-rt and a hardware library of Embassy.
    EmbassyHal {
        /// Its crate.
        hal: &'static str,
        /// Its version.
        version: &'static str,
        /// Its features.
        features: &'static [&'static str],
        /// Its features for timers.
        time_features: &'static [&'static str],
        /// Whether it has the implementation of critical sections.
        has_critical_section: bool,
        /// An interrupt that no peripheral uses.
        free_interrupt: &'static str,
    },
    /// esp-hal.
    EspHal,
    /// riscv-rt, with the log to a debugger.
    RiscvRt,
    /// cortex-m-rt or riscv-rt, with semihosting.
    Semihosting,
}

/// Flash and RAM of a chip, as expressions of the linker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Start and length of the flash.
    pub flash: (&'static str, &'static str),
    /// Start and length of the RAM.
    pub ram: (&'static str, &'static str),
}

/// The program that runs firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runner {
    /// probe-rs, with its name of the chip.
    ProbeRs(&'static str),
    /// QEMU, with its program and its machine.
    Qemu(&'static str, &'static str),
}

const V6M: &str = "thumbv6m-none-eabi";
const V7M: &str = "thumbv7m-none-eabi";
const V7EM: &str = "thumbv7em-none-eabihf";
const V8M: &str = "thumbv8m.main-none-eabihf";
const RV32IMAC: &str = "riscv32imac-unknown-none-elf";
const RV32IMC: &str = "riscv32imc-unknown-none-elf";

const NRF: Runtime = Runtime::EmbassyHal {
    hal: "embassy-nrf",
    version: "0.11",
    features: &["nrf52840", "rt"],
    time_features: &["time-driver-rtc1"],
    has_critical_section: false,
    free_interrupt: "EGU0_SWI0",
};
const NRF51: Runtime = Runtime::EmbassyHal {
    hal: "embassy-nrf",
    version: "0.11",
    features: &["nrf51", "rt"],
    time_features: &["time-driver-rtc1"],
    has_critical_section: false,
    free_interrupt: "SWI0",
};
const STM32: Runtime = Runtime::EmbassyHal {
    hal: "embassy-stm32",
    version: "0.6",
    features: &["rt", "stm32f446re"],
    time_features: &["time-driver-any"],
    has_critical_section: false,
    free_interrupt: "UART5",
};
const RP2040: Runtime = Runtime::EmbassyHal {
    hal: "embassy-rp",
    version: "0.10",
    features: &["critical-section-impl", "rp2040", "rt"],
    time_features: &["time-driver"],
    has_critical_section: true,
    free_interrupt: "SWI_IRQ_0",
};
const RP2350: Runtime = Runtime::EmbassyHal {
    hal: "embassy-rp",
    version: "0.10",
    features: &["critical-section-impl", "rp235xa", "rt"],
    time_features: &["time-driver"],
    has_critical_section: true,
    free_interrupt: "SWI_IRQ_0",
};

/// All of them.
pub const TARGETS: [Target; 13] = [
    Target {
        name: "nRF51822",
        aliases: &["microbit", "nRF51822_xxAA"],
        chip: Some("nRF51822"),
        core: Core::CortexM0,
        triple: V6M,
        cpu: None,
        clock_hz: 16_000_000,
        runtime: NRF51,
        memory: Some(Memory { flash: ("0x00000000", "256K"), ram: ("0x20000000", "16K") }),
        runner: Runner::ProbeRs("nRF51822_xxAA"),
    },
    Target {
        name: "nRF52840",
        aliases: &["nrf52840-dk", "nRF52840_xxAA"],
        chip: Some("nRF52840"),
        core: Core::CortexM4,
        triple: V7EM,
        cpu: None,
        clock_hz: 64_000_000,
        runtime: NRF,
        memory: Some(Memory { flash: ("0x00000000", "1024K"), ram: ("0x20000000", "256K") }),
        runner: Runner::ProbeRs("nRF52840_xxAA"),
    },
    Target {
        name: "STM32F446RE",
        aliases: &["STM32F446", "nucleo-f446re", "STM32F446RETx"],
        chip: Some("STM32F446"),
        core: Core::CortexM4,
        triple: V7EM,
        cpu: None,
        clock_hz: 16_000_000,
        runtime: STM32,
        memory: Some(Memory { flash: ("0x08000000", "512K"), ram: ("0x20000000", "128K") }),
        runner: Runner::ProbeRs("STM32F446RETx"),
    },
    Target {
        name: "RP2040",
        aliases: &["pico"],
        chip: Some("RP2040"),
        core: Core::CortexM0,
        triple: V6M,
        cpu: None,
        clock_hz: 125_000_000,
        runtime: RP2040,
        // The flash of a Pico. Its first 256 bytes are the second stage of the boot loader.
        memory: Some(Memory {
            flash: ("0x10000100", "2048K - 0x100"),
            ram: ("0x20000000", "256K"),
        }),
        runner: Runner::ProbeRs("RP2040"),
    },
    Target {
        name: "RP2350",
        aliases: &["pico2", "RP235x"],
        chip: Some("RP2350"),
        core: Core::CortexM33,
        triple: V8M,
        cpu: Some("cortex-m33"),
        clock_hz: 150_000_000,
        runtime: RP2350,
        memory: Some(Memory { flash: ("0x10000000", "4096K"), ram: ("0x20000000", "512K") }),
        runner: Runner::ProbeRs("RP235x"),
    },
    Target {
        name: "ESP32-C3",
        aliases: &["esp32c3"],
        chip: Some("ESP32-C3"),
        core: Core::Rv32,
        triple: RV32IMC,
        cpu: None,
        clock_hz: 160_000_000,
        runtime: Runtime::EspHal,
        memory: None,
        runner: Runner::ProbeRs("esp32c3"),
    },
    Target {
        name: "FE310",
        aliases: &["hifive1", "FE310-G002"],
        chip: Some("FE310"),
        core: Core::Rv32,
        triple: RV32IMAC,
        cpu: None,
        clock_hz: 14_000_000,
        runtime: Runtime::RiscvRt,
        // The boot loader of a HiFive1 Rev B has the first 64 KB of the flash.
        memory: Some(Memory { flash: ("0x20010000", "4096K - 64K"), ram: ("0x80000000", "16K") }),
        runner: Runner::ProbeRs("FE310-G002"),
    },
    mps("qemu-mps2-an385", "mps2-an385", &["mps2-an385"], Core::CortexM3, V7M, None, MPS2),
    mps("qemu-mps2-an386", "mps2-an386", &["mps2-an386"], Core::CortexM4, V7EM, None, MPS2),
    mps("qemu-mps2-an500", "mps2-an500", &["mps2-an500"], Core::CortexM7, V7EM, None, MPS2),
    mps(
        "qemu-mps2-an505",
        "mps2-an505",
        &["mps2-an505"],
        Core::CortexM33,
        V8M,
        Some("cortex-m33"),
        AN505,
    ),
    mps(
        "qemu-mps3-an547",
        "mps3-an547",
        &["mps3-an547"],
        Core::CortexM55,
        V8M,
        Some("cortex-m55"),
        AN547,
    ),
    Target {
        name: "qemu-riscv",
        aliases: &["virt"],
        chip: None,
        core: Core::Rv32,
        triple: RV32IMAC,
        cpu: None,
        clock_hz: 10_000_000,
        runtime: Runtime::Semihosting,
        memory: Some(Memory { flash: ("0x80000000", "4M"), ram: ("0x80400000", "12M") }),
        runner: Runner::Qemu("qemu-system-riscv32", "virt -bios none"),
    },
];

const MPS2: Memory = Memory { flash: ("0x00000000", "4M"), ram: ("0x20000000", "4M") };
const AN505: Memory = Memory { flash: ("0x10000000", "4M"), ram: ("0x38000000", "4M") };
const AN547: Memory = Memory { flash: ("0x10000000", "512K"), ram: ("0x31000000", "4M") };

/// One of Arm's boards with an FPGA, as QEMU emulates it.
const fn mps(
    name: &'static str,
    machine: &'static str,
    aliases: &'static [&'static str],
    core: Core,
    triple: &'static str,
    cpu: Option<&'static str>,
    memory: Memory,
) -> Target {
    Target {
        name,
        aliases,
        chip: None,
        core,
        triple,
        cpu,
        clock_hz: 25_000_000,
        runtime: Runtime::Semihosting,
        memory: Some(memory),
        runner: Runner::Qemu("qemu-system-arm", machine),
    }
}

impl Target {
    /// The target of this name or alias, in upper or lower case.
    ///
    /// # Errors
    /// [`ProjectError::UnknownChip`] names the nearest.
    pub fn named(name: &str) -> Result<&'static Target, ProjectError> {
        let is_named =
            |target: &&Target| target.names().any(|each| each.eq_ignore_ascii_case(name));
        TARGETS.iter().find(is_named).ok_or_else(|| {
            let lower = name.to_lowercase();
            let known: Vec<(String, &str)> = TARGETS
                .iter()
                .flat_map(|target| target.names().map(|each| (each.to_lowercase(), target.name)))
                .collect();
            let nearest = nearest(&lower, known.iter().map(|(each, _)| each.as_str()))
                .and_then(|found| known.iter().find(|(each, _)| each == found))
                .map(|(_, name)| *name);
            ProjectError::UnknownChip { name: name.into(), nearest }
        })
    }

    fn names(&self) -> impl Iterator<Item = &'static str> {
        [self.name].into_iter().chain(self.aliases.iter().copied())
    }

    /// The chip whose figures tell whether a model fits.
    pub(super) fn figures(&self) -> Option<&'static Chip> {
        self.chip.and_then(|name| Chip::named(name).ok())
    }

    /// Returns whether there is a template with tasks of Embassy.
    pub fn has_embassy(&self) -> bool {
        matches!(self.runtime, Runtime::EmbassyHal { .. })
    }

    /// Returns whether the core is one of Arm's.
    pub(super) fn is_arm(&self) -> bool {
        self.triple.starts_with("thumb")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_chips_and_boards_are_found_in_any_case() {
        for (name, expected) in
            [("nrf52840", "nRF52840"), ("Pico2", "RP2350"), ("virt", "qemu-riscv")]
        {
            assert_eq!(Target::named(name).unwrap().name, expected);
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest() {
        let nearest = |name| match Target::named(name) {
            Err(ProjectError::UnknownChip { nearest, .. }) => nearest,
            other => panic!("{name}: {other:?}"),
        };
        assert_eq!(nearest("nRF52480"), Some("nRF52840"));
        assert_eq!(nearest("RP2350B"), Some("RP2350"));
        assert_eq!(nearest("Z80"), None);
    }

    #[test]
    fn every_chip_has_figures_and_no_name_is_there_twice() {
        let mut names: Vec<String> =
            TARGETS.iter().flat_map(Target::names).map(str::to_lowercase).collect();
        names.sort();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        for target in TARGETS.iter().filter(|target| target.chip.is_some()) {
            assert!(target.figures().is_some(), "{}", target.name);
        }
    }
}
