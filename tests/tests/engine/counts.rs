//! Upper bounds of the cycles per inference on each core, or of executed instructions where it has no
//! documented timings, against performance regressions.

use model_format::DataType;
use thimble_tests::cores::EmulatedCore;
use thimble_tests::counts::{Bounds, CORES, Core, CycleBound, Network, WIDE};
use thimble_tests::cycles::{AD01, TINY};

/// `Engine::run` uses less stack than this, in bytes.
const MOST_STACK: u64 = 512;

/// Images of MNIST whose cycles are counted.
const IMAGES_OF_CYCLES: usize = 100;

fn check(core: EmulatedCore) {
    let core: &Core = CORES.iter().find(|c| c.core == core).expect("every core is counted");
    let name = core.core.name();
    let measured = core.measure();
    for (input, cost) in [("random inputs", measured.dense), ("MNIST", measured.mnist)] {
        let (count, stack) = (cost.instructions_mean, cost.stack_bytes);
        println!("{name}, {input}: {count} instructions, {stack} bytes of stack");
        assert!(stack < MOST_STACK, "{name}, {input}: {stack} bytes of stack");
    }
    match core.bounds {
        Bounds::Cycles(bounds) => check_cycles(core, bounds),
        Bounds::Instructions { max_dense, max_mnist, max_a_mac } => {
            let (dense, mnist) =
                (measured.dense.instructions_mean, measured.mnist.instructions_mean);
            let most = max_dense;
            assert!(dense <= most, "{name}: {dense} instructions, at most {most} are allowed");
            let most = max_mnist;
            assert!(mnist <= most, "{name}, MNIST: {mnist} instructions, at most {most}");
            let rate = f64::from(core.costs(&[WIDE])[0]) / WIDE.macs() as f64;
            let most = max_a_mac;
            assert!(
                rate <= most,
                "{name}, 700 × 500: {rate} instructions a product, at most {most}"
            );
        }
    }
    // Helium takes sixteen at a time and skips nothing.
    if core.core != EmulatedCore::M55 {
        zeros_cost_a_dense_input_little(core);
    }
    let narrow = core.costs(&Network::NARROW).into_iter().zip(core.max_narrow);
    for (network, (count, most)) in Network::NARROW.iter().zip(narrow) {
        let what = network.weight_type.name();
        println!("{name}, {what}: {count} instructions");
        assert!(u64::from(count) <= most, "{name}, {what}: {count} instructions, at most {most}");
    }
}

/// Cycles by each of the core's timings.
fn check_cycles(core: &Core, bounds: &[CycleBound]) {
    let counts = core.cycles(&[Network::MLP, AD01, TINY]);
    let mnist = core.mnist_cycles(IMAGES_OF_CYCLES);
    assert_eq!(bounds.len(), core.core.timings().len(), "a bound for each timing");
    for (index, bound) in bounds.iter().enumerate() {
        let timing = bound.timing;
        for (what, count, most) in [
            ("784-128-10", counts[0][index], bound.max_dense),
            ("ad01", counts[1][index], bound.max_ad01),
            ("1-16-16-1", counts[2][index], bound.max_tiny),
            ("MNIST", mnist[index], bound.max_mnist),
        ] {
            let cycles = count.cycles;
            println!("{timing:?}, {what}: {cycles} cycles, {} instructions", count.instructions);
            assert!(
                cycles <= most,
                "{timing:?}, {what}: {cycles} cycles, at most {most} are allowed"
            );
        }
    }
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
fn sixteen_bits_cost_less_than_half_more_than_eight_on_cortex_m4f() {
    sixteen_bits_cost_at_most(EmulatedCore::M4F, 150);
}

/// Vectors have half as many lanes, and rows take fours instead of sixes. The bound is absolute, since
/// only layers of int8 run whole.
#[test]
fn sixteen_bits_cost_no_more_than_before_on_cortex_m55() {
    let [_, int16] = eight_and_sixteen_bits(EmulatedCore::M55);
    assert!(int16 <= 2_750, "{int16} instructions for int16");
}

/// Compares a layer of 64 × 64 with int8 and int16 activations, in percent.
fn sixteen_bits_cost_at_most(core: EmulatedCore, percent: u32) {
    let [int8, int16] = eight_and_sixteen_bits(core);
    assert!(int16 * 100 <= int8 * percent, "{int16} instructions for int16, {int8} for int8");
}

/// Returns the instructions of a layer of 64 × 64 with int8 and int16 activations.
fn eight_and_sixteen_bits(core: EmulatedCore) -> [u32; 2] {
    let core = CORES.iter().find(|c| c.core == core).expect("it is counted");
    let layer = Network::of(&[64, 64]);
    let costs = core.costs(&[layer, Network { data_type: DataType::Int16, ..layer }]);
    let (int8, int16) = (costs[0], costs[1]);
    let name = core.core.name();
    println!("{name}, 64 × 64: {int8} instructions with int8, {int16} with int16");
    [int8, int16]
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
