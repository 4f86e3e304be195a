//! Weights of 4 bits: [`WeightLayout::Int4Tiles4`](model_format::WeightLayout::Int4Tiles4).
//!
//! A word holds the weights of eight columns. Shifted to the left by 12, 8, 4 or 0 bits, it has
//! those of columns k and k + 4, for k from 0 to 3, in the upper four bits of its halves: one AND
//! leaves a pair of weights for SMLAD, each 4096 times too large. The input is x − zero point in
//! the same pairs.
//!
//! An accumulator that holds 4096 times a sum has room for sums below 2¹⁹ in magnitude. A product
//! is at most 7 · 255, so that 288 columns stay below; after as many the sum is brought down and
//! added to the row's. Products of inputs of 16 bits have no such room: the kernel takes int8.
#![allow(unsafe_code)]

use core::arch::global_asm;

use model_format::{Capabilities, Dense};

use crate::kernels::tiles::{self, Loops};
use crate::kernels::values::{Values, fill};
use crate::kernels::{Prepared, Workspace};

/// Words of a block of eight inputs: columns 0 and 4, 1 and 5, 2 and 6, 3 and 7.
const BLOCK: usize = 4;
/// Words of a listed block, whose offset in a row's bytes comes third.
const ENTRY: usize = BLOCK + 1;
/// Blocks whose sum an accumulator has room for.
const SEGMENT: usize = 36;

const _: () = assert!(((SEGMENT * 8 * 7 * 255) as u64) << 12 < 1 << 31);

/// Reads the input of a layer.
#[inline(never)]
pub(in crate::kernels) fn prepare<'s>(
    layer: &Dense<'_>,
    x: Values<'_>,
    workspace: &'s mut Workspace<'_>,
) -> Prepared<'s> {
    let zero_point = layer.input.zero_point as u8;
    let len = layer.layout.columns(layer.inputs()) / 2;
    let words = workspace.words.get_mut(..len).unwrap_or_default();
    let (x, rest) = x.bytes.as_chunks::<8>();
    // What fills the last block up is the zero point; with nothing to fill up, all of it is.
    let rest = [fill(rest, zero_point)];
    let zero = [zero_point; 8];
    let is_last = usize::from(rest != [zero]);
    let nonzero = x.iter().filter(|x| **x != zero).count().wrapping_add(is_last);
    let (start, zero) = (words.as_mut_ptr(), u32::from_le_bytes([zero_point; 4]));
    if nonzero.wrapping_mul(ENTRY) > words.len() {
        // SAFETY: there are four words for each block, one that is filled up included.
        unsafe {
            let end = thimble_int4_whole(x.as_ptr(), x.len(), start, zero);
            if x.len().wrapping_mul(BLOCK) < words.len() {
                thimble_int4_whole(rest.as_ptr(), 1, end, zero);
            }
        }
        return Prepared { words, list: None, correction: 0 };
    }
    // SAFETY: as many entries are written as there are blocks unlike the zero point.
    unsafe {
        let end = thimble_int4_list(x.as_ptr(), x.len(), start, zero, 0);
        let offset = (x.len() as u32).wrapping_mul(4);
        thimble_int4_list(rest.as_ptr(), 1, end, zero, offset);
    }
    let words = words.get(..nonzero.wrapping_mul(ENTRY)).unwrap_or_default();
    Prepared { words, list: Some(&[]), correction: 0 }
}

/// Writes the output of a layer.
#[inline(never)]
pub(in crate::kernels) fn compute<C: Capabilities>(
    layer: &Dense<'_>,
    x: &Prepared<'_>,
    output: &mut [u8],
) {
    let loops = match x.list {
        None => Loops { tile: thimble_int4_4, single: thimble_int4_1 },
        Some(_) => Loops { tile: thimble_int4_4_listed, single: thimble_int4_1_listed },
    };
    let input = x.words.as_ptr_range();
    let row_len = layer.layout.row_len(layer.inputs());
    // SAFETY: whole blocks or entries, with offsets within a row, and a layer has inputs.
    unsafe {
        let single = |row: usize, sum: &mut i32| {
            let weights = layer.weight_bytes().as_ptr().add(row.wrapping_mul(row_len));
            (loops.single)(input.start, input.end, weights, sum);
        };
        tiles::compute_narrow::<C>(layer, input.clone(), 0, output, loops.tile, single);
    }
}

// SAFETY: the assembly below takes and gives what is declared here.
unsafe extern "C" {
    /// Makes so many blocks of input ready and returns where they end.
    fn thimble_int4_whole(x: *const [u8; 8], blocks: usize, to: *mut u32, zero: u32) -> *mut u32;
    /// Makes entries of those of so many blocks that are not `zero`, of which the first has this
    /// offset, and returns where they end.
    fn thimble_int4_list(
        x: *const [u8; 8],
        blocks: usize,
        to: *mut u32,
        zero: u32,
        offset: u32,
    ) -> *mut u32;
    fn thimble_int4_4(x: *const u32, end: *const u32, w: *const u8, sums: *mut [i32; 4]);
    fn thimble_int4_4_listed(x: *const u32, end: *const u32, w: *const u8, sums: *mut [i32; 4]);
    fn thimble_int4_1(x: *const u32, end: *const u32, w: *const u8, sum: *mut i32);
    fn thimble_int4_1_listed(x: *const u32, end: *const u32, w: *const u8, sum: *mut i32);
}

// In all loops: r0 prepared input, r1 its end, r2 weights, r3 sums. The mask is in lr, r12 is a pair
// of weights, r1 and r3 are pairs of inputs; on the stack are the end of the segment, that of all,
// and the address of the sums.
global_asm!(
    r#"
    .syntax unified
    .cpu cortex-m33

    .macro FUNCTION name
    .section .text.\name, "ax", %progbits
    .balign 4
    .thumb_func
    .global \name
    .type \name, %function
    \name:
    .endm

    @ The first two pairs of a word of weights, and the other two, which use it up.
    .macro FRONT w, acc
    and r12, lr, \w, lsl #12
    smlad \acc, r12, r1, \acc
    and r12, lr, \w, lsl #8
    smlad \acc, r12, r3, \acc
    .endm

    .macro BACK w, acc
    and r12, lr, \w, lsl #4
    smlad \acc, r12, r1, \acc
    and \w, lr, \w
    smlad \acc, \w, r3, \acc
    .endm

    .macro PRODUCTS4
    FRONT r8, r4
    FRONT r9, r5
    FRONT r10, r6
    FRONT r11, r7
    ldrd r1, r3, [r0], #8
    BACK r8, r4
    BACK r9, r5
    BACK r10, r6
    BACK r11, r7
    .endm

    .macro BLOCK4
    ldm r2!, {{r8-r11}}
    ldrd r1, r3, [r0], #8
    PRODUCTS4
    .endm

    .macro ENTRY4
    ldm r0!, {{r1, r3, r8}}
    add r8, r2, r8, lsl #2
    ldm r8, {{r8-r11}}
    PRODUCTS4
    .endm

    @ The rows of a tile: of so many bytes at most in a segment; blocks that do not make up four,
    @ which these bits of the bytes left tell, one at a time; then four at a time.
    .macro ROWS4 block, segment, bits
    push {{r1, r3-r11, lr}}
    sub sp, #4
    mov lr, #0xf000f000
1:  ldr r8, [sp, #4]
    sub r9, r8, r0
    cmp r9, #\segment
    it hi
    addhi r8, r0, #\segment
    str r8, [sp]
    movs r4, #0
    movs r5, #0
    movs r6, #0
    movs r7, #0
2:  ldr r8, [sp]
    sub r8, r8, r0
    tst r8, #\bits
    beq 3f
    \block
    b 2b
3:  cmp r8, #0
    beq 5f
4:  \block
    \block
    \block
    \block
    ldr r8, [sp]
    cmp r0, r8
    bne 4b
5:  ldr r12, [sp, #8]
    ldm r12, {{r8-r11}}
    add r8, r8, r4, asr #12
    add r9, r9, r5, asr #12
    add r10, r10, r6, asr #12
    add r11, r11, r7, asr #12
    stm r12, {{r8-r11}}
    ldr r8, [sp, #4]
    cmp r0, r8
    bne 1b
    add sp, #4
    pop {{r1, r3-r11, pc}}
    .endm

    FUNCTION thimble_int4_4
    ROWS4 BLOCK4, {whole}, 48

    FUNCTION thimble_int4_4_listed
    ROWS4 ENTRY4, {listed}, 12

    .macro BLOCK1
    ldr r6, [r2], #4
    ldrd r1, r3, [r0], #8
    .endm

    .macro ENTRY1
    ldm r0!, {{r1, r3, r6}}
    ldr r6, [r2, r6]
    .endm

    @ One row, likewise.
    .macro ROW1 block, segment
    cmp r0, r1
    it eq
    bxeq lr
    push {{r1, r3-r7, lr}}
    mov lr, #0xf000f000
1:  ldr r5, [sp]
    sub r6, r5, r0
    cmp r6, #\segment
    it hi
    addhi r5, r0, #\segment
    movs r4, #0
2:  \block
    FRONT r6, r4
    ldrd r1, r3, [r0], #8
    BACK r6, r4
    cmp r0, r5
    bne 2b
    ldrd r6, r7, [sp]
    ldr r5, [r7]
    add r5, r5, r4, asr #12
    str r5, [r7]
    cmp r0, r6
    bne 1b
    pop {{r1, r3-r7, pc}}
    .endm

    FUNCTION thimble_int4_1
    ROW1 BLOCK1, {whole}

    FUNCTION thimble_int4_1_listed
    ROW1 ENTRY1, {listed}

    @ Minus the zero point, twice.
    .macro MINUS_ZERO to
    sxtb16 \to, r3
    mov r4, #0
    ssub16 \to, r4, \to
    .endm

    @ The pairs a to d of the eight inputs in r4 and r5.
    .macro PAIRS a, b, c, d, zero
    sxtab16 r6, \zero, r4
    sxtab16 r7, \zero, r5
    sxtab16 r4, \zero, r4, ror #8
    sxtab16 r5, \zero, r5, ror #8
    pkhbt \a, r6, r7, lsl #16
    pkhbt \b, r4, r5, lsl #16
    pkhtb \c, r7, r6, asr #16
    pkhtb \d, r5, r4, asr #16
    .endm

    FUNCTION thimble_int4_whole
    push {{r4-r11, lr}}
    cbz r1, 2f
    MINUS_ZERO r12
1:  ldr r4, [r0], #4
    ldr r5, [r0], #4
    PAIRS r8, r9, r10, r11, r12
    stm r2!, {{r8-r11}}
    subs r1, #1
    bne 1b
2:  mov r0, r2
    pop {{r4-r11, pc}}

    FUNCTION thimble_int4_list
    push {{r4-r11, lr}}
    cbz r1, 3f
    ldr r10, [sp, #36]
    MINUS_ZERO lr
1:  ldr r4, [r0], #4
    ldr r5, [r0], #4
    cmp r4, r3
    it eq
    cmpeq r5, r3
    beq 2f
    PAIRS r8, r9, r11, r12, lr
    stm r2!, {{r8-r12}}
2:  add r10, #4
    subs r1, #1
    bne 1b
3:  mov r0, r2
    pop {{r4-r11, pc}}

    .irp name, FUNCTION, FRONT, BACK, PRODUCTS4, BLOCK4, ENTRY4, ROWS4, BLOCK1, ENTRY1, ROW1, MINUS_ZERO, PAIRS
    .purgem \name
    .endr
"#,
    whole = const SEGMENT * BLOCK * 4,
    listed = const SEGMENT * ENTRY * 4,
);
