//! What a node on a server costs: a packet's way there and back, beside bare tonic that sends the same
//! messages, by TCP on loopback and by a socket of the file system.
//!
//! All sides run in turn, several rounds, servers and clients as processes of their own; figures are
//! medians over the rounds. A result that is wrong fails the run; times never do.

use crate::Failure;
use crate::bench::median;
use crate::process::{Run, target_dir};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Form, bytes of the packet, calls in a round.
const JOBS: &[(&str, usize, usize)] = &[
    ("stream", 3840, 5000),
    ("unary", 3840, 3000),
    ("stream", 1 << 20, 200),
    ("stream", 16 << 20, 20),
];

/// By way, form, bytes and side: median and 99th percentile of each round.
type Found<'a> = BTreeMap<(&'a str, &'a str, usize, &'a str), Vec<(f64, f64)>>;

/// A server that is killed at the end.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs the comparison.
pub(crate) fn run(root: &Path, args: &[&str]) -> Result<(), Failure> {
    let rounds: u32 = match args {
        [] => 5,
        ["--rounds", rounds] => rounds.parse().map_err(|e| format!("--rounds {rounds}: {e}"))?,
        _ => return Err("usage: cargo xtask bench remote [--rounds N]".to_owned()),
    };
    Run::cargo(root, "build --release --package remotemedia-benches --bin remote_trip").go()?;
    let program = target_dir(root).join("release/remote_trip");
    let folder = target_dir(root).join("bench-remote");
    crate::process::create_folder(&folder)?;
    let mut found = Found::new();
    for round in 1..=rounds {
        println!("round {round} of {rounds}");
        for (index, side) in ["bare", "ours"].into_iter().enumerate() {
            let socket = folder.join(side);
            let places =
                [format!("127.0.0.1:{}", 50_871 + index), format!("unix:{}", socket.display())];
            for (place, name) in places.iter().zip(["TCP", "unix"]) {
                let _ = std::fs::remove_file(&socket);
                let _server = serve(&program, side, place)?;
                for (form, bytes, count) in JOBS {
                    let trip = ["trip", side, form, place, &bytes.to_string(), &count.to_string()];
                    let text = Run::new(root, &program).args(trip).text()?;
                    let line: Json =
                        serde_json::from_str(&text).map_err(|e| format!("{e}: {text}"))?;
                    let figure =
                        |name: &str| line[name].as_f64().ok_or(format!("no {name}: {line}"));
                    let key = (name, *form, *bytes, side);
                    let times = (figure("p50_us")?, figure("p99_us")?);
                    found.entry(key).or_default().push(times);
                }
            }
        }
    }
    println!("\n| way | call | bytes | bare tonic p50 | p99 | ours p50 | p99 | ratio of p50 |");
    println!("|---|---|---|---|---|---|---|---|");
    for ((way, form, bytes, side), bare) in &found {
        if *side != "bare" {
            continue;
        }
        let ours = &found[&(*way, *form, *bytes, "ours")];
        let of = |rounds: &[(f64, f64)], which: fn(&(f64, f64)) -> f64| {
            median(rounds.iter().map(which).collect())
        };
        let ratios = bare.iter().zip(ours).map(|(bare, ours)| ours.0 / bare.0).collect();
        println!(
            "| {way} | {form} | {bytes} | {:.1} | {:.1} | {:.1} | {:.1} | {:.2} |",
            of(bare, |t| t.0),
            of(bare, |t| t.1),
            of(ours, |t| t.0),
            of(ours, |t| t.1),
            median(ratios),
        );
    }
    println!("\nmicroseconds; medians of {rounds} rounds; all that came back was what was sent");
    Ok(())
}

fn serve(program: &Path, side: &str, place: &str) -> Result<Server, Failure> {
    let mut child = Command::new(program)
        .args(["serve", side, place])
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| format!("{}: {e}", program.display()))?;
    let out = child.stdout.take();
    let server = Server(child);
    let mut line = String::new();
    if let Some(out) = out {
        BufReader::new(out).read_line(&mut line).map_err(|e| e.to_string())?;
    }
    match line.trim() {
        "serving" => Ok(server),
        other => Err(format!("the server '{side}' at {place} said '{other}'")),
    }
}
