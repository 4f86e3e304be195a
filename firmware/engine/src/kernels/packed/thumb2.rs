//! The loops for Armv7-M and Armv8-M Mainline: Cortex-M3, M4, M7, M33, M55.
#![allow(unsafe_code)]

use core::arch::global_asm;

#[cfg(not(kernel_dsp))]
use super::INT4;
use super::{INT2, TERNARY};

// In all loops: r0 prepared input, r1 its end, r2 weights, r3 sums. The mask is in r3, r4 has the lanes
// of rows 0 and 2, r5 those of rows 1 and 3, r6 to r9 the sums. On the stack are the end of the segment,
// that of the input, and the address of the sums.
macro_rules! common {
    () => {
        r#"
    .syntax unified

    .macro PACKED_FUNCTION name
    .section .text.\name, "ax", %progbits
    .balign 4
    .thumb_func
    .global \name
    .type \name, %function
    \name:
    .endm

    @ Adds the lanes to the sums of their rows, and begins again.
    .macro PACKED_FLUSH
    sxth r1, r4
    add r6, r6, r1
    sub r4, r4, r1
    add r8, r8, r4, asr #16
    sxth r1, r5
    add r7, r7, r1
    sub r5, r5, r1
    add r9, r9, r5, asr #16
    movs r4, #0
    movs r5, #0
    .endm

    @ A tile: an odd block, which this bit of the bytes tells, then two at a time.
    .macro PACKED_TILE block, mask, odd, segment, double
    push {{r1, r3-r11, lr}}
    sub sp, #4
    mov r3, #\mask
    movs r4, #0
    movs r5, #0
    movs r6, #0
    movs r7, #0
    mov r8, #0
    mov r9, #0
    subs lr, r1, r0
    beq 5f
    tst lr, #\odd
    beq 1f
    \block
    PACKED_FLUSH
    ldr r1, [sp, #4]
    cmp r0, r1
    beq 4f
1:  ldr r1, [sp, #4]
    sub lr, r1, r0
    cmp lr, #\segment
    it hi
    addhi r1, r0, #\segment
    str r1, [sp]
2:  \block
    \block
    ldr r1, [sp]
    cmp r0, r1
    bne 2b
    PACKED_FLUSH
    ldr r1, [sp, #4]
    cmp r0, r1
    bne 1b
4:  ldr r1, [sp, #8]
    ldm r1, {{r4, r5, r10, r11}}
    .if \double
    add r4, r4, r6, lsl #1
    add r5, r5, r7, lsl #1
    add r10, r10, r8, lsl #1
    add r11, r11, r9, lsl #1
    .else
    add r4, r4, r6
    add r5, r5, r7
    add r10, r10, r8
    add r11, r11, r9
    .endif
    stm r1, {{r4, r5, r10, r11}}
5:  add sp, #4
    pop {{r1, r3-r11, pc}}
    .endm

    @ The column of the input in lr, whose codes are at these bits of the word.
    .macro PACKED_COLUMN w, lower, upper
    .if \lower
    and r1, r3, \w, lsr #\lower
    .else
    and r1, r3, \w
    .endif
    mla r4, r1, lr, r4
    and r1, r3, \w, lsr #\upper
    mla r5, r1, lr, r5
    .endm
"#
    };
}

#[cfg(not(kernel_dsp))]
global_asm!(
    common!(),
    r#"
    .macro INT4
    ldr r12, [r0], #4
    sxth lr, r12
    PACKED_COLUMN r10, 0, 8
    asr lr, r12, #16
    PACKED_COLUMN r10, 4, 12
    ldr r12, [r0], #4
    sxth lr, r12
    PACKED_COLUMN r11, 0, 8
    asr lr, r12, #16
    PACKED_COLUMN r11, 4, 12
    .endm

    .macro INT4_BLOCK
    ldm r2!, {{r10, r11}}
    INT4
    .endm

    .macro INT4_ENTRY
    ldr r1, [r0], #4
    add r1, r1, r2
    ldm r1, {{r10, r11}}
    INT4
    .endm

    PACKED_FUNCTION thimble_int4_columns
    PACKED_TILE INT4_BLOCK, 0x000f000f, 8, {whole}, 0

    PACKED_FUNCTION thimble_int4_columns_listed
    PACKED_TILE INT4_ENTRY, 0x000f000f, 4, {listed}, 0

    .irp name, PACKED_FUNCTION, PACKED_FLUSH, PACKED_TILE, PACKED_COLUMN, INT4, INT4_BLOCK, INT4_ENTRY
    .purgem \name
    .endr
"#,
    whole = const INT4.whole,
    listed = const INT4.listed,
);

global_asm!(
    common!(),
    r#"
    .macro INT2
    ldr r12, [r0], #4
    sxth lr, r12
    PACKED_COLUMN r10, 0, 8
    asr lr, r12, #16
    PACKED_COLUMN r10, 2, 10
    ldr r12, [r0], #4
    sxth lr, r12
    PACKED_COLUMN r10, 4, 12
    asr lr, r12, #16
    PACKED_COLUMN r10, 6, 14
    .endm

    .macro INT2_BLOCK
    ldr r10, [r2], #4
    INT2
    .endm

    .macro INT2_ENTRY
    ldr r1, [r0], #4
    ldr r10, [r2, r1]
    INT2
    .endm

    PACKED_FUNCTION thimble_int2_columns
    PACKED_TILE INT2_BLOCK, 0x00030003, 8, {int2_whole}, 1

    PACKED_FUNCTION thimble_int2_columns_listed
    PACKED_TILE INT2_ENTRY, 0x00030003, 4, {int2_listed}, 1

    @ The rest of two bytes each is in r10 and r11, and the mask of bytes in r12.
    .macro DIGIT rest, lanes
    add \rest, \rest, \rest, lsl #1
    and r1, r3, \rest, lsr #8
    mla \lanes, r1, lr, \lanes
    .endm

    .macro DIGITS at
    ldrsh lr, [r0, #\at]
    DIGIT r10, r4
    and r10, r12, r10
    DIGIT r11, r5
    and r11, r12, r11
    .endm

    .macro TERNARY
    ldr r10, [r2], #4
    and r11, r12, r10, lsr #8
    and r10, r12, r10
    DIGITS 0
    DIGITS 2
    DIGITS 4
    DIGITS 6
    ldrsh lr, [r0, #8]
    DIGIT r10, r4
    DIGIT r11, r5
    adds r0, #10
    .endm

    PACKED_FUNCTION thimble_ternary_columns
    mov r12, #0x00ff00ff
    PACKED_TILE TERNARY, 0x00030003, 2, {ternary}, 0

    .irp name, PACKED_FUNCTION, PACKED_FLUSH, PACKED_TILE, PACKED_COLUMN, INT2, INT2_BLOCK, INT2_ENTRY, DIGIT, DIGITS, TERNARY
    .purgem \name
    .endr
"#,
    int2_whole = const INT2.whole,
    int2_listed = const INT2.listed,
    ternary = const TERNARY.whole,
);
