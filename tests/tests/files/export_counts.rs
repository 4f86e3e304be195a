//! Upper bounds of the executed instructions of exported C: 784-128-10, random inputs, gcc -O2.

use thimble_tests::c_counts::measure;
use thimble_tests::c_target::CTarget;
use thimble_tests::counts::Network;

/// Bytes of stack of an inference at the most.
const MOST_STACK: u64 = 320;
/// Bytes of the functions of a network of dense layers at the most.
const MOST_CODE: u64 = 1_600;

fn check(target: CTarget, most: u64) {
    let measured = measure(target, &Network::MLP, "-O2");
    println!("{}: {measured:?}", target.name());
    let count = measured.instructions;
    assert!(count <= most, "{}: {count} instructions, at most {most} are allowed", target.name());
    assert!(measured.stack <= MOST_STACK, "{measured:?}");
    assert!((200..=MOST_CODE).contains(&measured.code), "{measured:?}");
    assert_eq!(measured.constants, 784 * 128 + 128 * 10 + 9 * 138, "{measured:?}");
    assert_eq!(measured.scratch, 128, "{measured:?}");
}

// One and a half times what the assembly of the engine needed when these were set: 369,226, 234,400
// and 339,837.

#[test]
fn cortex_m0() {
    check(CTarget::M0, 553_000);
}

#[test]
fn cortex_m3() {
    check(CTarget::M3, 345_000);
}

#[test]
fn rv32() {
    check(CTarget::Rv32, 500_000);
}

// What CMSIS-NN's best kernels need: see `counts.rs`.

#[test]
fn cortex_m4f() {
    check(CTarget::M4F, 197_650);
}

#[test]
fn cortex_m55() {
    check(CTarget::M55, 17_780);
}
