//! Executed instructions, code, scratch memory and stack of exported C on emulated cores.

use std::path::Path;

use model_format::Model;
use object::{Object, ObjectSymbol, SymbolKind};
use thimble_export::{CSource, Name};

use crate::c_target::{CTarget, WARNINGS};
use crate::counts::{Network, random_inputs};
use crate::workspace::{empty_dir, read, write};

/// 784-128-10 and small networks.
pub const SMALL: [Network; 4] = [
    Network::MLP,
    Network::of(&[64, 32, 10]),
    Network::of(&[12, 16, 16, 5]),
    Network::of(&[1, 16, 16, 1]),
];

/// Rows over which instructions are averaged, as `bench.c` has them.
const ROWS: usize = 8;

/// Measurements of a network as C.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measured {
    /// Executed instructions of an inference, for random inputs.
    pub instructions: u64,
    /// Bytes of its functions, without those of the compiler's own library.
    pub code: u64,
    /// Bytes of weights and parameters.
    pub constants: usize,
    /// Bytes of scratch memory.
    pub scratch: usize,
    /// Bytes of stack.
    pub stack: u64,
}

/// Measures a network of int8 on a core.
///
/// # Panics
/// When a compiler or emulator is missing, with what was printed.
pub fn measure(target: CTarget, network: &Network, optimization: &str) -> Measured {
    let widths: Vec<String> = network.widths.iter().map(usize::to_string).collect();
    let folder = empty_dir(&format!("c-counts-{}-{}", target.name(), widths.join("-")));
    let file = network.model();
    let model = Model::parse(&file).unwrap_or_else(|error| panic!("{error}"));
    let name = Name::new("net").unwrap_or_else(|error| panic!("{error}"));
    let source = CSource::of(&model, &name);
    for file in source.files() {
        write(folder.join(&file.path), &file.content);
    }
    let rows = random_inputs(ROWS * model.input_bytes());
    let text: String = rows.iter().map(|value| format!("{},", *value as u8)).collect();
    write(folder.join("rows.inc"), text + "\n");
    write(folder.join("bench.c"), include_str!("c_platform/bench.c"));
    let sources = ["net.c".to_string(), "bench.c".into()];
    target.build(&folder, &sources, optimization, &WARNINGS);
    let printed = target.run(&folder);
    let numbers: Vec<u64> = printed.split_whitespace().flat_map(str::parse).collect();
    let [ticks, stack] = numbers[..] else { panic!("{}: {printed}", target.name()) };
    let instructions = ticks as f64 * target.instructions_of_tick() / ROWS as f64;
    Measured {
        instructions: instructions as u64,
        code: code(&folder.join("program")),
        constants: source.flash,
        scratch: source.scratch,
        stack,
    }
}

/// Bytes of the functions of the model.
fn code(elf: &Path) -> u64 {
    let bytes = read(elf);
    let file = object::File::parse(&*bytes).expect("an ELF file");
    let functions = file.symbols().filter(|symbol| {
        let is_ours = symbol.name().is_ok_and(|name| name.starts_with("net_"));
        symbol.kind() == SymbolKind::Text && is_ours
    });
    functions.map(|symbol| symbol.size()).sum()
}
