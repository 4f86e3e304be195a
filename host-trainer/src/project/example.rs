//! An example input of a model, as Rust code: that of its first self-test.

use std::fmt::Write;

use model_format::{Channel, DataType, Encoding, Model, RealChannel};

use crate::foreign_text::shown;

/// An example input, and how a program passes it to the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The method of `thimble_nn::Engine` that takes such inputs.
    pub run: &'static str,
    /// The type of one value.
    pub value_type: &'static str,
    /// The type of an input, an array.
    pub input_type: String,
    /// The values as Rust literals.
    pub values: Vec<String>,
    /// The kind of the values, for a README.
    pub meaning: &'static str,
}

impl Example {
    /// The example input of a model: that of its first self-test in the units that the model takes,
    /// or the zero point where it has no self-test.
    pub fn of(model: &Model<'_>) -> Self {
        let tensor = model.input_quantization();
        let quantized: Vec<i16> = match model.self_tests().next() {
            Some(test) => tensor.data_type.values(test.input).collect(),
            None => vec![tensor.zero_point as i16; model.input_len()],
        };
        let steps = quantized.iter().map(|q| i32::from(*q) - tensor.zero_point);
        let (run, value_type, values, meaning) = match model.input().encoding {
            Encoding::Reals(channels) => {
                let channels = channels.iter().cycle();
                let values = steps.zip(channels).map(|(steps, channel)| real(channel, steps));
                ("run_reals", "f32", values.collect(), "real numbers in their own units")
            }
            Encoding::Counts(channels) => {
                let channels = channels.iter().cycle();
                let values = steps.zip(channels).map(|(steps, channel)| count(channel, steps));
                ("run_counts", "i16", values.collect(), "raw counts of converters and sensors")
            }
            Encoding::Unsigned8 => {
                ("run", "i8", integers(&quantized), "pixels: each is the byte − 128")
            }
            Encoding::Quantized if tensor.data_type == DataType::Int16 => {
                ("run_i16", "i16", integers(&quantized), "quantized values, int16")
            }
            Encoding::Quantized => ("run", "i8", integers(&quantized), "quantized values, int8"),
        };
        let input_type = format!("[{value_type}; {}]", model.input_len());
        Example { run, value_type, input_type, values, meaning }
    }

    /// The module `example` of a program.
    pub fn module(&self, model: &Model<'_>) -> String {
        let mut text = format!(
            "//! An input of the model, from its first self-test: {}.\n\n\
             /// Replace it by what your sensors measure.\n\
             #[rustfmt::skip]\n\
             pub const INPUT: {} = [\n",
            self.meaning, self.input_type
        );
        let features: Vec<_> = model.details().features().collect();
        // Writing to a string cannot fail.
        if features.len() == self.values.len() {
            for (value, feature) in self.values.iter().zip(features) {
                let unit = match feature.unit {
                    "" => String::new(),
                    unit => format!(" ({})", shown(unit)),
                };
                let _ = writeln!(text, "    {value}, // {}{unit}", shown(feature.name));
            }
        } else {
            for line in self.values.chunks(16) {
                let _ = writeln!(text, "    {},", line.join(", "));
            }
        }
        text + "];\n"
    }
}

fn integers(values: &[i16]) -> Vec<String> {
    values.iter().map(i16::to_string).collect()
}

/// A reading that lies this number of steps from the zero point, with as few digits as it takes.
fn real(channel: RealChannel, steps: i32) -> String {
    let RealChannel { offset, factor } = channel;
    if factor == 0.0 {
        // The feature is ignored.
        return format!("{offset:?}");
    }
    let exact = offset + steps as f32 / factor;
    let is_same = |text: &String| {
        text.parse::<f32>().is_ok_and(|x| ((x - offset) * factor).round() as i32 == steps)
    };
    let short = (1..8).map(|digits| format!("{exact:.digits$}")).find(is_same);
    short.unwrap_or_else(|| format!("{exact:?}"))
}

/// The count of a channel that is nearest to this number of steps from the zero point.
fn count(channel: Channel, steps: i32) -> String {
    let multiplier = channel.multiplier;
    let factor =
        f64::from(multiplier.mantissa) / f64::from(1u32 << 31) * f64::from(multiplier.shift).exp2();
    if factor == 0.0 {
        return "0".into();
    }
    let distance = f64::from(steps) / factor;
    let distance = if channel.is_falling { -distance } else { distance };
    let count = (f64::from(channel.offset) + distance) / f64::from(Channel::PARTS);
    // A conversion of floats saturates.
    (count.round() as i16).to_string()
}

#[cfg(test)]
mod tests {
    use thimble_nn::{encode_counts, encode_reals};

    use super::*;

    const WINE: &[u8] = include_bytes!("../../../firmware/models/wine.thimble");
    const ADC: &[u8] = include_bytes!("../../../firmware/models/eggcrate-adc.thimble");
    const DIGITS: &[u8] = include_bytes!("../../../firmware/models/digits.thimble");

    #[test]
    fn real_numbers_become_the_input_of_the_self_test() {
        let model = Model::parse(WINE).unwrap();
        let example = Example::of(&model);
        assert_eq!((example.run, &*example.input_type), ("run_reals", "[f32; 13]"));
        let reals: Vec<f32> = example.values.iter().map(|text| text.parse().unwrap()).collect();
        let mut bytes = vec![0; model.input_bytes()];
        encode_reals(&model, reals.into_iter(), &mut bytes).unwrap();
        assert_eq!(bytes, model.self_tests().next().unwrap().input);
        assert!(example.values.iter().all(|text| text.len() < 8), "{example:?}");
    }

    #[test]
    fn counts_come_near_the_input_of_the_self_test() {
        let model = Model::parse(ADC).unwrap();
        let example = Example::of(&model);
        assert_eq!(example.run, "run_counts");
        let counts: Vec<i16> = example.values.iter().map(|text| text.parse().unwrap()).collect();
        let mut bytes = vec![0; model.input_bytes()];
        encode_counts(&model, counts.into_iter(), &mut bytes).unwrap();
        let data_type = model.input_quantization().data_type;
        let test = model.self_tests().next().unwrap();
        for (found, expected) in data_type.values(&bytes).zip(data_type.values(test.input)) {
            // A count of 12 bits is 16 steps of an input of 16 bits.
            assert!(found.abs_diff(expected) <= 16, "{found} {expected}");
        }
    }

    #[test]
    fn quantized_values_stay_as_they_are() {
        let model = Model::parse(DIGITS).unwrap();
        let example = Example::of(&model);
        assert_eq!((example.run, &*example.input_type), ("run", "[i8; 64]"));
        let bytes: Vec<u8> =
            example.values.iter().map(|text| text.parse::<i8>().unwrap() as u8).collect();
        assert_eq!(bytes, model.self_tests().next().unwrap().input);
        let module = example.module(&model);
        assert!(module.contains("pub const INPUT: [i8; 64] = ["), "{module}");
    }
}
