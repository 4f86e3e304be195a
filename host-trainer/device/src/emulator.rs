//! QEMU: process, UART, and log.
//!
//! UART and log have separate channels, so that neither can garble the other. The UART is a TCP
//! connection on the loopback interface. The log, by semihosting or a second UART, is QEMU's
//! standard output. QEMU's own messages are its standard error.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{fs, mem};

use super::Error;
use super::board::{Board, Log};
use super::client::{Client, POLL};
use super::log::{Line, Strings};

/// Time limit for QEMU to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// Number of log lines that are kept.
const KEPT_LINES: usize = 1000;

/// Endpoint of the machine's UART.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uart {
    /// Not connected.
    None,
    /// Connected to [`Emulator::connect`] only.
    Private,
    /// Listening at this address for one connection after the other.
    Listen(SocketAddr),
}

/// Options for starting the emulator.
pub struct Options<'a> {
    /// The board.
    pub board: &'static Board,
    /// Firmware; for a command, the one that [`Board::build_for_commands`] builds.
    pub elf: &'a Path,
    /// Endpoint of the UART.
    pub uart: Uart,
    /// Command for the firmware (see `firmware/boards/emulated`); empty to answer requests.
    pub command: &'a [&'a str],
    /// Advances the machine's time by exactly one nanosecond per executed instruction.
    pub count_instructions: bool,
    /// QEMU's argument for a plugin.
    pub plugin: Option<&'a str>,
    /// Enables [`Emulator::reset`].
    pub resettable: bool,
    /// Folder in which the firmware opens files.
    pub folder: Option<&'a Path>,
    /// Receives every line of the log as it is written.
    pub on_line: Box<dyn FnMut(&Line) + Send>,
}

impl<'a> Options<'a> {
    /// Options for answering requests on a private UART; the log is kept for errors.
    pub fn serve(board: &'static Board, elf: &'a Path) -> Self {
        Options {
            board,
            elf,
            uart: Uart::Private,
            command: &[],
            count_instructions: false,
            plugin: None,
            resettable: false,
            folder: None,
            on_line: Box::new(|_| ()),
        }
    }
}

/// A running emulated board; dropping it ends QEMU.
pub struct Emulator {
    board: &'static Board,
    child: Child,
    listener: Option<TcpListener>,
    control: Option<Control>,
    lines: Arc<Mutex<VecDeque<String>>>,
    readers: Vec<JoinHandle<()>>,
}

impl Emulator {
    /// Starts QEMU.
    ///
    /// # Errors
    /// [`Error::NoEmulator`] with instructions for installing QEMU; [`Error::File`] and
    /// [`Error::Log`] if the firmware cannot be used.
    pub fn start(options: Options<'_>) -> Result<Self, Error> {
        let Options {
            board,
            elf,
            uart,
            command,
            count_instructions,
            plugin,
            resettable,
            folder,
            mut on_line,
        } = options;
        let elf = absolute(elf)?;
        let bytes = fs::read(&elf).map_err(Error::file(&elf))?;
        let strings = Strings::read(&bytes, &elf)?;
        let (serial, listener) = serial(uart)?;
        let mut qemu = Command::new(board.qemu);
        qemu.args(["-machine", board.machine, "-display", "none", "-monitor", "none"])
            .args(["-chardev", "stdio,id=log,signal=off"])
            .args(["-chardev", &serial, "-serial", "chardev:uart"])
            .args(["-bios", "none", "-kernel"])
            .arg(&elf)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // Commands require firmware for the emulator, whose log uses semihosting.
        match board.log {
            Log::SecondUart if command.is_empty() => qemu.args(["-serial", "chardev:log"]),
            _ => qemu.args(["-semihosting-config", &semihosting(command)]),
        };
        if count_instructions {
            qemu.args(["-icount", "shift=0"]);
        }
        if let Some(plugin) = plugin {
            qemu.args(["-plugin", plugin]);
        }
        let control = match resettable {
            true => Some(TcpListener::bind("127.0.0.1:0").map_err(Error::Connection)?),
            false => None,
        };
        if let Some(control) = &control {
            control.set_nonblocking(true).map_err(Error::Connection)?;
            let port = control.local_addr().map_err(Error::Connection)?.port();
            let socket = format!("socket,id=control,host=127.0.0.1,port={port}");
            qemu.args(["-chardev", &socket, "-mon", "chardev=control,mode=control"]);
        }
        if let Some(folder) = folder {
            qemu.current_dir(folder);
        }
        let mut child = qemu.spawn().map_err(|source| match source.kind() {
            ErrorKind::NotFound => Error::NoEmulator { program: board.qemu.into() },
            _ => Error::Start { program: board.qemu.into(), source },
        })?;
        let lines = Arc::new(Mutex::new(VecDeque::new()));
        let mut readers = Vec::new();
        if let Some(mut log) = child.stdout.take() {
            let lines = lines.clone();
            readers.push(thread::spawn(move || {
                let mut decoder = strings.decoder();
                read_all(&mut log, |bytes| {
                    decoder.push(bytes, |line| {
                        keep(&lines, &line.to_string());
                        on_line(&line);
                    });
                });
            }));
        }
        if let Some(mut errors) = child.stderr.take() {
            let lines = lines.clone();
            readers.push(thread::spawn(move || {
                read_all(&mut errors, |bytes| {
                    keep(&lines, &String::from_utf8_lossy(bytes));
                });
            }));
        }
        let mut emulator = Emulator { board, child, listener, control: None, lines, readers };
        if let Some(control) = control {
            emulator.control = Some(Control::open(emulator.accept(&control)?)?);
        }
        Ok(emulator)
    }

    /// Resets the machine in any state; its memories keep their contents.
    ///
    /// # Errors
    /// [`Error::Closed`] if it was not started as resettable, or has ended.
    pub fn reset(&mut self) -> Result<(), Error> {
        self.control.as_mut().ok_or(Error::Closed)?.execute("system_reset")
    }

    /// Returns the client of a [`Uart::Private`]; works once.
    ///
    /// # Errors
    /// [`Error::Ended`] if QEMU ended before it connected, [`Error::TooSlow`] if it did not
    /// connect, [`Error::Closed`] if there is no such UART or its client was taken.
    pub fn connect(&mut self) -> Result<Client<TcpStream>, Error> {
        let listener = self.listener.take().ok_or(Error::Closed)?;
        let stream = self.accept(&listener)?;
        Client::over_tcp(stream).map_err(Error::Connection)
    }

    /// Waits until QEMU connects.
    fn accept(&mut self, listener: &TcpListener) -> Result<TcpStream, Error> {
        let deadline = Instant::now() + CONNECT_TIMEOUT;
        loop {
            match listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(false).map_err(Error::Connection)?;
                    return Ok(stream);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(Error::Connection(error)),
            }
            if let Some(status) = self.ended()? {
                return Err(self.failed(status));
            }
            if Instant::now() > deadline {
                return Err(self.too_slow(CONNECT_TIMEOUT));
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Returns the exit status of QEMU, if it has ended.
    ///
    /// # Errors
    /// [`Error::Connection`] if the system cannot report it.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>, Error> {
        self.child.try_wait().map_err(Error::Connection)
    }

    /// Waits until QEMU ends, up to a limit; returns the firmware's exit status.
    ///
    /// # Errors
    /// [`Error::TooSlow`] after the limit; QEMU is then stopped.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus, Error> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            if Instant::now() > deadline {
                return Err(self.too_slow(limit));
            }
            thread::sleep(POLL / 10);
        }
    }

    /// Waits as [`Emulator::wait`] does, and returns an error for a failing exit code.
    ///
    /// # Errors
    /// [`Error::Ended`] with the last lines of the log, or [`Error::TooSlow`].
    pub fn wait_for_success(&mut self, limit: Duration) -> Result<(), Error> {
        let status = self.wait(limit)?;
        if status.success() { Ok(()) } else { Err(self.failed(status)) }
    }

    /// Returns the output of firmware and QEMU so far, one string per line; of a long log, its end.
    pub fn log(&self) -> Vec<String> {
        lock(&self.lines).iter().cloned().collect()
    }

    fn failed(&mut self, status: ExitStatus) -> Error {
        Error::Ended { board: self.board.name, status: status.to_string(), log: self.last_words() }
    }

    fn too_slow(&mut self, after: Duration) -> Error {
        self.stop();
        Error::TooSlow { board: self.board.name, after, log: self.last_words() }
    }

    /// Returns the end of the log for an error, after QEMU has ended.
    fn last_words(&mut self) -> String {
        self.stop();
        let lines = lock(&self.lines);
        lines
            .iter()
            .skip(lines.len().saturating_sub(10))
            .map(|line| format!("\n    {line}"))
            .collect()
    }

    /// Ends QEMU, and reads its log to the end.
    fn stop(&mut self) {
        // Both fail only if QEMU has already ended and was waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
        for reader in mem::take(&mut self.readers) {
            // A reader that panicked has reported it on standard error.
            let _ = reader.join();
        }
    }
}

/// QEMU's machine protocol (QMP), with a line of JSON in each direction.
struct Control(BufReader<TcpStream>);

impl Control {
    fn open(stream: TcpStream) -> Result<Self, Error> {
        stream.set_read_timeout(Some(CONNECT_TIMEOUT)).map_err(Error::Connection)?;
        let mut control = Control(BufReader::new(stream));
        // QMP greets, and accepts commands after the reply.
        control.read_line()?;
        control.execute("qmp_capabilities")?;
        Ok(control)
    }

    /// Executes a command, and waits until QEMU has completed it.
    fn execute(&mut self, command: &str) -> Result<(), Error> {
        let line = format!("{{\"execute\": \"{command}\"}}\n");
        self.0.get_mut().write_all(line.as_bytes()).map_err(Error::Connection)?;
        // Events may arrive in between.
        while !self.read_line()?.contains("\"return\"") {}
        Ok(())
    }

    fn read_line(&mut self) -> Result<String, Error> {
        let mut line = String::new();
        match self.0.read_line(&mut line).map_err(Error::Connection)? {
            0 => Err(Error::Closed),
            _ => Ok(line),
        }
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.stop();
    }
}

/// QEMU arguments for the UART, and the listener of a private one.
fn serial(uart: Uart) -> Result<(String, Option<TcpListener>), Error> {
    Ok(match uart {
        Uart::None => ("null,id=uart".into(), None),
        // QEMU connects to this listener. The system chooses a free port that no other process can
        // take in between, and the UART is connected before the machine starts.
        Uart::Private => {
            let listener = TcpListener::bind("127.0.0.1:0").map_err(Error::Connection)?;
            listener.set_nonblocking(true).map_err(Error::Connection)?;
            let port = listener.local_addr().map_err(Error::Connection)?.port();
            (format!("socket,id=uart,host=127.0.0.1,port={port},nodelay=on"), Some(listener))
        }
        Uart::Listen(address) => (
            format!(
                "socket,id=uart,host={},port={},nodelay=on,server=on,wait=off",
                address.ip(),
                address.port()
            ),
            None,
        ),
    })
}

/// QEMU arguments for semihosting and the firmware's command line.
fn semihosting(command: &[&str]) -> String {
    let mut words = String::from("enable=on,target=native,chardev=log,arg=thimble");
    for word in command {
        words.push_str(",arg=");
        // QEMU unescapes a doubled comma.
        words.push_str(&word.replace(',', ",,"));
    }
    words
}

fn absolute(path: &Path) -> Result<PathBuf, Error> {
    path.canonicalize().map_err(Error::file(path))
}

fn read_all(from: &mut impl Read, mut each: impl FnMut(&[u8])) {
    let mut buffer = [0; 4096];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return,
            Ok(read) => each(&buffer[..read]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // The pipe of an ended process.
            Err(_) => return,
        }
    }
}

fn keep(lines: &Mutex<VecDeque<String>>, text: &str) {
    let mut lines = lock(lines);
    for line in text.lines() {
        if lines.len() == KEPT_LINES {
            lines.pop_front();
        }
        lines.push_back(line.into());
    }
}

/// Locks the log, which is intact even if a holder of the lock panicked.
fn lock(lines: &Mutex<VecDeque<String>>) -> MutexGuard<'_, VecDeque<String>> {
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}
