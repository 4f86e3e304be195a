//! Worker threads that live as long as the command.

use std::num::NonZero;
use std::thread;

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

/// Threads that training and evaluation spread their work over.
#[derive(Debug)]
pub struct Threads {
    pool: ThreadPool,
}

impl Threads {
    /// So many threads, or as many as the machine has cores.
    ///
    /// # Errors
    /// What the system says when it starts no more threads.
    pub fn new(count: Option<NonZero<usize>>) -> Result<Self, ThreadPoolBuildError> {
        let count = match count {
            Some(count) => count.get(),
            None => thread::available_parallelism().map_or(1, NonZero::get),
        };
        Ok(Threads { pool: ThreadPoolBuilder::new().num_threads(count).build()? })
    }

    /// Number of threads.
    pub fn count(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// Runs `work` on one of the threads; in it, [`rayon::join`] and parallel iterators use them
    /// all.
    pub fn install<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        self.pool.install(work)
    }
}

/// Calls `work` with each element and its index, spread over the threads.
pub(super) fn for_each_parallel<W: Send>(
    items: &mut [W],
    first: usize,
    work: &(impl Fn(usize, &mut W) + Sync),
) {
    match items {
        [] => {}
        [item] => work(first, item),
        _ => {
            let middle = items.len() / 2;
            let (left, right) = items.split_at_mut(middle);
            rayon::join(
                || for_each_parallel(left, first, work),
                || for_each_parallel(right, first + middle, work),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_element_is_visited_once_with_its_index() {
        let threads = Threads::new(NonZero::new(3)).unwrap();
        assert_eq!(threads.count(), 3);
        for length in 0..9 {
            let mut items = vec![0; length];
            threads.install(|| for_each_parallel(&mut items, 0, &|index, item| *item += index + 1));
            assert!(items.into_iter().eq(1..=length));
        }
    }
}
