//! The device application: answers requests over a stream of bytes.

use embedded_hal::digital::StatefulOutputPin;
use embedded_io::{Read, Write};

use crate::link::{
    self, FrameError, Info, Message, PROTOCOL, Received, Receiver, Refusal, Request, Response,
    SelfTestReport,
};
use crate::{Engine, InputError};

/// What the application asks of the board that it runs on.
pub trait Board {
    /// Name of the board, at most 64 bytes.
    const NAME: &'static str;
    /// A light that shows life.
    type Led: StatefulOutputPin;

    /// The light: it changes with every answer.
    fn led(&mut self) -> &mut Self::Led;

    /// The most bytes of stack that have been in use since the start, if the board measures it.
    fn stack_bytes(&self) -> Option<u32> {
        None
    }
}

/// A light for boards that have none.
pub struct NoLed;

impl embedded_hal::digital::ErrorType for NoLed {
    type Error = core::convert::Infallible;
}

impl embedded_hal::digital::OutputPin for NoLed {
    fn set_low(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}

impl StatefulOutputPin for NoLed {
    fn is_set_high(&mut self) -> Result<bool, Self::Error> {
        Ok(false)
    }

    fn is_set_low(&mut self) -> Result<bool, Self::Error> {
        Ok(true)
    }
}

/// Runs the model's own test vectors.
pub fn self_test(engine: &mut Engine<'_, '_>) -> SelfTestReport {
    let tests = engine.model().self_tests();
    let mut report = SelfTestReport {
        vectors: 0,
        passed: 0,
    };
    for test in tests {
        report.vectors = report.vectors.saturating_add(1);
        let output = engine
            .run(bytemuck::must_cast_slice(test.input))
            .unwrap_or_default();
        if output
            .iter()
            .map(|value| *value as u8)
            .eq(test.output.iter().copied())
        {
            report.passed = report.passed.saturating_add(1);
        }
    }
    report
}

/// The device application.
pub struct App<'m, 's, 'b, B> {
    engine: Engine<'m, 's>,
    board: B,
    receiver: Receiver<'b>,
    send: &'b mut [u8],
    bad_frames: u32,
}

impl<'m, 's, 'b, B: Board> App<'m, 's, 'b, B> {
    /// The application that runs this engine on this board.
    ///
    /// # Shapes
    /// `receive` and `send` have at least [`link::frame_len`] bytes for the model's inputs and
    /// outputs; requests and answers that do not fit are refused.
    pub fn new(
        engine: Engine<'m, 's>,
        board: B,
        receive: &'b mut [u8],
        send: &'b mut [u8],
    ) -> Self {
        App {
            engine,
            board,
            receiver: Receiver::new(receive),
            send,
            bad_frames: 0,
        }
    }

    /// Answers requests until the stream ends.
    ///
    /// # Errors
    /// What reading or writing the stream says.
    pub fn serve<S: Read + Write>(&mut self, stream: &mut S) -> Result<(), S::Error> {
        let mut bytes = [0; 32];
        loop {
            let count = stream.read(&mut bytes)?;
            if count == 0 {
                return Ok(());
            }
            for byte in bytes.get(..count).unwrap_or_default() {
                self.push(*byte, stream)?;
            }
        }
    }

    /// Takes the next byte, and answers if it completes a frame.
    fn push<S: Write>(&mut self, byte: u8, stream: &mut S) -> Result<(), S::Error> {
        let message = match self.receiver.push(byte) {
            Received::Nothing => return Ok(()),
            Received::TooLong => {
                let limit = self.receiver.capacity() as u32;
                Message {
                    sequence: 0,
                    body: Err(Refusal::TooLong { limit }),
                }
            }
            Received::Frame => match self.receiver.message::<Request<'_>>() {
                Ok(Message { sequence, body }) => Message {
                    sequence,
                    body: Ok(body),
                },
                Err(FrameError::Damaged) => Message {
                    sequence: 0,
                    body: Err(Refusal::Damaged),
                },
                Err(FrameError::Unknown { sequence }) => Message {
                    sequence,
                    body: Err(Refusal::UnknownRequest),
                },
            },
        };
        let sequence = message.sequence;
        let body = match message.body {
            Ok(request) => answer(request, &mut self.engine, &self.board, self.bad_frames),
            Err(refusal) => {
                if refusal != Refusal::UnknownRequest {
                    self.bad_frames = self.bad_frames.saturating_add(1);
                }
                Response::Refused(refusal)
            }
        };
        #[cfg(feature = "defmt")]
        if let Response::Refused(refusal) = &body {
            defmt::warn!(
                "request {=u16} refused: {}",
                sequence,
                defmt::Display2Format(refusal)
            );
        }
        let frame = match link::encode(&Message { sequence, body }, self.send) {
            Some(frame) => Some(frame),
            None => {
                let body = Response::Refused(Refusal::ResponseTooLong);
                link::encode(&Message { sequence, body }, self.send)
            }
        };
        // A light that fails must not keep the answer back.
        let _ = self.board.led().toggle();
        stream.write_all(frame.unwrap_or_default())?;
        stream.flush()
    }
}

fn answer<'a, 'm: 'a, B: Board>(
    request: Request<'_>,
    engine: &'a mut Engine<'m, '_>,
    board: &B,
    bad_frames: u32,
) -> Response<'a> {
    match request {
        Request::Info => {
            let model = engine.model();
            Response::Info(Info {
                protocol: PROTOCOL,
                board: B::NAME,
                firmware: env!("CARGO_PKG_VERSION"),
                model: model.name(),
                checksum: model.checksum(),
                // The limits of a model keep all of these within their types.
                inputs: model.input_len() as u16,
                outputs: model.output_len() as u16,
                layers: model.layers().len() as u8,
                model_bytes: model.file_len() as u32,
                scratch_bytes: model.scratch_len().saturating_mul(4) as u32,
                stack_bytes: board.stack_bytes(),
                bad_frames,
            })
        }
        Request::Infer { input } => match engine.run(bytemuck::must_cast_slice(input)) {
            Ok(output) => Response::Output {
                output: bytemuck::must_cast_slice(output),
            },
            Err(InputError { expected, given }) => {
                let (expected, given) = (expected as u32, given as u32);
                Response::Refused(Refusal::InputLength { expected, given })
            }
        },
        Request::SelfTest => Response::SelfTest(self_test(engine)),
    }
}
