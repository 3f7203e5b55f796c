//! The Python package as a user gets it: a wheel, installed in a place of its own, and its tests.

use crate::process::{Run, create_folder, target_dir};
use crate::test::Count;
use crate::{Failure, tools};
use std::path::{Path, PathBuf};

/// Largest wheel, in bytes.
const LARGEST: u64 = 8_000_000;

/// The package's Python, in a place of its own.
pub(crate) struct Package {
    pub(crate) python: PathBuf,
}

/// Builds the wheel as `pip install ./bindings/python` does, and installs it.
pub(crate) fn install(root: &Path) -> Result<Package, Failure> {
    let python = environment(root, &target_dir(root).join("python"))?;
    pip(root, &python, &["install", "-r", "bindings/python/tests/requirements.txt"]).go()?;
    let wheel = wheel(root, &python)?;
    pip(root, &python, &["install", "--force-reinstall", "--no-deps"]).args([&wheel]).go()?;
    Ok(Package { python })
}

/// The Python of an environment in that folder, which is made unless it is there.
pub(crate) fn environment(root: &Path, venv: &Path) -> Result<PathBuf, Failure> {
    tools::need(root, &[&tools::PYTHON])?;
    // One that was not finished has no pip.
    if !venv.join("bin/pip").is_file() {
        Run::new(root, "python3").args(["-m", "venv", "--clear"]).args([venv]).go()?;
    }
    Ok(venv.join("bin/python"))
}

/// That Python's pip.
pub(crate) fn pip(root: &Path, python: &Path, args: &[&str]) -> Run {
    let quiet = ["-m", "pip", "--quiet", "--disable-pip-version-check"];
    Run::new(root, python).args(quiet).args(args)
}

/// Builds the wheel.
pub(crate) fn wheel(root: &Path, python: &Path) -> Result<PathBuf, Failure> {
    let wheels = target_dir(root).join("wheels");
    if wheels.exists() {
        std::fs::remove_dir_all(&wheels).map_err(|e| format!("{}: {e}", wheels.display()))?;
    }
    create_folder(&wheels)?;
    // Not in pyproject.toml: the lock file of a source distribution has more than that needs.
    pip(root, python, &["wheel", "./bindings/python", "--no-deps", "--wheel-dir"])
        .args([&wheels])
        .env("MATURIN_PEP517_ARGS", "--locked")
        .go()?;
    let wheel = only_file(&wheels)?;
    let size = std::fs::metadata(&wheel).map_err(|e| format!("{}: {e}", wheel.display()))?.len();
    println!("{} has {size} bytes", wheel.file_name().unwrap_or_default().to_string_lossy());
    if size > LARGEST {
        return Err(format!("the wheel has {size} bytes, more than {LARGEST}"));
    }
    Ok(wheel)
}

/// Builds, installs and tests.
pub(crate) fn run(root: &Path) -> Result<(), Failure> {
    let package = install(root)?;
    tests(root, &package, &mut Count::default())
}

fn only_file(folder: &Path) -> Result<PathBuf, Failure> {
    let entries = std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    match (files.pop(), files.is_empty()) {
        (Some(file), true) => Ok(file),
        _ => Err(format!("{} has not just one file", folder.display())),
    }
}

/// The package's tests, on the installed package: its stubs say what is there; those of ctypes on its native module, which is a C
/// library, too.
pub(crate) fn tests(root: &Path, package: &Package, count: &mut Count) -> Result<(), Failure> {
    let find = "import remotemedia._native as native; print(native.__file__)";
    let module = Run::new(root, &package.python).args(["-c", find]).text()?;
    Run::new(root, &package.python)
        .args(["-m", "mypy.stubtest", "remotemedia._native"])
        .args(["--allowlist", "bindings/python/tests/stubs.allow", "--ignore-unused-allowlist"])
        .go()?;
    // The server of nodes that run on one.
    Run::cargo(root, "build --package rmedia --locked").go()?;
    let rmedia = target_dir(root).join("debug/rmedia");
    Run::new(root, &package.python)
        .args(["-m", "pytest", "bindings/python/tests"])
        .args(["-q", "-p", "no:cacheprovider", "-rs"])
        .env("REMOTEMEDIA_LIBRARY", module.trim())
        .env("RMEDIA", &rmedia.to_string_lossy())
        .go_watched(|line| count.line(line))
}
