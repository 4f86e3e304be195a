//! The loops for 32-bit RISC-V with multiplication.
#![allow(unsafe_code)]

use core::arch::global_asm;

use super::{INT2, INT4, TERNARY};

// In all loops: a0 prepared input, a1 its end, a2 weights, a3 sums. The mask is in a4, a5 has the lanes of
// rows 0 and 2, a6 those of rows 1 and 3, t0 to t3 the sums; a7 is the end of the segment, t4 the column's
// input, t5 and t6 the codes of two rows each, s0 and s1 the weights.
global_asm!(
    r#"
    .option push
    .option arch, +m

    .macro PACKED_FUNCTION name
    .section .text.\name, "ax", %progbits
    .balign 4
    .global \name
    .type \name, %function
    \name:
    .endm

    # Adds two lanes to the sums of their rows, and begins again.
    .macro PACKED_FLUSH lanes, lower, upper
    slli t5, \lanes, 16
    srai t5, t5, 16
    add \lower, \lower, t5
    sub \lanes, \lanes, t5
    srai \lanes, \lanes, 16
    add \upper, \upper, \lanes
    li \lanes, 0
    .endm

    .macro ADD_SUM at, sum, double
    lw t5, \at(a3)
    .if \double
    slli \sum, \sum, 1
    .endif
    add t5, t5, \sum
    sw t5, \at(a3)
    .endm

    # A tile, a segment after the other.
    .macro PACKED_TILE block, mask, segment, double
    beq a0, a1, 5f
    addi sp, sp, -16
    sw s0, 0(sp)
    sw s1, 4(sp)
    sw s2, 8(sp)
    li a4, \mask
    li a5, 0
    li a6, 0
    li t0, 0
    li t1, 0
    li t2, 0
    li t3, 0
1:  sub t5, a1, a0
    mv a7, a1
    li t6, \segment
    bleu t5, t6, 2f
    add a7, a0, t6
2:  \block
    bne a0, a7, 2b
    PACKED_FLUSH a5, t0, t2
    PACKED_FLUSH a6, t1, t3
    bne a0, a1, 1b
    ADD_SUM 0, t0, \double
    ADD_SUM 4, t1, \double
    ADD_SUM 8, t2, \double
    ADD_SUM 12, t3, \double
    lw s0, 0(sp)
    lw s1, 4(sp)
    lw s2, 8(sp)
    addi sp, sp, 16
5:  ret
    .endm

    # The column of the input at a0 + at, whose codes are at these bits of the word in w.
    .macro PACKED_COLUMN at, w, lower, upper
    lh t4, (\at)(a0)
    .if \lower
    srli t5, \w, \lower
    and t5, t5, a4
    .else
    and t5, \w, a4
    .endif
    srli t6, \w, \upper
    and t6, t6, a4
    mul t5, t5, t4
    mul t6, t6, t4
    add a5, a5, t5
    add a6, a6, t6
    .endm

    .macro INT4 x, at
    lw s0, 0(\at)
    lw s1, 4(\at)
    PACKED_COLUMN \x, s0, 0, 8
    PACKED_COLUMN (\x + 2), s0, 4, 12
    PACKED_COLUMN (\x + 4), s1, 0, 8
    PACKED_COLUMN (\x + 6), s1, 4, 12
    .endm

    .macro INT4_BLOCK
    INT4 0, a2
    addi a0, a0, 8
    addi a2, a2, 8
    .endm

    .macro INT4_ENTRY
    lw s2, 0(a0)
    add s2, s2, a2
    INT4 4, s2
    addi a0, a0, 12
    .endm

    PACKED_FUNCTION thimble_int4_columns
    PACKED_TILE INT4_BLOCK, 0x000f000f, {int4_whole}, 0

    PACKED_FUNCTION thimble_int4_columns_listed
    PACKED_TILE INT4_ENTRY, 0x000f000f, {int4_listed}, 0

    .macro INT2 x, at
    lw s0, 0(\at)
    PACKED_COLUMN \x, s0, 0, 8
    PACKED_COLUMN (\x + 2), s0, 2, 10
    PACKED_COLUMN (\x + 4), s0, 4, 12
    PACKED_COLUMN (\x + 6), s0, 6, 14
    .endm

    .macro INT2_BLOCK
    INT2 0, a2
    addi a0, a0, 8
    addi a2, a2, 4
    .endm

    .macro INT2_ENTRY
    lw s2, 0(a0)
    add s2, s2, a2
    INT2 4, s2
    addi a0, a0, 12
    .endm

    PACKED_FUNCTION thimble_int2_columns
    PACKED_TILE INT2_BLOCK, 0x00030003, {int2_whole}, 1

    PACKED_FUNCTION thimble_int2_columns_listed
    PACKED_TILE INT2_ENTRY, 0x00030003, {int2_listed}, 1

    # The rest of two bytes each is in s0 and s1, and the mask of bytes in s2.
    .macro DIGITS at
    lh t4, (\at)(a0)
    slli t5, s0, 1
    slli t6, s1, 1
    add s0, s0, t5
    add s1, s1, t6
    srli t5, s0, 8
    srli t6, s1, 8
    and t5, t5, a4
    and t6, t6, a4
    mul t5, t5, t4
    mul t6, t6, t4
    and s0, s0, s2
    and s1, s1, s2
    add a5, a5, t5
    add a6, a6, t6
    .endm

    .macro TERNARY
    lw s0, 0(a2)
    addi a2, a2, 4
    li s2, 0x00ff00ff
    srli s1, s0, 8
    and s0, s0, s2
    and s1, s1, s2
    DIGITS 0
    DIGITS 2
    DIGITS 4
    DIGITS 6
    DIGITS 8
    addi a0, a0, 10
    .endm

    PACKED_FUNCTION thimble_ternary_columns
    PACKED_TILE TERNARY, 0x00030003, {ternary}, 0

    .irp name, PACKED_FUNCTION, PACKED_FLUSH, ADD_SUM, PACKED_TILE, PACKED_COLUMN, INT4, INT4_BLOCK, INT4_ENTRY, INT2, INT2_BLOCK, INT2_ENTRY, DIGITS, TERNARY
    .purgem \name
    .endr
    .option pop
"#,
    int4_whole = const INT4.whole,
    int4_listed = const INT4.listed,
    int2_whole = const INT2.whole,
    int2_listed = const INT2.listed,
    ternary = const TERNARY.whole,
);
