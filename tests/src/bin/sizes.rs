//! Measures what each part of the engine takes of a chip's flash, and what boards take of its RAM,
//! and writes the figures by which `host-trainer inspect --for` predicts and boards are built.
//! `sizes boards` measures the boards alone.

use host_trainer::chips::Measured;

fn main() -> std::io::Result<()> {
    let measured = match std::env::args().nth(1).as_deref() {
        Some("boards") => {
            let known = Measured::read().map_err(std::io::Error::other)?;
            Measured { boards: thimble_tests::sizes::measure_boards(), ..known }
        }
        _ => thimble_tests::sizes::measure(),
    };
    let path = thimble_tests::workspace::root().join("host-trainer/src/chips/measured.toml");
    std::fs::write(&path, measured.to_toml())?;
    println!("{}", path.display());
    Ok(())
}
