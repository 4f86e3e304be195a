//! Self-tests whose inputs are bytes of the model file: a few bytes each, whatever the input's size.

use model_format::Model;
use model_format::build::{file_inputs, with_file_inputs};
use thimble_nn::Engine;

use crate::pack::PackError;

/// Gives a model `count` self-tests in place of its own: inputs are bytes of its layers, taken as values,
/// outputs are the engine's.
///
/// # Errors
/// [`PackError::ShortLayers`] for a model whose layers have fewer bytes than an input;
/// [`PackError::Format`] for more self-tests than a model can have.
pub fn from_file(model: &Model<'_>, count: usize) -> Result<Vec<u8>, PackError> {
    let inputs =
        file_inputs(model, count).ok_or(PackError::ShortLayers { needed: model.input_bytes() })?;
    let mut scratch = vec![0; model.scratch_len()];
    let mut engine = Engine::new(model.clone(), &mut scratch)?;
    let mut tests = Vec::with_capacity(count);
    for (offset, input) in inputs {
        let output = engine.run_bytes(input).map_err(PackError::Input)?;
        tests.push((offset, output.to_vec()));
    }
    Ok(with_file_inputs(model, &tests)?)
}

#[cfg(test)]
mod tests {
    use model_format::WeightLayout;
    use model_format::build::{LayerSpec, ModelSpec, OutputSpec};

    use super::*;
    use crate::pack::{Core, keep_self_tests, pack, strip};

    const DIGITS: &[u8] = include_bytes!("../../../firmware/models/digits.thimble");

    fn passed(file: &[u8]) -> usize {
        let model = Model::parse(file).unwrap();
        let mut scratch = vec![0; model.scratch_len()];
        Engine::new(model, &mut scratch).unwrap().self_test().unwrap()
    }

    #[test]
    fn they_pass_and_take_a_few_bytes() {
        let model = Model::parse(DIGITS).unwrap();
        let none = keep_self_tests(&model, 0).unwrap().len();
        let file = from_file(&model, 4).unwrap();
        assert_eq!(passed(&file), 4);
        assert!(file.len() <= none + 4 * 14, "offset of two bytes, ten outputs, two lengths");
    }

    #[test]
    fn another_order_of_weights_has_self_tests_of_its_own() {
        let file = from_file(&Model::parse(DIGITS).unwrap(), 3).unwrap();
        let model = Model::parse(&file).unwrap();
        for core in Core::ALL {
            let packed = pack(&model, core).unwrap();
            assert_eq!(passed(&packed), 3, "{core}");
            assert!(packed.len() < DIGITS.len(), "{core}: inputs are not written out");
        }
        assert_eq!(passed(&strip(&model).unwrap()), 3);
        assert_eq!(passed(&keep_self_tests(&model, 2).unwrap()), 2);
        assert!(keep_self_tests(&model, 2).unwrap().len() < file.len());
    }

    #[test]
    fn layers_shorter_than_an_input_are_refused() {
        let mut spec = ModelSpec::from(&Model::parse(DIGITS).unwrap());
        spec.layers.truncate(1);
        let LayerSpec::Dense(dense) = &mut spec.layers[0] else { panic!("dense") };
        dense.layout = WeightLayout::Ternary;
        dense.outputs = 1;
        dense.weights = vec![1; dense.inputs];
        dense.biases.truncate(1);
        dense.multipliers.truncate(1);
        (spec.output, spec.self_tests) = (OutputSpec::Values(vec![]), vec![]);
        let file = spec.to_bytes().unwrap();
        let error = from_file(&Model::parse(&file).unwrap(), 1).unwrap_err();
        assert_eq!(error, PackError::ShortLayers { needed: 64 });
    }

    #[test]
    fn more_than_a_model_can_have_are_refused() {
        let error = from_file(&Model::parse(DIGITS).unwrap(), 17).unwrap_err();
        assert!(error.to_string().contains("number of self-tests"), "{error}");
    }
}
