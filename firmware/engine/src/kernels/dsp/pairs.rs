//! Weights of two rows in a halfword: [`WeightLayout::Pairs4`](model_format::WeightLayout::Pairs4).
//!
//! A halfword holds 256 · b + a, for rows a and b. A word of two columns, multiplied as it is by a
//! pair of inputs, adds 256 · (b · x) + a · x to a sum of 64 bits, and unpacked by one SXTB16 adds
//! a · x to the sum of row a: three instructions for four products. What the first sum has more
//! than the second is 256 times the sum of row b. It is exact for whatever fits into 32 bits, so
//! that nothing is asked of weights or inputs, of 8 or of 16 bits.
#![allow(unsafe_code)]

use core::arch::global_asm;

use model_format::{Capabilities, DataType, Dense, WeightLayout, padded};

use crate::kernels::entries::{self, ENTRY};
use crate::kernels::values::{Values, fill};
use crate::kernels::{Prepared, Workspace, rows};

use super::tiles::{self, Tiles};

/// Reads the input of a layer in pairs; or, where enough blocks are zero, makes entries of the others.
#[inline(never)]
pub(in crate::kernels) fn prepare<'s, C: Capabilities>(
    layer: &Dense<'_>,
    x: Values<'_>,
    workspace: &'s mut Workspace<'_>,
) -> Prepared<'s> {
    if C::OPS.int16 && x.data_type == DataType::Int16 {
        return entries::prepare::<C>(layer, x, workspace);
    }
    let zero_point = layer.input.zero_point as u8;
    let len = (padded(layer.inputs()) / 2).min(workspace.words.len());
    let words = workspace.words.get_mut(..len).unwrap_or_default();
    let (x, rest) = x.bytes.as_chunks::<4>();
    let zero = [zero_point; 4];
    // What fills the last block up is the zero point; with nothing to fill up, all of it is.
    let rest = [if rest.is_empty() { zero } else { fill(rest, zero_point) }];
    let is_last = usize::from(rest != [zero]);
    let nonzero = x.iter().filter(|x| **x != zero).count().wrapping_add(is_last);
    let (start, zero) = (words.as_mut_ptr(), u32::from_le_bytes(zero));
    if nonzero.wrapping_mul(ENTRY) > words.len() {
        // SAFETY: there are two words for each block, one that is filled up included.
        unsafe {
            let end = thimble_pairs_whole(x.as_ptr(), x.len(), start, zero);
            if x.len().wrapping_mul(2) < len {
                thimble_pairs_whole(rest.as_ptr(), 1, end, zero);
            }
        }
        return Prepared { words, list: None, correction: 0 };
    }
    // SAFETY: as many entries are written as there are blocks unlike the zero point.
    unsafe {
        let end = thimble_pairs_list(x.as_ptr(), x.len(), start, zero, 0);
        let offset = (x.len() as u32).wrapping_mul(4);
        thimble_pairs_list(rest.as_ptr(), 1, end, zero, offset);
    }
    let words = words.get(..nonzero.wrapping_mul(ENTRY)).unwrap_or_default();
    Prepared { words, list: Some(&[]), correction: 0 }
}

/// Writes the output of a layer with weights in pairs of rows.
#[cfg_attr(kernel_mve, inline(never))]
#[cfg_attr(not(kernel_mve), inline(always))]
pub(in crate::kernels) fn compute<C: Capabilities>(
    layer: &Dense<'_>,
    x: &Prepared<'_>,
    output: &mut [u8],
) {
    let known = layer.specialize::<C>().known_as(WeightLayout::Pairs4);
    let is_listed = x.list.is_some();
    // SAFETY: whole blocks or entries, with offsets within a row, and a layer has inputs.
    unsafe { tiles::compute::<C>(layer, known, x, output, thimble_pairs_tiles, is_listed) };
    if !known.outputs().is_multiple_of(4) {
        compute_rest::<C>(layer, x, output);
    }
}

/// Writes the outputs of the rows beside the tiles.
// Out of line: the fields of the layer stay in registers where there are none.
#[inline(never)]
fn compute_rest<C: Capabilities>(layer: &Dense<'_>, x: &Prepared<'_>, output: &mut [u8]) {
    let known = layer.specialize::<C>().known_as(WeightLayout::Pairs4);
    let single = if x.list.is_some() { thimble_pairs1_listed } else { thimble_pairs1 };
    let (biases, from) = (known.biases(), known.outputs() & !3);
    let rest = rows::Rest { known, biases, correction: 0, from, single };
    // SAFETY: as above, for one row.
    unsafe { rows::compute::<C>(layer, x, rest, output) };
}

// SAFETY: the assembly below takes and gives what is declared here.
unsafe extern "C" {
    /// Makes so many blocks of input ready and returns where they end.
    fn thimble_pairs_whole(x: *const [u8; 4], blocks: usize, to: *mut u32, zero: u32) -> *mut u32;
    /// Makes entries of those of so many blocks that are not `zero`, of which the first has this
    /// offset, and returns where they end.
    fn thimble_pairs_list(
        x: *const [u8; 4],
        blocks: usize,
        to: *mut u32,
        zero: u32,
        offset: u32,
    ) -> *mut u32;
    fn thimble_pairs_tiles(tiles: *mut Tiles, is_listed: bool) -> bool;
    fn thimble_pairs1(x: *const u32, end: *const u32, w: *const u8, sum: *mut i32);
    fn thimble_pairs1_listed(x: *const u32, end: *const u32, w: *const u8, sum: *mut i32);
}

// In the loops of a tile: r0 prepared input, r2 weights, r3 to r8 sums. In the loops of a row: r0
// prepared input, r1 its end, r2 weights, r3 the sum's address.
global_asm!(
    tiles::requantize!(),
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

    @ Minus the zero point, twice.
    .macro MINUS_ZERO to
    sxtb16 \to, r3
    mov r4, #0
    ssub16 \to, r4, \to
    .endm

    @ The block of four inputs in x in two pairs; minus the zero point, twice, is in r12.
    .macro BLOCK x, spare, a, b
    sxtab16 \spare, r12, \x
    sxtab16 \x, r12, \x, ror #8
    pkhbt \a, \spare, \x, lsl #16
    pkhtb \b, \x, \spare, asr #16
    .endm

    FUNCTION thimble_pairs_whole
    push {{r4-r7}}
    MINUS_ZERO r12
    @ Two blocks at a time; an odd one comes first.
    lsrs r1, r1, #1
    bcc 1f
    ldr r5, [r0], #4
    BLOCK r5, r4, r6, r7
    strd r6, r7, [r2], #8
1:  cbz r1, 3f
    @ Inputs lie at any address, of which a load of two words would fault.
2:  ldr r4, [r0]
    ldr r5, [r0, #4]
    adds r0, #8
    BLOCK r4, r3, r6, r7
    strd r6, r7, [r2], #8
    BLOCK r5, r3, r6, r7
    strd r6, r7, [r2], #8
    subs r1, #1
    bne 2b
3:  mov r0, r2
    pop {{r4-r7}}
    bx lr

    FUNCTION thimble_pairs_list
    push {{r4-r9, lr}}
    cbz r1, 3f
    ldr r7, [sp, #28]
    MINUS_ZERO r12
1:  ldr r4, [r0], #4
    cmp r4, r3
    beq 2f
    BLOCK r4, r5, r8, r9
    stm r2!, {{r7-r9}}
2:  add r7, #4
    subs r1, #1
    bne 1b
3:  mov r0, r2
    pop {{r4-r9, pc}}

    @ Four words of weights of two rows each, of the inputs in r9 and r10: to the sum of both rows in
    @ r3 and r4, or r6 and r7, and to the first row's in r5 or r8. No instruction reads what the one
    @ before it unpacked, for which some cores would wait.
    .macro WORDS
    smlald r3, r4, r1, r9
    sxtb16 r1, r1
    smlald r3, r4, r11, r10
    sxtb16 r11, r11
    smlad r5, r1, r9, r5
    smlald r6, r7, r12, r9
    sxtb16 r12, r12
    smlad r5, r11, r10, r5
    smlald r6, r7, lr, r10
    sxtb16 lr, lr
    smlad r8, r12, r9, r8
    smlad r8, lr, r10, r8
    .endm

    @ The second row's sum is what both have more than the first's, in bits 8 to 39.
    .macro SECOND lo, hi, first
    subs \lo, \lo, \first
    sbc \hi, \hi, \first, asr #31
    lsrs \lo, \lo, #8
    orr \lo, \lo, \hi, lsl #24
    .endm

    .macro LOOP times, block
1:  .rept \times
    \block
    .endr
    ldr r1, [sp]
    cmp r0, r1
    bne 1b
    .endm

    @ A block, in 56 bytes of code.
    .macro BLOCK4
    ldrd r9, r10, [r0], #8
    ldm r2!, {{r1, r11, r12, lr}}
    WORDS
    .endm

    @ An entry, in 60 bytes of code.
    .macro ENTRY4
    ldm r0!, {{r1, r9, r10}}
    add r1, r2, r1, lsl #2
    ldm r1, {{r1, r11, r12, lr}}
    WORDS
    .endm

    @ Tiles, of which the caller keeps what r0 points to. On the stack are the end of the input and
    @ that address. A loop of several blocks is entered where as many are left as there are beyond
    @ whole rounds.
    FUNCTION thimble_pairs_tiles
    mov r2, r1
    mov r1, r0
    ldr r0, [r1, #40]
    push {{r0, r1, r4-r11, lr}}
    ldr r3, [r1, #32]
    cbnz r2, 2f
    sub r12, r3, r0
    and r12, r12, #56
    rsb r12, r12, r12, lsl #3
    adr.w r4, 5f
    b 4f
2:  subs r12, r0, r3
    bne 3f
    adr.w r4, 7f
    b 4f
    @ Three words an entry are as many beyond a multiple of four as entries are below one.
3:  and r12, r12, #12
    rsb r12, r12, r12, lsl #4
    adr.w r4, 6f
4:  add r12, r12, r4
    str r12, [r1, #36]
    ldr r2, [r1, #44]
8:  ldrd r0, r12, [r1, #32]
    movs r3, #0
    movs r4, #0
    movs r5, #0
    movs r6, #0
    movs r7, #0
    mov r8, #0
    mov pc, r12
    @ Whole words of code, which some cores fetch at once.
    .balign 4
5:
    LOOP 8, BLOCK4
    b 7f
    .balign 4
6:
    LOOP 4, ENTRY4
    ldr r1, [sp, #4]
    ldr r1, [r1, #64]
    add r2, r2, r1
7:  SECOND r3, r4, r5
    SECOND r6, r7, r8
    ldr r1, [sp, #4]
    REQUANTIZE r5, r3, r8, r6
    bne 8b
    movs r0, #0
    add sp, #8
    pop {{r4-r11, pc}}
9:  LEAVE_SUMS r5, r3, r8, r6
    movs r0, #1
    add sp, #8
    pop {{r4-r11, pc}}

    @ Four weights of one row.
    .macro ROW1 w, a, b
    sxtb16 r8, \w
    sxtb16 \w, \w, ror #8
    smlabb r4, r8, \a, r4
    smlabt r4, \w, \a, r4
    smlatb r4, r8, \b, r4
    smlatt r4, \w, \b, r4
    .endm

    FUNCTION thimble_pairs1
    push {{r4-r8, lr}}
    ldr r4, [r3]
1:  ldr r5, [r2], #4
    ldrd r6, r7, [r0], #8
    ROW1 r5, r6, r7
    cmp r0, r1
    bne 1b
    str r4, [r3]
    pop {{r4-r8, pc}}

    FUNCTION thimble_pairs1_listed
    push {{r4-r8, lr}}
    ldr r4, [r3]
    cmp r0, r1
    beq 2f
1:  ldm r0!, {{r5-r7}}
    ldr r5, [r2, r5]
    ROW1 r5, r6, r7
    cmp r0, r1
    bne 1b
2:  str r4, [r3]
    pop {{r4-r8, pc}}

    .irp name, FUNCTION, MINUS_ZERO, BLOCK, WORDS, SECOND, LOOP, BLOCK4, ENTRY4, ROW1, REQUANTIZE, LEAVE_SUMS
    .purgem \name
    .endr
"#
);
