//! A model with the memory that it runs in.

use thimble_nn::{Answer, Encoding, Engine, Model, encode_counts, encode_reals};

use crate::describe;

/// A model file and its engine.
pub struct Session {
    model: Model<'static>,
    engine: Engine<'static, 'static>,
    input: Vec<u8>,
    /// Outputs of all layers, one behind the other.
    trace: Vec<u8>,
}

impl Session {
    /// Checks a model file and makes its engine. File and scratch memory stay until the instance of
    /// the module ends.
    ///
    /// # Errors
    /// The text of the refusal.
    pub fn load(file: Vec<u8>) -> Result<Self, String> {
        // Refused files are not kept.
        Model::parse(&file).map_err(|error| error.to_string())?;
        let model = Model::parse(file.leak()).map_err(|error| error.to_string())?;
        let scratch = vec![0; model.scratch_len()].leak();
        let engine = Engine::new(model.clone(), scratch).map_err(|error| error.to_string())?;
        let input = vec![0; model.input_bytes()];
        Ok(Session { model, engine, input, trace: Vec::new() })
    }

    /// Returns the description of the model as JSON.
    pub fn describe(&self) -> Vec<u8> {
        describe::json(&self.model)
    }

    /// Runs the model on an input: bytes of its values (0), counts in int16 (1) or real numbers in
    /// binary32 (2).
    ///
    /// The result is the number of readings that saturated (u32), the class or −1 (i32), the
    /// probability of the class or NaN (f32), the outputs as real numbers (f32 each), the bytes of
    /// the input, and the bytes of the outputs of each layer.
    ///
    /// # Errors
    /// The text of the engine's error.
    pub fn run(&mut self, form: u32, bytes: &[u8]) -> Result<Vec<u8>, String> {
        let saturated = self.encode(form, bytes)?;
        let Session { model, engine, input, trace } = self;
        trace.clear();
        let output = engine.run_traced(input, |_, layer| trace.extend_from_slice(layer));
        let answer = Answer::new(model, output.map_err(|error| error.to_string())?);
        let class = answer.class();
        let index = class.map_or(-1, |class| class.index() as i32);
        let probability = class.and_then(|class| class.probability()).unwrap_or(f32::NAN);
        let mut result =
            Vec::with_capacity(12 + 4 * model.output_len() + input.len() + trace.len());
        result.extend_from_slice(&saturated.to_le_bytes());
        result.extend_from_slice(&index.to_le_bytes());
        result.extend_from_slice(&probability.to_le_bytes());
        answer.reals().for_each(|real| result.extend_from_slice(&real.to_le_bytes()));
        result.extend_from_slice(input);
        result.extend_from_slice(trace);
        Ok(result)
    }

    /// Writes the bytes of the model's input; returns how many readings saturated.
    fn encode(&mut self, form: u32, bytes: &[u8]) -> Result<u32, String> {
        let Session { model, input, .. } = self;
        let width = [1, 2, 4].get(form as usize).copied().unwrap_or(1);
        if !bytes.len().is_multiple_of(width) {
            return Err(format!("{} bytes are no whole number of readings", bytes.len()));
        }
        let saturated = match form {
            1 => {
                let counts = bytes.as_chunks().0.iter().map(|count| i16::from_le_bytes(*count));
                encode_counts(model, counts, input)
            }
            2 => {
                let reals = bytes.as_chunks().0.iter().map(|real| f32::from_le_bytes(*real));
                encode_reals(model, reals, input)
            }
            _ => {
                let expected = input.len();
                if bytes.len() != expected {
                    let given = bytes.len();
                    return Err(format!("an input of {given} bytes where {expected} are needed"));
                }
                let unsigned = matches!(model.input().encoding, Encoding::Unsigned8);
                let encoding = model.input().encoding;
                for (value, byte) in input.iter_mut().zip(bytes) {
                    *value = if unsigned { encoding.encode(*byte) as u8 } else { *byte };
                }
                Ok(0)
            }
        };
        saturated.map_err(|error| error.to_string())
    }

    /// Runs the self-tests of the model file; returns their number.
    ///
    /// # Errors
    /// The text of the first that fails.
    pub fn self_test(&mut self) -> Result<i32, String> {
        let passed = self.engine.self_test().map_err(|error| error.to_string())?;
        Ok(i32::try_from(passed).unwrap_or(i32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINE: &[u8] = include_bytes!("../../../firmware/models/wine.thimble");
    const DIGITS: &[u8] = include_bytes!("../../../firmware/models/digits.thimble");

    #[test]
    fn a_run_has_the_bytes_of_the_engine() {
        let row =
            [14.23_f32, 1.71, 2.43, 15.6, 127.0, 2.8, 3.06, 0.28, 2.29, 5.64, 1.04, 3.92, 1065.0];
        let bytes: Vec<u8> = row.iter().flat_map(|real| real.to_le_bytes()).collect();
        let mut session = Session::load(WINE.to_vec()).unwrap();
        let result = session.run(2, &bytes).unwrap();
        let model = Model::parse(WINE).unwrap();
        let mut scratch = vec![0; model.scratch_len()];
        let mut engine = Engine::new(model.clone(), &mut scratch).unwrap();
        let answer = engine.run_reals(&row).unwrap();
        assert!(result.ends_with(answer.bytes()));
        assert_eq!(result[..8], [0, 0, 0, 0, 0, 0, 0, 0], "nothing saturates, class 0");
        let real = |at: usize| f32::from_le_bytes(*result[at..].as_chunks().0.first().unwrap());
        assert_eq!(Some(real(8)), answer.class().unwrap().probability());
        let reals: Vec<f32> = (0..model.output_len()).map(|output| real(12 + 4 * output)).collect();
        assert_eq!(reals, answer.reals().collect::<Vec<_>>());
        assert_eq!(session.self_test().unwrap() as usize, model.self_tests().len());
        assert!(session.run(2, &bytes[..8]).unwrap_err().contains('2'));
        assert!(session.run(2, &bytes[..7]).unwrap_err().contains("7 bytes"));
        assert!(session.run(0, &bytes).unwrap_err().contains("52 bytes"));
        let counts = session.run(1, &bytes[..26]).unwrap_err();
        assert!(counts.contains("count"), "{counts}");
        let nan = [f32::NAN.to_le_bytes().as_slice(), &bytes[4..]].concat();
        assert!(session.run(2, &nan).unwrap_err().contains("not a number"));
    }

    #[test]
    fn pixels_are_values_of_the_input() {
        let mut session = Session::load(DIGITS.to_vec()).unwrap();
        let pixels: Vec<u8> = (0..64).map(|pixel| pixel % 17).collect();
        let result = session.run(0, &pixels).unwrap();
        let at = 12 + 4 * 10;
        let encoded: Vec<u8> = pixels.iter().map(|pixel| pixel ^ 0x80).collect();
        assert_eq!(result[at..at + 64], encoded);
    }

    #[test]
    fn a_damaged_model_is_refused_in_the_words_of_the_format() {
        let mut file = WINE.to_vec();
        file[40] ^= 1;
        let expected = Model::parse(&file).unwrap_err().to_string();
        assert_eq!(Session::load(file).err(), Some(expected));
        assert!(Session::load(vec![]).is_err());
    }
}
