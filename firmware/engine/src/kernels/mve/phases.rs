//! Activations for row-major weights: of weights that share a byte, the inputs of the first ones follow
//! each other, then those of the second ones, …; each a phase.
#![allow(unsafe_code)]

use model_format::{DataType, Dense, WeightType};

use super::super::{Prepared, Values, Workspace};
use super::helium;

/// Phases of a layer's input.
#[derive(Clone, Copy)]
pub(super) struct Phases {
    /// Their number.
    pub(super) count: usize,
    /// Values of each.
    pub(super) len: usize,
    /// Whether a value takes 16 bits; else it takes 8, without a sign.
    pub(super) are_wide: bool,
}

impl Phases {
    /// Those of this layer.
    #[inline(always)]
    pub(super) fn of(layer: &Dense<'_>) -> Self {
        let weight_type = layer.layout.weight_type();
        let count = weight_type.per_byte();
        // x − zero point is 0..=255, and codes of weights have no sign either.
        let are_narrow = count > 1
            && matches!(layer.input.data_type, DataType::Int8)
            && layer.input.zero_point == -128;
        let len = weight_type.row_bytes(layer.inputs());
        Phases { count, len, are_wide: !are_narrow }
    }

    /// Bytes of a phase.
    pub(super) fn bytes(self) -> usize {
        if self.are_wide { self.len.wrapping_mul(2) } else { self.len }
    }

    /// Words of all phases.
    pub(super) fn words(self) -> usize {
        self.count.wrapping_mul(self.bytes()).div_ceil(4)
    }
}

/// Makes x − zero point.
///
/// The excess of the codes over the weights adds the same to all rows: a multiple of Σ (x − zero point).
#[inline(always)]
pub(super) fn prepare<'s>(
    layer: &Dense<'_>,
    x: Values<'_>,
    workspace: &'s mut Workspace<'_>,
) -> Prepared<'s> {
    let phases = Phases::of(layer);
    let words = workspace.words.get_mut(..phases.words()).unwrap_or_default();
    let is_whole = x.bytes.len() == layer.inputs().wrapping_mul(x.data_type.bytes());
    if words.is_empty() || !is_whole {
        return Prepared { words: &[], list: None, correction: 0 };
    }
    let arguments = &Arguments {
        from: x.bytes.as_ptr(),
        to: words.as_mut_ptr().cast(),
        inputs: layer.inputs(),
        count: phases.count,
        zero_point: layer.input.zero_point,
        bytes: phases.bytes(),
    };
    // SAFETY: `from` has as many inputs, and `to` room for all phases.
    let sum = unsafe {
        match (x.data_type, phases.are_wide) {
            (DataType::Int8, false) => thimble_mve_phases_unsigned(arguments),
            (DataType::Int8, true) => thimble_mve_phases(arguments),
            (DataType::Int16, _) => thimble_mve_phases_int16(arguments),
        }
    };
    let too_much = match layer.layout.weight_type() {
        WeightType::Int8 => 0,
        WeightType::Int4 => -8,
        WeightType::Int2 => -3,
        WeightType::Ternary => -1,
    };
    Prepared { words, list: None, correction: sum.wrapping_mul(too_much) }
}

/// Arguments of the loop, in the order in which it reads them.
#[repr(C)]
struct Arguments {
    from: *const u8,
    to: *mut u8,
    inputs: usize,
    count: usize,
    zero_point: i32,
    /// Of a phase.
    bytes: usize,
}

// SAFETY: the assembly below takes and gives what is declared here.
unsafe extern "C" {
    fn thimble_mve_phases_unsigned(arguments: *const Arguments) -> i32;
    fn thimble_mve_phases(arguments: *const Arguments) -> i32;
    fn thimble_mve_phases_int16(arguments: *const Arguments) -> i32;
}

helium!(
    ["UNSIGNED" "SIGNED" "INT16" "PHASES"]
    r#"
    @ The next values, from r9 on, whose distances q1 has, to r10. Their sum is in r6.
    .macro UNSIGNED
    vldrb.u8 q0, [r9, q1]
    add r9, r9, r3, lsl #4
    veor q0, q0, q3
    vaddva.u8 r6, q0
    vstrb.8 q0, [r10], #16
    .endm

    .macro SIGNED
    vldrb.s16 q0, [r9, q1]
    add r9, r9, r3, lsl #3
    vsub.i16 q0, q0, r4
    vaddva.s16 r6, q0
    vstrh.16 q0, [r10], #16
    .endm

    @ By bytes, as which the input is aligned.
    .macro INT16
    vldrb.u16 q0, [r9, q1]
    adds r4, r9, #1
    vldrb.u16 q2, [r4, q1]
    add r9, r9, r3, lsl #4
    vshl.i16 q2, q2, #8
    vorr q0, q0, q2
    vaddva.s16 r6, q0
    vstrh.16 q0, [r10], #16
    .endm

    .macro PHASES name, load, lanes, value_bytes
    MVE_FUNCTION \name
    push {{r4-r10, lr}}
    ldm r0, {{r0-r5}}
    movs r6, #0
    vidup.u\lanes q1, r6, #1
    vmul.i\lanes q1, q1, r3
    .if \value_bytes == 2
    vadd.i\lanes q1, q1, q1
    .endif
    vmov.i8 q3, #0x80
    movs r6, #0
    mov r7, r3
1:  @ The last place, for which there may be no input.
    movs r10, #0
    .if \lanes == 8
    subs r9, r5, #1
    strb r10, [r1, r9]
    .else
    subs r9, r5, #2
    strh r10, [r1, r9]
    .endif
    @ As many values: what is left of the inputs, divided by the phases, rounded up.
    adds r8, r2, r3
    subs r8, #1
    udiv r8, r8, r3
    mov r9, r0
    mov r10, r1
    wlstp.\lanes lr, r8, 3f
2:  \load
    letp lr, 2b
3:  adds r0, #\value_bytes
    add r1, r1, r5
    subs r2, #1
    subs r7, #1
    bne 1b
    mov r0, r6
    pop {{r4-r10, pc}}
    .endm

    PHASES thimble_mve_phases_unsigned, UNSIGNED, 8, 1
    PHASES thimble_mve_phases, SIGNED, 16, 1
    PHASES thimble_mve_phases_int16, INT16, 16, 2
"#
);
