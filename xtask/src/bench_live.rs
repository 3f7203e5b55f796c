//! What the live engine costs: chains of segments on threads beside GStreamer's queues and plain
//! channels, and as many voice pipelines as a service would hold, beside the bare functions that their
//! nodes call.
//!
//! The jobs: `benches/peers/README.md` and `benches/src/bin/live_voice.rs`. All sides run in turn,
//! several rounds; figures are medians over the rounds. A result that is wrong, or missing, fails the
//! run; times never do.

use crate::bench;
use crate::process::{Run, target_dir};
use crate::{Failure, tools};
use serde_json::{Value as Json, json};
use std::path::Path;

/// Voice pipelines at once, unless the arguments say otherwise.
const PIPELINES: u32 = 1000;
/// Seconds of each pipeline's audio in a round.
const SECONDS: u32 = 10;

/// Runs the comparison.
pub(crate) fn run(root: &Path, args: &[&str]) -> Result<(), Failure> {
    let usage = || "usage: cargo xtask bench live [--rounds N] [--pipelines N]".to_owned();
    let (mut rounds, mut pipelines) = (3u32, PIPELINES);
    for pair in args.chunks(2) {
        let [name, value] = pair else { return Err(usage()) };
        let value = value.parse().map_err(|_| usage())?;
        match *name {
            "--rounds" => rounds = value,
            "--pipelines" => pipelines = value,
            _ => return Err(usage()),
        }
    }
    if rounds == 0 || pipelines == 0 {
        return Err(usage());
    }
    tools::need(root, &[&tools::GCC, &tools::PKG_CONFIG])?;
    tools::need(root, &[&tools::GSTREAMER, &tools::GSTREAMER_APP])?;
    let gstreamer = bench::build_peer(root, bench::GSTREAMER_THREADS)?;
    for bin in ["live_chain", "live_voice"] {
        Run::cargo(root, "build --release --package remotemedia-benches --bin").args([bin]).go()?;
    }
    let release = target_dir(root).join("release");
    let (chain, voice) = (release.join("live_chain"), release.join("live_voice"));
    let mut lines = Vec::new();
    for round in 1..=rounds {
        println!("round {round} of {rounds}");
        let mut note = |run: Run| -> Result<(), Failure> {
            for line in run.text()?.lines().filter(|line| line.starts_with('{')) {
                let line: Json = serde_json::from_str(line).map_err(|e| format!("{e}: {line}"))?;
                if line["ok"] != true {
                    return Err(format!("a result is wrong: {line}"));
                }
                lines.push(line);
            }
            Ok(())
        };
        note(Run::new(root, &chain).args(["engine"]))?;
        note(Run::new(root, &chain).args(["channels"]))?;
        note(Run::new(root, &gstreamer))?;
        for form in ["plain", "flat", "kernels", "inline", "thread"] {
            let (pipelines, seconds) = (pipelines.to_string(), SECONDS.to_string());
            note(Run::new(root, &voice).args([form, &pipelines, &seconds]))?;
        }
    }
    print!("\n{}\n{}", chains(&lines), voices(&lines));
    bench::save(root, "live", &json!({"lines": lines}))
}

/// The lines of one side, and the median of a figure over them.
struct Side<'a>(Vec<&'a Json>);

impl<'a> Side<'a> {
    fn of(lines: &'a [Json], is: impl Fn(&Json) -> bool) -> Self {
        Self(lines.iter().filter(|line| is(line)).collect())
    }

    fn median(&self, figure: &str) -> f64 {
        bench::median(self.0.iter().filter_map(|line| line[figure].as_f64()).collect())
    }
}

/// The sides of the chains.
const CHAINS: [&str; 4] = ["remotemedia", "gstreamer", "gstreamer-queues", "std-channels"];

fn chains(lines: &[Json]) -> String {
    const FIGURES: [(&str, &str); 6] = [
        ("paced p50", "paced_p50_us"),
        ("paced p99", "paced_p99_us"),
        ("ping p50", "ping_p50_us"),
        ("ping p99", "ping_p99_us"),
        ("CPU µs", "cpu_us_per_packet"),
        ("packets/s", "per_second"),
    ];
    let mut text = format!("{:<28}", "push to pull, µs");
    FIGURES.iter().for_each(|(name, _)| text += &format!(" {name:>10}"));
    text.push('\n');
    let mut lengths: Vec<u64> = lines.iter().filter_map(|line| line["n"].as_u64()).collect();
    lengths.sort_unstable();
    lengths.dedup();
    for n in lengths {
        for peer in CHAINS {
            let side = Side::of(lines, |line| line["peer"] == peer && line["n"] == n);
            text += &format!("{:<28}", format!("{n:>2} segments, {peer}"));
            for (_, figure) in FIGURES {
                let value = side.median(figure);
                text += &match value >= 1000.0 {
                    true => format!(" {value:>10.0}"),
                    false => format!(" {value:>10.2}"),
                };
            }
            text.push('\n');
        }
    }
    text
}

fn voices(lines: &[Json]) -> String {
    let side = |form: &str| Side::of(lines, |line| line["form"] == form);
    let cost = |form: &str| side(form).median("cpu_us_per_packet");
    let mut text = format!(
        "{:<28} {:>10} {:>10} {:>10} {:>10} {:>10}\n",
        "voice, µs", "late p50", "late p99", "latest", "CPU/packet", "kernels"
    );
    // As fast as it goes against as fast as it goes, live against live: waiting costs, too.
    for (form, name, kernels) in [
        ("plain", "kernels in a loop", "plain"),
        ("flat", "pipelines in a loop", "plain"),
        ("kernels", "live kernels", "kernels"),
        ("inline", "live pipelines, inline", "kernels"),
        ("thread", "live pipelines, thread", "kernels"),
    ] {
        let side = side(form);
        let share = 100.0 * cost(kernels) / cost(form);
        let late = ["late_p50_us", "late_p99_us", "late_max_us"].map(|figure| side.median(figure));
        text += &format!(
            "{name:<28} {:>10.0} {:>10.0} {:>10.0} {:>10.2} {share:>8.1} %\n",
            late[0],
            late[1],
            late[2],
            cost(form)
        );
    }
    text
}
