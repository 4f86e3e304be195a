//! Page of a search: plots and table of its front.

use maud::html;

use super::features::image;
use super::page::page;
use crate::report::svg::ScatterPlot;

/// Content of the page.
#[derive(Clone, Copy, Debug)]
pub struct SearchPage<'a> {
    /// Title.
    pub title: &'a str,
    /// Summary in a sentence or two.
    pub summary: &'a str,
    /// Plots.
    pub plots: &'a [ScatterPlot<'a>],
    /// Titles of the table's columns.
    pub titles: &'a [String],
    /// Rows of the table, with as many cells as titles.
    pub rows: &'a [Vec<String>],
    /// Path of the report of each row, if it has one.
    pub reports: &'a [Option<String>],
}

/// Returns the page.
pub fn search_html(search: &SearchPage<'_>) -> String {
    let SearchPage { title, summary, plots, titles, rows, reports } = *search;
    let body = html! {
        header {
            h1 { (title) }
            p class="note" { (summary) "." }
        }
        div class="pictures grid" { @for plot in plots { figure { (image(plot)) } } }
        table class="stack" {
            thead { tr { @for title in titles { th scope="col" { (title) } } } }
            tbody { @for (row, report) in rows.iter().zip(reports) { tr {
                @for (column, (cell, title)) in row.iter().zip(titles).enumerate() {
                    @match (column, report) {
                        (0, Some(report)) => th scope="row" { a href=(report) { (cell) } },
                        (0, None) => th scope="row" { (cell) },
                        _ => td data-column=(title) { (cell) },
                    }
                }
            } } }
        }
    };
    page(title, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_link_to_their_reports() {
        let titles = ["run", "network"].map(String::from);
        let rows = ["01", "02"].map(|run| vec![run.to_string(), "4-2<3".to_string()]);
        let reports = [Some("01/report.html".to_string()), None];
        let page = search_html(&SearchPage {
            title: "t",
            summary: "s",
            plots: &[],
            titles: &titles,
            rows: &rows,
            reports: &reports,
        });
        assert!(page.contains("<a href=\"01/report.html\">01</a>") && page.contains("4-2&lt;3"));
        assert!(page.contains("<th scope=\"row\">02</th>"), "{page}");
    }
}
