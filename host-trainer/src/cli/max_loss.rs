//! `--max-loss`: an exit code for what quantization costs.

use anyhow::bail;
use clap::Args;

use crate::evaluate::Evaluation;
use crate::experiment::QuantizationLoss;

/// The bound of `--max-loss`.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct MaxLoss {
    /// Exit with code 1 if quantization costs more than this: points of accuracy, or percent of the
    /// squared error. Everything is written all the same
    #[arg(long, value_name = "POINTS", value_parser = super::quantize::budget)]
    pub max_loss: Option<f64>,
}

impl MaxLoss {
    /// Compares the loss of quantization with the bound, where one is given.
    ///
    /// # Errors
    /// Both figures, in words.
    pub fn check(self, float: &Evaluation, quantized: &Evaluation) -> anyhow::Result<()> {
        let Some(most) = self.max_loss else { return Ok(()) };
        let (lost, what) = match QuantizationLoss::between(float, quantized) {
            QuantizationLoss::Accuracy(lost) => (lost * 100.0, "points of accuracy"),
            QuantizationLoss::SquaredError(ratio) => {
                ((ratio - 1.0) * 100.0, "percent of the squared error")
            }
        };
        // A hair more than the bound comes of adding up in floating point.
        if lost > most + 1e-9 {
            bail!(
                "quantization costs {lost:.3} {what}, more than the {most} of --max-loss. All files \
                 are written. Try activations = \"int16\" in [quantization], or raise --max-loss"
            );
        }
        Ok(())
    }
}
