//! The Python client of LINK.md, as it stands there, against an emulated board.

use std::process::Command;

use host_trainer::device::client::Client;
use thimble_tests::command::Finished;
use thimble_tests::emulated::{board, listening, own_model, serving_firmware};
use thimble_tests::workspace::{empty_dir, root, write};

/// The client, in the only block of Python.
fn script() -> String {
    let document = std::fs::read_to_string(root().join("firmware/LINK.md")).expect("LINK.md");
    let mut blocks = document.split("\n```python\n").skip(1);
    let block = blocks.next().and_then(|rest| rest.split_once("```")).expect("a block of Python");
    assert!(blocks.next().is_none(), "a second block of Python");
    block.0.to_string()
}

fn python(arguments: &[&str]) -> Finished {
    let mut command = Command::new("python3");
    if command.arg("--version").output().is_err() {
        panic!("python3 is not on this machine: tests/run prepare installs it");
    }
    let mut command = Command::new("python3");
    Finished::of(command.args(arguments))
}

/// A value of `option` as Python prints it.
fn or_none<T: ToString>(value: Option<T>) -> String {
    value.map_or("None".into(), |value| value.to_string())
}

#[test]
fn the_client_in_python_gets_what_ours_gets() {
    let path = empty_dir("link_python").join("client.py");
    write(&path, script().as_bytes());
    let path = path.to_str().expect("a path in UTF-8");
    let (_emulator, address) = listening(&serving_firmware(board(), &own_model(board())));

    let inputs: Vec<i8> = (0..64).map(|k| (k * 37 % 256) as u8 as i8).collect();
    let words: Vec<String> = inputs.iter().map(i8::to_string).collect();
    let arguments: Vec<&str> =
        [path, &address].into_iter().chain(words.iter().map(String::as_str)).collect();
    let output = python(&arguments).success().stdout;
    let described = python(&[path, &address]).success().stdout;
    // Two of 64 values.
    let short = python(&arguments[..4]);

    let mut client = Client::connect(&address).expect("the board listens");
    let expected = client.infer(&inputs).expect("an answer");
    let expected: Vec<String> = expected.iter().map(i8::to_string).collect();
    assert_eq!(output.trim_end(), expected.join(" "));

    let info = client.info().expect("an answer");
    let slots = info.slots.map(|slots| {
        let [first, second] = slots.erases;
        format!(
            "[{}, {}, {}, {}, {}, {first}, {second}]",
            or_none(slots.running),
            slots.capacity,
            slots.chunk,
            slots.unit,
            slots.updates
        )
    });
    let expected = [
        format!("board {}", info.board),
        format!("firmware {}", info.firmware),
        format!("model {}", info.model),
        format!("checksum {}", info.checksum),
        format!("input_bytes {}", info.input_bytes),
        format!("output_bytes {}", info.output_bytes),
        format!("layers {}", info.layers),
        format!("model_bytes {}", info.model_bytes),
        format!("in_ram {}", if info.in_ram { "True" } else { "False" }),
        format!("scratch_bytes {}", info.scratch_bytes),
        format!("bad_frames {}", info.bad_frames),
        format!("saturated_inputs {}", info.saturated_inputs),
        format!("slots {}", or_none(slots)),
        format!("signed {}", or_none(info.signed.map(|signed| format!("{signed:?}")))),
    ];
    // Between the two the stack may have gone deeper.
    let (stack, described): (Vec<_>, Vec<_>) =
        described.lines().partition(|line| line.starts_with("stack_bytes "));
    assert_eq!((described, stack.len()), (expected.iter().map(String::as_str).collect(), 1));

    // expected 64 = 0x40, given 2.
    short.refused(1, &["the device answers InputLength [64, 2]"]);
}
