//! Data races: the C tests that use several threads, with a library that ThreadSanitizer watches.
//!
//! The nightly compiler builds the library with it, and clang the tests; std itself is not
//! instrumented, so what synchronises only inside std is not seen.

use crate::fuzz::{host, nightly};
use crate::process::{Run, target_dir};
use crate::{Failure, tools};
use std::path::Path;

/// Runs the tests for so many seconds of stress.
pub(crate) fn run(root: &Path, args: &[&str]) -> Result<(), Failure> {
    let seconds = match args {
        [] => "20",
        [seconds] => seconds,
        _ => return Err("usage: cargo xtask tsan [SECONDS]".to_owned()),
    };
    tools::need(root, &[&tools::CLANGXX])?;
    let (target, build) = (host(root)?, target_dir(root).join("tsan"));
    // With a named target, the flags reach neither build scripts nor macros.
    nightly(root, "cargo build --release --locked --package remotemedia-capi --target")
        .args([&target])
        .args([Path::new("--target-dir"), &build])
        .env("RUSTFLAGS", "-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer")
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
        .go()?;
    Run::new(root, "python3")
        .args(["capi/tests/run.py", "--include", "include", "--tsan", "--stress", seconds])
        .args(["--static"])
        .args([build.join(target).join("release/librmedia_capi.a")])
        .go()
}
