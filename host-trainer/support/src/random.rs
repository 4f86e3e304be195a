//! Reproducible random numbers: ChaCha8 streams of one seed.
//!
//! Each use has its own stream, so that one more random number in one place does not change any
//! other.

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;

/// Use of random numbers. The discriminant is the ChaCha stream. Never reuse or change one, or old
/// presets train to other weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Stream {
    /// Splits of the data.
    Split = 1,
    /// Initial weights.
    Weights = 2,
    /// Shuffling of the training rows in each epoch.
    Shuffle = 3,
    /// Data augmentation.
    Augmentation = 4,
    /// Synthetic data.
    Data = 5,
    /// Initial places of UMAP.
    Layout = 6,
    /// Negative samples of UMAP.
    NegativeSamples = 7,
    /// Rows that a report shows as examples.
    Examples = 8,
    /// Inputs of an imported model's self-tests.
    SelfTests = 16,
    /// Inputs on which a packed model is compared with the original.
    Packing = 17,
}

/// Returns the generator for one use of a seed.
pub fn stream(seed: u64, stream: Stream) -> ChaCha8Rng {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    generator.set_stream(stream as u64);
    generator
}

/// Returns `count` different indices below `len`, or all if there are fewer, in random order.
pub fn choose(seed: u64, use_of_seed: Stream, count: usize, len: usize) -> Vec<usize> {
    let mut generator = stream(seed, use_of_seed);
    let mut indices: Vec<usize> = (0..len).collect();
    let (chosen, _) = indices.partial_shuffle(&mut generator, count);
    chosen.to_vec()
}

#[cfg(test)]
mod tests {
    use rand::RngExt;

    use super::*;

    #[test]
    fn the_numbers_of_a_seed_are_fixed() {
        // Pinned: if a new version of the generator drew other numbers, every preset would train
        // to other weights, and that must not pass unseen.
        let mut generator = stream(1, Stream::Weights);
        let drawn: [u32; 2] = [generator.random(), generator.random()];
        assert_eq!(drawn, [2_436_003_126, 3_764_084_094]);
        let order: Vec<u32> = {
            use rand::seq::SliceRandom;
            let mut order: Vec<u32> = (0..8).collect();
            order.shuffle(&mut stream(1, Stream::Shuffle));
            order
        };
        assert_eq!(order, [2, 6, 5, 1, 0, 4, 3, 7]);
    }

    #[test]
    fn streams_and_seeds_differ() {
        let first = |seed, which| stream(seed, which).random::<u64>();
        assert_ne!(first(1, Stream::Split), first(1, Stream::Weights));
        assert_ne!(first(1, Stream::Split), first(2, Stream::Split));
    }
}
