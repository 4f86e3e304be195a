//! The kernel for Armv7-M without the DSP extension: Cortex-M3.
//!
//! For inputs of 8 bits two products in one multiplication: a mask, a multiplication and two additions
//! for two rows. The four words of a block, and its inputs, come with one load each. For inputs of 16
//! bits, whose products have no such room, a multiply-accumulate for each weight.
#![allow(unsafe_code)]

use core::arch::global_asm;

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

    @ The input in lr for the four rows of a tile, whose weights are in w: to the sums of the lower two
    @ rows in r4 and r6 and of the upper two in r5 and r7. The mask is in r3. All instructions have 4
    @ bytes, as in the two macros below, so that code can be entered at a block.
    .macro STEP w
    and.w r1, \w, r3
    mul r1, r1, lr
    and.w \w, r3, \w, lsr #8
    mul \w, \w, lr
    add.w r4, r4, r1
    add.w r5, r5, r1, lsr #16
    add.w r6, r6, \w
    add.w r7, r7, \w, lsr #16
    .endm

    .macro STEPS
    uxtb.w lr, r12
    STEP r8
    ubfx lr, r12, #8, #8
    STEP r9
    ubfx lr, r12, #16, #8
    STEP r10
    lsr.w lr, r12, #24
    STEP r11
    .endm

    @ A block, in 152 bytes of code.
    .macro BLOCK4
    ldr.w r12, [r0], #4
    ldm.w r2!, {{r8-r11}}
    STEPS
    .endm

    .macro ENTRY4
    ldm r0!, {{r1, r12}}
    add.w r1, r1, r2
    ldm.w r1, {{r8-r11}}
    STEPS
    .endm

    @ The end of the input and the address of the sums go on the stack.
    .macro ENTER
    push {{r1, r3-r11, lr}}
    mov r3, #0x00ff00ff
    movs r4, #0
    movs r5, #0
    movs r6, #0
    movs r7, #0
    .endm

    .macro LEAVE
    sub r4, r4, r5, lsl #16
    sub r6, r6, r7, lsl #16
    ldr r1, [sp, #4]
    ldm r1, {{r8-r11}}
    add r8, r8, r4
    add r9, r9, r6
    add r10, r10, r5
    add r11, r11, r7
    stm r1, {{r8-r11}}
    add sp, #8
    pop {{r4-r11, pc}}
    .endm

    FUNCTION thimble_columns4
    ENTER
    @ Four blocks at a time; the first time the loop is entered where as many are left as there are
    @ beyond a multiple of four.
    sub r12, r0, r1
    and r12, r12, #12
    movs r1, #152 / 4
    mul r12, r12, r1
    adr.w r1, 1f
    add r12, r12, r1
    mov pc, r12
    .balign 4
1:  BLOCK4
    BLOCK4
    BLOCK4
    BLOCK4
    ldr r1, [sp]
    cmp r0, r1
    bne 1b
    LEAVE

    FUNCTION thimble_columns4_listed
    ENTER
    @ Two entries at a time; an odd one comes first, as the second of two.
    subs r12, r1, r0
    beq 3f
    tst r12, #8
    bne 2f
1:  ENTRY4
2:  ENTRY4
    ldr r1, [sp]
    cmp r0, r1
    bne 1b
3:  LEAVE

    @ Four weights of a row and four inputs.
    .macro BLOCK1 w, load, x, size
    \load r5, [r0, #\x]
    ldrb r6, [\w]
    mla r4, r5, r6, r4
    \load r5, [r0, #\x + \size]
    ldrb r6, [\w, #1]
    mla r4, r5, r6, r4
    \load r5, [r0, #\x + 2 * \size]
    ldrb r6, [\w, #2]
    mla r4, r5, r6, r4
    \load r5, [r0, #\x + 3 * \size]
    ldrb r6, [\w, #3]
    mla r4, r5, r6, r4
    .endm

    .macro ROW1 load, size
    push {{r4-r6, lr}}
    ldr r4, [r3]
1:  BLOCK1 r2, \load, 0, \size
    adds r0, #4 * \size
    adds r2, #4
    cmp r0, r1
    bne 1b
    str r4, [r3]
    pop {{r4-r6, pc}}
    .endm

    .macro ROW1_LISTED load, size
    push {{r4-r6, lr}}
    ldr r4, [r3]
    cmp r0, r1
    beq 2f
1:  ldr r12, [r0]
    add r12, r2, r12, lsr #2
    BLOCK1 r12, \load, 4, \size
    adds r0, #4 + 4 * \size
    cmp r0, r1
    bne 1b
2:  str r4, [r3]
    pop {{r4-r6, pc}}
    .endm

    FUNCTION thimble_columns1
    ROW1 ldrb, 1

    FUNCTION thimble_columns1_listed
    ROW1_LISTED ldrb, 1

    FUNCTION thimble_columns1_int16
    ROW1 ldrsh, 2

    FUNCTION thimble_columns1_int16_listed
    ROW1_LISTED ldrsh, 2

    @ The input in lr for the four rows of a tile, whose weights are in w.
    .macro STEP_INT16 w
    uxtb r1, \w
    mla r4, r1, lr, r4
    ubfx r1, \w, #8, #8
    mla r5, r1, lr, r5
    ubfx r1, \w, #16, #8
    mla r6, r1, lr, r6
    lsr r1, \w, #24
    mla r7, r1, lr, r7
    .endm

    @ The inputs in r12 and r3, two in a word, for the weights in r8 to r11.
    .macro STEPS_INT16
    sxth lr, r12
    STEP_INT16 r8
    asr lr, r12, #16
    STEP_INT16 r9
    sxth lr, r3
    STEP_INT16 r10
    asr lr, r3, #16
    STEP_INT16 r11
    .endm

    .macro ENTER_INT16
    push {{r1, r3-r11, lr}}
    ldm r3, {{r4-r7}}
    .endm

    .macro LEAVE_INT16
    ldr r1, [sp, #4]
    stm r1, {{r4-r7}}
    add sp, #8
    pop {{r4-r11, pc}}
    .endm

    FUNCTION thimble_columns4_int16
    ENTER_INT16
1:  ldrd r12, r3, [r0], #8
    ldm r2!, {{r8-r11}}
    STEPS_INT16
    ldr r1, [sp]
    cmp r0, r1
    bne 1b
    LEAVE_INT16

    FUNCTION thimble_columns4_int16_listed
    ENTER_INT16
    cmp r0, r1
    beq 2f
1:  ldr r1, [r0], #4
    ldrd r12, r3, [r0], #8
    add r1, r1, r2
    ldm r1, {{r8-r11}}
    STEPS_INT16
    ldr r1, [sp]
    cmp r0, r1
    bne 1b
2:  LEAVE_INT16

    .irp name, FUNCTION, STEP, STEPS, BLOCK4, ENTRY4, ENTER, LEAVE, BLOCK1, ROW1, ROW1_LISTED, STEP_INT16, STEPS_INT16, ENTER_INT16, LEAVE_INT16
    .purgem \name
    .endr
"#
);
