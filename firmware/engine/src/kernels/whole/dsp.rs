//! Layers of few inputs on cores with the DSP extension.
#![allow(unsafe_code)]

use core::arch::global_asm;

// r1 is the next output and r2 the next weights from the first tile on. On the stack are, from sp on:
// where biases and mantissas would be of an output at address 0; bytes from the outputs to the shifts;
// twice the zero point of the output, and one, the lowest and the highest output, four times each, the
// end of the tiles' outputs; the prepared input, where the loop over blocks is entered, the end of the
// input; the rows beside tiles.
//
// The sums are those of `dsp::pairs`, in 32 bits: at most 32 inputs below 2⁸ in magnitude, and weights of two
// rows below 2¹⁶, make less than 2²⁹. The requantization is that of `dsp::tiles`.
global_asm!(
    r#"
    .syntax unified
    .cpu cortex-m33

    @ The block of four inputs in x in two pairs, to lr on; minus the zero point, twice, is in r12.
    .macro PAIRS x, spare
    sxtab16 \spare, r12, \x
    sxtab16 \x, r12, \x, ror #8
    pkhbt r11, \spare, \x, lsl #16
    pkhtb \x, \x, \spare, asr #16
    strd r11, \x, [lr], #8
    .endm

    @ A block, in 56 bytes of code: to the sums of both rows in r3 or r5, and to the first row's in r4 or
    @ r6. No instruction reads what the one before it unpacked, for which some cores would wait.
    .macro BLOCK4
    ldrd r11, r12, [r0], #8
    ldm r2!, {{r7-r10}}
    smlad r3, r7, r11, r3
    sxtb16 r7, r7
    smlad r3, r8, r12, r3
    sxtb16 r8, r8
    smlad r4, r7, r11, r4
    smlad r5, r9, r11, r5
    sxtb16 r9, r9
    smlad r4, r8, r12, r4
    smlad r5, r10, r12, r5
    sxtb16 r10, r10
    smlad r6, r9, r11, r6
    smlad r6, r10, r12, r6
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
    pkhbt r12, r7, r7, lsl #16
    movs r4, #0
    ssub16 r12, r4, r12
    mov lr, r3
    lsrs r4, r5, #2
    beq 2f
1:  ldr r0, [r1], #4
    PAIRS r0, r8
    subs r4, #1
    bne 1b
2:  mov r8, #0x01010101
    ands r4, r5, #3
    beq 4f
    @ A block that zero points fill up, from its last input to its first.
    uxtb r0, r7
    mul r0, r0, r8
3:  subs r4, #1
    ldrb r5, [r1, r4]
    orr r0, r5, r0, lsl #8
    bne 3b
    PAIRS r0, r5
4:  asr r4, r7, #15
    orr r4, r4, #1
    uxtb r5, r6
    mul r5, r5, r8
    lsr r6, r6, #16
    uxtb r6, r6
    mul r6, r6, r8
    ldr r1, [sp, #36]
    bic r7, r10, #3
    add r7, r7, r1
    mov r8, r3
    @ Four blocks at a time; the first time the loop is entered where as many are left as there are
    @ beyond a multiple of four.
    sub r0, r3, lr
    and r0, r0, #24
    rsb r0, r0, r0, lsl #3
    adr.w r11, 6f
    add r11, r11, r0
    mov r12, lr
    and lr, r10, #3
    push {{r4-r8, r11, r12, lr}}
    sub r3, r2, r1, lsl #2
    add r4, r3, r10, lsl #2
    add r9, r9, r2
    sub r9, r9, r10
    sub r9, r9, r1
    push {{r3, r4, r9}}
    add r2, r2, r10, lsl #3
    cmp r1, r7
    beq 7f
    @ A tile.
5:  add r0, sp, #28
    ldm r0, {{r0, r11, lr}}
    movs r3, #0
    movs r4, #0
    movs r5, #0
    movs r6, #0
    mov pc, r11
    @ Whole words of code, which some cores fetch at once.
    .balign 4
6:  BLOCK4
    BLOCK4
    BLOCK4
    BLOCK4
    cmp r0, lr
    bne 6b
    ldm sp, {{r0, r11, r12}}
    add r0, r0, r1, lsl #2
    ldm r0, {{r7-r10}}
    sub r3, r3, r4
    sub r5, r5, r6
    add r4, r4, r7
    add r3, r8, r3, asr #8
    add r6, r6, r9
    add r5, r10, r5, asr #8
    add r0, r11, r1, lsl #2
    ldr r11, [r1, r12]
    ldm r0, {{r7-r10}}
    mvn r11, r11
    lsl r7, r7, #1
    lsl r8, r8, #1
    lsl r9, r9, #1
    lsl r10, r10, #1
    smmlar r4, r4, r7, r4
    smmlar r3, r3, r8, r3
    smmlar r6, r6, r9, r6
    smmlar r5, r5, r10, r5
    lsr r12, r11, #8
    add r4, r4, r4, asr #31
    add r3, r3, r3, asr #31
    add r6, r6, r6, asr #31
    add r5, r5, r5, asr #31
    lsr lr, r11, #16
    lsr r0, r11, #24
    asr r4, r4, r11
    asr r3, r3, r12
    asr r6, r6, lr
    asr r5, r5, r0
    add r0, sp, #12
    ldm r0, {{r7-r10}}
    qadd r4, r4, r7
    qadd r3, r3, r7
    qadd r6, r6, r7
    qadd r5, r5, r7
    ssat r4, #8, r4, asr #1
    ssat r3, #8, r3, asr #1
    ssat r6, #8, r6, asr #1
    ssat r5, #8, r5, asr #1
    bfi r4, r3, #8, #8
    bfi r4, r6, #16, #8
    bfi r4, r5, #24, #8
    @ The greater of output and lowest, four at once, then the lesser of that and the highest.
    ssub8 r0, r4, r8
    sel r4, r4, r8
    ssub8 r0, r9, r4
    sel r4, r4, r9
    str r4, [r1], #4
    cmp r1, r10
    bne 5b
    @ The rows beside tiles, whose weights have a byte each.
7:  ldr r3, [sp, #40]
    cbz r3, 10f
8:  ldr r0, [sp, #28]
    ldr lr, [sp, #36]
    movs r4, #0
9:  ldr r5, [r2], #4
    ldrd r6, r7, [r0], #8
    sxtb16 r8, r5
    sxtb16 r5, r5, ror #8
    smlabb r4, r8, r6, r4
    smlabt r4, r5, r6, r4
    smlatb r4, r8, r7, r4
    smlatt r4, r5, r7, r4
    cmp r0, lr
    bne 9b
    ldm sp, {{r5-r10}}
    ldr r0, [r6, r1, lsl #2]
    ldr r6, [r5, r1, lsl #2]
    ldrsb r7, [r1, r7]
    add r4, r4, r6
    lsl r0, r0, #1
    smmlar r4, r4, r0, r4
    mvn r7, r7
    add r4, r4, r4, asr #31
    asr r4, r4, r7
    qadd r4, r4, r8
    ssat r4, #8, r4, asr #1
    ssub8 r0, r4, r9
    sel r4, r4, r9
    ssub8 r0, r10, r4
    sel r4, r4, r10
    strb r4, [r1], #1
    subs r3, #1
    bne 8b
10: add sp, #44
    pop {{r4-r11, pc}}

    .purgem PAIRS
    .purgem BLOCK4
"#
);
