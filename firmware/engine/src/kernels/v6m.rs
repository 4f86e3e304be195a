//! The kernel for Armv6-M: Cortex-M0, M0+ and M23.
//!
//! For inputs of 8 bits two products in one multiplication: twelve instructions beside the loads for
//! the four rows of a word. For inputs of 16 bits, whose products have no such room, load, multiply
//! and add for each weight.
#![allow(unsafe_code)]

use core::arch::global_asm;

/// Two products in one multiplication, for a column of a tile.
macro_rules! step {
    () => {
        r#"
    @ The input at r0 + x for the four rows of a tile, whose weights are in w: to the sums of the lower
    @ two rows in r8 and r10 and of the upper two in r9 and r11. The mask is in r3.
    .macro STEP w, x
    ldrb r1, [r0, #\x]
    movs r6, \w
    ands r6, r3
    muls r6, r1, r6
    add r8, r6
    lsrs r6, r6, #16
    add r9, r6
    lsrs \w, \w, #8
    ands \w, r3
    muls \w, r1, \w
    add r10, \w
    lsrs \w, \w, #16
    add r11, \w
    .endm
"#
    };
}
pub(super) use step;

// In all loops: r0 prepared input, r1 its end, which moves to r12, r2 weights, r3 sums. The start of
// the weights of an entry is in lr.
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

"#,
    step!(),
    r#"
    .macro BLOCK4 x
    ldm r2!, {{r4, r5}}
    STEP r4, (\x)
    STEP r5, (\x + 1)
    ldm r2!, {{r4, r5}}
    STEP r4, (\x + 2)
    STEP r5, (\x + 3)
    .endm

    .macro ENTER
    push {{r3-r7, lr}}
    mov r4, r8
    mov r5, r9
    mov r6, r10
    mov r7, r11
    push {{r4-r7}}
    mov r12, r1
    ldr r3, =0x00ff00ff
    movs r4, #0
    mov r8, r4
    mov r9, r4
    mov r10, r4
    mov r11, r4
    .endm

    @ Adds the upper of two rows to high, and the lower to low.
    .macro ADD_LANES all, upper, low, high
    mov r5, \upper
    mov r6, \all
    lsls r7, r5, #16
    subs r6, r6, r7
    adds \low, \low, r6
    adds \high, \high, r5
    .endm

    .macro LEAVE
    ldr r0, [sp, #16]
    ldm r0!, {{r1-r4}}
    ADD_LANES r8, r9, r1, r3
    ADD_LANES r10, r11, r2, r4
    subs r0, #16
    stm r0!, {{r1-r4}}
    pop {{r4-r7}}
    mov r8, r4
    mov r9, r5
    mov r10, r6
    mov r11, r7
    pop {{r3-r7, pc}}
    .endm

    FUNCTION thimble_columns4
    ENTER
    @ Two blocks at a time; an odd one comes first.
    subs r1, r1, r0
    lsrs r1, r1, #3
    bcc 1f
    BLOCK4 0
    adds r0, #4
    cmp r0, r12
    beq 2f
1:  BLOCK4 0
    BLOCK4 4
    adds r0, #8
    cmp r0, r12
    bne 1b
2:  LEAVE
    .ltorg

    FUNCTION thimble_columns4_listed
    ENTER
    mov lr, r2
    cmp r0, r12
    beq 2f
1:  ldr r2, [r0]
    add r2, lr
    BLOCK4 4
    adds r0, #8
    cmp r0, r12
    bne 1b
2:  LEAVE
    .ltorg

    .macro MAC w, acc
    ldrb r5, [r2, #\w]
    muls r5, r1, r5
    adds \acc, \acc, r5
    .endm

    .macro BLOCK1 x
    ldrb r1, [r0, #\x]
    MAC 0, r4
    ldrb r1, [r0, #\x + 1]
    MAC 1, r4
    ldrb r1, [r0, #\x + 2]
    MAC 2, r4
    ldrb r1, [r0, #\x + 3]
    MAC 3, r4
    .endm

    .macro ENTER1
    push {{r4, r5, lr}}
    mov r12, r1
    ldr r4, [r3]
    .endm

    .macro LEAVE1
    str r4, [r3]
    pop {{r4, r5, pc}}
    .endm

    FUNCTION thimble_columns1
    ENTER1
1:  BLOCK1 0
    adds r0, #4
    adds r2, #4
    cmp r0, r12
    bne 1b
    LEAVE1

    FUNCTION thimble_columns1_listed
    ENTER1
    mov lr, r2
    cmp r0, r12
    beq 2f
1:  ldr r2, [r0]
    lsrs r2, r2, #2
    add r2, lr
    BLOCK1 4
    adds r0, #8
    cmp r0, r12
    bne 1b
2:  LEAVE1

    @ Inputs of 16 bits: two of them in a word.
    .macro COLUMNS4_INT16 x, w
    ldr r1, [r0, #\x]
    mov r8, r1
    sxth r1, r1
    MAC (\w), r3
    MAC (\w + 1), r4
    MAC (\w + 2), r6
    MAC (\w + 3), r7
    mov r1, r8
    asrs r1, r1, #16
    MAC (\w + 4), r3
    MAC (\w + 5), r4
    MAC (\w + 6), r6
    MAC (\w + 7), r7
    .endm

    @ The address of the sums goes on the stack.
    .macro ENTER_INT16
    push {{r3-r7, lr}}
    mov r12, r1
    mov r1, r8
    push {{r1}}
    ldr r4, [r3, #4]
    ldr r6, [r3, #8]
    ldr r7, [r3, #12]
    ldr r3, [r3]
    .endm

    .macro LEAVE_INT16
    pop {{r1, r2}}
    mov r8, r1
    str r3, [r2]
    str r4, [r2, #4]
    str r6, [r2, #8]
    str r7, [r2, #12]
    pop {{r4-r7, pc}}
    .endm

    FUNCTION thimble_columns4_int16
    ENTER_INT16
1:  COLUMNS4_INT16 0, 0
    COLUMNS4_INT16 4, 8
    adds r0, #8
    adds r2, #16
    cmp r0, r12
    bne 1b
    LEAVE_INT16

    FUNCTION thimble_columns4_int16_listed
    ENTER_INT16
    mov lr, r2
    cmp r0, r12
    beq 2f
1:  ldr r2, [r0]
    add r2, lr
    COLUMNS4_INT16 4, 0
    COLUMNS4_INT16 8, 8
    adds r0, #12
    cmp r0, r12
    bne 1b
2:  LEAVE_INT16

    .macro BLOCK1_INT16 x
    movs r5, #\x
    ldrsh r1, [r0, r5]
    MAC 0, r4
    movs r5, #\x + 2
    ldrsh r1, [r0, r5]
    MAC 1, r4
    movs r5, #\x + 4
    ldrsh r1, [r0, r5]
    MAC 2, r4
    movs r5, #\x + 6
    ldrsh r1, [r0, r5]
    MAC 3, r4
    .endm

    FUNCTION thimble_columns1_int16
    ENTER1
1:  BLOCK1_INT16 0
    adds r0, #8
    adds r2, #4
    cmp r0, r12
    bne 1b
    LEAVE1

    FUNCTION thimble_columns1_int16_listed
    ENTER1
    mov lr, r2
    cmp r0, r12
    beq 2f
1:  ldr r2, [r0]
    lsrs r2, r2, #2
    add r2, lr
    BLOCK1_INT16 4
    adds r0, #12
    cmp r0, r12
    bne 1b
2:  LEAVE1

    .irp name, FUNCTION, STEP, BLOCK4, ENTER, ADD_LANES, LEAVE, MAC, BLOCK1, ENTER1, LEAVE1, COLUMNS4_INT16, ENTER_INT16, LEAVE_INT16, BLOCK1_INT16
    .purgem \name
    .endr
"#
);
