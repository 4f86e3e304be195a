//! Table of the float network's layers.

use maud::{Markup, html};

use crate::report::architecture::{LayerSummary, number_text};
use crate::report::number::grouped;

/// Returns the table of layers, with output widths and parameters.
pub fn table(layers: &[LayerSummary]) -> Markup {
    let total: usize = layers.iter().map(|layer| layer.parameters).sum();
    html! {
        h3 { "Float network" }
        table class="stack" {
            thead { tr {
                th scope="col" { "layer" } th scope="col" { "kind" } th scope="col" { "name" }
                th scope="col" { "outputs" } th scope="col" { "parameters" }
            } }
            tbody {
                @for layer in layers { tr {
                    th scope="row" { (number_text(layer)) }
                    td data-column="kind" { (layer.kind) }
                    td data-column="name" { (layer.name) }
                    td data-column="outputs" { (grouped(layer.outputs as u64)) }
                    td data-column="parameters" { (grouped(layer.parameters as u64)) }
                } }
                tr {
                    th scope="row" { "total" } td {} td {} td {}
                    td data-column="parameters" { (grouped(total as u64)) }
                }
            }
        }
    }
}
