//! Answers of a model: a class, or real values.
//!
//! This module is the only place that decides a class. Devices and computers, evaluations and
//! reports all use it, so that they cannot disagree.

use core::fmt;

use model_format::{AllOps, Capabilities, DataType, Layer, Model, Output, OutputKind, ValueScale};

/// The answer of a model to one input.
///
/// Nothing is decoded before it is asked for, so that what a program does not ask is not linked.
///
/// # Example
/// ```
/// # fn main() -> Result<(), Box<dyn core::error::Error>> {
/// thimble_nn::include_model!(EGG_CRATE, "../../models/eggcrate-adc.thimble");
///
/// let mut scratch = [0; 128];
/// let mut engine = thimble_nn::Engine::new(EGG_CRATE, &mut scratch)?;
/// // Two channels of an analog-to-digital converter of 12 bits.
/// let answer = engine.run_counts(&[2048, 1024])?;
/// assert_eq!(answer.saturated(), 0);
/// assert!(answer.class().is_none(), "a regression");
/// let prediction: Vec<f32> = answer.reals().collect();
/// assert_eq!(prediction.len(), 1);
/// # Ok(())
/// # }
/// ```
pub struct Answer<'e, 'm, C = AllOps> {
    model: &'e Model<'m, C>,
    bytes: &'e [u8],
    saturated: u32,
}

impl<C> Clone for Answer<'_, '_, C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C> Copy for Answer<'_, '_, C> {}

impl<C> fmt::Debug for Answer<'_, '_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Answer { bytes, saturated, .. } = self;
        f.debug_struct("Answer").field("bytes", bytes).field("saturated", saturated).finish()
    }
}

impl<'e, 'm, C: Capabilities> Answer<'e, 'm, C> {
    /// Wraps the bytes of an output of `model`, such as those that
    /// [`Engine::run_bytes`](crate::Engine::run_bytes) returned, here or on a device.
    ///
    /// # Shapes
    /// `bytes` has [`Model::output_bytes`].
    pub fn new(model: &'e Model<'m, C>, bytes: &'e [u8]) -> Self {
        Answer { model, bytes, saturated: 0 }
    }

    pub(crate) fn with_saturated(model: &'e Model<'m, C>, bytes: &'e [u8], saturated: u32) -> Self {
        Answer { model, bytes, saturated }
    }

    /// The bytes of the output: int8, or int16 little-endian.
    pub fn bytes(&self) -> &'e [u8] {
        self.bytes
    }

    /// The number of readings that lay beyond the range of the model's input, and were taken for
    /// its least or its largest value. Always 0 for quantized values.
    pub fn saturated(&self) -> u32 {
        self.saturated
    }

    /// The quantized outputs, int8 or int16.
    pub fn values(&self) -> impl Iterator<Item = i16> + use<'e, C> {
        self.model.output_data_type().values(self.bytes)
    }

    /// The class that the outputs stand for; `None` for a regression.
    ///
    /// - Of two classes with one output, the second where the output exceeds the threshold.
    /// - Of two classes with one output each, the second where its score exceeds that of the first
    ///   by more than the threshold.
    /// - Of more classes, the one with the largest score, the first of equal ones.
    pub fn class(&self) -> Option<Class<'e, 'm, C>> {
        let index = class_index(&self.model.output().kind, self.values())?;
        Some(Class { answer: *self, index })
    }

    /// The real numbers that the outputs stand for: predictions in the units of the target, each
    /// with its own scale and offset; of classes, the scores in the scale of the last layer.
    ///
    /// # Shapes
    /// [`Model::output_len`] numbers.
    pub fn reals(&self) -> impl Iterator<Item = f32> + use<'e, 'm, C> {
        reals(&self.model.output(), self.values())
    }
}

/// Decoder of the outputs of a model, for many rows: it reads once what an [`Answer`] reads from the
/// model each time.
///
/// # Example
/// ```
/// # use thimble_nn::{Engine, Model, OutputDecoder};
/// # fn main() -> Result<(), Box<dyn core::error::Error>> {
/// let file = include_bytes!("../../models/digits.thimble");
/// let model = Model::parse(file)?;
/// let decoder = OutputDecoder::new(&model);
/// let mut scratch = vec![0; model.scratch_len()];
/// let mut engine = Engine::new(model, &mut scratch)?;
/// for image in [[0_i8; 64], [9; 64]] {
///     let answer = engine.run(&image)?;
///     assert_eq!(decoder.class(answer.bytes()), answer.class().map(|class| class.index()));
///     assert!(decoder.reals(answer.bytes()).eq(answer.reals()));
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct OutputDecoder<'m> {
    output: Output<'m>,
    data_type: DataType,
}

impl<'m> OutputDecoder<'m> {
    /// Creates the decoder for the outputs of a model.
    pub fn new<C: Capabilities>(model: &Model<'m, C>) -> Self {
        OutputDecoder { output: model.output(), data_type: model.output_data_type() }
    }

    /// The index of the class that an output stands for, as [`Answer::class`].
    pub fn class(&self, bytes: &[u8]) -> Option<usize> {
        class_index(&self.output.kind, self.data_type.values(bytes))
    }

    /// The real numbers that an output stands for, as [`Answer::reals`].
    pub fn reals<'e>(&self, bytes: &'e [u8]) -> impl Iterator<Item = f32> + use<'e, 'm> {
        reals(&self.output, self.data_type.values(bytes))
    }
}

/// The real numbers that quantized outputs stand for.
#[inline(always)]
fn reals<'m, V: Iterator<Item = i16>>(
    output: &Output<'m>,
    values: V,
) -> impl Iterator<Item = f32> + use<'m, V> {
    let tensor = output.quantization;
    let scales = match output.kind {
        OutputKind::Values(scales) => scales,
        _ => Default::default(),
    };
    let mut scales = scales.iter();
    values.map(move |value| {
        let scale = scales.next().unwrap_or(ValueScale::of_layer(tensor));
        scale.real(i32::from(value).wrapping_sub(tensor.zero_point))
    })
}

/// The class that an [`Answer`] stands for.
///
/// # Example
/// ```
/// # fn main() -> Result<(), Box<dyn core::error::Error>> {
/// thimble_nn::include_model!(WINE, "../../models/wine.thimble");
///
/// let row = [14.23, 1.71, 2.43, 15.6, 127.0, 2.8, 3.06, 0.28, 2.29, 5.64, 1.04, 3.92, 1065.0];
/// let mut scratch = [0; 64];
/// let mut engine = thimble_nn::Engine::new(WINE, &mut scratch)?;
/// let class = engine.run_reals(&row)?.class().expect("a classifier");
/// assert_eq!((class.index(), class.label()), (0, "class_0"));
/// assert!(class.probability().is_some_and(|probability| probability > 0.9));
/// # Ok(())
/// # }
/// ```
pub struct Class<'e, 'm, C = AllOps> {
    answer: Answer<'e, 'm, C>,
    index: usize,
}

impl<C> Clone for Class<'_, '_, C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C> Copy for Class<'_, '_, C> {}

impl<C> fmt::Debug for Class<'_, '_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Class").field(&self.index).finish()
    }
}

impl<'m, C: Capabilities> Class<'_, 'm, C> {
    /// Its index, counted from 0, in the order of the model's labels.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Its label.
    pub fn label(&self) -> &'m str {
        // A model has a label for each class: parsing saw to it.
        self.answer
            .model
            .output()
            .kind
            .labels()
            .and_then(|labels| labels.get(self.index))
            .unwrap_or_default()
    }

    /// Its probability, 0 to 1, in the steps of the output's scale; `None` where the model's outputs
    /// are not probabilities, that is, where its last layer is not a softmax or a sigmoid.
    pub fn probability(&self) -> Option<f32> {
        let model = self.answer.model;
        let output = model.output();
        let real = |index| {
            let q = self.answer.values().nth(index)?;
            Some(output.quantization.dequantize(q))
        };
        match output.kind {
            OutputKind::Probability { .. } if self.index == 0 => Some(1.0 - real(0)?),
            OutputKind::Probability { .. } => real(0),
            OutputKind::Classes { .. } => match model.layers().last()? {
                Layer::Softmax(_) => real(self.index),
                _ => None,
            },
            _ => None,
        }
    }
}

#[cfg(feature = "defmt")]
impl<C: Capabilities> defmt::Format for Class<'_, '_, C> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{=usize} ({=str})", self.index, self.label());
    }
}

/// The index of the class that quantized outputs stand for; `None` for a regression.
fn class_index(kind: &OutputKind<'_>, outputs: impl IntoIterator<Item = i16>) -> Option<usize> {
    let mut outputs = outputs.into_iter();
    match kind {
        OutputKind::Values(_) => None,
        OutputKind::Probability { threshold, .. } => {
            Some(usize::from(i32::from(outputs.next()?) > *threshold))
        }
        OutputKind::Classes { labels, threshold } if labels.len() == 2 => {
            let (first, second) = (outputs.next()?, outputs.next()?);
            Some(usize::from(i32::from(second).wrapping_sub(first.into()) > *threshold))
        }
        OutputKind::Classes { .. } => {
            let (mut best, mut class) = (outputs.next()?, 0);
            for (index, score) in outputs.enumerate() {
                if score > best {
                    (best, class) = (score, index.wrapping_add(1));
                }
            }
            Some(class)
        }
    }
}

#[cfg(test)]
mod tests {
    use model_format::build::{
        DenseSpec, InputSpec, LayerSpec, ModelSpec, OutputSpec, SoftmaxSpec,
    };
    use model_format::{
        Clamp, Encoding, Model, Multiplier, Quantization, ValueScale, WeightLayout,
    };

    use super::*;

    /// A model whose outputs mean this.
    fn model(output: OutputSpec, outputs: usize) -> Vec<u8> {
        let layer = DenseSpec {
            inputs: 1,
            outputs,
            weights: vec![1; outputs],
            biases: vec![0; outputs],
            multipliers: vec![Multiplier::from_real(1.0).unwrap(); outputs],
            output: Quantization::int8(0.5, 10),
            clamp: Clamp::INT8,
            layout: WeightLayout::RowMajor,
        };
        let spec = ModelSpec {
            name: "answer".into(),
            input: InputSpec {
                shape: vec![1],
                quantization: Quantization::int8(1.0, 0),
                encoding: Encoding::Quantized,
            },
            output,
            layers: vec![LayerSpec::Dense(layer)],
            self_tests: vec![],
            details: Default::default(),
        };
        spec.to_bytes().unwrap()
    }

    fn answers(output: OutputSpec, rows: &[&[i8]]) -> Vec<Option<usize>> {
        let file = model(output, rows[0].len());
        let model = Model::parse(&file).unwrap();
        let decoder = OutputDecoder::new(&model);
        let class = |row: &&[i8]| {
            let bytes: Vec<u8> = row.iter().map(|value| *value as u8).collect();
            let class = Answer::new(&model, &bytes).class().map(|class| class.index());
            assert_eq!(decoder.class(&bytes), class, "{row:?}");
            class
        };
        rows.iter().map(class).collect()
    }

    #[test]
    fn the_largest_score_wins_and_the_first_of_equal_ones() {
        let rows: [&[i8]; 4] = [&[3, -1, 2], &[-128, 5, 5], &[7, 7, 7], &[-3, -2, 127]];
        let found = answers(OutputSpec::classes(["a", "b", "c"]), &rows);
        assert_eq!(found, [Some(0), Some(1), Some(0), Some(2)]);
    }

    #[test]
    fn the_second_of_two_scores_must_exceed_the_first_by_more_than_the_threshold() {
        let labels = vec!["ok".to_string(), "fault".to_string()];
        let rows: [&[i8]; 4] = [&[0, 0], &[0, 1], &[5, 3], &[-128, 127]];
        for (threshold, expected) in [(0, [0, 1, 0, 1]), (-3, [1, 1, 1, 1]), (254, [0, 0, 0, 1])] {
            let kind = OutputSpec::Classes { labels: labels.clone(), threshold };
            assert_eq!(answers(kind, &rows), expected.map(Some), "{threshold}");
        }
    }

    #[test]
    fn one_output_tells_two_classes_apart() {
        let labels = vec!["ok".to_string(), "fault".to_string()];
        let kind = OutputSpec::Probability { labels, threshold: -38 };
        assert_eq!(answers(kind, &[&[-38], &[-37], &[127]]), [Some(0), Some(1), Some(1)]);
    }

    #[test]
    fn values_are_in_their_own_units() {
        let scales = [(2.5, 101_325.0), (1e-3, 0.0)];
        let scales = scales.map(|(scale, offset)| ValueScale { scale, offset });
        let file = model(OutputSpec::Values(scales.to_vec()), 2);
        let model = Model::parse(&file).unwrap();
        let answer = Answer::new(&model, &[0, 12]);
        assert_eq!(answer.reals().collect::<Vec<_>>(), [101_300.0, 0.002]);
        assert!(OutputDecoder::new(&model).reals(&[0, 12]).eq(answer.reals()));
        assert!(answer.class().is_none());
        let file = self::model(OutputSpec::Values(vec![]), 2);
        let model = Model::parse(&file).unwrap();
        let answer = Answer::new(&model, &[0, 12]);
        assert_eq!(answer.reals().collect::<Vec<_>>(), [-5.0, 1.0]);
    }

    fn labels() -> Vec<String> {
        vec!["ok".into(), "fault".into()]
    }

    #[test]
    fn a_class_has_its_label() {
        let file = model(OutputSpec::Classes { labels: labels(), threshold: 0 }, 2);
        let model = Model::parse(&file).unwrap();
        let class = Answer::new(&model, &[3, 5]).class().unwrap();
        assert_eq!((class.index(), class.label(), class.probability()), (1, "fault", None));
        assert_eq!(format!("{class:?}"), "Class(1)");
    }

    /// The outputs' scale is 1/2, their zero point 10.
    #[test]
    fn one_output_gives_the_probability_of_either_class() {
        let file = model(OutputSpec::Probability { labels: labels(), threshold: 10 }, 1);
        let model = Model::parse(&file).unwrap();
        let class = |value| Answer::new(&model, value).class().unwrap();
        assert_eq!((class(&[10]).index(), class(&[10]).probability()), (0, Some(1.0)));
        assert_eq!((class(&[12]).index(), class(&[12]).probability()), (1, Some(1.0)));
        assert_eq!((class(&[11]).label(), class(&[11]).probability()), ("fault", Some(0.5)));
        assert_eq!((class(&[9]).label(), class(&[9]).probability()), ("ok", Some(1.5)));
    }

    #[test]
    fn a_softmax_gives_the_probability_of_the_class() {
        let file = model(OutputSpec::Classes { labels: labels(), threshold: 0 }, 2);
        let mut spec = ModelSpec::from(&Model::parse(&file).unwrap());
        spec.layers.push(LayerSpec::Softmax(SoftmaxSpec { exponentials: vec![i32::MAX, 1 << 30] }));
        let file = spec.to_bytes().unwrap();
        let model = Model::parse(&file).unwrap();
        // Of scale 1/256 and zero point −128.
        let class = Answer::new(&model, &[0x80, 64]).class().unwrap();
        assert_eq!((class.index(), class.probability()), (1, Some(0.75)));
    }

    #[test]
    fn an_answer_has_the_bytes_and_the_saturated_readings() {
        let file = model(OutputSpec::Values(vec![]), 2);
        let model = Model::parse(&file).unwrap();
        let answer = Answer::new(&model, &[0xff, 12]);
        assert_eq!((answer.bytes(), answer.saturated()), (&[0xff, 12][..], 0));
        assert!(answer.values().eq([-1, 12]));
        assert_eq!(format!("{answer:?}"), "Answer { bytes: [255, 12], saturated: 0 }");
        assert_eq!(Answer::with_saturated(&model, &[1, 2], 3).saturated(), 3);
    }
}
