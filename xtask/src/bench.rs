//! What the engine costs per packet, beside the two engines that people would otherwise take.
//!
//! The job and what is measured: `benches/peers/README.md`. All sides run in turn, several rounds,
//! so that a busy moment of the machine hits all of them; CPU time is the least over the rounds,
//! delays are medians.

use crate::Failure;
use crate::process::{Run, create_folder, target_dir};
use crate::tools;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const PACKAGE: &str = "remotemedia-benches";
const OURS: &str = "engine_chain";

/// A program in `benches/peers/` and the libraries it is built with.
type Peer = (&'static str, &'static [&'static str]);

const PEERS: &[Peer] = &[
    ("libavfilter", &["libavfilter", "libavutil"]),
    ("gstreamer", &["gstreamer-1.0", "gstreamer-app-1.0"]),
];

pub(crate) const GSTREAMER_THREADS: Peer =
    ("gstreamer_threads", &["gstreamer-1.0", "gstreamer-app-1.0"]);

/// One line of a program's output.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Case {
    peer: String,
    n: u32,
    cpu_us_per_packet: f64,
    p50_us: f64,
    p99_us: f64,
    packets: u64,
    ok: bool,
}

/// Runs the comparison, then the engine's own finer benchmarks.
pub(crate) fn run(root: &Path, args: &[&str]) -> Result<(), Failure> {
    let rounds = match args {
        [] => 3,
        ["--rounds", n] => n.parse().map_err(|_| format!("not a number of rounds: {n}"))?,
        _ => return Err("usage: cargo xtask bench engine [--rounds N]".to_owned()),
    };
    let mut programs = build_peers(root)?;
    let ours = our_targets(root)?;
    if ours.iter().any(|(kind, name)| kind == "bin" && name == OURS) {
        Run::cargo(root, "build --release --package").args([PACKAGE, "--bin", OURS]).go()?;
        programs.insert(0, target_dir(root).join("release").join(OURS));
    } else {
        println!("no program {OURS} in a crate {PACKAGE}: only the peers are measured");
    }

    let mut cases = Vec::new();
    for round in 1..=rounds {
        println!("round {round} of {rounds}");
        for program in &programs {
            let text = Run::new(root, program).text()?;
            cases.extend(parse(&text).map_err(|e| format!("{}: {e}", program.display()))?);
        }
    }
    let summaries = summarise(&cases)?;
    print!("\n{}", table(&summaries));
    save(root, "engine", &serde_json::json!({"summary": summaries, "cases": cases}))?;

    if ours.iter().any(|(kind, _)| kind == "bench") {
        Run::cargo(root, "bench --package").args([PACKAGE, "--benches"]).go()?;
    }
    Ok(())
}

/// Compiles the peers' programs.
fn build_peers(root: &Path) -> Result<Vec<PathBuf>, Failure> {
    tools::need(root, &[&tools::GCC, &tools::PKG_CONFIG])?;
    tools::need(root, &[&tools::LIBAVFILTER, &tools::GSTREAMER])?;
    tools::need(root, &[&tools::GSTREAMER_APP])?;
    PEERS.iter().map(|peer| build_peer(root, *peer)).collect()
}

/// Compiles one. Its libraries are there.
pub(crate) fn build_peer(root: &Path, (name, libraries): Peer) -> Result<PathBuf, Failure> {
    let folder = target_dir(root).join("peers");
    create_folder(&folder)?;
    let program = folder.join(name);
    let flags = Run::new(root, "pkg-config").args(["--cflags", "--libs"]).args(libraries);
    Run::new(root, "gcc")
        .args(["-O2", "-pthread", "-o"])
        .args([&program])
        .args([format!("benches/peers/{name}.c")])
        .args(flags.text()?.split_whitespace())
        .go()?;
    Ok(program)
}

/// Kind and name of every target of the crate with our benchmarks; none if there is no such crate.
fn our_targets(root: &Path) -> Result<Vec<(String, String)>, Failure> {
    let json = Run::cargo(root, "metadata --no-deps --format-version 1").output()?;
    let metadata: serde_json::Value =
        serde_json::from_slice(&json).map_err(|e| format!("cargo metadata: {e}"))?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let ours = packages.filter(|package| package["name"] == PACKAGE);
    let targets = ours.flat_map(|package| package["targets"].as_array().into_iter().flatten());
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    Ok(targets.map(|target| (text(&target["kind"][0]), text(&target["name"]))).collect())
}

/// The cases in a program's output: its lines that are JSON objects.
fn parse(text: &str) -> Result<Vec<Case>, Failure> {
    let lines = text.lines().filter(|line| line.starts_with('{'));
    let cases: Vec<Case> = lines
        .map(|line| serde_json::from_str(line).map_err(|e| format!("{e} in {line}")))
        .collect::<Result<_, _>>()?;
    if cases.is_empty() {
        return Err("printed no line of JSON".to_owned());
    }
    match cases.iter().find(|case| !case.ok) {
        Some(case) => Err(format!("with {} elements, outputs differ from inputs", case.n)),
        None => Ok(cases),
    }
}

/// One side's figures over all rounds, by the length of the chain.
#[derive(Debug, Serialize)]
struct Summary {
    peer: String,
    chains: BTreeMap<u32, Chain>,
    /// Slope from the shortest chain to the longest.
    cpu_us_per_element: f64,
}

#[derive(Debug, Serialize)]
struct Chain {
    /// Least of the rounds.
    cpu_us_per_packet: f64,
    /// Medians over the rounds.
    p50_us: f64,
    p99_us: f64,
}

fn summarise(cases: &[Case]) -> Result<Vec<Summary>, Failure> {
    let mut peers: Vec<&str> = Vec::new();
    for case in cases {
        if !peers.contains(&case.peer.as_str()) {
            peers.push(&case.peer);
        }
    }
    peers.into_iter().map(|peer| summary(peer, cases)).collect()
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

/// The value in the middle; NaN, if there is none.
pub(crate) fn median(values: Vec<f64>) -> f64 {
    let middle = values.len().saturating_sub(1) / 2;
    sorted(values).get(middle).copied().unwrap_or(f64::NAN)
}

fn summary(peer: &str, cases: &[Case]) -> Result<Summary, Failure> {
    let mut rounds: BTreeMap<u32, Vec<&Case>> = BTreeMap::new();
    for case in cases.iter().filter(|case| case.peer == peer) {
        rounds.entry(case.n).or_default().push(case);
    }
    let sorted = |cases: &[&Case], figure: fn(&Case) -> f64| {
        sorted(cases.iter().map(|case| figure(case)).collect())
    };
    let median = |cases: &[&Case], figure| median(sorted(cases, figure));
    let chains: BTreeMap<u32, Chain> = rounds
        .iter()
        .map(|(n, cases)| {
            let chain = Chain {
                cpu_us_per_packet: sorted(cases, |c| c.cpu_us_per_packet)[0],
                p50_us: median(cases, |c| c.p50_us),
                p99_us: median(cases, |c| c.p99_us),
            };
            (*n, chain)
        })
        .collect();
    let (Some((first, short)), Some((last, long))) =
        (chains.first_key_value(), chains.last_key_value())
    else {
        return Err(format!("{peer}: nothing measured"));
    };
    if first == last {
        return Err(format!("{peer}: needs chains of two lengths for the cost of an element"));
    }
    let cpu_us_per_element =
        (long.cpu_us_per_packet - short.cpu_us_per_packet) / f64::from(last - first);
    Ok(Summary { peer: peer.to_owned(), cpu_us_per_element, chains })
}

/// The figures as text; below them, each peer's as a multiple of ours, which come first.
fn table(summaries: &[Summary]) -> String {
    type Figure = fn(&Chain) -> f64;
    let columns: [(&str, Figure); 3] =
        [("CPU", |c| c.cpu_us_per_packet), ("p50", |c| c.p50_us), ("p99", |c| c.p99_us)];
    let row = |summary: &Summary| -> Vec<f64> {
        let figures = columns.iter().flat_map(|(_, f)| summary.chains.values().map(f));
        figures.chain([summary.cpu_us_per_element]).collect()
    };
    let mut heading = Vec::new();
    for (name, _) in columns {
        heading.extend(
            summaries.iter().take(1).flat_map(|s| s.chains.keys()).map(|n| format!("{name} N={n}")),
        );
    }
    heading.push("CPU/element".to_owned());
    let line = |name: &str, cells: Vec<String>| {
        let cells: String = cells.iter().map(|cell| format!(" {cell:>11}")).collect();
        format!("{name:<20}{cells}\n")
    };

    let mut text = line("µs per packet", heading);
    for summary in summaries {
        let cells = row(summary).iter().map(|value| format!("{value:.3}")).collect();
        text += &line(&summary.peer, cells);
    }
    if let [ours, peers @ ..] = summaries
        && PEERS.iter().all(|(name, _)| *name != ours.peer)
    {
        for peer in peers {
            let pairs = row(peer).into_iter().zip(row(ours));
            let cells = pairs.map(|(theirs, ours)| format!("{:.1}×", theirs / ours)).collect();
            text += &line(&format!("{} ÷ ours", peer.peer), cells);
        }
    }
    text
}

/// What it is measured on.
fn machine(root: &Path) -> serde_json::Value {
    let first_line = |path: &str, key: &str| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(key)).unwrap_or_default().to_owned();
        line.rsplit(": ").next().unwrap_or_default().to_owned()
    };
    let git = |line: &str| Run::new(root, "git").args(line.split_whitespace()).text();
    let trimmed = |text: Result<String, Failure>| text.map_or(String::new(), |t| t.trim().into());
    serde_json::json!({
        "cpu": first_line("/proc/cpuinfo", "model name"),
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "kernel": first_line("/proc/version", "Linux"),
        "rustc": trimmed(Run::new(root, "rustc").args(["--version"]).text()),
        "commit": trimmed(git("rev-parse HEAD")),
        "uncommitted_changes": git("status --porcelain").map_or(true, |text| !text.is_empty()),
    })
}

/// Writes all figures, with what they were measured on, to `out/bench/NAME.json`.
pub(crate) fn save(root: &Path, name: &str, figures: &serde_json::Value) -> Result<(), Failure> {
    let mut report = machine(root);
    for (key, value) in figures.as_object().into_iter().flatten() {
        report[key] = value.clone();
    }
    create_folder(&root.join("out/bench"))?;
    let path = format!("out/bench/{name}.json");
    let text = format!("{report:#}\n");
    std::fs::write(root.join(&path), text).map_err(|e| format!("{path}: {e}"))?;
    println!("\nall figures: {path}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(peer: &str, n: u32, cpu: f64, delay: f64) -> Case {
        Case {
            peer: peer.to_owned(),
            n,
            cpu_us_per_packet: cpu,
            p50_us: delay,
            p99_us: 2.0 * delay,
            packets: 100,
            ok: true,
        }
    }

    #[test]
    fn cpu_is_the_least_of_the_rounds_and_delay_their_median() {
        let cases = [
            case("ours", 1, 3.0, 9.0),
            case("ours", 10, 12.0, 1.0),
            case("ours", 1, 1.0, 2.0),
            case("ours", 10, 10.0, 1.0),
            case("ours", 1, 2.0, 1.0),
            case("ours", 10, 11.0, 1.0),
        ];
        let summaries = summarise(&cases).unwrap();
        let short = &summaries[0].chains[&1];
        assert_eq!((short.cpu_us_per_packet, short.p50_us, short.p99_us), (1.0, 2.0, 4.0));
        assert_eq!(summaries[0].cpu_us_per_element, 1.0);
    }

    #[test]
    fn peers_are_shown_as_multiples_of_ours() {
        let cases = [
            case("remotemedia", 1, 1.0, 1.0),
            case("remotemedia", 10, 2.0, 2.0),
            case("gstreamer", 1, 5.0, 8.0),
            case("gstreamer", 10, 9.5, 8.0),
        ];
        let text = table(&summarise(&cases).unwrap());
        let last = text.lines().last().unwrap();
        let cells: Vec<_> = last.split_whitespace().collect();
        assert_eq!(
            cells,
            "gstreamer ÷ ours 5.0× 4.8× 8.0× 4.0× 8.0× 4.0× 4.5×".split(' ').collect::<Vec<_>>()
        );
    }

    #[test]
    fn wrong_outputs_and_missing_ones_are_failures() {
        let good = r#"{"peer":"a","n":1,"cpu_us_per_packet":1,"p50_us":1,"p99_us":1,"packets":1,"ok":true}"#;
        assert_eq!(parse(&format!("starting\n{good}\n")).unwrap().len(), 1);
        assert!(parse(&good.replace("true", "false")).is_err());
        assert!(parse("starting\n").is_err());
    }
}
