//! `host-trainer device list | info | self-test | trace | monitor`: reports about a device.

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::bail;
use clap::Args;
use firmware::link::STACK_OVERRUN;
use model_format::Model;

use super::Link;
use crate::cli::files;
use crate::device::connection::{self, AnyClient};
use crate::device::info::DeviceInfo;
use crate::device::{Error, local};
use crate::foreign_text::shown;
use crate::report::{clipping_text, feature_ranges, layer_titles};

/// Arguments of `device trace`.
#[derive(Debug, Args)]
pub struct TraceArgs {
    /// File of raw inputs, int8 or int16 little-endian [default: the model's self-tests]
    #[arg(value_name = "FILE")]
    input: Option<PathBuf>,
    /// Index of the row, from 0
    #[arg(long, value_name = "N", default_value_t = 0)]
    row: usize,
    /// Connection to the device
    #[command(flatten)]
    link: Link,
}

/// Arguments of `device monitor`.
#[derive(Debug, Args)]
pub struct MonitorArgs {
    /// Stop after N seconds [default: when you press Ctrl-C]
    #[arg(long, value_name = "S")]
    seconds: Option<u64>,
    /// Connection to the device
    #[command(flatten)]
    link: Link,
}

/// Time limit for a port to answer as a Thimble device.
const PROBE: Duration = Duration::from_millis(700);
/// Largest model that is read for `info`: a second over a serial port of 115,200 baud.
const MOST_READ: u32 = 10_000;
/// Polling interval of `monitor`.
const EVERY: Duration = Duration::from_secs(1);

/// Lists the serial ports.
pub fn list() -> anyhow::Result<()> {
    let ports = connection::ports();
    if ports.is_empty() {
        println!("no serial ports found; use --qemu for an emulated board");
    }
    for port in ports {
        // Only USB devices are probed: a modem in the machine may not expect it.
        let answer = match port.port_type {
            serialport::SerialPortType::UsbPort(_) => match connection::serial(&port.port_name) {
                Ok(mut client) => {
                    client.set_timeout(PROBE);
                    match client.info() {
                        Ok(info) => format!("{} runs {}", info.board, info.model),
                        Err(Error::NoAnswer(_)) => "no Thimble device answers".into(),
                        Err(error) => error.to_string(),
                    }
                }
                Err(error) => error.to_string(),
            },
            _ => "not probed".into(),
        };
        println!("{:<16} {:<40} {answer}", port.port_name, shown(&connection::describe(&port)));
    }
    Ok(())
}

/// Shows the device's identity.
pub fn info(client: &mut AnyClient) -> anyhow::Result<()> {
    let info = client.info()?;
    print_info(&info);
    // The model contains the names and ranges. Reading a large model takes long.
    if info.model_bytes <= MOST_READ {
        let file = client.read_model()?;
        let model = Model::parse(&file).map_err(local::refused)?;
        if let Some(clipping) = clipping_text(&feature_ranges(&model)) {
            println!("features    {clipping}");
        }
    }
    Ok(())
}

/// Prints the device's information.
pub fn print_info(info: &DeviceInfo) {
    println!("board       {}, firmware {}", info.board, info.firmware);
    println!(
        "model       {} (checksum {:08x}), {} bytes{}",
        info.model,
        info.checksum,
        info.model_bytes,
        if info.in_ram { ", copied to RAM" } else { "" }
    );
    println!(
        "shape       {} inputs, {} outputs, {} layers",
        info.input_bytes, info.output_bytes, info.layers
    );
    println!("memory      {} bytes of scratch", info.scratch_bytes);
    if let Some(stack) = info.stack_bytes {
        println!("stack       {}", stack_words(stack));
    }
    match &info.slots {
        None => println!("slots       none: the model is built into the program"),
        Some(slots) => {
            let running = match slots.running {
                Some(slot) => format!("runs slot {slot}"),
                None => "runs the built-in model".into(),
            };
            let [first, second] = slots.erases;
            println!(
                "slots       {running}; room for {} bytes; update {}; erased {first} and {second} \
                 times",
                slots.capacity, slots.updates
            );
        }
    }
    if let Some(signed) = &info.signed {
        let version = match signed.version {
            Some(version) => format!("version {version} runs"),
            None => "the built-in model runs".into(),
        };
        println!("signed      {version}; accepts updates from version {} on", signed.floor);
        if signed.commands {
            println!("commands    rollback and restart need a signature: --key KEYFILE");
        }
    }
    println!("dropped     {} frames since it started", info.bad_frames);
    println!("saturated   {} sensor readings since the start", info.saturated_inputs);
}

/// Text for the stack usage.
fn stack_words(bytes: u32) -> String {
    match bytes {
        STACK_OVERRUN => "overflowed: build the firmware with a smaller model".into(),
        bytes => format!("{bytes} bytes at most so far"),
    }
}

/// Runs the self-tests on the device.
pub fn self_test(client: &mut AnyClient) -> anyhow::Result<()> {
    let report = client.self_test()?;
    if report.vectors == 0 {
        return Err(Error::NoSelfTests.into());
    }
    if !report.all_passed() {
        return Err(Error::SelfTest { vectors: report.vectors, passed: report.passed }.into());
    }
    println!("{} of {} test vectors passed", report.passed, report.vectors);
    Ok(())
}

/// Compares the device with the host layer by layer.
pub fn trace(args: TraceArgs) -> anyhow::Result<()> {
    let given = args.input.as_deref().map(files::read).transpose()?;
    args.link.ask(|client| {
        let file = client.read_model()?;
        let model = Model::parse(&file).map_err(|error| Error::Model(error.to_string()))?;
        let row = args.row;
        let input = match &given {
            None => model.self_tests().nth(row).map(|test| test.input.to_vec()),
            Some(bytes) => bytes.chunks_exact(model.input_bytes()).nth(row).map(<[u8]>::to_vec),
        };
        let Some(input) = input else { bail!("there is no row {row}. Rows are numbered from 0") };
        let (device, here) = (client.trace(&input)?, local::trace(&model, &input)?);
        let titles = layer_titles(&model);
        println!("layer         device    here");
        for (title, (device, here)) in titles.iter().zip(device.iter().zip(&here)) {
            let verdict = if device == here { "" } else { "  differ" };
            println!("{title:<12}  {device:08x}  {here:08x}{verdict}");
        }
        match local::first_difference(&device, &here).map(|layer| titles.get(layer)) {
            None => println!("the output bytes of every layer are equal"),
            Some(Some(layer)) => bail!("layer `{layer}` is the first that differs"),
            Some(None) => bail!("the device reports another number of layers. Update its model"),
        }
        Ok(())
    })
}

/// Shows changes, and waits for a device that disconnects.
pub fn monitor(args: &MonitorArgs) -> anyhow::Result<()> {
    let end = args.seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let going_on = || end.is_none_or(|end| Instant::now() < end);
    if args.link.place.qemu.is_some() {
        bail!(
            "an emulator that this command starts has no activity to monitor. Start one with \
             `cargo run --release` in the board's folder, and monitor it with --tcp \
             127.0.0.1:7878"
        );
    }
    let mut client = args.link.connect()?;
    let mut last: Option<DeviceInfo> = None;
    while going_on() {
        match client.info() {
            Ok(info) if last.as_ref() == Some(&info) => {}
            Ok(info) => {
                match &last {
                    None => print_info(&info),
                    Some(before) => println!("{}", changes(before, &info)),
                }
                last = Some(info);
            }
            Err(Error::Closed | Error::Connection(_) | Error::NoAnswer(_)) => {
                println!("the device disconnected; waiting for it");
                last = None;
                while going_on() {
                    thread::sleep(EVERY);
                    if let Ok(new) = args.link.connect() {
                        client = new;
                        break;
                    }
                }
            }
            Err(error) => return Err(error.into()),
        }
        thread::sleep(EVERY);
    }
    Ok(())
}

/// Text for the changed values, in one line.
fn changes(before: &DeviceInfo, now: &DeviceInfo) -> String {
    let mut words = Vec::new();
    if before.checksum != now.checksum {
        words.push(format!("model {} ({:08x})", now.model, now.checksum));
    }
    if before.stack_bytes != now.stack_bytes {
        words.push(format!("stack {}", now.stack_bytes.map_or("unknown".into(), stack_words)));
    }
    if before.bad_frames != now.bad_frames {
        words.push(format!("{} frames dropped", now.bad_frames));
    }
    if before.saturated_inputs != now.saturated_inputs {
        words.push(format!("{} readings saturated", now.saturated_inputs));
    }
    if let (true, Some(slots)) = (before.slots != now.slots, &now.slots) {
        let [first, second] = slots.erases;
        words.push(format!("update {}, erased {first} and {second} times", slots.updates));
    }
    words.join(", ")
}
