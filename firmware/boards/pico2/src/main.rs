//! Thimble on the Raspberry Pi Pico 2: RP2350, Cortex-M33 at 150 MHz.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use embassy_rp::clocks::RoscRng;
use embassy_rp::flash::{Blocking, Flash};
use embassy_rp::gpio::{Level, Output};
use embassy_rp::uart::{self, BufferedUart};
use embassy_rp::watchdog::{self, ResetReason};
use embassy_rp::{Peri, bind_interrupts, peripherals};
use embassy_time::Duration;
use firmware::app::NONCE_LEN;
use thimble_board::flash::Partition;
use thimble_board::parts::reset;
use thimble_board::uart::Waiting;
use thimble_board::{ConstStaticCell, Entropy, NO_SENSOR, Parts, Watchdog};

include!(concat!(env!("OUT_DIR"), "/model.rs"));

bind_interrupts!(struct Interrupts {
    UART0_IRQ => uart::BufferedInterruptHandler<peripherals::UART0>;
});

/// Buffers of the UART: received bytes, bytes to send.
static BUFFERS: ConstStaticCell<([u8; 512], [u8; 64])> = ConstStaticCell::new(([0; 512], [0; 64]));

/// All of the flash, and where the core reads it.
const FLASH_LEN: usize = 4 * 1024 * 1024;
const FLASH: usize = 0x1000_0000;
const CLOCK_HZ: u32 = 150_000_000;
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
    let parts = Parts {
        name: env!("CARGO_PKG_NAME"),
        // The light on the board.
        led: Output::new(chip.PIN_25, Level::Low),
        clock: thimble_board_hardware::cycle_counter(CLOCK_HZ),
        // SAFETY: only this driver writes the flash.
        slots: unsafe {
            let flash = Flash::<_, Blocking, FLASH_LEN>::new_blocking(chip.FLASH);
            Partition::of_linker_script(flash, FLASH).slots()
        },
        entropy: Entropy::new(entropy),
        restart: reset,
        watchdog,
        sensor: NO_SENSOR,
    };
    thimble_board::run(parts, MODEL, MEMORY.take(), Waiting(uart, watchdog.feed))
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
