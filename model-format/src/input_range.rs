//! Readings that the input of a model represents.

use crate::{Capabilities, Channel, Clamp, Encoding, Model};

impl<C: Capabilities> Model<'_, C> {
    /// Returns the smallest and the largest reading of an input that do not clip, in the unit of its
    /// feature. `None` for an ignored feature, for an index that the model does not have, and for models
    /// of pixels or quantized values.
    ///
    /// Counts are converted by the line of the feature's details; without them, the ends are `None`.
    pub fn input_range(&self, index: usize) -> Option<[f64; 2]> {
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

    fn ranges(quantization: Quantization, channels: Vec<RealChannel>) -> Vec<Option<[f64; 2]>> {
        let spec = ModelSpec {
            name: "ranges".into(),
            input: InputSpec { shape: vec![2], quantization, encoding: Encoding::Reals(channels) },
            output: OutputSpec::Values(vec![]),
            layers: vec![LayerSpec::Dense(DenseSpec {
                inputs: 2,
                outputs: 1,
                weights: vec![1, 1],
                biases: vec![0],
                multipliers: vec![Multiplier { mantissa: 1 << 30, shift: -8 }],
                output: Quantization::int8(1.0, 0),
                clamp: Clamp::INT8,
                layout: WeightLayout::RowMajor,
            })],
            self_tests: vec![],
            details: Default::default(),
        };
        let bytes = spec.to_bytes().unwrap();
        let model = Model::parse(&bytes).unwrap();
        (0..2).map(|index| model.input_range(index)).collect()
    }

    #[test]
    fn ranges_end_where_values_do() {
        let channels = vec![
            RealChannel { offset: 20.0, factor: -0.5 },
            RealChannel { offset: 1.0, factor: 0.0 },
        ];
        let symmetric = ranges(Quantization::int8(1.0, 0), channels.clone());
        assert_eq!(symmetric, [Some([20.0 - 254.0, 20.0 + 254.0]), None]);
        let whole = ranges(Quantization::int8(1.0, -128), channels);
        assert_eq!(whole, [Some([20.0 - 510.0, 20.0]), None]);
        let one =
            ranges(Quantization::int8(1.0, -128), vec![RealChannel { offset: 0.0, factor: 1.0 }]);
        assert_eq!(one, [Some([0.0, 255.0]); 2], "a channel for all inputs");
    }
}
