//! Thimble on the Nordic nRF52840-DK: Cortex-M4F at 64 MHz.
#![no_std]
#![no_main]

use common::uart::Waiting;
use common::{ConstStaticCell, stack};
use cortex_m_rt::entry;
use embassy_nrf::buffered_uarte::{self, BufferedUarte};
use embassy_nrf::gpio::{Level, Output, OutputDrive};
use embassy_nrf::{bind_interrupts, peripherals, uarte};
use firmware::app::Board;
use real as _;

include!(concat!(env!("OUT_DIR"), "/model.rs"));

bind_interrupts!(struct Interrupts {
    UARTE0 => buffered_uarte::InterruptHandler<peripherals::UARTE0>;
});

/// What the UART has received and not yet been read, and what it has still to send.
static BUFFERS: ConstStaticCell<([u8; 512], [u8; 64])> = ConstStaticCell::new(([0; 512], [0; 64]));

/// The board for the application.
struct Nrf52840Dk {
    /// LED 1.
    led: Output<'static>,
}

impl Board for Nrf52840Dk {
    const NAME: &'static str = env!("CARGO_PKG_NAME");
    type Led = Output<'static>;

    fn led(&mut self) -> &mut Self::Led {
        &mut self.led
    }

    fn stack_bytes(&self) -> Option<u32> {
        Some(stack::high_water() as u32)
    }
}

#[entry]
fn main() -> ! {
    let chip = embassy_nrf::init(Default::default());
    let led = Output::new(chip.P0_13, Level::High, OutputDrive::Standard);
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
    common::run(Nrf52840Dk { led }, MODEL, MEMORY.take(), Waiting(uart))
}
