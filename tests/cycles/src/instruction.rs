//! Decoded instructions, as far as their timing needs.

/// Kinds of instructions with timings of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Class {
    /// Data processing, and all that follows its timing.
    #[default]
    Data,
    /// Extensions of bytes and halfwords, and packing.
    Extend,
    /// Multiplication with a result of 32 bits.
    Multiply,
    /// Multiplication that adds to an accumulator of 32 bits.
    MultiplyAdd,
    /// DSP multiplication: a halfword or pairs of them, or the upper half of a product.
    DspMultiply,
    /// Multiplication with a result of 64 bits.
    MultiplyLong,
    /// Multiplication that adds to an accumulator of 64 bits.
    MultiplyAddLong,
    /// Division.
    Divide,
    /// Load of a word.
    Load,
    /// Load of a byte or a halfword.
    LoadNarrow,
    /// Load of two words.
    LoadPair,
    /// Load of a list of registers.
    LoadList,
    /// Store of a word, a halfword or a byte.
    Store,
    /// Store of two words or of a list of registers.
    StoreList,
    /// Table branch.
    TableBranch,
    /// Branch to an offset, or to an address that is computed.
    Branch,
    /// Call, and return by a register.
    Call,
    /// System and barrier instructions.
    System,
}

/// A decoded instruction. Sets of registers have a bit for each.
#[derive(Clone, Debug, Default)]
pub(crate) struct Instruction {
    pub(crate) address: u64,
    pub(crate) bytes: u64,
    pub(crate) class: Class,
    /// Registers that it reads, apart from an accumulator.
    pub(crate) reads: u32,
    /// Registers that it writes.
    pub(crate) writes: u32,
    /// Registers in the address of a load or store.
    pub(crate) address_registers: u32,
    /// Registers of a list, or 2 for two words.
    pub(crate) listed: u32,
    /// Base register of a load or store that writes it back.
    pub(crate) writes_back: Option<u32>,
    /// Stores to the sum of two registers.
    pub(crate) stores_by_register: bool,
    /// Shifts its second operand.
    pub(crate) shifts: bool,
    /// May continue elsewhere than behind itself.
    pub(crate) may_branch: bool,
}

impl Instruction {
    /// Returns whether it is a load of one register.
    pub(crate) fn is_single_load(&self) -> bool {
        matches!(self.class, Class::Load | Class::LoadNarrow)
    }

    /// Returns whether it is a store of one register.
    pub(crate) fn is_single_store(&self) -> bool {
        self.class == Class::Store
    }
}

/// The bits of a word from `low` on, as a number.
pub(crate) fn field(word: u32, low: u32, bits: u32) -> u32 {
    word >> low & ((1 << bits) - 1)
}
