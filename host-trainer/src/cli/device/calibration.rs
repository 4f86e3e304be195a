//! `host-trainer device bench --calibrate`: waits of a chip for the memory of the weights.

use std::path::Path;

use anyhow::bail;
use firmware::link::{Benchmark, Counter};
use model_format::{Model, Quantization};

use super::bench::is_only_emulated;
use crate::chips::{Chip, Waits, measured_wait};
use crate::cli::{files, terminal};
use crate::device::board::BOARDS;
use crate::device::connection::AnyClient;
use crate::foreign_text;

/// Chips of the boards in `firmware/boards`.
const CHIPS_OF_BOARDS: [(&str, &str); 7] = [
    ("esp32-c3", "ESP32-C3"),
    ("hifive1", "FE310"),
    ("microbit", "nRF51822"),
    ("nrf52840-dk", "nRF52840"),
    ("nucleo-f446re", "STM32F446"),
    ("pico", "RP2040"),
    ("pico2", "RP2350"),
];

/// Returns the reason why a board cannot be calibrated over this connection.
pub fn refusal(board: &str, by_qemu: bool, over_tcp: bool) -> Option<String> {
    const REMEDY: &str = "Calibrate a board that is connected by --port";
    let known = BOARDS.iter().any(|known| known.name == board);
    match (by_qemu || is_only_emulated(board), known && over_tcp) {
        (true, _) => Some(format!(
            "{} is emulated. QEMU has no clocks of a core and no waits for memory. {REMEDY}",
            foreign_text::shown(board)
        )),
        (false, true) => Some(format!(
            "{board} at a TCP address may be emulated, which has no waits for memory. {REMEDY}"
        )),
        (false, false) => None,
    }
}

/// A chip with a model, to be calibrated.
pub struct Target {
    chip: &'static Chip,
    model: Vec<u8>,
}

impl Target {
    /// Reads the model of the device.
    ///
    /// # Errors
    /// An error for an unknown chip, and those of the link.
    pub fn new(client: &mut AnyClient, board: &str, chip: Option<&str>) -> anyhow::Result<Self> {
        let of_board = CHIPS_OF_BOARDS.iter().find(|(name, _)| *name == board);
        let Some(name) = chip.or(of_board.map(|(_, chip)| *chip)) else {
            let board = foreign_text::shown(board);
            bail!(
                "the chip of {board} is not known: name it by --for, `inspect --for list` has them"
            );
        };
        Ok(Target { chip: Chip::named(name)?, model: client.read_model()? })
    }

    /// Returns an input without zeros, as the bytes of the model's input.
    pub fn input(&self) -> Vec<u8> {
        Model::parse(&self.model).map_or(Vec::new(), |model| {
            let value = without_zeros(model.input_quantization());
            value.repeat(model.input_len())
        })
    }

    /// Writes the waits of a measurement, beside those of other chips that the file has.
    ///
    /// # Errors
    /// An error if the cycles of the model are not predicted, or if the file cannot be written.
    pub fn write(&self, result: &Benchmark, file: &Path) -> anyhow::Result<()> {
        let model = Model::parse(&self.model)?;
        let place = foreign_text::path(file);
        let mut waits = match file.exists() {
            true => Waits::read(file)?,
            false => Waits::default(),
        };
        let time = self.chip.predict(&model)?.time;
        let clocks = clocks(self.chip, result)?;
        let wait = measured_wait(self.chip, &model, &time, clocks)?;
        waits.set(self.chip, wait);
        files::write(file, waits.to_toml().as_bytes())?;
        terminal::note(&format!(
            "{} waits {wait} clocks per byte of weights. `inspect MODEL --for {} --calibration {}` uses \
             it",
            self.chip.name, self.chip.name, place
        ));
        Ok(())
    }
}

/// Returns the core clocks of an inference.
fn clocks(chip: &Chip, result: &Benchmark) -> anyhow::Result<f64> {
    let mean = f64::from(result.mean);
    match result.counter {
        Counter::Cycles => Ok(mean),
        Counter::Timer if result.hz > 0 => {
            Ok(mean * (chip.clock_mhz as f64 * 1e6) / f64::from(result.hz))
        }
        Counter::Timer => bail!("the device does not say how fast its timer is"),
    }
}

/// Returns a quantized value that is not the zero point.
fn without_zeros(input: Quantization) -> Vec<u8> {
    let value = match input.zero_point {
        127 => 126,
        zero_point => zero_point as i16 + 1,
    };
    value.to_le_bytes()[..input.data_type.bytes()].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emulated_boards_are_refused_with_the_reason() {
        let message = refusal("qemu-mps2-an386", false, false).unwrap();
        assert!(message.contains("QEMU") && message.contains("--port"), "{message}");
        assert!(refusal("pico", true, false).is_some());
        assert!(refusal("microbit", false, true).unwrap().contains("TCP"));
        assert_eq!(refusal("microbit", false, false), None);
        assert_eq!(refusal("pico", false, true), None);
    }

    #[test]
    fn every_board_has_a_chip_that_is_known() {
        for (_, chip) in CHIPS_OF_BOARDS {
            Chip::named(chip).unwrap();
        }
    }

    #[test]
    fn ticks_of_a_timer_are_clocks_of_the_chip() {
        let chip = Chip::named("RP2040").unwrap();
        let of = |counter, hz| Benchmark { counter, hz, runs: 1, min: 90, mean: 100, max: 110 };
        assert_eq!(clocks(chip, &of(Counter::Cycles, 125_000_000)).unwrap(), 100.0);
        assert_eq!(clocks(chip, &of(Counter::Timer, 1_000_000)).unwrap(), 13_300.0);
        assert!(clocks(chip, &of(Counter::Timer, 0)).is_err());
    }

    #[test]
    fn an_input_without_zeros_is_beside_the_zero_point() {
        assert_eq!(without_zeros(Quantization::int8(1.0, 127)), [126]);
        assert_eq!(without_zeros(Quantization::int8(1.0, -128)), [0x81]);
        assert_eq!(without_zeros(Quantization::int16(1.0)), [1, 0]);
    }
}
