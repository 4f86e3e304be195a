//! Prints instructions and cycles per inference on each core with documented timings, and
//! instructions on the others; of all cores or of the given ones, such as `Cortex-M3`. With `quick`
//! instead of a core, without MNIST.

use thimble_tests::counts::{CORES, Core, IMAGES, Network};
use thimble_tests::cycles::NETWORKS;

/// Recorded cycles of CMSIS-NN at 99f736a6 by the same model, its better function of
/// `arm_fully_connected_s8` and `arm_fully_connected_per_channel_s8` at -O2 and -O3 by gcc 12.2.1:
/// core, network, instructions where they were counted, cycles.
const CMSIS_NN: [(&str, &str, Option<u64>, u64); 8] = [
    ("m0", "784-128-10", Some(562_187), 808_196),
    ("m0", "ad01", None, 2_293_410),
    ("m0plus", "784-128-10", Some(562_187), 772_263),
    ("m0plus", "ad01", None, 2_192_254),
    ("m3", "784-128-10", Some(348_794), 659_695),
    ("m3", "ad01", None, 1_781_129),
    ("m4", "784-128-10", Some(197_713), 244_331),
    ("m4", "ad01", None, 719_354),
];

fn main() {
    let mut chosen: Vec<String> = std::env::args().skip(1).collect();
    let quick = chosen.iter().any(|name| name == "quick");
    chosen.retain(|name| name != "quick");
    let known: Vec<&str> = CORES.iter().map(|core| core.core.name()).collect();
    if let Some(name) = chosen.iter().find(|name| !known.contains(&name.as_str())) {
        eprintln!("there is no core {name}; those that are counted are: {}", known.join(", "));
        std::process::exit(2);
    }
    let is_chosen =
        |core: &&Core| chosen.is_empty() || chosen.iter().any(|c| c == core.core.name());
    println!("whole Engine::run; cycles are a model: memory without wait states");
    println!(
        "{:<12} {:<9} {:<12} {:>12} {:>12} {:>8} {:>10} {:>10}",
        "core", "timing", "network", "instructions", "cycles", "per MAC", "CMSIS-NN", "ratio"
    );
    CORES.iter().filter(is_chosen).for_each(|core| print(core, quick));
}

fn print(core: &Core, quick: bool) {
    let networks = NETWORKS.map(|(_, network)| network);
    let name = core.core.name();
    if core.core.timings().is_empty() {
        for ((network_name, network), count) in NETWORKS.iter().zip(core.costs(&networks)) {
            let per_mac = f64::from(count) / network.macs() as f64;
            println!(
                "{name:<12} {:<9} {network_name:<12} {count:>12} {:>12} {per_mac:>8.3}",
                "", ""
            );
        }
        return;
    }
    let counts = core.cycles(&networks);
    let mnist = if quick { vec![] } else { core.mnist_cycles(IMAGES) };
    for (index, timing) in core.core.timings().iter().enumerate() {
        let line = |network_name: &str, count: &thimble_cycles::Count, macs: usize| {
            let per_mac = count.cycles as f64 / macs as f64;
            let of = |(c, n, ..): &&(&str, &str, _, u64)| *c == timing.name() && *n == network_name;
            let other = CMSIS_NN.iter().find(of).map(|(.., cycles)| *cycles);
            let ratio = other.map(|other| format!("{:.2} ×", other as f64 / count.cycles as f64));
            println!(
                "{name:<12} {:<9} {network_name:<12} {:>12} {:>12} {per_mac:>8.3} {:>10} {:>10}",
                timing.name(),
                count.instructions,
                count.cycles,
                other.map_or_else(String::new, |other| other.to_string()),
                ratio.unwrap_or_default(),
            );
        };
        for ((network_name, network), counts) in NETWORKS.iter().zip(&counts) {
            line(network_name, &counts[index], network.macs());
        }
        if let Some(count) = mnist.get(index) {
            line("MNIST", count, Network::MLP.macs());
        }
    }
}
