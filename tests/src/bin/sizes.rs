//! Measures what each part of the engine takes of a chip's flash, and writes the figures by which
//! `host-trainer inspect --for` predicts.

fn main() -> std::io::Result<()> {
    let measured = tests::sizes::measure();
    let path = tests::workspace::root().join("host-trainer/src/chips/measured.toml");
    std::fs::write(&path, measured.to_toml())?;
    println!("{}", path.display());
    Ok(())
}
