//! Upper bounds of the executed instructions per inference on each core, against performance
//! regressions.

use model_format::DataType;
use thimble_tests::cores::EmulatedCore;
use thimble_tests::counts::{CORES, Core, Network, WIDE};

/// `Engine::run` uses less stack than this, in bytes.
const MOST_STACK: u64 = 512;

fn check(core: EmulatedCore) {
    let core: &Core = CORES.iter().find(|c| c.core == core).expect("every core is counted");
    let name = core.core.name();
    let measured = core.measure();
    for (input, cost, most) in [
        ("random inputs", measured.dense, core.max_dense),
        ("MNIST", measured.mnist, core.max_mnist),
    ] {
        let count = cost.instructions_mean;
        assert!(count <= most, "{name}, {input}: {count} instructions, at most {most} are allowed");
        let stack = cost.stack_bytes;
        println!("{name}, {input}: {count} instructions, {stack} bytes of stack");
        assert!(stack < MOST_STACK, "{name}, {input}: {stack} bytes of stack");
    }
    // Helium takes sixteen at a time and skips nothing.
    if core.core != EmulatedCore::M55 {
        zeros_cost_a_dense_input_little(core);
    }
    let networks = [Network { int4: true, ..Network::MLP }, WIDE];
    let costs = core.costs(&networks);
    let (int4, most) = (u64::from(costs[0]), core.max_int4);
    assert!(int4 <= most, "{name}, int4: {int4} instructions, at most {most} are allowed");
    let (rate, most) = (f64::from(costs[1]) / WIDE.macs() as f64, core.max_a_mac);
    assert!(rate <= most, "{name}, 700 × 500: {rate} instructions a product, at most {most}");
}

/// Every input is searched for zero blocks. An input without any may cost 4 % more for this and for
/// all other work before the rows. Any number of zero blocks costs no more than none, except for
/// one instruction per block where the compiler counts them with a branch.
fn zeros_cost_a_dense_input_little(core: &Core) {
    let name = core.core.name();
    let percents: Vec<usize> = (0..=60).step_by(15).collect();
    let costs = core.costs_with_zeros(&percents);
    let dense = costs[0];
    let before = core.cost_of_no_rows();
    assert!(before * 100 <= dense * 4, "{name}: {before} of {dense} instructions before the rows");
    for (percent, cost) in percents.iter().zip(&costs) {
        let most = dense + (784 + 128) / 4;
        assert!(*cost <= most, "{name}: {cost} with {percent} % zero blocks, {dense} with none");
    }
}

#[test]
fn sixteen_bits_cost_little_more_than_eight_on_cortex_m4f() {
    let core = CORES.iter().find(|c| c.core == EmulatedCore::M4F).expect("it is counted");
    let layer = Network::of(&[64, 64]);
    let costs = core.costs(&[layer, Network { data_type: DataType::Int16, ..layer }]);
    let (int8, int16) = (costs[0], costs[1]);
    assert!(int16 * 100 <= int8 * 105, "{int16} instructions for int16, {int8} for int8");
}

#[test]
fn cortex_m0() {
    check(EmulatedCore::M0);
}

#[test]
fn cortex_m3() {
    check(EmulatedCore::M3);
}

#[test]
fn cortex_m4f() {
    check(EmulatedCore::M4F);
}

#[test]
fn cortex_m7() {
    check(EmulatedCore::M7);
}

#[test]
fn cortex_m33() {
    check(EmulatedCore::M33);
}

#[test]
fn cortex_m55() {
    check(EmulatedCore::M55);
}

#[test]
fn rv32imac() {
    check(EmulatedCore::Rv32);
}
