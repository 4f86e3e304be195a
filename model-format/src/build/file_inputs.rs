//! Self-tests whose inputs are bytes of the model file itself: a few bytes each, whatever the input's
//! size.

use super::encode::Payload;
use crate::{Error, HEADER_LEN, Header, Model};

/// Returns whether a self-test of a model takes its input from the file.
pub fn has_file_inputs(model: &Model<'_>) -> bool {
    let own = model.bytes_behind_layers().as_ptr_range();
    model.self_tests().any(|test| !own.contains(&test.input.as_ptr()))
}

/// Returns so many inputs that a model's layers contain, at regular intervals from their first byte to
/// their last, each with its offset in the payload; `None` where the layers have fewer bytes than an
/// input.
pub fn file_inputs<'a>(model: &Model<'a>, count: usize) -> Option<Vec<(u32, &'a [u8])>> {
    let (layers, len) = (model.bytes_of_layers(), model.input_bytes());
    let spare = layers.len().checked_sub(len)?;
    let start = model.payload().len() - model.bytes_behind_layers().len() - layers.len();
    let inputs = (0..count).map(|k| {
        let at = spare * k / count.saturating_sub(1).max(1);
        ((start + at) as u32, &layers[at..at + len])
    });
    Some(inputs.collect())
}

/// Writes a model anew with self-tests of these offsets of inputs, and of the outputs that must come.
///
/// # Errors
/// Those of [`Model::parse`]: more self-tests than a model can have, an input beyond the payload, an
/// output of another length than the model's.
///
/// # Example
/// ```
/// use model_format::{Model, build};
///
/// let file = include_bytes!("../../../firmware/models/wine.thimble");
/// let model = Model::parse(file)?;
/// let inputs = build::file_inputs(&model, 2).expect("the layers are longer than an input");
/// // An engine computes these:
/// let outputs = inputs.iter().map(|(offset, _)| (*offset, vec![0; model.output_bytes()]));
/// let smaller = build::with_file_inputs(&model, &outputs.collect::<Vec<_>>())?;
/// assert!(smaller.len() < file.len());
/// # Ok::<(), model_format::Error>(())
/// ```
pub fn with_file_inputs(model: &Model<'_>, tests: &[(u32, Vec<u8>)]) -> Result<Vec<u8>, Error> {
    let payload = model.payload();
    let before = &payload[..payload.len() - model.bytes_behind_layers().len()];
    let mut file = Payload(vec![0; HEADER_LEN]);
    file.0.extend(before);
    file.put_count(tests.len());
    for (offset, output) in tests {
        file.put_bytes(&[]);
        file.put(offset);
        file.put_bytes(output);
    }
    file.0.extend(model.bytes_of_details());
    let Payload(mut file) = file;
    let header = Header::bytes_for(&file[HEADER_LEN..])?;
    file[..HEADER_LEN].copy_from_slice(&header);
    Model::parse(&file)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::ModelSpec;
    use crate::{Field, FieldError, Location};

    const DIGITS: &[u8] = include_bytes!("../../../firmware/models/digits.thimble");

    fn with(tests: &[(u32, Vec<u8>)]) -> Result<Vec<u8>, Error> {
        with_file_inputs(&Model::parse(DIGITS).unwrap(), tests)
    }

    #[test]
    fn inputs_are_the_bytes_at_their_offsets_and_all_else_stays() {
        let model = Model::parse(DIGITS).unwrap();
        let inputs = file_inputs(&model, 3).unwrap();
        let outputs: Vec<_> = inputs.iter().map(|(at, _)| (*at, vec![*at as u8; 10])).collect();
        let file = with(&outputs).unwrap();
        let read = Model::parse(&file).unwrap();
        assert!(has_file_inputs(&read) && !has_file_inputs(&model));
        for ((test, (at, input)), (_, output)) in read.self_tests().zip(&inputs).zip(&outputs) {
            assert_eq!((test.input, test.output), (*input, &output[..]), "offset {at}");
            assert_eq!(test.input, &DIGITS[HEADER_LEN..][*at as usize..][..64]);
        }
        assert_eq!(read.self_tests().len(), 3);
        let specs = [&model, &read].map(ModelSpec::from);
        let [given, written] = specs.map(|spec| ModelSpec { self_tests: vec![], ..spec });
        assert_eq!(given, written);
        // An empty input, two bytes of offset, ten of output behind their number.
        let none = with(&[]).unwrap().len();
        assert_eq!(
            file.len() - none,
            inputs.iter().map(|(at, _)| if *at < 128 { 13 } else { 14 }).sum()
        );
    }

    #[test]
    fn inputs_reach_from_the_first_byte_of_the_layers_to_the_last() {
        let model = Model::parse(DIGITS).unwrap();
        let layers = model.bytes_of_layers();
        let inputs = file_inputs(&model, 4).unwrap();
        assert_eq!(inputs[0].1, &layers[..64]);
        assert_eq!(inputs[3].1, &layers[layers.len() - 64..]);
        let gaps: Vec<_> = inputs.windows(2).map(|two| two[1].0 - two[0].0).collect();
        assert!(gaps.iter().all(|gap| gap.abs_diff(gaps[0]) <= 1), "{gaps:?}");
        assert_eq!(file_inputs(&model, 1).unwrap()[0].1, &layers[..64]);
    }

    #[test]
    fn an_input_beyond_the_file_is_refused() {
        let payload = (DIGITS.len() - HEADER_LEN) as u32;
        for at in [payload, u32::MAX] {
            let (place, field) = (Location::SelfTest(0), Field::TestInput);
            let problem = FieldError::Mismatch { expected: 64, found: 0 };
            assert_eq!(with(&[(at, vec![0; 10])]), Err(Error::Field { place, field, problem }));
        }
    }

    #[test]
    fn the_output_has_its_length() {
        assert!(with(&[(0, vec![0; 10])]).is_ok());
        let problem = FieldError::Mismatch { expected: 10, found: 9 };
        let (place, field) = (Location::SelfTest(0), Field::TestOutput);
        assert_eq!(with(&[(0, vec![0; 9])]), Err(Error::Field { place, field, problem }));
    }
}
