//! Layers of few inputs on Cortex-M3.
#![allow(unsafe_code)]

use core::arch::global_asm;

// r2 is the next weights from the first tile on. On the stack are, from sp on: where folded biases would
// be of an output at address 0, the next output, where mantissas would be, bytes from the outputs to the
// shifts; the zero point of the output, the lowest and the highest output, the end of the tiles' outputs;
// the prepared input, what the sums of the lower and those of the upper rows of a tile begin with, the end
// of the input; the rows beside tiles.
//
// The sums are those of `v7m`. What all rows have in common, −128 · Σ x, is what they begin with: the
// lower rows have 2¹⁶ times more of it, which the upper rows' sum will take from them.
global_asm!(
    r#"
    .syntax unified

    @ The block of four inputs in r0, raised, to lr; their sum to that in r11.
    .macro RAISE
    eor r0, r0, r12
    str r0, [lr], #4
    and r8, r0, #0x00ff00ff
    bic r0, r0, #0x00ff00ff
    add r11, r11, r8
    add r11, r11, r0, lsr #8
    .endm

    @ The input in lr for the four rows of a tile, whose weights are in w: to the sums of the lower two
    @ rows in r4 and r6 and of the upper two in r5 and r7. The mask is in r3.
    .macro STEP w
    and r1, \w, r3
    mul r1, r1, lr
    and \w, r3, \w, lsr #8
    mul \w, \w, lr
    add r4, r4, r1
    add r5, r5, r1, lsr #16
    add r6, r6, \w
    add r7, r7, \w, lsr #16
    .endm

    @ The high product of a sum and a mantissa, rounded: (2am + 2³¹) >> 32, for which 2m is 2³² too small
    @ as a signed number. Ties of what is to be shifted go away from zero.
    .macro HIGH a, m
    mov r12, #0x80000000
    lsl \m, \m, #1
    smlal r12, \a, \a, \m
    add \a, \a, \a, asr #31
    .endm

    @ Shifts to the right, rounds by the last bit that is shifted out, adds the zero point, clamps.
    .macro SHIFT a, by, zero, low, high
    asrs \a, \a, \by
    adc \a, \a, \zero
    cmp \a, \low
    it lt
    movlt \a, \low
    cmp \a, \high
    it gt
    movgt \a, \high
    .endm

    @ r0 words, r1 input, r2 what the parameters are in, r3 prepared input; on the stack the output.
    .section .text.thimble_whole, "ax", %progbits
    .balign 4
    .thumb_func
    .global thimble_whole
    .type thimble_whole, %function
    thimble_whole:
    push {{r4-r11, lr}}
    @ Kind, which is known; widths, clamp, zero points; offset and length of the parameters.
    ldm r0, {{r4-r9}}
    add r2, r2, r8
    lsr r10, r5, #16
    uxth r5, r5
    mov lr, r3
    mov r11, #0
    mov r12, #0x80808080
    lsrs r4, r5, #2
    beq 2f
1:  ldr r0, [r1], #4
    RAISE
    subs r4, #1
    bne 1b
2:  ands r4, r5, #3
    beq 4f
    @ A block that is filled up with what is 0 when raised, from its last input to its first.
    mov r0, r12
3:  subs r4, #1
    ldrb r5, [r1, r4]
    orr r0, r5, r0, lsl #8
    bne 3b
    RAISE
    @ Σ x is in two halfwords.
4:  add r11, r11, r11, lsl #16
    lsr r11, r11, #16
    lsl r11, r11, #7
    rsb r5, r11, #0
    add r4, r5, r5, lsl #16
    ldr r1, [sp, #36]
    mov r11, lr
    and r12, r10, #3
    push {{r3, r4, r5, r11, r12}}
    sub r0, r2, r1, lsl #2
    add r0, r0, r10, lsl #2
    add r3, r0, r10, lsl #2
    add r4, r2, r9
    sub r4, r4, r10
    sub r4, r4, r1
    asr r5, r7, #16
    asr r7, r6, #16
    sxth r6, r6
    bic r8, r10, #3
    add r8, r8, r1
    push {{r0, r1, r3-r8}}
    add r2, r2, r10, lsl #3
    add r2, r2, r10, lsl #2
    cmp r1, r8
    beq 7f
    @ A tile.
5:  add r0, sp, #32
    ldm r0, {{r0, r4, r5}}
    mov r6, r4
    mov r7, r5
    mov r3, #0x00ff00ff
6:  ldr r12, [r0], #4
    ldm r2!, {{r8-r11}}
    uxtb lr, r12
    STEP r8
    ubfx lr, r12, #8, #8
    STEP r9
    ubfx lr, r12, #16, #8
    STEP r10
    lsr lr, r12, #24
    STEP r11
    ldr r1, [sp, #44]
    cmp r0, r1
    bne 6b
    ldm sp, {{r0, r1, r3, r12}}
    sub r4, r4, r5, lsl #16
    sub r6, r6, r7, lsl #16
    add r0, r0, r1, lsl #2
    ldm r0, {{r8-r11}}
    add r0, r3, r1, lsl #2
    ldr r3, [r1, r12]
    add r4, r4, r8
    add r6, r6, r9
    add r5, r5, r10
    add r7, r7, r11
    ldm r0, {{r8-r11}}
    HIGH r4, r8
    HIGH r6, r9
    HIGH r5, r10
    HIGH r7, r11
    add r0, sp, #16
    ldm r0, {{r8-r11}}
    @ Minus four shifts.
    mvn r3, r3
    add r3, r3, #0x01010101
    SHIFT r4, r3, r8, r9, r10
    lsr r3, r3, #8
    SHIFT r6, r3, r8, r9, r10
    lsr r3, r3, #8
    SHIFT r5, r3, r8, r9, r10
    lsr r3, r3, #8
    SHIFT r7, r3, r8, r9, r10
    bfi r4, r6, #8, #8
    bfi r4, r5, #16, #8
    bfi r4, r7, #24, #8
    str r4, [r1], #4
    str r1, [sp, #4]
    cmp r1, r11
    bne 5b
    @ The rows beside tiles.
7:  ldr r3, [sp, #48]
    cmp r3, #0
    beq 10f
8:  ldr r0, [sp, #32]
    ldr r4, [sp, #40]
    ldr lr, [sp, #44]
9:  ldr r5, [r0], #4
    ldr r6, [r2], #4
    uxtb r7, r5
    uxtb r8, r6
    mla r4, r7, r8, r4
    ubfx r7, r5, #8, #8
    ubfx r8, r6, #8, #8
    mla r4, r7, r8, r4
    ubfx r7, r5, #16, #8
    ubfx r8, r6, #16, #8
    mla r4, r7, r8, r4
    lsr r7, r5, #24
    lsr r8, r6, #24
    mla r4, r7, r8, r4
    cmp r0, lr
    bne 9b
    ldm sp, {{r5-r11}}
    ldr r0, [r5, r6, lsl #2]
    ldr r7, [r7, r6, lsl #2]
    ldrsb r8, [r6, r8]
    add r4, r4, r0
    HIGH r4, r7
    rsb r8, r8, #0
    SHIFT r4, r8, r9, r10, r11
    strb r4, [r6], #1
    str r6, [sp, #4]
    subs r3, #1
    bne 8b
10: add sp, #52
    pop {{r4-r11, pc}}

    .purgem RAISE
    .purgem STEP
    .purgem HIGH
    .purgem SHIFT
"#
);
