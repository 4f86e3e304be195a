//! Order of classes: the outputs of an imported network follow the classes of the dataset.

use anyhow::bail;

use super::Import;
use crate::data::TargetKind;
use crate::experiment::Plan;
use crate::foreign_text::shown;
use crate::network::{Layer, Network};

/// Returns the network with its outputs in the order of the dataset's classes.
///
/// # Errors
/// Returns the names of classes that the rows or the network lack.
pub(super) fn ordered(
    import: &Import,
    plan: &Plan,
    notes: &mut Vec<String>,
) -> anyhow::Result<Network<f32>> {
    let mut network = plan.network.clone();
    network.parameters_mut().copy_from_slice(import.network.parameters());
    let dataset = plan.splits.train.dataset();
    let (TargetKind::Classes(_), Some(labels)) = (dataset.target_kind(), &import.labels) else {
        return Ok(network);
    };
    let names = dataset.class_names();
    if names == labels {
        return Ok(network);
    }
    let place = |name: &String| labels.iter().position(|label| label == name);
    let Some(order) = names.iter().map(place).collect::<Option<Vec<usize>>>() else {
        // Numbers stand for positions if the names are others.
        if names.iter().enumerate().all(|(at, name)| *name == at.to_string()) {
            return Ok(network);
        }
        bail!(
            "the rows have the classes {}, but the network has {}. Rename them in the rows, or give \
             the network's with --labels",
            listed(names),
            listed(labels)
        );
    };
    notes.push(format!("the outputs are reordered: {}", listed(names)));
    reorder(&mut network, &order);
    Ok(network)
}

fn listed(names: &[String]) -> String {
    const MOST: usize = 12;
    let more = if names.len() > MOST { ", …" } else { "" };
    let names: Vec<String> = names.iter().take(MOST).map(|name| shown(name)).collect();
    names.join(", ") + more
}

/// Reorders the rows of the last dense layer. A single output, the probability of the second of two
/// classes, is negated instead.
fn reorder(network: &mut Network<f32>, order: &[usize]) {
    let Some(Layer::Dense(dense)) = network.layers().last().map(|view| *view.layer) else { return };
    let start = network.parameters().len() - dense.parameter_count();
    let parameters = &mut network.parameters_mut()[start..];
    if dense.outputs == 1 {
        parameters.iter_mut().for_each(|parameter| *parameter = -*parameter);
        return;
    }
    let before = parameters.to_vec();
    let (weights, biases) = before.split_at(dense.inputs * dense.outputs);
    let (new_weights, new_biases) = parameters.split_at_mut(dense.inputs * dense.outputs);
    let rows = new_weights.chunks_exact_mut(dense.inputs).zip(new_biases).zip(order);
    for ((row, bias), &from) in rows {
        row.copy_from_slice(&weights[from * dense.inputs..][..dense.inputs]);
        *bias = biases[from];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Activation, DenseSpec, LayerSpec};

    #[test]
    fn outputs_follow_the_classes() {
        let layer = |units| LayerSpec::Dense(DenseSpec::new(units, Activation::Linear));
        let mut network = Network::<f32>::new(2, &[layer(3)], 1).unwrap();
        network.parameters_mut().copy_from_slice(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]);
        reorder(&mut network, &[2, 0, 1]);
        assert_eq!(network.parameters(), [5.0, 6.0, 1.0, 2.0, 3.0, 4.0, 9.0, 7.0, 8.0]);
        let mut single = Network::<f32>::new(1, &[layer(1)], 1).unwrap();
        single.parameters_mut().copy_from_slice(&[2.0, -0.5]);
        reorder(&mut single, &[1, 0]);
        assert_eq!(single.parameters(), [-2.0, 0.5]);
    }
}
