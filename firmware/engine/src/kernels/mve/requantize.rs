//! Requantization, four rows at a time.
//!
//! VQRDMULH is the rounding doubling high multiply, and VRSHL, after one is taken off a negative number,
//! divides with ties away from zero.
#![allow(unsafe_code)]

use model_format::{Capabilities, DataType, Dense};

use super::super::requantize::Output;
use super::helium;

/// The outputs of a layer, of which the next rows are written.
pub(super) struct Outputs {
    next: Requantize,
    write: unsafe extern "C" fn(*const Requantize),
    mantissa_bytes: usize,
    shift_bytes: usize,
    output_bytes: usize,
}

impl Outputs {
    /// Those of a layer, from its first row on.
    #[inline(always)]
    pub(super) fn of<C: Capabilities>(layer: &Dense<'_>, outputs: *mut u8) -> Self {
        let is_int16 = C::OPS.int16 && matches!(layer.output.data_type, DataType::Int16);
        let (mantissas, shifts, mantissa_bytes, shift_bytes) = match layer.is_compact {
            true => (layer.compact_multipliers().as_ptr().cast(), core::ptr::null(), 2, 0),
            false => (layer.mantissas().as_ptr().cast(), layer.shifts().as_ptr(), 4, 1),
        };
        let write = match (layer.is_compact, is_int16) {
            (false, false) => thimble_mve_requantize,
            (false, true) => thimble_mve_requantize_int16,
            (true, false) => thimble_mve_requantize_compact,
            (true, true) => thimble_mve_requantize_compact_int16,
        };
        let output_of = Output::of(layer);
        let sums = core::ptr::null();
        let next = Requantize { sums, mantissas, shifts, outputs, rows: 0, output_of };
        let output_bytes = if is_int16 { 2 } else { 1 };
        Outputs { next, write, mantissa_bytes, shift_bytes, output_bytes }
    }

    /// Writes those of the next rows, from their sums.
    ///
    /// # Safety
    /// The layer must have as many more rows, and its outputs places for them; `sums` must be valid for
    /// them.
    #[inline(always)]
    pub(super) unsafe fn write(&mut self, rows: usize, sums: *const i32) {
        let next = &mut self.next;
        (next.sums, next.rows) = (sums, rows);
        // SAFETY: a layer has an entry a row of each parameter; the caller says the rest.
        unsafe { (self.write)(next) };
        let behind = |bytes: usize| rows.wrapping_mul(bytes);
        next.mantissas = next.mantissas.wrapping_add(behind(self.mantissa_bytes));
        next.shifts = next.shifts.wrapping_add(behind(self.shift_bytes));
        next.outputs = next.outputs.wrapping_add(behind(self.output_bytes));
    }
}

/// Arguments of requantization, in the order in which it reads them.
#[repr(C)]
pub(in super::super) struct Requantize {
    pub(in super::super) sums: *const i32,
    /// Words, or halfwords of compact rows.
    pub(in super::super) mantissas: *const u8,
    /// Not read of compact rows.
    pub(in super::super) shifts: *const u8,
    pub(in super::super) outputs: *mut u8,
    pub(in super::super) rows: usize,
    pub(in super::super) output_of: Output,
}

// SAFETY: the assembly below takes and gives what is declared here.
unsafe extern "C" {
    fn thimble_mve_requantize(requantize: *const Requantize);
    /// Writes int8 outputs of rows that are not compact and are all shifted to the right.
    pub(in super::super) fn thimble_mve_requantize_right(requantize: *const Requantize);
    fn thimble_mve_requantize_int16(requantize: *const Requantize);
    fn thimble_mve_requantize_compact(requantize: *const Requantize);
    fn thimble_mve_requantize_compact_int16(requantize: *const Requantize);
}

helium!(
    ["WIDE" "RIGHT" "COMPACT" "INT8" "INT16" "REQUANTIZE"]
    r#"
    @ Sums in q0, made into their products with the mantissas; shifts in q1, those to the right alone.
    .macro WIDE
    vldrw.u32 q0, [r1], #16
    vldrb.s32 q1, [r3], #4
    @ Shifts to the left come before the multiplication, those to the right behind it.
    vmax.s32 q3, q1, q4
    vshl.s32 q0, q0, q3
    vldrw.u32 q2, [r2], #16
    vqrdmulh.s32 q0, q0, q2
    vmin.s32 q1, q1, q4
    .endm

    @ The same where all are shifted to the right.
    .macro RIGHT
    vldrw.u32 q0, [r1], #16
    vldrw.u32 q2, [r2], #16
    vldrb.s32 q1, [r3], #4
    vqrdmulh.s32 q0, q0, q2
    .endm

    @ Eleven bits below the highest of the mantissa, and above them a shift to the right; or 0.
    .macro COMPACT
    vldrw.u32 q0, [r1], #16
    vldrh.u32 q1, [r2], #8
    vmov q2, q1
    vbic.i32 q2, #0xf800
    vorr.i32 q2, #0x800
    vshl.i32 q2, q2, #19
    vpt.i32 eq, q1, zr
    vmovt.i32 q2, #0
    vqrdmulh.s32 q0, q0, q2
    vshr.u32 q1, q1, #11
    vneg.s32 q1, q1
    .endm

    .macro INT8
    vstrb.32 q0, [r4], #4
    .endm

    @ By bytes, as which the output is aligned.
    .macro INT16
    vstrb.32 q0, [r4, q7]
    vshr.s32 q0, q0, #8
    adds r0, r4, #1
    vstrb.32 q0, [r0, q7]
    adds r4, #8
    .endm

    .macro REQUANTIZE name, load, store
    MVE_FUNCTION \name
    push {{r4-r8, lr}}
    .ifc \store, INT16
    vpush {{d8-d15}}
    .else
    vpush {{d8-d13}}
    .endif
    ldm r0, {{r1-r8}}
    .ifc \load, WIDE
    vmov.i32 q4, #0
    .endif
    vdup.32 q5, r7
    vdup.32 q6, r8
    .ifc \store, INT16
    movs r0, #0
    vidup.u32 q7, r0, #2
    .endif
    wlstp.32 lr, r5, 2f
1:  \load
    @ Where a negative number is shifted to the right, -1.
    .ifc \load, RIGHT
    vshr.s32 q3, q0, #31
    .else
    vand q3, q0, q1
    vshr.s32 q3, q3, #31
    .endif
    vadd.i32 q0, q0, q3
    vrshl.s32 q0, q0, q1
    vqadd.s32 q0, q0, r6
    vmax.s32 q0, q0, q5
    vmin.s32 q0, q0, q6
    \store
    letp lr, 1b
2:
    .ifc \store, INT16
    vpop {{d8-d15}}
    .else
    vpop {{d8-d13}}
    .endif
    pop {{r4-r8, pc}}
    .endm

    REQUANTIZE thimble_mve_requantize, WIDE, INT8
    REQUANTIZE thimble_mve_requantize_right, RIGHT, INT8
    REQUANTIZE thimble_mve_requantize_int16, WIDE, INT16
    REQUANTIZE thimble_mve_requantize_compact, COMPACT, INT8
    REQUANTIZE thimble_mve_requantize_compact_int16, COMPACT, INT16
"#
);
