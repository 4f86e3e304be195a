//! The kernels: what a dense layer computes, on each core.
//!
//! A layer runs in two steps. [`prepare`] reads the whole input and brings it into the form that
//! the layer's kernel wants, once for all rows; [`compute`] then writes the output, which may lie
//! where the input was.
//!
//! [`portable`] says in plain Rust what every kernel must compute, and reads every layout. The
//! kernel of a core reads the layouts that were made for it.

#[cfg(kernel_mve)]
mod mve;
mod portable;
mod requantize;
mod values;
mod widen;

#[cfg(any(kernel_v7m, kernel_v6m, kernel_rv32))]
mod columns;
#[cfg(kernel_dsp)]
mod dsp;
#[cfg(kernel_dsp)]
mod entries;
#[cfg(any(kernel_dsp, kernel_v7m, kernel_v6m, kernel_rv32))]
mod packed;
#[cfg(any(kernel_dsp, kernel_v7m, kernel_v6m, kernel_rv32))]
mod rows;
#[cfg(kernel_rv32)]
mod rv32;
#[cfg(any(kernel_dsp, kernel_v7m, kernel_v6m, kernel_rv32))]
mod tiles;
#[cfg(kernel_v6m)]
mod v6m;
#[cfg(kernel_v7m)]
mod v7m;
#[cfg(kernel_whole)]
mod whole;
#[cfg(kernel_x86)]
mod x86;

#[cfg(any(kernel_dsp, kernel_v7m, kernel_v6m, kernel_rv32, kernel_x86))]
use model_format::WeightLayout;
use model_format::{Capabilities, Dense, Kernels, LayerWords, OpSet};

pub(crate) use requantize::multiply_add;
pub(crate) use values::Values;

/// Memory of a kernel for its form of the input.
pub(crate) struct Workspace<'s> {
    /// Two words for every block of four inputs of the widest layer.
    pub(crate) words: &'s mut [u32],
    /// A number for every such block.
    pub(crate) blocks: &'s mut [u16],
}

/// A layer's input in a kernel's own form.
pub(crate) struct Prepared<'s> {
    /// The activations, in the kernel's own form.
    words: &'s [u32],
    /// The numbers of the blocks to visit, if not all are visited.
    list: Option<&'s [u16]>,
    /// Constant that is added to the bias of each row.
    #[cfg_attr(not(any(kernel_dsp, kernel_v7m, kernel_v6m, kernel_rv32)), expect(dead_code))]
    correction: i32,
}

/// The kernels of this build.
const BUILT: Kernels = Kernels {
    dsp: cfg!(kernel_dsp),
    mve: cfg!(kernel_mve),
    v7m: cfg!(kernel_v7m),
    v6m: cfg!(kernel_v6m),
    rv32: cfg!(kernel_rv32),
    // On a device, none has to read those layouts that are another core's.
    host: cfg!(not(target_os = "none")),
};

/// Returns whether this build has kernels for all layers of these operators, whatever the model.
pub(crate) const fn read_all(ops: OpSet) -> bool {
    BUILT.read_all(ops)
}

/// Returns whether this build has a kernel that reads the layer's weights.
pub(crate) fn reads(layer: &Dense<'_>) -> bool {
    BUILT.read(layer)
}

/// Returns whether a model that lies so is read by its kernels: by words, but for the portable one.
pub(crate) const fn needs_alignment() -> bool {
    cfg!(target_os = "none")
}

/// Marks the words of a layer that [`run_whole`] runs in this memory.
#[cfg_attr(not(kernel_whole), expect(unused_variables))]
pub(crate) fn mark_whole<C: Capabilities>(
    layer: &Dense<'_>,
    words: &mut LayerWords,
    workspace: &Workspace<'_>,
    activations: &[u8],
) {
    #[cfg(kernel_whole)]
    if const { whole::is_used(C::OPS) } && layer.specialize::<C>().layout == whole::LAYOUT {
        whole::mark::<C>(layer, words, workspace, activations);
    }
}

/// Runs a layer whose words are marked on `input`, or on the activations, where it writes its output;
/// returns how many bytes that takes.
///
/// # Shapes
/// The words and the memory are those that were given to [`mark_whole`], the payload is that of the
/// model.
#[inline(always)]
#[cfg_attr(not(kernel_whole), expect(unused_variables, clippy::extra_unused_type_parameters))]
pub(crate) fn run_whole<C: Capabilities>(
    words: &LayerWords,
    payload: &[u8],
    input: Option<&[u8]>,
    workspace: &mut Workspace<'_>,
    activations: &mut [u8],
) -> Option<usize> {
    #[cfg(kernel_whole)]
    if const { whole::is_used(C::OPS) } {
        return whole::run(words, payload, input, workspace, activations);
    }
    None
}

/// Reads the input of a layer.
///
/// # Shapes
/// `x` has the layer's inputs; the workspace is that of the layer's model.
pub(crate) fn prepare<'s, C: Capabilities>(
    layer: &Dense<'_>,
    x: Values<'_>,
    workspace: &'s mut Workspace<'_>,
) -> Prepared<'s> {
    #[cfg_attr(not(any(kernel_dsp, kernel_v7m, kernel_v6m, kernel_rv32)), expect(unused_variables))]
    let used = C::OPS;
    match layer.specialize::<C>().layout {
        #[cfg(kernel_dsp)]
        WeightLayout::Pairs4 if used.reads(WeightLayout::Pairs4) => {
            dsp::pairs::prepare::<C>(layer, x, workspace)
        }
        #[cfg(kernel_dsp)]
        WeightLayout::Int4Tiles4 if used.reads(WeightLayout::Int4Tiles4) => {
            dsp::int4::prepare(layer, x, workspace)
        }
        #[cfg(any(kernel_v7m, kernel_v6m, kernel_rv32))]
        WeightLayout::ColumnsUnsigned4 if used.reads(WeightLayout::ColumnsUnsigned4) => {
            columns::prepare::<C>(layer, x, workspace)
        }
        #[cfg(kernel_mve)]
        WeightLayout::FoldedRows if used.reads(WeightLayout::FoldedRows) => {
            mve::folded::prepare(layer, x, workspace)
        }
        _ => prepare_others::<C>(layer, x, workspace),
    }
}

/// As [`prepare`], for layouts that are not the first choice for int8 weights.
// Out of line: those come first.
#[inline(never)]
fn prepare_others<'s, C: Capabilities>(
    layer: &Dense<'_>,
    x: Values<'_>,
    workspace: &'s mut Workspace<'_>,
) -> Prepared<'s> {
    match layer.specialize::<C>().layout {
        #[cfg(kernel_mve)]
        row_major if mve::row_major::reads::<C>(row_major) => {
            mve::row_major::prepare::<C>(layer, x, workspace)
        }
        #[cfg(any(kernel_dsp, kernel_v7m, kernel_v6m, kernel_rv32))]
        narrow if packed::reads::<C>(narrow) => packed::prepare(layer, x, workspace),
        #[cfg(kernel_x86)]
        WeightLayout::RowMajor if x86::Avx2::detect().is_some() => {
            x86::prepare(layer, x, workspace)
        }
        _ if const { portable::is_used(C::OPS) } => widen::widen(layer, x, workspace),
        _ => Prepared { words: &[], list: None, correction: 0 },
    }
}

/// Writes the output of a layer.
///
/// # Shapes
/// `x` is what [`prepare`] made for this layer; `output` has the bytes of the layer's outputs.
pub(crate) fn compute<C: Capabilities>(layer: &Dense<'_>, x: &Prepared<'_>, output: &mut [u8]) {
    #[cfg_attr(not(any(kernel_dsp, kernel_v7m, kernel_v6m, kernel_rv32)), expect(unused_variables))]
    let used = C::OPS;
    match layer.specialize::<C>().layout {
        #[cfg(kernel_dsp)]
        WeightLayout::Pairs4 if used.reads(WeightLayout::Pairs4) => {
            dsp::pairs::compute::<C>(layer, x, output)
        }
        #[cfg(kernel_dsp)]
        WeightLayout::Int4Tiles4 if used.reads(WeightLayout::Int4Tiles4) => {
            dsp::int4::compute::<C>(layer, x, output)
        }
        #[cfg(any(kernel_v7m, kernel_v6m))]
        WeightLayout::ColumnsUnsigned4 if used.reads(WeightLayout::ColumnsUnsigned4) => {
            columns::compute::<C>(layer, x, output)
        }
        #[cfg(kernel_mve)]
        WeightLayout::FoldedRows if used.reads(WeightLayout::FoldedRows) => {
            mve::folded::compute::<C>(layer, x, output)
        }
        #[cfg(kernel_rv32)]
        WeightLayout::ColumnsUnsigned4 if used.reads(WeightLayout::ColumnsUnsigned4) => {
            rv32::compute::<C>(layer, x, output)
        }
        _ => compute_others::<C>(layer, x, output),
    }
}

/// As [`compute`], for layouts that are not the first choice for int8 weights.
#[inline(never)]
fn compute_others<C: Capabilities>(layer: &Dense<'_>, x: &Prepared<'_>, output: &mut [u8]) {
    let layout = layer.specialize::<C>().layout;
    #[cfg(kernel_x86)]
    if layout == WeightLayout::RowMajor
        && let Some(avx2) = x86::Avx2::detect()
    {
        return x86::compute(avx2, layer, x, output);
    }
    match layout {
        #[cfg(kernel_mve)]
        row_major if mve::row_major::reads::<C>(row_major) => {
            mve::row_major::compute::<C>(layer, x, output)
        }
        #[cfg(any(kernel_dsp, kernel_v7m, kernel_v6m, kernel_rv32))]
        narrow if packed::reads::<C>(narrow) => packed::compute::<C>(layer, x, output),
        _ if const { portable::is_used(C::OPS) } => portable::compute(layer, x, output),
        _ => {}
    }
}
