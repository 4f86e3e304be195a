//! `host-trainer inspect`.

use anyhow::Context;
use firmware::Engine;
use model_format::Model;

use super::args::InspectArgs;
use super::evaluate::read_model;
use super::terminal;
use crate::report::inspect_text;

/// Shows what is in a model file, and runs its self-tests.
pub fn run(args: &InspectArgs) -> anyhow::Result<()> {
    let bytes = read_model(&args.model)?;
    let model = Model::parse(&bytes).with_context(|| args.model.display().to_string())?;
    terminal::print(&inspect_text(&model, passed(&model)?))?;
    Ok(())
}

/// How many of its self-tests a model passes in the engine.
fn passed(model: &Model<'_>) -> anyhow::Result<usize> {
    let mut scratch = vec![0; model.scratch_len()];
    let mut engine = Engine::new(model.clone(), &mut scratch)?;
    let mut passed = 0;
    for test in model.self_tests() {
        let input: Vec<i8> = test.input.iter().map(|&byte| byte as i8).collect();
        let output = engine.run(&input)?;
        passed +=
            usize::from(output.iter().map(|&value| value as u8).eq(test.output.iter().copied()));
    }
    Ok(passed)
}
