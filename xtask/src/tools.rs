//! Programs and libraries of the system that a command needs: found, or named with the command
//! that installs them. In CI as root they are installed.

use crate::Failure;
use crate::process::Run;
use std::path::Path;

/// Something of the system, and the Debian packages that bring it.
pub(crate) struct Tool {
    /// What the user is told is missing.
    pub(crate) name: &'static str,
    /// What shows that it is there.
    pub(crate) probe: Probe,
    /// Debian packages.
    pub(crate) packages: &'static [&'static str],
}

/// How to see that a tool is there.
pub(crate) enum Probe {
    /// A program on the search path.
    Program(&'static str),
    /// A module of Python 3.
    PythonModule(&'static str),
    /// A file.
    File(&'static str),
    /// A library known to pkg-config.
    Library(&'static str),
    /// A GStreamer plugin, which is a file below the system's library folders.
    GstreamerPlugin(&'static str),
}

pub(crate) const FFMPEG: Tool =
    Tool { name: "ffmpeg", probe: Probe::Program("ffmpeg"), packages: &["ffmpeg"] };
pub(crate) const GCC: Tool =
    Tool { name: "gcc", probe: Probe::Program("gcc"), packages: &["gcc", "libc6-dev"] };
pub(crate) const GXX: Tool = Tool { name: "g++", probe: Probe::Program("g++"), packages: &["g++"] };
pub(crate) const PYTHON: Tool = Tool {
    name: "python3 with venv",
    probe: Probe::PythonModule("ensurepip"),
    packages: &["python3", "python3-venv"],
};
pub(crate) const CLANGXX: Tool = Tool {
    name: "clang++",
    probe: Probe::Program("clang++-19"),
    packages: &["clang-19", "libclang-rt-19-dev"],
};
pub(crate) const RUST_SOURCE: Tool = Tool {
    name: "a compiler with the source of its standard library",
    probe: Probe::File("/usr/lib/rustlib/src/rust/library/std/Cargo.toml"),
    packages: &["rustc-web", "cargo-web", "rust-web-src"],
};
pub(crate) const WASM_LD: Tool =
    Tool { name: "wasm-ld", probe: Probe::Program("wasm-ld-19"), packages: &["lld-19"] };
pub(crate) const NODE: Tool =
    Tool { name: "Node.js", probe: Probe::Program("node"), packages: &["nodejs"] };
pub(crate) const CMAKE: Tool =
    Tool { name: "cmake", probe: Probe::Program("cmake"), packages: &["cmake", "make"] };
pub(crate) const VALGRIND: Tool =
    Tool { name: "valgrind", probe: Probe::Program("valgrind"), packages: &["valgrind"] };
pub(crate) const ABIGAIL: Tool =
    Tool { name: "abidiff", probe: Probe::Program("abidiff"), packages: &["abigail-tools"] };
pub(crate) const PKG_CONFIG: Tool =
    Tool { name: "pkg-config", probe: Probe::Program("pkg-config"), packages: &["pkg-config"] };
pub(crate) const LIBAVFILTER: Tool = Tool {
    name: "libavfilter",
    probe: Probe::Library("libavfilter"),
    packages: &["libavfilter-dev", "libavutil-dev"],
};
pub(crate) const GSTREAMER: Tool = Tool {
    name: "GStreamer",
    probe: Probe::Library("gstreamer-app-1.0"),
    packages: &["libgstreamer1.0-dev", "libgstreamer-plugins-base1.0-dev"],
};
pub(crate) const GSTREAMER_APP: Tool = Tool {
    name: "GStreamer's app plugin",
    probe: Probe::GstreamerPlugin("libgstapp.so"),
    packages: &["gstreamer1.0-plugins-base"],
};

/// Makes sure that all of them are there.
///
/// # Errors
/// One line with what is missing and the command that installs it.
pub(crate) fn need(root: &Path, tools: &[&Tool]) -> Result<(), Failure> {
    if std::env::var_os("CI").is_some() { install(root, tools) } else { are_there(root, tools) }
}

/// As [`need`]; as root, what is missing is installed.
///
/// # Errors
/// As `need`.
pub(crate) fn install(root: &Path, tools: &[&Tool]) -> Result<(), Failure> {
    let packages = packages(&absent(root, tools));
    if !packages.is_empty() && is_root(root) {
        println!("installing with apt-get: {}", packages.join(" "));
        let apt = |line: &str| {
            Run::new(root, "apt-get")
                .args(line.split_whitespace())
                .env("DEBIAN_FRONTEND", "noninteractive")
        };
        apt("update -qq").go()?;
        apt("install -y -qq --no-install-recommends").args(&packages).go()?;
    }
    are_there(root, tools)
}

fn are_there(root: &Path, tools: &[&Tool]) -> Result<(), Failure> {
    let missing = absent(root, tools);
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = missing.iter().map(|t| t.name).collect();
    Err(format!(
        "{} not found; on Debian or Ubuntu: sudo apt-get install {}",
        names.join(", "),
        packages(&missing).join(" ")
    ))
}

fn packages(tools: &[&Tool]) -> Vec<&'static str> {
    tools.iter().flat_map(|tool| tool.packages).copied().collect()
}

fn absent<'a>(root: &Path, tools: &[&'a Tool]) -> Vec<&'a Tool> {
    tools.iter().copied().filter(|tool| !is_there(root, &tool.probe)).collect()
}

fn is_there(root: &Path, probe: &Probe) -> bool {
    match probe {
        Probe::Program(name) => std::env::var_os("PATH")
            .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(name).is_file())),
        Probe::PythonModule(name) => {
            Run::new(root, "python3").args(["-c", &format!("import {name}")]).output().is_ok()
        }
        Probe::File(path) => Path::new(path).is_file(),
        Probe::Library(name) => {
            Run::new(root, "pkg-config").args(["--exists", name]).output().is_ok()
        }
        Probe::GstreamerPlugin(file) => Run::new(root, "pkg-config")
            .args(["--variable=pluginsdir", "gstreamer-1.0"])
            .text()
            .is_ok_and(|dir| Path::new(dir.trim()).join(file).is_file()),
    }
}

fn is_root(root: &Path) -> bool {
    Run::new(root, "id").args(["-u"]).text().is_ok_and(|id| id.trim() == "0")
}
