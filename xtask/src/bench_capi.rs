//! What the C API costs over the SDK, how fast the library is there, and how large it is.
//!
//! The same job from C (`benches/capi/push_pull.c`, linked with the distribution's library) and from
//! Rust (`benches/src/bin/sdk_push_pull.rs`), in turn, several rounds; medians.

use crate::process::{Run, create_folder, target_dir};
use crate::{Failure, dist};
use serde_json::Value as Json;
use std::path::Path;

/// Runs the comparison on a fresh distribution.
pub(crate) fn run(root: &Path, args: &[&str]) -> Result<(), Failure> {
    let rounds = match args {
        [] => 7,
        ["--rounds", n] => n.parse().map_err(|_| format!("not a number of rounds: {n}"))?,
        _ => return Err("usage: cargo xtask bench capi [--rounds N]".to_owned()),
    };
    let minimal = dist::run(root, true)?;
    let dist = dist::run(root, false)?;
    Run::cargo(root, "build --release --package remotemedia-benches --bin sdk_push_pull").go()?;
    let rust = target_dir(root).join("release/sdk_push_pull");
    let (c, load) = (compile(root, &dist, "push_pull")?, compile(root, &dist, "first_result")?);
    let library = dist::shared_library(&dist.folder)?;

    let mut results = Vec::new();
    for round in 1..=rounds {
        println!("round {round} of {rounds}");
        for run in
            [Run::new(root, &rust), Run::new(root, &c), Run::new(root, &load).args([&library])]
        {
            let text = run.text()?;
            let line: Json =
                serde_json::from_str(text.trim()).map_err(|e| format!("{e}: {text}"))?;
            if line["ok"] != true {
                return Err(format!("a result is wrong: {line}"));
            }
            results.push(line);
        }
    }
    println!("\nmedians of {rounds} rounds, CPU nanoseconds");
    println!("{:<44}{:>9}{:>9}{:>9}", "", "sdk", "C", "C - sdk");
    for (what, key) in [
        ("make, fill, push, pull, view, release", "whole_ns"),
        ("push and pull", "push_pull_ns"),
        ("share and release", "share_release_ns"),
    ] {
        let (sdk, c) = (median(&results, "sdk", key), median(&results, "c", key));
        println!("{what:<44}{sdk:>9.1}{c:>9.1}{:>9.1}", c - sdk);
    }
    for (what, key) in [("view", "view_ns"), ("slice and release", "slice_release_ns")] {
        println!("{what:<44}{:>9}{:>9.1}", "", median(&results, "c", key));
    }
    println!("allocations in all rounds: {}", median(&results, "c", "allocations"));
    println!("\nmilliseconds of wall time");
    for (what, key) in
        [("loading the library", "load_ms"), ("loading to first result", "first_result_ms")]
    {
        println!("{what:<44}{:>9.3}", median(&results, "load", key));
    }
    println!("\nbytes of librmedia.so");
    for (what, dist) in [("all nodes", &dist), ("minimal", &minimal)] {
        println!("{what:<44}{:>9}", dist::size(&dist.folder)?);
    }
    Ok(())
}

fn compile(root: &Path, dist: &dist::Dist, name: &str) -> Result<std::path::PathBuf, Failure> {
    let folder = target_dir(root).join("capi-bench");
    create_folder(&folder)?;
    let program = folder.join(name);
    let lib = dist.folder.join("lib");
    Run::new(root, "gcc")
        .args(["-std=c11", "-O2", "-Wall", "-Wextra", "-o"])
        .args([&program])
        .args([format!("benches/capi/{name}.c")])
        .args([format!("-I{}", dist.folder.join("include").display())])
        .args([format!("-L{}", lib.display()), "-lrmedia".to_owned()])
        .args([format!("-Wl,-rpath,{}", lib.display()), "-Wl,--as-needed".to_owned()])
        .args(["-ldl"])
        .go()?;
    Ok(program)
}

fn median(results: &[Json], side: &str, key: &str) -> f64 {
    let of_side = results.iter().filter(|line| line["side"] == side);
    let mut values: Vec<f64> = of_side.filter_map(|line| line[key].as_f64()).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
