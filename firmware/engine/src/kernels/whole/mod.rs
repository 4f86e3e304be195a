//! Layers that run whole, from the words of their fields: on most cores those of few inputs, in assembly.
//!
//! In such a layer, what is around the loop over tiles costs more than the loop: calls, a description
//! of the layer on the stack, arguments that are the same in each run. The assembly takes them from
//! [`LayerWords`] itself, in some forty instructions, and computes the rows beside the tiles, too.
#![allow(unsafe_code)]

use model_format::{Capabilities, Dense, LayerWords, OpSet, WeightLayout, padded};

use super::Workspace;

#[cfg(all(kernel_dsp, not(kernel_mve)))]
mod dsp;
#[cfg(kernel_mve)]
mod mve;
#[cfg(kernel_rv32)]
mod rv32;
#[cfg(kernel_v6m)]
mod v6m;
#[cfg(kernel_v7m)]
mod v7m;

/// The layout of int8 weights of the core.
pub(super) const LAYOUT: WeightLayout = match (cfg!(kernel_mve), cfg!(kernel_dsp)) {
    (true, _) => WeightLayout::FoldedRows,
    (false, true) => WeightLayout::Pairs4,
    (false, false) => WeightLayout::ColumnsUnsigned4,
};

/// Returns whether a build with these operators runs layers whole: with vectors all that it can, else
/// small layers, in code of their own.
pub(super) const fn is_used(ops: OpSet) -> bool {
    ops.reads(LAYOUT) && (ops.small || cfg!(kernel_mve))
}

/// Bit of the first word of a layer that [`run`] takes.
const MARK: u32 = 1 << 31;

/// Marks the words of a layer that [`run`] takes, a small one or, by vectors, of any number of inputs, if
/// this memory has room for it.
pub(super) fn mark<C: Capabilities>(
    layer: &Dense<'_>,
    words: &mut LayerWords,
    workspace: &Workspace<'_>,
    activations: &[u8],
) {
    let layer = layer.specialize::<C>().known_as(LAYOUT);
    let is_taken = if cfg!(kernel_mve) { layer.only_shifts_right() } else { layer.is_small() };
    if is_taken
        && padded(layer.inputs()) / 2 <= workspace.words.len()
        && layer.outputs() <= activations.len()
    {
        words[0] |= MARK;
    }
}

/// Runs a layer that is marked on `input`, or on the activations, where it writes its outputs; returns
/// how many.
///
/// # Shapes
/// The words and the memory are those that were given to [`mark`], the payload is that of the model.
#[inline(always)]
pub(super) fn run(
    words: &LayerWords,
    payload: &[u8],
    input: Option<&[u8]>,
    workspace: &mut Workspace<'_>,
    activations: &mut [u8],
) -> Option<usize> {
    let widths = words[1];
    let (inputs, outputs) = (widths as u16, widths >> 16);
    if words[0] & MARK == 0 || input.is_some_and(|input| input.len() != inputs.into()) {
        return None;
    }
    let output = activations.as_mut_ptr();
    let input = input.map_or(output.cast_const(), <[u8]>::as_ptr);
    // SAFETY: nothing else sets the mark, and of an engine neither its layers nor the lengths of its
    // memory change: there is room for the prepared input and for the outputs, and the words say where
    // in the payload the parameters of a parsed layer are. An input among the activations has been
    // written there, as the outputs of the layer before or by the input stage, and has been read before
    // an output is written.
    unsafe {
        #[cfg(kernel_mve)]
        mve::run(words, input, payload.as_ptr(), workspace.words, output);
        #[cfg(not(kernel_mve))]
        thimble_whole(words, input, payload.as_ptr(), workspace.words.as_mut_ptr(), output);
    }
    Some(outputs as usize)
}

// SAFETY: the assembly of the core takes what is declared here.
#[cfg(not(kernel_mve))]
unsafe extern "C" {
    fn thimble_whole(
        words: *const LayerWords,
        input: *const u8,
        payload: *const u8,
        prepared: *mut u32,
        output: *mut u8,
    );
}
