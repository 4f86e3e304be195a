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
    let mut report = SelfTestReport { vectors: 0, passed: 0 };
    for test in tests {
        report.vectors = report.vectors.saturating_add(1);
        let output = engine.run(bytemuck::must_cast_slice(test.input)).unwrap_or_default();
        if output.iter().map(|value| *value as u8).eq(test.output.iter().copied()) {
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
        App { engine, board, receiver: Receiver::new(receive), send, bad_frames: 0 }
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
                Message { sequence: 0, body: Err(Refusal::TooLong { limit }) }
            }
            Received::Frame => match self.receiver.message::<Request<'_>>() {
                Ok(Message { sequence, body }) => Message { sequence, body: Ok(body) },
                Err(FrameError::Damaged) => Message { sequence: 0, body: Err(Refusal::Damaged) },
                Err(FrameError::Unknown { sequence }) => {
                    Message { sequence, body: Err(Refusal::UnknownRequest) }
                }
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
            defmt::warn!("request {=u16} refused: {}", sequence, defmt::Display2Format(refusal));
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
                input_bytes: model.input_bytes() as u16,
                output_bytes: model.output_bytes() as u16,
                layers: model.layers().len() as u8,
                model_bytes: model.file_len() as u32,
                scratch_bytes: model.scratch_len().saturating_mul(4) as u32,
                stack_bytes: board.stack_bytes(),
                bad_frames,
            })
        }
        Request::Infer { input } => match engine.run_bytes(input) {
            Ok(output) => Response::Output { output: bytemuck::must_cast_slice(output) },
            Err(InputError { expected, given }) => {
                let (expected, given) = (expected as u32, given as u32);
                Response::Refused(Refusal::InputLength { expected, given })
            }
        },
        Request::SelfTest => Response::SelfTest(self_test(engine)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::convert::Infallible;

    use model_format::Model;
    use model_format::build::*;
    use model_format::{Clamp, Encoding, Multiplier, Quantization, WeightLayout};

    use super::*;

    /// A board whose light counts how often it changes.
    struct Bench(Light);

    #[derive(Default)]
    struct Light {
        on: bool,
    }

    impl embedded_hal::digital::ErrorType for Light {
        type Error = Infallible;
    }

    impl embedded_hal::digital::OutputPin for Light {
        fn set_low(&mut self) -> Result<(), Infallible> {
            self.on = false;
            Ok(())
        }

        fn set_high(&mut self) -> Result<(), Infallible> {
            self.on = true;
            Ok(())
        }
    }

    impl StatefulOutputPin for Light {
        fn is_set_high(&mut self) -> Result<bool, Infallible> {
            Ok(self.on)
        }

        fn is_set_low(&mut self) -> Result<bool, Infallible> {
            Ok(!self.on)
        }
    }

    impl Board for Bench {
        const NAME: &'static str = "bench";
        type Led = Light;

        fn led(&mut self) -> &mut Light {
            &mut self.0
        }

        fn stack_bytes(&self) -> Option<u32> {
            Some(123)
        }
    }

    /// What was sent to the device, and what it answered.
    struct Wire {
        to_device: VecDeque<u8>,
        from_device: Vec<u8>,
    }

    impl embedded_io::ErrorType for Wire {
        type Error = embedded_io::ErrorKind;
    }

    impl Read for Wire {
        fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Self::Error> {
            Ok(std::io::Read::read(&mut self.to_device, buffer).unwrap())
        }
    }

    impl Write for Wire {
        fn write(&mut self, bytes: &[u8]) -> Result<usize, Self::Error> {
            self.from_device.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> Result<(), Self::Error> {
            Ok(())
        }
    }

    fn frame(sequence: u16, body: Request<'_>) -> Vec<u8> {
        let mut buffer = [0; 512];
        link::encode(&Message { sequence, body }, &mut buffer).unwrap().to_vec()
    }

    /// Sends bytes to an application that doubles its two inputs, and hands each answer to `see`.
    fn converse(sent: &[u8], mut see: impl FnMut(usize, u16, Response<'_>)) -> bool {
        let one = Quantization::int8(1.0, 0);
        let file = ModelSpec {
            name: "double".into(),
            input: InputSpec { shape: vec![2], quantization: one, encoding: Encoding::Quantized },
            output: MeaningSpec::Values { unit: String::new() },
            layers: vec![LayerSpec::Dense(DenseSpec {
                inputs: 2,
                outputs: 2,
                weights: vec![2, 0, 0, 2],
                biases: vec![0; 2],
                multipliers: vec![Multiplier::from_real(1.0).unwrap(); 2],
                output: one,
                clamp: Clamp::INT8,
                layout: WeightLayout::RowMajor,
            })],
            self_tests: vec![
                SelfTestSpec { input: vec![1, 0xfd], output: vec![2, 0xfa] },
                SelfTestSpec { input: vec![0, 0], output: vec![0, 1] },
            ],
        }
        .to_bytes()
        .unwrap();
        let model = Model::parse(&file).unwrap();
        let mut scratch = vec![0; model.scratch_len()];
        let engine = Engine::new(model, &mut scratch).unwrap();
        let mut wire = Wire { to_device: sent.to_vec().into(), from_device: vec![] };
        let (mut receive, mut send) = ([0; 300], [0; 300]);
        let mut app = App::new(engine, Bench(Light::default()), &mut receive, &mut send);
        app.serve(&mut wire).unwrap();
        let mut buffer = [0; 300];
        let mut receiver = Receiver::new(&mut buffer);
        let mut count = 0;
        for byte in wire.from_device {
            if receiver.push(byte) == Received::Frame {
                let answer = receiver.message::<Response<'_>>().unwrap();
                see(count, answer.sequence, answer.body);
                count += 1;
            }
        }
        app.board.0.on == (count % 2 == 1)
    }

    #[test]
    fn answers_each_request_and_blinks() {
        let sent =
            [frame(1, Request::Info), frame(2, Request::SelfTest), frame(3, infer(&[5, 0xff]))];
        let mut seen = 0;
        let blinked = converse(&sent.concat(), |index, sequence, body| {
            assert_eq!(sequence as usize, index + 1);
            seen += 1;
            match body {
                Response::Info(info) => {
                    assert_eq!((info.board, info.model), ("bench", "double"));
                    assert_eq!((info.input_bytes, info.output_bytes, info.layers), (2, 2, 1));
                    assert_eq!(info.stack_bytes, Some(123));
                }
                // The second vector is wrong on purpose.
                Response::SelfTest(report) => {
                    assert_eq!(report, SelfTestReport { vectors: 2, passed: 1 });
                }
                Response::Output { output } => assert_eq!(output, [10, 0xfe]),
                Response::Refused(refusal) => panic!("{refusal}"),
            }
        });
        assert_eq!((seen, blinked), (3, true));
    }

    fn infer(input: &[u8]) -> Request<'_> {
        Request::Infer { input }
    }

    #[test]
    fn refuses_what_it_cannot_read_and_goes_on() {
        let long = [7; 400];
        let half = frame(8, infer(&[1, 2]));
        let sent = [
            &b"garbage"[..],
            &frame(1, infer(&[1])),
            &long,
            &frame(2, infer(&[3, 4])),
            &half[..6],
            &frame(3, infer(&[5, 6])),
        ];
        let mut answers = vec![];
        converse(&sent.concat(), |_, sequence, body| answers.push((sequence, format!("{body:?}"))));
        let refused = |refusal: Refusal| format!("{:?}", Response::Refused(refusal));
        let output = |output: &[u8]| format!("{:?}", Response::Output { output });
        assert_eq!(
            answers,
            [
                (0, refused(Refusal::Damaged)),
                (1, refused(Refusal::InputLength { expected: 2, given: 1 })),
                (0, refused(Refusal::TooLong { limit: 300 })),
                (2, output(&[6, 8])),
                (0, refused(Refusal::Damaged)),
                (3, output(&[10, 12])),
            ]
        );
    }
}
