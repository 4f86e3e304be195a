//! `host-trainer device bench`: inference time on a device.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use firmware::link::{Benchmark, Counter};

use super::emulate::INTERRUPTED;
use super::{Link, calibration};
use crate::cli::{files, terminal};
use crate::device::Error;
use crate::device::board::{BOARDS, Log};
use crate::device::connection::AnyClient;
use crate::report::grouped;
use crate::train::StopFlag;

/// Arguments of `device bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// Number of inferences; Ctrl-C ends early and reports the measurements so far
    #[arg(long, value_name = "N", default_value_t = 100)]
    runs: u16,
    /// File of raw inputs, int8 or int16 little-endian [default: the model's self-tests]
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Measure the clocks that the chip waits for the memory of the weights, and write them to a
    /// file that `inspect --for CHIP --calibration` reads; to contribute it, open a pull request
    #[arg(long, value_name = "FILE", conflicts_with = "input")]
    calibrate: Option<PathBuf>,
    /// Chip to calibrate [default: that of the board]
    #[arg(long = "for", value_name = "CHIP", requires = "calibrate")]
    chip: Option<String>,
    /// Connection to the device
    #[command(flatten)]
    link: Link,
}

/// Measures the inference time.
pub fn run(args: BenchArgs, quiet: bool) -> anyhow::Result<()> {
    let input = args.input.as_deref().map(files::read).transpose()?.unwrap_or_default();
    let emulated = args.link.place.qemu.is_some();
    if let Some(file) = &args.calibrate {
        let over_tcp = args.link.place.tcp.is_some();
        let (chip, runs) = (args.chip.as_deref(), args.runs);
        return args.link.ask(|client| {
            let board = client.info()?.board;
            if let Some(reason) = calibration::refusal(&board, emulated, over_tcp) {
                bail!(reason);
            }
            let target = calibration::Target::new(client, &board, chip)?;
            let result = measure(client, runs, &target.input(), quiet)?;
            print(&result, Timing::Hardware);
            target.write(&result, file)
        });
    }
    args.link.ask_counting(emulated, |client| {
        let result = measure(client, args.runs, &input, quiet)?;
        if result.runs < args.runs {
            terminal::note(&format!("stopped after {} of {} runs", result.runs, args.runs));
        }
        let board = client.info()?.board;
        let timing = match emulated {
            true => Timing::Instructions,
            false if is_only_emulated(&board) => Timing::Emulator,
            false => Timing::Hardware,
        };
        print(&result, timing);
        Ok(())
    })
}

/// Meaning of a benchmark's ticks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Timing {
    /// An emulator that counts instructions.
    Instructions,
    /// An emulator that does not, whose clock runs with the computer's.
    Emulator,
    /// A chip.
    Hardware,
}

/// Returns whether a board exists in emulators only.
pub(super) fn is_only_emulated(board: &str) -> bool {
    BOARDS.iter().any(|known| known.name == board && known.log == Log::Semihosting)
}

/// Runs the model until the number of runs is reached or the user stops.
fn measure(
    client: &mut AnyClient,
    runs: u16,
    input: &[u8],
    quiet: bool,
) -> anyhow::Result<Benchmark> {
    let stop = StopFlag::default();
    let on_signal = stop.clone();
    // Without a handler, Ctrl-C ends the program at once, as usual.
    let _ = ctrlc::set_handler(move || {
        if on_signal.is_stopped() {
            std::process::exit(INTERRUPTED);
        }
        on_signal.stop();
    });
    let bar = terminal::bar(runs.into(), "runs", quiet);
    let mut measured = None;
    let result = client.benchmark(runs, input, |so_far| {
        bar.set_position(so_far.runs.into());
        measured = Some(*so_far);
        !stop.is_stopped()
    });
    bar.finish_and_clear();
    match result {
        // Ctrl-C in a terminal also ends the emulator.
        Err(Error::Closed | Error::Connection(_)) if stop.is_stopped() => match measured {
            Some(so_far) => Ok(so_far),
            None => bail!("stopped before the first runs were measured"),
        },
        result => Ok(result?),
    }
}

fn print(result: &Benchmark, timing: Timing) {
    let figure = |ticks| match timing {
        Timing::Instructions => result.counter.instructions(ticks, result.hz),
        Timing::Emulator | Timing::Hardware => u64::from(ticks),
    };
    let what = match (timing, result.counter) {
        (Timing::Instructions, _) => "executed instructions".to_string(),
        (Timing::Emulator, _) => "ticks of the emulator's clock, which are no times of a core; \
             `device bench --qemu BOARD` counts instructions"
            .to_string(),
        (Timing::Hardware, Counter::Cycles) => {
            format!("cycles at {} Hz", grouped(result.hz.into()))
        }
        (Timing::Hardware, Counter::Timer) => {
            format!("ticks of a timer of {} Hz", grouped(result.hz.into()))
        }
    };
    println!("runs        {}", result.runs);
    println!("per inference, in {what}");
    println!("  min       {}", grouped(figure(result.min)));
    println!("  mean      {}", grouped(figure(result.mean)));
    println!("  max       {}", grouped(figure(result.max)));
    if timing == Timing::Hardware && result.hz > 0 {
        let microseconds = f64::from(result.mean) / f64::from(result.hz) * 1e6;
        println!("  mean      {microseconds:.0} µs");
    }
}
