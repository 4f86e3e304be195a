//! Row-major weights of every type, with biases as they are:
//! [`RowMajor`](model_format::WeightLayout::RowMajor), [`Int4`](model_format::WeightLayout::Int4),
//! [`Int2`](model_format::WeightLayout::Int2) and [`Ternary`](model_format::WeightLayout::Ternary), for
//! inputs of int8 and int16.
//!
//! With codes without a sign, sixteen products of 8 bits fit into an instruction where inputs of int8 have
//! the zero point −128, as after relu. Others are taken with 16 bits, eight to an instruction.
#![allow(unsafe_code)]

use core::mem::MaybeUninit;

use model_format::{Capabilities, Dense, WeightLayout};

use super::super::{Prepared, Values, Workspace};
use super::loops::{self, Rows, thimble_mve_biases, thimble_mve_biases_compact};
use super::phases::{self, Phases};
use super::requantize::Outputs;

/// Rows whose sums are kept before they are requantized.
const CHUNK: usize = 16;

/// Returns whether this kernel reads weights that lie so.
#[inline(always)]
pub(in super::super) fn reads<C: Capabilities>(layout: WeightLayout) -> bool {
    use WeightLayout::{Int2, Int4, RowMajor, Ternary};
    let is_used = const {
        C::OPS.reads(RowMajor) || C::OPS.reads(Int4) || C::OPS.reads(Int2) || C::OPS.reads(Ternary)
    };
    is_used && matches!(layout, RowMajor | Int4 | Int2 | Ternary)
}

/// Makes x − zero point, in phases.
#[inline(never)]
pub(in super::super) fn prepare<'s, C: Capabilities>(
    layer: &Dense<'_>,
    x: Values<'_>,
    workspace: &'s mut Workspace<'_>,
) -> Prepared<'s> {
    phases::prepare(&layer.specialize::<C>(), x.specialize::<C>(), workspace)
}

/// Writes the output of a layer.
#[inline(never)]
pub(in super::super) fn compute<C: Capabilities>(
    layer: &Dense<'_>,
    x: &Prepared<'_>,
    output: &mut [u8],
) {
    let layer = &layer.specialize::<C>();
    let (outputs, phases) = (layer.outputs(), Phases::of(layer));
    let is_whole = output.len() == outputs.wrapping_mul(layer.output.data_type.bytes());
    if x.words.len() != phases.words() || !is_whole {
        return;
    }
    let weight_type = layer.layout.weight_type();
    let add_products = loops::of(weight_type, phases);
    let mut sums = [const { MaybeUninit::<i32>::uninit() }; CHUNK];
    let mut rows = Rows {
        weights: layer.weight_bytes().as_ptr(),
        row_len: layer.layout.row_len(layer.inputs()),
        x: x.words.as_ptr().cast(),
        phase_bytes: phases.bytes(),
        len: phases.len,
        sums: core::ptr::null_mut(),
        rows: 0,
    };
    let mut outputs_of = Outputs::of::<C>(layer, output.as_mut_ptr());
    let mut start = 0;
    while start < outputs {
        rows.sums = sums.as_mut_ptr().cast();
        let count = outputs.wrapping_sub(start).min(CHUNK);
        rows.rows = count;
        // SAFETY: a layer has an entry an output of each parameter and a row of weights, and those from
        // `start` on are among them; the input has as many phases, and `output` a place for each row.
        unsafe {
            match layer.is_compact {
                true => {
                    let biases = layer.compact_biases().as_ptr().add(start).cast();
                    thimble_mve_biases_compact(biases, rows.sums, count, x.correction);
                }
                false => {
                    let biases = layer.biases().as_ptr().add(start).cast();
                    thimble_mve_biases(biases, rows.sums, count, x.correction);
                }
            }
            add_products(&mut rows);
            outputs_of.write(count, sums.as_ptr().cast());
        }
        start = start.wrapping_add(CHUNK);
    }
}
