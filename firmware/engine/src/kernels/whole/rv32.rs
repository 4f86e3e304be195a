//! Layers of few inputs on 32-bit RISC-V.
#![allow(unsafe_code)]

use core::arch::global_asm;

use crate::kernels::rv32::saved;

// From the first tile on: a2 weights of the next row, a3 prepared input, a4 next output, a5 the mask; s0
// the zero point of the output, s1 the lowest and s2 the highest output, s3 what all sums have in common,
// −128 · Σ x, s4 the end of the input; s5 folded bias, s6 mantissa and s7 shift of the next row; s8 the end
// of the tiles' outputs, s9 that of all.
//
// The sums are those of `v7m`.
global_asm!(
    r#"
    .option push
    .option arch, +m
"#,
    saved!(),
    r#"
    # The block of four inputs in a6, raised, to s4; their sum to that in s3.
    .macro RAISE
    xor a6, a6, t6
    sw a6, 0(s4)
    and a7, a6, a5
    srli a6, a6, 8
    addi s4, s4, 4
    and a6, a6, a5
    add s3, s3, a7
    add s3, s3, a6
    .endm

    # Two inputs and their weights for the four rows of a tile: to the sums of the lower two rows in t0
    # and t1 and of the upper two in t2 and t3.
    .macro COLUMNS x, w
    lw a6, \w(a2)
    lw a7, \w + 4(a2)
    lbu t4, \x(a0)
    and t6, a6, a5
    srli a6, a6, 8
    lbu t5, \x + 1(a0)
    mul t6, t6, t4
    and a6, a6, a5
    and a1, a7, a5
    srli a7, a7, 8
    mul a6, a6, t4
    and a7, a7, a5
    add t0, t0, t6
    srli t6, t6, 16
    mul a1, a1, t5
    add t2, t2, t6
    add t1, t1, a6
    srli a6, a6, 16
    mul a7, a7, t5
    add t3, t3, a6
    add t0, t0, a1
    srli a1, a1, 16
    add t2, t2, a1
    add t1, t1, a7
    srli a7, a7, 16
    add t3, t3, a7
    .endm

    .macro CLAMP a
    bge \a, s1, 1f
    mv \a, s1
1:  bge s2, \a, 2f
    mv \a, s2
2:
    .endm

    # The outputs of two rows of a tile, from their sums. The high product of a sum and a mantissa is
    # (2am + 2^31) >> 32; ties of what is shifted then go away from zero.
    .macro QUANTIZE2 a, b, row
    lw t4, 4 * \row(s6)
    lw t6, 4 * \row(s5)
    lw t5, 4 * \row + 4(s6)
    lw a0, 4 * \row + 4(s5)
    slli t4, t4, 1
    add \a, \a, t6
    mulhsu t6, \a, t4
    slli t5, t5, 1
    add \b, \b, a0
    lb a6, \row(s7)
    lb a7, \row + 1(s7)
    mul t4, \a, t4
    not a6, a6
    not a7, a7
    mulhsu a0, \b, t5
    srli t4, t4, 31
    add t6, t6, t4
    mul t5, \b, t5
    srai t4, t6, 31
    add t6, t6, t4
    sra t6, t6, a6
    srli t5, t5, 31
    add a0, a0, t5
    addi t6, t6, 1
    srai t5, a0, 31
    add a0, a0, t5
    srai t6, t6, 1
    sra a0, a0, a7
    add t6, t6, s0
    addi a0, a0, 1
    srai a0, a0, 1
    CLAMP t6
    add a0, a0, s0
    sb t6, \row(a4)
    CLAMP a0
    sb a0, \row + 1(a4)
    .endm

    # a0 words, a1 input, a2 what the parameters are in, a3 prepared input, a4 output.
    .section .text.thimble_whole, "ax", %progbits
    .balign 4
    .global thimble_whole
    .type thimble_whole, %function
    thimble_whole:
    addi sp, sp, -48
    SAVED sw
    lw t0, 4(a0)
    lw t1, 8(a0)
    lw t2, 12(a0)
    lw t3, 16(a0)
    lw t4, 20(a0)
    add a2, a2, t3
    slli t5, t0, 16
    srli t0, t0, 16
    srli t5, t5, 16
    slli s1, t1, 16
    srai s2, t1, 16
    srai s1, s1, 16
    srai s0, t2, 16
    li a5, 0x00ff00ff
    li t6, 0x80808080
    li s3, 0
    mv s4, a3
    srli t1, t5, 2
    andi t5, t5, 3
    andi t2, a1, 3
    beqz t1, 6f
    beqz t2, 4f
    # Inputs that do not lie by words.
3:  lbu a6, 0(a1)
    lbu a7, 1(a1)
    lbu t2, 2(a1)
    lbu t3, 3(a1)
    slli a7, a7, 8
    slli t2, t2, 16
    slli t3, t3, 24
    or a6, a6, a7
    or t2, t2, t3
    or a6, a6, t2
    addi a1, a1, 4
    addi t1, t1, -1
    RAISE
    bnez t1, 3b
    j 6f
4:  lw a6, 0(a1)
    addi a1, a1, 4
    addi t1, t1, -1
    RAISE
    bnez t1, 4b
6:  beqz t5, 6f
    # A block that is filled up with what is 0 when raised, from its last input to its first.
    mv a6, t6
    add a1, a1, t5
5:  lbu a7, -1(a1)
    addi a1, a1, -1
    slli a6, a6, 8
    addi t5, t5, -1
    or a6, a6, a7
    bnez t5, 5b
    RAISE
    # The sum of inputs is in two halfwords.
6:  srli a6, s3, 16
    add s3, s3, a6
    slli s3, s3, 16
    srli s3, s3, 9
    neg s3, s3
    add s7, a2, t4
    sub s7, s7, t0
    slli t1, t0, 2
    add s5, a2, t1
    add s6, s5, t1
    add a2, s6, t1
    andi t2, t0, -4
    add s8, a4, t2
    add s9, a4, t0
    beqz t2, 8f
    # A tile. The lower rows' sums have 2^16 times more of what all have in common, which the upper
    # rows' will take from them.
7:  slli t0, s3, 16
    mv t2, s3
    add t0, t0, s3
    mv t3, s3
    mv t1, t0
    mv a0, a3
5:  COLUMNS 0, 0
    COLUMNS 2, 8
    addi a0, a0, 4
    addi a2, a2, 16
    bne a0, s4, 5b
    slli t4, t2, 16
    slli t5, t3, 16
    sub t0, t0, t4
    sub t1, t1, t5
    QUANTIZE2 t0, t1, 0
    QUANTIZE2 t2, t3, 2
    addi s5, s5, 16
    addi s6, s6, 16
    addi s7, s7, 4
    addi a4, a4, 4
    bne a4, s8, 7b
    # The rows beside tiles.
8:  beq a4, s9, 9f
    mv a0, a3
    mv t0, s3
5:  lbu t1, 0(a0)
    lbu t2, 0(a2)
    lbu t3, 1(a0)
    lbu t4, 1(a2)
    mul t1, t1, t2
    lbu t5, 2(a0)
    lbu t6, 2(a2)
    mul t3, t3, t4
    lbu a6, 3(a0)
    lbu a7, 3(a2)
    mul t5, t5, t6
    addi a0, a0, 4
    addi a2, a2, 4
    mul a6, a6, a7
    add t0, t0, t1
    add t0, t0, t3
    add t0, t0, t5
    add t0, t0, a6
    bne a0, s4, 5b
    lw t4, 0(s6)
    lw t6, 0(s5)
    lb a6, 0(s7)
    slli t4, t4, 1
    add t0, t0, t6
    mulhsu t6, t0, t4
    addi s5, s5, 4
    addi s6, s6, 4
    addi s7, s7, 1
    mul t4, t0, t4
    not a6, a6
    srli t4, t4, 31
    add t6, t6, t4
    srai t4, t6, 31
    add t6, t6, t4
    sra t6, t6, a6
    addi t6, t6, 1
    srai t6, t6, 1
    add t6, t6, s0
    CLAMP t6
    sb t6, 0(a4)
    addi a4, a4, 1
    j 8b
9:  SAVED lw
    addi sp, sp, 48
    ret

    .purgem SAVED
    .purgem RAISE
    .purgem COLUMNS
    .purgem CLAMP
    .purgem QUANTIZE2
    .option pop
"#
);
