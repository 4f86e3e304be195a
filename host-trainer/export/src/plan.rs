//! Source and destination of each layer, and the scratch memory that they need.

use model_format::{DataType, Encoding, Layer, Model};

/// Place of the values of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The caller's input.
    Input,
    /// One of two buffers in scratch memory.
    Buffer(usize),
    /// The caller's output.
    Output,
}

/// A layer with its places.
#[derive(Clone, Copy, Debug)]
pub struct Step<'m> {
    /// The layer.
    pub layer: Layer<'m>,
    /// Place of its inputs.
    pub from: Place,
    /// Place of its outputs; that of the inputs for a layer that works in place.
    pub to: Place,
}

/// The steps of a model.
#[derive(Clone, Debug)]
pub struct Plan<'m> {
    /// First to last.
    pub steps: Vec<Step<'m>>,
    /// Bytes of the first buffer, whole words; the second begins there.
    first_len: usize,
    /// Bytes of the second buffer.
    second_len: usize,
    /// Buffer that the caller's output would be if it lay in scratch memory.
    last: usize,
}

/// Buffer for an input that is made from readings or copied: the first layer's outputs go into the
/// other one.
const INPUT_BUFFER: usize = 1;

impl<'m> Plan<'m> {
    /// Plans the layers of a model.
    pub fn new(model: &Model<'m>) -> Self {
        let layers: Vec<Layer<'m>> = model.layers().collect();
        let last_dense = layers.iter().rposition(|layer| matches!(layer, Layer::Dense(_)));
        // From here on, everything works in the caller's output.
        let to_output = last_dense.unwrap_or(0);
        let (mut place, mut buffer) = (Place::Input, INPUT_BUFFER);
        let (mut steps, mut lens) = (Vec::new(), [0usize; 2]);
        for (index, layer) in layers.into_iter().enumerate() {
            let moves = matches!(layer, Layer::Dense(_)) || place == Place::Input;
            let from = place;
            if moves {
                buffer = 1 - buffer;
                place = if index >= to_output { Place::Output } else { Place::Buffer(buffer) };
            }
            if let Place::Buffer(buffer) = place {
                lens[buffer] = lens[buffer].max(bytes(layer.outputs(), layer.output().data_type));
            }
            steps.push(Step { layer, from, to: place });
        }
        let has_tests = model.self_tests().len() > 0;
        if has_tests || !matches!(model.input().encoding, Encoding::Quantized) {
            lens[INPUT_BUFFER] = lens[INPUT_BUFFER].max(model.input_bytes());
        }
        if has_tests {
            lens[buffer] = lens[buffer].max(model.output_bytes());
        }
        let [first_len, second_len] = lens;
        Plan { steps, first_len: first_len.next_multiple_of(4), second_len, last: buffer }
    }

    /// Offset of a buffer in scratch memory, in bytes; a multiple of four.
    pub fn offset(&self, buffer: usize) -> usize {
        if buffer == 0 { 0 } else { self.first_len }
    }

    /// Offset of an input that is made from readings or copied.
    pub fn input_offset(&self) -> usize {
        self.offset(INPUT_BUFFER)
    }

    /// Offset of an output that lies in scratch memory.
    pub fn output_offset(&self) -> usize {
        self.offset(self.last)
    }

    /// Bytes of scratch memory, at least one: C has no empty arrays.
    pub fn scratch_len(&self) -> usize {
        (self.first_len + self.second_len).next_multiple_of(4).max(4)
    }
}

fn bytes(len: usize, data_type: DataType) -> usize {
    len * data_type.bytes()
}

#[cfg(test)]
mod tests {
    use model_format::build::{DenseSpec, InputSpec, LayerSpec, ModelSpec, OutputSpec, TableSpec};
    use model_format::{Clamp, Multiplier, Quantization, WeightLayout};

    use super::*;

    const ONE: Quantization = Quantization::int8(1.0, 0);

    fn dense(inputs: usize, outputs: usize) -> LayerSpec {
        LayerSpec::Dense(DenseSpec {
            inputs,
            outputs,
            weights: vec![1; inputs * outputs],
            biases: vec![0; outputs],
            multipliers: vec![Multiplier { mantissa: 1 << 30, shift: 0 }; outputs],
            output: ONE,
            clamp: Clamp::INT8,
            layout: WeightLayout::RowMajor,
        })
    }

    fn table() -> LayerSpec {
        LayerSpec::Table(TableSpec { output: ONE, entries: (-128..128).collect() })
    }

    /// Places of a model with this number of inputs and these layers, and its scratch memory.
    fn places(inputs: usize, layers: Vec<LayerSpec>) -> (Vec<(Place, Place)>, usize) {
        let spec = ModelSpec {
            name: "plan".into(),
            input: InputSpec {
                shape: vec![inputs],
                quantization: ONE,
                encoding: Encoding::Quantized,
            },
            output: OutputSpec::Values(vec![]),
            layers,
            self_tests: vec![],
            details: Default::default(),
        };
        let file = spec.to_bytes().unwrap();
        let plan = Plan::new(&Model::parse(&file).unwrap());
        (plan.steps.iter().map(|step| (step.from, step.to)).collect(), plan.scratch_len())
    }

    #[test]
    fn layers_alternate_between_buffers_and_end_in_the_output() {
        use Place::{Buffer, Input, Output};
        let (found, scratch) = places(3, vec![dense(3, 9), dense(9, 6), dense(6, 7), dense(7, 2)]);
        let expected = [
            (Input, Buffer(0)),
            (Buffer(0), Buffer(1)),
            (Buffer(1), Buffer(0)),
            (Buffer(0), Output),
        ];
        assert_eq!((found, scratch), (expected.to_vec(), 12 + 8));
        assert_eq!(places(3, vec![dense(3, 2)]), (vec![(Input, Output)], 4));
    }

    #[test]
    fn element_wise_layers_work_in_place() {
        use Place::{Buffer, Input, Output};
        let (found, scratch) = places(3, vec![dense(3, 4), table(), dense(4, 2), table(), table()]);
        let output = (Output, Output);
        let first = [(Input, Buffer(0)), (Buffer(0), Buffer(0)), (Buffer(0), Output)];
        assert_eq!(found, [first.as_slice(), &[output, output]].concat());
        assert_eq!(scratch, 4);
        let (found, scratch) = places(5, vec![table(), table(), dense(5, 2)]);
        assert_eq!((found, scratch), (first.to_vec(), 8));
        assert_eq!(places(5, vec![table(), table()]).0, [(Input, Output), output]);
    }
}
