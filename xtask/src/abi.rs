//! The ABI gate: what programs that are already built rely on.
//!
//! Three things are compared with what is committed in `capi/abi/`:
//! * `symbols.txt`: every exported function, with the version of the library that brought it. A
//!   function that is gone fails; a new one needs its row. The built library must export these and
//!   nothing else, under its symbol version, with the right SONAME.
//! * `witness.xml`: what abidw reads from the debug information of a C file that uses every struct,
//!   function and constant of the header. abidiff finds changed layouts, params, return types and
//!   values.
//! * The library's other needs: no text relocations, no libraries but the system's.

use crate::header::functions;
use crate::process::{Run, create_folder, target_dir};
use crate::{Failure, dist, tools};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

const SYMBOLS: &str = "capi/abi/symbols.txt";
const WITNESS: &str = "capi/abi/witness.xml";

/// Libraries that the shared library may need.
const SYSTEM: &[&str] = &["libgcc_s.so.1", "libm.so.6", "libc.so.6", "ld-linux-x86-64.so.2"];

/// Writes what programs may rely on from now on; only ever adds functions.
pub(crate) fn bless(root: &Path) -> Result<(), Failure> {
    tools::need(root, &[&tools::GCC, &tools::ABIGAIL])?;
    let (known, now) = (known(root)?, dist::symbols(root)?);
    let version = dist::version_name(root)?;
    let mut rows = known.clone();
    for name in now {
        rows.entry(name).or_insert_with(|| version.clone());
    }
    let mut text =
        String::from("# Functions of librmedia, and the version since which they are there.\n");
    for (name, since) in rows {
        let _ = writeln!(text, "{name} {since}");
    }
    write(&root.join(SYMBOLS), &text)?;
    let object = witness(root, &root.join("include"))?;
    abidw(root, &object, &root.join(WITNESS))?;
    println!("wrote {SYMBOLS} and {WITNESS}");
    Ok(())
}

/// Compares the header and the library in `dist` with what is committed.
pub(crate) fn check(root: &Path, folder: &Path) -> Result<(), Failure> {
    tools::need(root, &[&tools::GCC, &tools::ABIGAIL])?;
    check_symbols(&known(root)?, &dist::symbols(root)?)?;
    check_library(root, folder)?;
    compare(root, &folder.join("include"))?;
    println!("the ABI is as committed");
    Ok(())
}

/// Compares a header with the committed witness.
fn compare(root: &Path, include: &Path) -> Result<(), Failure> {
    let object = witness(root, include)?;
    let run = Run::new(root, "abidiff").args(["--no-added-syms", WITNESS]).args([&object]);
    // Bits of its status: 1 error, 2 usage, 4 a change, 8 an incompatible one.
    run.go().map_err(|e| format!("the header's types or functions have changed: {e}"))
}

fn check_symbols(known: &BTreeMap<String, String>, now: &[String]) -> Result<(), Failure> {
    let gone: Vec<_> = known.keys().filter(|name| !now.contains(name)).cloned().collect();
    if !gone.is_empty() {
        return Err(format!("functions are gone from the header: {}", gone.join(", ")));
    }
    let new: Vec<_> = now.iter().filter(|name| !known.contains_key(*name)).cloned().collect();
    if !new.is_empty() {
        let new = new.join(", ");
        return Err(format!("{SYMBOLS} lacks {new}: run `cargo xtask abi --bless`"));
    }
    Ok(())
}

fn check_library(root: &Path, folder: &Path) -> Result<(), Failure> {
    let library = dist::shared_library(folder)?;
    let soname = dist::soname(root)?;
    let exported = Run::new(root, "nm").args(["-D", "--defined-only"]).args([&library]).text()?;
    check_exports(&exported, &dist::symbols(root)?, &dist::symbol_version(root)?)?;
    let dynamic = Run::new(root, "readelf").args(["-d", "-W"]).args([&library]).text()?;
    check_dynamic(&dynamic, &soname)
}

/// `nm -D --defined-only`: the header's functions under their version, and nothing else.
fn check_exports(nm: &str, header: &[String], version: &str) -> Result<(), Failure> {
    let mut exported: Vec<&str> =
        nm.lines().filter_map(|line| line.split_whitespace().nth(2)).collect();
    exported.retain(|name| *name != version);
    exported.sort_unstable();
    let wanted: Vec<String> = header.iter().map(|name| format!("{name}@@{version}")).collect();
    let missing: Vec<_> = wanted.iter().filter(|w| !exported.contains(&w.as_str())).collect();
    let more: Vec<_> = exported.iter().filter(|e| !wanted.iter().any(|w| w == **e)).collect();
    if missing.is_empty() && more.is_empty() {
        return Ok(());
    }
    Err(format!("the library lacks {missing:?} and exports besides {more:?}"))
}

/// `readelf -d`: name, needed libraries, text relocations.
fn check_dynamic(readelf: &str, soname: &str) -> Result<(), Failure> {
    let values = |tag: &str| -> Vec<&str> {
        let lines = readelf.lines().filter(|line| line.contains(tag));
        lines.filter_map(|line| line.split(['[', ']']).nth(1)).collect()
    };
    if values("(SONAME)") != [soname] {
        return Err(format!("the library's SONAME is {:?}, not {soname}", values("(SONAME)")));
    }
    let strange: Vec<_> =
        values("(NEEDED)").into_iter().filter(|name| !SYSTEM.contains(name)).collect();
    if !strange.is_empty() {
        return Err(format!("the library needs {strange:?}"));
    }
    if readelf.contains("TEXTREL") {
        return Err("the library has text relocations".to_owned());
    }
    Ok(())
}

/// Functions and the version that brought them.
fn known(root: &Path) -> Result<BTreeMap<String, String>, Failure> {
    let path = root.join(SYMBOLS);
    if !path.exists() {
        return Ok(BTreeMap::new());
    }
    let text = std::fs::read_to_string(&path).map_err(|e| format!("{SYMBOLS}: {e}"))?;
    let rows = text.lines().filter(|line| !line.starts_with('#'));
    let row = |line: &str| {
        let (name, since) = line.split_once(' ')?;
        Some((name.to_owned(), since.to_owned()))
    };
    Ok(rows.filter_map(row).collect())
}

/// Compiles a C file that uses everything the header declares.
fn witness(root: &Path, include: &Path) -> Result<PathBuf, Failure> {
    let out = target_dir(root).join("abi");
    create_folder(&out)?;
    let header = include.join("rmedia.h");
    let text =
        std::fs::read_to_string(&header).map_err(|e| format!("{}: {e}", header.display()))?;
    let mut source = String::from("#include <rmedia.h>\n");
    for name in types(&text) {
        let _ = writeln!(source, "{name} witness_{name};");
    }
    for name in functions(&text) {
        let _ = writeln!(source, "__typeof__(&{name}) witness_{name} = &{name};");
    }
    source.push_str("enum witness_constants {\n");
    for name in constants(&text) {
        let _ = writeln!(source, "    WITNESS_{name} = (int){name},");
    }
    source.push_str("} witness_constants;\n");
    let (c, object) = (out.join("witness.c"), out.join("witness.o"));
    write(&c, &source)?;
    let include = format!("-I{}", include.display());
    Run::new(root, "gcc")
        .args(["-std=c11", "-g", "-fno-eliminate-unused-debug-types", "-c"])
        .args([include])
        .args([&c])
        .args(["-o"])
        .args([&object])
        .go()?;
    Ok(object)
}

/// Names of the constants that fit into an `int`.
fn constants(header: &str) -> Vec<&str> {
    let defines = header.lines().filter_map(|line| line.strip_prefix("#define "));
    let pairs = defines.filter_map(|define| define.split_once(' '));
    let small = |value: &str| value.starts_with(['-', '(']) || value.as_bytes()[0].is_ascii_digit();
    let plain = |(name, value): &(&str, &str)| {
        name.starts_with("RMEDIA_")
            && !name.contains('(')
            && small(value)
            && !value.contains("rmedia")
    };
    pairs.filter(plain).map(|(name, _)| name).collect()
}

/// Names of the structs and function types.
fn types(header: &str) -> Vec<&str> {
    let structs = header.lines().filter_map(|line| line.strip_prefix("} ")?.strip_suffix(';'));
    let functions =
        header.lines().filter_map(|line| line.strip_prefix("typedef void (*")?.split(')').next());
    structs.chain(functions).collect()
}

fn abidw(root: &Path, object: &Path, to: &Path) -> Result<(), Failure> {
    Run::new(root, "abidw")
        .args(["--no-corpus-path", "--no-comp-dir-path", "--short-locs", "--no-show-locs"])
        .args(["--out-file"])
        .args([to])
        .args([object])
        .go()
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    if let Some(folder) = path.parent() {
        create_folder(folder)?;
    }
    std::fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))
}

/// Breaks the header in ways that programs would not survive, and fails unless the gate sees each.
pub(crate) fn check_gate(root: &Path, folder: &Path) -> Result<(), Failure> {
    let text = std::fs::read_to_string(folder.join("include/rmedia.h"))
        .map_err(|e| format!("rmedia.h: {e}"))?;
    let broken = [
        ("a member before others", "    uint32_t kind;", "    uint64_t other;\n    uint32_t kind;"),
        ("another type of a member", "    size_t frames;", "    uint32_t frames;"),
        ("a param more", "int32_t timeout_ms,", "int32_t timeout_ms, int32_t more,"),
        ("another value", "#define RMEDIA_FULL 3", "#define RMEDIA_FULL 30"),
    ];
    for (what, from, to) in broken {
        if !text.contains(from) {
            return Err(format!("{what}: the header has nothing to break so"));
        }
        let include = target_dir(root).join("abi/broken");
        create_folder(&include)?;
        write(&include.join("rmedia.h"), &text.replacen(from, to, 1))?;
        if compare(root, &include).is_ok() {
            return Err(format!("the gate does not see {what}"));
        }
        println!("seen: {what}");
    }
    let (known, now) = (known(root)?, dist::symbols(root)?);
    if check_symbols(&known, &now[1..]).is_ok() {
        return Err("the gate does not see that a function is gone".to_owned());
    }
    println!("seen: a function that is gone");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exports_are_the_headers_functions_under_their_version_and_nothing_else() {
        let header = ["rmedia_a".to_owned(), "rmedia_b".to_owned()];
        let good = "0 A RMEDIA_0.1\n1 T rmedia_a@@RMEDIA_0.1\n2 T rmedia_b@@RMEDIA_0.1\n";
        let check = |nm: &str| check_exports(nm, &header, "RMEDIA_0.1");
        assert_eq!(check(&good.replace("0 A RMEDIA_0.1", "0 A RMEDIA_0.1 ")), Ok(()));
        assert!(check(&good.replace("rmedia_b@@RMEDIA_0.1", "rmedia_b")).is_err());
        assert!(check(&format!("{good}3 T rust_eh_personality@@RMEDIA_0.1\n")).is_err());
        assert!(check("1 T rmedia_a@@RMEDIA_0.1\n").is_err());
    }

    #[test]
    fn constants_are_the_numbers_of_the_header() {
        let header = "#define RMEDIA_OK 0\n#define RMEDIA_FOREVER (-1)\n#define RMEDIA_ANY UINT32_MAX\n\
             #define RMEDIA_X_INIT RMEDIA_STRUCT_INIT(rmedia_x_t)\n#define RMEDIA_H\n\
             #define RMEDIA_DEFAULT_ENGINE (rmedia_engine_t{0})\n#define RMEDIA_KEY (1u << 3)\n";
        assert_eq!(constants(header), ["RMEDIA_OK", "RMEDIA_FOREVER", "RMEDIA_KEY"]);
    }

    #[test]
    fn another_soname_a_strange_library_and_text_relocations_are_seen() {
        let good =
            "0x1 (NEEDED) Shared library: [libc.so.6]\n0xe (SONAME) Library soname: [l.so.0]\n";
        assert_eq!(check_dynamic(good, "l.so.0"), Ok(()));
        assert!(check_dynamic(good, "l.so.1").is_err());
        assert!(check_dynamic(&good.replace("libc.so.6", "libssl.so.3"), "l.so.0").is_err());
        assert!(check_dynamic(&format!("{good}0x16 (TEXTREL) 0x0\n"), "l.so.0").is_err());
    }
}
