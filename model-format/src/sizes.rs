//! Memory and work of a model.

use crate::{Capabilities, LayerWords, Model};

/// Rounds a row's length up to whole blocks of four: the unit in which weights are stored and
/// activations are widened.
pub const fn padded(inputs: usize) -> usize {
    inputs.wrapping_add(3) & !3
}

/// Division of the scratch memory of an engine; everything in it is 4-byte aligned.
///
/// | part | size | content |
/// |---|---|---|
/// | widened | 2 bytes an input of the widest dense layer, rounded up to four inputs | x − zero point, or what a kernel makes of it |
/// | blocks | 2 bytes a block of four such inputs | which blocks are not zero |
/// | layers | 32 bytes a layer | its fields, decoded |
/// | activations | 1 or 2 bytes an output, of the layer whose outputs take most | a layer's output |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScratchLayout {
    /// Words for widened activations.
    pub widened_words: usize,
    /// Words for the list of blocks.
    pub blocks_words: usize,
    /// Words for the fields of the layers.
    pub layer_words: usize,
    /// Words for activations.
    pub activation_words: usize,
}

impl ScratchLayout {
    /// The layout for dense layers of at most so many inputs, rounded up to those that a row of
    /// weights has room for, outputs of at most so many bytes, and so many layers of any kind.
    pub const fn new(inputs: usize, output_bytes: usize, layers: usize) -> Self {
        let blocks = padded(inputs) / 4;
        ScratchLayout {
            widened_words: blocks.wrapping_mul(2),
            blocks_words: blocks.wrapping_add(1) / 2,
            layer_words: layers.wrapping_mul(size_of::<LayerWords>() / 4),
            activation_words: padded(output_bytes) / 4,
        }
    }

    /// Words in all.
    pub const fn words(&self) -> usize {
        let rows = self.widened_words.wrapping_add(self.blocks_words);
        rows.wrapping_add(self.layer_words).wrapping_add(self.activation_words)
    }
}

impl<C: Capabilities> Model<'_, C> {
    /// Scratch memory that an engine needs, in 32-bit words, exactly.
    pub fn scratch_len(&self) -> usize {
        self.scratch_layout().words()
    }

    /// Multiply-accumulates of one inference.
    pub fn macs(&self) -> u64 {
        self.layers().fold(0, |sum, layer| sum + layer.macs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scratch_of_the_notebook_network() {
        // 784-128-10: 784 widened inputs, 196 block numbers, 2 layers, 128 activations.
        let layout = ScratchLayout::new(784, 128, 2);
        assert_eq!(layout.words() * 4, 2 * 784 + 2 * 196 + 2 * 32 + 128);
    }

    #[test]
    fn odd_widths_round_up() {
        assert_eq!([1, 3, 4, 17].map(padded), [4, 4, 4, 20]);
        let layout = ScratchLayout::new(17, 5, 3);
        let expected = ScratchLayout {
            widened_words: 10,
            blocks_words: 3,
            layer_words: 24,
            activation_words: 2,
        };
        assert_eq!(layout, expected);
    }
}
