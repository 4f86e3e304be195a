//! Arm's MPS2 and MPS3 boards with one of the images that Arm has for their FPGA. The images differ
//! in their core, and in where a UART, a light and memory lie.

use core::convert::Infallible;
use core::marker::PhantomData;

use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::{CPUID, MPU, NVIC};
use embedded_hal::digital::{OutputPin, StatefulOutputPin};
use embedded_io::{Read, ReadReady, Write};
use thimble_board::clock::SysTick;
use thimble_board::parts::reset;
use thimble_board::uart::Sleeping;
use thimble_board::{Entropy, Memory, NO_SENSOR, Parts, Watchdog};
use volatile_register::RW;

use crate::{files, ram};

/// Constants of an FPGA image.
///
/// # Safety
/// `UART` is the address of a CMSDK APB UART and `LIGHTS` that of a register for lights, for ever.
pub unsafe trait Image {
    /// The board's name.
    const NAME: &'static str;
    /// Frequency of the clock of processor and UART.
    const CLOCK_HZ: u32;
    /// UART 0.
    const UART: usize;
    /// The interrupt for what UART 0 receives.
    const UART_INTERRUPT: u16;
    /// Register LED0 of the FPGA's I/O block, whose bit 0 is the first light.
    const LIGHTS: usize;
}

/// Starts the board, and does what the command line asks.
pub fn run<
    I: Image,
    const SCRATCH: usize,
    const RECEIVE: usize,
    const SEND: usize,
    const COPY: usize,
>(
    model: &'static [u8],
    memory: &'static mut Memory<SCRATCH, RECEIVE, SEND, COPY>,
    work: &'static mut [u32],
) -> ! {
    // Masked for ever: they only end the core's sleep.
    cortex_m::interrupt::disable();
    // SAFETY: nobody else takes them, this being the first that the program does.
    let core = unsafe { cortex_m::Peripherals::steal() };
    guard_code(&core.CPUID);
    let uart = Sleeping::new(Uart::<I>::start(), Uart::<I>::acknowledge);
    let parts = Parts {
        name: I::NAME,
        led: Light::<I>(PhantomData),
        clock: SysTick::start(core.SYST, I::CLOCK_HZ),
        slots: ram::slots(),
        entropy: Entropy::new(files::random),
        restart: reset,
        watchdog: Watchdog::NONE,
        sensor: NO_SENSOR,
    };
    crate::run(parts, model, memory, work, uart)
}

/// Makes all below data memory read-only on cores of Armv7-M: QEMU ignores writes to addresses at
/// which these boards have nothing, where a board's bus has a fault, so that a stack that grows too
/// deep would go unnoticed. Armv8-M has a limit of the stack pointer.
fn guard_code(id: &CPUID) {
    /// Registers of the memory protection unit (Armv7-M ARM, B3.5), which `cortex_m` has for the
    /// core that is compiled for.
    #[repr(C)]
    struct Protection {
        kind: RW<u32>,
        control: RW<u32>,
        number: RW<u32>,
        base: RW<u32>,
        attributes_and_size: RW<u32>,
    }
    /// Part numbers of Cortex-M3, M4 and M7.
    const ARMV7M: [u32; 3] = [0xc23, 0xc24, 0xc27];
    /// 512 MB, readable, executable, normal memory, enabled (Armv7-M ARM, B3.5.9).
    const CODE: u32 = 0b110 << 24 | 1 << 17 | 28 << 1 | 1;
    /// Enabled, and the usual map for all else.
    const CONTROL: u32 = 1 | 1 << 2;
    if !ARMV7M.contains(&(id.base.read() >> 4 & 0xfff)) {
        return;
    }
    // SAFETY: these are the registers of such a core's unit. The program reads and runs what the
    // region has, and writes none of it.
    unsafe {
        let mpu = &*(MPU::PTR as *const Protection);
        mpu.number.write(0);
        mpu.base.write(0);
        mpu.attributes_and_size.write(CODE);
        mpu.control.write(CONTROL);
    }
    cortex_m::asm::dsb();
    cortex_m::asm::isb();
}

/// Registers of the CMSDK APB UART (Arm DDI 0479, section 4.3).
#[repr(C)]
struct Registers {
    data: RW<u32>,
    state: RW<u32>,
    control: RW<u32>,
    /// Reads as which interrupts are pending; writing ones clears them.
    interrupts: RW<u32>,
    divider: RW<u32>,
}

const STATE_TRANSMIT_FULL: u32 = 1;
const STATE_RECEIVE_FULL: u32 = 1 << 1;
/// Transmit enable, receive enable, receive interrupt enable.
const CONTROL: u32 = 1 | 1 << 1 | 1 << 3;
const INTERRUPT_RECEIVE: u32 = 1 << 1;
/// QEMU does not care, a real board does.
const BAUD: u32 = 115_200;

/// UART 0.
struct Uart<I>(PhantomData<I>);

impl<I: Image> Uart<I> {
    /// Switches UART 0 and its receive interrupt on.
    fn start() -> Self {
        // SAFETY: plain register values. Interrupts are masked, so that none needs a handler.
        unsafe {
            Self::registers().divider.write(I::CLOCK_HZ / BAUD);
            Self::registers().control.write(CONTROL);
            NVIC::unmask(Interrupt(I::UART_INTERRUPT));
        }
        Uart(PhantomData)
    }

    fn registers() -> &'static Registers {
        // SAFETY: the image promises that UART 0 lies there; every register is volatile.
        unsafe { &*(I::UART as *const Registers) }
    }

    fn acknowledge() {
        // SAFETY: writing a one clears this interrupt and does nothing else.
        unsafe { Self::registers().interrupts.write(INTERRUPT_RECEIVE) };
        NVIC::unpend(Interrupt(I::UART_INTERRUPT));
    }
}

impl<I> embedded_io::ErrorType for Uart<I> {
    type Error = Infallible;
}

impl<I: Image> ReadReady for Uart<I> {
    fn read_ready(&mut self) -> Result<bool, Infallible> {
        Ok(Self::registers().state.read() & STATE_RECEIVE_FULL != 0)
    }
}

impl<I: Image> Read for Uart<I> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        let Some(first) = buffer.first_mut() else { return Ok(0) };
        while !self.read_ready()? {}
        *first = Self::registers().data.read() as u8;
        Ok(1)
    }
}

impl<I: Image> Write for Uart<I> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        for byte in bytes {
            self.flush()?;
            // SAFETY: the data register takes any byte.
            unsafe { Self::registers().data.write(u32::from(*byte)) };
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        while Self::registers().state.read() & STATE_TRANSMIT_FULL != 0 {}
        Ok(())
    }
}

/// An interrupt by its number.
#[derive(Clone, Copy)]
struct Interrupt(u16);

// SAFETY: the number is that of an interrupt, and every value of this type has one.
unsafe impl InterruptNumber for Interrupt {
    fn number(self) -> u16 {
        self.0
    }
}

/// The first of the lights beside the FPGA.
struct Light<I>(PhantomData<I>);

impl<I: Image> Light<I> {
    fn register() -> &'static RW<u32> {
        // SAFETY: the image promises that the register lies there; it is volatile.
        unsafe { &*(I::LIGHTS as *const RW<u32>) }
    }

    fn set(on: bool) {
        // SAFETY: the register takes any value; bit 0 is this light.
        unsafe { Self::register().modify(|lights| lights & !1 | u32::from(on)) };
    }
}

impl<I> embedded_hal::digital::ErrorType for Light<I> {
    type Error = Infallible;
}

impl<I: Image> OutputPin for Light<I> {
    fn set_low(&mut self) -> Result<(), Infallible> {
        Self::set(false);
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        Self::set(true);
        Ok(())
    }
}

impl<I: Image> StatefulOutputPin for Light<I> {
    fn is_set_high(&mut self) -> Result<bool, Infallible> {
        Ok(Self::register().read() & 1 != 0)
    }

    fn is_set_low(&mut self) -> Result<bool, Infallible> {
        Ok(Self::register().read() & 1 == 0)
    }
}
