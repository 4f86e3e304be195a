//! Progress reports while a dataset is read.

use std::fmt;
use std::sync::Arc;

/// Receiver of progress while a dataset is read. The default ignores it.
#[derive(Clone, Default)]
pub struct LoadProgress(Option<Arc<Observer>>);

type Observer = dyn Fn(usize, usize) + Send + Sync;

impl LoadProgress {
    /// Creates a receiver that calls a function with the number of finished items and the total.
    pub fn new(observer: impl Fn(usize, usize) + Send + Sync + 'static) -> Self {
        LoadProgress(Some(Arc::new(observer)))
    }

    /// Reports that `done` of `all` items are read.
    pub(super) fn report(&self, done: usize, all: usize) {
        if let Some(observer) = &self.0 {
            observer(done, all);
        }
    }
}

impl fmt::Debug for LoadProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "LoadProgress(observed)" } else { "LoadProgress" })
    }
}
