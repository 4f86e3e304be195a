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

/// The finalizer of SplitMix64, a bijection whose output bits depend on all input bits: Steele, Lea
/// and Flood, *Fast splittable pseudorandom number generators*, 2014. It is for counter-based random
/// numbers.
pub fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// SplitMix64, a generator whose start costs nothing: one per image, for a few numbers each.
#[derive(Clone, Debug)]
pub struct SplitMix(u64);

impl SplitMix {
    /// Creates the generator of this key. Keys that differ in any bit give unrelated numbers.
    pub fn new(key: u64) -> Self {
        SplitMix(mix(key))
    }

    /// Returns the next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// Returns the next number, uniform in [0, 1).
    pub fn unit(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1_u32 << 24) as f32
    }

    /// Returns the next number, uniform in [−1, 1).
    pub fn signed(&mut self) -> f32 {
        2.0 * self.unit() - 1.0
    }
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
    fn numbers_of_a_key_are_fixed_and_uniform() {
        // The first three outputs of SplitMix64 for the state 0, from its reference implementation.
        let mut generator = SplitMix(0);
        let drawn = [generator.bits(), generator.bits(), generator.bits()];
        assert_eq!(drawn, [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f]);
        let mut sums = [0.0; 2];
        for key in 0..10_000 {
            let number = f64::from(SplitMix::new(key).signed());
            assert!((-1.0..1.0).contains(&number));
            sums[0] += number;
            sums[1] += number * number;
        }
        // Mean 0 and second moment 1/3; standard deviations of the sums are 58 and 30.
        assert!(sums[0].abs() < 290.0 && (sums[1] - 3333.3).abs() < 150.0, "{sums:?}");
    }

    #[test]
    fn streams_and_seeds_differ() {
        let first = |seed, which| stream(seed, which).random::<u64>();
        assert_ne!(first(1, Stream::Split), first(1, Stream::Weights));
        assert_ne!(first(1, Stream::Split), first(2, Stream::Split));
    }
}
