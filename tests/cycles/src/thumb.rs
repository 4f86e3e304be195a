//! Decoding of Thumb instructions: Armv6-M, Armv7-M with DSP, Armv8-M without Helium.
//!
//! Source of the encodings: Arm DDI 0403E, Armv7-M Architecture Reference Manual, chapter A5.

use crate::instruction::{Class, Instruction, field};

const SP: u32 = 1 << 13;

/// Decodes an instruction of one halfword, or of two, of which the second is the upper half.
pub(crate) fn decode(address: u64, bytes: u64, word: u32) -> Instruction {
    let (first, second) = (word & 0xffff, word >> 16);
    let mut instruction = match bytes {
        2 => narrow(first),
        _ => wide(first, second),
    };
    instruction.address = address;
    instruction.bytes = bytes;
    // The program counter is no register that results are waited for.
    instruction.reads &= 0x7fff;
    instruction
}

/// Instructions of 16 bits.
fn narrow(code: u32) -> Instruction {
    let (low, next, third) = (code & 7, field(code, 3, 3), field(code, 6, 3));
    let high = field(code, 8, 3);
    let data = Instruction { writes: 1 << low, ..Default::default() };
    let single = |class, register: u32, address_registers: u32| {
        let is_load = class != Class::Store;
        Instruction {
            class,
            writes: if is_load { 1 << register } else { 0 },
            reads: address_registers,
            address_registers,
            ..Default::default()
        }
    };
    let list = |class, listed: u32, base: u32| Instruction {
        class,
        listed: listed.count_ones(),
        writes: (if class == Class::LoadList { listed & 0xff } else { 0 }) | base,
        reads: base,
        ..Default::default()
    };
    let branch =
        |class, reads| Instruction { class, reads, may_branch: true, ..Default::default() };
    match code >> 11 {
        // Shifts by a constant; additions and subtractions of a register or a small constant.
        0..=3 => {
            let by_register = matches!(code >> 9, 0b0001100 | 0b0001101);
            let other = if by_register { 1 << third } else { 0 };
            Instruction { reads: 1 << next | other, ..data }
        }
        // Moves, comparisons, additions and subtractions of a constant.
        4 => Instruction { writes: 1 << high, ..Default::default() },
        5 => Instruction { reads: 1 << high, ..Default::default() },
        6 | 7 => Instruction { reads: 1 << high, writes: 1 << high, ..Default::default() },
        8 => match field(code, 8, 3) {
            // Data processing.
            0..=3 => {
                let operation = field(code, 6, 4);
                let class = if operation == 13 { Class::Multiply } else { Class::Data };
                let is_comparison = matches!(operation, 8 | 10 | 11);
                let writes = if is_comparison { 0 } else { 1 << low };
                Instruction { class, writes, reads: 1 << low | 1 << next, ..Default::default() }
            }
            operation @ 4..=6 => {
                let (to, from) = (low | field(code, 7, 1) << 3, field(code, 3, 4));
                let reads = 1 << from | if operation == 6 { 0 } else { 1 << to };
                if operation != 5 && to == 15 {
                    return branch(Class::Branch, reads);
                }
                let writes = if operation == 5 { 0 } else { 1 << to };
                Instruction { writes, reads, ..Default::default() }
            }
            _ => branch(Class::Call, 1 << field(code, 3, 4)),
        },
        // Load of a constant near the program.
        9 => single(Class::Load, high, 0),
        // With two registers for an address.
        10 | 11 => {
            let class = match field(code, 9, 3) {
                0..=2 => Class::Store,
                4 => Class::Load,
                _ => Class::LoadNarrow,
            };
            let by_register = class == Class::Store;
            let address = 1 << next | 1 << third;
            Instruction { stores_by_register: by_register, ..single(class, low, address) }
        }
        12 | 14 | 16 => single(Class::Store, low, 1 << next),
        13 => single(Class::Load, low, 1 << next),
        15 | 17 => single(Class::LoadNarrow, low, 1 << next),
        18 => single(Class::Store, high, SP),
        19 => single(Class::Load, high, SP),
        // An address near the program or the stack.
        20 | 21 => Instruction { writes: 1 << high, ..Default::default() },
        22 | 23 => miscellaneous(code, low, next, list, branch),
        24 => list(Class::StoreList, code & 0xff, 1 << high),
        25 => list(Class::LoadList, code & 0xff, 1 << high),
        // Conditional branches; the last two conditions stand for other instructions.
        26 | 27 if field(code, 8, 4) < 14 => branch(Class::Branch, 0),
        28 => branch(Class::Branch, 0),
        _ => Instruction { class: Class::System, ..Default::default() },
    }
}

fn miscellaneous(
    code: u32,
    low: u32,
    next: u32,
    list: impl Fn(Class, u32, u32) -> Instruction,
    branch: impl Fn(Class, u32) -> Instruction,
) -> Instruction {
    match field(code, 8, 4) {
        0 => Instruction { writes: SP, ..Default::default() },
        1 | 3 | 9 | 11 => branch(Class::Branch, 1 << low),
        2 => Instruction {
            class: Class::Extend,
            writes: 1 << low,
            reads: 1 << next,
            ..Default::default()
        },
        4 | 5 => list(Class::StoreList, code & 0x1ff, SP),
        12 | 13 => {
            let returns = code & 0x100 != 0;
            Instruction { may_branch: returns, ..list(Class::LoadList, code & 0x1ff, SP) }
        }
        10 => Instruction { writes: 1 << low, reads: 1 << next, ..Default::default() },
        14 => Instruction { class: Class::System, ..Default::default() },
        // If-then and hints.
        _ => Instruction::default(),
    }
}

/// Instructions of 32 bits.
fn wide(first: u32, second: u32) -> Instruction {
    let base = first & 15;
    let other = second & 15;
    let written = 1 << field(second, 8, 4);
    match field(first, 11, 2) {
        1 if first & 0xfe40 == 0xe800 => {
            let is_load = first & 0x10 != 0;
            let back = if first & 0x20 != 0 { 1 << base } else { 0 };
            Instruction {
                class: if is_load { Class::LoadList } else { Class::StoreList },
                listed: second.count_ones(),
                writes: (if is_load { second & 0x7fff } else { 0 }) | back,
                reads: 1 << base,
                may_branch: is_load && second >> 15 == 1,
                ..Default::default()
            }
        }
        1 if first & 0xfe40 == 0xe840 => two_words(first, second),
        // The floating-point unit, which no kernel uses.
        1 if first & 0x0400 != 0 => Instruction::default(),
        1 => {
            // With a shifted register; a packing counts as an extension.
            let class = if first & 0xfff0 == 0xeac0 { Class::Extend } else { Class::Data };
            let is_comparison = field(second, 8, 4) == 15;
            Instruction {
                class,
                reads: 1 << base | 1 << other,
                writes: if is_comparison { 0 } else { written },
                shifts: second & 0x70f0 != 0 && first & 0xfe00 == 0xea00,
                ..Default::default()
            }
        }
        2 if second & 0x8000 != 0 => {
            let class = match (second & 0xd000, field(first, 6, 4)) {
                (0xd000, _) => Class::Call,
                (0x9000, _) => Class::Branch,
                (0x8000, condition) if condition < 14 => Class::Branch,
                _ => Class::System,
            };
            Instruction { class, may_branch: class != Class::System, ..Default::default() }
        }
        // With a constant.
        2 => {
            let is_comparison = field(second, 8, 4) == 15;
            let writes = if is_comparison { 0 } else { written };
            Instruction { writes, reads: 1 << base, ..Default::default() }
        }
        _ if first & 0xfe00 == 0xf800 => single(first, second),
        _ if first & 0xff00 == 0xfa00 => {
            let extends = first & 0x80 == 0 && second & 0xf080 == 0xf080;
            let class = if extends { Class::Extend } else { Class::Data };
            Instruction {
                class,
                writes: written,
                reads: 1 << base | 1 << other,
                ..Default::default()
            }
        }
        _ if first & 0xff80 == 0xfb00 => {
            let adds = field(second, 12, 4) != 15;
            let class = match (field(first, 4, 3), adds) {
                (0, false) => Class::Multiply,
                (0, true) => Class::MultiplyAdd,
                _ => Class::DspMultiply,
            };
            Instruction {
                class,
                writes: written,
                reads: 1 << base | 1 << other,
                ..Default::default()
            }
        }
        _ if first & 0xff80 == 0xfb80 => {
            let operation = field(first, 4, 3);
            let class = match operation {
                1 | 3 => Class::Divide,
                4 if second & 0x80 != 0 => Class::DspMultiply,
                5 => Class::DspMultiply,
                0..=3 => Class::MultiplyLong,
                _ => Class::MultiplyAddLong,
            };
            let lower = if class == Class::Divide { 0 } else { 1 << field(second, 12, 4) };
            let reads = 1 << base | 1 << other;
            Instruction { class, writes: written | lower, reads, ..Default::default() }
        }
        _ => Instruction::default(),
    }
}

/// Two words, exclusive access, and table branches.
fn two_words(first: u32, second: u32) -> Instruction {
    let base = first & 15;
    let is_load = first & 0x10 != 0;
    if first & 0xfff0 == 0xe8d0 && second & 0xffe0 == 0xf000 {
        let reads = 1 << base | 1 << (second & 15);
        return Instruction {
            class: Class::TableBranch,
            reads,
            may_branch: true,
            ..Default::default()
        };
    }
    if first & 0xff60 == 0xe840 || first & 0xffe0 == 0xe8c0 {
        let class = if is_load { Class::Load } else { Class::Store };
        let writes = if is_load { 1 << field(second, 12, 4) } else { 0 };
        let reads = 1 << base;
        return Instruction {
            class,
            writes,
            reads,
            address_registers: reads,
            ..Default::default()
        };
    }
    let both = 1 << field(second, 12, 4) | 1 << field(second, 8, 4);
    let back = if first & 0x20 != 0 { 1 << base } else { 0 };
    Instruction {
        class: if is_load { Class::LoadPair } else { Class::StoreList },
        listed: 2,
        writes: (if is_load { both } else { 0 }) | back,
        reads: 1 << base,
        ..Default::default()
    }
}

/// Loads and stores of one register.
fn single(first: u32, second: u32) -> Instruction {
    let base = first & 15;
    let is_load = first & 0x10 != 0;
    let register = field(second, 12, 4);
    let near_program = base == 15;
    let by_register = first & 0x80 == 0 && second & 0x0fc0 == 0 && !near_program;
    let back = first & 0x80 == 0 && !by_register && !near_program && second & 0x0900 == 0x0900;
    let mut address_registers = if near_program { 0 } else { 1 << base };
    if by_register {
        address_registers |= 1 << (second & 15);
    }
    let class = match (is_load, field(first, 5, 2)) {
        (false, _) => Class::Store,
        (true, 2) => Class::Load,
        _ => Class::LoadNarrow,
    };
    Instruction {
        class,
        writes: (if is_load { 1 << register } else { 0 }) | if back { 1 << base } else { 0 },
        reads: address_registers,
        address_registers,
        writes_back: back.then_some(base),
        stores_by_register: by_register && !is_load,
        may_branch: is_load && register == 15,
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class_of(halves: &[u16]) -> Class {
        let word = halves.iter().rev().fold(0, |word, half| word << 16 | u32::from(*half));
        decode(0, 2 * halves.len() as u64, word).class
    }

    #[test]
    fn classes() {
        for (halves, class) in [
            (&[0x4348][..], Class::Multiply),            // muls r0, r1, r0
            (&[0x7801], Class::LoadNarrow),              // ldrb r1, [r0]
            (&[0xca30], Class::LoadList),                // ldm r2!, {r4, r5}
            (&[0xb5f0], Class::StoreList),               // push {r4-r7, lr}
            (&[0xd1fe], Class::Branch),                  // bne
            (&[0x4770], Class::Call),                    // bx lr
            (&[0x4411], Class::Data),                    // add r1, r2
            (&[0xfb01, 0x3002], Class::MultiplyAdd),     // mla r0, r1, r2, r3
            (&[0xfb21, 0x3002], Class::DspMultiply),     // smlad r0, r1, r2, r3
            (&[0xfbc1, 0x34c2], Class::DspMultiply),     // smlald r3, r4, r1, r2
            (&[0xfb81, 0x3402], Class::MultiplyLong),    // smull r3, r4, r1, r2
            (&[0xfbc1, 0x3402], Class::MultiplyAddLong), // smlal r3, r4, r1, r2
            (&[0xfa2f, 0xf181], Class::Extend),          // sxtb16 r1, r1
            (&[0xe8f0, 0x9a02], Class::LoadPair),        // ldrd r9, r10, [r0], #8
            (&[0xe8b2, 0x5802], Class::LoadList),        // ldm r2!, {r1, r11, r12, lr}
            (&[0xf8d0, 0x1000], Class::Load),            // ldr.w r1, [r0]
            (&[0xf000, 0xf800], Class::Call),            // bl
        ] {
            assert_eq!(class_of(halves), class, "{halves:x?}");
        }
    }

    #[test]
    fn registers_of_loads() {
        // ldrsb r3, [r2], #1
        let load = decode(0, 4, 0x3b01_f912);
        assert_eq!((load.writes_back, load.address_registers), (Some(2), 1 << 2));
        assert_eq!(load.writes, 1 << 3 | 1 << 2);
        // str.w r1, [r2, r3]
        let store = decode(0, 4, 0x1003_f842);
        assert!(store.stores_by_register && store.address_registers == 1 << 2 | 1 << 3);
        // pop {r4, pc}
        let pop = decode(0, 2, 0xbd10);
        assert!(pop.may_branch && pop.listed == 2);
    }
}
