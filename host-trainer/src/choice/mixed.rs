//! Mixed precision: a data type for the weights of each layer, by the measured sensitivity of single
//! layers.

use model_format::{Model, WeightType};

use super::{ChoiceError, QuantizationLoss};
use crate::chips::{Chip, ChipError, NoTime};
use crate::data::Subset;
use crate::evaluate::{Evaluation, evaluate_int8};
use crate::pack::{PackError, pack};
use crate::quantize::weights::{dense_layers, with_weights};
use crate::threads::Threads;

/// Maximum number of combinations that are kept while layers are combined.
const MOST_KEPT: usize = 4096;

/// Maximum number of combinations whose models are evaluated.
const MOST_TRIED: usize = 24;

/// Bound of a choice of data types.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Budget {
    /// Largest size of the model file in bytes. The choice has the least loss.
    Flash(usize),
    /// Largest number of core cycles of an inference on a chip, as predicted for the model packed for
    /// its core. The choice has the least loss.
    Cycles(u64, &'static Chip),
    /// Largest loss relative to int8 weights, in points of accuracy or percent of the squared error.
    /// The choice has the smallest file.
    Loss(f64),
}

/// Reasons why no combination of data types is chosen.
#[derive(Debug, thiserror::Error)]
pub enum MixedError {
    /// No combination fits.
    #[error(
        "{option} {budget}: the smallest model has {smallest} {unit}, {} more, with {types} weights. \
         Give its layers fewer units, or allow more {unit}",
        .smallest - .budget
    )]
    TooLarge {
        /// Option of the bound.
        option: &'static str,
        /// Unit of the bound.
        unit: &'static str,
        /// The bound.
        budget: u64,
        /// Bytes or cycles of the model that has the fewest.
        smallest: u64,
        /// Its data types.
        types: String,
    },
    /// The trained model does not fit.
    #[error(
        "{option} {budget}: the trained model has {amount} {unit}, {} more, though its data types fit \
         before training. Allow more {unit}, or train again for fewer",
        .amount - .budget
    )]
    Beyond {
        /// Option of the bound.
        option: &'static str,
        /// Unit of the bound.
        unit: &'static str,
        /// The bound.
        budget: u64,
        /// Bytes or cycles of the model.
        amount: u64,
    },
    /// A model cannot be packed for the chip.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// A model does not run on the chip.
    #[error(transparent)]
    Chip(#[from] ChipError),
    /// The cycles on the chip are not predicted.
    #[error("--cycles: {chip}: {reason}. Leave --cycles out")]
    NoCycles {
        /// Name of the chip.
        chip: &'static str,
        /// The reason.
        reason: NoTime,
    },
    /// A model cannot be made or evaluated.
    #[error(transparent)]
    Choice(#[from] ChoiceError),
}

/// A combination of data types with its model.
#[derive(Clone, Debug, PartialEq)]
pub struct Mixed {
    /// Data type of the weights of each dense layer.
    pub types: Vec<WeightType>,
    /// The model file.
    pub bytes: Vec<u8>,
}

/// The bound of a [`Budget`].
enum Bound {
    /// Largest amount, with the option and the unit.
    Most(&'static str, &'static str, u64),
    /// Largest loss.
    Loss(f64),
}

impl Budget {
    fn bound(self) -> Bound {
        match self {
            Budget::Flash(most) => Bound::Most("--flash", "bytes", most as u64),
            Budget::Cycles(most, _) => Bound::Most("--cycles", "cycles", most),
            Budget::Loss(most) => Bound::Loss(most),
        }
    }

    /// Checks that a model is within the bound of its size or cycles.
    ///
    /// # Errors
    /// [`MixedError::Beyond`] for a larger one.
    pub fn check(self, bytes: &[u8]) -> Result<(), MixedError> {
        let Bound::Most(option, unit, budget) = self.bound() else { return Ok(()) };
        match self.amount(bytes)? {
            amount if amount > budget => Err(MixedError::Beyond { option, unit, budget, amount }),
            _ => Ok(()),
        }
    }

    /// Returns the amount of a model that is bounded, or made small: bytes of the file, or cycles.
    fn amount(self, bytes: &[u8]) -> Result<u64, MixedError> {
        let Budget::Cycles(_, chip) = self else { return Ok(bytes.len() as u64) };
        let packed = pack(&Model::parse(bytes).map_err(ChoiceError::from)?, chip.core)?;
        let model = Model::parse(&packed).map_err(ChoiceError::from)?;
        match chip.predict(&model)?.time {
            Ok(time) => Ok(time.cycles),
            Err(reason) => Err(MixedError::NoCycles { chip: chip.name, reason }),
        }
    }
}

/// A data type of a layer: bytes or cycles that it saves, and loss that it adds.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Narrowing {
    weight_type: WeightType,
    saved: u64,
    loss: f64,
}

/// A combination of data types of the first layers.
#[derive(Clone, Debug, PartialEq)]
struct Combination {
    types: Vec<WeightType>,
    saved: u64,
    loss: f64,
}

/// Chooses the data types of a model's weights within a budget. `model` has int8 weights.
///
/// The sensitivity of a layer is the loss on the rows when it alone has a data type. The losses of
/// several layers are taken to add up, so that layers × types models are evaluated, and not the
/// product of all. For a loss budget, the models on the front of size and predicted loss are
/// evaluated from the smallest on, until one is within the budget.
///
/// # Errors
/// [`MixedError::TooLarge`] with the smallest size if no combination fits into the flash or the cycles.
pub fn mixed(
    model: &Model<'_>,
    rows: &Subset,
    budget: Budget,
    threads: &Threads,
) -> Result<Mixed, MixedError> {
    let layers = dense_layers(model).count();
    let make = |types: &[WeightType]| with_weights(model, types).map_err(ChoiceError::from);
    let evaluate = |bytes: &[u8]| -> Result<Evaluation, ChoiceError> {
        Ok(evaluate_int8(&Model::parse(bytes)?, rows, threads)?)
    };
    let widest = make(&vec![WeightType::Int8; layers])?;
    let widest_amount = budget.amount(&widest)?;
    let reference = evaluate(&widest)?;
    let mut narrowings = Vec::with_capacity(layers);
    for layer in 0..layers {
        let mut options = vec![Narrowing { weight_type: WeightType::Int8, saved: 0, loss: 0.0 }];
        for weight_type in [WeightType::Int4, WeightType::Int2, WeightType::Ternary] {
            let mut types = vec![WeightType::Int8; layers];
            types[layer] = weight_type;
            let bytes = make(&types)?;
            let saved = widest_amount.saturating_sub(budget.amount(&bytes)?);
            if saved > 0 {
                // Noise of few rows is no gain.
                let loss = (figure(&evaluate(&bytes)?) - figure(&reference)).max(0.0);
                options.push(Narrowing { weight_type, saved, loss });
            }
        }
        narrowings.push(options);
    }
    let front = front(&narrowings);
    match budget.bound() {
        Bound::Most(option, unit, most) => {
            // From the least loss on: savings of single layers add up but for padding.
            for combination in front.iter().rev() {
                if widest_amount.saturating_sub(combination.saved) <= most {
                    let bytes = make(&combination.types)?;
                    if budget.amount(&bytes)? <= most {
                        return Ok(Mixed { types: combination.types.clone(), bytes });
                    }
                }
            }
            let types = front.first().map_or(Vec::new(), |smallest| smallest.types.clone());
            let bytes = make(&types)?;
            // Layers that had fewer bits before keep them.
            let smallest = Model::parse(&bytes).map_err(ChoiceError::from)?;
            let types: Vec<WeightType> =
                dense_layers(&smallest).map(|dense| dense.layout.weight_type()).collect();
            let types = names(&types);
            let smallest = budget.amount(&bytes)?;
            Err(MixedError::TooLarge { option, unit, budget: most, smallest, types })
        }
        Bound::Loss(most) => {
            let every = front.len().div_ceil(MOST_TRIED).max(1);
            for combination in front.iter().step_by(every) {
                let bytes = make(&combination.types)?;
                let lost = match QuantizationLoss::between(&reference, &evaluate(&bytes)?) {
                    QuantizationLoss::Accuracy(lost) => lost * 100.0,
                    QuantizationLoss::SquaredError(ratio) => (ratio - 1.0) * 100.0,
                };
                // Tolerates rounding in the difference.
                if lost <= most + 1e-9 {
                    return Ok(Mixed { types: combination.types.clone(), bytes });
                }
            }
            Ok(Mixed { types: vec![WeightType::Int8; layers], bytes: widest })
        }
    }
}

/// Returns the names of data types, first layer first; one if all are the same.
pub fn names(types: &[WeightType]) -> String {
    match types.split_first() {
        Some((first, rest)) if rest.iter().all(|other| other == first) => first.name().to_string(),
        _ => types.iter().map(|of| of.name()).collect::<Vec<_>>().join(", "),
    }
}

/// Returns the figure whose increases add up: the cross-entropy, or the squared error of all outputs
/// relative to the variance of the targets.
fn figure(evaluation: &Evaluation) -> f64 {
    match (&evaluation.ranking, &evaluation.regression) {
        (Some(ranking), _) => ranking.log_loss,
        (None, Some(_)) => {
            evaluation.per_output.iter().map(|output| 1.0 - output.errors.r_squared).sum()
        }
        (None, None) => 0.0,
    }
}

/// Returns the combinations of which no other saves as much with less loss, the smallest file first.
fn front(narrowings: &[Vec<Narrowing>]) -> Vec<Combination> {
    let mut kept = vec![Combination { types: Vec::new(), saved: 0, loss: 0.0 }];
    for options in narrowings {
        let mut longer: Vec<Combination> = Vec::with_capacity(kept.len() * options.len());
        for combination in &kept {
            for option in options {
                let mut types = combination.types.clone();
                types.push(option.weight_type);
                longer.push(Combination {
                    types,
                    saved: combination.saved + option.saved,
                    loss: combination.loss + option.loss,
                });
            }
        }
        longer.sort_by(|a, b| b.saved.cmp(&a.saved).then(a.loss.total_cmp(&b.loss)));
        kept.clear();
        for combination in longer {
            if kept.last().is_none_or(|last: &Combination| combination.loss < last.loss) {
                kept.push(combination);
            }
        }
        if kept.len() > MOST_KEPT {
            // The smallest and the most exact one stay.
            let last = kept.len() - 1;
            kept = (0..MOST_KEPT).map(|k| kept[k * last / (MOST_KEPT - 1)].clone()).collect();
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::choice::{judged_rows, quantize_network};
    use crate::data::Locations;
    use crate::experiment::Plan;
    use crate::preset::find;
    use crate::train::StopFlag;

    fn option(weight_type: WeightType, saved: u64, loss: f64) -> Narrowing {
        Narrowing { weight_type, saved, loss }
    }

    #[test]
    fn the_front_has_no_combination_that_another_beats() {
        use WeightType::{Int4, Int8, Ternary};
        let layers = [
            vec![option(Int8, 0, 0.0), option(Int4, 100, 0.1), option(Ternary, 150, 5.0)],
            vec![option(Int8, 0, 0.0), option(Int4, 10, 3.0), option(Ternary, 15, 4.0)],
        ];
        let found: Vec<_> = front(&layers).into_iter().map(|c| (c.saved, c.types)).collect();
        let expected = [
            (165, vec![Ternary, Ternary]),
            (160, vec![Ternary, Int4]),
            (150, vec![Ternary, Int8]),
            (115, vec![Int4, Ternary]),
            (110, vec![Int4, Int4]),
            (100, vec![Int4, Int8]),
            (0, vec![Int8, Int8]),
        ];
        assert_eq!(found, expected);
        // int4 that loses more than ternary is no choice.
        let worse = [vec![option(Int8, 0, 0.0), option(Int4, 5, 2.0), option(Ternary, 9, 1.0)]];
        assert_eq!(front(&worse).len(), 2);
    }

    #[test]
    fn budgets_are_kept_or_missed_by_a_number_of_bytes() {
        let preset = find("digits").unwrap().with_settings(&["training.epochs=10".into()]).unwrap();
        let plan = Plan::new(preset, &Locations::default()).unwrap();
        let threads = Threads::new(None).unwrap();
        let run = plan.run(&threads, &StopFlag::default(), None, &mut ()).unwrap();
        let (network, splits) = (&run.outcome.network, &run.splits);
        let (int8, _) =
            quantize_network(&run.preset, network, run.objective, splits, &threads).unwrap();
        let model = Model::parse(&int8.bytes).unwrap();
        let rows = judged_rows(splits);
        let choose = |budget| mixed(&model, &rows, budget, &threads);
        let all = choose(Budget::Flash(int8.bytes.len())).unwrap();
        assert!(all.types.iter().all(|of| *of == WeightType::Int8), "{:?}", all.types);
        let error = choose(Budget::Flash(1000)).unwrap_err().to_string();
        let types = [WeightType::Int8, WeightType::Int4, WeightType::Int2, WeightType::Ternary];
        let pairs = types.iter().flat_map(|a| types.iter().map(move |b| [*a, *b]));
        let sizes = pairs.map(|pair| with_weights(&model, &pair).unwrap().len());
        let smallest = sizes.min().unwrap();
        let expected = format!("has {smallest} bytes, {} more, with ", smallest - 1000);
        assert!(error.contains(&expected), "{error}");
        assert!(Budget::Flash(int8.bytes.len()).check(&int8.bytes).is_ok());
        let error = Budget::Flash(int8.bytes.len() - 7).check(&int8.bytes).unwrap_err().to_string();
        assert!(error.contains(&format!("has {} bytes, 7 more", int8.bytes.len())), "{error}");
        let middle = (int8.bytes.len() + smallest) / 2;
        let fits = choose(Budget::Flash(middle)).unwrap();
        assert!(fits.bytes.len() <= middle && fits.bytes.len() > smallest);
        let anything = choose(Budget::Loss(100.0)).unwrap();
        assert_eq!(anything.bytes.len(), smallest);
        let nothing = choose(Budget::Loss(0.0)).unwrap();
        let reference = evaluate_int8(&model, &rows, &threads).unwrap();
        let after = Model::parse(&nothing.bytes).unwrap();
        let after = evaluate_int8(&after, &rows, &threads).unwrap();
        assert!(after.confusion.accuracy() >= reference.confusion.accuracy());
    }
}
