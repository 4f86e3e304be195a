//! Prints the executed instructions per inference on each core, or on the given cores, such as
//! `Cortex-M3`.

use model_format::DataType;
use thimble_tests::c_counts::{SMALL, measure};
use thimble_tests::c_target::CTarget;
use thimble_tests::counts::{CORES, CURVE, Core, IMAGES, Measured, Network};

fn main() {
    let chosen: Vec<String> = std::env::args().skip(1).collect();
    let known: Vec<&str> = CORES.iter().map(|core| core.core.name()).collect();
    if let Some(name) = chosen.iter().find(|name| !known.contains(&name.as_str())) {
        eprintln!("there is no core {name}; those that are counted are: {}", known.join(", "));
        std::process::exit(2);
    }
    let is_chosen = |core: &Core| chosen.is_empty() || chosen.iter().any(|c| c == core.core.name());
    let cores: Vec<Core> = CORES.into_iter().filter(is_chosen).collect();
    println!("whole Engine::run, executed instructions");
    mlp(&cores);
    kinds(&cores);
    curve(&cores);
    c(&cores);
}

/// 784-128-10 beside the best public kernels.
fn mlp(cores: &[Core]) {
    println!();
    println!("784-128-10 (101,632 multiply-accumulates), int8");
    println!("dense: inputs random in all of int8; MNIST: mean of the first {IMAGES} test images");
    println!("others: CMSIS-NN's best kernels; on RV32 TensorFlow Lite Micro's reference loop");
    println!(
        "{:<12} {:>10} {:>9} {:>9} {:>8} {:>9} {:>7} {:>6}",
        "core", "others", "dense", "MNIST", "per MAC", "ratio", "MNIST", "stack"
    );
    for core in cores {
        let Measured { dense, mnist } = core.measure();
        let ratio = |ours: u64| format!("{:.2} ×", core.others as f64 / ours as f64);
        println!(
            "{:<12} {:>10} {:>9} {:>9} {:>8.3} {:>9} {:>7} {:>4} B",
            core.core.name(),
            core.others,
            dense.instructions_mean,
            mnist.instructions_mean,
            dense.instructions_mean as f64 / Network::MLP.macs() as f64,
            ratio(dense.instructions_mean),
            ratio(mnist.instructions_mean),
            dense.stack_bytes.max(mnist.stack_bytes),
        );
    }
}

/// Fewer bits beside int8 weights, and 16-bit beside 8-bit activations.
fn kinds(cores: &[Core]) {
    let layer = Network::of(&[64, 64]);
    let [int4, int2, ternary] = Network::NARROW;
    let wide = Network { data_type: DataType::Int16, ..layer };
    let networks = [Network::MLP, int4, int2, ternary, layer, wide];
    println!();
    println!("inputs random in all of their range");
    println!(
        "{:<12} {:>16} {:>9} {:>9} {:>9} {:>13} {:>9}",
        "core", "784-128-10 int8", "int4", "int2", "ternary", "64 × 64 int8", "int16"
    );
    for core in cores {
        let costs = core.costs(&networks);
        println!(
            "{:<12} {:>16} {:>9} {:>9} {:>9} {:>13} {:>9}",
            core.core.name(),
            costs[0],
            costs[1],
            costs[2],
            costs[3],
            costs[4],
            costs[5],
        );
    }
}

/// Layers of many sizes.
fn curve(cores: &[Core]) {
    println!();
    println!("one layer, int8, random inputs: instructions, and per multiply-accumulate");
    print!("{:<12}", "in × out");
    cores.iter().for_each(|core| print!(" {:>18}", core.core.name()));
    println!();
    let costs: Vec<Vec<u32>> = cores.iter().map(|core| core.costs(&CURVE)).collect();
    for (index, network) in CURVE.iter().enumerate() {
        print!("{:<12}", format!("{} × {}", network.widths[0], network.widths[1]));
        for costs in &costs {
            let count = costs[index];
            print!(" {count:>10} {:>7.2}", f64::from(count) / network.macs() as f64);
        }
        println!();
    }
}

/// Exported C beside the engine.
fn c(cores: &[Core]) {
    println!();
    println!(
        "exported C by gcc -O2, random inputs: instructions of the engine and of the C, bytes of"
    );
    println!("the C: functions, constants, scratch memory, stack");
    for core in cores {
        let name = core.core.name();
        let Some(target) = CTarget::COUNTED.into_iter().find(|target| target.name() == name) else {
            continue;
        };
        let engine = core.costs(&SMALL);
        for (network, engine) in SMALL.iter().zip(engine) {
            let c = measure(target, network, "-O2");
            let widths: Vec<String> = network.widths.iter().map(usize::to_string).collect();
            println!(
                "{name:<12} {:<12} {engine:>9} {:>9} {:>6} {:>7} {:>5} {:>5}",
                widths.join("-"),
                c.instructions,
                c.code,
                c.constants,
                c.scratch,
                c.stack
            );
        }
    }
}
