//! What a node on a server costs, beside bare tonic that sends the same messages and beside what people use
//! from Python, by TCP on loopback and by a socket of the file system.
//!
//! What is measured and what came of it: `benches/remote/README.md`. Servers and clients are processes of
//! their own, all sides run in turn, in rounds; figures are medians over the rounds. A result that is
//! wrong, or missing, fails the run; times never do.

use crate::bench::{median, save};
use crate::process::{Run, create_folder, target_dir};
use crate::{Failure, python};
use serde_json::{Value as Json, json};
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Form, what is sent, how often in a round.
const TRIPS: &[(&str, &str, u32)] = &[
    ("stream", "packet", 3000),
    ("unary", "packet", 2000),
    ("stream", "1048576", 150),
    ("unary", "1048576", 100),
    ("stream", "16777216", 20),
    ("unary", "16777216", 20),
];

/// Where there are two cores, whether the one that a thread wakes another on was at rest decides what a trip
/// takes: up to twice as long, for either side, as the system places the threads. So for trips all servers
/// have one core, and all clients another.
const SERVERS_CORE: &[&str] = &["taskset", "--cpu-list", "1"];
const CLIENTS_CORE: &[&str] = &["taskset", "--cpu-list", "0"];
const ANY_CORE: &[&str] = &[];

const WAYS: [&str; 2] = ["TCP", "unix"];
const SIDES: [&str; 2] = ["bare", "ours"];

/// Way, streams on a connection: as if each had a process of its own, and as one process does it.
const CROWDS: &[(&str, u64)] = &[("TCP", 1), ("unix", 1), ("TCP", 1_000_000)];
/// Streams that the search begins with.
const CROWD: &str = "512";
/// A search takes most of a minute.
const MOST_CROWD_ROUNDS: u32 = 3;

const USAGE: &str = "usage: cargo xtask bench remote [trip] [crowd] [peers] [flood] [--rounds N] \
                     [--flood SECONDS]";

/// What is to be measured.
struct Wanted<'a> {
    parts: Vec<&'a str>,
    rounds: u32,
    /// How long the flood lasts.
    seconds: u32,
}

impl<'a> Wanted<'a> {
    fn read(args: &[&'a str]) -> Result<Self, Failure> {
        let mut wanted = Self { parts: Vec::new(), rounds: 5, seconds: 600 };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut number = || {
                let number = args.next().and_then(|value| value.parse().ok());
                number.filter(|number| *number > 0).ok_or(USAGE.to_owned())
            };
            match *arg {
                "--rounds" => wanted.rounds = number()?,
                "--flood" => wanted.seconds = number()?,
                part @ ("trip" | "crowd" | "peers" | "flood") => wanted.parts.push(part),
                _ => return Err(USAGE.to_owned()),
            }
        }
        Ok(wanted)
    }

    fn has(&self, part: &str) -> bool {
        self.parts.is_empty() || self.parts.contains(&part)
    }
}

/// Runs the comparison.
pub(crate) fn run(root: &Path, args: &[&str]) -> Result<(), Failure> {
    let wanted = Wanted::read(args)?;
    Run::cargo(root, "build --release --package remotemedia-benches --bin remote_trip").go()?;
    let program = target_dir(root).join("release/remote_trip");
    let folder = target_dir(root).join("bench-remote");
    create_folder(&folder)?;
    // What has to be built is built before anything is measured.
    let peers = match wanted.has("peers") {
        true => Some(peers(root, &folder, wanted.rounds)?),
        false => None,
    };
    let bench = Bench { root, program, folder };
    let (mut trips, mut crowds, mut flood) = (Vec::new(), Vec::new(), Json::Null);
    for round in 1..=wanted.rounds {
        if wanted.has("trip") {
            println!("trip: round {round} of {}", wanted.rounds);
            bench.trips(&mut trips)?;
        }
    }
    let crowd_rounds = wanted.rounds.min(MOST_CROWD_ROUNDS);
    for round in 1..=crowd_rounds {
        if wanted.has("crowd") {
            println!("crowd: round {round} of {crowd_rounds}");
            bench.crowds(&mut crowds)?;
        }
    }
    if let Some(peers) = peers {
        peers.go()?;
    }
    if wanted.has("flood") {
        println!("flood: {} seconds", wanted.seconds);
        flood = bench.flood(wanted.seconds)?;
    }
    print!("{}{}{}", trip_table(&trips), crowd_table(&crowds), flood_table(&flood));
    println!("\nmedians where nothing else is said; all that came back was what was sent");
    save(root, "remote", &json!({"trips": trips, "crowds": crowds, "flood": flood}))
}

/// The script that measures the peers, with all that it needs.
fn peers(root: &Path, folder: &Path, rounds: u32) -> Result<Run, Failure> {
    Run::cargo(root, "build --release --package rmedia").go()?;
    let python = python::environment(root, &folder.join("python"))?;
    let wheel = python::wheel(root, &python)?;
    python::pip(root, &python, &["install", "-r", "benches/remote/requirements.txt"]).go()?;
    python::pip(root, &python, &["install", "--force-reinstall", "--no-deps"])
        .args([&wheel])
        .go()?;
    Ok(Run::new(root, &python)
        .args(["benches/remote/peers.py", "--rounds", &rounds.to_string(), "--rmedia"])
        .args([target_dir(root).join("release/rmedia")]))
}

/// The program, and where its sockets are.
struct Bench<'a> {
    root: &'a Path,
    program: PathBuf,
    folder: PathBuf,
}

impl Bench<'_> {
    /// A round of packets there and back.
    fn trips(&self, found: &mut Vec<Json>) -> Result<(), Failure> {
        for way in WAYS {
            let [bare, ours] =
                [self.serve("bare", way, SERVERS_CORE)?, self.serve("ours", way, SERVERS_CORE)?];
            for (form, load, count) in TRIPS {
                let count = count.to_string();
                let args = ["trip", form, load, &count, &bare.endpoint, &ours.endpoint];
                found.push(self.measure(&args, way, CLIENTS_CORE)?);
            }
        }
        Ok(())
    }

    /// A round of searches for the largest crowd.
    fn crowds(&self, found: &mut Vec<Json>) -> Result<(), Failure> {
        for (way, each) in CROWDS {
            for side in SIDES {
                let server = self.serve(side, way, ANY_CORE)?;
                let process = server.child.id().to_string();
                let args = ["crowd", side, &server.endpoint, &process, CROWD, &each.to_string()];
                found.push(self.measure(&args, way, ANY_CORE)?);
            }
        }
        Ok(())
    }

    fn flood(&self, seconds: u32) -> Result<Json, Failure> {
        let server = self.serve("ours", "TCP", ANY_CORE)?;
        let (process, seconds) = (server.child.id().to_string(), seconds.to_string());
        self.measure(&["flood", &server.endpoint, &process, &seconds], "TCP", ANY_CORE)
    }

    /// What the program says.
    fn measure(&self, args: &[&str], way: &str, core: &[&str]) -> Result<Json, Failure> {
        let command = self.on(core);
        let text = Run::new(self.root, command[0]).args(&command[1..]).args(args).text()?;
        let mut line: Json = serde_json::from_str(&text).map_err(|e| format!("{e}: {text}"))?;
        if line["ok"] != true {
            return Err(format!("a result is wrong: {line}"));
        }
        line["way"] = way.into();
        Ok(line)
    }

    /// How the program is started on such a core.
    fn on<'a>(&'a self, core: &[&'a str]) -> Vec<&'a OsStr> {
        core.iter().copied().map(OsStr::new).chain([self.program.as_os_str()]).collect()
    }

    /// Starts a server.
    fn serve(&self, side: &str, way: &str, core: &[&str]) -> Result<Server, Failure> {
        let socket = self.folder.join(side);
        // The one before it was killed and has left it.
        let _ = std::fs::remove_file(&socket);
        let place = match way {
            "TCP" => "127.0.0.1:0".to_owned(),
            _ => format!("unix:{}", socket.display()),
        };
        let command = self.on(core);
        let mut child = Command::new(command[0])
            .args(&command[1..])
            .args(["serve", side, &place])
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| format!("{}: {e}", self.program.display()))?;
        let out = child.stdout.take();
        let mut server = Server { child, endpoint: String::new() };
        let mut line = String::new();
        if let Some(out) = out {
            BufReader::new(out).read_line(&mut line).map_err(|e| e.to_string())?;
        }
        let endpoint = line.trim().strip_prefix("serving ");
        let endpoint =
            endpoint.ok_or(format!("the server '{side}' at {place} said '{}'", line.trim()))?;
        endpoint.clone_into(&mut server.endpoint);
        Ok(server)
    }
}

/// A server that is killed at the end.
struct Server {
    child: Child,
    endpoint: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The median of a figure over those of the lines that are alike in these fields.
fn over(lines: &[Json], like: &[(&str, &str)], figure: impl Fn(&Json) -> Option<f64>) -> f64 {
    let alike = |line: &&Json| like.iter().all(|(name, value)| line[*name] == *value);
    median(lines.iter().filter(alike).filter_map(figure).collect())
}

fn trip_table(lines: &[Json]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let mut text = "\nµs there and back\n\n\
                    | way | call | sent | tonic p50 | p99 | ours p50 | p99 | ratio of p50 | of p99 |\n\
                    |---|---|---|---|---|---|---|---|---|\n"
        .to_owned();
    for way in WAYS {
        for (form, load, _) in TRIPS {
            let like = [("way", way), ("form", form), ("load", load)];
            let of =
                |side: &str, figure: &str| over(lines, &like, |line| line[side][figure].as_f64());
            let ratio = |figure: &str| {
                over(lines, &like, |line| {
                    Some(line["ours"][figure].as_f64()? / line["bare"][figure].as_f64()?)
                })
            };
            let sent = match *load {
                "packet" => "20 ms".to_owned(),
                bytes => format!("{} MiB", bytes.parse().unwrap_or(0) >> 20),
            };
            text += &format!("| {way} | {form} | {sent} |");
            for (side, figure) in SIDES.iter().flat_map(|s| [(s, "p50_us"), (s, "p99_us")]) {
                text += &format!(" {:.0} |", of(side, figure));
            }
            text += &format!(" {:.2} | {:.2} |\n", ratio("p50_us"), ratio("p99_us"));
        }
    }
    text
}

/// A busy moment of the machine ends a search early, nothing makes it end late: the best round counts.
fn crowd_table(lines: &[Json]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let mut text = "\nlive streams with p99 within 20 ms: the best round\n\n\
                    | way | connections | server | streams | median of rounds | cores of the server | \
                    streams a core | cores of the clients | p50 ms | p99 ms |\n\
                    |---|---|---|---|---|---|---|---|---|---|\n"
        .to_owned();
    for (way, each) in CROWDS {
        for side in SIDES {
            let alike = |line: &&Json| {
                line["way"] == *way && line["per_connection"] == *each && line["side"] == side
            };
            let streams = |line: &Json| line["streams"].as_f64().unwrap_or(f64::NAN);
            let rounds: Vec<&Json> = lines.iter().filter(alike).collect();
            let best = rounds.iter().max_by(|a, b| streams(a).total_cmp(&streams(b)));
            let Some(best) = best else { continue };
            let of = |name: &str| best[name].as_f64().unwrap_or(f64::NAN);
            text += &format!(
                "| {way} | {} | {side} | {:.0} | {:.0} | {:.2} | {:.0} | {:.2} | {:.2} | {:.1} |\n",
                if *each == 1 { "one each" } else { "one for all" },
                of("streams"),
                median(rounds.iter().map(|line| streams(line)).collect()),
                of("server_cores"),
                of("streams") / of("server_cores"),
                of("client_cores"),
                of("p50_us") / 1e3,
                of("p99_us") / 1e3,
            );
        }
    }
    text
}

fn flood_table(line: &Json) -> String {
    let (Some(packets), Some(seconds)) = (line["packets"].as_f64(), line["seconds"].as_f64())
    else {
        return String::new();
    };
    let mut text = format!(
        "\na node that is fed flat out by TCP\n\n{packets} packets in {seconds:.1} s: {:.0} a second, \
         none lost; longest time without an answer: {:.1} ms\n\n\
         | after, s | memory of the server, MB | of the client, MB |\n|---|---|---|\n",
        packets / seconds,
        line["longest_gap_ms"].as_f64().unwrap_or(f64::NAN),
    );
    for at in line["memory"].as_array().into_iter().flatten() {
        let of = |name: &str| at[name].as_f64().unwrap_or(f64::NAN);
        let (server, client) = (of("server_bytes") / 1e6, of("client_bytes") / 1e6);
        text += &format!("| {:.0} | {server:.1} | {client:.1} |\n", of("seconds"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_numbers_come_in_any_order() {
        let wanted = Wanted::read(&["--rounds", "2", "crowd", "--flood", "60", "flood"]).unwrap();
        assert_eq!((wanted.rounds, wanted.seconds), (2, 60));
        assert!(wanted.has("crowd") && wanted.has("flood") && !wanted.has("peers"));
        assert!(Wanted::read(&[]).unwrap().has("peers"));
        for wrong in [&["--rounds"][..], &["--rounds", "0"], &["--rounds", "x"], &["trips"]] {
            assert!(Wanted::read(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn ratios_are_taken_within_each_round() {
        let line = |bare: f64, ours: f64| {
            json!({"way": "TCP", "form": "stream", "load": "packet",
                   "bare": {"p50_us": bare, "p99_us": 2.0 * bare},
                   "ours": {"p50_us": ours, "p99_us": ours}})
        };
        let text = trip_table(&[line(10.0, 11.0), line(40.0, 80.0), line(20.0, 24.0)]);
        let row = text.lines().find(|line| line.contains("20 ms")).unwrap();
        assert_eq!(row, "| TCP | stream | 20 ms | 20 | 40 | 24 | 24 | 1.20 | 0.60 |");
    }
}
