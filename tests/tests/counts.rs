//! Nobody makes the engine slower unseen: executed instructions of an inference on each core.

use tests::counts::{CORES, Core};

/// The stack that `Engine::run` may use, in bytes.
const MOST_STACK: u64 = 512;

fn check(name: &str) {
    let core: &Core = CORES.iter().find(|core| core.name == name).expect("a core of this name");
    let measured = core.measure();
    for (input, cost, most) in [
        ("random inputs", measured.dense, core.most_dense),
        ("MNIST", measured.mnist, core.most_mnist),
    ] {
        let count = cost.instructions_mean;
        assert!(count <= most, "{name}, {input}: {count} instructions, at most {most} are allowed");
        let stack = cost.stack_bytes;
        assert!(stack <= MOST_STACK, "{name}, {input}: {stack} bytes of stack");
    }
}

#[test]
fn cortex_m0() {
    check("Cortex-M0");
}

#[test]
fn cortex_m3() {
    check("Cortex-M3");
}

#[test]
fn cortex_m4f() {
    check("Cortex-M4F");
}

#[test]
fn cortex_m7() {
    check("Cortex-M7");
}

#[test]
fn cortex_m33() {
    check("Cortex-M33");
}

#[test]
fn cortex_m55() {
    check("Cortex-M55");
}

#[test]
fn rv32imac() {
    check("RV32IMAC");
}
