//! Data races: the C tests that use several threads, with a library that ThreadSanitizer watches.
//!
//! The standard library has to be watched, too, or what its locks protect looks like a race. Its
//! source comes with Debian's `rust-web-src`, for the compiler of `rustc-web`.

use crate::process::{Run, target_dir};
use crate::{Failure, tools};
use std::path::Path;

const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Runs the tests for so many seconds of stress.
pub(crate) fn run(root: &Path, args: &[&str]) -> Result<(), Failure> {
    let seconds = match args {
        [] => "20",
        [seconds] => seconds,
        _ => return Err("usage: cargo xtask tsan [SECONDS]".to_owned()),
    };
    tools::need(root, &[&tools::CLANGXX, &tools::RUST_SOURCE])?;
    let build = target_dir(root).join("tsan");
    // With a named target, the flags reach neither build scripts nor macros.
    Run::debian_cargo(root, "build -Z build-std=std,panic_unwind --release --locked")
        .args(["--package", "remotemedia-capi", "--target", TARGET, "--target-dir"])
        .args([&build])
        .env("RUSTFLAGS", "-Zsanitizer=thread -Zexternal-clangrt -Clink-arg=-fsanitize=thread")
        .env("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER", "clang-19")
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
        .go()?;
    Run::new(root, "python3")
        .args(["capi/tests/run.py", "--include", "include", "--tsan", "--stress", seconds])
        .args(["--static"])
        .args([build.join(TARGET).join("release/librmedia_capi.a")])
        .go()
}
