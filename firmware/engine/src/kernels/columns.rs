//! Parts of kernels for weights in columns of four rows:
//! [`ColumnsUnsigned4`](model_format::WeightLayout::ColumnsUnsigned4).
//!
//! A weight is stored raised by 128, as a byte without a sign. An input of 8 bits is raised as well,
//! and with u for such a byte
//!
//! Σ w · (x − z) = Σ uw · ux − 128 · Σ ux − (z + 128) · Σ w,
//!
//! of which the last is folded into the biases and the middle one is the same for all rows. An input
//! of 16 bits stays as it is: Σ w · x = Σ uw · x − 128 · Σ x.
//!
//! # Two products in one multiplication
//! A word holds the weights of four rows for one input. W & 0x00ff00ff are those of rows 0 and 2 in
//! lanes of 16 bits, and (W >> 8) & 0x00ff00ff those of rows 1 and 3. Multiplied by an input, a lane
//! has a product of at most 255 · 255, which is below 2¹⁶: the lanes never touch. The products are
//! added to one sum as they are, modulo 2³², and their upper halves to another, which is the upper
//! row's sum. The first less 2¹⁶ times the second is the lower row's.
//!
//! Where the zero point is −128, ux is x − z, and where values have 16 bits, x is: blocks of zero add
//! nothing and may be left out.
#![allow(unsafe_code)]

use core::cell::Cell;
use core::mem;

#[cfg(any(kernel_v7m, kernel_v6m))]
use model_format::WeightLayout;
use model_format::{Capabilities, DataType, Dense, padded};

#[cfg(any(kernel_v7m, kernel_v6m))]
use super::tiles::{self, Loops};
use super::{Prepared, Values, Workspace};

/// Words of an entry of 16-bit inputs: its offset, and its four inputs.
const ENTRY: usize = 3;
/// Bytes of a block in a tile.
const TILE: u32 = 16;
/// Adding 128 to a byte flips its highest bit.
const FLIP: u32 = 0x8080_8080;
/// A list pays when it holds less than seven eighths of the blocks.
const LIST_PAYS: (usize, usize) = (7, 8);

/// Reads the input; or, where enough blocks are zero, makes entries of the others, the offset of
/// their weights in a tile and their inputs.
#[inline(never)]
pub(super) fn prepare<'s, C: Capabilities>(
    layer: &Dense<'_>,
    x: Values<'_>,
    workspace: &'s mut Workspace<'_>,
) -> Prepared<'s> {
    let blocks = padded(layer.inputs()) / 4;
    // Two words a block.
    let words = workspace.words.get_mut(..blocks.wrapping_mul(2)).unwrap_or_default();
    if C::OPS.int16 && x.data_type == DataType::Int16 {
        return prepare_int16(layer, x, words);
    }
    // The input takes the second half, so that entries can be written from the start and none
    // reaches a block that is still to be read.
    let half = words.get_mut(blocks..).unwrap_or_default();
    if let Some(last) = half.last_mut() {
        // What fills it up is 0 when raised.
        *last = FLIP;
    }
    copy(x.bytes, half);
    let (mut nonzero, mut sum) = (0usize, 0u32);
    for word in half {
        *word ^= FLIP;
        nonzero = nonzero.wrapping_add(usize::from(*word != 0));
        // Two sums of two bytes each, then both of them in the upper half.
        let pairs = (*word & 0x00ff_00ff).wrapping_add(*word >> 8 & 0x00ff_00ff);
        sum = sum.wrapping_add(pairs.wrapping_mul(0x1_0001) >> 16);
    }
    let correction = correction(sum);
    let (part, whole) = LIST_PAYS;
    if layer.input.zero_point != -128 || nonzero.wrapping_mul(whole) >= blocks.wrapping_mul(part) {
        let words = words.get(blocks..).unwrap_or_default();
        return Prepared { words, list: None, correction };
    }
    let cells = Cell::from_mut(&mut *words).as_slice_of_cells();
    let mut entries = cells.as_chunks().0.iter();
    let mut offset = 0u32;
    for word in cells.get(blocks..).unwrap_or_default().iter().map(Cell::get) {
        if word != 0
            && let Some([first, second]) = entries.next()
        {
            first.set(offset);
            second.set(word);
        }
        offset = offset.wrapping_add(TILE);
    }
    let words = words.get(..nonzero.wrapping_mul(2)).unwrap_or_default();
    Prepared { words, list: Some(&[]), correction }
}

/// Copies bytes into words, by words where they lie so.
fn copy(bytes: &[u8], words: &mut [u32]) {
    let (before, aligned, after): (_, &[u32], _) = bytemuck::pod_align_to(bytes);
    if before.is_empty() {
        words.iter_mut().zip(aligned).for_each(|(to, from)| *to = *from);
        let rest = words.get_mut(aligned.len()..).unwrap_or_default();
        let rest: &mut [u8] = bytemuck::must_cast_slice_mut(rest);
        rest.iter_mut().zip(after).for_each(|(to, from)| *to = *from);
    } else {
        let places: &mut [u8] = bytemuck::must_cast_slice_mut(words);
        places.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    }
}

/// Inputs of 16 bits; or, where less than two thirds of the blocks are not zero, entries of three
/// words.
#[inline(never)]
fn prepare_int16<'s>(layer: &Dense<'_>, x: Values<'_>, words: &'s mut [u32]) -> Prepared<'s> {
    let (mut nonzero, mut sum) = (0usize, 0u32);
    x.widened(layer, |block| {
        nonzero = nonzero.wrapping_add(usize::from(block != [0; 4]));
        sum = block.iter().fold(sum, |sum, x| sum.wrapping_add_signed((*x).into()));
    });
    let correction = correction(sum);
    let is_listed = nonzero.wrapping_mul(ENTRY) < words.len();
    let mut left: &mut [i16] = bytemuck::must_cast_slice_mut(words);
    if is_listed {
        x.widened_nonzero(layer, |number, [a, b, c, d]| {
            if let Some((entry, rest)) = mem::take(&mut left).split_first_chunk_mut() {
                let offset = (number as u32).wrapping_mul(TILE);
                *entry = [offset as i16, (offset >> 16) as i16, a, b, c, d];
                left = rest;
            }
        });
        let words = words.get(..nonzero.wrapping_mul(ENTRY)).unwrap_or_default();
        return Prepared { words, list: Some(&[]), correction };
    }
    x.widened(layer, |block| {
        if let Some((place, rest)) = mem::take(&mut left).split_first_chunk_mut() {
            *place = block;
            left = rest;
        }
    });
    Prepared { words, list: None, correction }
}

/// Term that all rows have in common: −128 · Σ x.
fn correction(sum: u32) -> i32 {
    sum.wrapping_mul(128).wrapping_neg() as i32
}

/// Writes the output of a layer with weights in unsigned columns of four rows, by the inner loops of
/// the core.
#[cfg(any(kernel_v7m, kernel_v6m))]
#[inline(never)]
pub(super) fn compute<C: Capabilities>(layer: &Dense<'_>, x: &Prepared<'_>, output: &mut [u8]) {
    let layer = &layer.specialize::<C>().known_as(WeightLayout::ColumnsUnsigned4);
    let is_int16 = C::OPS.int16 && layer.input.data_type == DataType::Int16;
    let loops = match (is_int16, x.list) {
        (false, None) => Loops { tile: thimble_columns4, single: thimble_columns1 },
        (false, Some(_)) => {
            Loops { tile: thimble_columns4_listed, single: thimble_columns1_listed }
        }
        (true, None) => Loops { tile: thimble_columns4_int16, single: thimble_columns1_int16 },
        (true, Some(_)) => {
            Loops { tile: thimble_columns4_int16_listed, single: thimble_columns1_int16_listed }
        }
    };
    // Values of 16 bits have no zero point to be folded.
    let biases = if is_int16 { layer.biases() } else { layer.folded() };
    // SAFETY: the loops read whole blocks, of which there are some, or entries, whose offsets are
    // those of blocks of a row.
    unsafe { tiles::compute::<C>(layer, x, biases, x.correction, output, loops) };
}

// SAFETY: the assembly of the core, in `v6m` or `v7m`, takes and gives what is declared here.
#[cfg(any(kernel_v7m, kernel_v6m))]
unsafe extern "C" {
    fn thimble_columns4(x: *const u32, end: *const u32, w: *const u8, sums: *mut [i32; 4]);
    fn thimble_columns4_listed(x: *const u32, end: *const u32, w: *const u8, sums: *mut [i32; 4]);
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
