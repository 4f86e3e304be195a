//! Thimble on the ST Nucleo-F446RE: Cortex-M4F at 180 MHz.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use embassy_stm32::flash::Flash;
use embassy_stm32::gpio::{Level, Output, Speed};
use embassy_stm32::rcc::{APBPrescaler, Pll, PllMul, PllPDiv, PllPreDiv, Sysclk};
use embassy_stm32::usart::{self, BufferedUart};
use embassy_stm32::wdg::IndependentWatchdog;
use embassy_stm32::{Config, Peri, bind_interrupts, pac, peripherals};
use thimble_board::flash::Partition;
use thimble_board::parts::reset;
use thimble_board::uart::Waiting;
use thimble_board::{ConstStaticCell, Entropy, NO_SENSOR, Parts, Watchdog};

include!(concat!(env!("OUT_DIR"), "/model.rs"));

bind_interrupts!(struct Interrupts {
    USART2 => usart::BufferedInterruptHandler<peripherals::USART2>;
});

/// Buffers of the UART: received bytes, bytes to send.
static BUFFERS: ConstStaticCell<([u8; 512], [u8; 64])> = ConstStaticCell::new(([0; 512], [0; 64]));

/// Where the core reads the flash.
const FLASH: usize = 0x0800_0000;
const CLOCK_HZ: u32 = 180_000_000;
const WATCHDOG_US: u32 = 8_000_000;

#[entry]
fn main() -> ! {
    let chip = embassy_stm32::init(fastest());
    // Off at reset. The flash has five waits at 180 MHz, of which they spare most (ST RM0390, 3.4.2,
    // adaptive real-time memory accelerator).
    pac::FLASH.acr().modify(|w| {
        w.set_prften(true);
        w.set_icen(true);
        w.set_dcen(true);
    });
    let watchdog = start_watchdog(chip.IWDG);
    thimble_board_hardware::wake_regularly(CLOCK_HZ);
    let (received, to_send) = BUFFERS.take();
    let config = usart::Config::default();
    let uart =
        BufferedUart::new(chip.USART2, chip.PA3, chip.PA2, to_send, received, Interrupts, config);
    let Ok(uart) = uart else { unreachable!("115,200 baud can be made of 45 MHz") };
    let parts = Parts {
        name: env!("CARGO_PKG_NAME"),
        // The green light, LD2.
        led: Output::new(chip.PA5, Level::Low, Speed::Low),
        clock: thimble_board_hardware::cycle_counter(CLOCK_HZ),
        // SAFETY: only this driver writes the flash.
        slots: unsafe {
            let flash = Flash::new_blocking(chip.FLASH);
            Partition::of_linker_script(flash, FLASH).slots()
        },
        // The chip has no random number generator.
        entropy: Entropy::NONE,
        restart: reset,
        watchdog,
        sensor: NO_SENSOR,
    };
    thimble_board::run(parts, MODEL, MEMORY.take(), Waiting(uart, watchdog.feed))
}

/// Returns the fastest clocks that the chip allows (ST DS10693, general operating conditions): 180 MHz for
/// the core, 45 and 90 MHz for the peripherals, of the internal oscillator, which needs no part on the board.
fn fastest() -> Config {
    let mut config = Config::default();
    let rcc = &mut config.rcc;
    // 16 MHz / 8 · 180 / 2. Over-drive, which more than 168 MHz needs, is always on.
    rcc.pll = Some(Pll {
        prediv: PllPreDiv::DIV8,
        mul: PllMul::MUL180,
        divp: Some(PllPDiv::DIV2),
        divq: None,
        divr: None,
    });
    rcc.sys = Sysclk::PLL1_P;
    rcc.apb1_pre = APBPrescaler::DIV4;
    rcc.apb2_pre = APBPrescaler::DIV2;
    config
}

/// Starts the watchdog, which counts while the core sleeps, too.
fn start_watchdog(timer: Peri<'static, peripherals::IWDG>) -> Watchdog {
    let hung = pac::RCC.csr().read().wdgrstf();
    pac::RCC.csr().modify(|w| w.set_rmvf(true));
    IndependentWatchdog::new(timer, WATCHDOG_US).unleash();
    Watchdog { hung, feed: || pac::IWDG.kr().write(|w| w.set_key(pac::iwdg::vals::Key::RESET)) }
}
