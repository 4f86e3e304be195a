//! Timings of cores, at memory without wait states.
//!
//! | core | rule | source |
//! |---|---|---|
//! | M0 | data 1, MULS 1 (the fast multiplier, which is the chip's choice; else 32), load and store 2, lists 1 + N, POP with pc 4 + N, taken branch 3, BX 3, BL 4 | Arm DDI 0432C, table 3-1 |
//! | M0+ | the same, but taken branch 2, BX 2, BL 3, POP with pc 3 + N | Arm DDI 0484C, table 3-1 |
//! | M3 | data 1, MUL 1, MLA and MLS 2, SMULL and UMULL 3 to 5 (5 taken), SMLAL and UMLAL 4 to 7 (7 taken), division 2 to 12 (6 taken), load 2, store 1 (2 with a register as offset), lists 1 + N, two words 3, taken branch 1 + 1 to 3 (2 taken) | Arm DDI 0337I, table 3-1 |
//! | M4 | the same; every multiplication and every DSP instruction 1 | Arm DDI 0439, table 3-1 |
//! | M3, M4 | a single load or store directly behind a single load costs 1 less, unless the first makes its address | the same, 3.3.2 |
//! | M3, M4 | in a chain of loads, on M3 only the first may write its base back, on M4 not two the same base | measured by jnk0le on STM32F103 and F407: github.com/jnk0le/random, `pipeline cycle test` |
//! | M33 | lists N, two words 2, result of a load, a multiplication, a 32-bit extension or a shifted operand after 2, accumulators are forwarded, taken branch 2, return 3 | measured by jnk0le on RP2350, at the same place; Arm publishes no table. That plain SXTB16 takes 2 is inferred from SXTAB16 |
//! | FE310 | in order; LW after 2, LB and LH after 3, multiplication after 5 and one at a time; branches are predicted | SiFive E31 and FE310-G000 manuals, 3.3 |
//! | ESP32-C3 | in order; loads after 2, multiplication 1, taken branch 3 | assumed; Espressif publishes none |
//! | Hazard3 | in order; loads after 2, multiplication 1, taken branch 2 | Hazard3, `instruction_timings.adoc` |
//!
//! For Cortex-M7, which issues two instructions at once, and for Cortex-M55, Arm publishes no such
//! tables: they have no model here.

use crate::instruction::{Class, Instruction};
use crate::{riscv, thumb};

/// A core with a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Core {
    /// Cortex-M0.
    M0,
    /// Cortex-M0+.
    M0Plus,
    /// Cortex-M3.
    M3,
    /// Cortex-M4.
    M4,
    /// Cortex-M33.
    M33,
    /// SiFive's E31, in the FE310.
    Fe310,
    /// The core of the ESP32-C3.
    Esp32C3,
    /// Hazard3, in the RP2350.
    Hazard3,
}

impl Core {
    /// All of them.
    pub const ALL: [Core; 8] = [
        Core::M0,
        Core::M0Plus,
        Core::M3,
        Core::M4,
        Core::M33,
        Core::Fe310,
        Core::Esp32C3,
        Core::Hazard3,
    ];

    /// The name that the plugin takes.
    pub fn name(self) -> &'static str {
        match self {
            Core::M0 => "m0",
            Core::M0Plus => "m0plus",
            Core::M3 => "m3",
            Core::M4 => "m4",
            Core::M33 => "m33",
            Core::Fe310 => "fe310",
            Core::Esp32C3 => "esp32c3",
            Core::Hazard3 => "hazard3",
        }
    }

    pub(crate) fn is_riscv(self) -> bool {
        matches!(self, Core::Fe310 | Core::Esp32C3 | Core::Hazard3)
    }

    /// Decodes an instruction of this core.
    pub(crate) fn decode(self, address: u64, bytes: u64, word: u32) -> Instruction {
        if self.is_riscv() {
            riscv::decode(address, bytes, word)
        } else {
            thumb::decode(address, bytes, word)
        }
    }

    /// Cycles of an instruction when nothing delays it and it does not branch.
    fn cycles(self, instruction: &Instruction) -> u64 {
        let listed = u64::from(instruction.listed);
        let before_v7 = matches!(self, Core::M0 | Core::M0Plus);
        match instruction.class {
            _ if self.is_riscv() => 1,
            Class::Load | Class::LoadNarrow | Class::Store if self == Core::M33 => 1,
            Class::LoadPair | Class::LoadList | Class::StoreList if self == Core::M33 => listed,
            Class::Load | Class::LoadNarrow => 2,
            Class::LoadPair | Class::LoadList | Class::StoreList => 1 + listed,
            Class::Store if before_v7 || instruction.stores_by_register => 2,
            Class::MultiplyAdd if self == Core::M3 => 2,
            Class::MultiplyLong if self == Core::M3 => 5,
            Class::MultiplyAddLong if self == Core::M3 => 7,
            Class::Divide => 6,
            Class::TableBranch => 2,
            Class::System if self == Core::M0 && instruction.bytes == 4 => 4,
            Class::System if self == Core::M0Plus && instruction.bytes == 4 => 3,
            Class::System if instruction.bytes == 4 => 2,
            _ => 1,
        }
    }

    /// Cycles more of a branch that is taken.
    fn taken(self, instruction: &Instruction) -> u64 {
        match (self, instruction.class) {
            // The list's own cycles, and 3 or 2 more.
            (Core::M0, Class::LoadList | Class::Call) if instruction.bytes == 4 => 3,
            (Core::M0, Class::LoadList) => 3,
            (Core::M0, _) => 2,
            (Core::M0Plus, Class::LoadList) => 2,
            (Core::M0Plus, Class::Call) if instruction.bytes == 4 => 2,
            (Core::M0Plus, _) => 1,
            (Core::M3 | Core::M4, Class::TableBranch) => 3,
            (Core::M3 | Core::M4, _) => 2,
            (Core::M33, Class::Branch) => 1,
            (Core::M33, _) => 2,
            (Core::Fe310, _) => 0,
            (Core::Esp32C3, _) => 2,
            (Core::Hazard3, _) => 1,
        }
    }

    /// Cycles from the last cycle of an instruction until its result can be read.
    fn latency(self, instruction: &Instruction) -> u64 {
        match (self, instruction.class) {
            (_, Class::Divide) if self.is_riscv() => 33,
            (Core::Fe310, Class::LoadNarrow) => 3,
            (Core::Fe310, Class::Multiply | Class::MultiplyLong) => 5,
            (_, Class::Load | Class::LoadNarrow | Class::LoadPair) => 2,
            (Core::M33, Class::Extend) if instruction.bytes == 4 => 2,
            (
                Core::M33,
                Class::Multiply
                | Class::MultiplyAdd
                | Class::DspMultiply
                | Class::MultiplyLong
                | Class::MultiplyAddLong,
            ) => 2,
            (Core::M33, Class::Data) if instruction.shifts => 2,
            _ => 1,
        }
    }
}

/// Instructions and cycles of a region.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Executed instructions.
    pub instructions: u64,
    /// Cycles by the model of the core.
    pub cycles: u64,
}

/// The last instruction, as far as the next one's cycles depend on it.
#[derive(Clone, Copy, Debug)]
struct Last {
    /// Address behind it.
    next: u64,
    /// Cycles more if it turns out to have branched.
    taken: u64,
    /// Registers that it writes, if it is a single load.
    loaded: Option<u32>,
    writes_back: Option<u32>,
}

/// The state of a core in a region.
pub(crate) struct Pipeline {
    core: Core,
    count: Count,
    last: Option<Last>,
    /// Cycle from which each register can be read.
    ready: [u64; 32],
    /// Cycle from which the multiplier is free, where it takes one product at a time.
    multiplier: u64,
}

impl Pipeline {
    pub(crate) fn new(core: Core) -> Self {
        Pipeline { core, count: Count::default(), last: None, ready: [0; 32], multiplier: 0 }
    }

    /// Adds an instruction.
    pub(crate) fn execute(&mut self, instruction: &Instruction) {
        self.arrive(instruction.address);
        self.count.instructions += 1;
        let core = self.core;
        self.count.cycles = match core {
            Core::M0 | Core::M0Plus => self.count.cycles + core.cycles(instruction),
            Core::M3 | Core::M4 => {
                let pipelined = u64::from(self.is_pipelined(instruction));
                self.count.cycles + core.cycles(instruction) - pipelined
            }
            _ => self.in_order(instruction),
        };
        self.last = Some(Last {
            next: instruction.address + instruction.bytes,
            taken: if instruction.may_branch { core.taken(instruction) } else { 0 },
            loaded: instruction.is_single_load().then_some(instruction.writes),
            writes_back: instruction.writes_back,
        });
    }

    /// Ends the region at this address.
    pub(crate) fn end(&mut self, address: u64) -> Count {
        self.arrive(address);
        self.count
    }

    /// The program goes on at this address.
    fn arrive(&mut self, address: u64) {
        if let Some(last) = self.last.take_if(|last| last.taken > 0 && last.next != address) {
            self.count.cycles += last.taken;
        }
    }

    /// Returns whether a load or store overlaps with the load before it.
    fn is_pipelined(&self, instruction: &Instruction) -> bool {
        let Some(Last { loaded: Some(written), writes_back: before, .. }) = self.last else {
            return false;
        };
        // What the load before writes back does not delay an address, but what it loads does.
        let loaded = written & !before.map_or(0, |base| 1 << base);
        let back = instruction.writes_back;
        let breaks_chain = match self.core {
            Core::M3 => back.is_some(),
            _ => back.is_some() && back == before,
        };
        match instruction.address_registers & loaded {
            0 if instruction.is_single_load() => !breaks_chain,
            0 => instruction.is_single_store() && instruction.stores_by_register,
            _ => false,
        }
    }

    /// The cycle after an instruction that waits for the registers that it reads.
    fn in_order(&mut self, instruction: &Instruction) -> u64 {
        // A later result must not be overtaken, where multiplication takes long.
        let mut waits = instruction.reads;
        if self.core.is_riscv() {
            waits |= instruction.writes;
        }
        let ready = registers(waits).map(|register| self.ready[register]);
        let mut start = ready.fold(self.count.cycles, u64::max);
        let multiplies =
            matches!(instruction.class, Class::Multiply | Class::MultiplyLong | Class::Divide);
        let latency = self.core.latency(instruction);
        if multiplies && (self.core == Core::Fe310 || instruction.class == Class::Divide) {
            start = start.max(self.multiplier);
            self.multiplier = start + latency;
        }
        let end = start + self.core.cycles(instruction);
        let is_list = self.core == Core::M33 && instruction.class == Class::LoadList;
        for (place, register) in registers(instruction.writes).enumerate() {
            // The words of a list come one a cycle.
            self.ready[register] =
                if is_list { start + place as u64 + 2 } else { end - 1 + latency };
        }
        if let Some(base) = instruction.writes_back {
            self.ready[base as usize & 31] = start + 1;
        }
        end
    }
}

/// The numbers of the registers in a set.
fn registers(mut set: u32) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let lowest = set.trailing_zeros();
        set &= set.checked_sub(1)?;
        Some(lowest as usize)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cycles of Thumb instructions that lie behind each other.
    fn cycles(core: Core, code: &[&[u16]]) -> u64 {
        let mut pipeline = Pipeline::new(core);
        let mut address = 0;
        for halves in code {
            let word = halves.iter().rev().fold(0, |word, half| word << 16 | u32::from(*half));
            let bytes = 2 * halves.len() as u64;
            pipeline.execute(&core.decode(address, bytes, word));
            address += bytes;
        }
        pipeline.end(address).cycles
    }

    const LDR_R0_R1: &[u16] = &[0x6808];
    const LDR_R2_R1: &[u16] = &[0x684a];
    const LDR_R2_R0: &[u16] = &[0x6842];
    const MLA: &[u16] = &[0xfb01, 0x3002];
    const SXTB16_R1: &[u16] = &[0xfa2f, 0xf181];
    const SMLAD_R0_R1: &[u16] = &[0xfb21, 0x0002];

    #[test]
    fn loads_overlap_on_m3_and_m4_unless_one_makes_the_address_of_the_next() {
        for core in [Core::M3, Core::M4] {
            assert_eq!(cycles(core, &[LDR_R0_R1, LDR_R2_R1]), 3);
            assert_eq!(cycles(core, &[LDR_R0_R1, LDR_R2_R0]), 4);
        }
        assert_eq!(cycles(Core::M0, &[LDR_R0_R1, LDR_R2_R1]), 4);
        // ldrsb r3, [r2], #1, twice: the second breaks the chain.
        let back: &[u16] = &[0xf912, 0x3b01];
        assert_eq!(cycles(Core::M3, &[back, back]), 4);
    }

    #[test]
    fn multiplication() {
        assert_eq!(cycles(Core::M3, &[MLA]), 2);
        assert_eq!(cycles(Core::M4, &[MLA]), 1);
        // What is unpacked can be read after two cycles.
        assert_eq!(cycles(Core::M4, &[SXTB16_R1, SMLAD_R0_R1]), 2);
        assert_eq!(cycles(Core::M33, &[SXTB16_R1, SMLAD_R0_R1]), 3);
    }

    #[test]
    fn a_branch_costs_more_when_it_is_taken() {
        for (core, more) in [(Core::M0, 2), (Core::M0Plus, 1), (Core::M3, 2), (Core::M33, 1)] {
            let after = |address| {
                let mut pipeline = Pipeline::new(core);
                pipeline.execute(&core.decode(0, 2, 0xd1fe));
                pipeline.end(address).cycles
            };
            assert_eq!(after(64) - after(2), more, "{core:?}");
        }
        // pop {r4, pc}: 4 and 3 cycles beside one for each register.
        for (core, all) in [(Core::M0, 6), (Core::M0Plus, 5)] {
            let mut pipeline = Pipeline::new(core);
            pipeline.execute(&core.decode(0, 2, 0xbd10));
            assert_eq!(pipeline.end(64).cycles, all, "{core:?}");
        }
    }

    #[test]
    fn riscv_waits_for_results() {
        let cycles = |core: Core, code: &[u32]| {
            let mut pipeline = Pipeline::new(core);
            for (address, word) in (0..).step_by(4).zip(code) {
                pipeline.execute(&core.decode(address, 4, *word));
            }
            pipeline.end(4 * code.len() as u64).cycles
        };
        // lb t5, 0(a2); mul t5, t5, t4; add a4, a4, t5
        let code = [0x0006_0f03, 0x03df_0f33, 0x01e7_0733];
        assert_eq!(cycles(Core::Hazard3, &code), 4);
        assert_eq!(cycles(Core::Fe310, &code), 3 + 5 + 1);
    }
}
