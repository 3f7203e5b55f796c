//! Plays a conformance case through the crate `remotemedia`: `conformance-rust CASE OUT` does the
//! steps in `CASE/steps`, writes raw output into `OUT` and prints one line of JSON.

mod audio;
mod nodes;
mod play;
mod report;
mod steps;

use play::Player;
use report::Report;
use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let [case, out] = arguments.as_slice() else {
        return Err("two arguments: the case's folder and a folder for what comes out".into());
    };
    let out: PathBuf = std::path::absolute(out)?;
    // Manifests and steps name files relative to the case.
    std::env::set_current_dir(Path::new(case))?;
    let text = std::fs::read_to_string("steps")?;
    let mut player = Player::new(Report::new(&out))?;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let step = steps::parse(line).map_err(|e| format!("line {}: {e}", index + 1))?;
        player.play(index + 1, step)?;
    }
    let report = player.finish();
    writeln!(std::io::stdout(), "{report}")?;
    Ok(())
}
