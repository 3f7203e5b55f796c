//! The C library and the languages over it, tested as users meet them: against the unpacked
//! archive, with the system's compilers.

use crate::dist::{self, Dist};
use crate::process::{Run, create_folder, target_dir};
use crate::python::Package;
use crate::test::Count;
use crate::{Failure, abi, tools};
use std::path::{Path, PathBuf};

/// Largest shared library with all nodes, in bytes.
const LARGEST: u64 = 9_300_000;

/// Recordings that the examples work on.
const RECORDINGS: &[&str] =
    &["speech-16k.wav", "speech-16k-f32.wav", "music-44k-stereo.wav", "music-48k-stereo-f32.wav"];

/// Makes the distribution and checks its ABI and its size.
pub(crate) fn library(root: &Path) -> Result<Dist, Failure> {
    let dist = dist::run(root, false)?;
    abi::check(root, &dist.folder)?;
    abi::check_gate(root, &dist.folder)?;
    let size = dist::size(&dist.folder)?;
    println!("librmedia.so has {size} bytes");
    if size > LARGEST {
        return Err(format!("librmedia.so has {size} bytes, more than {LARGEST}"));
    }
    Ok(dist)
}

/// Unpacks the archive in an empty folder, builds its examples as its README says, in every way,
/// and compares what they make of real recordings with what the command makes.
pub(crate) fn examples(root: &Path, dist: &Dist) -> Result<(), Failure> {
    tools::need(root, &[&tools::GCC, &tools::GXX, &tools::PKG_CONFIG, &tools::CMAKE])?;
    let place = target_dir(root).join("try");
    if place.exists() {
        std::fs::remove_dir_all(&place).map_err(|e| format!("{}: {e}", place.display()))?;
    }
    create_folder(&place)?;
    Run::new(&place, "tar").args(["-xzf"]).args([&dist.archive]).go()?;
    let prefix = place.join(dist.folder.file_name().unwrap_or_default());
    let lib = prefix.join("lib");
    let examples = prefix.join("share/rmedia/examples");

    let mut programs = Vec::new();
    for (folder, line) in [("c", COMPILE_C), ("cpp", COMPILE_CPP)] {
        for source in sources(&examples.join(folder))? {
            shell(&examples.join(folder), &lib, &line.replace("NAME", &source))?;
        }
        programs.push(examples.join(folder).join("wav"));
        for (build, option) in [("build", "OFF"), ("build-static", "ON")] {
            let cmake = CMAKE.replace("BUILD", build).replace("ON_OR_OFF", option);
            shell(&examples.join(folder), &lib, &cmake)?;
            programs.push(examples.join(folder).join(build).join("wav"));
        }
    }
    shell(&examples.join("c"), &lib, STATIC_C)?;
    programs.push(examples.join("c/wav-static"));

    Run::cargo(root, "build --locked --package rmedia").go()?;
    let command = target_dir(root).join("debug/rmedia");
    for recording in RECORDINGS {
        compare(root, &place, &lib, &command, &programs, recording)?;
    }
    for (folder, name, args) in [
        ("c", "push_pull", &["../resample.yaml"] as &[&str]),
        ("c", "node", &[]),
        ("c", "event_loop", &[]),
        ("cpp", "node", &[]),
    ] {
        let folder = examples.join(folder);
        Run::new(&folder, folder.join(name))
            .args(args)
            .env("LD_LIBRARY_PATH", &lib.to_string_lossy())
            .go()?;
    }
    Ok(())
}

const COMPILE_C: &str =
    "cc -Wall -Wextra -Werror NAME.c $(pkg-config --cflags --libs rmedia) -pthread -o NAME";
const COMPILE_CPP: &str =
    "c++ -std=c++17 -Wall -Wextra -Werror NAME.cpp $(pkg-config --cflags --libs rmedia) -o NAME";
const STATIC_C: &str = "cc wav.c $(pkg-config --static --cflags rmedia) -DRMEDIA_STATIC \
     ../../../../lib/librmedia.a -lgcc_s -lutil -lrt -lpthread -lm -ldl -o wav-static";
const CMAKE: &str = "cmake -B BUILD -DCMAKE_PREFIX_PATH=../../../.. -DSTATIC=ON_OR_OFF && \
     cmake --build BUILD";

/// Runs a line as a user would type it.
fn shell(folder: &Path, lib: &Path, line: &str) -> Result<(), Failure> {
    Run::new(folder, "sh")
        .args(["-ec", line])
        .env("PKG_CONFIG_PATH", &lib.join("pkgconfig").to_string_lossy())
        .go()
}

/// Names of the source files in a folder, without their ends.
fn sources(folder: &Path) -> Result<Vec<String>, Failure> {
    let entries = std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let path = entry.map_err(|e| format!("{}: {e}", folder.display()))?.path();
        if path.extension().is_some_and(|end| end == "c" || end == "cpp") {
            names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
    }
    names.sort();
    if names.is_empty() { Err(format!("{}: no source", folder.display())) } else { Ok(names) }
}

/// What the command and every program make of one recording must be the same file.
fn compare(
    root: &Path,
    place: &Path,
    lib: &Path,
    command: &Path,
    programs: &[PathBuf],
    recording: &str,
) -> Result<(), Failure> {
    let (manifest, input) =
        (root.join("examples/resample.yaml"), root.join("media").join(recording));
    let wanted = place.join(format!("command-{recording}"));
    Run::new(root, command)
        .args(["run", "--quiet"])
        .args([&manifest])
        .args(["-i"])
        .args([&input])
        .args(["-o"])
        .args([&wanted])
        .go()?;
    for (n, program) in programs.iter().enumerate() {
        let output = place.join(format!("{n}-{recording}"));
        Run::new(root, program)
            .args([&manifest, &input, &output])
            .env("LD_LIBRARY_PATH", &lib.to_string_lossy())
            .output()?;
        let bytes =
            |path: &Path| std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()));
        if bytes(&wanted)? != bytes(&output)? {
            let program = program.strip_prefix(place).unwrap_or(program).display();
            return Err(format!("{program} and the command make {recording} different"));
        }
    }
    println!("{recording}: {} programs make what the command makes", programs.len());
    Ok(())
}

/// A Python script of the project whose output counts tests, with the distribution's folders.
pub(crate) fn script(
    root: &Path,
    dist: &Dist,
    script: &str,
    more: &[&str],
    count: &mut Count,
) -> Result<(), Failure> {
    Run::new(root, "python3")
        .args([script, "--include"])
        .args([dist.folder.join("include")])
        .args(["--lib"])
        .args([dist.folder.join("lib")])
        .args(more)
        .go_watched(|line| count.line(line))
}

/// Every front plays every case.
pub(crate) fn conformance(
    root: &Path,
    dist: &Dist,
    package: Option<&Package>,
    count: &mut Count,
) -> Result<(), Failure> {
    tools::need(root, &[&tools::GCC, &tools::GXX])?;
    Run::cargo(
        root,
        "build --locked --package conformance-rust --package conformance-binding --package rmedia",
    )
    .go()?;
    Run::new(root, "python3").args(["-m", "unittest", "discover", "tests/conformance"]).go()?;
    let python = package.map(|package| package.python.to_string_lossy().into_owned());
    let more: Vec<&str> = python.iter().flat_map(|python| ["--python", python]).collect();
    script(root, dist, "tests/conformance/all.py", &more, count)
}

/// The ctypes module is current, and drives the library.
pub(crate) fn ctypes(root: &Path, dist: &Dist) -> Result<(), Failure> {
    Run::new(root, "python3").args(["bindings/python/generate_capi.py", "--check"]).go()?;
    Run::new(root, "python3")
        .args(["-m", "unittest", "bindings/python/tests/test_capi.py"])
        .env("REMOTEMEDIA_LIBRARY", &dist::shared_library(&dist.folder)?.to_string_lossy())
        .env("PYTHONPATH", "bindings/python")
        .go()
}

/// Folders with Python.
const PYTHON: &[&str] =
    &["bindings/python", "bindings/cpp/tests", "capi/tests", "tests/conformance"];

/// Python that imports peers, which are not installed where types are checked.
const PYTHON_BENCHES: &[&str] = &["benches/python", "benches/remote"];

/// Format, lints and types of all Python, with tools in a place of their own.
pub(crate) fn python_lints(root: &Path) -> Result<(), Failure> {
    tools::need(root, &[&tools::PYTHON])?;
    let venv = target_dir(root).join("python-tools");
    let python = venv.join("bin/python");
    // One that was not finished has no pip.
    if !venv.join("bin/pip").is_file() {
        Run::new(root, "python3").args(["-m", "venv", "--clear"]).args([&venv]).go()?;
    }
    Run::new(root, &python)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
        .args(["-r", "xtask/python-tools.txt"])
        .go()?;
    let tool = |name: &str| Run::new(root, venv.join("bin").join(name));
    tool("ruff").args(["format", "--check"]).args(PYTHON).args(PYTHON_BENCHES).go()?;
    tool("ruff").args(["check"]).args(PYTHON).args(PYTHON_BENCHES).go()?;
    tool("basedpyright").args(["--pythonpath"]).args([&python]).args(PYTHON).go()
}
