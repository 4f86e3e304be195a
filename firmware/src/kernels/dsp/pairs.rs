//! Weights in pairs: [`WeightLayout::Pairs4`](model_format::WeightLayout::Pairs4).
//!
//! A halfword holds 256 · odd + even, so that with xo the odd inputs and y = 256 · xe − xo, from the
//! even ones, SMLAD(halfword, xo) + SMLAD(even, y) = 256 · (odd · xo + even · xe): one unpacking
//! less. To fit into 16 bits the inputs are taken as they are, the odd ones less 127, and the
//! biases folded; the accumulator holds 256 times the sum, which the loader proves to fit.
//!
//! Where enough blocks are the zero point, a list of the others is visited. It holds x − zero
//! point, which may need 9 bits: 256 · xe − xo is then the sum of 128 · xe − xo and 128 · xe.
#![allow(unsafe_code)]

use core::arch::global_asm;

use model_format::{Dense, padded};

use crate::kernels::tiles::{self, Loops, Walk};
use crate::kernels::values::{Values, fill};
use crate::kernels::{Prepared, Workspace};
use crate::operators::Choice;

/// Words of a listed block: xo, 128 · xe − xo, 128 · xe, and its offset in a row's bytes.
const ENTRY: usize = 4;

/// Reads the input of a layer in pairs.
#[inline(never)]
pub(in crate::kernels) fn prepare<'s>(
    layer: &Dense<'_>,
    x: Values<'_>,
    workspace: &'s mut Workspace<'_>,
) -> Prepared<'s> {
    let zero_point = layer.input.zero_point as u8;
    let len = (padded(layer.inputs()) / 2).min(workspace.words.len());
    let words = workspace.words.get_mut(..len).unwrap_or_default();
    let (x, rest) = x.bytes.as_chunks::<4>();
    // What fills the last block up is the zero point; with nothing to fill up, all of it is.
    let rest = [fill(rest, zero_point)];
    let zero = [zero_point; 4];
    let is_last = usize::from(rest != [zero]);
    let nonzero = x.iter().filter(|x| **x != zero).count().wrapping_add(is_last);
    let (start, zero) = (words.as_mut_ptr(), u32::from_le_bytes(zero));
    // An entry takes the room of two blocks.
    if nonzero.wrapping_mul(ENTRY) > words.len() {
        // SAFETY: there are two words for each block, one that is filled up included.
        unsafe {
            let end = thimble_pairs_whole(x.as_ptr(), x.len(), start);
            if x.len().wrapping_mul(2) < len {
                thimble_pairs_whole(rest.as_ptr(), 1, end);
            }
        }
        return Prepared { words, list: None };
    }
    // SAFETY: as many entries are written as there are blocks unlike the zero point.
    unsafe {
        let end = thimble_pairs_list(x.as_ptr(), x.len(), start, zero, 0);
        let offset = (x.len() as u32).wrapping_mul(4);
        thimble_pairs_list(rest.as_ptr(), 1, end, zero, offset);
    }
    let words = words.get(..nonzero.wrapping_mul(ENTRY)).unwrap_or_default();
    Prepared { words, list: Some(&[]) }
}

/// Writes the output of a layer with pair-coded weights.
#[inline(never)]
pub(in crate::kernels) fn compute<C: Choice>(
    layer: &Dense<'_>,
    x: &Prepared<'_>,
    output: &mut [u8],
) {
    let layer = &layer.known::<C>();
    let (biases, loops) = match x.list {
        None => (layer.folded(), Loops { tile: thimble_pairs4, single: thimble_pairs1 }),
        Some(_) => {
            (layer.biases(), Loops { tile: thimble_pairs4_listed, single: thimble_pairs1_listed })
        }
    };
    // SAFETY: whole blocks or entries, with offsets within a row, and a layer has inputs.
    let walk = unsafe { Walk::new(layer, x, loops) };
    tiles::compute::<_, C>(layer, biases, 0, output, walk);
}

// SAFETY: the assembly below takes and gives what is declared here.
unsafe extern "C" {
    /// Makes so many blocks of input ready and returns where they end.
    fn thimble_pairs_whole(x: *const [u8; 4], blocks: usize, to: *mut u32) -> *mut u32;
    /// Makes entries of those of so many blocks that are not `zero`, of which the first has this
    /// offset, and returns where they end.
    fn thimble_pairs_list(
        x: *const [u8; 4],
        blocks: usize,
        to: *mut u32,
        zero: u32,
        offset: u32,
    ) -> *mut u32;
    fn thimble_pairs4(x: *const u32, end: *const u32, w: *const u8, sums: *mut [i32; 4]);
    fn thimble_pairs4_listed(x: *const u32, end: *const u32, w: *const u8, sums: *mut [i32; 4]);
    fn thimble_pairs1(x: *const u32, end: *const u32, w: *const u8, sum: *mut i32);
    fn thimble_pairs1_listed(x: *const u32, end: *const u32, w: *const u8, sum: *mut i32);
}

// In all loops: r0 prepared input, r1 its end, r2 weights, r3 accumulators.
global_asm!(
    r#"
    .syntax unified
    .cpu cortex-m33

    @ One word of pair-coded weights: w to acc, with xo and y.
    .macro PAIR w, acc, xo, y
    smlad \acc, \w, \xo, \acc
    sxtb16 \w, \w
    smlad \acc, \w, \y, \acc
    .endm

    @ The same, with y in two parts.
    .macro PAIR_LISTED w, acc, xo, y1, y2
    smlad \acc, \w, \xo, \acc
    sxtb16 \w, \w
    smlad \acc, \w, \y1, \acc
    smlad \acc, \w, \y2, \acc
    .endm

    .macro FUNCTION name
    .section .text.\name, "ax", %progbits
    .balign 4
    .thumb_func
    .global \name
    .type \name, %function
    \name:
    .endm

    FUNCTION thimble_pairs_whole
    push {{r4, r5, r7, lr}}
    cbz r1, 2f
    mov r3, #0xff00ff00
    @ -127 twice.
    movw r12, #0xff81
    movt r12, #0xff81
1:  ldr r4, [r0], #4
    sxtab16 r5, r12, r4, ror #8
    and r4, r3, r4, lsl #8
    ssub16 r4, r4, r5
    strd r4, r5, [r2], #8
    subs r1, #1
    bne 1b
2:  mov r0, r2
    pop {{r4, r5, r7, pc}}

    FUNCTION thimble_pairs_list
    push {{r4-r10, lr}}
    cbz r1, 3f
    ldr r7, [sp, #32]
    @ Minus the zero point, twice.
    sxtb16 r8, r3
    mov r9, #0
    ssub16 r8, r9, r8
    @ Nine bits of each number, so that none of the lower reach the upper.
    mov r9, #0x01ff01ff
1:  ldr r10, [r0], #4
    cmp r10, r3
    beq 2f
    sxtab16 r4, r8, r10, ror #8
    sxtab16 r6, r8, r10
    and r6, r6, r9
    lsl r6, r6, #7
    ssub16 r5, r6, r4
    stm r2!, {{r4-r7}}
2:  add r7, #4
    subs r1, #1
    bne 1b
3:  mov r0, r2
    pop {{r4-r10, pc}}

    @ Sums of four rows, times 256, from biases; r3 is kept on the stack.
    .macro ENTER_PAIRS
    push {{r3-r11, lr}}
    ldm r3, {{r4-r7}}
    lsl r4, r4, #8
    lsl r5, r5, #8
    lsl r6, r6, #8
    lsl r7, r7, #8
    .endm

    .macro LEAVE_PAIRS
    pop {{r3}}
    asr r4, r4, #8
    asr r5, r5, #8
    asr r6, r6, #8
    asr r7, r7, #8
    stm r3, {{r4-r7}}
    pop {{r4-r11, lr}}
    .endm

    .macro PAIRS4_BLOCK xo, y
    ldm r2!, {{r8-r11}}
    PAIR r8, r4, \xo, \y
    PAIR r9, r5, \xo, \y
    PAIR r10, r6, \xo, \y
    PAIR r11, r7, \xo, \y
    .endm

    @ Two blocks of the input in one load.
    .macro PAIRS4_BLOCKS2
    ldm r0!, {{r1, r3, r12, lr}}
    PAIRS4_BLOCK r3, r1
    PAIRS4_BLOCK lr, r12
    .endm

    FUNCTION thimble_pairs4
    push {{r1}}
    ENTER_PAIRS
    @ Blocks that do not make up eight, one at a time; then eight at a time.
    sub r1, r1, r0
    ands r1, r1, #56
    beq 2f
1:  ldrd r12, lr, [r0], #8
    PAIRS4_BLOCK lr, r12
    subs r1, r1, #8
    bne 1b
    @ The end of the input, for which the loop has no register.
2:  ldr r8, [sp, #40]
    cmp r0, r8
    beq 4f
3:  PAIRS4_BLOCKS2
    PAIRS4_BLOCKS2
    PAIRS4_BLOCKS2
    PAIRS4_BLOCKS2
    ldr r8, [sp, #40]
    cmp r0, r8
    bne 3b
4:  LEAVE_PAIRS
    add sp, #4
    bx lr

    @ The accumulators have r4 to r7, the entry r3 and r8 to r10; r10 becomes the address.
    .macro PAIRS4_ENTRY
    ldm r0!, {{r3, r8, r9, r10}}
    add r10, r2, r10, lsl #2
    ldm r10, {{r10, r11, r12, lr}}
    PAIR_LISTED r10, r4, r3, r8, r9
    PAIR_LISTED r11, r5, r3, r8, r9
    PAIR_LISTED r12, r6, r3, r8, r9
    PAIR_LISTED lr, r7, r3, r8, r9
    .endm

    FUNCTION thimble_pairs4_listed
    ENTER_PAIRS
    @ Entries that do not make up four; then four at a time.
    sub r3, r1, r0
    ands r11, r3, #48
    beq 2f
1:  str r11, [sp, #-4]!
    PAIRS4_ENTRY
    pop {{r11}}
    subs r11, r11, #16
    bne 1b
2:  cmp r0, r1
    beq 4f
3:  PAIRS4_ENTRY
    PAIRS4_ENTRY
    PAIRS4_ENTRY
    PAIRS4_ENTRY
    cmp r0, r1
    bne 3b
4:  LEAVE_PAIRS
    bx lr

    FUNCTION thimble_pairs1
    push {{r4-r7, lr}}
    ldr r4, [r3]
    lsl r4, r4, #8
1:  ldr r5, [r2], #4
    ldrd r6, r7, [r0], #8
    PAIR r5, r4, r7, r6
    cmp r0, r1
    bne 1b
    asr r4, r4, #8
    str r4, [r3]
    pop {{r4-r7, pc}}

    FUNCTION thimble_pairs1_listed
    push {{r4-r9, lr}}
    ldr r4, [r3]
    lsl r4, r4, #8
    cmp r0, r1
    beq 2f
1:  ldm r0!, {{r5-r8}}
    ldr r9, [r2, r8]
    PAIR_LISTED r9, r4, r5, r6, r7
    cmp r0, r1
    bne 1b
2:  asr r4, r4, #8
    str r4, [r3]
    pop {{r4-r9, pc}}

    .irp name, PAIR, PAIR_LISTED, FUNCTION, ENTER_PAIRS, LEAVE_PAIRS, PAIRS4_BLOCK, PAIRS4_BLOCKS2, PAIRS4_ENTRY
    .purgem \name
    .endr
"#
);
