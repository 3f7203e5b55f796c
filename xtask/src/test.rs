//! Everything that must pass before a change is good. Every step runs, whatever the others did;
//! the last line counts the tests.

use crate::process::{Run, target_dir};
use crate::{Failure, demo, errors, header, languages, layers, python, tools, wasm};
use std::fmt;
use std::path::Path;
use std::time::Instant;

/// Runs all steps.
pub(crate) fn run(root: &Path) -> Result<(), Failure> {
    let mut report = Report::default();
    report.step("format", |_| Run::cargo(root, "fmt --all --check").go());
    report.step("error table is current", |_| errors::check_current(root));
    report.step("C header is current", |_| header::check_current(root));
    report.step("layers", |_| layers::run(root));
    report.step("lints", |_| {
        Run::cargo(root, "clippy --workspace --all-targets --locked -- -D warnings").go()
    });
    report.step("tests", |count| {
        let tests = Run::cargo(root, "test --workspace --locked --no-fail-fast");
        tests.go_watched(|line| count.line(line))
    });
    report.step("documentation", |_| {
        Run::cargo(root, "doc --workspace --no-deps --locked")
            .env("RUSTDOCFLAGS", "-D warnings")
            .go()
    });
    report.step("Python lints and types", |_| languages::python_lints(root));
    // Its cases are played with those of the other languages.
    report.step("WebAssembly", |_| {
        tools::need(root, wasm::TOOLS)?;
        wasm::build(root).map(|_| ())
    });
    let mut dist = None;
    report.step("C library and its ABI", |_| {
        dist = Some(languages::library(root)?);
        Ok(())
    });
    let mut package = None;
    report.step("Python package", |_| {
        package = Some(python::install(root)?);
        Ok(())
    });
    if let Some(package) = &package {
        report.step("Python package's tests", |count| python::tests(root, package, count));
    }
    if let Some(dist) = &dist {
        report.step("C and C++ examples", |_| languages::examples(root, dist));
        report.step("C API misused, leaked, raced", |count| {
            tools::need(root, &[&tools::GCC, &tools::VALGRIND])?;
            languages::script(root, dist, "capi/tests/run.py", &["--stress", "5"], count)
        });
        report.step("C++ binding", |count| {
            tools::need(root, &[&tools::GXX, &tools::CLANGXX])?;
            languages::script(root, dist, "bindings/cpp/tests/run.py", &[], count)
        });
        report.step("ctypes", |_| languages::ctypes(root, dist));
        report.step("conformance", |count| {
            languages::conformance(root, dist, package.as_ref(), count)
        });
    }
    report.step("models of threads", |count| loom(root, count));
    report.step("demo against ffmpeg", |_| demo::check(root));
    report.close()
}

/// Tries every interleaving of the threads of a small model.
fn loom(root: &Path, count: &mut Count) -> Result<(), Failure> {
    let target = target_dir(root).join("loom");
    Run::cargo(root, "test --release --locked --manifest-path tests/loom/Cargo.toml --target-dir")
        .args([target])
        .env("RUSTFLAGS", "--cfg loom")
        .go_watched(|line| count.line(line))
}

/// Tests that passed and failed.
#[derive(Default)]
pub(crate) struct Count {
    passed: u64,
    failed: u64,
    /// What the programs said of those that failed.
    named: Vec<String>,
}

impl Count {
    /// Adds what a line of a test program's output says, if it is its summary or names a test that
    /// failed.
    pub(crate) fn line(&mut self, line: &str) {
        if line.starts_with("test ") && line.contains(" ... FAILED") {
            self.named.push(line.trim_end().to_owned());
        }
        let Some(summary) = summary(line) else { return };
        let number = |what: &str| {
            let before = summary.split(what).next().unwrap_or_default();
            before.split_whitespace().next_back().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0)
        };
        self.passed += number(" passed");
        self.failed += number(" failed");
    }

    /// Whether no test has run.
    pub(crate) fn is_empty(&self) -> bool {
        self.passed + self.failed == 0
    }
}

/// What a line says of tests that have run: of Rust's harness and the project's scripts `test result:
/// …`, of pytest `1 failed, 5 passed in 0.3s`.
fn summary(line: &str) -> Option<&str> {
    let line = line.trim();
    let pytest = || {
        let line = line.trim_matches(['=', ' ']);
        let counts = line.starts_with(|c: char| c.is_ascii_digit()) && line.contains(" in ");
        (counts && (line.ends_with('s') || line.ends_with(')'))).then_some(line)
    };
    line.strip_prefix("test result: ").or_else(pytest)
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// How the steps went.
#[derive(Default)]
struct Report {
    count: Count,
    steps: Vec<(&'static str, f64)>,
    failures: Vec<(&'static str, Failure)>,
}

impl Report {
    fn step(&mut self, name: &'static str, action: impl FnOnce(&mut Count) -> Result<(), Failure>) {
        println!("\n== {name}");
        let start = Instant::now();
        let known = self.count.failed;
        let result = action(&mut self.count);
        let seconds = start.elapsed().as_secs_f64();
        self.steps.push((name, seconds));
        match result {
            Ok(()) => println!("== {name}: good, {seconds:.1} s"),
            Err(failure) => {
                println!("== {name}: FAILED, {seconds:.1} s: {failure}");
                if self.count.failed == known {
                    self.count.failed += 1;
                }
                self.failures.push((name, failure));
            }
        }
    }

    fn close(self) -> Result<(), Failure> {
        println!();
        for (name, seconds) in &self.steps {
            let failed = self.failures.iter().any(|(failed, _)| failed == name);
            println!("{seconds:>8.1} s  {name}{}", if failed { ": FAILED" } else { "" });
        }
        let names: Vec<_> = self.failures.iter().map(|(name, _)| *name).collect();
        for (name, failure) in &self.failures {
            println!("{name}: {failure}");
        }
        self.count.named.iter().for_each(|test| println!("{test}"));
        println!("{}", self.count);
        if names.is_empty() { Ok(()) } else { Err(format!("failed: {}", names.join(", "))) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_are_added_up_and_other_lines_are_not() {
        let mut count = Count::default();
        for line in [
            "running 2 tests",
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; \
             finished in 0.01s\n",
            "test result_is_kept ... ok",
            "test one_is_lost ... FAILED\n",
            "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out",
        ] {
            count.line(line);
        }
        assert_eq!((count.passed, count.failed), (15, 2));
        assert_eq!(count.named, ["test one_is_lost ... FAILED"]);
    }

    #[test]
    fn a_step_that_fails_without_a_test_counts_as_one_failure() {
        let mut report = Report::default();
        report.step("one", |_| Err("why".to_owned()));
        report.step("two", |count| {
            count.line("test result: FAILED. 0 passed; 3 failed;");
            Err("why".to_owned())
        });
        assert_eq!(report.count.failed, 4);
        assert_eq!(report.close(), Err("failed: one, two".to_owned()));
    }
}
