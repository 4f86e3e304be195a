//! Thimble on the Raspberry Pi Pico: RP2040, Cortex-M0+ at 125 MHz.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use embassy_rp::clocks::RoscRng;
use embassy_rp::flash::{Blocking, Flash};
use embassy_rp::gpio::{Level, Output};
#[cfg(feature = "sensor")]
use embassy_rp::i2c::{self, I2c};
use embassy_rp::uart::{self, BufferedUart};
use embassy_rp::watchdog::{self, ResetReason};
use embassy_rp::{Peri, bind_interrupts, peripherals};
use embassy_time::{Duration, Instant};
use firmware::app::NONCE_LEN;
use firmware::link::Counter;
#[cfg(not(feature = "sensor"))]
use thimble_board::NO_SENSOR;
use thimble_board::clock::Clock;
use thimble_board::flash::Partition;
use thimble_board::parts::reset;
use thimble_board::uart::Waiting;
use thimble_board::{ConstStaticCell, Entropy, Parts, Watchdog};
#[cfg(feature = "sensor")]
use thimble_sensors::lis3dh::{Lis3dhFifo, Rate, SlaveAddr};

include!(concat!(env!("OUT_DIR"), "/model.rs"));

bind_interrupts!(struct Interrupts {
    UART0_IRQ => uart::BufferedInterruptHandler<peripherals::UART0>;
});

/// Buffers of the UART: received bytes, bytes to send.
static BUFFERS: ConstStaticCell<([u8; 512], [u8; 64])> = ConstStaticCell::new(([0; 512], [0; 64]));

/// All of the flash, and where the core reads it.
const FLASH_LEN: usize = 2 * 1024 * 1024;
const FLASH: usize = 0x1000_0000;
const CLOCK_HZ: u32 = 125_000_000;
const WATCHDOG: Duration = Duration::from_secs(8);

#[entry]
fn main() -> ! {
    let chip = embassy_rp::init(Default::default());
    let watchdog = start_watchdog(chip.WATCHDOG);
    thimble_board_hardware::wake_regularly(CLOCK_HZ);
    let (received, to_send) = BUFFERS.take();
    let config = uart::Config::default();
    let uart = BufferedUart::new(
        chip.UART0, chip.PIN_0, chip.PIN_1, Interrupts, to_send, received, config,
    );
    #[cfg(feature = "sensor")]
    let sensor = {
        let mut config = i2c::Config::default();
        config.frequency = 400_000;
        let bus = I2c::new_blocking(chip.I2C0, chip.PIN_5, chip.PIN_4, config);
        // The address with its pin SA0 high or open, as most breakout boards have it.
        let sensor = Lis3dhFifo::start(bus, SlaveAddr::Alternate, Rate::Hz25);
        sensor.inspect_err(|error| defmt::error!("{}", defmt::Display2Format(error))).ok()
    };
    #[cfg(not(feature = "sensor"))]
    let sensor = NO_SENSOR;
    let parts = Parts {
        name: env!("CARGO_PKG_NAME"),
        // The light on the board.
        led: Output::new(chip.PIN_25, Level::Low),
        clock: Microseconds,
        // SAFETY: only this driver writes the flash.
        slots: unsafe {
            let flash = Flash::<_, Blocking, FLASH_LEN>::new_blocking(chip.FLASH);
            Partition::of_linker_script(flash, FLASH).slots()
        },
        entropy: Entropy::new(entropy),
        restart: reset,
        watchdog,
        sensor,
    };
    thimble_board::run(parts, MODEL, MEMORY.take(), Waiting(uart, watchdog.feed))
}

/// The chip's timer, in microseconds: the core has no cycle counter.
struct Microseconds;

impl Clock for Microseconds {
    fn counter(&self) -> (Counter, u32) {
        (Counter::Timer, 1_000_000)
    }

    fn ticks_of(&mut self, work: &mut dyn FnMut()) -> Option<u32> {
        let before = Instant::now();
        work();
        before.elapsed().as_micros().try_into().ok()
    }
}

/// Random bytes of the ring oscillator. It is read more often than it turns, and its bits are biased:
/// hence each byte is the exclusive or of many.
fn entropy() -> Option<[u8; NONCE_LEN]> {
    const SAMPLES: usize = 64;
    Some(core::array::from_fn(|_| (0..SAMPLES).fold(0, |byte, _| byte ^ RoscRng::next_u8())))
}

/// Starts the watchdog, which counts while the core sleeps, too.
fn start_watchdog(timer: Peri<'static, peripherals::WATCHDOG>) -> Watchdog {
    let mut timer = watchdog::Watchdog::new(timer);
    let hung = matches!(timer.reset_reason(), Some(ResetReason::TimedOut));
    timer.pause_on_debug(true);
    timer.start(WATCHDOG);
    let feed = || {
        // SAFETY: only its counter is loaded, which takes one write.
        let timer = unsafe { peripherals::WATCHDOG::steal() };
        watchdog::Watchdog::new(timer).feed(WATCHDOG);
    };
    Watchdog { hung, feed }
}
