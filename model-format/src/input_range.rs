//! Readings that the input of a model represents.

use crate::{Capabilities, Channel, Clamp, Encoding, Model};

impl<C: Capabilities> Model<'_, C> {
    /// Returns the smallest and the largest reading of an input that do not clip, in the unit of its
    /// feature. `None` for an ignored feature, for an index that the model does not have, and for models
    /// of pixels or quantized values.
    ///
    /// Counts are converted by the line of the feature's details; without them, the ends are `None`.
    pub fn input_range(&self, index: usize) -> Option<[f64; 2]> {
        if index >= self.input_len() {
            return None;
        }
        let tensor = self.input_quantization();
        let all = Clamp::all(tensor.data_type);
        // Symmetric inputs do not use the lowest value.
        let low = if tensor.zero_point == 0 { -all.high } else { all.low };
        let steps = [low, all.high].map(|q| f64::from(q) - f64::from(tensor.zero_point));
        let [first, last] = match self.input().encoding {
            Encoding::Quantized | Encoding::Unsigned8 => return None,
            Encoding::Reals(channels) => {
                let channel = channels.iter().nth(index % channels.len())?;
                if channel.factor == 0.0 {
                    return None;
                }
                steps.map(|q| f64::from(channel.offset) + q / f64::from(channel.factor))
            }
            Encoding::Counts(channels) => {
                let channel = channels.iter().nth(index % channels.len())?;
                if channel.multiplier.mantissa == 0 {
                    return None;
                }
                let [slope, intercept] = self.details().features().nth(index)?.line.map(f64::from);
                let sign = if channel.is_falling { -1.0 } else { 1.0 };
                let step = sign / (channel.multiplier.to_real() * f64::from(Channel::PARTS));
                let zero = f64::from(channel.offset) / f64::from(Channel::PARTS);
                steps.map(|q| intercept + slope * (zero + q * step))
            }
        };
        Some([first.min(last), first.max(last)])
    }
}

#[cfg(test)]
mod tests {
    use crate::build::*;
    use crate::{Clamp, Encoding, Multiplier, Quantization, RealChannel, WeightLayout};

    use super::*;

    type Source = Encoding<Vec<Channel>, Vec<RealChannel>>;

    /// The ranges of a model's inputs, features with these lines.
    fn ranges(
        quantization: Quantization,
        encoding: Source,
        lines: &[[f32; 2]],
    ) -> Vec<Option<[f64; 2]>> {
        let inputs = lines.len();
        let feature =
            |line| FeatureSpec { name: String::new(), unit: String::new(), clipped: 0, line };
        let spec = ModelSpec {
            name: "ranges".into(),
            input: InputSpec { shape: vec![inputs], quantization, encoding },
            output: OutputSpec::Values(vec![]),
            layers: vec![LayerSpec::Dense(DenseSpec {
                inputs,
                outputs: 1,
                weights: vec![1; inputs],
                biases: vec![0],
                multipliers: vec![Multiplier { mantissa: 1 << 30, shift: -8 }],
                output: Quantization::int8(1.0, 0),
                clamp: Clamp::INT8,
                layout: WeightLayout::RowMajor,
            })],
            self_tests: vec![],
            details: DetailsSpec {
                features: lines.iter().copied().map(feature).collect(),
                ..DetailsSpec::default()
            },
        };
        let bytes = spec.to_bytes().unwrap();
        let model = Model::parse(&bytes).unwrap();
        assert_eq!(model.input_range(inputs), None, "the model has no such input");
        (0..inputs).map(|index| model.input_range(index)).collect()
    }

    #[test]
    fn ranges_end_where_values_do() {
        let reals = |quantization, channels: &[RealChannel]| {
            ranges(quantization, Encoding::Reals(channels.to_vec()), &[[1.0, 0.0]; 3])
        };
        let falling = RealChannel { offset: 20.0, factor: -0.5 };
        let channels = [falling, RealChannel { offset: 1.0, factor: 0.0 }, falling];
        let range = Some([20.0 - 254.0, 20.0 + 254.0]);
        assert_eq!(reals(Quantization::int8(1.0, 0), &channels), [range, None, range]);
        let range = Some([20.0 - 510.0, 20.0]);
        assert_eq!(reals(Quantization::int8(1.0, -128), &channels), [range, None, range]);
        let one = reals(Quantization::int8(1.0, -128), &[RealChannel { offset: 0.0, factor: 1.0 }]);
        assert_eq!(one, [Some([0.0, 255.0]); 3], "a channel for all inputs");
    }

    #[test]
    fn ranges_of_counts_are_in_the_unit_of_the_line() {
        // The count 40 is the zero point, and a count two values of the input.
        let multiplier = Multiplier::from_real(2.0 / 256.0).unwrap();
        let rising = Channel { offset: 40 * 256, multiplier, is_falling: false };
        let falling = Channel { is_falling: true, ..rising };
        let counts = |channels: &[Channel]| {
            let lines = [[0.5, -10.0], [0.5, -10.0], [1.0, 0.0], [-1.0, 0.0]];
            ranges(Quantization::int8(1.0, -3), Encoding::Counts(channels.to_vec()), &lines)
        };
        // 125 values below the zero point, and 130 above: 62.5 and 65 counts, the other way round of
        // a falling sensor.
        let (lowest, highest) = (40.0 - 62.5, 40.0 + 65.0);
        let (falling_lowest, falling_highest) = (40.0 - 65.0, 40.0 + 62.5);
        let expected = [
            Some([lowest / 2.0 - 10.0, highest / 2.0 - 10.0]),
            Some([falling_lowest / 2.0 - 10.0, falling_highest / 2.0 - 10.0]),
            Some([lowest, highest]),
            Some([-falling_highest, -falling_lowest]),
        ];
        assert_eq!(counts(&[rising, falling]), expected);
        let ignored = counts(&[rising, Channel::IGNORED]);
        assert_eq!(ignored, [expected[0], None, expected[2], None]);
    }

    #[test]
    fn values_and_pixels_have_no_range() {
        for encoding in [Encoding::Quantized, Encoding::Unsigned8] {
            assert_eq!(ranges(Quantization::int8(1.0, 0), encoding, &[[1.0, 0.0]]), [None]);
        }
    }
}
