//! Weights of quantization-aware training, and differences between the network that it evaluated
//! and the model.

use super::number::{grouped, significant};
use crate::evaluate::Evaluation;
use crate::network::Network;

/// Returns the number of rows for which two networks predict different classes, or `None` for
/// regression.
pub(super) fn different_rows(float: &Evaluation, quantized: &Evaluation) -> Option<usize> {
    if float.answers.is_empty() {
        return None;
    }
    let answers = float.answers.iter().zip(&quantized.answers);
    Some(answers.filter(|(float, quantized)| float != quantized).count())
}

/// Returns the data types of the weights, and the differences between the fake-quantized network and
/// the model on the rows of both evaluations. `None` for a network without fake quantization.
pub fn aware_text(
    network: &Network<f32>,
    trained: &Evaluation,
    quantized: &Evaluation,
) -> Option<String> {
    let fake = network.fake_quantization()?;
    let names: Vec<&str> = fake.weights().iter().map(|grid| grid.weight_type.name()).collect();
    let names = match names.split_first() {
        Some((first, rest)) if rest.iter().all(|name| name == first) => (*first).to_string(),
        _ => names.join(", "),
    };
    let text = match different_rows(trained, quantized) {
        Some(different) => format!(
            "the model and the network as it was trained predict different classes on {} of {} rows",
            grouped(different as u64),
            grouped(trained.answers.len() as u64)
        ),
        None => {
            let pairs = trained.outputs.iter().zip(&quantized.outputs);
            let most = pairs.map(|(a, b)| f64::from((a - b).abs())).fold(0.0, f64::max);
            format!(
                "outputs of the model and of the network as it was trained differ by at most {}",
                significant(most)
            )
        }
    };
    Some(format!("trained with {names} weights: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Locations;
    use crate::experiment::Plan;
    use crate::preset::find;
    use crate::threads::Threads;
    use crate::train::StopFlag;

    #[test]
    fn the_text_counts_rows() {
        let settings = ["training.epochs=1", "quantization_aware.weights=int4"];
        let settings = settings.map(String::from);
        let preset = find("digits").unwrap().with_settings(&settings).unwrap();
        let plan = Plan::new(preset, &Locations::default()).unwrap();
        let threads = Threads::new(None).unwrap();
        let run = plan.run(&threads, &StopFlag::default(), None, &mut ()).unwrap();
        let mut other = run.int8.clone();
        let expected = different_rows(&run.float, &other).unwrap();
        other.answers[0] = run.float.answers[0] + 1;
        let found = different_rows(&run.float, &other).unwrap();
        let was_different = run.float.answers[0] != run.int8.answers[0];
        assert_eq!(found, expected + usize::from(!was_different));
        let text = aware_text(&run.outcome.network, &run.float, &other).unwrap();
        let rows = run.float.answers.len();
        assert!(text.starts_with("trained with int4 weights"), "{text}");
        assert!(text.ends_with(&format!("on {found} of {rows} rows")), "{text}");
    }
}
