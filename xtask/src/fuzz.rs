//! Feeds the fuzz targets in `fuzz/` with libFuzzer, under the address sanitizer.
//!
//! Needs the nightly compiler: the sanitizer, whose hooks also let libFuzzer see what is compared
//! with what in memory, is not in the stable one.
//!
//! A target is a binary of that crate which calls `libfuzzer_sys::fuzz_target!`. Its corpus grows
//! in `fuzz/corpus/<target>/`; an input that breaks it is left in `fuzz/artifacts/<target>/`.

use crate::Failure;
use crate::process::{Run, create_folder, target_dir};
use crate::tools;
use std::path::Path;

/// The sanitizer and the coverage instrumentation that libFuzzer steers by.
const FLAGS: &str = "--cfg fuzzing -Zsanitizer=address -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares \
    -Cdebug-assertions -Coverflow-checks -Ccodegen-units=1";

/// Memory that one input may make a target take, in MiB.
const MEMORY_MIB: u32 = 2048;

/// Targets whose work stays: what a node type says of itself lives as long as the process.
const STAYING: &[&str] = &["declaration"];

/// Runs every target for its share of the time.
pub(crate) fn run(root: &Path, args: &[&str]) -> Result<(), Failure> {
    let seconds: u64 = match args {
        [] => 60,
        [seconds] => seconds.parse().map_err(|_| format!("not a number of seconds: {seconds}"))?,
        _ => return Err("usage: cargo xtask fuzz [SECONDS]".to_owned()),
    };
    if !root.join("fuzz/Cargo.toml").is_file() {
        return Err("there are no fuzz targets: no fuzz/Cargo.toml".to_owned());
    }
    tools::need(root, &[&tools::GXX])?;
    let targets = targets(root)?;
    let host = host(root)?;
    let build = target_dir(root).join("fuzz");
    // With a named target, the flags reach neither build scripts nor macros.
    nightly(root, "cargo build --release --bins --manifest-path fuzz/Cargo.toml --target")
        .args([&host])
        .args([Path::new("--target-dir"), &build])
        .env("RUSTFLAGS", FLAGS)
        .go()?;
    let share = (seconds / targets.len() as u64).max(1);
    for target in &targets {
        let corpus = Path::new("fuzz/corpus").join(target);
        let artifacts = Path::new("fuzz/artifacts").join(target);
        create_folder(&root.join(&corpus))?;
        create_folder(&root.join(&artifacts))?;
        let leaks = i32::from(!STAYING.contains(&target.as_str()));
        Run::new(root, build.join(&host).join("release").join(target))
            .args([format!("-max_total_time={share}"), format!("-rss_limit_mb={MEMORY_MIB}")])
            .args([format!("-artifact_prefix={}/", artifacts.display())])
            .args([&corpus])
            .env("ASAN_OPTIONS", &format!("detect_leaks={leaks}"))
            .go()
            .map_err(|e| format!("{target} broke, its input is in {}: {e}", artifacts.display()))?;
    }
    println!("{} target(s), {share} s each: nothing broke", targets.len());
    Ok(())
}

/// Names of the binaries of `fuzz/`.
fn targets(root: &Path) -> Result<Vec<String>, Failure> {
    let line = "metadata --no-deps --format-version 1 --manifest-path fuzz/Cargo.toml";
    let metadata: serde_json::Value = serde_json::from_slice(&Run::cargo(root, line).output()?)
        .map_err(|e| format!("cargo metadata: {e}"))?;
    let all = metadata["packages"].as_array().into_iter().flatten();
    let all = all.flat_map(|package| package["targets"].as_array().into_iter().flatten());
    let names: Vec<String> = all
        .filter(|target| target["kind"][0] == "bin")
        .filter_map(|target| target["name"].as_str().map(str::to_owned))
        .collect();
    if names.is_empty() { Err("fuzz/Cargo.toml has no targets".to_owned()) } else { Ok(names) }
}

/// The target triple of the nightly compiler's machine.
fn host(root: &Path) -> Result<String, Failure> {
    let version = nightly(root, "rustc -vV").text().map_err(|e| {
        format!("no nightly compiler: install it with `rustup toolchain install nightly` ({e})")
    })?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| "rustc -vV names no host".to_owned())
}

fn nightly(root: &Path, line: &str) -> Run {
    Run::new(root, "rustup").args(["run", "nightly"]).args(line.split_whitespace())
}
