//! Reports and pages, in a browser.

mod page;
mod page_board;
mod page_engine;
mod page_use;
mod report;
mod serve;
mod surface;
