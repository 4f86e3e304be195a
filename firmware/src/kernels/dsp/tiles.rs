//! Weights in tiles: [`WeightLayout::Tiles4`](model_format::WeightLayout::Tiles4).
//!
//! A word holds four weights of a row; two SXTB16 make two pairs of it, the even and the odd ones,
//! for two SMLAD. The input is x − zero point, in the same pairs.
#![allow(unsafe_code)]

use core::arch::global_asm;

use model_format::{Dense, padded};

use crate::kernels::tiles::{self, Loops, Walk};
use crate::kernels::{Prepared, Values, Workspace};
use crate::operators::Choice;

/// Words of a listed block: the even inputs, the odd ones, and its offset in a row's bytes.
const ENTRY: usize = 3;

/// Reads the input of a layer for tiles.
#[inline(never)]
pub(in crate::kernels) fn prepare<'s>(
    layer: &Dense<'_>,
    x: Values<'_>,
    workspace: &'s mut Workspace<'_>,
) -> Prepared<'s> {
    let blocks = padded(layer.inputs()) / 4;
    let words = workspace.words.get_mut(..blocks.wrapping_mul(2)).unwrap_or_default();
    let pairs = |block: [i16; 4]| {
        let [a, b, c, d] = block.map(|x| u32::from(x as u16));
        [a | c << 16, b | d << 16]
    };
    let nonzero = x.count_nonzero(layer);
    // An entry takes the room of a block and a half.
    if nonzero.wrapping_mul(ENTRY) > blocks.wrapping_mul(2) {
        let mut places = words.as_chunks_mut::<2>().0.iter_mut();
        x.widened(layer, |block| {
            if let Some(place) = places.next() {
                *place = pairs(block);
            }
        });
        return Prepared { words, list: None };
    }
    let mut entries = words.as_chunks_mut::<ENTRY>().0.iter_mut();
    x.widened_nonzero(layer, |number, block| {
        if let Some(entry) = entries.next() {
            let [even, odd] = pairs(block);
            *entry = [even, odd, (number as u32).wrapping_mul(4)];
        }
    });
    let words = words.get(..nonzero.wrapping_mul(ENTRY)).unwrap_or_default();
    Prepared { words, list: Some(&[]) }
}

/// Writes the output of a layer with weights in tiles.
#[inline(never)]
pub(in crate::kernels) fn compute<C: Choice>(
    layer: &Dense<'_>,
    x: &Prepared<'_>,
    output: &mut [u8],
) {
    let loops = match x.list {
        None => Loops { tile: thimble_tiles4, single: thimble_tiles1 },
        Some(_) => Loops { tile: thimble_tiles4_listed, single: thimble_tiles1_listed },
    };
    // SAFETY: whole blocks or entries, with offsets within a row, and a layer has inputs.
    let walk = unsafe { Walk::new(layer, x, loops) };
    tiles::compute::<_, C>(layer, layer.biases(), 0, output, walk);
}

// SAFETY: the assembly below takes and gives what is declared here.
unsafe extern "C" {
    fn thimble_tiles4(x: *const u32, end: *const u32, w: *const u8, sums: *mut [i32; 4]);
    fn thimble_tiles4_listed(x: *const u32, end: *const u32, w: *const u8, sums: *mut [i32; 4]);
    fn thimble_tiles1(x: *const u32, end: *const u32, w: *const u8, sum: *mut i32);
    fn thimble_tiles1_listed(x: *const u32, end: *const u32, w: *const u8, sum: *mut i32);
}

// In all loops: r0 prepared input, r1 its end, r2 weights, r3 accumulators.
global_asm!(
    r#"
    .syntax unified
    .cpu cortex-m33

    @ One word of plain weights: w to acc, with the even inputs e and the odd ones o.
    .macro WORD w, acc, e, o, t
    sxtb16 \t, \w
    sxtb16 \w, \w, ror #8
    smlad \acc, \t, \e, \acc
    smlad \acc, \w, \o, \acc
    .endm

    .macro FUNCTION name
    .section .text.\name, "ax", %progbits
    .balign 4
    .thumb_func
    .global \name
    .type \name, %function
    \name:
    .endm

    .macro TILES4_BLOCK
    ldm r2!, {{r8-r11}}
    ldrd r12, lr, [r0], #8
    WORD r8, r4, r12, lr, r3
    WORD r9, r5, r12, lr, r3
    WORD r10, r6, r12, lr, r3
    WORD r11, r7, r12, lr, r3
    .endm

    FUNCTION thimble_tiles4
    push {{r3-r11, lr}}
    ldm r3, {{r4-r7}}
    @ r3 is used up by a block: the bits are taken anew each time.
1:  sub r3, r1, r0
    tst r3, #24
    beq 2f
    TILES4_BLOCK
    b 1b
2:  cmp r0, r1
    beq 4f
3:  TILES4_BLOCK
    TILES4_BLOCK
    TILES4_BLOCK
    TILES4_BLOCK
    cmp r0, r1
    bne 3b
4:  pop {{r3}}
    stm r3, {{r4-r7}}
    pop {{r4-r11, pc}}

    FUNCTION thimble_tiles4_listed
    push {{r3-r11, lr}}
    ldm r3, {{r4-r7}}
    cmp r0, r1
    beq 2f
1:  ldm r0!, {{r8, r9, r10}}
    add r10, r2, r10, lsl #2
    ldm r10, {{r10, r11, r12, lr}}
    WORD r10, r4, r8, r9, r3
    WORD r11, r5, r8, r9, r3
    WORD r12, r6, r8, r9, r3
    WORD lr, r7, r8, r9, r3
    cmp r0, r1
    bne 1b
2:  pop {{r3}}
    stm r3, {{r4-r7}}
    pop {{r4-r11, pc}}

    FUNCTION thimble_tiles1
    push {{r4-r8, lr}}
    ldr r4, [r3]
1:  ldr r5, [r2], #4
    ldrd r6, r7, [r0], #8
    WORD r5, r4, r6, r7, r8
    cmp r0, r1
    bne 1b
    str r4, [r3]
    pop {{r4-r8, pc}}

    FUNCTION thimble_tiles1_listed
    push {{r4-r9, lr}}
    ldr r4, [r3]
    cmp r0, r1
    beq 2f
1:  ldm r0!, {{r5-r7}}
    ldr r8, [r2, r7]
    WORD r8, r4, r5, r6, r9
    cmp r0, r1
    bne 1b
2:  str r4, [r3]
    pop {{r4-r9, pc}}

    .irp name, WORD, FUNCTION, TILES4_BLOCK
    .purgem \name
    .endr
"#
);
