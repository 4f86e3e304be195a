//! Thimble on a Cortex-M4F: Arm's MPS2 board with the AN386 image, in QEMU.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use emulated::clock::SysTick;
use emulated::mps2::{CLOCK_HZ, Led, Uart};
use emulated::{Memory, stack};
use firmware::app::Board;
use firmware::link::frame_len;

include!(concat!(env!("OUT_DIR"), "/model.rs"));

/// Words for whole models, inputs and outputs that come by semihosting: 3 of the 4 MB.
const WORK_LEN: usize = 768 * 1024;

struct An386 {
    led: Led,
}

impl Board for An386 {
    const NAME: &'static str = "qemu-mps2-an386";
    type Led = Led;

    fn led(&mut self) -> &mut Led {
        &mut self.led
    }

    fn stack_bytes(&self) -> Option<u32> {
        Some(stack::high_water() as u32)
    }
}

#[entry]
fn main() -> ! {
    static mut MEMORY: Memory<
        SCRATCH_LEN,
        { frame_len(INPUT_LEN) },
        { frame_len(OUTPUT_LEN) },
        WORK_LEN,
    > = Memory::ZERO;
    let mut core = match cortex_m::Peripherals::take() {
        Some(core) => core,
        None => unreachable!("nothing has taken them before"),
    };
    let uart = Uart::start(&mut core.NVIC);
    let clock = SysTick::start(core.SYST, CLOCK_HZ);
    emulated::run(An386 { led: Led::new() }, MODEL, MEMORY, uart, clock)
}
