//! Weights of 4, 2 and 1.6 bits in columns of four rows, for inputs of 8 bits:
//! [`Int4Columns4`](model_format::WeightLayout::Int4Columns4),
//! [`Int2Columns4`](model_format::WeightLayout::Int2Columns4) and
//! [`TernaryColumns4`](model_format::WeightLayout::TernaryColumns4).
//!
//! # Two products in one multiplication
//! A word holds a byte of each of four rows: rows 0 and 2 lie 16 bits apart, and so do rows 1 and 3. A
//! mask leaves the codes of one column and two rows, none of them negative. Multiplied by x − zero point,
//! which may be negative, and added up, they make 2¹⁶ · upper + lower, from which both sums are found as
//! long as the lower one fits into 16 bits. After as many columns the two are added to the sums of their
//! rows.
//!
//! The digits of a ternary byte come out one after the other: three times the byte has the first in its
//! upper byte, and the code of the others in its lower one.
//!
//! A code is a weight plus 8 (int4), half of a weight plus 3 (int2), or a weight plus 1 (ternary). What is
//! too much is the same for all rows, a multiple of Σ (x − zero point).
#![allow(unsafe_code)]

#[cfg(kernel_rv32)]
mod rv32;
#[cfg(any(kernel_dsp, kernel_v7m))]
mod thumb2;
#[cfg(kernel_v6m)]
mod v6m;

use core::mem;

use model_format::{Capabilities, Dense, WeightLayout, WeightType};

use super::tiles::{self, Loop};
use super::{Prepared, Values, Workspace};

/// Words of an entry of a list: its offset in a tile, and its four inputs.
const ENTRY: usize = 3;
/// Segments of int4 weights, of an even number of blocks, as those of the others are.
#[cfg(not(kernel_dsp))]
pub(super) const INT4: Segment = Segment::of(WeightType::Int4, 8);
/// Segments of int2 weights.
pub(super) const INT2: Segment = Segment::of(WeightType::Int2, 40);
/// Segments of ternary weights, whose blocks have five columns.
pub(super) const TERNARY: Segment = Segment::of(WeightType::Ternary, 60);

/// Columns of which 16 bits have room for the sum of products.
pub(super) struct Segment {
    /// Bytes of their inputs.
    pub(super) whole: usize,
    /// Bytes of their entries.
    pub(super) listed: usize,
}

impl Segment {
    const fn of(weight_type: WeightType, columns: usize) -> Self {
        let most_code = match weight_type {
            WeightType::Int8 => 255,
            WeightType::Int4 => 15,
            WeightType::Int2 => 3,
            WeightType::Ternary => 2,
        };
        assert!(columns * most_code * 255 < 1 << 15);
        Segment { whole: columns * 2, listed: columns * ENTRY }
    }
}

/// Returns whether these kernels read weights that lie so.
#[inline(always)]
pub(super) fn reads<C: Capabilities>(layout: WeightLayout) -> bool {
    use WeightLayout::{Int2Columns4, Int4Columns4, TernaryColumns4};
    let is_used = const {
        C::OPS.reads(Int4Columns4) || C::OPS.reads(Int2Columns4) || C::OPS.reads(TernaryColumns4)
    };
    is_used && matches!(layout, Int4Columns4 | Int2Columns4 | TernaryColumns4)
}

/// Makes x − zero point in 16 bits; or, where at most two thirds of the blocks of four columns are not
/// zero, entries of those alone.
#[inline(never)]
pub(super) fn prepare<'s>(
    layer: &Dense<'_>,
    x: Values<'_>,
    workspace: &'s mut Workspace<'_>,
) -> Prepared<'s> {
    let weight_type = layer.layout.weight_type();
    let halves = layer.layout.columns(layer.inputs());
    let words = workspace.words.get_mut(..halves.div_ceil(2)).unwrap_or_default();
    let (mut nonzero, mut sum) = (0usize, 0i32);
    x.widened(layer, |block| {
        nonzero = nonzero.wrapping_add(usize::from(block != [0; 4]));
        sum = block.iter().fold(sum, |sum, x| sum.wrapping_add((*x).into()));
    });
    let too_much = match weight_type {
        WeightType::Int4 => -8,
        WeightType::Int2 => -3,
        WeightType::Int8 | WeightType::Ternary => -1,
    };
    let correction = sum.wrapping_mul(too_much);
    let is_listed =
        !matches!(weight_type, WeightType::Ternary) && nonzero.wrapping_mul(ENTRY) < words.len();
    let mut left: &mut [i16] = bytemuck::must_cast_slice_mut(words);
    if is_listed {
        let block_len = if matches!(weight_type, WeightType::Int4) { 8 } else { 4 };
        x.widened_nonzero(layer, |number, [a, b, c, d]| {
            if let Some((entry, rest)) = mem::take(&mut left).split_first_chunk_mut() {
                // Below 2¹⁵: a row has at most 2¹¹ blocks.
                let offset = number.wrapping_mul(block_len) as i16;
                *entry = [offset, 0, a, b, c, d];
                left = rest;
            }
        });
        let words = words.get(..nonzero.wrapping_mul(ENTRY)).unwrap_or_default();
        return Prepared { words, list: Some(&[]), correction };
    }
    // Rows of ternary weights may have room for more than whole blocks of four, or for fewer.
    left.fill(0);
    x.widened(layer, |block| {
        let all = mem::take(&mut left);
        let (place, rest) = all.split_at_mut(all.len().min(4));
        place.iter_mut().zip(block).for_each(|(to, from)| *to = from);
        left = rest;
    });
    Prepared { words, list: None, correction }
}

/// Writes the output of a layer.
#[inline(never)]
pub(super) fn compute<C: Capabilities>(layer: &Dense<'_>, x: &Prepared<'_>, output: &mut [u8]) {
    let layer = &layer.specialize::<C>();
    let is_listed = x.list.is_some();
    let tile: Loop = match (layer.layout.weight_type(), is_listed) {
        #[cfg(not(kernel_dsp))]
        (WeightType::Int4, false) => thimble_int4_columns,
        #[cfg(not(kernel_dsp))]
        (WeightType::Int4, true) => thimble_int4_columns_listed,
        (WeightType::Int2, false) => thimble_int2_columns,
        (WeightType::Int2, true) => thimble_int2_columns_listed,
        _ => thimble_ternary_columns,
    };
    let row_len = layer.layout.row_len(layer.inputs());
    let start = x.words.as_ptr();
    let end = match is_listed {
        true => x.words.as_ptr_range().end,
        // Not the end of the last word: a row of ternary weights may have an odd number of columns.
        false => {
            let halves = row_len.wrapping_mul(layer.layout.weight_type().per_byte());
            start.wrapping_byte_add(halves.wrapping_mul(2))
        }
    };
    let single = |row: usize, sum: &mut i32| *sum = sum.wrapping_add(single(layer, row, x));
    // SAFETY: a tile has a word for each byte of a row, and the prepared input as many columns, or entries
    // with offsets of them.
    unsafe {
        tiles::compute_narrow::<C>(layer, start..end, x.correction, output, tile, single);
    }
}

/// The sum of the products of a row beside the tiles, whose bytes follow each other.
#[inline(never)]
fn single(layer: &Dense<'_>, row: usize, x: &Prepared<'_>) -> i32 {
    let row_len = layer.layout.row_len(layer.inputs());
    let start = row.wrapping_mul(row_len);
    let bytes = layer.weight_bytes().get(start..start.wrapping_add(row_len)).unwrap_or_default();
    let halves: &[i16] = bytemuck::must_cast_slice(x.words);
    let weight_type = layer.layout.weight_type();
    if matches!(weight_type, WeightType::Ternary) {
        return bytes.iter().zip(halves.chunks(5)).fold(0, |sum, (byte, x)| {
            let mut digits = u32::from(*byte);
            x.iter().fold(sum, |sum, x| {
                digits = (digits & 0xff).wrapping_mul(3);
                product(sum, digits >> 8, *x)
            })
        });
    }
    let is_int4 = matches!(weight_type, WeightType::Int4);
    let bits = if is_int4 { 4u32 } else { 2 };
    let block = |sum: i32, number: usize, x: &[i16]| {
        let byte = |index: usize| u32::from(bytes.get(index).copied().unwrap_or(0));
        let mut codes = match is_int4 {
            true => {
                byte(number.wrapping_mul(2)) | byte(number.wrapping_mul(2).wrapping_add(1)) << 8
            }
            false => byte(number),
        };
        x.iter().fold(sum, |sum, x| {
            let sum = product(sum, codes & (1u32 << bits).wrapping_sub(1), *x);
            codes >>= bits;
            sum
        })
    };
    let sum = match x.list {
        None => halves.chunks(4).enumerate().fold(0, |sum, (number, x)| block(sum, number, x)),
        Some(_) => halves.as_chunks::<6>().0.iter().fold(0, |sum, [offset, _, x @ ..]| {
            // A tile has four bytes for one of a row.
            let number = usize::from(*offset as u16) >> if is_int4 { 3 } else { 2 };
            block(sum, number, x)
        }),
    };
    if is_int4 { sum } else { sum.wrapping_mul(2) }
}

fn product(sum: i32, code: u32, x: i16) -> i32 {
    sum.wrapping_add((code as i32).wrapping_mul(x.into()))
}

// SAFETY: the assembly of the core takes and gives what is declared here.
unsafe extern "C" {
    #[cfg(not(kernel_dsp))]
    fn thimble_int4_columns(x: *const u32, end: *const u32, w: *const u8, sums: *mut [i32; 4]);
    #[cfg(not(kernel_dsp))]
    fn thimble_int4_columns_listed(
        x: *const u32,
        end: *const u32,
        w: *const u8,
        sums: *mut [i32; 4],
    );
    fn thimble_int2_columns(x: *const u32, end: *const u32, w: *const u8, sums: *mut [i32; 4]);
    fn thimble_int2_columns_listed(
        x: *const u32,
        end: *const u32,
        w: *const u8,
        sums: *mut [i32; 4],
    );
    fn thimble_ternary_columns(x: *const u32, end: *const u32, w: *const u8, sums: *mut [i32; 4]);
}
