//! Thimble on the Nordic nRF52840-DK: Cortex-M4F at 64 MHz.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use embassy_nrf::buffered_uarte::{self, BufferedUarte};
use embassy_nrf::gpio::{Level, Output, OutputDrive};
use embassy_nrf::nvmc::Nvmc;
use embassy_nrf::rng::Rng;
use embassy_nrf::{Peri, bind_interrupts, pac, peripherals, uarte, wdt};
use firmware::app::NONCE_LEN;
use thimble_board::flash::Partition;
use thimble_board::parts::reset;
use thimble_board::uart::Waiting;
use thimble_board::{ConstStaticCell, Entropy, NO_SENSOR, Parts, Watchdog};

include!(concat!(env!("OUT_DIR"), "/model.rs"));

bind_interrupts!(struct Interrupts {
    UARTE0 => buffered_uarte::InterruptHandler<peripherals::UARTE0>;
});

/// Buffers of the UART: received bytes, bytes to send.
static BUFFERS: ConstStaticCell<([u8; 512], [u8; 64])> = ConstStaticCell::new(([0; 512], [0; 64]));

const CLOCK_HZ: u32 = 64_000_000;
/// Eight seconds of the watchdog's 32,768 Hz.
const WATCHDOG_TICKS: u32 = 8 * 32_768;

#[entry]
fn main() -> ! {
    let chip = embassy_nrf::init(Default::default());
    // Off at reset: every instruction would wait for the flash (nRF52840 Product Specification,
    // NVMC, ICACHECNF).
    pac::NVMC.icachecnf().write(|w| w.set_cacheen(true));
    let watchdog = start_watchdog(chip.WDT);
    let (received, to_send) = BUFFERS.take();
    let uart = BufferedUarte::new(
        chip.UARTE0,
        chip.TIMER0,
        chip.PPI_CH0,
        chip.PPI_CH1,
        chip.PPI_GROUP0,
        chip.P0_08,
        chip.P0_06,
        Interrupts,
        uarte::Config::default(),
        received,
        to_send,
    );
    let parts = Parts {
        name: env!("CARGO_PKG_NAME"),
        // LED 1.
        led: Output::new(chip.P0_13, Level::High, OutputDrive::Standard),
        clock: thimble_board_hardware::cycle_counter(CLOCK_HZ),
        // SAFETY: only this driver writes the flash.
        slots: unsafe { Partition::of_linker_script(Nvmc::new(chip.NVMC), 0).slots() },
        entropy: Entropy::new(entropy),
        restart: reset,
        watchdog,
        sensor: NO_SENSOR,
    };
    thimble_board::run(parts, MODEL, MEMORY.take(), Waiting(uart, watchdog.feed))
}

/// Random bytes of the chip's generator, which takes a tenth of a millisecond for each.
fn entropy() -> Option<[u8; NONCE_LEN]> {
    // SAFETY: nobody else uses the generator.
    let mut generator = Rng::new_blocking(unsafe { peripherals::RNG::steal() });
    generator.set_bias_correction(true);
    let mut bytes = [0; NONCE_LEN];
    generator.blocking_fill_bytes(&mut bytes);
    Some(bytes)
}

/// Starts the watchdog, which stands still while the core sleeps or a debugger has halted it.
fn start_watchdog(timer: Peri<'static, peripherals::WDT>) -> Watchdog {
    let reasons = pac::POWER.resetreas().read();
    let hung = reasons.dog() || reasons.lockup();
    // Ones clear the reasons.
    pac::POWER.resetreas().write(|w| w.0 = u32::MAX);
    let mut config = wdt::Config::default();
    config.timeout_ticks = WATCHDOG_TICKS;
    config.action_during_sleep = wdt::SleepConfig::Pause;
    config.action_during_debug_halt = wdt::HaltConfig::Pause;
    // One that runs already, from before a restart, goes on as it was started.
    let _ = wdt::Watchdog::try_new::<_, 1>(timer, config);
    Watchdog { hung, feed: || pac::WDT.rr(0).write(|w| w.set_rr(pac::wdt::vals::Rr::Reload)) }
}
