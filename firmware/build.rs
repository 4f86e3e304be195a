//! Chooses the kernels by the core that the library is built for.

use std::env;

/// Each family of kernels, and the targets whose cores run it best.
const KERNELS: [(&str, &[&str]); 4] = [
    ("kernel_dsp", &["thumbv7em-", "thumbv8m.main-"]),
    ("kernel_v7m", &["thumbv7m-"]),
    ("kernel_v6m", &["thumbv6m-", "thumbv8m.base-"]),
    ("kernel_rv32", &["riscv32i"]),
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(kernel_mve)");
    let target = env::var("TARGET").unwrap_or_default();
    let helium = env::var_os("CARGO_FEATURE_HELIUM").is_some();
    if helium {
        println!("cargo::rustc-cfg=kernel_mve");
    }
    for (kernel, targets) in KERNELS {
        println!("cargo::rustc-check-cfg=cfg({kernel})");
        if targets.iter().any(|prefix| target.starts_with(prefix)) {
            println!("cargo::rustc-cfg={kernel}");
        }
    }
}
