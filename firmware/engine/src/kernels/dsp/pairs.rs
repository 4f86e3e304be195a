//! Weights of two rows in a halfword: [`WeightLayout::Pairs4`](model_format::WeightLayout::Pairs4).
//!
//! A halfword holds 256 · b + a, for rows a and b. A word of two columns, multiplied as it is by a
//! pair of inputs, adds 256 · (b · x) + a · x to a sum of 64 bits, and unpacked by one SXTB16 adds
//! a · x to the sum of row a: three instructions for four products. What the first sum has more
//! than the second is 256 times the sum of row b. It is exact for whatever fits into 32 bits, so
//! that nothing is asked of weights or inputs, of 8 or of 16 bits.
#![allow(unsafe_code)]

use core::arch::global_asm;

use model_format::{Capabilities, DataType, Dense, padded};

use crate::kernels::entries::{self, ENTRY};
use crate::kernels::tiles::{self, Loops, Walk};
use crate::kernels::values::{Values, fill};
use crate::kernels::{Prepared, Workspace};
/// Reads the input of a layer in pairs.
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
    // What fills the last block up is the zero point; with nothing to fill up, all of it is.
    let rest = [fill(rest, zero_point)];
    let zero = [zero_point; 4];
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

/// Writes the output of a layer with weights in pairs of rows.
#[inline(never)]
pub(in crate::kernels) fn compute<C: Capabilities>(
    layer: &Dense<'_>,
    x: &Prepared<'_>,
    output: &mut [u8],
) {
    let layer = &layer.specialize::<C>();
    let loops = match x.list {
        None => Loops { tile: thimble_pairs4, single: thimble_pairs1 },
        Some(_) => Loops { tile: thimble_pairs4_listed, single: thimble_pairs1_listed },
    };
    // SAFETY: whole blocks or entries, with offsets within a row, and a layer has inputs.
    let walk = unsafe { Walk::new(layer, x, loops) };
    tiles::compute::<_, C>(layer, layer.biases(), 0, output, walk);
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
    fn thimble_pairs4(x: *const u32, end: *const u32, w: *const u8, sums: *mut [i32; 4]);
    fn thimble_pairs4_listed(x: *const u32, end: *const u32, w: *const u8, sums: *mut [i32; 4]);
    fn thimble_pairs1(x: *const u32, end: *const u32, w: *const u8, sum: *mut i32);
    fn thimble_pairs1_listed(x: *const u32, end: *const u32, w: *const u8, sum: *mut i32);
}

// In all loops: r0 prepared input, r1 its end, r2 weights, r3 sums.
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

    @ Minus the zero point, twice.
    .macro MINUS_ZERO to
    sxtb16 \to, r3
    mov r4, #0
    ssub16 \to, r4, \to
    .endm

    @ The block of four inputs in r4 in two pairs.
    .macro BLOCK a, b, zero
    sxtab16 r5, \zero, r4
    sxtab16 r6, \zero, r4, ror #8
    pkhbt \a, r5, r6, lsl #16
    pkhtb \b, r6, r5, asr #16
    .endm

    FUNCTION thimble_pairs_whole
    push {{r4-r8, lr}}
    cbz r1, 2f
    MINUS_ZERO r12
1:  ldr r4, [r0], #4
    BLOCK r7, r8, r12
    strd r7, r8, [r2], #8
    subs r1, #1
    bne 1b
2:  mov r0, r2
    pop {{r4-r8, pc}}

    FUNCTION thimble_pairs_list
    push {{r4-r9, lr}}
    cbz r1, 3f
    ldr r7, [sp, #28]
    MINUS_ZERO r12
1:  ldr r4, [r0], #4
    cmp r4, r3
    beq 2f
    BLOCK r8, r9, r12
    stm r2!, {{r7-r9}}
2:  add r7, #4
    subs r1, #1
    bne 1b
3:  mov r0, r2
    pop {{r4-r9, pc}}

    @ A word of weights of two rows: to the sum of both in lo and hi, and to the first row's.
    .macro PAIR w, x, lo, hi, first
    smlald \lo, \hi, \w, \x
    sxtb16 \w, \w
    smlad \first, \w, \x, \first
    .endm

    @ Four words, of the inputs in r9 and r10.
    .macro WORDS
    PAIR r1, r9, r3, r4, r5
    PAIR r11, r10, r3, r4, r5
    PAIR r12, r9, r6, r7, r8
    PAIR lr, r10, r6, r7, r8
    .endm

    @ The end of the input and the address of the sums are on the stack.
    .macro ENTER
    push {{r1, r3-r11, lr}}
    movs r3, #0
    movs r4, #0
    movs r5, #0
    movs r6, #0
    movs r7, #0
    mov r8, #0
    .endm

    @ The second row's sum is what both have more than the first's, in bits 8 to 39.
    .macro SECOND lo, hi, first
    subs \lo, \lo, \first
    sbc \hi, \hi, \first, asr #31
    lsrs \lo, \lo, #8
    orr \lo, \lo, \hi, lsl #24
    .endm

    .macro LEAVE
    SECOND r3, r4, r5
    SECOND r6, r7, r8
    ldr r1, [sp, #4]
    ldm r1, {{r9-r12}}
    add r9, r9, r5
    add r10, r10, r3
    add r11, r11, r8
    add r12, r12, r6
    stm r1, {{r9-r12}}
    add sp, #8
    pop {{r4-r11, pc}}
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

    FUNCTION thimble_pairs4
    @ The loop takes eight blocks; the first time it is entered where as many are left as there are
    @ beyond a multiple of eight.
    sub r12, r0, r1
    and r12, r12, #56
    rsb r12, r12, r12, lsl #3
    ENTER
    add pc, r12
    nop
    LOOP 8, BLOCK4
    LEAVE

    @ An entry, in 60 bytes of code.
    .macro ENTRY4
    ldm r0!, {{r1, r9, r10}}
    add r1, r2, r1, lsl #2
    ldm r1, {{r1, r11, r12, lr}}
    WORDS
    .endm

    FUNCTION thimble_pairs4_listed
    cmp r0, r1
    it eq
    bxeq lr
    @ Likewise with four: three words an entry are as many beyond a multiple of four as entries are
    @ below one.
    sub r12, r1, r0
    and r12, r12, #12
    rsb r12, r12, r12, lsl #4
    ENTER
    add pc, r12
    nop
    LOOP 4, ENTRY4
    LEAVE

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

    .irp name, FUNCTION, MINUS_ZERO, BLOCK, PAIR, WORDS, ENTER, SECOND, LEAVE, LOOP, BLOCK4, ENTRY4, ROW1
    .purgem \name
    .endr
"#
);
