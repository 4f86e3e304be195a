//! The kernel for Armv6-M: Cortex-M0, M0+ and M23.
//!
//! The layout is [`ColumnsUnsigned4`](model_format::WeightLayout::ColumnsUnsigned4). This core
//! loads unsigned bytes with an offset, but signed ones not: so inputs and weights are raised by
//! 128, and with u for such a byte
//!
//! Σ w · (x − z) = Σ uw · ux − 128 · Σ ux − (z + 128) · Σ w,
//!
//! of which the last is folded into the biases and the middle one is the same for all rows. One
//! input meets the weights of four rows: load, multiply and add each, 3.25 instructions a product.
//!
//! Where the zero point is −128, ux is x − z: blocks of zero add nothing and may be left out.
#![allow(unsafe_code)]

use core::arch::global_asm;
use core::cell::Cell;

use model_format::{Capabilities, Dense, padded};

use super::tiles::{self, Loops, Walk};
use super::{Prepared, Values, Workspace};

/// Adding 128 to a byte flips its highest bit.
const FLIP: u32 = 0x8080_8080;
/// A list pays when it holds less than seven eighths of the blocks.
const LIST_PAYS: (usize, usize) = (7, 8);

/// Raises the input by 128; or, where enough blocks are then 0, makes entries of the others, the
/// offset of their weights in a tile and their inputs. Before them goes what all rows add.
#[inline(never)]
pub(super) fn prepare<'s>(
    layer: &Dense<'_>,
    x: Values<'_>,
    workspace: &'s mut Workspace<'_>,
) -> Prepared<'s> {
    let blocks = padded(layer.inputs()) / 4;
    // Two words a block. The input takes the second half, so that entries can be written from the
    // start and none reaches a block that is still to be read.
    let words = workspace.words.get_mut(..blocks.wrapping_mul(2)).unwrap_or_default();
    let half = words.get_mut(blocks..).unwrap_or_default();
    if let Some(last) = half.last_mut() {
        // What fills it up is 0 when raised.
        *last = FLIP;
    }
    let bytes: &mut [u8] = bytemuck::must_cast_slice_mut(half);
    bytes.iter_mut().zip(x.bytes).for_each(|(to, from)| *to = *from);
    let (mut nonzero, mut sum) = (0usize, 0u32);
    for word in half {
        *word ^= FLIP;
        nonzero = nonzero.wrapping_add(usize::from(*word != 0));
        // Two sums of two bytes each, then both of them in the upper half.
        let pairs = (*word & 0x00ff_00ff).wrapping_add(*word >> 8 & 0x00ff_00ff);
        sum = sum.wrapping_add(pairs.wrapping_mul(0x1_0001) >> 16);
    }
    let correction = sum.wrapping_mul(128).wrapping_neg();
    let (part, whole) = LIST_PAYS;
    let is_listed =
        layer.input.zero_point == -128 && nonzero.wrapping_mul(whole) < blocks.wrapping_mul(part);
    let (start, len, list): (_, _, Option<&[u16]>) = if is_listed {
        let cells = Cell::from_mut(&mut *words).as_slice_of_cells();
        let mut entries = cells.get(1..).unwrap_or_default().as_chunks().0.iter();
        let mut offset = 0u32;
        for word in cells.get(blocks..).unwrap_or_default().iter().map(Cell::get) {
            if word != 0
                && let Some([first, second]) = entries.next()
            {
                first.set(offset);
                second.set(word);
            }
            offset = offset.wrapping_add(16);
        }
        (0, nonzero.wrapping_mul(2), Some(&[]))
    } else {
        (blocks.wrapping_sub(1), blocks, None)
    };
    let words = words.get_mut(start..).unwrap_or_default();
    if let Some(first) = words.first_mut() {
        *first = correction;
    }
    Prepared { words: words.get(..len.wrapping_add(1)).unwrap_or_default(), list }
}

/// Writes the output of a layer with weights in unsigned columns of four rows.
#[inline(never)]
pub(super) fn compute<C: Capabilities>(layer: &Dense<'_>, x: &Prepared<'_>, output: &mut [u8]) {
    let layer = &layer.specialize::<C>();
    let Some((correction, words)) = x.words.split_first() else { return };
    let loops = match x.list {
        None => Loops { tile: thimble_unsigned4, single: thimble_unsigned1 },
        Some(_) => Loops { tile: thimble_unsigned4_listed, single: thimble_unsigned1_listed },
    };
    let x = Prepared { words, list: x.list };
    // SAFETY: the loops read whole blocks, of which there are some, or entries, whose offsets are
    // those of blocks of a row.
    let walk = unsafe { Walk::new(layer, &x, loops) };
    tiles::compute::<_, C>(layer, layer.folded(), *correction as i32, output, walk);
}

// SAFETY: the assembly below takes and gives what is declared here.
unsafe extern "C" {
    fn thimble_unsigned4(x: *const u32, end: *const u32, w: *const u8, sums: *mut [i32; 4]);
    fn thimble_unsigned4_listed(x: *const u32, end: *const u32, w: *const u8, sums: *mut [i32; 4]);
    fn thimble_unsigned1(x: *const u32, end: *const u32, w: *const u8, sum: *mut i32);
    fn thimble_unsigned1_listed(x: *const u32, end: *const u32, w: *const u8, sum: *mut i32);
}

// In all loops: r0 prepared input, r1 its end, r2 weights, r3 sums. The end moves to r8 and the
// sums' address to the stack; r1 is an input, r3 a weight and the product.
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

    @ Saves what the loops change; r1 goes to r8.
    .macro ENTER
    push {{r3-r7, lr}}
    mov r4, r8
    mov r5, r9
    push {{r4, r5}}
    mov r8, r1
    .endm

    @ Leaves the address of the sums in r3.
    .macro RESTORE
    pop {{r0, r1}}
    mov r8, r0
    mov r9, r1
    pop {{r3}}
    .endm

    .macro MAC w, acc
    ldrb r3, [r2, #\w]
    muls r3, r1, r3
    adds \acc, \acc, r3
    .endm

    @ The input at r0 + x for the four rows of a tile, whose weights are at r2 + w.
    .macro COLUMN4 x, w
    ldrb r1, [r0, #\x]
    MAC (\w), r4
    MAC (\w + 1), r5
    MAC (\w + 2), r6
    MAC (\w + 3), r7
    .endm

    .macro BLOCK4 x, w
    COLUMN4 (\x), (\w)
    COLUMN4 (\x + 1), (\w + 4)
    COLUMN4 (\x + 2), (\w + 8)
    COLUMN4 (\x + 3), (\w + 12)
    .endm

    FUNCTION thimble_unsigned4
    ENTER
    ldm r3!, {{r4-r7}}
    @ Two blocks at a time; an odd one comes first.
    subs r1, r1, r0
    lsrs r1, r1, #3
    bcc 1f
    BLOCK4 0, 0
    adds r0, #4
    adds r2, #16
    cmp r0, r8
    beq 2f
1:  BLOCK4 0, 0
    BLOCK4 4, 16
    adds r0, #8
    adds r2, #32
    cmp r0, r8
    bne 1b
2:  RESTORE
    stm r3!, {{r4-r7}}
    pop {{r4-r7, pc}}

    FUNCTION thimble_unsigned4_listed
    ENTER
    mov r9, r2
    ldm r3!, {{r4-r7}}
    cmp r0, r1
    beq 2f
1:  ldr r2, [r0]
    add r2, r9
    BLOCK4 4, 0
    adds r0, #8
    cmp r0, r8
    bne 1b
2:  RESTORE
    stm r3!, {{r4-r7}}
    pop {{r4-r7, pc}}

    .macro COLUMN1 x, w
    ldrb r1, [r0, #\x]
    MAC (\w), r4
    .endm

    FUNCTION thimble_unsigned1
    ENTER
    ldr r4, [r3]
1:  COLUMN1 0, 0
    COLUMN1 1, 1
    COLUMN1 2, 2
    COLUMN1 3, 3
    adds r0, #4
    adds r2, #4
    cmp r0, r8
    bne 1b
    RESTORE
    str r4, [r3]
    pop {{r4-r7, pc}}

    FUNCTION thimble_unsigned1_listed
    ENTER
    mov r9, r2
    ldr r4, [r3]
    cmp r0, r1
    beq 2f
1:  ldr r2, [r0]
    lsrs r2, r2, #2
    add r2, r9
    COLUMN1 4, 0
    COLUMN1 5, 1
    COLUMN1 6, 2
    COLUMN1 7, 3
    adds r0, #8
    cmp r0, r8
    bne 1b
2:  RESTORE
    str r4, [r3]
    pop {{r4-r7, pc}}
"#
);
