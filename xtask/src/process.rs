//! Running other programs: each is shown before it runs, and its failure is one line.

use crate::Failure;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A program to run in the project's folder.
pub(crate) struct Run {
    command: Command,
    shown: String,
}

impl Run {
    /// `program` with its working folder set to `root`.
    pub(crate) fn new(root: &Path, program: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(program.as_ref());
        command.current_dir(root);
        let program = Path::new(program.as_ref());
        let shown = program.strip_prefix(root).unwrap_or(program).display().to_string();
        Self { command, shown }
    }

    /// The cargo that runs this program.
    pub(crate) fn cargo(root: &Path, line: &str) -> Self {
        let mut run = Self::new(root, std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        "cargo".clone_into(&mut run.shown);
        run.args(line.split_whitespace())
    }

    /// Debian's cargo and compiler, which have the source of the standard library, and may use
    /// what is not stable.
    pub(crate) fn debian_cargo(root: &Path, line: &str) -> Self {
        Self::new(root, "/usr/bin/cargo")
            .args(line.split_whitespace())
            .env("PATH", "/usr/bin:/bin")
            .env("RUSTC", "/usr/bin/rustc")
            .env("RUSTC_BOOTSTRAP", "1")
    }

    /// Adds arguments.
    pub(crate) fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        for arg in args {
            self.shown.push(' ');
            self.shown.push_str(&arg.as_ref().to_string_lossy());
            self.command.arg(arg);
        }
        self
    }

    /// Sets an environment variable.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.shown = format!("{name}={value:?} {}", self.shown);
        self.command.env(name, value);
        self
    }

    /// Runs it, with its output passed through.
    pub(crate) fn go(mut self) -> Result<(), Failure> {
        println!("$ {}", self.shown);
        let status = self.command.status().map_err(|e| format!("`{}`: {e}", self.shown))?;
        if status.success() { Ok(()) } else { Err(format!("`{}`: {status}", self.shown)) }
    }

    /// Runs it, passes its standard output through and hands each line to `look` as well.
    pub(crate) fn go_watched(mut self, mut look: impl FnMut(&str)) -> Result<(), Failure> {
        println!("$ {}", self.shown);
        let failed = |e| format!("`{}`: {e}", self.shown);
        let mut child = self.command.stdout(Stdio::piped()).spawn().map_err(failed)?;
        if let Some(stdout) = child.stdout.take() {
            let mut reader = BufReader::new(stdout);
            let mut line = Vec::new();
            while reader.read_until(b'\n', &mut line).map_err(failed)? > 0 {
                std::io::stdout().write_all(&line).map_err(failed)?;
                look(&String::from_utf8_lossy(&line));
                line.clear();
            }
        }
        let status = child.wait().map_err(failed)?;
        if status.success() { Ok(()) } else { Err(format!("`{}`: {status}", self.shown)) }
    }

    /// Runs it without showing it, and gives its standard output.
    pub(crate) fn output(mut self) -> Result<Vec<u8>, Failure> {
        let output = self
            .command
            .stderr(Stdio::piped())
            .output()
            .map_err(|e| format!("`{}`: {e}", self.shown))?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.trim().lines().last().unwrap_or_default();
        Err(format!("`{}`: {}: {last}", self.shown, output.status))
    }

    /// As [`output`](Self::output), as text.
    pub(crate) fn text(self) -> Result<String, Failure> {
        Ok(String::from_utf8_lossy(&self.output()?).into_owned())
    }
}

/// Where cargo puts what it builds.
pub(crate) fn target_dir(root: &Path) -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root.join(dir),
        None => root.join("target"),
    }
}

/// Makes a folder and those above it.
pub(crate) fn create_folder(path: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(path).map_err(|e| format!("{}: {e}", path.display()))
}
