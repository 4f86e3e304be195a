//! Thimble on the Raspberry Pi Pico: RP2040, Cortex-M0+ at 125 MHz.
#![no_std]
#![no_main]

use common::uart::Waiting;
use common::{ConstStaticCell, stack};
use cortex_m_rt::entry;
use embassy_rp::gpio::{Level, Output};
use embassy_rp::uart::{self, BufferedUart};
use embassy_rp::{bind_interrupts, peripherals};
use firmware::app::Board;
use real as _;

include!(concat!(env!("OUT_DIR"), "/model.rs"));

bind_interrupts!(struct Interrupts {
    UART0_IRQ => uart::BufferedInterruptHandler<peripherals::UART0>;
});

/// What the UART has received and not yet been read, and what it has still to send.
static BUFFERS: ConstStaticCell<([u8; 512], [u8; 64])> = ConstStaticCell::new(([0; 512], [0; 64]));

/// The board for the application.
struct Pico {
    /// The light on the board.
    led: Output<'static>,
}

impl Board for Pico {
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
    let chip = embassy_rp::init(Default::default());
    let led = Output::new(chip.PIN_25, Level::Low);
    let (received, to_send) = BUFFERS.take();
    let uart = BufferedUart::new(
        chip.UART0,
        chip.PIN_0,
        chip.PIN_1,
        Interrupts,
        to_send,
        received,
        uart::Config::default(),
    );
    common::run(Pico { led }, MODEL, MEMORY.take(), Waiting(uart))
}
