//! Thimble on the ST Nucleo-F446RE: Cortex-M4F, here at the 16 MHz that it starts with.
#![no_std]
#![no_main]

use common::uart::Waiting;
use common::{ConstStaticCell, stack};
use cortex_m_rt::entry;
use embassy_stm32::gpio::{Level, Output, Speed};
use embassy_stm32::usart::{self, BufferedUart};
use embassy_stm32::{bind_interrupts, peripherals};
use firmware::app::Board;
use real as _;

include!(concat!(env!("OUT_DIR"), "/model.rs"));

bind_interrupts!(struct Interrupts {
    USART2 => usart::BufferedInterruptHandler<peripherals::USART2>;
});

/// What the UART has received and not yet been read, and what it has still to send.
static BUFFERS: ConstStaticCell<([u8; 512], [u8; 64])> = ConstStaticCell::new(([0; 512], [0; 64]));

/// The board for the application.
struct NucleoF446re {
    /// The green light, LD2.
    led: Output<'static>,
}

impl Board for NucleoF446re {
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
    let chip = embassy_stm32::init(Default::default());
    let led = Output::new(chip.PA5, Level::Low, Speed::Low);
    let (received, to_send) = BUFFERS.take();
    let uart = BufferedUart::new(
        chip.USART2,
        chip.PA3,
        chip.PA2,
        to_send,
        received,
        Interrupts,
        usart::Config::default(),
    );
    match uart {
        Ok(uart) => common::run(NucleoF446re { led }, MODEL, MEMORY.take(), Waiting(uart)),
        Err(_) => unreachable!("115,200 baud can be made of 16 MHz"),
    }
}
