//! Two potentiometers and a light: the egg crate of both voltages is how bright the light is.
#![no_std]
#![no_main]

use core::cell::RefCell;

use cortex_m_rt::entry;
use embassy_rp::adc::{Adc, Blocking, Channel, Config, Error};
use embassy_rp::gpio::Pull;
use embassy_rp::pwm::{self, Pwm};
use embassy_rp::watchdog::Watchdog;
use embassy_time::{Duration, block_for};
use thimble_board::ConstStaticCell;
use thimble_board_hardware as _;
use thimble_nn::Engine;
use thimble_sensors::dial::{AnalogIn, Dial};

include!(concat!(env!("OUT_DIR"), "/dial.rs"));

/// Scratch memory of the engine.
static SCRATCH: ConstStaticCell<[u32; dial::SCRATCH_LEN]> =
    ConstStaticCell::new([0; dial::SCRATCH_LEN]);

/// Between two steps.
const STEP: Duration = Duration::from_millis(10);
/// Steps between two lines of the log: a second.
const STEPS_A_LINE: u32 = 100;
const WATCHDOG: Duration = Duration::from_secs(2);

#[entry]
fn main() -> ! {
    let chip = embassy_rp::init(Default::default());
    let converter = RefCell::new(Adc::new_blocking(chip.ADC, Config::default()));
    let pin = |channel| Pin { converter: &converter, channel };
    let x = pin(Channel::new_pin(chip.PIN_26, Pull::None));
    let y = pin(Channel::new_pin(chip.PIN_27, Pull::None));
    // The light on the board, switched 1,907 times a second.
    let pwm = Pwm::new_output_b(chip.PWM_SLICE4, chip.PIN_25, pwm::Config::default());

    let engine = match Engine::new(dial::MODEL, SCRATCH.take()) {
        Ok(engine) => engine,
        Err(error) => defmt::panic!("{}", error),
    };
    let mut dial = Dial::new(engine, x, y, pwm);
    let mut watchdog = Watchdog::new(chip.WATCHDOG);
    watchdog.pause_on_debug(true);
    watchdog.start(WATCHDOG);
    for step in (0..STEPS_A_LINE).cycle() {
        watchdog.feed(WATCHDOG);
        match dial.step().map(|turn| turn.duty) {
            Ok(duty) if step == 0 => {
                let saturated = dial.saturated_inputs();
                defmt::info!("duty {=u16} of 65535, {=u32} counts saturated", duty, saturated);
            }
            Ok(_) => {}
            Err(error) => defmt::warn!("{}", defmt::Display2Format(&error)),
        }
        block_for(STEP);
    }
    unreachable!("a cycle has no end")
}

/// One channel of the converter, which counts 12 bits.
struct Pin<'c, 'd> {
    converter: &'c RefCell<Adc<'d, Blocking>>,
    channel: Channel<'d>,
}

impl AnalogIn for Pin<'_, '_> {
    type Error = Error;

    fn read(&mut self) -> Result<i16, Error> {
        // Nobody else holds it: both channels are read one after the other.
        let mut converter = self.converter.borrow_mut();
        converter.blocking_read(&mut self.channel).map(|count| count as i16)
    }
}
