//! The loops for Armv6-M and Armv8-M Baseline: Cortex-M0, M0+, M23.
#![allow(unsafe_code)]

use core::arch::global_asm;

use super::{INT2, INT4, TERNARY};

// In all loops: r0 prepared input, r1 its end, r2 weights, r3 sums. The mask is in r3, r8 has the lanes
// of rows 0 and 2, r9 those of rows 1 and 3; the sums are in r10, r11, r12 and lr. On the stack are the
// start of the weights, the end of the segment, four registers, the end of the input, and the address of
// the sums.
global_asm!(
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

    @ Adds two lanes to the sums of their rows, and begins again.
    .macro FLUSH_LANES lanes, lower, upper
    mov r6, \lanes
    sxth r1, r6
    add \lower, r1
    subs r6, r6, r1
    asrs r6, r6, #16
    add \upper, r6
    movs r6, #0
    mov \lanes, r6
    .endm

    .macro PACKED_FLUSH
    FLUSH_LANES r8, r10, r12
    FLUSH_LANES r9, r11, lr
    .endm

    .macro ADD_SUM at, sum, double
    ldr r1, [r0, #\at]
    mov r6, \sum
    .if \double
    lsls r6, r6, #1
    .endif
    adds r1, r1, r6
    str r1, [r0, #\at]
    .endm

    @ A tile, a segment after the other.
    .macro PACKED_TILE block, mask, segment, double
    push {{r1, r3-r7, lr}}
    mov r4, r8
    mov r5, r9
    mov r6, r10
    mov r7, r11
    push {{r4-r7}}
    sub sp, #8
    str r2, [sp]
    cmp r0, r1
    bne 6f
    b 5f
6:  ldr r3, =\mask
    movs r4, #0
    mov r8, r4
    mov r9, r4
    mov r10, r4
    mov r11, r4
    mov r12, r4
    mov lr, r4
1:  ldr r1, [sp, #24]
    subs r4, r1, r0
    cmp r4, #\segment
    bls 2f
    movs r1, r0
    adds r1, #\segment
2:  str r1, [sp, #4]
3:  \block
    ldr r1, [sp, #4]
    cmp r0, r1
    bne 3b
    PACKED_FLUSH
    ldr r1, [sp, #24]
    cmp r0, r1
    bne 1b
    ldr r0, [sp, #28]
    ADD_SUM 0, r10, \double
    ADD_SUM 4, r11, \double
    ADD_SUM 8, r12, \double
    ADD_SUM 12, lr, \double
5:  add sp, #8
    pop {{r4-r7}}
    mov r8, r4
    mov r9, r5
    mov r10, r6
    mov r11, r7
    pop {{r1, r3-r7, pc}}
    .ltorg
    .endm

    @ The column of the input in r1, whose codes are at these bits of the word in w.
    .macro PACKED_COLUMN w, lower, upper
    .if \lower
    lsrs r6, \w, #\lower
    .else
    movs r6, \w
    .endif
    ands r6, r3
    muls r6, r1, r6
    add r8, r6
    lsrs r6, \w, #\upper
    ands r6, r3
    muls r6, r1, r6
    add r9, r6
    .endm

    @ Two columns, whose inputs are in r7.
    .macro PACKED_COLUMNS w, a, b, c, d
    sxth r1, r7
    PACKED_COLUMN \w, \a, \b
    asrs r1, r7, #16
    PACKED_COLUMN \w, \c, \d
    .endm

    .macro INT4
    ldm r0!, {{r7}}
    PACKED_COLUMNS r4, 0, 8, 4, 12
    ldm r0!, {{r7}}
    PACKED_COLUMNS r5, 0, 8, 4, 12
    .endm

    .macro INT4_BLOCK
    ldm r2!, {{r4, r5}}
    INT4
    .endm

    @ The address of the weights of an entry.
    .macro FIND
    ldr r2, [sp]
    ldm r0!, {{r1}}
    adds r2, r2, r1
    .endm

    .macro INT4_ENTRY
    FIND
    ldm r2!, {{r4, r5}}
    INT4
    .endm

    PACKED_FUNCTION thimble_int4_columns
    PACKED_TILE INT4_BLOCK, 0x000f000f, {int4_whole}, 0

    PACKED_FUNCTION thimble_int4_columns_listed
    PACKED_TILE INT4_ENTRY, 0x000f000f, {int4_listed}, 0

    .macro INT2
    ldm r0!, {{r7}}
    PACKED_COLUMNS r4, 0, 8, 2, 10
    ldm r0!, {{r7}}
    PACKED_COLUMNS r4, 4, 12, 6, 14
    .endm

    .macro INT2_BLOCK
    ldm r2!, {{r4}}
    INT2
    .endm

    .macro INT2_ENTRY
    FIND
    ldr r4, [r2]
    INT2
    .endm

    PACKED_FUNCTION thimble_int2_columns
    PACKED_TILE INT2_BLOCK, 0x00030003, {int2_whole}, 1

    PACKED_FUNCTION thimble_int2_columns_listed
    PACKED_TILE INT2_ENTRY, 0x00030003, {int2_listed}, 1

    @ The rest of two bytes each, of which r7 has the mask.
    .macro DIGIT rest, lanes
    lsls r6, \rest, #1
    adds \rest, \rest, r6
    lsrs r6, \rest, #8
    ands r6, r3
    muls r6, r1, r6
    add \lanes, r6
    .endm

    .macro DIGITS at
    movs r1, #\at
    ldrsh r1, [r0, r1]
    DIGIT r4, r8
    ands r4, r7
    DIGIT r5, r9
    ands r5, r7
    .endm

    .macro TERNARY
    ldr r7, =0x00ff00ff
    ldm r2!, {{r4}}
    lsrs r5, r4, #8
    ands r5, r7
    ands r4, r7
    DIGITS 0
    DIGITS 2
    DIGITS 4
    DIGITS 6
    movs r1, #8
    ldrsh r1, [r0, r1]
    DIGIT r4, r8
    DIGIT r5, r9
    adds r0, #10
    .endm

    PACKED_FUNCTION thimble_ternary_columns
    PACKED_TILE TERNARY, 0x00030003, {ternary}, 0

    .irp name, PACKED_FUNCTION, FLUSH_LANES, PACKED_FLUSH, ADD_SUM, PACKED_TILE, PACKED_COLUMN, PACKED_COLUMNS, INT4, INT4_BLOCK, FIND, INT4_ENTRY, INT2, INT2_BLOCK, INT2_ENTRY, DIGIT, DIGITS, TERNARY
    .purgem \name
    .endr
"#,
    int4_whole = const INT4.whole,
    int4_listed = const INT4.listed,
    int2_whole = const INT2.whole,
    int2_listed = const INT2.listed,
    ternary = const TERNARY.whole,
);
