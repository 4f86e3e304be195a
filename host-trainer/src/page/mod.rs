//! Pages that run a model in a browser, with the engine of the device as WebAssembly.
//!
//! | module | content |
//! |---|---|
//! | `content` | model, float network and preprocessing of images that a page gets |
//! | `html` | the page, and the same as a section of a report |

mod content;
mod html;

pub(crate) use content::of_networks;
pub use content::{PageContent, PageError, of_model, of_run};
pub use html::{page_html, playground};
