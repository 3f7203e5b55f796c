//! The project's own commands. `cargo xtask help` lists them.
#![allow(clippy::print_stdout, reason = "a command line tool speaks on stdout")]

mod abi;
mod bench;
mod bench_capi;
mod bench_live;
mod bench_remote;
mod broken;
mod demo;
mod difference;
mod dist;
mod errors;
mod fuzz;
mod header;
mod languages;
mod layers;
mod process;
mod python;
mod soak;
mod test;
mod tools;
mod tsan;
mod wasm;
mod wav;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Why a command failed: one line, shown to the user.
type Failure = String;

const HELP: &str = "\
The project's own commands:

  cargo xtask demo [--check]     run the main job on the recordings in media/, results in out/demo/;
                                 --check also compares them with ffmpeg and soxr
  cargo xtask test               everything that must pass: format, generated files, layers, lints,
                                 tests, docs, WebAssembly, the C library and the languages over it,
                                 models, demo
  cargo xtask bench engine [--rounds N]
                                 what the engine costs per packet, beside libavfilter and GStreamer
  cargo xtask bench capi [--rounds N]
                                 what the C API costs over the SDK; size and start of the library
  cargo xtask bench live [--rounds N] [--pipelines N]
                                 segments on threads beside GStreamer and channels; voice pipelines
  cargo xtask bench remote [trip] [crowd] [peers] [flood] [--rounds N] [--flood SECONDS]
                                 nodes on servers: a packet's way there and back and streams a core
                                 beside bare tonic, from Python beside Ray, RPyC, Pyro5 and gRPC,
                                 and ten minutes flat out
  cargo xtask soak [MINUTES]     pipelines of all kinds for that long (30), with everything that may
                                 happen to them: memory stays, counters are exact, nothing hangs
  cargo xtask layers             check who uses whom
  cargo xtask errors [--check]   write the error table's generated forms, or see if they are current
  cargo xtask dist [--minimal]   make the C library's archive; --minimal: without media files and FFT
  cargo xtask try                build the archive's examples as its README says, and run them
  cargo xtask python             build and install the Python package in target/python, and test it
  cargo xtask abi [--bless]      compare the ABI with the committed one, or commit what was added
  cargo xtask header [--check]   write the C header, or see if it is current
  cargo xtask tsan [SECONDS]     the C tests with threads under ThreadSanitizer
  cargo xtask wasm-test          install what it takes (as root), build the engine for WebAssembly,
                                 and play the conformance cases in Node.js
  cargo xtask fuzz [SECONDS]     feed every fuzz target for that long in all (default 60)
  cargo xtask broken [RULE…]     break the engine in a copy, rule by rule: its tests have to fail
  cargo xtask help               this text";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let root = root();
    let result = match args.as_slice() {
        ["demo"] => demo::run(&root, false),
        ["demo", "--check"] => demo::run(&root, true),
        ["test"] => test::run(&root),
        ["bench", "engine", rest @ ..] => bench::run(&root, rest),
        ["bench", "capi", rest @ ..] => bench_capi::run(&root, rest),
        ["bench", "live", rest @ ..] => bench_live::run(&root, rest),
        ["bench", "remote", rest @ ..] => bench_remote::run(&root, rest),
        ["soak", rest @ ..] => soak::run(&root, rest),
        ["layers"] => layers::run(&root),
        ["errors"] => errors::write(&root),
        ["errors", "--check"] => errors::check_current(&root),
        ["dist"] => dist::run(&root, false).map(|_| ()),
        ["dist", "--minimal"] => dist::run(&root, true).map(|_| ()),
        ["try"] => dist::run(&root, false).and_then(|dist| languages::examples(&root, &dist)),
        ["python"] => python::run(&root),
        ["abi"] => dist::folder(&root).and_then(|dist| abi::check(&root, &dist)),
        ["abi", "--bless"] => abi::bless(&root),
        ["header"] => header::write(&root),
        ["header", "--check"] => header::check_current(&root),
        ["tsan", rest @ ..] => tsan::run(&root, rest),
        ["wasm-test"] => wasm::run(&root),
        ["fuzz", rest @ ..] => fuzz::run(&root, rest),
        ["broken", rules @ ..] => broken::run(&root, rules),
        ["help" | "--help" | "-h"] => {
            println!("{HELP}");
            Ok(())
        }
        [] => Err("no command given: `cargo xtask help` lists them".to_owned()),
        other => Err(format!(
            "unknown command `cargo xtask {}`: `cargo xtask help` lists them",
            other.join(" ")
        )),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// The project's folder: the one that cargo runs us for, which need not be the one we were built
/// in, since several checkouts may share a target folder.
fn root() -> PathBuf {
    let own = std::env::var("CARGO_MANIFEST_DIR");
    let own = own.as_deref().unwrap_or(env!("CARGO_MANIFEST_DIR"));
    Path::new(own).parent().expect("xtask lies in the project").to_owned()
}
