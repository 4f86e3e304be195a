//! Effects of quantization on each layer.

use maud::{Markup, html};

use super::findings::LayerFindings;
use super::plot::histogram;
use crate::report::number::{grouped, percent, significant as number};

/// Summary of all layers, then the histograms of each.
pub fn section(layers: &[LayerFindings], data_type: &str) -> Markup {
    html! {
        h2 id="layers" { "Layers in " (data_type) }
        p class="faint" {
            "Signal to noise compares " (data_type) " outputs, including the errors of earlier layers, to \
             the float network's on test rows. 6 dB are one bit. Zeros cost the engine nothing."
            @if layers.iter().any(|layer| layer.logits) {
                " For logits it compares the probabilities. Their range clips improbable classes \
                 on purpose, which leaves finer steps for the probable ones."
            }
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
        false => format!("±{} to ±{}, row by row", number(fine), number(coarse)),
    };
    html! {
        section class="layer" {
            h3 { (layer.title) }
            div class="grid" {
                dl class="facts" {
                    div { dt { "outputs" } dd { (layer.data_type) ", " (number(low)) " to " (number(high)) } }
                    div { dt { "weights" } dd { (weights) } }
                    div { dt { "signal to noise" } dd { (decibel(layer.sqnr_db)) } }
                    div { dt { "zeros among outputs" } dd { (percent(layer.zeros)) } }
                    div { dt { "outputs clipped" } dd { (percent(layer.clipped)) } }
                    div { dt { "multiply-accumulates" } dd { (grouped(layer.macs)) } }
                    div { dt { "flash" } dd { (grouped(layer.flash)) " B" } }
                }
                figure {
                    figcaption { "Weights " span { "· dashed: the widest row's range" } }
                    (histogram(
                        &format!("Histogram of the weights of {}", layer.title),
                        &layer.weights, None, Some((-coarse, coarse)),
                    ))
                }
                figure {
                    figcaption {
                        "Nonzero outputs "
                        span { "· filled: float, line: " (layer.data_type) ", dashed: range" }
                    }
                    (histogram(
                        &format!("Histogram of the outputs of {}", layer.title),
                        &layer.float, Some(&layer.int8), Some(layer.range),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_noise_is_exact() {
        assert_eq!([30.04, f64::INFINITY, f64::NAN].map(decibel), ["30.0 dB", "exact", "–"]);
    }
}
