//! Chooses the kernels by the instructions that the library is compiled for.

use std::env;
use std::process::Command;

/// All families of kernels.
const KERNELS: [&str; 6] = ["dsp", "mve", "v7m", "v6m", "rv32", "x86"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let variable = |name: &str| env::var(format!("CARGO_CFG_TARGET_{name}")).unwrap_or_default();
    let helium = env::var_os("CARGO_FEATURE_HELIUM").is_some();
    let std = env::var_os("CARGO_FEATURE_STD").is_some();
    let features = features();
    let has = |feature: &str| features.iter().any(|each| each == feature);
    let chosen: &[&str] = match (&*variable("ARCH"), &*variable("OS")) {
        ("arm", "none") if has("mclass") => match (has("dsp"), has("thumb2")) {
            // No compiler tells of Helium: hence the feature.
            (true, _) if helium => &["dsp", "mve"],
            (true, _) => &["dsp"],
            (false, true) => &["v7m"],
            (false, false) => &["v6m"],
        },
        // It multiplies, and has 32 registers.
        ("riscv32", "none") if has("m") && !has("e") => &["rv32"],
        // Whether it has AVX2 is asked at run time, which needs the standard library.
        ("x86_64", os) if std && os != "none" => &["x86"],
        // The portable kernel reads every layout.
        _ => &[],
    };
    // Build scripts of packages that depend on this one read it as DEP_THIMBLE_NN_KERNELS.
    let host = if variable("OS") == "none" { "" } else { "host" };
    println!("cargo::metadata=kernels={}", [chosen, &[host]].concat().join(","));
    for kernel in KERNELS {
        println!("cargo::rustc-check-cfg=cfg(kernel_{kernel})");
        if chosen.contains(&kernel) {
            println!("cargo::rustc-cfg=kernel_{kernel}");
        }
    }
    // Layers that run whole, in assembly.
    println!("cargo::rustc-check-cfg=cfg(kernel_whole)");
    if matches!(chosen, ["dsp" | "v7m" | "v6m" | "rv32", ..]) {
        println!("cargo::rustc-cfg=kernel_whole");
    }
}

/// The features of the target, with those that the compiler keeps to itself on its stable channel:
/// all of Arm's. They depend on `-C target-cpu` and `-C target-feature`, too.
fn features() -> Vec<String> {
    println!("cargo::rerun-if-env-changed=CARGO_ENCODED_RUSTFLAGS");
    let target = env::var("TARGET").unwrap_or_default();
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.args(["--print", "cfg", "--target", &target]).env("RUSTC_BOOTSTRAP", "1");
    rustc.args(flags.split('\u{1f}').filter(|flag| !flag.is_empty()));
    let printed = rustc.output().map(|output| output.stdout).unwrap_or_default();
    let features: Vec<String> = String::from_utf8_lossy(&printed)
        .lines()
        .filter_map(|line| line.strip_prefix("target_feature=\""))
        .map(|feature| feature.trim_end_matches('"').into())
        .collect();
    if !features.is_empty() {
        return features;
    }
    // A compiler that tells nothing, or a target that is a file: what the usual names stand for.
    let named: &[&str] = match &*target {
        name if name.starts_with("thumbv7em") => &["mclass", "thumb2", "dsp"],
        name if name.starts_with("thumbv7m") => &["mclass", "thumb2"],
        name if name.starts_with("thumbv8m.main") => &["mclass", "thumb2"],
        name if name.starts_with("thumb") => &["mclass"],
        name if name.starts_with("riscv32im") => &["m"],
        _ => &[],
    };
    named.iter().map(|feature| feature.to_string()).collect()
}
