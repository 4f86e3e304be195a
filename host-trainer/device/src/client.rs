//! Asks a device, over any stream of bytes.

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

/// How long a device may take to answer, unless [`Client::set_timeout`] says otherwise.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How often a request is sent again after the device could not read a frame.
const REPEATS: u32 = 2;
/// How long an answer may still take once the device has refused frames more often than that.
const AFTER_REFUSAL: Duration = Duration::from_secs(1);
/// How often a stream looks up from reading, so that the client sees the time pass.
pub const POLL: Duration = Duration::from_millis(50);

/// The computer's end of the link to a device.
///
/// Reading from `S` has to return after a while with [`ErrorKind::TimedOut`] or
/// [`ErrorKind::WouldBlock`] if nothing comes (see [`TcpStream::set_read_timeout`]): that is when
/// the client looks whether its own time is up.
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
    /// [`Error::Connect`] if nobody listens there.
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

    /// Talks over a connection that is there already.
    ///
    /// # Errors
    /// What the system says if its timeouts can't be set.
    pub fn over_tcp(stream: TcpStream) -> std::io::Result<Self> {
        stream.set_read_timeout(Some(POLL))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        // Requests are small, and each waits for its answer.
        stream.set_nodelay(true)?;
        Ok(Client::new(stream))
    }
}

impl<S: Read + Write> Client<S> {
    /// Talks over `stream`; see [`Client`] for what it must do when nothing comes.
    pub fn new(stream: S) -> Self {
        Client {
            stream: BufReader::new(stream),
            timeout: TIMEOUT,
            sequence: 0,
            send: vec![0; frame_len(2 * MAX_WIDTH)],
            receive: vec![0; frame_len(2 * MAX_WIDTH)],
        }
    }

    /// How long the device may take for an answer.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Sets how long the device may take for an answer.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    /// The same client over the stream in another form.
    pub fn map<T: Read + Write>(self, form: impl FnOnce(S) -> T) -> Client<T> {
        // Between two requests nothing that was received is waiting.
        let stream = BufReader::new(form(self.stream.into_inner()));
        let Client { timeout, sequence, send, receive, .. } = self;
        Client { stream, timeout, sequence, send, receive }
    }

    /// The stream itself, to send what no client would send.
    pub fn stream_mut(&mut self) -> &mut S {
        self.stream.get_mut()
    }

    /// Who the device is and what it runs.
    ///
    /// # Errors
    /// [`Error::Protocol`] if it speaks another version, otherwise what went wrong on the way.
    pub fn info(&mut self) -> Result<DeviceInfo, Error> {
        self.exchange(Request::Info, |response| match response {
            Response::Info(info) if info.protocol == PROTOCOL => Ok(DeviceInfo::from(info)),
            Response::Info(info) => Err(Error::Protocol { device: info.protocol, here: PROTOCOL }),
            other => Err(unexpected(&other)),
        })
    }

    /// All outputs of the device's model for one input, both int8.
    ///
    /// # Errors
    /// [`Error::Refused`] if the input has the wrong length, otherwise what went wrong on the way.
    pub fn infer(&mut self, input: &[i8]) -> Result<Vec<i8>, Error> {
        let input: Vec<u8> = input.iter().map(|value| *value as u8).collect();
        Ok(self.infer_bytes(&input)?.iter().map(|byte| *byte as i8).collect())
    }

    /// The bytes of all outputs for the bytes of one input, int8 or int16 little-endian.
    ///
    /// # Errors
    /// [`Error::Refused`] if the input has the wrong length, otherwise what went wrong on the way.
    pub fn infer_bytes(&mut self, input: &[u8]) -> Result<Vec<u8>, Error> {
        self.exchange(Request::Infer { input }, |response| match response {
            Response::Output { output } => Ok(output.to_vec()),
            other => Err(unexpected(&other)),
        })
    }

    /// The bytes of all outputs for what sensors count.
    ///
    /// # Errors
    /// [`Error::Refused`] if the model takes no counts, or not so many, otherwise what went wrong on
    /// the way.
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

    /// Has the device run its model on real numbers in their own units; returns the bytes of its
    /// output.
    ///
    /// # Errors
    /// [`Error::Refused`] if the model takes no real numbers, or not so many, otherwise what went
    /// wrong on the way.
    pub fn infer_reals(&mut self, reals: &[f32]) -> Result<Vec<u8>, Error> {
        let reals: Vec<u8> = reals.iter().flat_map(|real| real.to_le_bytes()).collect();
        self.exchange(Request::InferReals { reals: &reals }, |response| match response {
            Response::Output { output } => Ok(output.to_vec()),
            other => Err(unexpected(&other)),
        })
    }

    /// Has the device run its model's own test vectors.
    ///
    /// # Errors
    /// What went wrong on the way; vectors that fail are in the report.
    pub fn self_test(&mut self) -> Result<SelfTestReport, Error> {
        self.exchange(Request::SelfTest, |response| match response {
            Response::SelfTest(report) => Ok(report),
            other => Err(unexpected(&other)),
        })
    }

    /// Sends a request, and gives the answer to `accept`; sends it again if the device could not
    /// read a frame.
    pub(super) fn exchange<R>(
        &mut self,
        request: Request<'_>,
        accept: impl FnOnce(Response<'_>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        // From 1: 0 answers frames that could not be read.
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
                // Meant for this request, or for garbage that came before it: nobody can tell.
                Ok(Message { sequence: 0, body: Response::Error(refusal) }) => {
                    if repeats_left > 0 {
                        repeats_left -= 1;
                        send(self.stream.get_mut(), frame, deadline)?;
                    } else if refused.replace(refusal).is_none() {
                        deadline = deadline.min(Instant::now() + AFTER_REFUSAL);
                    }
                }
                // Information of another version has another form, but starts with the version; none
                // was 0, and an echo of the request has nothing there.
                Err(FrameError::Unknown { sequence, head: [0, device @ 1..=u8::MAX] })
                    if sequence == self.sequence && device != PROTOCOL =>
                {
                    return Err(Error::Protocol { device, here: PROTOCOL });
                }
                // A late answer to an earlier request, or garbage on the line.
                Ok(_) | Err(_) => {}
            }
        }
    }
}

/// Sends a frame. A serial port takes no more than its buffer holds, and says so as it does when
/// nothing comes; a large frame therefore goes in pieces.
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

/// Whether the stream only has nothing to give, or no room, at the moment.
fn is_wait(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// What the system says of a peer that is gone and of a port that was unplugged, and the rest.
fn failed(error: std::io::Error) -> Error {
    match error.kind() {
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::NotConnected => {
            Error::Closed
        }
        _ => Error::Connection(error),
    }
}

/// Receives bytes until they complete a frame; `false` if none came in time.
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
        // Information as protocol 1 had it: sequence 1, kind 0, version 1, and more.
        let mut buffer = [0; 64];
        let message = Message { sequence: 1, body: (0u8, 1u8, "board", "0.0.1") };
        let old = link::encode(&message, &mut buffer).unwrap().to_vec();
        let error = client(&[old]).info().unwrap_err();
        assert!(matches!(error, Error::Protocol { device: 1, here: PROTOCOL }), "{error}");
        assert!(error.to_string().contains("flash the firmware"), "{error}");
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
