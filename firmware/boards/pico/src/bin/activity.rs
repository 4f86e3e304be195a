//! An accelerometer on a person and a light: it is on unless the person stands, and the log has the activity.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use embassy_rp::gpio::{Level, Output};
use embassy_rp::i2c::{Config, I2c};
use embassy_rp::watchdog::Watchdog;
use embassy_time::{Duration, block_for};
use thimble_board::ConstStaticCell;
use thimble_board_hardware as _;
use thimble_features::{ACTIVITY, ACTIVITY_STEP, ACTIVITY_WINDOW};
use thimble_nn::Engine;
use thimble_sensors::lis3dh::{Lis3dhFifo, Rate, SlaveAddr};
use thimble_sensors::motion::{Motion, Windows};

include!(concat!(env!("OUT_DIR"), "/activity.rs"));

/// Windows of the model: two seconds, a new one every second.
const WINDOWS: Windows<ACTIVITY_WINDOW> = Windows { features: ACTIVITY, step: ACTIVITY_STEP };

/// Scratch memory of the engine.
static SCRATCH: ConstStaticCell<[u32; activity::SCRATCH_LEN]> =
    ConstStaticCell::new([0; activity::SCRATCH_LEN]);

/// Between two looks at the sensor, which keeps 1.28 s.
const LOOK: Duration = Duration::from_millis(100);
/// Between two attempts to find it.
const FIND: Duration = Duration::from_secs(1);
const WATCHDOG: Duration = Duration::from_secs(4);

#[entry]
fn main() -> ! {
    let chip = embassy_rp::init(Default::default());
    let mut config = Config::default();
    config.frequency = 400_000;
    let mut bus = I2c::new_blocking(chip.I2C0, chip.PIN_5, chip.PIN_4, config);
    // The light on the board.
    let light = Output::new(chip.PIN_25, Level::Low);
    let mut watchdog = Watchdog::new(chip.WATCHDOG);
    watchdog.pause_on_debug(true);
    watchdog.start(WATCHDOG);

    let engine = match Engine::new(activity::MODEL, SCRATCH.take()) {
        Ok(engine) => engine,
        Err(error) => defmt::panic!("{}", error),
    };
    // The address with its pin SA0 high or open, as most breakout boards have it.
    let sensor = loop {
        watchdog.feed(WATCHDOG);
        match Lis3dhFifo::start(&mut bus, SlaveAddr::Alternate, Rate::Hz25) {
            Ok(sensor) => break sensor,
            Err(error) => defmt::warn!("{}", defmt::Display2Format(&error)),
        }
        block_for(FIND);
    };
    let mut motion = Motion::new(engine, WINDOWS, sensor, light);
    loop {
        watchdog.feed(WATCHDOG);
        match motion.step().map(|answer| answer.map(|answer| answer.class)) {
            Ok(Some(class)) => {
                let label = activity::LABELS.get(class).unwrap_or(&"?");
                let saturated = motion.saturated_inputs();
                defmt::info!("{=str}, {=u32} counts saturated", label, saturated);
            }
            Ok(None) => block_for(LOOK),
            Err(error) => {
                defmt::warn!("{}", defmt::Display2Format(&error));
                block_for(LOOK);
            }
        }
    }
}
