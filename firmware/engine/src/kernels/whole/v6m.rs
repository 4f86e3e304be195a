//! Layers of few inputs on Cortex-M0, M0+ and M23.
#![allow(unsafe_code)]

use core::arch::global_asm;

use crate::kernels::v6m::step;

// From the first tile on, r2 is the next weights. On the stack are, from sp on: the next folded bias, the
// next output, bytes from folded biases to mantissas, from outputs to shifts; the zero point of the
// output, the lowest and the highest output, the end of the tiles' outputs; the prepared input, what the
// sums of the lower and those of the upper rows of a tile begin with, the end of the input; the end of the
// outputs; four sums.
//
// The sums are those of `v6m`. What all rows have in common, −128 · Σ x, is what they begin with: the
// lower rows have 2¹⁶ times more of it, which the upper rows' sum will take from them.
global_asm!(
    r#"
    .syntax unified

    @ The block of four inputs in r6, raised, to r3; their sum to that in r10.
    .macro RAISE
    mov r7, r8
    eors r6, r7
    stm r3!, {{r6}}
    mov r7, r9
    mov r0, r6
    ands r0, r7
    lsrs r6, r6, #8
    ands r6, r7
    add r10, r0
    add r10, r6
    .endm

"#,
    step!(),
    r#"
    .macro MAC at
    ldrb r1, [r0, #\at]
    ldrb r5, [r2, #\at]
    muls r5, r1, r5
    adds r4, r4, r5
    .endm

    @ r0 words, r1 input, r2 what the parameters are in, r3 prepared input; on the stack the output.
    .section .text.thimble_whole, "ax", %progbits
    .balign 4
    .thumb_func
    .global thimble_whole
    .type thimble_whole, %function
    thimble_whole:
    push {{r4-r7, lr}}
    mov r4, r8
    mov r5, r9
    mov r6, r10
    mov r7, r11
    push {{r4-r7}}
    ldr r7, [sp, #36]
    sub sp, #68
    str r3, [sp, #32]
    ldr r4, [r0, #16]
    adds r2, r2, r4
    ldr r5, [r0, #4]
    lsrs r6, r5, #16
    uxth r5, r5
    str r7, [sp, #4]
    adds r4, r7, r6
    str r4, [sp, #48]
    lsrs r4, r6, #2
    lsls r4, r4, #2
    adds r4, r4, r7
    str r4, [sp, #28]
    lsls r4, r6, #2
    str r4, [sp, #8]
    adds r4, r4, r2
    str r4, [sp]
    ldr r4, [r0, #20]
    adds r4, r4, r2
    subs r4, r4, r6
    subs r4, r4, r7
    str r4, [sp, #12]
    lsls r6, r6, #2
    adds r2, r2, r6
    lsls r6, r6, #1
    adds r2, r2, r6
    ldr r4, [r0, #8]
    asrs r6, r4, #16
    str r6, [sp, #24]
    sxth r4, r4
    str r4, [sp, #20]
    ldr r4, [r0, #12]
    asrs r4, r4, #16
    str r4, [sp, #16]
    ldr r4, =0x80808080
    mov r8, r4
    ldr r4, =0x00ff00ff
    mov r9, r4
    movs r4, #0
    mov r10, r4
    lsrs r4, r5, #2
    beq 3f
    lsls r6, r1, #30
    beq 2f
    @ Inputs that do not lie by words.
1:  ldrb r6, [r1]
    ldrb r7, [r1, #1]
    lsls r7, r7, #8
    orrs r6, r7
    ldrb r7, [r1, #2]
    lsls r7, r7, #16
    orrs r6, r7
    ldrb r7, [r1, #3]
    lsls r7, r7, #24
    orrs r6, r7
    RAISE
    adds r1, #4
    subs r4, #1
    bne 1b
    b 3f
2:  ldm r1!, {{r6}}
    RAISE
    subs r4, #1
    bne 2b
3:  lsls r5, r5, #30
    lsrs r5, r5, #30
    beq 5f
    @ A block that is filled up with what is 0 when raised, from its last input to its first.
    mov r6, r8
    subs r1, #1
4:  ldrb r7, [r1, r5]
    lsls r6, r6, #8
    orrs r6, r7
    subs r5, #1
    bne 4b
    RAISE
    @ The sum of inputs is in two halfwords.
5:  str r3, [sp, #44]
    mov r4, r10
    lsrs r5, r4, #16
    adds r4, r4, r5
    uxth r4, r4
    lsls r4, r4, #7
    rsbs r4, r4, #0
    str r4, [sp, #40]
    lsls r5, r4, #16
    adds r5, r5, r4
    str r5, [sp, #36]
    ldr r7, [sp, #4]
    b 6f
    @ A row beside the tiles, or none.
5:  ldr r1, [sp, #48]
    cmp r7, r1
    beq 2f
    adds r1, r7, #1
    str r1, [sp, #28]
    ldr r4, [sp, #40]
1:  MAC 0
    MAC 1
    MAC 2
    MAC 3
    adds r0, #4
    adds r2, #4
    cmp r0, r12
    bne 1b
    mov r8, r2
    ldr r0, [sp]
    ldr r2, [sp, #8]
    adds r2, r2, r0
    ldm r0!, {{r1}}
    str r0, [sp]
    adds r4, r4, r1
    str r4, [sp, #52]
    add r3, sp, #52
    adds r1, r7, #1
    mov r12, r1
    b 8f
2:  add sp, #68
    pop {{r4-r7}}
    mov r8, r4
    mov r9, r5
    mov r10, r6
    mov r11, r7
    pop {{r4-r7, pc}}
    @ r7 is the next output.
6:  ldr r0, [sp, #32]
    ldr r1, [sp, #44]
    mov r12, r1
    ldr r1, [sp, #28]
    cmp r7, r1
    beq 5b
    @ A tile.
    ldr r1, [sp, #36]
    mov r8, r1
    mov r10, r1
    ldr r1, [sp, #40]
    mov r9, r1
    mov r11, r1
    ldr r3, =0x00ff00ff
7:  ldm r2!, {{r4, r5}}
    STEP r4, 0
    STEP r5, 1
    ldm r2!, {{r4, r5}}
    STEP r4, 2
    STEP r5, 3
    adds r0, #4
    cmp r0, r12
    bne 7b
    @ Four rows' sums and their biases.
    movs r0, #4
    adds r0, r0, r7
    mov r12, r0
    mov r4, r8
    mov r6, r9
    lsls r7, r6, #16
    subs r4, r4, r7
    mov r5, r10
    mov r7, r11
    lsls r0, r7, #16
    subs r5, r5, r0
    mov r8, r2
    ldr r0, [sp]
    ldr r2, [sp, #8]
    adds r2, r2, r0
    ldm r0!, {{r1, r3}}
    adds r4, r4, r1
    adds r5, r5, r3
    ldm r0!, {{r1, r3}}
    adds r6, r6, r1
    adds r7, r7, r3
    str r0, [sp]
    add r3, sp, #52
    stm r3!, {{r4-r7}}
    subs r3, #16
    ldr r7, [sp, #4]
    @ Sums in r3, mantissas in r2, outputs in r7 up to r12. The high product of a sum and a mantissa, of
    @ halfwords, is (am + 2^30) >> 31; ties of what is shifted then go away from zero, and the last bit
    @ that is shifted out rounds.
8:  ldm r3!, {{r4}}
    ldm r2!, {{r5}}
    uxth r0, r4
    asrs r4, r4, #16
    uxth r1, r5
    lsrs r5, r5, #16
    movs r6, r0
    muls r6, r1, r6
    lsrs r6, r6, #16
    muls r1, r4, r1
    adds r1, r1, r6
    muls r0, r5, r0
    uxth r6, r1
    adds r0, r0, r6
    asrs r1, r1, #16
    muls r4, r5, r4
    adds r4, r4, r1
    lsls r4, r4, #1
    lsrs r0, r0, #14
    adds r0, #1
    lsrs r0, r0, #1
    adds r4, r4, r0
    asrs r0, r4, #31
    adds r4, r4, r0
    ldr r0, [sp, #12]
    ldrsb r0, [r7, r0]
    rsbs r0, r0, #0
    ldr r1, [sp, #16]
    asrs r4, r0
    adcs r4, r1
    ldr r0, [sp, #20]
    cmp r4, r0
    bge 1f
    mov r4, r0
1:  ldr r0, [sp, #24]
    cmp r4, r0
    ble 2f
    mov r4, r0
2:  strb r4, [r7]
    adds r7, #1
    cmp r7, r12
    bne 8b
    str r7, [sp, #4]
    mov r2, r8
    b 6b
    .ltorg

    .purgem RAISE
    .purgem STEP
    .purgem MAC
"#
);
