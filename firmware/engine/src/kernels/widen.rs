//! Activations, made ready once for all rows of a layer.

use model_format::{Dense, padded};

use super::{Prepared, Values, Workspace};

/// A list pays when it holds less than five eighths of the blocks.
const LIST_PAYS: (usize, usize) = (5, 8);

/// Makes x − zero point in 16 bits, in blocks of four.
///
/// Most pixels, and most outputs of a relu, are exactly the zero point. A block of which all four
/// values are adds nothing to any row, so where enough of them are, the rows visit only the
/// others: the same answer, less work.
#[inline(never)]
pub(super) fn widen<'s>(
    layer: &Dense<'_>,
    x: Values<'_>,
    workspace: &'s mut Workspace<'_>,
) -> Prepared<'s> {
    let words = workspace.words.get_mut(..padded(layer.inputs()) / 2).unwrap_or_default();
    let halves: &mut [i16] = bytemuck::must_cast_slice_mut(words);
    let (places, _) = halves.as_chunks_mut();
    let blocks = places.len();
    let nonzero = all(layer, x, places);
    let (part, whole) = LIST_PAYS;
    if nonzero.wrapping_mul(whole) >= blocks.wrapping_mul(part) {
        return Prepared { words, list: None, correction: 0 };
    }
    let mut entries = workspace.blocks.iter_mut();
    x.widened_nonzero(layer, |number, _| {
        if let Some(entry) = entries.next() {
            *entry = number as u16;
        }
    });
    Prepared { words, list: workspace.blocks.get(..nonzero), correction: 0 }
}

/// Makes x − zero point in 16 bits of all blocks; returns how many are not all zero.
#[inline(always)]
pub(super) fn all(layer: &Dense<'_>, x: Values<'_>, places: &mut [[i16; 4]]) -> usize {
    let mut nonzero = 0usize;
    let mut places = places.iter_mut();
    x.widened(layer, |block| {
        if let Some(place) = places.next() {
            *place = block;
            let [low, high]: [u32; 2] = bytemuck::must_cast(block);
            nonzero = nonzero.wrapping_add(usize::from(low | high != 0));
        }
    });
    nonzero
}

/// The blocks that [`widen`] made.
pub(super) fn blocks<'s>(x: &Prepared<'s>) -> &'s [[i16; 4]] {
    bytemuck::must_cast_slice::<_, i16>(x.words).as_chunks().0
}

#[cfg(test)]
mod tests {
    use model_format::build::*;
    use model_format::{
        Clamp, DataType, Encoding, Layer, Model, Multiplier, Quantization, WeightLayout,
    };

    use super::*;

    /// The blocks and the list that `x` becomes as the input of a layer.
    fn widened(x: &[u8], input: Quantization) -> (Vec<[i16; 4]>, Option<Vec<u16>>) {
        let inputs = x.len() / input.data_type.bytes();
        let file = ModelSpec {
            name: "widen".into(),
            input: InputSpec {
                shape: vec![inputs],
                quantization: input,
                encoding: Encoding::Quantized,
            },
            output: OutputSpec::Values(vec![]),
            layers: vec![LayerSpec::Dense(DenseSpec {
                inputs,
                outputs: 1,
                weights: vec![0; inputs],
                biases: vec![0],
                multipliers: vec![Multiplier { mantissa: 0, shift: 0 }],
                output: Quantization::int8(1.0, 0),
                clamp: Clamp::INT8,
                layout: WeightLayout::RowMajor,
            })],
            self_tests: vec![],
            details: Default::default(),
        }
        .to_bytes()
        .unwrap();
        let model = Model::parse(&file).unwrap();
        let Some(Layer::Dense(layer)) = model.layers().next() else { panic!("not dense") };
        // Memory full of other numbers, as an earlier layer leaves it.
        let (mut words, mut blocks) = ([0x5555_5555; 8], [0x5555; 4]);
        let mut workspace = Workspace { words: &mut words, blocks: &mut blocks };
        let x = Values { bytes: x, data_type: input.data_type };
        let prepared = widen(&layer, x, &mut workspace);
        (super::blocks(&prepared).to_vec(), prepared.list.map(<[u16]>::to_vec))
    }

    fn int8(x: &[i8], zero_point: i32) -> (Vec<[i16; 4]>, Option<Vec<u16>>) {
        widened(bytemuck::must_cast_slice(x), Quantization::int8(1.0, zero_point))
    }

    #[test]
    fn the_zero_point_is_taken_off_and_the_rest_is_zero() {
        let (blocks, list) = int8(&[-128, 127, 0, 1, 2], -128);
        assert_eq!(blocks, [[0, 255, 128, 129], [130, 0, 0, 0]]);
        assert_eq!(list, None, "both blocks are nonzero: no list");
    }

    #[test]
    fn int16_stays_as_it_is() {
        let bytes: Vec<u8> =
            [-32768i16, 32767, 0, 1, -2].iter().flat_map(|x| x.to_le_bytes()).collect();
        let (blocks, list) = widened(&bytes, Quantization::int16(1.0));
        assert_eq!(blocks, [[-32768, 32767, 0, 1], [-2, 0, 0, 0]]);
        assert_eq!(list, None);
        assert_eq!(DataType::Int16.bytes(), 2);
    }

    #[test]
    fn zero_blocks_are_left_out_of_the_list() {
        let (blocks, list) = int8(&[7, 7, 7, 7, 7, 8, 7, 7, 7, 7, 7, 7], 7);
        assert_eq!(blocks, [[0; 4], [0, 1, 0, 0], [0; 4]]);
        assert_eq!(list, Some(vec![1]));
        assert_eq!(int8(&[7; 9], 7).1, Some(vec![]));
        // A block whose halves are the same is not zero.
        let (blocks, list) = int8(&[0, 0, 0, 0, 1, 2, 1, 2, 0], 0);
        assert_eq!((blocks[1], list), ([1, 2, 1, 2], Some(vec![1])));
    }

    #[test]
    fn zero_blocks_of_int16_are_left_out_of_the_list() {
        let bytes: Vec<u8> =
            [0i16, 0, 0, 0, 0, 0, 0, -3, 0].iter().flat_map(|x| x.to_le_bytes()).collect();
        let (blocks, list) = widened(&bytes, Quantization::int16(1.0));
        assert_eq!(blocks, [[0; 4], [0, 0, 0, -3], [0; 4]]);
        assert_eq!(list, Some(vec![1]));
    }
}
