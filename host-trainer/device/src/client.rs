//! Client of the link protocol, over any stream of bytes.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use firmware::link::{
    self, FrameError, Message, PROTOCOL, Received, Receiver, Request, Response, SelfTestReport,
    frame_len,
};
use model_format::limits::MAX_WIDTH;

use super::Error;
use super::info::DeviceInfo;

/// Default time limit of a response; see [`Client::set_timeout`].
const TIMEOUT: Duration = Duration::from_secs(10);
/// Number of repetitions of a request after the device could not read a frame.
const REPEATS: u32 = 2;
/// Time limit of a response after the device has refused more frames than that.
const AFTER_REFUSAL: Duration = Duration::from_secs(1);
/// Read timeout of a stream, after which the client checks its own time limit.
pub const POLL: Duration = Duration::from_millis(50);

/// Host end of the link to a device.
///
/// Reading from `S` must return [`ErrorKind::TimedOut`] or [`ErrorKind::WouldBlock`] after a while
/// if no data arrives (see [`TcpStream::set_read_timeout`]). The client then checks its own time
/// limit.
pub struct Client<S> {
    stream: BufReader<S>,
    timeout: Duration,
    sequence: u16,
    send: Vec<u8>,
    receive: Vec<u8>,
}

impl Client<TcpStream> {
    /// Connects to a device whose UART is at `address`, as `HOST:PORT`.
    ///
    /// # Errors
    /// [`Error::Connect`] if the connection is refused.
    pub fn connect(address: &str) -> Result<Self, Error> {
        let failed = |source| Error::Connect { address: address.into(), source };
        let mut last = ErrorKind::AddrNotAvailable.into();
        for candidate in address.to_socket_addrs().map_err(failed)? {
            match TcpStream::connect_timeout(&candidate, TIMEOUT) {
                Ok(stream) => return Client::over_tcp(stream).map_err(failed),
                Err(error) => last = error,
            }
        }
        Err(failed(last))
    }

    /// Creates a client on an open connection.
    ///
    /// # Errors
    /// The system's error if its timeouts cannot be set.
    pub fn over_tcp(stream: TcpStream) -> std::io::Result<Self> {
        stream.set_read_timeout(Some(POLL))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        // Requests are small, and each waits for its answer.
        stream.set_nodelay(true)?;
        Ok(Client::new(stream))
    }
}

impl<S: Read + Write> Client<S> {
    /// Creates a client on `stream`; see [`Client`] for the required read timeout.
    pub fn new(stream: S) -> Self {
        Client {
            stream: BufReader::new(stream),
            timeout: TIMEOUT,
            sequence: 0,
            send: vec![0; frame_len(2 * MAX_WIDTH)],
            receive: vec![0; frame_len(2 * MAX_WIDTH)],
        }
    }

    /// Returns the time limit of a response.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Sets the time limit of a response.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    /// Converts the stream of the client.
    pub fn map<T: Read + Write>(self, form: impl FnOnce(S) -> T) -> Client<T> {
        // Between two requests no received data is pending.
        let stream = BufReader::new(form(self.stream.into_inner()));
        let Client { timeout, sequence, send, receive, .. } = self;
        Client { stream, timeout, sequence, send, receive }
    }

    /// Returns the stream, for sending data outside the protocol.
    pub fn stream_mut(&mut self) -> &mut S {
        self.stream.get_mut()
    }

    /// Requests the device's identity and its model.
    ///
    /// # Errors
    /// [`Error::Protocol`] if it uses another version, otherwise the error of the link.
    pub fn info(&mut self) -> Result<DeviceInfo, Error> {
        self.exchange(Request::Info, |response| match response {
            Response::Info(info) if info.protocol == PROTOCOL => Ok(DeviceInfo::from(info)),
            Response::Info(info) => Err(Error::Protocol { device: info.protocol, here: PROTOCOL }),
            other => Err(unexpected(&other)),
        })
    }

    /// Requests the outputs of the device's model for one input, both int8.
    ///
    /// # Errors
    /// [`Error::Refused`] if the input has the wrong length, otherwise the error of the link.
    pub fn infer(&mut self, input: &[i8]) -> Result<Vec<i8>, Error> {
        let input: Vec<u8> = input.iter().map(|value| *value as u8).collect();
        Ok(self.infer_bytes(&input)?.iter().map(|byte| *byte as i8).collect())
    }

    /// Requests the output bytes for the bytes of one input, int8 or int16 little-endian.
    ///
    /// # Errors
    /// [`Error::Refused`] if the input has the wrong length, otherwise the error of the link.
    pub fn infer_bytes(&mut self, input: &[u8]) -> Result<Vec<u8>, Error> {
        self.exchange(Request::Infer { input }, |response| match response {
            Response::Output { output } => Ok(output.to_vec()),
            other => Err(unexpected(&other)),
        })
    }

    /// Requests the output bytes for raw sensor counts.
    ///
    /// # Errors
    /// [`Error::Refused`] if the model does not take counts, or takes another number of them,
    /// otherwise the error of the link.
    pub fn infer_counts(
        &mut self,
        counts: impl IntoIterator<Item = i16>,
    ) -> Result<Vec<u8>, Error> {
        let counts: Vec<u8> = counts.into_iter().flat_map(i16::to_le_bytes).collect();
        self.exchange(Request::InferCounts { counts: &counts }, |response| match response {
            Response::Output { output } => Ok(output.to_vec()),
            other => Err(unexpected(&other)),
        })
    }

    /// Requests the output bytes for real numbers in their own units.
    ///
    /// # Errors
    /// [`Error::Refused`] if the model does not take real numbers, or takes another number of them,
    /// otherwise the error of the link.
    pub fn infer_reals(&mut self, reals: &[f32]) -> Result<Vec<u8>, Error> {
        let reals: Vec<u8> = reals.iter().flat_map(|real| real.to_le_bytes()).collect();
        self.exchange(Request::InferReals { reals: &reals }, |response| match response {
            Response::Output { output } => Ok(output.to_vec()),
            other => Err(unexpected(&other)),
        })
    }

    /// Runs the model's self-tests on the device.
    ///
    /// # Errors
    /// The error of the link; failed self-tests are in the report.
    pub fn self_test(&mut self) -> Result<SelfTestReport, Error> {
        self.exchange(Request::SelfTest, |response| match response {
            Response::SelfTest(report) => Ok(report),
            other => Err(unexpected(&other)),
        })
    }

    /// Sends a request, and passes the response to `accept`; repeats it if the device could not
    /// read a frame.
    pub(super) fn exchange<R>(
        &mut self,
        request: Request<'_>,
        accept: impl FnOnce(Response<'_>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        // From 1: sequence 0 answers unreadable frames.
        self.sequence = self.sequence.checked_add(1).unwrap_or(1);
        let message = Message { sequence: self.sequence, body: request };
        let frame = link::encode(&message, &mut self.send).ok_or(Error::TooLong)?;
        let mut receiver = Receiver::new(&mut self.receive);
        let mut repeats_left = REPEATS;
        let mut refused = None;
        let mut deadline = Instant::now() + self.timeout;
        send(self.stream.get_mut(), frame, deadline)?;
        loop {
            if !receive(&mut self.stream, &mut receiver, deadline)? {
                return Err(refused.map_or(Error::NoAnswer(self.timeout), Error::Refused));
            }
            match receiver.message::<Response<'_>>() {
                Ok(Message { sequence, body }) if sequence == self.sequence => {
                    return match body {
                        Response::Error(error) => Err(Error::Refused(error)),
                        answer => accept(answer),
                    };
                }
                // It answers this request or earlier garbage, which cannot be distinguished.
                Ok(Message { sequence: 0, body: Response::Error(refusal) }) => {
                    if repeats_left > 0 {
                        repeats_left -= 1;
                        send(self.stream.get_mut(), frame, deadline)?;
                    } else if refused.replace(refusal).is_none() {
                        deadline = deadline.min(Instant::now() + AFTER_REFUSAL);
                    }
                }
                // Information of another version has another layout, but starts with the version.
                // No version was 0, and an echo of the request is empty there.
                Err(FrameError::Unknown { sequence, head: [0, device @ 1..=u8::MAX] })
                    if sequence == self.sequence && device != PROTOCOL =>
                {
                    return Err(Error::Protocol { device, here: PROTOCOL });
                }
                // A late response to an earlier request, or garbage on the line.
                Ok(_) | Err(_) => {}
            }
        }
    }
}

/// Sends a frame. A serial port accepts no more than its buffer holds, and otherwise returns the
/// error of a timeout. A large frame is therefore sent in pieces.
fn send(stream: &mut impl Write, mut frame: &[u8], deadline: Instant) -> Result<(), Error> {
    while !frame.is_empty() {
        match stream.write(frame) {
            Ok(0) => return Err(Error::Closed),
            Ok(sent) => frame = frame.get(sent..).unwrap_or_default(),
            Err(error) if is_wait(&error) && Instant::now() < deadline => {}
            Err(error) => return Err(failed(error)),
        }
    }
    stream.flush().map_err(failed)
}

/// Returns whether the stream has no data or no room at the moment.
fn is_wait(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// Distinguishes a closed connection or an unplugged port from other errors.
fn failed(error: std::io::Error) -> Error {
    match error.kind() {
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::NotConnected => {
            Error::Closed
        }
        _ => Error::Connection(error),
    }
}

/// Receives bytes until they complete a frame; returns `false` if none arrived in time.
fn receive(
    stream: &mut impl BufRead,
    receiver: &mut Receiver<'_>,
    deadline: Instant,
) -> Result<bool, Error> {
    while Instant::now() < deadline {
        let bytes = match stream.fill_buf() {
            Ok([]) => return Err(Error::Closed),
            Ok(bytes) => bytes,
            Err(error) if is_wait(&error) => continue,
            Err(error) => return Err(failed(error)),
        };
        let end = bytes.iter().position(|byte| receiver.push(*byte) == Received::Frame);
        let used = end.map_or(bytes.len(), |last| last + 1);
        stream.consume(used);
        if end.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(super) fn unexpected(response: &Response<'_>) -> Error {
    Error::Unexpected(format!("{response:?}"))
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::io;

    use firmware::link::RequestError;

    use super::*;

    /// A device that answers each request with the next of its prepared byte strings.
    #[derive(Default)]
    struct Scripted {
        answers: VecDeque<Vec<u8>>,
        incoming: VecDeque<u8>,
        requests: usize,
    }

    impl Read for Scripted {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.incoming.is_empty() {
                return Err(ErrorKind::TimedOut.into());
            }
            self.incoming.read(buffer)
        }
    }

    impl Write for Scripted {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.requests += 1;
            self.incoming.extend(self.answers.pop_front().unwrap_or_default());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn frame(sequence: u16, body: Response<'_>) -> Vec<u8> {
        let mut buffer = [0; 512];
        link::encode(&Message { sequence, body }, &mut buffer).unwrap().to_vec()
    }

    fn client(answers: &[Vec<u8>]) -> Client<Scripted> {
        let mut client = Client::new(Scripted {
            answers: answers.iter().cloned().collect(),
            ..Scripted::default()
        });
        client.set_timeout(Duration::from_millis(20));
        client
    }

    const OUTPUT: Response<'_> = Response::Output { output: &[1, 255] };

    #[test]
    fn garbage_and_late_answers_are_passed_over() {
        let mut bytes = vec![1, 2, 3, 0, 0, 7];
        bytes.extend(frame(9, Response::SelfTest(SelfTestReport { vectors: 1, passed: 1 })));
        bytes.extend(frame(1, OUTPUT));
        assert_eq!(client(&[bytes]).infer(&[5]).unwrap(), [1, -1]);
    }

    #[test]
    fn a_damaged_request_is_sent_again() {
        let damaged = frame(0, Response::Error(RequestError::Damaged));
        let mut client = client(&[damaged, frame(1, OUTPUT)]);
        assert_eq!(client.infer(&[5]).unwrap(), [1, -1]);
        assert_eq!(client.stream_mut().requests, 2);
    }

    #[test]
    fn silence_and_endless_damage_end() {
        assert!(matches!(client(&[]).info(), Err(Error::NoAnswer(_))));
        let damaged = frame(0, Response::Error(RequestError::Damaged));
        let mut client = client(&vec![damaged; 9]);
        assert!(matches!(client.info(), Err(Error::Refused(RequestError::Damaged))));
        assert_eq!(client.stream_mut().requests, 3);
    }

    #[test]
    fn a_refusal_is_an_error() {
        let refusal = RequestError::InputLength { expected: 64, given: 1 };
        let mut client = client(&[frame(1, Response::Error(refusal))]);
        let error = client.infer(&[5]).unwrap_err();
        assert!(matches!(&error, Error::Refused(given) if *given == refusal));
        assert!(error.to_string().contains("64 bytes of input"), "{error}");
    }

    #[test]
    fn an_older_protocol_is_named() {
        // Information in the layout of protocol 1: sequence 1, kind 0, version 1, and more.
        let mut buffer = [0; 64];
        let message = Message { sequence: 1, body: (0u8, 1u8, "board", "0.0.1") };
        let old = link::encode(&message, &mut buffer).unwrap().to_vec();
        let error = client(&[old]).info().unwrap_err();
        assert!(matches!(error, Error::Protocol { device: 1, here: PROTOCOL }), "{error}");
        assert!(error.to_string().contains("Flash the firmware"), "{error}");
    }

    #[test]
    fn a_peer_that_is_gone_is_told_from_silence() {
        struct Gone;
        impl Read for Gone {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(ErrorKind::BrokenPipe.into())
            }
        }
        impl Write for Gone {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        assert!(matches!(Client::new(Gone).info(), Err(Error::Closed)));
    }

    /// A port whose buffer holds three bytes and is full every other time.
    #[test]
    fn a_frame_that_is_larger_than_the_buffer_is_sent_in_pieces() {
        #[derive(Default)]
        struct Slow {
            sent: Vec<u8>,
            full: bool,
        }
        impl Write for Slow {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.full = !self.full;
                if self.full {
                    return Err(ErrorKind::TimedOut.into());
                }
                let len = bytes.len().min(3);
                self.sent.extend_from_slice(&bytes[..len]);
                Ok(len)
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (mut slow, frame) = (Slow::default(), [1, 2, 3, 4, 5, 6, 7]);
        send(&mut slow, &frame, Instant::now() + Duration::from_secs(60)).unwrap();
        assert_eq!(slow.sent, frame);
        let late = send(&mut Slow::default(), &frame, Instant::now());
        assert!(matches!(late, Err(Error::Connection(_))));
    }

    #[test]
    fn the_answer_must_be_of_the_kind_that_was_asked() {
        assert!(matches!(client(&[frame(1, OUTPUT)]).self_test(), Err(Error::Unexpected(_))));
    }
}
