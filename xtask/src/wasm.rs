//! The engine in WebAssembly: the conformance suite's module, and its cases in Node.js.
//!
//! The target's standard library is built here, from the source that Debian's compiler comes with.

use crate::Failure;
use crate::process::{Run, target_dir};
use crate::test::Count;
use crate::tools::{self, Tool};
use std::path::{Path, PathBuf};

/// What building and running need.
pub(crate) const TOOLS: &[&Tool] = &[&tools::RUST_SOURCE, &tools::WASM_LD, &tools::NODE];

const TARGET: &str = "wasm32-unknown-unknown";
const DRIVER: &str = "tests/conformance/drivers/wasm";

/// Builds the module, and plays every case through it and through the crate.
pub(crate) fn run(root: &Path) -> Result<(), Failure> {
    tools::install(root, TOOLS)?;
    let module = build(root)?;
    Run::cargo(root, "build --locked --package conformance-rust").go()?;
    let program = target_dir(root).join("debug/conformance-rust");
    let player = root.join(DRIVER).join("play.mjs");
    let mut count = Count::default();
    let played = Run::new(root, "python3")
        .args(["tests/conformance/run.py"])
        .args([format!("--front=rust='{}'", program.display())])
        .args([format!("--front=wasm=node '{}' '{}'", player.display(), module.display())])
        .go_watched(|line| count.line(line));
    println!("{count}");
    played
}

/// Builds the module, and checks that nothing in it waits.
pub(crate) fn build(root: &Path) -> Result<PathBuf, Failure> {
    let build = target_dir(root).join("wasm");
    Run::debian_cargo(root, "build --locked --package conformance-wasm --profile wasm")
        // Without the standard library's backtraces, which WebAssembly has not.
        .args("-Z build-std=std,panic_abort -Z build-std-features=".split(' '))
        .args(["-Z", "warnings", "--config", "build.warnings=\"deny\"", "--target", TARGET])
        .args(["--target-dir"])
        .args([&build])
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", "wasm-ld-19")
        .go()?;
    let module = build.join(TARGET).join("wasm/conformance_wasm.wasm");
    Run::new(root, "node")
        .args(["--test", &format!("{DRIVER}/waiting.test.mjs")])
        .env("MODULE", &module.to_string_lossy())
        .go()?;
    Ok(module)
}
