//! The interface to QEMU: version 1 of `qemu-plugin.h`, as far as it is used here.
#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::fs::File;
use std::io::Write;
use std::sync::OnceLock;

use crate::instruction::Instruction;
use crate::timing::{Core, Pipeline};

/// A block of translated code, and an instruction in it.
#[repr(C)]
struct Block(c_void);
#[repr(C)]
struct Translated(c_void);

type Executed = extern "C" fn(c_uint, *mut c_void);

// SAFETY: declared as QEMU documents them; QEMU has them when it loads this library.
unsafe extern "C" {
    fn qemu_plugin_register_vcpu_tb_trans_cb(id: u64, callback: extern "C" fn(u64, *mut Block));
    fn qemu_plugin_register_vcpu_insn_exec_cb(
        instruction: *mut Translated,
        callback: Executed,
        flags: c_int,
        data: *mut c_void,
    );
    fn qemu_plugin_tb_n_insns(block: *const Block) -> usize;
    fn qemu_plugin_tb_get_insn(block: *const Block, index: usize) -> *mut Translated;
    fn qemu_plugin_insn_data(instruction: *const Translated) -> *const u8;
    fn qemu_plugin_insn_size(instruction: *const Translated) -> usize;
    fn qemu_plugin_insn_vaddr(instruction: *const Translated) -> u64;
}

/// The version of the interface.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals)]
pub static qemu_plugin_version: c_int = 1;

/// Beginnings and ends of regions.
const THUMB_MARKS: [u32; 2] = [0x46d2, 0x46db];
const RISCV_MARKS: [u32; 2] = [0x0010_2013, 0x0020_2013];

/// All that the callbacks share.
struct Plugin {
    /// Cores of one architecture.
    cores: Vec<Core>,
    out: File,
    /// For each core, while there is a region.
    region: Vec<Pipeline>,
    /// The instructions that have been translated, by address and code.
    decoded: HashMap<(u64, u32), &'static Instruction>,
}

/// QEMU runs machines of one core here, whose callbacks come one after the other.
struct Shared(UnsafeCell<Plugin>);

// SAFETY: see above; the thread of the only core is the only one that reaches it.
unsafe impl Sync for Shared {}
// SAFETY: it holds a file and plain data.
unsafe impl Send for Shared {}

static PLUGIN: OnceLock<Shared> = OnceLock::new();

fn with_plugin(work: impl FnOnce(&mut Plugin)) {
    if let Some(shared) = PLUGIN.get() {
        // SAFETY: callbacks do not nest, and there is one thread.
        work(unsafe { &mut *shared.0.get() });
    }
}

extern "C" fn begun(_core: c_uint, _data: *mut c_void) {
    with_plugin(|plugin| {
        plugin.region = plugin.cores.iter().map(|core| Pipeline::new(*core)).collect();
    });
}

extern "C" fn ended(_core: c_uint, address: *mut c_void) {
    with_plugin(|plugin| {
        let counts = plugin.region.drain(..).map(|mut region| region.end(address as u64));
        let line = counts.map(|count| format!("{} {} ", count.instructions, count.cycles));
        if let Err(error) = writeln!(plugin.out, "{}", line.collect::<String>().trim_end()) {
            eprintln!("the cycles cannot be written: {error}");
        }
    });
}

extern "C" fn executed(_core: c_uint, instruction: *mut c_void) {
    with_plugin(|plugin| {
        // SAFETY: `translated` gave an instruction that is never freed.
        let instruction = unsafe { &*instruction.cast::<Instruction>() };
        plugin.region.iter_mut().for_each(|pipeline| pipeline.execute(instruction));
    });
}

extern "C" fn translated(_id: u64, block: *mut Block) {
    with_plugin(|plugin| {
        let Some(core) = plugin.cores.first().copied() else { return };
        // SAFETY: QEMU gives a block that is valid during this call, and an index below its length.
        let count = unsafe { qemu_plugin_tb_n_insns(block) };
        for index in 0..count {
            // SAFETY: as above.
            let (instruction, code, bytes, address) = unsafe {
                let instruction = qemu_plugin_tb_get_insn(block, index);
                let bytes = qemu_plugin_insn_size(instruction);
                let data = qemu_plugin_insn_data(instruction);
                let code = std::slice::from_raw_parts(data, bytes.min(4));
                (instruction, code, bytes as u64, qemu_plugin_insn_vaddr(instruction))
            };
            let mut word = [0; 4];
            word[..code.len()].copy_from_slice(code);
            let word = u32::from_le_bytes(word);
            let [begin, end] = match core.is_riscv() {
                true => RISCV_MARKS,
                false => THUMB_MARKS,
            };
            let (callback, data): (Executed, *mut c_void) = if word == begin {
                (begun, std::ptr::null_mut())
            } else if word == end {
                (ended, address as *mut c_void)
            } else {
                let decoded = plugin.decoded.entry((address, word)).or_insert_with(|| {
                    // A program has a bounded number of instructions.
                    Box::leak(Box::new(core.decode(address, bytes, word)))
                });
                (executed, std::ptr::from_ref::<Instruction>(decoded).cast_mut().cast())
            };
            // SAFETY: the data lives as long as the program.
            unsafe { qemu_plugin_register_vcpu_insn_exec_cb(instruction, callback, 0, data) };
        }
    });
}

/// Starts the plugin with its arguments, `cores=NAME+NAME` and `out=FILE`.
///
/// # Safety
/// `arguments` must be as many strings as `count` says: QEMU calls it so.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qemu_plugin_install(
    id: u64,
    _info: *const c_void,
    count: c_int,
    arguments: *const *const c_char,
) -> c_int {
    let (mut cores, mut out) = (None, None);
    for index in 0..usize::try_from(count).unwrap_or(0) {
        // SAFETY: the caller says so.
        let argument = unsafe { CStr::from_ptr(*arguments.add(index)) }.to_string_lossy();
        match argument.split_once('=') {
            Some(("cores", names)) => {
                let named = |name| Core::ALL.into_iter().find(|core| core.name() == name);
                cores = names.split('+').map(named).collect::<Option<Vec<_>>>();
            }
            Some(("out", path)) => {
                out = File::create(path)
                    .inspect_err(|error| eprintln!("{path} cannot be written: {error}"))
                    .ok();
            }
            _ => eprintln!("unknown argument {argument}: the plugin takes cores and out"),
        }
    }
    let one_kind =
        |cores: &Vec<Core>| cores.windows(2).all(|pair| pair[0].is_riscv() == pair[1].is_riscv());
    let (Some(cores), Some(out)) = (cores.filter(one_kind), out) else {
        let names = Core::ALL.map(Core::name).join(", ");
        eprintln!("the plugin needs cores=NAME+NAME of one architecture, of {names}, and out=FILE");
        return -1;
    };
    let plugin = Plugin { cores, out, region: Vec::new(), decoded: HashMap::new() };
    let _ = PLUGIN.set(Shared(UnsafeCell::new(plugin)));
    // SAFETY: the callback stays loaded.
    unsafe { qemu_plugin_register_vcpu_tb_trans_cb(id, translated) };
    0
}
