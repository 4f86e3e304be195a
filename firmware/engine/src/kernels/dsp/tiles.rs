//! The loop over the tiles of a layer, in assembly: four sums, which stay in registers, and their
//! requantization.
//!
//! A tile whose outputs have 16 bits, or whose sums are shifted to the left, goes back to Rust.
#![allow(unsafe_code)]

use model_format::{Capabilities, DataType, Dense};

use crate::kernels::{Prepared, rows};

/// Pointers and counters of a loop over tiles, in the order in which the assembly reads them.
#[repr(C)]
pub(super) struct Tiles {
    /// Biases of the next tile.
    biases: *const [u8; 4],
    /// Bytes from the biases to the mantissas.
    to_mantissas: usize,
    /// Outputs of the next tile.
    output: *mut u8,
    /// Bytes from the outputs to the shifts.
    to_shifts: usize,
    /// Twice the zero point of the output, and one.
    rounding: i32,
    /// The lowest output, four times.
    low: u32,
    /// The highest output, four times.
    high: u32,
    /// End of the outputs.
    end: *mut u8,
    x: *const u32,
    /// The loop's own.
    entry: usize,
    x_end: *const u32,
    /// Weights of the next tile, kept up to date where the loop stops.
    weights: *const u8,
    /// Sums of the tile at which it has stopped.
    sums: [i32; 4],
    /// Bytes of a tile's weights, over which a loop over entries does not pass.
    tile_len: usize,
}

/// A loop over tiles, of a whole input or of entries. Returns whether it has stopped at a tile, whose
/// sums are then to be requantized.
pub(super) type Loop = unsafe extern "C" fn(tiles: *mut Tiles, is_listed: bool) -> bool;

/// Requantization of the four sums in a to d, in assembly: the macros that a loop over tiles is made
/// of.
///
/// For a shift of s to the right, the rounding high multiply is (2am + 2³¹) >> 32, and 2m is above
/// 2³¹: as a signed number it is 2m − 2³², so that SMMLAR with a as the accumulator makes it from
/// a · (2m − 2³²) + 2³² · a. Ties go away from zero where one is taken off a negative number. Of the s
/// bits that are left, the last is rounded: s − 1 are shifted out first, then twice the zero point
/// and one is added, saturating, and the last is shifted out by the saturation to 8 bits.
macro_rules! requantize {
    () => {
        r#"
    .syntax unified
    .cpu cortex-m33

    @ The address of the tiles is in r1, which is kept, as r2 is. Leaves to 9 with the sums and their
    @ biases where one is not shifted to the right; else ends with the comparison with the last.
    .macro REQUANTIZE a, b, c, d
    ldm r1, {{r0, r4, r7, r9}}
    add r4, r4, r0
    ldm r0!, {{r10, r11, r12, lr}}
    add \a, \a, r10
    add \b, \b, r11
    add \c, \c, r12
    add \d, \d, lr
    str r0, [r1]
    ldr r9, [r7, r9]
    ldm r4, {{r10, r11, r12, lr}}
    mvn r9, r9
    tst r9, #0x80808080
    bne 9f
    lsl r10, r10, #1
    lsl r11, r11, #1
    lsl r12, r12, #1
    lsl lr, lr, #1
    smmlar \a, \a, r10, \a
    smmlar \b, \b, r11, \b
    smmlar \c, \c, r12, \c
    smmlar \d, \d, lr, \d
    lsr r10, r9, #8
    add \a, \a, \a, asr #31
    add \b, \b, \b, asr #31
    add \c, \c, \c, asr #31
    add \d, \d, \d, asr #31
    lsr r11, r9, #16
    lsr r12, r9, #24
    asr \a, \a, r9
    asr \b, \b, r10
    asr \c, \c, r11
    asr \d, \d, r12
    add r0, r1, #16
    ldm r0, {{r10, r11, r12, lr}}
    qadd \a, \a, r10
    qadd \b, \b, r10
    qadd \c, \c, r10
    qadd \d, \d, r10
    ssat \a, #8, \a, asr #1
    ssat \b, #8, \b, asr #1
    ssat \c, #8, \c, asr #1
    ssat \d, #8, \d, asr #1
    bfi \a, \b, #8, #8
    bfi \a, \c, #16, #8
    bfi \a, \d, #24, #8
    @ The greater of output and lowest, four at once, then the lesser of that and the highest.
    ssub8 r0, \a, r11
    sel \a, \a, r11
    ssub8 r0, r12, \a
    sel \a, \a, r12
    str \a, [r7], #4
    str r7, [r1, #8]
    cmp r7, lr
    .endm

    @ Stores what REQUANTIZE has left.
    .macro LEAVE_SUMS a, b, c, d
    str \a, [r1, #48]
    str \b, [r1, #52]
    str \c, [r1, #56]
    str \d, [r1, #60]
    str r2, [r1, #44]
    .endm
"#
    };
}
pub(super) use requantize;

/// Shifts that are not to the right: the loop stops at each tile that has them.
static STOP: [u32; 1] = [0];

/// Writes the outputs of all whole tiles of four rows. `known` is the same layer, of which the compiler knows
/// the layout: nothing else takes it, so that its fields stay in registers.
///
/// # Safety
/// The loop must read nothing but the prepared input and, where that leads it, the weights of its
/// rows.
#[inline(always)]
pub(super) unsafe fn compute<C: Capabilities>(
    layer: &Dense<'_>,
    known: Dense<'_>,
    x: &Prepared<'_>,
    output: &mut [u8],
    tiles_loop: Loop,
    is_listed: bool,
) {
    let outputs = known.outputs();
    let tiled = outputs & !3;
    let is_int16 = C::OPS.int16 && known.output.data_type == DataType::Int16;
    if tiled == 0 || output.len() != outputs.wrapping_mul(known.output.data_type.bytes()) {
        return;
    }
    let stop = STOP.as_ptr() as usize;
    // The parameters lie one behind the other: biases, mantissas, weights, and shifts at their end.
    let mantissas = outputs.wrapping_mul(4);
    let shifts =
        (known.biases().as_ptr() as usize).wrapping_add(known.flash_len()).wrapping_sub(outputs);
    let four = |value: i16| u32::from(value as u8).wrapping_mul(0x0101_0101);
    let biases = known.biases().as_ptr();
    let start = output.as_mut_ptr();
    let x = x.words.as_ptr_range();
    let mut tiles = Tiles {
        biases,
        to_mantissas: mantissas,
        output: start,
        to_shifts: (if is_int16 { stop } else { shifts }).wrapping_sub(start as usize),
        rounding: known.output.zero_point.wrapping_mul(2).wrapping_add(1),
        low: four(known.clamp.low),
        high: four(known.clamp.high),
        end: start.wrapping_add(tiled),
        x: x.start,
        entry: 0,
        x_end: x.end,
        weights: biases.wrapping_add(outputs.wrapping_mul(2)).cast(),
        sums: [0; 4],
        tile_len: known.layout.row_len(known.inputs()).wrapping_mul(4),
    };
    let mut row = 0usize;
    // SAFETY: a layer has as many rows of weights, of biases and of the others as outputs, whose
    // words are aligned, as the activations are; the caller promises the rest.
    while unsafe { tiles_loop(&mut tiles, is_listed) } {
        row = if is_int16 { row } else { (tiles.output as usize).wrapping_sub(start as usize) };
        // SAFETY: the tile is one of the layer's, and its sums have been written.
        unsafe { rows::quantize::<C>(layer, row, &tiles.sums, output) };
        row = row.wrapping_add(4);
        if row >= tiled {
            return;
        }
        match is_int16 {
            // The same place, at which it stops again.
            true => {}
            false => tiles.output = tiles.output.wrapping_add(4),
        }
    }
}
