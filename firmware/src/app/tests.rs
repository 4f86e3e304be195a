//! Requests and their answers, over a wire of bytes.

use std::collections::VecDeque;
use std::convert::Infallible;

use crc::{CRC_32_ISO_HDLC, Crc};
use embedded_hal::digital::{ErrorType, OutputPin};
use model_format::build::*;
use model_format::{Channel, Clamp, Encoding, Multiplier, Quantization, WeightLayout};

use super::*;
use crate::link::{Counter, SelfTestReport};
use crate::slots::simulated::Flash;
use crate::slots::{Accepted, LastRun, Slots};

/// A board with a light, a counter and slots, which counts how often it starts anew.
struct Bench {
    light: Light,
    ticks: u32,
    slots: Option<Slots<Flash>>,
    restarts: usize,
    policy: SignaturePolicy,
    entropy: Option<u8>,
}

#[derive(Default)]
struct Light {
    on: bool,
}

impl ErrorType for Light {
    type Error = Infallible;
}

impl OutputPin for Light {
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
    type Led = Light;
    type Flash = Flash;
    type Sensor = NoSensor;

    fn name(&self) -> &'static str {
        "bench"
    }

    fn led(&mut self) -> &mut Light {
        &mut self.light
    }

    fn stack_bytes(&self) -> Option<u32> {
        Some(123)
    }

    fn counter(&self) -> Option<(Counter, u32)> {
        Some((Counter::Timer, 1000))
    }

    /// Each call takes two ticks more than the one before; the first is of no work.
    fn ticks_of(&mut self, work: &mut dyn FnMut()) -> Option<u32> {
        work();
        self.ticks += 2;
        Some(self.ticks)
    }

    fn slots(&mut self) -> Option<&mut Slots<Flash>> {
        self.slots.as_mut()
    }

    fn signature_policy(&self) -> SignaturePolicy {
        self.policy
    }

    /// The next number, in all bytes.
    fn entropy(&mut self) -> Option<[u8; NONCE_LEN]> {
        let entropy = self.entropy.as_mut()?;
        *entropy += 1;
        Some([*entropy; NONCE_LEN])
    }

    fn restart(&mut self) {
        self.restarts += 1;
    }
}

/// A stream: bytes for the device, and its answers.
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

/// A model that multiplies its inputs, `inputs` of them, and whose test vector expects `expected`
/// of the first when it is 1.
fn model(inputs: usize, factor: i8, expected: i8) -> Vec<u8> {
    let one = Quantization::int8(1.0, 0);
    let mut weights = vec![0; inputs * inputs];
    weights.iter_mut().step_by(inputs + 1).for_each(|weight| *weight = factor);
    let (mut input, mut output) = (vec![0; inputs], vec![0; inputs]);
    (input[0], output[0]) = (1, expected as u8);
    ModelSpec {
        name: format!("times {factor}"),
        input: InputSpec { shape: vec![inputs], quantization: one, encoding: Encoding::Quantized },
        output: OutputSpec::Values(vec![]),
        layers: vec![LayerSpec::Dense(DenseSpec {
            inputs,
            outputs: inputs,
            weights,
            biases: vec![0; inputs],
            multipliers: vec![Multiplier::from_real(1.0).unwrap(); inputs],
            output: one,
            clamp: Clamp::INT8,
            layout: WeightLayout::RowMajor,
        })],
        self_tests: vec![
            SelfTestSpec { input: vec![0; inputs], output: vec![0; inputs] },
            SelfTestSpec { input, output },
        ],
        details: Default::default(),
    }
    .to_bytes()
    .unwrap()
}

/// A device with slots that has been sent bytes, and what it answered.
#[derive(Default)]
struct Bed {
    flash: Option<Flash>,
    answers: Vec<(u16, String)>,
    restarts: usize,
    light_is_on: bool,
    policy: SignaturePolicy,
    /// The number that random bytes go on from, if there are any.
    entropy: Option<u8>,
    last: LastRun,
}

impl Bed {
    /// Starts the device with what its slots hold, or a built-in model that doubles two inputs
    /// and whose second test vector is wrong; sends it bytes; and switches it off.
    fn converse(&mut self, sent: &[u8]) -> &[(u16, String)] {
        let built_in = model(2, 2, 3);
        let mut slots = self.flash.take().map(|flash| Slots::new(flash).unwrap());
        let mut scratch = [0; 64];
        let buffers = Buffers { receive: 300, send: 300 };
        let last = std::mem::take(&mut self.last);
        let slot = slots
            .as_mut()
            .and_then(|slots| start(slots, last, &mut scratch, buffers, self.policy).slot);
        let file = match (&slots, slot) {
            (Some(slots), Some(slot)) => {
                self.policy.model_file(slots.model(slot).unwrap()).to_vec()
            }
            _ => built_in,
        };
        let (policy, entropy) = (self.policy, self.entropy);
        let board =
            Bench { light: Light::default(), ticks: 8, slots, restarts: 0, policy, entropy };
        let mut wire = Wire { to_device: sent.to_vec().into(), from_device: vec![] };
        let (mut receive, mut send) = ([0; 300], [0; 300]);
        let start = Start { file: &file, slot: slot.map(|slot| slot as u8), in_ram: false };
        let mut app = App::new(start, &mut scratch, board, &mut receive, &mut send).unwrap();
        app.serve(&mut wire).unwrap();
        let board = app.device.board;
        self.flash = board.slots.map(Slots::into_flash);
        (self.restarts, self.light_is_on) = (board.restarts, board.light.on);
        self.entropy = board.entropy;
        self.answers.clear();
        let mut buffer = [0; 300];
        let mut receiver = Receiver::new(&mut buffer);
        for byte in wire.from_device {
            if receiver.push(byte) == Received::Frame {
                let Message { sequence, body } = receiver.message::<Response<'_>>().unwrap();
                self.answers.push((sequence, format!("{body:?}")));
            }
        }
        &self.answers
    }

    fn ask(&mut self, requests: &[Request<'_>]) -> Vec<String> {
        let frames: Vec<_> = (1..).zip(requests).map(|(n, request)| frame(n, *request)).collect();
        let answers = self.converse(&frames.concat());
        assert!(answers.iter().map(|(number, _)| *number).eq(1..=requests.len() as u16));
        answers.iter().map(|(_, body)| body.clone()).collect()
    }

    fn with_flash() -> Self {
        Bed { flash: Some(Flash::erased(8)), ..Bed::default() }
    }
}

fn infer(input: &[u8]) -> Request<'_> {
    Request::Infer { input }
}

fn says(body: Response<'_>) -> String {
    format!("{body:?}")
}

fn refused(error: RequestError) -> String {
    says(Response::Error(error))
}

fn update(model: &[u8]) -> Vec<Request<'_>> {
    let mut requests = vec![Request::UpdateBegin { len: model.len() as u32 }];
    requests.extend(
        model
            .chunks(64)
            .enumerate()
            .map(|(k, bytes)| Request::UpdateChunk { offset: k as u32 * 64, bytes }),
    );
    requests.push(Request::UpdateFinish);
    requests
}

#[test]
fn answers_each_request_and_blinks() {
    let mut bed = Bed::default();
    let answers = bed.ask(&[Request::Info, Request::SelfTest, infer(&[5, 0xff])]);
    for word in [
        "board: \"bench\"",
        "model: \"times 2\"",
        "input_bytes: 2, output_bytes: 2, layers: 1",
        "in_ram: false",
        "stack_bytes: Some(123)",
        "slots: None",
    ] {
        assert!(answers[0].contains(word), "{word}: {}", answers[0]);
    }
    assert_eq!(answers[1], says(Response::SelfTest(SelfTestReport { vectors: 2, passed: 1 })));
    assert_eq!(answers[2], says(Response::Output { output: &[10, 0xfe] }));
    assert!(bed.light_is_on, "three answers");
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
    assert_eq!(
        Bed::default().converse(&sent.concat()),
        [
            (0, refused(RequestError::Damaged)),
            (1, refused(RequestError::InputLength { expected: 2, given: 1 })),
            (0, refused(RequestError::TooLong { limit: 300 })),
            (2, says(Response::Output { output: &[6, 8] })),
            (0, refused(RequestError::Damaged)),
            (3, says(Response::Output { output: &[10, 12] })),
        ]
    );
}

#[test]
fn counts_become_values_and_those_beyond_are_told() {
    let counts = |counts| Request::InferCounts { counts };
    let mut bed = Bed::with_flash();
    assert_eq!(bed.ask(&[counts(&[0; 4])]), [refused(RequestError::NotCounts)]);
    let file = model(2, 2, 2);
    let mut spec = ModelSpec::from(&Model::parse(&file).unwrap());
    // Ten counts a value.
    let channel = Channel::from_line(0.1, 0.0, 1.0).unwrap();
    spec.input.encoding = Encoding::Counts(vec![channel]);
    let finish = bed.ask(&update(&spec.to_bytes().unwrap())).pop().unwrap();
    assert!(finish.contains("Updated"), "{finish}");
    let answers = bed.ask(&[
        counts(&[50, 0, 0xf6, 0xff]),
        counts(&[0xff, 0x7f, 0, 0x80]),
        counts(&[1, 0, 1]),
        counts(&[1, 0]),
        infer(&[5, 0xff]),
        Request::Info,
    ]);
    // 5 and −1; the ends of what can be said, 127 and −128; the values themselves.
    assert_eq!(answers[0], says(Response::Output { output: &[10, 0xfe] }));
    assert_eq!(answers[1], says(Response::Output { output: &[127, 0x80] }));
    assert_eq!(answers[2], refused(RequestError::InputLength { expected: 4, given: 3 }));
    assert_eq!(answers[3], refused(RequestError::InputLength { expected: 4, given: 2 }));
    assert_eq!(answers[4], answers[0]);
    assert!(answers[5].contains("saturated_inputs: 2,"), "{}", answers[5]);
}

#[test]
fn a_benchmark_takes_off_what_counting_takes() {
    use crate::link::Benchmark;
    let answers = Bed::default().ask(&[
        Request::Benchmark { runs: 3, input: &[] },
        Request::Benchmark { runs: 0, input: &[1, 2] },
        Request::Benchmark { runs: 1, input: &[1] },
    ]);
    let of = |runs, min, mean, max| {
        let (counter, hz) = (Counter::Timer, 1000);
        says(Response::Benchmark(Benchmark { counter, hz, runs, min, mean, max }))
    };
    assert_eq!(answers[..2], [of(3, 2, 4, 6), of(1, 2, 2, 2)]);
    assert_eq!(answers[2], refused(RequestError::InputLength { expected: 2, given: 1 }));
    assert_eq!(Counter::Timer.instructions(3, 25_000_000), 120);
    assert_eq!(Counter::Cycles.instructions(3, 25_000_000), 3);
}

#[test]
fn a_benchmark_ends_before_the_device_is_deaf() {
    use crate::link::Benchmark;
    let answers = Bed::default().ask(&[
        Request::Benchmark { runs: u16::MAX, input: &[] },
        Request::Benchmark { runs: u16::MAX, input: &[1, 2] },
    ]);
    // An eighth of 1000 ticks: 2 + 4 + … + 22 are 132, and 24 end the round of two vectors. The
    // second counts from there on, and what counting takes off is more.
    let of = |runs, min, mean, max| {
        let (counter, hz) = (Counter::Timer, 1000);
        says(Response::Benchmark(Benchmark { counter, hz, runs, min, mean, max }))
    };
    assert_eq!(answers, [of(12, 2, 13, 24), of(11, 2, 12, 22)]);
}

#[test]
fn a_trace_has_a_hash_for_each_layer() {
    let answers = Bed::default().ask(&[Request::Trace { input: &[5, 0xff] }]);
    let hash = Crc::<u32>::new(&CRC_32_ISO_HDLC).checksum(&[10, 0xfe]).to_le_bytes();
    assert_eq!(answers, [says(Response::Trace { hashes: &hash })]);
}

#[test]
fn the_model_can_be_read_back() {
    let file = model(2, 2, 3);
    let len = file.len() as u32;
    let answers = Bed::default().ask(&[
        Request::ReadModel { offset: 0, len: 16 },
        Request::ReadModel { offset: len - 3, len: 16 },
        Request::ReadModel { offset: len + 1, len: 16 },
    ]);
    let part = |bytes| says(Response::Model { bytes });
    assert_eq!(answers, [part(&file[..16]), part(&file[file.len() - 3..]), part(&[])]);
}

#[test]
fn what_cannot_run_here_is_rejected_with_the_reason() {
    let mut scratch = [0; 64];
    let buffers = Buffers { receive: 300, send: 300 };
    let mut of = |file: &[u8], words: usize, buffers| {
        accept(file, &mut scratch[..words], buffers, SignaturePolicy::NotRequired, Some(0))
    };
    let file = model(2, 3, 3);
    let checksum = Model::parse(&file).unwrap().checksum();
    assert_eq!(of(&file, 64, buffers), Ok(Accepted { checksum, version: 0 }));
    assert!(matches!(of(&file, 1, buffers), Err(ModelRejected::Scratch { given: 1, .. })));
    let small = Buffers { receive: 100, ..buffers };
    assert!(matches!(of(&file, 64, small), Err(ModelRejected::Frame { given: 100, .. })));
    assert_eq!(of(&file[..40], 64, buffers), Err(ModelRejected::Unreadable));
}

#[cfg(feature = "signed-commands")]
mod commands;
#[cfg(feature = "signed")]
mod signed;
mod updates;
