//! What drivers of the conformance suite in Rust have in common: the language of the steps, and the
//! line that they print. Nothing here knows a library.

pub mod report;
pub mod steps;

use report::Report;
use serde_json::Value as Json;
use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use steps::Step;

/// What goes wrong with a driver or a case, as opposed to a step.
pub type Done<T = ()> = Result<T, Box<dyn Error>>;

/// Plays one case.
pub trait Player {
    /// Does the step on that line.
    ///
    /// # Errors
    /// What is wrong with the case.
    fn play(&mut self, line: usize, step: Step<'_>) -> Done;

    /// What came of it all.
    fn finish(self) -> Done<Json>;
}

/// The driver: `COMMAND CASE OUT` does the steps in `CASE/steps`, writes raw output into `OUT` and
/// prints one line of JSON.
///
/// # Errors
/// What is wrong with the command line, the case or the driver.
pub fn drive<P: Player>(player: impl FnOnce(Report) -> Done<P>) -> Done {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let [case, out] = arguments.as_slice() else {
        return Err("two arguments: the case's folder and a folder for what comes out".into());
    };
    let out: PathBuf = std::path::absolute(out)?;
    // Manifests and steps name files relative to the case.
    std::env::set_current_dir(Path::new(case))?;
    let text = std::fs::read_to_string("steps")?;
    let mut player = player(Report::new(&out))?;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let step = steps::parse(line).map_err(|e| format!("line {}: {e}", index + 1))?;
        player.play(index + 1, step)?;
    }
    let report = player.finish()?;
    writeln!(std::io::stdout(), "{report}")?;
    Ok(())
}
