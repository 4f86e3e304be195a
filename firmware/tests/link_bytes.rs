//! The examples of LINK.md, byte by byte, and the codes in its tables.
#![cfg(feature = "link")]

use std::collections::BTreeMap;
use std::fmt::Debug;

use firmware::link::{
    Benchmark, Command, Counter, Info, Message, ModelRejected, PROTOCOL, Received, Receiver,
    Request, RequestError, Response, SelfTestReport, SensorInfo, SlotsInfo, Updated, encode,
};
use serde::Serialize;

const DOCUMENT: &str = include_str!("../LINK.md");

/// The bytes of every block ```` ```hex NAME ````: of each line those in front of `|`.
fn examples() -> BTreeMap<&'static str, String> {
    let blocks = DOCUMENT.split("\n```hex ").skip(1).map(|rest| {
        let (name, rest) = rest.split_once('\n').expect("a name alone on its line");
        let (block, _) = rest.split_once("```").expect("a block ends");
        let lines = block.lines().map(|line| line.split('|').next().unwrap_or_default());
        (name, lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" "))
    });
    blocks.collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

/// Asserts that each example is the frame of its message, and that a receiver reads it back.
macro_rules! check {
    ($examples:ident, $body:ty: $($name:literal = $sequence:literal, $message:expr;)*) => {$({
        let example = $examples.remove($name).unwrap_or_default();
        let message = Message { sequence: $sequence, body: $message };
        let (mut buffer, mut room) = ([0; 300], [0; 300]);
        let frame = encode(&message, &mut buffer).expect("it fits");
        assert_eq!(example, hex(frame), "{}: LINK.md, and what is sent", $name);
        let mut receiver = Receiver::new(&mut room);
        let received = frame.iter().map(|byte| receiver.push(*byte)).last();
        assert_eq!(received, Some(Received::Frame), "{}", $name);
        assert_eq!(receiver.message::<$body>(), Ok(message), "{}", $name);
    })*};
}

#[test]
fn the_examples_are_what_is_sent() {
    let mut examples = examples();
    let signature: Vec<u8> = (1..=64).collect();
    check!(examples, Request<'_>:
        "info-request" = 7, Request::Info;
        "infer-request" = 8, Request::Infer { input: &[5, 0, 0xff] };
        "update-begin" = 300, Request::UpdateBegin { len: 12 };
        "update-chunk-1" = 301, Request::UpdateChunk { offset: 0, bytes: b"THMB\x02\0\0\0" };
        "update-chunk-2" = 302, Request::UpdateChunk { offset: 8, bytes: &[4, 0, 0, 0] };
        "update-finish" = 303, Request::UpdateFinish;
        "challenge-request" = 400, Request::Challenge;
        "signed-restart" = 401,
            Request::Signed { command: Command::Restart, signature: &signature };
        "read-samples" = 500, Request::ReadSamples { most: 32 };
    );
    let info = Info {
        protocol: PROTOCOL,
        board: "pico",
        firmware: "0.1.0",
        model: "digits",
        checksum: 0xbbd9_0131,
        input_bytes: 64,
        output_bytes: 10,
        layers: 2,
        model_bytes: 3147,
        in_ram: true,
        scratch_bytes: 240,
        stack_bytes: Some(1500),
        bad_frames: 0,
        saturated_inputs: 0,
        slots: Some(SlotsInfo {
            running: None,
            capacity: 65280,
            chunk: 1008,
            unit: 4,
            updates: 0,
            erases: [0, 0],
        }),
        signed: None,
    };
    let nonce = *b"0123456789abcdef";
    check!(examples, Response<'_>:
        "info-response" = 7, Response::Info(info);
        "infer-response" = 8, Response::Output { output: &[10, 0xfe] };
        "error-input-length" = 8,
            Response::Error(RequestError::InputLength { expected: 64, given: 3 });
        "error-damaged" = 0, Response::Error(RequestError::Damaged);
        "update-done" = 300, Response::Done;
        "update-updated" = 303,
            Response::Updated(Updated { slot: 1, sequence: 1, erased_blocks: 1 });
        "update-rejected" = 303,
            Response::Error(RequestError::Rejected(ModelRejected::Unreadable));
        "challenge-response" = 400, Response::Challenge { nonce };
        "samples" = 500,
            Response::Samples { first: 7, counts: &[1, 1, 0xff, 0xff, 0xf4, 1, 3, 2, 0xfe, 0xff, 0xf6, 1] };
    );
    assert!(examples.is_empty(), "examples that no test checks: {:?}", examples.keys());
}

/// Asserts that the table under a heading has this variant at the code that is sent for it.
fn check_code<T: Serialize + Debug>(section: &str, variant: T) {
    let mut buffer = [0; 300];
    let code = postcard::to_slice(&variant, &mut buffer).expect("it fits")[0];
    let shown = format!("{variant:?}");
    let name = shown.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    let start = DOCUMENT.find(section).unwrap_or_else(|| panic!("no section {section}"));
    let row = format!("\n| {code} | {name} |");
    let table = DOCUMENT[start..].find("\n\n|").expect("a table") + start;
    let end = DOCUMENT[table + 2..].find("\n\n").expect("the table ends") + table + 2;
    assert!(DOCUMENT[table..end].contains(&row), "LINK.md, {section}: no row{row}");
}

#[test]
fn the_tables_have_the_codes_that_are_sent() {
    let bytes = &[][..];
    for request in [
        Request::Info,
        Request::Infer { input: bytes },
        Request::SelfTest,
        Request::Benchmark { runs: 0, input: bytes },
        Request::Trace { input: bytes },
        Request::ReadModel { offset: 0, len: 0 },
        Request::UpdateBegin { len: 0 },
        Request::UpdateChunk { offset: 0, bytes },
        Request::UpdateFinish,
        Request::RollBack,
        Request::Restart,
        Request::InferCounts { counts: bytes },
        Request::InferReals { reals: bytes },
        Request::Challenge,
        Request::Signed { command: Command::RollBack, signature: bytes },
        Request::Sensor,
        Request::ReadSamples { most: 0 },
    ] {
        check_code("## Request\n", request);
    }
    let benchmark = Benchmark { counter: Counter::Cycles, hz: 0, runs: 0, min: 0, mean: 0, max: 0 };
    let sensor = SensorInfo { name: "", unit: "", axes: 3, millihertz: 1, units: 1, counts: 1 };
    for response in [
        Response::Output { output: bytes },
        Response::SelfTest(SelfTestReport { vectors: 0, passed: 0 }),
        Response::Error(RequestError::Damaged),
        Response::Benchmark(benchmark),
        Response::Trace { hashes: bytes },
        Response::Model { bytes },
        Response::Done,
        Response::Updated(Updated { slot: 0, sequence: 0, erased_blocks: 0 }),
        Response::Challenge { nonce: [0; 16] },
        Response::Sensor(sensor),
        Response::Samples { first: 0, counts: bytes },
    ] {
        check_code("## Response\n", response);
    }
    for error in [
        RequestError::Damaged,
        RequestError::TooLong { limit: 0 },
        RequestError::UnknownRequest,
        RequestError::InputLength { expected: 0, given: 0 },
        RequestError::ResponseTooLong,
        RequestError::NoCounter,
        RequestError::NoInput,
        RequestError::NoSlots,
        RequestError::NoUpdate,
        RequestError::TooLarge { capacity: 0 },
        RequestError::OutOfOrder { expected: 0 },
        RequestError::ChunkSize { unit: 0 },
        RequestError::Incomplete { missing: 0 },
        RequestError::Rejected(ModelRejected::Unreadable),
        RequestError::Flash,
        RequestError::NothingBefore,
        RequestError::NotCounts,
        RequestError::NotReals,
        RequestError::NotANumber { input: 0 },
        RequestError::RestartFirst,
        RequestError::CommandUnsigned,
        RequestError::CommandSignature,
        RequestError::NoChallenge,
        RequestError::NoEntropy,
        RequestError::NoSensor,
        RequestError::SensorFailed,
    ] {
        check_code("### RequestError\n", error);
    }
    for reason in [
        ModelRejected::Unreadable,
        ModelRejected::Layout { layer: 0, layout: 0 },
        ModelRejected::Unaligned,
        ModelRejected::Scratch { needed: 0, given: 0 },
        ModelRejected::Frame { needed: 0, given: 0 },
        ModelRejected::SelfTest { vectors: 0, passed: 0 },
        ModelRejected::Unsigned,
        ModelRejected::Signature,
        ModelRejected::Older { version: 0, floor: 0 },
    ] {
        check_code("\nModelRejected:\n", reason);
    }
}
