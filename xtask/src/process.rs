//! Running other programs: each is shown before it runs, and its failure is one line.

use crate::Failure;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

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

    /// Runs it without showing it, with all that it says in a file, and says whether it went well.
    /// `None`: it was not over in that time, and was ended with everything that it had started.
    pub(crate) fn within(
        mut self,
        output: &Path,
        limit: Option<Duration>,
    ) -> Result<Option<bool>, Failure> {
        let failed = |e| format!("`{}`: {e}", self.shown);
        let file = File::create(output).map_err(failed)?;
        self.command.stdout(file.try_clone().map_err(failed)?).stderr(file);
        // In a group of its own, which has its number.
        let mut child = self.command.process_group(0).spawn().map_err(failed)?;
        let end = limit.and_then(|limit| Instant::now().checked_add(limit));
        loop {
            if let Some(status) = child.try_wait().map_err(failed)? {
                return Ok(Some(status.success()));
            }
            if end.is_some_and(|end| Instant::now() >= end) {
                let line = format!("kill -KILL -{}", child.id());
                Command::new("sh").args(["-c", &line]).status().map_err(failed)?;
                child.wait().map_err(failed)?;
                return Ok(None);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_too_long_is_ended_with_all_that_it_started() {
        let folder = std::env::temp_dir().join(format!("rmedia-within-{}", std::process::id()));
        create_folder(&folder).unwrap();
        let output = folder.join("output");
        let shell =
            |line: &str, limit| Run::new(&folder, "sh").args(["-c", line]).within(&output, limit);
        assert_eq!(shell("echo yes", None), Ok(Some(true)));
        assert_eq!(std::fs::read_to_string(&output).unwrap(), "yes\n");
        assert_eq!(shell("exit 3", None), Ok(Some(false)));
        let limit = Some(Duration::from_millis(200));
        assert_eq!(shell("sleep 1000 & echo $!; wait", limit), Ok(None));
        let inner = std::fs::read_to_string(&output).unwrap();
        // It is gone, or is about to be.
        while let Ok(stat) = std::fs::read_to_string(format!("/proc/{}/stat", inner.trim())) {
            if stat.contains(") Z ") {
                break;
            }
            std::thread::yield_now();
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
