//! The kernel for Armv7-M without the DSP extension: Cortex-M3.
//!
//! One input, loaded once, meets the weights of eight rows: a load with sign extension and a
//! multiply-accumulate each, 2.125 instructions a product. Loads move their pointers along, so
//! that a loop has nothing else to do but end.
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

// In all loops: r0 prepared input, r1 its end, r2 weights, r3 sums.
global_asm!(
    r#"
    .syntax unified

    .macro FUNCTION name
    .section .text.\name, "ax", %progbits
    .balign 4
    .thumb_func
    .global \name
    .type \name, %function
    \name:
    .endm

    @ The next weight at w, times r12, to acc.
    .macro MAC w, acc
    ldrsb r3, [\w], #1
    mla \acc, r3, r12, \acc
    .endm

    @ A block of four inputs for the eight rows of a tile.
    .macro BLOCK8 w
    .rept 4
    ldrsh r12, [r0], #2
    MAC \w, r4
    MAC \w, r5
    MAC \w, r6
    MAC \w, r7
    MAC \w, r8
    MAC \w, r9
    MAC \w, r10
    MAC \w, r11
    .endr
    .endm

    @ A block of four inputs for one row.
    .macro BLOCK1 w
    .rept 4
    ldrsh r12, [r0], #2
    MAC \w, r4
    .endr
    .endm

    FUNCTION thimble_columns8
    push {{r3-r11, lr}}
    ldm r3, {{r4-r11}}
    @ Two blocks at a time; an odd one comes first, as the second of two.
    subs r12, r1, r0
    tst r12, #8
    bne 2f
1:  BLOCK8 r2
2:  BLOCK8 r2
    cmp r0, r1
    bne 1b
    pop {{r3}}
    stm r3, {{r4-r11}}
    pop {{r4-r11, pc}}

    FUNCTION thimble_columns8_listed
    push {{r3-r11, lr}}
    ldm r3, {{r4-r11}}
    cmp r0, r1
    beq 2f
1:  ldr r3, [r0], #4
    add lr, r2, r3, lsl #3
    BLOCK8 lr
    cmp r0, r1
    bne 1b
2:  pop {{r3}}
    stm r3, {{r4-r11}}
    pop {{r4-r11, pc}}

    FUNCTION thimble_columns1
    push {{r3, r4, r5, lr}}
    ldr r4, [r3]
1:  BLOCK1 r2
    cmp r0, r1
    bne 1b
    pop {{r3}}
    str r4, [r3]
    pop {{r4, r5, pc}}

    FUNCTION thimble_columns1_listed
    push {{r3, r4, r5, lr}}
    ldr r4, [r3]
    cmp r0, r1
    beq 2f
1:  ldr r3, [r0], #4
    add lr, r2, r3
    BLOCK1 lr
    cmp r0, r1
    bne 1b
2:  pop {{r3}}
    str r4, [r3]
    pop {{r4, r5, pc}}
"#
);
