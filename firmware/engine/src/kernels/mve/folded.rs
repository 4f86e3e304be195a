//! int8 weights with folded biases: [`FoldedRows`](model_format::WeightLayout::FoldedRows), inputs as they
//! are.
//!
//! A VMLADAVA adds sixteen products to a register; one load of sixteen inputs serves six rows, for
//! whose sums and addresses the registers just suffice.
#![allow(unsafe_code)]

use core::mem::MaybeUninit;

use model_format::{Capabilities, Dense, WeightLayout, padded};

use super::super::{Prepared, Values, Workspace};
use super::helium;
use super::requantize::Outputs;

/// Rows whose sums are kept before they are requantized: whole tiles of six, and fours.
const CHUNK: usize = 24;

/// Keeps the input, whose place the output may take.
#[inline(never)]
pub(in super::super) fn prepare<'s>(
    layer: &Dense<'_>,
    x: Values<'_>,
    workspace: &'s mut Workspace<'_>,
) -> Prepared<'s> {
    let words = workspace.words.get_mut(..padded(layer.inputs()) / 4).unwrap_or_default();
    let places: &mut [u8] = bytemuck::must_cast_slice_mut(words);
    let len = places.len().min(x.bytes.len());
    // SAFETY: both are valid for as many bytes, and a slice that is borrowed mutably overlaps none.
    unsafe { thimble_mve_copy(x.bytes.as_ptr(), places.as_mut_ptr(), len) };
    Prepared { words, list: None, correction: 0 }
}

/// Writes the output of a layer with row-major weights and folded biases.
#[inline(never)]
pub(in super::super) fn compute<C: Capabilities>(
    layer: &Dense<'_>,
    x: &Prepared<'_>,
    output: &mut [u8],
) {
    let layer = &layer.specialize::<C>().known_as(WeightLayout::FoldedRows);
    let outputs = layer.outputs();
    if output.len() != outputs.wrapping_mul(layer.output.data_type.bytes()) {
        return;
    }
    let (inputs, row_len) = (layer.inputs(), padded(layer.inputs()));
    let mut sums = [const { MaybeUninit::<i32>::uninit() }; CHUNK];
    let mut outputs_of = Outputs::of::<C>(layer, output.as_mut_ptr());
    let mut rows = Rows {
        biases: layer.folded().as_ptr(),
        weights: layer.weight_bytes().as_ptr(),
        x: x.words.as_ptr().cast(),
        inputs_by_64: inputs / 64,
        row_len,
        sums: core::ptr::null_mut(),
        rows: 0,
        inputs_left: inputs % 64,
    };
    let mut left = outputs;
    while left > 0 {
        let count = left.min(CHUNK);
        (rows.sums, rows.rows) = (sums.as_mut_ptr().cast(), count);
        // SAFETY: a layer has an entry an output of each parameter and rows of `row_len` bytes, of which
        // `left` are left; the input has `inputs` bytes. As many sums are written as are read.
        unsafe {
            thimble_mve_rows(&rows);
            outputs_of.write(count, sums.as_ptr().cast());
        }
        rows.biases = rows.biases.wrapping_add(count);
        rows.weights = rows.weights.wrapping_add(count.wrapping_mul(row_len));
        left = left.wrapping_sub(count);
    }
}

/// Arguments of the loop over rows, in the order in which it reads them.
#[repr(C)]
pub(in super::super) struct Rows {
    pub(in super::super) biases: *const [u8; 4],
    pub(in super::super) weights: *const u8,
    pub(in super::super) x: *const u8,
    pub(in super::super) inputs_by_64: usize,
    pub(in super::super) row_len: usize,
    pub(in super::super) sums: *mut i32,
    pub(in super::super) rows: usize,
    pub(in super::super) inputs_left: usize,
}

// SAFETY: the assembly below takes and gives what is declared here.
unsafe extern "C" {
    /// Copies so many bytes.
    pub(in super::super) fn thimble_mve_copy(from: *const u8, to: *mut u8, len: usize);
    /// Writes the sums of so many rows, one or more.
    pub(in super::super) fn thimble_mve_rows(rows: *const Rows);
}

helium!(
    ["BIAS" "ADDRESS" "NEXT" "PRODUCTS" "SUM" "SIXTEEN" "TILE"]
    r#"
    MVE_FUNCTION thimble_mve_copy
    push {{r7, lr}}
    wlstp.8 lr, r2, 2f
1:  vldrb.u8 q0, [r0], #16
    vstrb.8 q0, [r1], #16
    letp lr, 1b
2:  pop {{r7, pc}}

    @ The argument is copied to the stack, where it is kept up to date: biases at 0, weights at 4,
    @ x at 8, inputs by 64 at 12, row length at 16, sums at 20, rows at 24, inputs left at 28.

    .macro BIAS number, n, sum
    .if \number < \n
    ldr \sum, [lr, #4 * \number]
    .endif
    .endm

    .macro ADDRESS number, n, address, before
    .if \number < \n
    add \address, \before, r12
    .endif
    .endm

    .macro NEXT n
    .if \n == 6
    add r12, r11, r12
    .elseif \n == 4
    add r12, r7, r12
    .elseif \n == 2
    add r12, r3, r12
    .endif
    .endm

    .macro PRODUCTS number, n, sum, address
    .if \number < \n
    vldrb.u8 q1, [\address], #16
    vmladava.s8 \sum, q0, q1
    .endif
    .endm

    .macro SUM number, n, sum
    .if \number < \n
    str \sum, [lr, #4 * \number]
    .endif
    .endm

    @ Sixteen inputs for n rows.
    .macro SIXTEEN n
    vldrb.u8 q0, [r12], #16
    PRODUCTS 0, \n, r0, r1
    PRODUCTS 1, \n, r2, r3
    PRODUCTS 2, \n, r4, r5
    PRODUCTS 3, \n, r6, r7
    PRODUCTS 4, \n, r8, r9
    PRODUCTS 5, \n, r10, r11
    .endm

    @ The next n rows: sums in even registers, as VMLADAVA wants them, addresses in odd ones.
    .macro TILE n
    ldrd lr, r1, [sp]
    BIAS 1, \n, r2
    BIAS 2, \n, r4
    BIAS 3, \n, r6
    BIAS 4, \n, r8
    BIAS 5, \n, r10
    ldr r0, [lr], #4 * \n
    ldr r12, [sp, #16]
    ADDRESS 1, \n, r3, r1
    ADDRESS 2, \n, r5, r3
    ADDRESS 3, \n, r7, r5
    ADDRESS 4, \n, r9, r7
    ADDRESS 5, \n, r11, r9
    @ Behind the last row lie the next ones.
    NEXT \n
    strd lr, r12, [sp]
    ldrd r12, lr, [sp, #8]
    @ Whole 64 inputs without predication, four times sixteen to a loop; then what remains.
    wls lr, lr, 2f
1:  SIXTEEN \n
    SIXTEEN \n
    SIXTEEN \n
    SIXTEEN \n
    le lr, 1b
2:  ldr lr, [sp, #28]
    wlstp.8 lr, lr, 4f
3:  SIXTEEN \n
    letp lr, 3b
4:
    ldrd lr, r1, [sp, #20]
    SUM 1, \n, r2
    SUM 2, \n, r4
    SUM 3, \n, r6
    SUM 4, \n, r8
    SUM 5, \n, r10
    str r0, [lr], #4 * \n
    subs r1, #\n
    strd lr, r1, [sp, #20]
    .endm

    MVE_FUNCTION thimble_mve_rows
    push {{r4-r11, lr}}
    ldm r0, {{r1-r8}}
    sub sp, #32
    stm sp, {{r1-r8}}
    mov r1, r7
    cmp r1, #6
    blt 6f
5:  TILE 6
    cmp r1, #6
    bge 5b
    cmp r1, #0
    beq 9f
6:  cmp r1, #4
    blt 7f
    TILE 4
    beq 9f
7:  cmp r1, #2
    blt 8f
    TILE 2
    beq 9f
8:  TILE 1
9:  add sp, #32
    pop {{r4-r11, pc}}

"#
);
