//! `host-trainer train --weights`: data types of the weights in quantization-aware training.

use anyhow::bail;
use model_format::{Model, WeightType};

use super::args::TrainArgs;
use super::weights::{Target, Weights};
use crate::choice::{Budget, judged_rows, mixed, quantize_network, weight_type_names};
use crate::experiment::Plan;
use crate::preset::Preset;
use crate::quantize::Activations;
use crate::report::grouped;
use crate::threads::Threads;
use crate::train::LayerTypes;

/// Returns the setting of `--weights`.
pub(super) fn weights_setting(args: &TrainArgs) -> anyhow::Result<Option<String>> {
    args.budget.refuse_unused(args.weights == Some(Weights::Auto))?;
    let weights = match args.weights {
        None => return Ok(None),
        Some(Weights::Auto) if args.from.is_none() => bail!(
            "--weights auto: it measures the sensitivity of a trained network. Train one without \
             --weights, and give its folder with --from"
        ),
        Some(weights) => weights,
    };
    // A choice per layer replaces it when the network is known.
    let name = weights.weight_type().unwrap_or(WeightType::Int8).name();
    Ok(Some(format!("quantization_aware.weights={name}")))
}

/// Returns the budget of `--weights auto`.
///
/// # Errors
/// --cycles for a core, which has no predicted cycles.
pub(super) fn budget_of(args: &TrainArgs) -> anyhow::Result<Budget> {
    let chip = match (args.budget.cycles, args.target) {
        (Some(_), Some(Target::Core(core))) => bail!(
            "--for {}: --cycles needs a chip, since its memory takes cycles, too. Give one, such as \
             --for nRF51822; `inspect RUN --for list` shows all",
            core.to_string().to_lowercase()
        ),
        (_, target) => target.and_then(Target::chip),
    };
    Ok(args.budget.budget(chip))
}

/// Sets the data types of the weights to those that quantization after training takes for this
/// budget. Returns their names, behind the budget.
pub(super) fn mixed_weights(
    plan: &mut Plan,
    budget: Budget,
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
    let mixed = mixed(&Model::parse(&int8.bytes)?, &rows, budget, threads)?;
    let list: Vec<String> = mixed.types.iter().map(|of| format!("\"{}\"", of.name())).collect();
    let setting = format!("quantization_aware.weights=[{}]", list.join(", "));
    plan.preset = plan.preset.with_settings(&[setting])?;
    Ok(format!("weights {}: {}", budget_text(budget), weight_type_names(&mixed.types)))
}

/// Text for a budget.
fn budget_text(budget: Budget) -> String {
    match budget {
        Budget::Flash(most) => format!("for {} bytes", grouped(most as u64)),
        Budget::Cycles(most, chip) => format!("for {} cycles on {}", grouped(most), chip.name),
        Budget::Loss(most) => format!("for a loss of {most} at most, before training"),
    }
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
    use crate::pack::Core;

    fn arguments(words: &str) -> Result<TrainArgs, String> {
        let words = ["host-trainer", "train"].into_iter().chain(words.split(' '));
        let cli = Cli::try_parse_from(words).map_err(|error| error.to_string())?;
        let Some(Command::Train(args)) = cli.command else { panic!("another command") };
        Ok(args)
    }

    fn setting(words: &str) -> Result<Option<String>, String> {
        weights_setting(&arguments(words)?).map_err(|error| error.to_string())
    }

    #[test]
    fn weights_are_a_setting() {
        assert_eq!(setting("digits"), Ok(None));
        let expected = Some("quantization_aware.weights=ternary".to_string());
        assert_eq!(setting("digits --weights ternary"), Ok(expected));
    }

    #[test]
    fn auto_needs_a_network() {
        let refused = |words: &str| setting(words).unwrap_err();
        assert!(refused("digits --weights auto --flash 2K").contains("--from"));
        assert!(refused("digits --weights int4 --flash 2K").contains("leave it out"));
        assert!(refused("digits --cycles 2k --for nRF51822").contains("leave it out"));
        assert!(setting("digits --weights auto --from a --flash 2K").unwrap().is_some());
        assert!(setting("digits --weights auto --from a").unwrap().is_some());
    }

    #[test]
    fn budgets_are_those_of_quantize() {
        let budget = |words: &str| {
            let args = arguments(&format!("digits --weights auto --from a {words}"))?;
            budget_of(&args).map_err(|error| error.to_string())
        };
        assert_eq!(budget("--budget 1.5"), Ok(Budget::Loss(1.5)));
        assert_eq!(budget("--flash 2K"), Ok(Budget::Flash(2048)));
        assert_eq!(budget("--flash 2K --for cortex-m0"), Ok(Budget::Flash(2048)));
        let Ok(Budget::Cycles(2000, chip)) = budget("--cycles 2k --for nrf51822") else { panic!() };
        assert_eq!(chip.name, "nRF51822");
        assert!(budget("--cycles 2k").unwrap_err().contains("--for"));
        assert!(budget("--cycles 2k --for cortex-m0").unwrap_err().contains("needs a chip"));
        assert!(budget("--cycles 2k --flash 2K --for nRF51822").is_err());
        let unknown = budget("--for z80").unwrap_err();
        assert!(unknown.contains("cortex-m0, ") && unknown.contains("--for list"), "{unknown}");
        // A chip packs for its core.
        let target = arguments("digits --for nRF51822").unwrap().target.unwrap();
        assert_eq!(target.core(), Core::CortexM0);
    }
}
