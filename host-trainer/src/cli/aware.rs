//! `host-trainer train --weights`: data types of the weights in quantization-aware training.

use anyhow::bail;
use model_format::{Model, WeightType};

use super::args::TrainArgs;
use super::weights::Weights;
use crate::choice::{Budget, judged_rows, mixed, quantize_network, weight_type_names};
use crate::experiment::Plan;
use crate::preset::Preset;
use crate::quantize::Activations;
use crate::threads::Threads;
use crate::train::LayerTypes;

/// Returns the setting of `--weights`.
pub(super) fn weights_setting(args: &TrainArgs) -> anyhow::Result<Option<String>> {
    let weights = match args.weights {
        None => return Ok(None),
        Some(Weights::Auto) if args.from.is_none() => bail!(
            "--weights auto: it measures the sensitivity of a trained network. Train one without \
             --weights, and give its folder with --from"
        ),
        Some(Weights::Auto) if args.flash.is_none() => {
            bail!("--weights auto: the size of the model is missing. Give it, such as --flash 16K")
        }
        Some(weights) if args.flash.is_some() && weights != Weights::Auto => {
            bail!("--flash is for `--weights auto`, which chooses a type per layer: leave it out")
        }
        Some(weights) => weights,
    };
    // A choice per layer replaces it when the network is known.
    let name = weights.weight_type().unwrap_or(WeightType::Int8).name();
    Ok(Some(format!("quantization_aware.weights={name}")))
}

/// Sets the data types of the weights to those with the least loss in a model of at most this size.
/// Returns their names.
pub(super) fn mixed_weights(
    plan: &mut Plan,
    flash: usize,
    threads: &Threads,
) -> anyhow::Result<String> {
    let mut preset = plan.preset.clone();
    if preset.quantization.activations == Activations::Auto {
        // As in quantization-aware training.
        preset.quantization.activations = Activations::Int8;
    }
    let objective = plan.objective_of(&plan.network, threads);
    let (int8, _) = quantize_network(&preset, &plan.network, objective, &plan.splits, threads)?;
    let rows = judged_rows(&plan.splits);
    let mixed = mixed(&Model::parse(&int8.bytes)?, &rows, Budget::Flash(flash), threads)?;
    let list: Vec<String> = mixed.types.iter().map(|of| format!("\"{}\"", of.name())).collect();
    let setting = format!("quantization_aware.weights=[{}]", list.join(", "));
    plan.preset = plan.preset.with_settings(&[setting])?;
    Ok(weight_type_names(&mixed.types))
}

/// Text for the rounding in training, if there is any.
pub(super) fn rounding_text(preset: &Preset) -> String {
    let Some((aware, data_type)) = preset.aware() else { return String::new() };
    let weights = match &aware.weights {
        LayerTypes::All(all) => all.name().to_string(),
        LayerTypes::Each(each) => {
            each.iter().map(|weight_type| weight_type.name()).collect::<Vec<_>>().join(", ")
        }
    };
    let activations = data_type.name();
    let start = match aware.float_epochs {
        0 => String::new(),
        epochs => format!(", from epoch {} on", epochs + 1),
    };
    format!("  rounding {weights} weights, {activations} activations{start}\n")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::args::{Cli, Command};

    fn setting(words: &str) -> Result<Option<String>, String> {
        let cli = Cli::parse_from(["host-trainer", "train"].into_iter().chain(words.split(' ')));
        let Some(Command::Train(args)) = cli.command else { panic!("{words}") };
        weights_setting(&args).map_err(|error| error.to_string())
    }

    #[test]
    fn weights_are_a_setting() {
        assert_eq!(setting("digits"), Ok(None));
        let expected = Some("quantization_aware.weights=ternary".to_string());
        assert_eq!(setting("digits --weights ternary"), Ok(expected));
    }

    #[test]
    fn auto_needs_a_network_and_a_size() {
        let refused = |words: &str| setting(words).unwrap_err();
        assert!(refused("digits --weights auto --flash 2K").contains("--from"));
        assert!(refused("digits --weights auto --from a").contains("--flash 16K"));
        assert!(refused("digits --weights int4 --flash 2K").contains("leave it out"));
        assert!(setting("digits --weights auto --from a --flash 2K").unwrap().is_some());
    }
}
