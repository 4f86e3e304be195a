//! The fields of a layer in words, so that a run does not have to read the file's again.

use crate::{
    Capabilities, Clamp, DataType, Dense, Layer, Model, Quantization, Softmax, Table, WeightLayout,
};

/// The fields of a layer, decoded: kind, layout and data types; widths; clamp; zero points; offset and
/// length of its parameters in [`Model::payload`]; scales. Kernels in assembly read them, too. The highest bit of
/// the first is free for an engine.
pub type LayerWords = [u32; 8];

const DENSE: u32 = 0;
const TABLE: u32 = 1;
const SOFTMAX: u32 = 2;

/// Two halfwords as a word.
fn halves(low: i32, high: i32) -> u32 {
    low as u32 & 0xffff | (high as u32) << 16
}

/// The halfwords of a word, as signed numbers.
fn signed(word: u32) -> (i32, i32) {
    (i32::from(word as i16), word as i32 >> 16)
}

fn quantization<C: Capabilities>(is_int16: bool, scale: u32, zero_point: i32) -> Quantization {
    let data_type = if C::OPS.int16 && is_int16 { DataType::Int16 } else { DataType::Int8 };
    Quantization { data_type, scale: f32::from_bits(scale), zero_point }
}

impl<'a, C: Capabilities> Model<'a, C> {
    /// Decodes the layers into words, as many as there is room for.
    pub fn decode_layers(&self, words: &mut [LayerWords]) {
        let mut layers = self.layers();
        for words in words {
            // By reference: a layer that is moved is copied on the stack.
            match &layers.next() {
                Some(Layer::Dense(dense)) => {
                    let widths = halves(dense.inputs() as i32, dense.outputs() as i32);
                    let kind =
                        DENSE | (dense.layout as u32) << 8 | u32::from(dense.is_compact) << 18;
                    let (input, output) = (&dense.input, &dense.output);
                    self.encode(words, kind, widths, input, output, dense.parameters());
                    words[2] = halves(dense.clamp.low.into(), dense.clamp.high.into());
                }
                Some(Layer::Table(table)) if C::OPS.table => {
                    let widths = halves(table.width() as i32, table.width() as i32);
                    self.encode(words, TABLE, widths, &table.input, &table.output, table.bytes());
                }
                Some(Layer::Softmax(softmax)) if C::OPS.softmax => {
                    let widths = halves(softmax.width() as i32, softmax.width() as i32);
                    let exponentials = softmax.exponentials().as_flattened();
                    let (input, output) = (&softmax.input, &Softmax::OUTPUT);
                    self.encode(words, SOFTMAX, widths, input, output, exponentials);
                }
                // A parsed model has no others; nothing that lay there is taken for a layer.
                _ => *words = LayerWords::default(),
            }
        }
    }

    /// Writes all but the clamp, which dense layers alone have.
    fn encode(
        &self,
        words: &mut LayerWords,
        kind: u32,
        widths: u32,
        input: &Quantization,
        output: &Quantization,
        bytes: &[u8],
    ) {
        let start = (bytes.as_ptr() as usize).wrapping_sub(self.payload().as_ptr() as usize);
        *words = [
            kind | (input.data_type as u32) << 16 | (output.data_type as u32) << 17,
            widths,
            0,
            halves(input.zero_point, output.zero_point),
            start as u32,
            bytes.len() as u32,
            input.scale.to_bits(),
            output.scale.to_bits(),
        ];
    }

    /// Returns the layer whose words [`Model::decode_layers`] has written.
    #[inline(always)]
    pub fn decoded(&self, words: &LayerWords) -> Option<Layer<'a>> {
        let [kinds, widths, clamp, zero_points, start, len, input_scale, output_scale] = *words;
        let (start, len) = (start as usize, len as usize);
        let bytes = self.payload().get(start..start.wrapping_add(len))?;
        let (inputs, outputs) = (widths as u16, (widths >> 16) as u16);
        let (low, high) = signed(clamp);
        let (input_zero, output_zero) = signed(zero_points);
        let input = quantization::<C>(kinds >> 16 & 1 != 0, input_scale, input_zero);
        let output = quantization::<C>(kinds >> 17 & 1 != 0, output_scale, output_zero);
        match kinds & 0xff {
            TABLE if C::OPS.table => Some(Layer::Table(Table::of(inputs, input, output, bytes))),
            SOFTMAX if C::OPS.softmax => Some(Layer::Softmax(Softmax::of(inputs, input, bytes))),
            _ => {
                let layout = C::OPS.specialize(WeightLayout::from_code(kinds >> 8 & 0xff)?);
                let clamp = Clamp { low: low as i16, high: high as i16 };
                let layout = (layout, C::OPS.compact && kinds >> 18 & 1 != 0);
                Some(Layer::Dense(Dense::of(inputs, outputs, input, output, clamp, layout, bytes)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::build::*;
    use crate::{Encoding, Multiplier};

    use super::*;

    fn dense(
        inputs: usize,
        outputs: usize,
        output: Quantization,
        layout: WeightLayout,
    ) -> LayerSpec {
        LayerSpec::Dense(DenseSpec {
            inputs,
            outputs,
            weights: (0..inputs * outputs).map(|k| (k % 7) as i8 - 3).collect(),
            biases: vec![5; outputs],
            multipliers: vec![Multiplier { mantissa: 1 << 30, shift: -4 }; outputs],
            output,
            clamp: Clamp { low: -100, high: 99 },
            layout,
        })
    }

    #[test]
    fn decoded_layers_are_those_of_the_file() {
        let layers = vec![
            dense(5, 6, Quantization::int8(0.5, -128), WeightLayout::Pairs4),
            LayerSpec::Table(TableSpec {
                output: Quantization::int8(0.25, 127),
                entries: (-128..128).collect(),
            }),
            dense(6, 3, Quantization::int8(2.0, -7), WeightLayout::Sparse),
            // With compact rows.
            dense(3, 4, Quantization::int8(1.5, 2), WeightLayout::Int4),
            LayerSpec::Softmax(SoftmaxSpec { exponentials: vec![i32::MAX, 1] }),
        ];
        let int16 = Quantization::int16(0.125);
        let wide = vec![dense(5, 3, int16, WeightLayout::ColumnsUnsigned4)];
        for (quantization, layers) in [(Quantization::int8(1.0, 3), layers), (int16, wide)] {
            let file = ModelSpec {
                name: "words".into(),
                input: InputSpec { shape: vec![5], quantization, encoding: Encoding::Quantized },
                output: OutputSpec::Values(vec![]),
                layers,
                self_tests: vec![],
                details: Default::default(),
            }
            .to_bytes()
            .unwrap();
            let model = Model::parse(&file).unwrap();
            let mut words = vec![[0; 8]; model.layers().len()];
            model.decode_layers(&mut words);
            for (layer, words) in model.layers().zip(&words) {
                let decoded = model.decoded(words).unwrap();
                // Their fields, and what they borrow.
                assert_eq!(format!("{decoded:?}"), format!("{layer:?}"));
            }
        }
    }
}
