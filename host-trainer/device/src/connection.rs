//! Connections to a device: serial ports and TCP.

use std::io::{self, Read, Write};

use serialport::{ErrorKind, SerialPortInfo, SerialPortType};

use super::Error;
use super::client::{Client, POLL};

/// Baud rate of every board's serial port.
pub const BAUD: u32 = 115_200;

/// A byte stream to a device.
pub trait Stream: Read + Write + Send {}

impl<S: Read + Write + Send> Stream for S {}

/// A client over any connection.
pub type AnyClient = Client<Box<dyn Stream>>;

/// Opens a serial port exclusively. The library requests exclusive access from the system, which
/// does not apply to root, and locks the port as other programs for serial ports do (`flock`).
///
/// # Errors
/// [`Error::Port`] with the available ports, if none has this name.
pub fn serial(port: &str) -> Result<AnyClient, Error> {
    let opened = serialport::new(port, BAUD).timeout(POLL).open();
    match opened {
        Ok(stream) => Ok(Client::new(Box::new(stream))),
        Err(error) => {
            const DENIED: ErrorKind = ErrorKind::Io(io::ErrorKind::PermissionDenied);
            let there = match (error.kind(), cfg!(windows)) {
                // Both errors mean that another process uses the port.
                (ErrorKind::NoDevice, false) | (DENIED, true) => {
                    "Another program uses it, such as `device monitor` or a terminal: end that one \
                     first"
                        .into()
                }
                (DENIED, false) => {
                    "You may not use it: on Debian and Ubuntu `sudo usermod -aG dialout $USER`, \
                     and log in again"
                        .into()
                }
                _ => match ports().as_slice() {
                    [] => "There is no serial port here: is the board plugged in?".into(),
                    ports => {
                        let names: Vec<&str> = ports.iter().map(|p| p.port_name.as_str()).collect();
                        format!("There is: {}", names.join(", "))
                    }
                },
            };
            Err(Error::Port { port: port.into(), problem: error.to_string(), there })
        }
    }
}

/// Lists the serial ports of this computer by name; empty where the system cannot list them.
pub fn ports() -> Vec<SerialPortInfo> {
    let mut ports = serialport::available_ports().unwrap_or_default();
    ports.sort_by(|a, b| a.port_name.cmp(&b.port_name));
    ports
}

/// Describes a port beyond its name.
pub fn describe(port: &SerialPortInfo) -> String {
    match &port.port_type {
        SerialPortType::UsbPort(usb) => {
            let words = [usb.manufacturer.as_deref(), usb.product.as_deref()];
            let words: Vec<&str> = words.into_iter().flatten().collect();
            format!("USB {:04x}:{:04x} {}", usb.vid, usb.pid, words.join(" ")).trim_end().into()
        }
        SerialPortType::BluetoothPort => "Bluetooth".into(),
        SerialPortType::PciPort => "built in".into(),
        SerialPortType::Unknown => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_port_is_named_with_those_that_there_are() {
        let error = serial("/dev/no-such-port").err().expect("there is none").to_string();
        assert!(error.contains("/dev/no-such-port") && error.contains("There is"), "{error}");
    }
}
