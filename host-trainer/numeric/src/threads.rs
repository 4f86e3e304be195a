//! Thread pool for training and evaluation.

use std::hint;
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

/// Maximum number of threads.
pub const MAX_THREADS: usize = 1024;

/// Thread pool for training and evaluation.
#[derive(Debug)]
pub struct Threads {
    pool: ThreadPool,
}

impl Threads {
    /// Starts `count` threads, at most [`MAX_THREADS`]. Without a count, one thread per core.
    ///
    /// # Errors
    /// The operating system's error if it cannot start the threads.
    pub fn new(count: Option<NonZero<usize>>) -> Result<Self, ThreadPoolBuildError> {
        let count = match count {
            Some(count) => count.get().min(MAX_THREADS),
            None => thread::available_parallelism().map_or(1, NonZero::get),
        };
        Ok(Threads { pool: ThreadPoolBuilder::new().num_threads(count).build()? })
    }

    /// Returns the number of threads.
    pub fn count(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// Runs `work` on one of the threads. Inside, [`rayon::join`] and parallel iterators use all
    /// threads.
    pub fn install<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        self.pool.install(work)
    }

    /// Runs `work` as [`install`](Self::install) does, and keeps `awake` threads, including that of
    /// `work`, spinning until it ends. Waking a sleeping thread takes longer than a mini-batch of a
    /// small network.
    pub fn install_awake<R: Send>(&self, awake: usize, work: impl FnOnce() -> R + Send) -> R {
        let count = self.count();
        if awake.min(count) < 2 {
            return self.install(work);
        }
        let over = AtomicBool::new(false);
        self.pool.install(|| {
            let own = rayon::current_thread_index().unwrap_or(0);
            rayon::scope(|scope| {
                scope.spawn_broadcast(|_, context| {
                    let place = (context.index() + count - own) % count;
                    if (1..awake).contains(&place) {
                        stay_awake(&over);
                    }
                });
                let _end = Set(&over);
                work()
            })
        })
    }
}

/// Steals work until `over` is set.
fn stay_awake(over: &AtomicBool) {
    let mut patience = Patience::default();
    while !over.load(Ordering::Relaxed) {
        match rayon::yield_now() {
            Some(rayon::Yield::Executed) => patience = Patience::default(),
            _ => patience.wait(),
        }
    }
}

/// Spin-wait for another thread that will finish soon.
#[derive(Default)]
struct Patience(u32);

impl Patience {
    /// Spins for some nanoseconds. After many spins it yields to the operating system, because the
    /// other thread may be waiting for this core.
    fn wait(&mut self) {
        /// Some tens of microseconds.
        const SPINS: u32 = 1000;
        match self.0 {
            SPINS.. => thread::yield_now(),
            _ => self.0 += 1,
        }
        hint::spin_loop();
    }
}

/// Sets a flag when it goes out of scope, also during a panic.
struct Set<'a>(&'a AtomicBool);

impl Drop for Set<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// [`rayon::join`] with spin-waiting: the side that finishes first waits for the other without
/// sleeping.
pub fn join(left: impl FnOnce() + Send, right: impl FnOnce() + Send) {
    let (begun, done) = (AtomicBool::new(false), AtomicBool::new(false));
    rayon::join(
        || {
            left();
            let mut patience = Patience::default();
            // If no other thread has begun it, rayon runs it here.
            while begun.load(Ordering::Relaxed) && !done.load(Ordering::Acquire) {
                patience.wait();
            }
        },
        || {
            begun.store(true, Ordering::Relaxed);
            let _end = Set(&done);
            right();
        },
    );
}

/// Calls `work` with each element and its index, in parallel.
pub fn for_each_parallel<W: Send>(
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
            join(
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

    #[test]
    fn awake_threads_give_the_same_and_end_with_the_work() {
        let threads = Threads::new(NonZero::new(3)).unwrap();
        for awake in 0..5 {
            let sum = threads.install_awake(awake, || {
                let mut items = vec![0; 7];
                for _ in 0..100 {
                    for_each_parallel(&mut items, 0, &|index, item| *item += index);
                }
                items.iter().sum::<usize>()
            });
            assert_eq!(sum, 2100);
        }
        assert_eq!(threads.install(|| 1), 1, "all threads are free again");
    }

    #[test]
    fn a_panic_on_either_side_ends_the_wait() {
        let threads = Threads::new(NonZero::new(2)).unwrap();
        for place in 0..2 {
            let work = |index, _: &mut ()| assert_ne!(index, place, "on purpose");
            let run = || {
                threads.install_awake(2, || for_each_parallel(&mut [(); 2], 0, &work));
            };
            assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).is_err());
        }
    }
}
