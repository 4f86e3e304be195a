//! `--max-loss`: an exit code for the loss of quantization.

use anyhow::bail;
use clap::Args;

use crate::choice::QuantizationLoss;
use crate::evaluate::Evaluation;

/// Bound of `--max-loss`.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct MaxLoss {
    /// Exit with code 1 if quantization loses more than this: points of accuracy, or percent of the
    /// squared error. All files are written in any case
    #[arg(long, value_name = "POINTS", value_parser = super::quantities::budget)]
    pub max_loss: Option<f64>,
}

impl MaxLoss {
    /// Compares the quantization loss with the bound, if one is given.
    ///
    /// # Errors
    /// Returns the loss and the bound.
    pub fn check(self, float: &Evaluation, quantized: &Evaluation) -> anyhow::Result<()> {
        let Some(most) = self.max_loss else { return Ok(()) };
        let (lost, what) = match QuantizationLoss::between(float, quantized) {
            QuantizationLoss::Accuracy(lost) => (lost * 100.0, "points of accuracy"),
            QuantizationLoss::SquaredError(ratio) => {
                ((ratio - 1.0) * 100.0, "percent of the squared error")
            }
        };
        // Tolerates rounding in the sum.
        if lost > most + 1e-9 {
            bail!(
                "quantization costs {lost:.3} {what}, more than the {most} of --max-loss. All files \
                 are written. Try activations = \"int16\" in [quantization], or raise --max-loss"
            );
        }
        Ok(())
    }
}
