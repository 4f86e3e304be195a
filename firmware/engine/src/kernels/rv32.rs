//! The kernel for 32-bit RISC-V with multiplication.
//!
//! For inputs of 8 bits two products in one multiplication, for the eight rows of two tiles at once:
//! 24 instructions for eight products, so ordered that none waits for a load or a product, on cores
//! whose multiplication takes five cycles either. With W for a word of weights and T for its rows 0
//! and 2, W − T has rows 1 and 3, 256 times too large; the upper half of its product with 2²⁴ · x is
//! that of the rows with x.
//!
//! For inputs of 16 bits, whose products have no such room, load, multiply and add for each weight.
#![allow(unsafe_code)]

use core::arch::global_asm;

use model_format::{Capabilities, DataType, Dense, WeightLayout};

use super::tiles::{self, Loops};
use super::{Prepared, rows};

/// Rows of a tile.
const ROWS: usize = 4;

/// An inner loop for two tiles: the prepared input from its start to its end, weights of the first,
/// sums of both, weights of the second.
type Pair = unsafe extern "C" fn(*const u32, *const u32, *const u8, *mut [i32; 8], *const u8);

/// Writes the output of a layer with weights in unsigned columns of four rows.
#[inline(never)]
pub(super) fn compute<C: Capabilities>(layer: &Dense<'_>, x: &Prepared<'_>, output: &mut [u8]) {
    let layer = &layer.specialize::<C>().known_as(WeightLayout::ColumnsUnsigned4);
    let is_listed = x.list.is_some();
    // Here and below, the loops read whole blocks, of which there are some, or entries, whose offsets
    // are those of blocks of a row.
    if C::OPS.int16 && layer.input.data_type == DataType::Int16 {
        let loops = match is_listed {
            false => Loops { tile: thimble_columns4_int16, single: thimble_columns1_int16 },
            true => {
                Loops { tile: thimble_columns4_int16_listed, single: thimble_columns1_int16_listed }
            }
        };
        // Values of 16 bits have no zero point to be folded.
        let biases = layer.biases();
        // SAFETY: as said above.
        return unsafe { tiles::compute::<C>(layer, x, biases, x.correction, output, loops) };
    }
    let (pair, single): (Pair, rows::Loop) = match is_listed {
        false => (thimble_columns8, thimble_columns1),
        true => (thimble_columns8_listed, thimble_columns1_listed),
    };
    let tile_len = layer.layout.row_len(layer.inputs()).wrapping_mul(ROWS);
    let biases = layer.folded();
    let mut weights = layer.weight_bytes().as_ptr();
    let range = x.words.as_ptr_range();
    let mut row = 0usize;
    while let Some([a, b, c, d, rest @ ..]) = biases.get(row..) {
        let first = [*a, *b, *c, *d];
        // A tile without a second is its own.
        let (second, step) = match rest {
            [e, f, g, h, ..] => ([*e, *f, *g, *h], tile_len),
            _ => (first, 0),
        };
        let bias = |k: usize| if k < ROWS { first[k & 3] } else { second[k & 3] };
        let mut sums: [i32; 8] =
            core::array::from_fn(|k| i32::from_le_bytes(bias(k)).wrapping_add(x.correction));
        // SAFETY: as said above; a layer has weights for each bias.
        unsafe {
            pair(range.start, range.end, weights, &mut sums, weights.add(step));
            weights = weights.add(tile_len.wrapping_add(step));
        }
        let count = if step == 0 { ROWS } else { 2 * ROWS };
        // SAFETY: the rows have biases, and are therefore rows of the layer.
        unsafe { rows::quantize::<C>(layer, row, sums.get(..count).unwrap_or_default(), output) };
        row = row.wrapping_add(count);
    }
    if row == biases.len() {
        return;
    }
    let rest = rows::Rest { known: *layer, biases, correction: x.correction, from: row, single };
    // SAFETY: as said above.
    unsafe { rows::compute::<C>(layer, x, rest, output) };
}

// SAFETY: the assembly below takes and gives what is declared here.
unsafe extern "C" {
    fn thimble_columns8(
        x: *const u32,
        end: *const u32,
        w: *const u8,
        sums: *mut [i32; 8],
        second: *const u8,
    );
    fn thimble_columns8_listed(
        x: *const u32,
        end: *const u32,
        w: *const u8,
        sums: *mut [i32; 8],
        second: *const u8,
    );
    fn thimble_columns1(x: *const u32, end: *const u32, w: *const u8, sum: *mut i32);
    fn thimble_columns1_listed(x: *const u32, end: *const u32, w: *const u8, sum: *mut i32);
    fn thimble_columns4_int16(x: *const u32, end: *const u32, w: *const u8, sums: *mut [i32; 4]);
    fn thimble_columns4_int16_listed(
        x: *const u32,
        end: *const u32,
        w: *const u8,
        sums: *mut [i32; 4],
    );
    fn thimble_columns1_int16(x: *const u32, end: *const u32, w: *const u8, sum: *mut i32);
    fn thimble_columns1_int16_listed(x: *const u32, end: *const u32, w: *const u8, sum: *mut i32);
}

/// Stores or loads the registers that a caller keeps.
macro_rules! saved {
    () => {
        r#"
    .macro SAVED op
    \op s0, 0(sp)
    \op s1, 4(sp)
    \op s2, 8(sp)
    \op s3, 12(sp)
    \op s4, 16(sp)
    \op s5, 20(sp)
    \op s6, 24(sp)
    \op s7, 28(sp)
    \op s8, 32(sp)
    \op s9, 36(sp)
    .endm
"#
    };
}
pub(super) use saved;

// In all loops: a0 prepared input, a1 its end, a2 weights, a3 sums; a4 weights of the second tile.
global_asm!(
    r#"
    .option push
    .option arch, +m

    .macro FUNCTION name
    .section .text.\name, "ax", %progbits
    .balign 4
    .global \name
    .type \name, %function
    \name:
    .endm

    # The mask is in a5, the words of two tiles in a6 and a7, the two rows of the first in s1. A column
    # begins with what is left of the one before: the product in s3 for the last two sums.

    # The first half of a column, for the input x and 2^24 times it.
    .macro FRONT x, shifted
    mul s2, s1, \x
    sub a6, a6, s1
    add t6, t6, s3
    srli s3, s3, 16
    add s0, s0, s3
    and s1, a7, a5
    mulhu s3, a6, \shifted
    .endm

    # A column, and the load of the next one's input, at a0 + at, and weights.
    .macro COLUMN x, shifted, next, next_shifted, at, first, second, w
    FRONT \x, \shifted
    lw a6, \w(\first)
    add t0, t0, s2
    srli s2, s2, 16
    add t1, t1, s2
    lbu \next, \at(a0)
    mul s2, s1, \x
    sub a7, a7, s1
    add t2, t2, s3
    srli s3, s3, 16
    add t3, t3, s3
    slli \next_shifted, \next, 24
    mulhu s3, a7, \shifted
    lw a7, \w(\second)
    and s1, a6, a5
    add t4, t4, s2
    srli s2, s2, 16
    add t5, t5, s2
    .endm

    # A column with none to be loaded behind it.
    .macro LAST x, shifted
    FRONT \x, \shifted
    add t0, t0, s2
    srli s2, s2, 16
    add t1, t1, s2
    mul s2, s1, \x
    sub a7, a7, s1
    add t2, t2, s3
    srli s3, s3, 16
    add t3, t3, s3
    mulhu s3, a7, \shifted
    add t4, t4, s2
    srli s2, s2, 16
    add t5, t5, s2
    .endm

    # Four inputs at a0 + x, and their weights.
    .macro BLOCK8 x, first, second, w
    lw a6, (\w)(\first)
    lbu s4, (\x)(a0)
    lw a7, (\w)(\second)
    and s1, a6, a5
    slli s5, s4, 24
    COLUMN s4, s5, s6, s7, "(\x + 1)", \first, \second, "(\w + 4)"
    COLUMN s6, s7, s4, s5, "(\x + 2)", \first, \second, "(\w + 8)"
    COLUMN s4, s5, s6, s7, "(\x + 3)", \first, \second, "(\w + 12)"
    LAST s6, s7
    .endm

"#,
    saved!(),
    r#"
    .macro ENTER
    addi sp, sp, -48
    SAVED sw
    li a5, 0x00ff00ff
    li t0, 0
    li t1, 0
    li t2, 0
    li t3, 0
    li t4, 0
    li t5, 0
    li t6, 0
    li s0, 0
    li s3, 0
    .endm

    # Adds the upper row's sum to the one at upper, and what the lower's is to that at lower.
    .macro ADD_LANES all, high, lower, upper
    lw a4, \lower(a3)
    lw a5, \upper(a3)
    slli a6, \high, 16
    sub a4, a4, a6
    add a4, a4, \all
    add a5, a5, \high
    sw a4, \lower(a3)
    sw a5, \upper(a3)
    .endm

    .macro LEAVE
    add t6, t6, s3
    srli s3, s3, 16
    add s0, s0, s3
    ADD_LANES t0, t1, 0, 8
    ADD_LANES t2, t3, 4, 12
    ADD_LANES t4, t5, 16, 24
    ADD_LANES t6, s0, 20, 28
    SAVED lw
    addi sp, sp, 48
    ret
    .endm

    FUNCTION thimble_columns8
    ENTER
    # Two blocks at a time; an odd one comes first, as the second of two.
    sub s1, a1, a0
    andi s1, s1, 4
    beqz s1, 1f
    addi a0, a0, -4
    addi a2, a2, -16
    addi a4, a4, -16
    j 2f
1:  BLOCK8 0, a2, a4, 0
2:  BLOCK8 4, a2, a4, 16
    addi a0, a0, 8
    addi a2, a2, 32
    addi a4, a4, 32
    bne a0, a1, 1b
    LEAVE

    FUNCTION thimble_columns8_listed
    ENTER
    beq a0, a1, 2f
1:  lw s9, 0(a0)
    add s8, a2, s9
    add s9, a4, s9
    BLOCK8 4, s8, s9, 0
    addi a0, a0, 8
    bne a0, a1, 1b
2:  LEAVE

    # Four weights of a row at w, and four inputs at x + a0.
    .macro BLOCK1 load, x, size, w
    \load t0, (\x)(a0)
    lbu a4, 0(\w)
    \load t1, (\x + \size)(a0)
    lbu a5, 1(\w)
    \load t2, (\x + 2 * \size)(a0)
    mul a4, a4, t0
    lbu a6, 2(\w)
    mul a5, a5, t1
    \load t3, (\x + 3 * \size)(a0)
    lbu a7, 3(\w)
    mul a6, a6, t2
    add t4, t4, a4
    mul a7, a7, t3
    add t4, t4, a5
    add t4, t4, a6
    add t4, t4, a7
    .endm

    .macro ROW1 load, size
    lw t4, 0(a3)
1:  BLOCK1 \load, 0, \size, a2
    addi a0, a0, 4 * \size
    addi a2, a2, 4
    bne a0, a1, 1b
    sw t4, 0(a3)
    ret
    .endm

    .macro ROW1_LISTED load, size
    lw t4, 0(a3)
    beq a0, a1, 2f
1:  lw t6, 0(a0)
    srli t6, t6, 2
    add t6, t6, a2
    BLOCK1 \load, 4, \size, t6
    addi a0, a0, 4 + 4 * \size
    bne a0, a1, 1b
2:  sw t4, 0(a3)
    ret
    .endm

    FUNCTION thimble_columns1
    ROW1 lbu, 1

    FUNCTION thimble_columns1_listed
    ROW1_LISTED lbu, 1

    FUNCTION thimble_columns1_int16
    ROW1 lh, 2

    FUNCTION thimble_columns1_int16_listed
    ROW1_LISTED lh, 2

    # The input of 16 bits at x + a0 for the four rows of a tile, whose weights are at w + base.
    .macro COLUMN4 x, w, base
    lh t0, (\x)(a0)
    lbu t1, (\w)(\base)
    lbu t2, (\w + 1)(\base)
    lbu t3, (\w + 2)(\base)
    lbu t4, (\w + 3)(\base)
    mul t1, t1, t0
    mul t2, t2, t0
    mul t3, t3, t0
    mul t4, t4, t0
    add a4, a4, t1
    add a5, a5, t2
    add a6, a6, t3
    add a7, a7, t4
    .endm

    .macro BLOCK4 x, base
    COLUMN4 (\x), 0, \base
    COLUMN4 (\x + 2), 4, \base
    COLUMN4 (\x + 4), 8, \base
    COLUMN4 (\x + 6), 12, \base
    .endm

    # Loads or stores the four sums.
    .macro SUMS4 op
    \op a4, 0(a3)
    \op a5, 4(a3)
    \op a6, 8(a3)
    \op a7, 12(a3)
    .endm

    FUNCTION thimble_columns4_int16
    SUMS4 lw
1:  BLOCK4 0, a2
    addi a0, a0, 8
    addi a2, a2, 16
    bne a0, a1, 1b
    SUMS4 sw
    ret

    FUNCTION thimble_columns4_int16_listed
    SUMS4 lw
    beq a0, a1, 2f
1:  lw t6, 0(a0)
    add t6, t6, a2
    BLOCK4 4, t6
    addi a0, a0, 12
    bne a0, a1, 1b
2:  SUMS4 sw
    ret

    .irp name, FUNCTION, FRONT, COLUMN, LAST, BLOCK8, SAVED, ENTER, ADD_LANES, LEAVE, BLOCK1, ROW1, ROW1_LISTED, COLUMN4, BLOCK4, SUMS4
    .purgem \name
    .endr
    .option pop
"#
);
