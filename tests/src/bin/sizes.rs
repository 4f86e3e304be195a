//! Measures the flash and the cycles of each part of the engine and the RAM of boards. Writes the measurements for
//! the predictions of `host-trainer inspect --for` and for the boards' builds. `sizes boards`
//! measures only the boards, `sizes targets` only the flash, `sizes cycles` only cycles and
//! instructions.

use host_trainer::chips::Measured;

fn main() -> std::io::Result<()> {
    let measured = match std::env::args().nth(1).as_deref() {
        Some("boards") => {
            let known = Measured::read().map_err(std::io::Error::other)?;
            Measured { boards: thimble_tests::sizes::measure_boards(), ..known }
        }
        Some("targets") => {
            let known = Measured::read().map_err(std::io::Error::other)?;
            Measured { targets: thimble_tests::sizes::measure_targets(), ..known }
        }
        Some("cycles") => {
            let known = Measured::read().map_err(std::io::Error::other)?;
            thimble_tests::sizes::measure_costs(known)
        }
        _ => thimble_tests::sizes::measure(),
    };
    let path = thimble_tests::workspace::root().join("host-trainer/src/chips/measured.toml");
    std::fs::write(&path, measured.to_toml())?;
    println!("{}", path.display());
    Ok(())
}
