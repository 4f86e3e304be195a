//! The loops over rows of row-major weights: sums of products of the codes of weights.
//!
//! A code is a weight plus 8 (int4), half of a weight plus 3 (int2), or a weight plus 1 (ternary), or an
//! int8 weight itself. The bytes of four rows are read at once, and unpacked in registers: sixteen bytes
//! for inputs of 8 bits, eight for those of 16. The digits of ternary bytes come out one after the other:
//! three times a byte has the first in its upper byte, and the code of the others in its lower one.
#![allow(unsafe_code)]

use model_format::WeightType;

use super::helium;
use super::phases::Phases;

/// Arguments of a loop, in the order in which it reads them. It changes those that move from row to row.
#[repr(C)]
pub(super) struct Rows {
    pub(super) weights: *const u8,
    /// From a row to the next.
    pub(super) row_len: usize,
    pub(super) x: *const u8,
    /// From a phase to the next.
    pub(super) phase_bytes: usize,
    /// Bytes of weights of a row, which are the values of a phase.
    pub(super) len: usize,
    /// Sums of the rows, to which the products are added; those of int2 twice.
    pub(super) sums: *mut i32,
    /// At least 1.
    pub(super) rows: usize,
}

/// A loop over rows.
pub(super) type Loop = unsafe extern "C" fn(*mut Rows);

/// The loop for weights of this type and inputs that lie so.
#[inline(always)]
pub(super) fn of(weight_type: WeightType, phases: Phases) -> Loop {
    match (weight_type, phases.are_wide) {
        (WeightType::Int8, _) => thimble_mve_int8_16,
        (WeightType::Int4, false) => thimble_mve_int4_8,
        (WeightType::Int4, true) => thimble_mve_int4_16,
        (WeightType::Int2, false) => thimble_mve_int2_8,
        (WeightType::Int2, true) => thimble_mve_int2_16,
        (WeightType::Ternary, false) => thimble_mve_ternary_8,
        (WeightType::Ternary, true) => thimble_mve_ternary_16,
    }
}

// SAFETY: the assembly below takes and gives what is declared here.
unsafe extern "C" {
    fn thimble_mve_int8_16(rows: *mut Rows);
    fn thimble_mve_int4_8(rows: *mut Rows);
    fn thimble_mve_int4_16(rows: *mut Rows);
    fn thimble_mve_int2_8(rows: *mut Rows);
    fn thimble_mve_int2_16(rows: *mut Rows);
    fn thimble_mve_ternary_8(rows: *mut Rows);
    fn thimble_mve_ternary_16(rows: *mut Rows);
    /// Adds a correction to biases of words, from which the sums of rows start.
    pub(super) fn thimble_mve_biases(from: *const u8, to: *mut i32, rows: usize, correction: i32);
    /// Likewise of halfwords.
    pub(super) fn thimble_mve_biases_compact(
        from: *const u8,
        to: *mut i32,
        rows: usize,
        correction: i32,
    );
}

helium!(
    ["BIASES" "INPUT" "INPUTS" "POINTERS" "BYTES" "PRODUCTS" "INT8" "INT4" "INT2" "INT2_AT" "TERNARY" "DIGIT" "REST" "ROWS"]
    r#"
    .macro BIASES name, load, step
    MVE_FUNCTION \name
    push {{r7, lr}}
    wlstp.32 lr, r2, 2f
1:  \load q0, [r0], #\step
    vadd.i32 q0, q0, r3
    vstrw.32 q0, [r1], #16
    letp lr, 1b
2:  pop {{r7, pc}}
    .endm

    BIASES thimble_mve_biases, vldrw.u32, 16
    BIASES thimble_mve_biases_compact, vldrh.s32, 8

    @ The inputs of each phase are in q0, q1, …, their addresses in r8 to r12.
    .macro INPUT number, count, width, address
    .if \number < \count
    .if \width == 8
    vldrb.u8 q\number, [\address], #16
    .else
    vldrh.u16 q\number, [\address], #16
    .endif
    .endif
    .endm

    .macro INPUTS count, width
    INPUT 0, \count, \width, r8
    INPUT 1, \count, \width, r9
    INPUT 2, \count, \width, r10
    INPUT 3, \count, \width, r11
    INPUT 4, \count, \width, r12
    .endm

    @ From the first one, and the bytes of a phase.
    .macro POINTERS count
    ldrd r8, r10, [lr, #8]
    .if \count > 1
    add r9, r8, r10
    .endif
    .if \count > 2
    add r11, r9, r10, lsl #1
    add r12, r11, r10
    add r10, r9, r10
    .endif
    .endm

    .macro BYTES q, width, address
    .if \width == 8
    vldrb.u8 \q, [\address], #16
    .else
    vldrb.u16 \q, [\address], #8
    .endif
    .endm

    @ Codes have no sign, and inputs of 8 bits have none.
    .macro PRODUCTS width, sum, x, codes
    .if \width == 8
    vmladava.u8 \sum, \x, \codes
    .else
    vmladava.s16 \sum, \x, \codes
    .endif
    .endm

    .macro INT8 width, sum, address
    vldrb.s16 q1, [\address], #8
    vmladava.s16 \sum, q0, q1
    .endm

    @ In q6, what raises both halves by 8, and in q7 the lower half.
    .macro INT4 width, sum, address
    BYTES q2, \width, \address
    veor q2, q2, q6
    vand q3, q2, q7
    PRODUCTS \width, \sum, q0, q3
    vshr.u\width q2, q2, #4
    PRODUCTS \width, \sum, q1, q2
    .endm

    .macro INT2_AT width, sum, x, shift
    vshr.u\width q5, q4, #\shift
    vand q5, q5, q7
    PRODUCTS \width, \sum, \x, q5
    .endm

    @ In q7, the lowest two bits.
    .macro INT2 width, sum, address
    BYTES q4, \width, \address
    vand q5, q4, q7
    PRODUCTS \width, \sum, q0, q5
    INT2_AT \width, \sum, q1, 2
    INT2_AT \width, \sum, q2, 4
    vshr.u\width q5, q4, #6
    PRODUCTS \width, \sum, q3, q5
    .endm

    @ In q7, three.
    .macro DIGIT width, sum, x
    .if \width == 8
    vmulh.u8 q6, q5, q7
    .else
    vmul.i16 q5, q5, q7
    vshr.u16 q6, q5, #8
    .endif
    PRODUCTS \width, \sum, \x, q6
    .endm

    .macro REST width
    .if \width == 8
    vmul.i8 q5, q5, q7
    .else
    vbic.i16 q5, #0xff00
    .endif
    .endm

    .macro TERNARY width, sum, address
    BYTES q5, \width, \address
    DIGIT \width, \sum, q0
    REST \width
    DIGIT \width, \sum, q1
    REST \width
    DIGIT \width, \sum, q2
    REST \width
    DIGIT \width, \sum, q3
    REST \width
    DIGIT \width, \sum, q4
    .endm

    @ Four rows at a time, then one. Of each, the sum is in an even register, as VMLADAVA wants it, and
    @ the address in the odd one behind.
    .macro ROWS name, row, count, width, six, seven, double
    MVE_FUNCTION \name
    push {{r0, r4-r11, lr}}
    vpush {{d8-d15}}
    vmov.i\width q6, #\six
    vmov.i\width q7, #\seven
    mov lr, r0
    ldr r3, [lr, #24]
    cmp r3, #4
    blt 3f
1:  ldr lr, [sp, #64]
    ldrd r1, r10, [lr]
    add r3, r1, r10
    add r5, r3, r10
    add r7, r5, r10
    add r10, r7, r10
    str r10, [lr]
    POINTERS \count
    .if \double
    movs r0, #0
    movs r2, #0
    movs r4, #0
    movs r6, #0
    .else
    ldr r0, [lr, #20]
    ldm r0, {{r0, r2, r4, r6}}
    .endif
    ldr lr, [lr, #16]
    dlstp.\width lr, lr
2:  INPUTS \count, \width
    \row \width, r0, r1
    \row \width, r2, r3
    \row \width, r4, r5
    \row \width, r6, r7
    letp lr, 2b
    ldr lr, [sp, #64]
    ldrd r1, r3, [lr, #20]
    .if \double
    ldm r1, {{r8-r11}}
    add r0, r8, r0, lsl #1
    add r2, r9, r2, lsl #1
    add r4, r10, r4, lsl #1
    add r6, r11, r6, lsl #1
    .endif
    stm r1!, {{r0, r2, r4, r6}}
    subs r3, #4
    strd r1, r3, [lr, #20]
    cmp r3, #4
    bge 1b
3:  cmp r3, #0
    beq 6f
4:  ldr lr, [sp, #64]
    ldrd r1, r10, [lr]
    add r10, r1, r10
    str r10, [lr]
    POINTERS \count
    .if \double
    movs r0, #0
    .else
    ldr r0, [lr, #20]
    ldr r0, [r0]
    .endif
    ldr lr, [lr, #16]
    dlstp.\width lr, lr
5:  INPUTS \count, \width
    \row \width, r0, r1
    letp lr, 5b
    ldr lr, [sp, #64]
    ldrd r1, r3, [lr, #20]
    .if \double
    ldr r2, [r1]
    add r0, r2, r0, lsl #1
    .endif
    str r0, [r1], #4
    subs r3, #1
    strd r1, r3, [lr, #20]
    bne 4b
6:  vpop {{d8-d15}}
    pop {{r0, r4-r11, pc}}
    .endm

    ROWS thimble_mve_int8_16, INT8, 1, 16, 0, 0, 0
    ROWS thimble_mve_int4_8, INT4, 2, 8, 0x88, 0x0f, 0
    ROWS thimble_mve_int4_16, INT4, 2, 16, 0x88, 0x0f, 0
    ROWS thimble_mve_int2_8, INT2, 4, 8, 0, 3, 1
    ROWS thimble_mve_int2_16, INT2, 4, 16, 0, 3, 1
    ROWS thimble_mve_ternary_8, TERNARY, 5, 8, 0, 3, 0
    ROWS thimble_mve_ternary_16, TERNARY, 5, 16, 0, 3, 0
"#
);
