//! Serial ports without hardware: pseudo-terminals with a simulated device.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::emulated::LIMIT;
use host_trainer::device::emulator::Emulator;
use serialport::{SerialPort, TTYPort};

/// Polling interval for a cut of the wire.
const POLL: Duration = Duration::from_millis(10);

/// A serial port whose device can be unplugged.
pub struct Port {
    cut: Arc<AtomicBool>,
    /// Number of bytes that the device has received.
    sent: Arc<AtomicUsize>,
    wires: Vec<JoinHandle<()>>,
    /// The other end; with it goes the port.
    master: Option<TTYPort>,
    /// Kept open, so that the settings of the port persist.
    port: Option<TTYPort>,
    path: PathBuf,
}

impl Port {
    /// Returns the port of an emulated board that answers on its private UART.
    ///
    /// # Panics
    /// When the board cannot be connected.
    pub fn of(emulator: &mut Emulator) -> Port {
        let mut client = emulator.connect().unwrap_or_else(|error| panic!("{error}"));
        let uart = client.stream_mut().try_clone().expect("a second handle of the connection");
        uart.set_read_timeout(Some(POLL)).expect("a timeout");
        let mut port = Port::new();
        let (to_board, from_board) = (uart.try_clone().expect("a third"), uart);
        let sent = port.sent.clone();
        port.wire(to_board, move |port, uart: &mut TcpStream, bytes| {
            sent.fetch_add(pump(port, uart, bytes), Ordering::SeqCst);
        });
        port.wire(from_board, |port, uart: &mut TcpStream, bytes| {
            pump(uart, port, bytes);
        });
        port
    }

    /// Returns the port of a device that answers received bytes with the result of `answer`.
    pub fn answering(answer: impl FnMut(&[u8]) -> Vec<u8> + Send + 'static) -> Port {
        let mut port = Port::new();
        port.wire(answer, |port, answer, bytes| {
            if let Some(len) = read(port, bytes) {
                port.write_all(&answer(&bytes[..len])).expect("the port takes an answer");
            }
        });
        port
    }

    fn new() -> Port {
        let (inherited, port) = TTYPort::pair().expect("a pseudo-terminal");
        // Its second handle is not passed on to programs that are started, which would otherwise keep
        // the port plugged in.
        let mut master = inherited.try_clone_native().expect("a second handle");
        drop(inherited);
        master.set_timeout(POLL).expect("a timeout");
        let path = port.name().expect("its other end has a name").into();
        let cut = Arc::default();
        let sent = Arc::default();
        Port { cut, sent, wires: Vec::new(), master: Some(master), port: Some(port), path }
    }

    /// Repeats `work` with the other end until the wire is cut.
    fn wire<S: Send + 'static>(
        &mut self,
        mut state: S,
        mut work: impl FnMut(&mut TTYPort, &mut S, &mut [u8]) + Send + 'static,
    ) {
        let cut = self.cut.clone();
        let master = self.master.as_ref().expect("the port is there");
        let mut master = master.try_clone_native().expect("a second handle");
        self.wires.push(thread::spawn(move || {
            let mut bytes = [0; 256];
            while !cut.load(Ordering::SeqCst) {
                work(&mut master, &mut state, &mut bytes);
            }
        }));
    }

    /// Returns the path of the port.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits until the device has received this number of bytes.
    ///
    /// # Panics
    /// When it never is.
    pub fn wait_until_sent(&self, bytes: usize) {
        let deadline = Instant::now() + LIMIT;
        while self.sent.load(Ordering::SeqCst) < bytes {
            assert!(Instant::now() < deadline, "nobody sends to {}", self.path.display());
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Unplugs the device: the port disappears, also for programs that have it open.
    pub fn unplug(&mut self) {
        self.cut.store(true, Ordering::SeqCst);
        for wire in self.wires.drain(..) {
            wire.join().expect("the wire did not break by itself");
        }
        self.port = None;
        self.master = None;
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.unplug();
        }
    }
}

/// Moves the received bytes, and returns their number.
fn pump(from: &mut impl Read, to: &mut impl Write, bytes: &mut [u8]) -> usize {
    let len = read(from, bytes).unwrap_or(0);
    to.write_all(&bytes[..len]).expect("the wire takes bytes");
    len
}

/// Returns the number of received bytes; `None` after a timeout without any.
fn read(from: &mut impl Read, bytes: &mut [u8]) -> Option<usize> {
    match from.read(bytes) {
        Ok(len) => Some(len),
        Err(error) => {
            let kinds = [ErrorKind::TimedOut, ErrorKind::WouldBlock, ErrorKind::Interrupted];
            assert!(kinds.contains(&error.kind()), "the wire: {error}");
            None
        }
    }
}
