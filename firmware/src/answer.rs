//! What the outputs of a model say: a class, or real values.
//!
//! This is the one place that decides a class. Devices and computers, evaluations and reports all
//! ask it, so that none of them can say another class than the others.

use model_format::{Labels, Meaning, Output, ValueScale};

/// The answer of a model to one input.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'m, 'o> {
    output: Output<'m>,
    bytes: &'o [u8],
}

impl<'m, 'o> Answer<'m, 'o> {
    /// Reads the bytes of an output of a model: what [`Engine::run_bytes`](crate::Engine::run_bytes)
    /// returned, and [`Model::output`](model_format::Model::output).
    pub fn new(output: Output<'m>, bytes: &'o [u8]) -> Self {
        Answer { output, bytes }
    }

    /// Returns the quantized outputs.
    pub fn values(&self) -> impl Iterator<Item = i16> + use<'o, 'm> {
        self.output.quantization.precision.values(self.bytes)
    }

    /// Returns the class that the outputs stand for; `None` for a model that gives values.
    pub fn class(&self) -> Option<usize> {
        class(&self.output.meaning, self.values())
    }

    /// Returns the label of the class; `None` for a model that gives values.
    pub fn label(&self) -> Option<&'m str> {
        let labels: Labels<'m> = self.output.meaning.labels()?;
        labels.get(self.class()?)
    }

    /// Returns the real numbers that the outputs stand for: values in the unit of what was learnt,
    /// each with its own scale and offset; scores of classes in the scale of the last layer.
    pub fn reals(&self) -> impl Iterator<Item = f32> + use<'o, 'm> {
        let tensor = self.output.quantization;
        let scales = match self.output.meaning {
            Meaning::Values(scales) => scales,
            _ => Default::default(),
        };
        let mut scales = scales.iter();
        self.values().map(move |value| {
            let scale = scales.next().unwrap_or(ValueScale::of_layer(tensor));
            scale.real(i32::from(value).wrapping_sub(tensor.zero_point))
        })
    }
}

/// Returns the class that quantized outputs stand for; `None` for a model that gives values.
///
/// - Of two classes with one output, the second where the output exceeds the threshold.
/// - Of two classes with an output each, the second where its score exceeds that of the first by
///   more than the threshold.
/// - Of more classes, the one with the largest score, the first of equal ones.
pub fn class(meaning: &Meaning<'_>, outputs: impl IntoIterator<Item = i16>) -> Option<usize> {
    let mut outputs = outputs.into_iter();
    match meaning {
        Meaning::Values(_) => None,
        Meaning::Probability { threshold, .. } => {
            Some(usize::from(i32::from(outputs.next()?) > *threshold))
        }
        Meaning::Classes { labels, threshold } if labels.len() == 2 => {
            let (first, second) = (outputs.next()?, outputs.next()?);
            Some(usize::from(i32::from(second).wrapping_sub(first.into()) > *threshold))
        }
        Meaning::Classes { .. } => {
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
    use model_format::build::{DenseSpec, InputSpec, LayerSpec, MeaningSpec, ModelSpec};
    use model_format::{
        Clamp, Encoding, Model, Multiplier, Quantization, ValueScale, WeightLayout,
    };

    use super::*;

    /// A model whose outputs mean this.
    fn model(output: MeaningSpec, outputs: usize) -> Vec<u8> {
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

    fn answers(output: MeaningSpec, rows: &[&[i8]]) -> Vec<Option<usize>> {
        let file = model(output, rows[0].len());
        let model = Model::parse(&file).unwrap();
        let class = |row: &&[i8]| {
            let bytes: Vec<u8> = row.iter().map(|value| *value as u8).collect();
            Answer::new(model.output(), &bytes).class()
        };
        rows.iter().map(class).collect()
    }

    #[test]
    fn the_largest_score_wins_and_the_first_of_equal_ones() {
        let rows: [&[i8]; 4] = [&[3, -1, 2], &[-128, 5, 5], &[7, 7, 7], &[-3, -2, 127]];
        let found = answers(MeaningSpec::classes(["a", "b", "c"]), &rows);
        assert_eq!(found, [Some(0), Some(1), Some(0), Some(2)]);
    }

    #[test]
    fn the_second_of_two_scores_must_exceed_the_first_by_more_than_the_threshold() {
        let labels = vec!["ok".to_string(), "fault".to_string()];
        let rows: [&[i8]; 4] = [&[0, 0], &[0, 1], &[5, 3], &[-128, 127]];
        for (threshold, expected) in [(0, [0, 1, 0, 1]), (-3, [1, 1, 1, 1]), (254, [0, 0, 0, 1])] {
            let meaning = MeaningSpec::Classes { labels: labels.clone(), threshold };
            assert_eq!(answers(meaning, &rows), expected.map(Some), "{threshold}");
        }
    }

    #[test]
    fn one_output_tells_two_classes_apart() {
        let labels = vec!["ok".to_string(), "fault".to_string()];
        let meaning = MeaningSpec::Probability { labels, threshold: -38 };
        assert_eq!(answers(meaning, &[&[-38], &[-37], &[127]]), [Some(0), Some(1), Some(1)]);
    }

    #[test]
    fn values_are_in_their_own_units() {
        let scales = [(2.5, 101_325.0), (1e-3, 0.0)];
        let scales = scales.map(|(scale, offset)| ValueScale { scale, offset });
        let file = model(MeaningSpec::Values(scales.to_vec()), 2);
        let model = Model::parse(&file).unwrap();
        let answer = Answer::new(model.output(), &[0, 12]);
        assert_eq!(answer.reals().collect::<Vec<_>>(), [101_300.0, 0.002]);
        assert_eq!((answer.class(), answer.label()), (None, None));
        let file = self::model(MeaningSpec::Values(vec![]), 2);
        let model = Model::parse(&file).unwrap();
        let answer = Answer::new(model.output(), &[0, 12]);
        assert_eq!(answer.reals().collect::<Vec<_>>(), [-5.0, 1.0]);
    }
}
