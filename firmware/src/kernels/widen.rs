//! Activations, made ready once for all rows of a layer.

use model_format::padded;

/// A layer's input as x − zero point in 16 bits, in blocks of four; what fills the last block up
/// is zero.
///
/// Most pixels, and most outputs of a relu, are exactly the zero point. A block of which all four
/// values are adds nothing to any row, so where enough of them are, the rows visit only the
/// others: the same answer, less work.
pub(crate) struct Widened<'s> {
    /// All blocks.
    pub(crate) blocks: &'s [[i16; 4]],
    /// The numbers of the blocks that are not zero, ascending; or `None`, when all are visited.
    pub(crate) nonzero: Option<&'s [u16]>,
}

/// A list pays when it holds less than five eighths of the blocks: measured on a Cortex-M4, a
/// listed block costs the portable kernel 1.5 times as much as one in sequence.
const LIST_PAYS: (usize, usize) = (5, 8);

impl<'s> Widened<'s> {
    /// Widens `x` into `memory`, and lists its nonzero blocks in `list`.
    ///
    /// # Shapes
    /// For n inputs, `memory` has at least ⌈n / 4⌉ · 2 words and `list` ⌈n / 4⌉ numbers, as
    /// [`ScratchLayout`](model_format::ScratchLayout) has it.
    pub(crate) fn new(
        x: &[i8],
        zero_point: i32,
        memory: &'s mut [u32],
        list: &'s mut [u16],
    ) -> Self {
        let memory: &mut [i16] = bytemuck::must_cast_slice_mut(memory);
        let memory = memory.get_mut(..padded(x.len())).unwrap_or_default();
        let (blocks, _) = memory.as_chunks_mut::<4>();
        let zero_point = zero_point as i16;
        let mut listed = 0;
        for (number, (block, x)) in (0u16..).zip(blocks.iter_mut().zip(x.chunks(4))) {
            *block = [0; 4];
            for (wide, x) in block.iter_mut().zip(x) {
                *wide = i16::from(*x).wrapping_sub(zero_point);
            }
            if *block != [0; 4]
                && let Some(entry) = list.get_mut(listed)
            {
                *entry = number;
                listed = listed.wrapping_add(1);
            }
        }
        let (part, whole) = LIST_PAYS;
        let pays = listed.wrapping_mul(whole) < blocks.len().wrapping_mul(part);
        Widened {
            blocks,
            nonzero: if pays { list.get(..listed) } else { None },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn widen(x: &[i8], zero_point: i32) -> (Vec<[i16; 4]>, Option<Vec<u16>>) {
        // Memory full of other numbers, as an earlier layer leaves it.
        let (mut memory, mut list) = (vec![0x5555_5555; 8], vec![0x5555; 4]);
        let widened = Widened::new(x, zero_point, &mut memory, &mut list);
        (
            widened.blocks.to_vec(),
            widened.nonzero.map(<[u16]>::to_vec),
        )
    }

    #[test]
    fn the_zero_point_is_taken_off_and_the_rest_is_zero() {
        let (blocks, nonzero) = widen(&[-128, 127, 0, 1, 2], -128);
        assert_eq!(blocks, [[0, 255, 128, 129], [130, 0, 0, 0]]);
        assert_eq!(nonzero, None, "both blocks are nonzero: no list");
    }

    #[test]
    fn zero_blocks_are_left_out_of_the_list() {
        let (blocks, nonzero) = widen(&[7, 7, 7, 7, 7, 8, 7, 7, 7, 7, 7, 7], 7);
        assert_eq!(blocks, [[0; 4], [0, 1, 0, 0], [0; 4]]);
        assert_eq!(nonzero, Some(vec![1]));
        assert_eq!(widen(&[7; 9], 7).1, Some(vec![]));
    }
}
