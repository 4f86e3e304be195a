//! Responses of the device.

use serde::{Deserialize, Serialize};

use super::{Info, NONCE_LEN, RequestError, SensorInfo};

/// A response of the device. New responses are added at the end: the order is part of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Response<'a> {
    /// The device and its model.
    #[serde(borrow)]
    Info(Info<'a>),
    /// The model's output.
    Output {
        /// The bytes of all outputs: two's complement, int16 little-endian.
        output: &'a [u8],
    },
    /// The result of the self-test.
    SelfTest(SelfTestReport),
    /// The request failed.
    Error(RequestError),
    /// Timing statistics.
    Benchmark(Benchmark),
    /// A digest per layer.
    Trace {
        /// The CRC-32 of each layer's output, little-endian, first to last.
        hashes: &'a [u8],
    },
    /// A section of the model file.
    Model {
        /// Its bytes: fewer than were requested at the end of the file, or if a frame of the device
        /// holds fewer.
        bytes: &'a [u8],
    },
    /// The request was executed.
    Done,
    /// The new model is the one that runs from the next start on.
    Updated(Updated),
    /// A nonce for one signed command.
    Challenge {
        /// Random bytes, which the device forgets once it has checked a signature with them.
        nonce: [u8; NONCE_LEN],
    },
    /// The board's sensor.
    #[serde(borrow)]
    Sensor(SensorInfo<'a>),
    /// Consecutive samples.
    Samples {
        /// Number of the first of them since the start of the device, wrapping. It is more than that of
        /// the sample before plus one where samples were lost.
        first: u32,
        /// Raw counts, int16 little-endian, one sample after the other, each with a count per axis.
        counts: &'a [u8],
    },
}

/// Result of a self-test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelfTestReport {
    /// Test vectors in the model.
    pub vectors: u8,
    /// Test vectors whose every output byte was the expected one.
    pub passed: u8,
}

impl SelfTestReport {
    /// Returns whether every vector passed.
    #[must_use]
    pub fn all_passed(&self) -> bool {
        self.passed == self.vectors
    }
}

/// Timing statistics per run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Benchmark {
    /// The counter that measured.
    pub counter: Counter,
    /// Frequency of the counter, in Hz.
    pub hz: u32,
    /// Number of runs that were measured.
    pub runs: u16,
    /// Ticks of the fastest run.
    pub min: u32,
    /// Mean of the ticks per run, rounded down.
    pub mean: u32,
    /// Ticks of the slowest run.
    pub max: u32,
}

/// Time source of a benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Counter {
    /// The processor's cycle counter: DWT on Arm, `mcycle` on RISC-V.
    Cycles,
    /// A timer: SysTick or one of the chip's own.
    Timer,
}

impl Counter {
    /// Executed instructions, under QEMU's `-icount shift=0`: with that an instruction is a
    /// nanosecond of the machine's time, and RISC-V's cycle counter counts instructions.
    #[must_use]
    pub fn instructions(self, ticks: u32, hz: u32) -> u64 {
        match self {
            Counter::Cycles => ticks.into(),
            Counter::Timer => {
                u64::from(ticks).saturating_mul(1_000_000_000).checked_div(hz.into()).unwrap_or(0)
            }
        }
    }
}

/// Result of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Updated {
    /// The slot that is current at the next start.
    pub slot: u8,
    /// Number of this update, counted from 1.
    pub sequence: u32,
    /// Erase blocks that it has erased.
    pub erased_blocks: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_passes_with_all_of_its_vectors() {
        assert!(SelfTestReport { vectors: 3, passed: 3 }.all_passed());
        assert!(!SelfTestReport { vectors: 3, passed: 2 }.all_passed());
    }

    #[test]
    fn ticks_become_instructions() {
        assert_eq!(Counter::Cycles.instructions(500, 25_000_000), 500);
        assert_eq!(Counter::Timer.instructions(500, 25_000_000), 20_000);
        assert_eq!(Counter::Timer.instructions(u32::MAX, 1), 4_294_967_295_000_000_000);
        assert_eq!(Counter::Timer.instructions(500, 0), 0);
    }
}
