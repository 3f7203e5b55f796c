//! Who may use whom: the arrows of `CONTRIBUTING.md`, checked.
//!
//! Inside core, by the paths that its source names; between crates, by what cargo knows.
//! Code that is built for tests only may use anything.

mod crates;
mod source;

use crate::Failure;
use std::path::{Path, PathBuf};

/// A module of core and the other modules of core that it may use.
struct Layer {
    module: &'static str,
    may_use: &'static [&'static str],
    /// A pure module keeps no clock, lock or console: the same calls give the same results.
    pure: bool,
}

const LAYERS: &[Layer] = &[
    Layer { module: "error", may_use: &[], pure: true },
    Layer { module: "packet", may_use: &["error"], pure: true },
    Layer { module: "node", may_use: &["packet", "error"], pure: false },
    Layer { module: "dsp", may_use: &["packet", "error"], pure: true },
    // Its choices (containers, encodings) are also params of nodes: hence `node`.
    Layer { module: "media", may_use: &["node", "packet", "dsp", "error"], pure: false },
    Layer { module: "nodes", may_use: &["node", "packet", "dsp", "media", "error"], pure: true },
    Layer { module: "graph", may_use: &["manifest", "node", "packet", "error"], pure: true },
    Layer { module: "manifest", may_use: &["graph", "node", "packet", "error"], pure: true },
    Layer {
        module: "seat",
        may_use: &["manifest", "graph", "node", "packet", "error"],
        pure: false,
    },
    Layer {
        module: "engine",
        may_use: &["manifest", "graph", "node", "packet", "error"],
        pure: false,
    },
    // Where they come together: the default engine.
    Layer { module: "builtin", may_use: &["engine", "manifest", "nodes", "error"], pure: false },
];

/// Names that a pure module may not use.
const IMPURE: &[&str] = &[
    "Instant",
    "SystemTime",
    "Mutex",
    "RwLock",
    "Condvar",
    "sleep",
    "println",
    "eprintln",
    "print",
    "eprint",
];

/// Checks all of it and lists what breaks a rule.
pub(crate) fn run(root: &Path) -> Result<(), Failure> {
    let mut faults = Vec::new();
    let files = check_core(root, &mut faults)?;
    let crates = crates::check(root, &mut faults)?;
    if faults.is_empty() {
        println!("layers hold: {files} files of core, {crates} crates");
        return Ok(());
    }
    for fault in &faults {
        println!("{fault}");
    }
    Err(format!("{} break(s) of the layer rules, listed above", faults.len()))
}

fn check_core(root: &Path, faults: &mut Vec<String>) -> Result<usize, Failure> {
    let base = root.join("core/src");
    let mut files = Vec::new();
    rust_files(&base, &mut files)?;
    files.sort();
    let mut test_files: Vec<PathBuf> = Vec::new();
    let mut scans = Vec::new();
    for file in &files {
        let text = std::fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
        let module = module_of(file.strip_prefix(&base).unwrap_or(file));
        let scan = source::scan(&text, &module);
        test_files.extend(scan.test_modules.iter().map(|path| base.join(path.join("/"))));
        scans.push((file, module, scan));
    }
    for (file, module, scan) in &scans {
        let only_tests =
            test_files.iter().any(|t| file.starts_with(t) || **file == t.with_extension("rs"));
        if let (Some(layer), false) = (module.first(), only_tests) {
            let shown = file.strip_prefix(root).unwrap_or(file).display().to_string();
            check_scan(&shown, layer, scan, faults);
        }
    }
    Ok(files.len())
}

/// Checks one file of the layer `module`.
fn check_scan(file: &str, module: &str, scan: &source::Scan, faults: &mut Vec<String>) {
    let Some(layer) = LAYERS.iter().find(|l| l.module == module) else {
        faults.push(format!(
            "{file}: module `{module}` has no layer: give it one in xtask/src/layers/mod.rs"
        ));
        return;
    };
    for used in &scan.uses {
        let line = used.line;
        if used.name == module || used.name.ends_with('!') || layer.may_use.contains(&&*used.name) {
            continue;
        }
        faults.push(if LAYERS.iter().any(|l| l.module == used.name) {
            format!("{file}:{line}: `{module}` must not use `{}`", used.name)
        } else {
            format!("{file}:{line}: `crate::{}` hides its module: name it", used.name)
        });
    }
    for word in scan.words.iter().filter(|_| layer.pure) {
        if IMPURE.contains(&&*word.name) {
            let (line, name) = (word.line, &word.name);
            faults.push(format!("{file}:{line}: `{module}` is pure and must not use `{name}`"));
        }
    }
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let failed = |e| format!("{}: {e}", folder.display());
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            rust_files(&path, files)?;
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// The module that a file below `src` is; empty for the crate's root.
fn module_of(file: &Path) -> Vec<String> {
    let mut module: Vec<String> =
        file.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if module.last().is_some_and(|last| last == "mod" || last == "lib") {
        module.pop();
    }
    module
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(file: &str, text: &str) -> Vec<String> {
        let module = module_of(Path::new(file));
        let mut faults = Vec::new();
        check_scan(file, &module[0], &source::scan(text, &module), &mut faults);
        faults
    }

    #[test]
    fn a_layer_may_use_those_below_and_itself() {
        let text = "use crate::packet::{Packet, Pool};\nuse crate::{error::Result, node::Node};\n\
                    use super::helper;\nuse std::fmt;\n";
        assert_eq!(faults("nodes/gain.rs", text), [""; 0]);
    }

    #[test]
    fn every_way_to_name_a_module_above_is_seen() {
        for text in [
            "use crate::engine::Pipeline;",
            "use crate::{error::Error, engine::Pipeline};",
            "use super::super::engine::Pipeline;",
            "fn f() { crate::engine::start() }",
            "use remotemedia::engine::Pipeline;",
            "use remotemedia_core::{engine};",
            "mod inner { use super::super::super::engine::Pipeline; }",
            "pub(crate) use crate :: engine :: *;",
        ] {
            assert_eq!(
                faults("nodes/gain.rs", text),
                ["nodes/gain.rs:1: `nodes` must not use `engine`"],
                "{text}"
            );
        }
    }

    #[test]
    fn a_path_through_the_crate_root_is_refused_because_it_hides_its_module() {
        assert_eq!(
            faults("dsp/mix.rs", "\n\nuse crate::Result;"),
            ["dsp/mix.rs:3: `crate::Result` hides its module: name it"]
        );
        assert_eq!(faults("dsp/mix.rs", "fn f() { crate::check!(1) }"), [""; 0]);
    }

    #[test]
    fn tests_comments_and_strings_are_exempt() {
        let text = "/* crate::engine::A /* nested */ crate::engine::B */ // crate::engine::C\n\
                    const A: &str = \"crate::engine::D \\\" crate::engine::E\";\n\
                    const B: &str = r#\"crate::engine::F\"#; const C: char = '\"';\n\
                    fn f<'a>(x: &'a str) {}\n\
                    #[cfg(test)]\nmod tests {\n use crate::engine::G; fn f() { if true {} } \n}\n\
                    #[cfg(test)] use crate::engine::H;\n#[test]\nfn t() { crate::engine::i() }\n";
        assert_eq!(faults("nodes/gain.rs", text), [""; 0]);
        let text = format!("{text}use crate::engine::Z;");
        assert_eq!(faults("nodes/gain.rs", &text).len(), 1, "what follows is looked at again");
    }

    #[test]
    fn code_that_is_left_out_of_tests_is_not_exempt() {
        let text = "#[cfg(not(test))]\nuse crate::engine::A;";
        assert_eq!(faults("nodes/gain.rs", text).len(), 1);
    }

    #[test]
    fn modules_declared_for_tests_are_exempt_as_files() {
        let scan = source::scan("#[cfg(test)]\nmod oracle;\nmod real;", &["graph".to_owned()]);
        assert_eq!(scan.test_modules, [["graph", "oracle"]]);
    }

    #[test]
    fn a_pure_module_has_no_clock_and_no_lock() {
        let text = "use std::time::Instant;\nstatic A: std::sync::Mutex<u8>;";
        assert_eq!(
            faults("dsp/mix.rs", text),
            [
                "dsp/mix.rs:1: `dsp` is pure and must not use `Instant`",
                "dsp/mix.rs:2: `dsp` is pure and must not use `Mutex`"
            ]
        );
        assert_eq!(faults("engine/clock.rs", text), [""; 0]);
    }

    #[test]
    fn a_new_module_needs_a_layer() {
        assert_eq!(faults("misc/mod.rs", "").len(), 1);
    }

    #[test]
    fn no_two_layers_use_each_other_save_graph_and_manifest() {
        for layer in LAYERS {
            for used in layer.may_use {
                let other = LAYERS.iter().find(|l| l.module == *used).expect("it is a layer");
                let both = other.may_use.contains(&layer.module);
                let pair = [layer.module, other.module];
                assert_eq!(both, pair.contains(&"graph") && pair.contains(&"manifest"), "{pair:?}");
            }
        }
    }
}
