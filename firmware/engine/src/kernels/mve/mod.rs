//! Kernels for cores with Helium, the M-profile vector extension: Cortex-M55 and M85.
//!
//! Loops are tail-predicated: what lies beyond the last input, or the last row, takes no part.
//!
//! [`folded`] reads int8 weights with folded biases, for inputs of int8. [`row_major`] reads row-major
//! weights of every type, for inputs of int8 and int16.

pub(super) mod folded;
mod loops;
mod phases;
pub(super) mod requantize;
pub(super) mod row_major;

/// Assembly of the core, with the macro that begins a function. Macros are known to all assembly behind
/// them, or to none of it, by how the compiler divides the crate; hence each block takes its own back.
macro_rules! helium {
    ([$($macro:literal)*] $assembly:literal) => {
        core::arch::global_asm!(
            r#"
    .syntax unified
    .cpu cortex-m55

    .macro MVE_FUNCTION name
    .section .text.\name, "ax", %progbits
    .balign 4
    .thumb_func
    .global \name
    .type \name, %function
    \name:
    .endm
"#,
            $assembly,
            "\n    .purgem MVE_FUNCTION\n",
            $(concat!("    .purgem ", $macro, "\n"),)*
        );
    };
}
use helium;
