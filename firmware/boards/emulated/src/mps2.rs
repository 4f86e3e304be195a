//! Arm's MPS2 boards with the AN385, AN386 and AN500 images: Cortex-M3, M4F and M7 with the same
//! memory map, of which this uses a light, UART 0 and its interrupt.

use core::cell::RefCell;
use core::convert::Infallible;

use critical_section::Mutex;
use embedded_hal::digital::{OutputPin, StatefulOutputPin};
use embedded_io::{Read, Write};
use heapless::Deque;
use volatile_register::RW;

/// Frequency of the processor's clock.
pub const CLOCK_HZ: u32 = 25_000_000;

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
/// 115,200 baud; QEMU does not care, a real MPS2 does.
const DIVIDER: u32 = CLOCK_HZ / 115_200;

/// What the interrupt has received and nobody has read yet.
static RECEIVED: Mutex<RefCell<Deque<u8, 1024>>> = Mutex::new(RefCell::new(Deque::new()));

/// The registers of UART 0.
fn registers() -> &'static Registers {
    // SAFETY: on these boards UART 0 lies at this address, for ever; every register is volatile.
    unsafe { &*(0x4000_4000 as *const Registers) }
}

/// UART 0. A byte that arrives raises an interrupt, which puts it into a queue; reading sleeps
/// until there is one.
pub struct Uart(());

impl Uart {
    /// Switches UART 0 and its receive interrupt on.
    pub fn start(nvic: &mut cortex_m::peripheral::NVIC) -> Self {
        // SAFETY: plain register values; the handler below is in place from reset on, and no
        // critical section relies on this interrupt's mask.
        unsafe {
            registers().divider.write(DIVIDER);
            registers().control.write(CONTROL);
            nvic.iser[0].write(1);
        }
        Uart(())
    }
}

impl embedded_io::ErrorType for Uart {
    type Error = Infallible;
}

impl Read for Uart {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let read = critical_section::with(|cs| {
                let mut received = RECEIVED.borrow_ref_mut(cs);
                let mut read = 0;
                for slot in &mut *buffer {
                    // A byte that found the queue full is still in its register.
                    match received.pop_front().or_else(receive) {
                        Some(byte) => *slot = byte,
                        None => break,
                    }
                    read += 1;
                }
                if read == 0 {
                    // With interrupts masked, one that is pending still ends the sleep: none can
                    // slip in between looking at the queue and falling asleep.
                    cortex_m::asm::wfi();
                }
                read
            });
            if read > 0 {
                return Ok(read);
            }
        }
    }
}

impl Write for Uart {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        for byte in bytes {
            while registers().state.read() & STATE_TRANSMIT_FULL != 0 {}
            // SAFETY: the data register takes any byte.
            unsafe { registers().data.write(u32::from(*byte)) };
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        while registers().state.read() & STATE_TRANSMIT_FULL != 0 {}
        Ok(())
    }
}

/// The byte in the receive register, if there is one.
fn receive() -> Option<u8> {
    (registers().state.read() & STATE_RECEIVE_FULL != 0).then(|| registers().data.read() as u8)
}

/// The first of the two lights beside the FPGA (register LED0 of its I/O block).
pub struct Led(&'static RW<u32>);

impl Led {
    /// The light, as it is.
    pub fn new() -> Self {
        // SAFETY: on these boards the register lies at this address, for ever, and is volatile.
        Led(unsafe { &*(0x4002_8000 as *const RW<u32>) })
    }

    fn set(&mut self, on: bool) {
        // SAFETY: the register takes any value; bit 0 is this light.
        unsafe { self.0.modify(|lights| lights & !1 | u32::from(on)) };
    }
}

impl Default for Led {
    fn default() -> Self {
        Led::new()
    }
}

impl embedded_hal::digital::ErrorType for Led {
    type Error = Infallible;
}

impl OutputPin for Led {
    fn set_low(&mut self) -> Result<(), Infallible> {
        self.set(false);
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        self.set(true);
        Ok(())
    }
}

impl StatefulOutputPin for Led {
    fn is_set_high(&mut self) -> Result<bool, Infallible> {
        Ok(self.0.read() & 1 != 0)
    }

    fn is_set_low(&mut self) -> Result<bool, Infallible> {
        Ok(self.0.read() & 1 == 0)
    }
}

/// Interrupt 0: UART 0 has received a byte.
extern "C" fn uart0_received() {
    critical_section::with(|cs| {
        // SAFETY: writing a one clears this interrupt and does nothing else.
        unsafe { registers().interrupts.write(INTERRUPT_RECEIVE) };
        let mut received = RECEIVED.borrow_ref_mut(cs);
        if !received.is_full()
            && let Some(byte) = receive()
        {
            // There is room: it was just checked.
            let _ = received.push_back(byte);
        }
    });
}

/// The interrupts of these boards, of which one is in use.
// SAFETY: cortex-m-rt's linker script asks for exactly this symbol in this section, right behind
// the exceptions: a table of handlers.
#[unsafe(link_section = ".vector_table.interrupts")]
#[unsafe(no_mangle)]
static __INTERRUPTS: [extern "C" fn(); 1] = [uart0_received];
