//! Prints what an inference of 784-128-10 costs on each core, in executed instructions; or on the
//! cores that are named, such as `Cortex-M3`.

use tests::counts::{CORES, IMAGES, Measured};

fn main() {
    let chosen: Vec<String> = std::env::args().skip(1).collect();
    let known: Vec<&str> = CORES.iter().map(|core| core.name).collect();
    if let Some(name) = chosen.iter().find(|name| !known.contains(&name.as_str())) {
        eprintln!("there is no core {name}; those that are counted are: {}", known.join(", "));
        std::process::exit(2);
    }
    println!("784-128-10 (101,632 multiply-accumulates), whole Engine::run, executed instructions");
    println!("dense: inputs random in all of int8; MNIST: mean of the first {IMAGES} test images");
    println!();
    println!(
        "{:<12} {:>10} {:>9} {:>9} {:>8} {:>9} {:>7} {:>6}",
        "core", "CMSIS-NN", "dense", "MNIST", "per MAC", "ratio", "MNIST", "stack"
    );
    for core in CORES {
        if !chosen.is_empty() && !chosen.iter().any(|name| name == core.name) {
            continue;
        }
        let Measured { dense, mnist } = core.measure();
        let ratio = |ours: u64| match core.cmsis_nn {
            Some(theirs) => format!("{:.2} ×", theirs as f64 / ours as f64),
            None => "–".into(),
        };
        println!(
            "{:<12} {:>10} {:>9} {:>9} {:>8.3} {:>9} {:>7} {:>4} B",
            core.name,
            core.cmsis_nn.map_or("–".into(), |count| count.to_string()),
            dense.instructions_mean,
            mnist.instructions_mean,
            dense.instructions_mean as f64 / 101_632.0,
            ratio(dense.instructions_mean),
            ratio(mnist.instructions_mean),
            dense.stack_bytes.max(mnist.stack_bytes),
        );
    }
}
