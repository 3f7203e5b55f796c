//! What drivers of the conformance suite in Rust have in common: the language of the steps, and the
//! line that they print. Nothing here knows a library.

pub mod report;
pub mod steps;

use report::Report;
use serde_json::Value as Json;
use std::error::Error;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use steps::Step;

/// What goes wrong with a driver or a case, as opposed to a step.
pub type Done<T = ()> = Result<T, Box<dyn Error>>;

/// Where a case's files come from, and where its raw output goes.
pub trait Case {
    /// Reads a file that the case names.
    ///
    /// # Errors
    /// Why it can't be read.
    fn read(&self, file: &str) -> io::Result<Vec<u8>>;

    /// Adds samples or bytes to the raw output of that name.
    ///
    /// # Errors
    /// Why they can't be written.
    fn append(&self, output: &str, raw: &[u8]) -> io::Result<()>;
}

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

/// Does the steps of the case; the line that they come to.
///
/// # Errors
/// What is wrong with the case or the driver.
pub fn play<P: Player>(case: Box<dyn Case>, player: impl FnOnce(Report) -> Done<P>) -> Done<Json> {
    let text = String::from_utf8(case.read("steps")?)?;
    let mut player = player(Report::new(case))?;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let step = steps::parse(line).map_err(|e| format!("line {}: {e}", index + 1))?;
        player.play(index + 1, step)?;
    }
    player.finish()
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
    let line = play(Box::new(Folder { out }), player)?;
    writeln!(io::stdout(), "{line}")?;
    Ok(())
}

/// A case in the working folder; its output goes to files in `out`.
struct Folder {
    out: PathBuf,
}

impl Case for Folder {
    fn read(&self, file: &str) -> io::Result<Vec<u8>> {
        std::fs::read(file).map_err(|e| io::Error::new(e.kind(), format!("{file}: {e}")))
    }

    fn append(&self, output: &str, raw: &[u8]) -> io::Result<()> {
        let path = self.out.join(format!("{output}.raw"));
        OpenOptions::new().append(true).create(true).open(path)?.write_all(raw)
    }
}
