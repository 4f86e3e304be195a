//! Tells which cores have a cycle counter, and whose models are taken.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(armv6m)");
    if std::env::var("TARGET").is_ok_and(|target| target.starts_with("thumbv6m")) {
        println!("cargo::rustc-cfg=armv6m");
    }
    thimble_board_build::signature_policy();
}
