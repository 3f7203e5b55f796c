//! The C library as users get it: an archive with headers, libraries, pkg-config and CMake files,
//! licences and examples.
//!
//! rustc makes the static library; the shared one is linked from it here, because rustc gives it
//! neither a SONAME nor symbol versions, and exports more than the header declares.

use crate::Failure;
use crate::header::{HEADER, functions};
use crate::process::{Run, create_folder, target_dir};
use crate::tools;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// What a static library of Rust needs of the system (`rustc --print native-static-libs`).
const STATIC_LIBS: &str = "-lgcc_s -lutil -lrt -lpthread -lm -ldl -lc";

/// The folder of an unpacked distribution, and what it is called.
pub(crate) struct Dist {
    /// The unpacked archive.
    pub(crate) folder: PathBuf,
    /// The archive.
    pub(crate) archive: PathBuf,
}

/// Makes the distribution; a minimal one has no optional features.
pub(crate) fn run(root: &Path, minimal: bool) -> Result<Dist, Failure> {
    tools::need(root, &[&tools::GCC])?;
    let version = version(root)?;
    let what = if minimal { "rmedia-minimal" } else { "rmedia" };
    let name = format!("{what}-{}-{}", version.full, platform());
    let staticlib = build(root, minimal)?;
    let out = target_dir(root).join("dist");
    let folder = out.join(&name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    }
    libraries(root, &folder, &staticlib, &version)?;
    headers(root, &folder)?;
    package_files(root, &folder, &version)?;
    documents(root, &folder)?;
    let archive = out.join(format!("{name}.tar.gz"));
    Run::new(&out, "tar").args(["-czf"]).args([&archive]).args([&name]).go()?;
    println!("made {}", shown(root, &archive));
    Ok(Dist { folder, archive })
}

struct Version {
    full: String,
    major: String,
    minor: String,
}

impl Version {
    /// The name that programs record: below 1.0 each minor version may be another ABI.
    fn soname(&self) -> String {
        match self.major.as_str() {
            "0" => format!("librmedia.so.0.{}", self.minor),
            major => format!("librmedia.so.{major}"),
        }
    }
}

fn version(root: &Path) -> Result<Version, Failure> {
    let text = read(&root.join("Cargo.toml"))?;
    let table: toml::Table = text.parse().map_err(|e| format!("Cargo.toml: {e}"))?;
    let full = table["workspace"]["package"]["version"].as_str().unwrap_or_default().to_owned();
    let mut parts = full.split('.').map(str::to_owned);
    let (major, minor) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    Ok(Version { full, major, minor })
}

/// The library's version, e.g. `0.1`, as the symbol list has it.
pub(crate) fn version_name(root: &Path) -> Result<String, Failure> {
    let version = version(root)?;
    Ok(format!("{}.{}", version.major, version.minor))
}

/// The name that programs record.
pub(crate) fn soname(root: &Path) -> Result<String, Failure> {
    Ok(version(root)?.soname())
}

/// The version of the library's symbols: the node of `rmedia.map`.
pub(crate) fn symbol_version(root: &Path) -> Result<String, Failure> {
    let map = read(&root.join("capi/dist/rmedia.map"))?;
    let node = map.lines().find_map(|line| line.strip_suffix(" {"));
    node.map(str::to_owned).ok_or_else(|| "rmedia.map has no node".to_owned())
}

fn platform() -> String {
    format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS)
}

/// Builds the static library.
fn build(root: &Path, minimal: bool) -> Result<PathBuf, Failure> {
    let cargo = Run::cargo(root, "build --release --locked --package remotemedia-capi");
    let cargo = if minimal { cargo.args(["--no-default-features"]) } else { cargo };
    cargo.go()?;
    Ok(target_dir(root).join("release/librmedia_capi.a"))
}

/// Names of the functions that the header declares, sorted.
pub(crate) fn symbols(root: &Path) -> Result<Vec<String>, Failure> {
    let header = read(&root.join(HEADER))?;
    let mut names: Vec<String> = functions(&header).into_iter().map(str::to_owned).collect();
    names.sort();
    Ok(names)
}

/// The folder of the linker that comes with the compiler.
fn lld(root: &Path) -> Result<PathBuf, Failure> {
    let of = |what: &str| Run::new(root, "rustc").args(["--print", what]).text();
    let (sysroot, host) = (of("sysroot")?, of("host-tuple")?);
    let folder = Path::new(sysroot.trim()).join("lib/rustlib").join(host.trim()).join("bin/gcc-ld");
    match folder.join("ld.lld").is_file() {
        true => Ok(folder),
        false => Err(format!("the Rust toolchain has no ld.lld in {}", folder.display())),
    }
}

fn libraries(root: &Path, folder: &Path, staticlib: &Path, v: &Version) -> Result<(), Failure> {
    let lib = folder.join("lib");
    create_folder(&lib)?;
    let shared = lib.join(format!("librmedia.so.{}", v.full));
    let soname = v.soname();
    Run::new(root, "gcc")
        .args(["-shared", "-o"])
        .args([&shared])
        .args([format!("-B{}", lld(root)?.display()), "-fuse-ld=lld".to_owned()])
        // What is the same code for several types is there once. Nothing depends on
        // different functions having different addresses.
        .args(["-Wl,--icf=all"])
        .args(symbols(root)?.iter().map(|name| format!("-Wl,-u,{name}")))
        .args([staticlib])
        .args(["-Wl,--gc-sections", "-Wl,-z,defs", "-Wl,-z,relro", "-Wl,-z,now", "-Wl,-z,nodelete"])
        .args(["-Wl,--version-script=capi/dist/rmedia.map"])
        .args([format!("-Wl,-soname,{soname}")])
        .args(STATIC_LIBS.split(' '))
        .go()?;
    Run::new(root, "strip").args(["--strip-unneeded"]).args([&shared]).go()?;
    for (link, to) in [(soname.as_str(), file_name(&shared)), ("librmedia.so", soname.as_str())] {
        std::os::unix::fs::symlink(to, lib.join(link)).map_err(|e| format!("{link}: {e}"))?;
    }
    let archive = lib.join("librmedia.a");
    copy(staticlib, &archive)?;
    Run::new(root, "strip").args(["--strip-debug"]).args([&archive]).go()
}

fn headers(root: &Path, folder: &Path) -> Result<(), Failure> {
    let include = folder.join("include");
    create_folder(&include)?;
    for header in [HEADER, "bindings/cpp/include/rmedia.hpp"] {
        let from = root.join(header);
        copy(&from, &include.join(file_name(&from)))?;
    }
    Ok(())
}

fn package_files(root: &Path, folder: &Path, v: &Version) -> Result<(), Failure> {
    let (pkgconfig, cmake) = (folder.join("lib/pkgconfig"), folder.join("lib/cmake/rmedia"));
    create_folder(&pkgconfig)?;
    create_folder(&cmake)?;
    let cmake_libs: Vec<&str> =
        STATIC_LIBS.split(' ').map(|lib| lib.trim_start_matches("-l")).collect();
    for (template, to) in [
        ("rmedia.pc.in", &pkgconfig),
        ("rmediaConfig.cmake.in", &cmake),
        ("rmediaConfigVersion.cmake.in", &cmake),
    ] {
        let text = read(&root.join("capi/dist").join(template))?
            .replace("@VERSION@", &v.full)
            .replace("@MAJOR@", &v.major)
            .replace("@MINOR@", &v.minor)
            .replace("@SONAME@", &v.soname())
            .replace("@STATIC_LIBS@", STATIC_LIBS)
            .replace("@STATIC_LIBS_CMAKE@", &cmake_libs.join(";"));
        write(&to.join(template.trim_end_matches(".in")), &text)?;
    }
    Ok(())
}

fn documents(root: &Path, folder: &Path) -> Result<(), Failure> {
    let doc = folder.join("share/doc/rmedia");
    create_folder(&doc)?;
    for file in ["LICENSE-MIT", "LICENSE-APACHE", "CHANGELOG.md"] {
        copy(&root.join(file), &doc.join(file))?;
    }
    // With the pages that it refers to.
    for page in ["c.md", "concepts/pipeline.md", "reference/manifest.md", "reference/errors.md"] {
        let to = doc.join(page);
        create_folder(to.parent().unwrap_or(&doc))?;
        copy(&root.join("docs").join(page), &to)?;
    }
    copy(&root.join("capi/abi/symbols.txt"), &doc.join("symbols.txt"))?;
    write(&doc.join("THIRD-PARTY.md"), &third_party(root)?)?;
    let examples = folder.join("share/rmedia/examples");
    for language in ["c", "cpp"] {
        copy_folder(&root.join("examples").join(language), &examples.join(language))?;
    }
    copy(&root.join("examples/resample.yaml"), &examples.join("resample.yaml"))
}

/// The crates that are part of the library, with their licences.
fn third_party(root: &Path) -> Result<String, Failure> {
    let tree = Run::cargo(root, "tree --locked --package remotemedia-capi --edges normal,no-proc-macro --prefix none --format")
        .args(["{p}\t{l}\t{r}"])
        .text()?;
    let mut crates: Vec<&str> = tree
        .lines()
        .map(|line| line.trim_end_matches(" (*)"))
        .filter(|line| !line.starts_with("remotemedia") && !line.trim().is_empty())
        .collect();
    crates.sort_unstable();
    crates.dedup();
    let mut out = String::from(
        "# Third-party software in librmedia\n\n| crate | licence | source |\n|---|---|---|\n",
    );
    for line in crates {
        let mut parts = line.split('\t');
        let mut part = || parts.next().unwrap_or_default();
        let _ = writeln!(out, "| {} | {} | {} |", part(), part(), part());
    }
    Ok(out)
}

/// Folder of the distribution that was made last, without making it.
pub(crate) fn folder(root: &Path) -> Result<PathBuf, Failure> {
    let version = version(root)?;
    Ok(target_dir(root).join("dist").join(format!("rmedia-{}-{}", version.full, platform())))
}

/// The shared library of an unpacked distribution.
pub(crate) fn shared_library(folder: &Path) -> Result<PathBuf, Failure> {
    let link = folder.join("lib/librmedia.so");
    std::fs::canonicalize(&link).map_err(|e| format!("{}: {e}", link.display()))
}

/// Bytes of the shared library.
pub(crate) fn size(folder: &Path) -> Result<u64, Failure> {
    let library = shared_library(folder)?;
    let meta = std::fs::metadata(&library).map_err(|e| format!("{}: {e}", library.display()))?;
    Ok(meta.len())
}

fn copy_folder(from: &Path, to: &Path) -> Result<(), Failure> {
    create_folder(to)?;
    let entries = std::fs::read_dir(from).map_err(|e| format!("{}: {e}", from.display()))?;
    for entry in entries {
        let path = entry.map_err(|e| format!("{}: {e}", from.display()))?.path();
        if path.is_file() {
            copy(&path, &to.join(file_name(&path)))?;
        }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    std::fs::copy(from, to).map(|_| ()).map_err(|e| format!("{}: {e}", from.display()))
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))
}

fn file_name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

fn shown(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}
