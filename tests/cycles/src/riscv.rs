//! Decoding of RV32IMC instructions.
//!
//! Source of the encodings: The RISC-V Instruction Set Manual, volume I, version 20191213, chapters
//! 16 and 24.

use crate::instruction::{Class, Instruction, field};

/// Decodes an instruction of two or four bytes.
pub(crate) fn decode(address: u64, bytes: u64, word: u32) -> Instruction {
    let mut instruction = match bytes {
        2 => compressed(word & 0xffff),
        _ => full(word),
    };
    instruction.address = address;
    instruction.bytes = bytes;
    // Nothing waits for x0.
    instruction.reads &= !1;
    instruction.writes &= !1;
    instruction
}

fn of(class: Class, writes: u32, reads: u32) -> Instruction {
    let may_branch = matches!(class, Class::Branch | Class::Call);
    Instruction { class, writes, reads, may_branch, ..Default::default() }
}

fn compressed(code: u32) -> Instruction {
    const SP: u32 = 1 << 2;
    let (low, high) = (1 << (8 + field(code, 2, 3)), 1 << (8 + field(code, 7, 3)));
    let (to, from) = (1 << field(code, 7, 5), 1 << field(code, 2, 5));
    match (code & 3, code >> 13) {
        (0, 0) => of(Class::Data, low, SP),
        (0, 2) => of(Class::Load, low, high),
        (0, 6) => of(Class::Store, 0, low | high),
        (1, 0) => of(Class::Data, to, to),
        (1, 1) => of(Class::Call, 2, 0),
        (1, 2) => of(Class::Data, to, 0),
        (1, 3) => of(Class::Data, to, if to == SP { SP } else { 0 }),
        (1, 4) => {
            let other = if field(code, 10, 2) == 3 { low } else { 0 };
            of(Class::Data, high, high | other)
        }
        (1, 5) => of(Class::Branch, 0, 0),
        (1, 6 | 7) => of(Class::Branch, 0, high),
        (2, 0) => of(Class::Data, to, to),
        (2, 2) => of(Class::Load, to, SP),
        (2, 4) => match (field(code, 12, 1), from) {
            (0, 1) => of(Class::Call, 0, to),
            (_, 1) => of(Class::Call, 2, to),
            (0, _) => of(Class::Data, to, from),
            _ => of(Class::Data, to, to | from),
        },
        (2, 6) => of(Class::Store, 0, SP | from),
        _ => of(Class::Data, 0, 0),
    }
}

fn full(word: u32) -> Instruction {
    let to = 1 << field(word, 7, 5);
    let (first, second) = (1 << field(word, 15, 5), 1 << field(word, 20, 5));
    let function = field(word, 12, 3);
    match field(word, 2, 5) {
        0 if function == 2 => of(Class::Load, to, first),
        0 => of(Class::LoadNarrow, to, first),
        8 => of(Class::Store, 0, first | second),
        4 => of(Class::Data, to, first),
        5 | 13 => of(Class::Data, to, 0),
        12 => {
            let class = match (word >> 25, function) {
                (1, 0) => Class::Multiply,
                (1, 1..=3) => Class::MultiplyLong,
                (1, _) => Class::Divide,
                _ => Class::Data,
            };
            of(class, to, first | second)
        }
        24 => of(Class::Branch, 0, first | second),
        25 => of(Class::Call, to, first),
        27 if to == 1 => of(Class::Branch, 0, 0),
        27 => of(Class::Call, to, 0),
        _ => of(Class::System, to, first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes() {
        let class_of = |bytes, word| decode(0, bytes, word).class;
        assert_eq!(class_of(4, 0x0000_0f03), Class::LoadNarrow); // lb t5, 0(zero)
        assert_eq!(class_of(4, 0x0005_2f03), Class::Load); // lw t5, 0(a0)
        assert_eq!(class_of(4, 0x03df_0f33), Class::Multiply); // mul t5, t5, t4
        assert_eq!(class_of(4, 0x03df_1f33), Class::MultiplyLong); // mulh t5, t5, t4
        assert_eq!(class_of(4, 0x01e7_0733), Class::Data); // add a4, a4, t5
        assert_eq!(class_of(4, 0xfeb5_1ee3), Class::Branch); // bne a0, a1
        assert_eq!(class_of(2, 0x8082), Class::Call); // ret
        assert_eq!(class_of(2, 0x4188), Class::Load); // c.lw a0, 0(a1)
    }

    #[test]
    fn nothing_waits_for_the_register_that_is_zero() {
        assert_eq!(decode(0, 4, 0x0000_0f03).reads, 0);
        let multiply = decode(0, 4, 0x03df_0f33);
        assert_eq!((multiply.writes, multiply.reads), (1 << 30, 1 << 30 | 1 << 29));
    }
}
