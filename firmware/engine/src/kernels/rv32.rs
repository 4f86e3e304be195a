//! The kernel for 32-bit RISC-V with multiplication.
//!
//! One input, loaded once, meets the weights of eight rows: load, multiply and add each, 3.125
//! instructions a product. Addresses have offsets, so that the pointers move once for eight inputs.
#![allow(unsafe_code)]

use core::arch::global_asm;

use model_format::{Capabilities, Dense};

use super::tiles::Loops;
use super::{Prepared, columns};

/// Writes the output of a layer with weights in columns of eight rows.
#[inline(never)]
pub(super) fn compute<C: Capabilities>(layer: &Dense<'_>, x: &Prepared<'_>, output: &mut [u8]) {
    let layer = &layer.specialize::<C>();
    let whole = Loops { tile: thimble_columns8, single: thimble_columns1 };
    let listed = Loops { tile: thimble_columns8_listed, single: thimble_columns1_listed };
    // SAFETY: the loops read whole blocks, of which there are some, or entries, whose offsets are
    // those of blocks of a row.
    unsafe { columns::compute::<C>(layer, x, output, whole, listed) }
}

// SAFETY: the assembly below takes and gives what is declared here.
unsafe extern "C" {
    fn thimble_columns8(x: *const u32, end: *const u32, w: *const u8, sums: *mut [i32; 8]);
    fn thimble_columns8_listed(x: *const u32, end: *const u32, w: *const u8, sums: *mut [i32; 8]);
    fn thimble_columns1(x: *const u32, end: *const u32, w: *const u8, sum: *mut i32);
    fn thimble_columns1_listed(x: *const u32, end: *const u32, w: *const u8, sum: *mut i32);
}

// In all loops: a0 prepared input, a1 its end, a2 weights, a3 sums; t4 input, t5 weight. No loop
// calls anything or needs a register that it would have to save.
global_asm!(
    r#"
    .option push
    .option arch, +m

    .macro FUNCTION name
    .section .text.\name, "ax", %progbits
    .balign 4
    .global \name
    .type \name, %function
    \name:
    .endm

    # The weight at w + base, times t4, to acc.
    .macro MAC w, base, acc
    lb t5, \w(\base)
    mul t5, t5, t4
    add \acc, \acc, t5
    .endm

    # The input at x + a0 for the eight rows of a tile, whose weights are at w + base.
    .macro COLUMN8 x, w, base
    lh t4, \x(a0)
    MAC "\w+0", \base, a4
    MAC "\w+1", \base, a5
    MAC "\w+2", \base, a6
    MAC "\w+3", \base, a7
    MAC "\w+4", \base, t0
    MAC "\w+5", \base, t1
    MAC "\w+6", \base, t2
    MAC "\w+7", \base, t3
    .endm

    # Loads or stores the eight sums.
    .macro SUMS8 op
    \op a4, 0(a3)
    \op a5, 4(a3)
    \op a6, 8(a3)
    \op a7, 12(a3)
    \op t0, 16(a3)
    \op t1, 20(a3)
    \op t2, 24(a3)
    \op t3, 28(a3)
    .endm

    FUNCTION thimble_columns8
    SUMS8 lw
    # Two blocks at a time; an odd one comes first, as the second of two.
    sub t4, a1, a0
    andi t4, t4, 8
    beqz t4, 1f
    addi a0, a0, -8
    addi a2, a2, -32
    j 2f
1:  COLUMN8 0, 0, a2
    COLUMN8 2, 8, a2
    COLUMN8 4, 16, a2
    COLUMN8 6, 24, a2
2:  COLUMN8 8, 32, a2
    COLUMN8 10, 40, a2
    COLUMN8 12, 48, a2
    COLUMN8 14, 56, a2
    addi a0, a0, 16
    addi a2, a2, 64
    bne a0, a1, 1b
    SUMS8 sw
    ret

    FUNCTION thimble_columns8_listed
    SUMS8 lw
    beq a0, a1, 2f
1:  lw t6, 0(a0)
    slli t6, t6, 3
    add t6, t6, a2
    COLUMN8 4, 0, t6
    COLUMN8 6, 8, t6
    COLUMN8 8, 16, t6
    COLUMN8 10, 24, t6
    addi a0, a0, 12
    bne a0, a1, 1b
2:  SUMS8 sw
    ret

    # The input at x + a0 for one row, whose weight is at w + base.
    .macro COLUMN1 x, w, base
    lh t4, \x(a0)
    MAC \w, \base, a4
    .endm

    FUNCTION thimble_columns1
    lw a4, 0(a3)
1:  COLUMN1 0, 0, a2
    COLUMN1 2, 1, a2
    COLUMN1 4, 2, a2
    COLUMN1 6, 3, a2
    addi a0, a0, 8
    addi a2, a2, 4
    bne a0, a1, 1b
    sw a4, 0(a3)
    ret

    FUNCTION thimble_columns1_listed
    lw a4, 0(a3)
    beq a0, a1, 2f
1:  lw t6, 0(a0)
    add t6, t6, a2
    COLUMN1 4, 0, t6
    COLUMN1 6, 1, t6
    COLUMN1 8, 2, t6
    COLUMN1 10, 3, t6
    addi a0, a0, 12
    bne a0, a1, 1b
2:  sw a4, 0(a3)
    ret

    .option pop
"#
);
