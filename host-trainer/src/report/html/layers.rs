//! What quantization did to each layer.

use maud::{Markup, html};

use super::findings::LayerFindings;
use super::plot::histogram;
use crate::report::number::{grouped, percent};

/// A summary of all layers, then each with its histograms.
pub fn section(layers: &[LayerFindings], precision: &str) -> Markup {
    html! {
        h2 id="layers" { "Layers in " (precision) }
        p class="faint" {
            "Signal to noise compares " (precision) " outputs, with all that went wrong before them, to the \
             float network's on test rows: 6 dB are one bit. Zeros cost the engine nothing."
        }
        table class="stack" {
            thead { tr {
                th scope="col" { "layer" } th scope="col" { "signal to noise" }
                th scope="col" { "zeros" } th scope="col" { "clipped" }
                th scope="col" { "MACs" } th scope="col" { "flash, bytes" }
            } }
            tbody { @for layer in layers { tr {
                th scope="row" { (layer.title) }
                td data-column="signal to noise" { (decibel(layer.sqnr_db)) }
                td data-column="zeros" { (percent(layer.zeros)) }
                td data-column="clipped" { (percent(layer.clipped)) }
                td data-column="MACs" { (grouped(layer.macs)) }
                td data-column="flash, bytes" { (grouped(layer.flash)) }
            } } }
        }
        @for layer in layers { (card(layer)) }
    }
}

fn card(layer: &LayerFindings) -> Markup {
    let (low, high) = layer.range;
    let (fine, coarse) = layer.weight_range;
    let weights = match fine == coarse {
        true => format!("±{}", number(coarse)),
        false => format!("±{} to ±{}, each row its own", number(fine), number(coarse)),
    };
    html! {
        section class="layer" {
            h3 { (layer.title) }
            dl class="facts" {
                div { dt { "outputs" } dd { (layer.precision) ", " (number(low)) " to " (number(high)) } }
                div { dt { "weights" } dd { (weights) } }
                div { dt { "signal to noise" } dd { (decibel(layer.sqnr_db)) } }
                div { dt { "zeros" } dd { (percent(layer.zeros)) } }
                div { dt { "clipped" } dd { (percent(layer.clipped)) } }
            }
            div class="pair grid" {
                figure {
                    figcaption { "Weights " span { "· dashed: the widest row's range" } }
                    (histogram(
                        &format!("Histogram of the weights of {}", layer.title),
                        &layer.weights, None, (-coarse, coarse),
                    ))
                }
                figure {
                    figcaption {
                        "Outputs other than 0 "
                        span { "· filled: float, line: " (layer.precision) ", dashed: the chosen range" }
                    }
                    (histogram(
                        &format!("Histogram of the outputs of {}", layer.title),
                        &layer.float, Some(&layer.int8), layer.range,
                    ))
                }
            }
        }
    }
}

fn decibel(value: f64) -> String {
    match value {
        v if v.is_nan() => "–".to_string(),
        v if v.is_infinite() => "exact".to_string(),
        v => format!("{v:.1} dB"),
    }
}

/// Three significant digits, a true minus.
pub(super) fn number(value: f64) -> String {
    let magnitude = value.abs();
    let decimals = match magnitude {
        0.0 => 0,
        m if m < 1e-4 => return format!("{value:.2e}").replace('-', "−"),
        m => (2.0 - m.log10().floor()).clamp(0.0, 6.0) as usize,
    };
    let sign = if value < 0.0 { "−" } else { "" };
    format!("{sign}{magnitude:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits() {
        assert_eq!(
            [-0.012_34, 1.5, 123.4, 1e9, 0.0, -2e-7].map(number),
            ["−0.0123", "1.50", "123", "1000000000", "0", "−2.00e−7"]
        );
        assert_eq!([30.04, f64::INFINITY, f64::NAN].map(decibel), ["30.0 dB", "exact", "–"]);
    }
}
