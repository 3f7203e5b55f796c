//! Many live voice pipelines at once, each with a packet every 20 ms: how late results are, what a
//! packet costs, and whether all of it comes out right. One JSON line.
//!
//! `live_voice FORM [PIPELINES [SECONDS]]`. Forms: `inline` and `thread` are pipelines, by where
//! they run; `kernels` are the bare functions that their nodes call, driven the same way; `plain` are
//! these in a plain loop over the same packets, as fast as it goes, and `flat` are inline pipelines in
//! that loop.
//!
//! A millisecond's packets are due together, the pipelines spread evenly over the 20. A packet's
//! lateness is the time from when it was due until its result has been pulled. Inline there are as
//! many drivers as cores, each with its share of the pipelines; with threads there is one, which pushes
//! what is due and then pulls it.
#![allow(clippy::print_stdout, reason = "its output is what it is for")]

use remotemedia::{Audio, Engine, Manifest, Packet, Pipeline, Pull};
use remotemedia_benches::args::Args;
use remotemedia_benches::cpu_time;
use remotemedia_benches::figures::percentiles;
use remotemedia_benches::voice::{Heard, Kernels, PER_SECOND, manifest, signal};
use serde_json::json;
use std::thread;
use std::time::{Duration, Instant};

const TICK: Duration = Duration::from_millis(1);
/// Ticks from packet to packet.
const TICKS: usize = 1000 / PER_SECOND as usize;
const LONG: Duration = Duration::from_secs(60);

fn main() {
    let args = Args::read();
    let (pipelines, seconds) = (args.number(1, 1000) as usize, args.number(2, 10) as usize);
    let packets = signal(Engine::default().pool());
    let each = seconds * PER_SECOND as usize;
    let form = args.text(0);
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let piped = |placement| (0..pipelines).map(|_| Piped::new(placement)).collect();
    let bare = || (0..pipelines).map(|_| Bare::default()).collect();
    let run = match form {
        "inline" => drive(cores.max(2), piped("inline"), each, &packets),
        "thread" => drive(1, piped("thread"), each, &packets),
        "kernels" => drive(cores.max(2), bare(), each, &packets),
        "plain" => plain(bare(), each, &packets),
        "flat" => plain(piped("inline"), each, &packets),
        _ => panic!("usage: live_voice inline|thread|kernels|plain|flat [PIPELINES [SECONDS]]"),
    };
    let references = references(pipelines, each, &packets);
    let right = |(at, heard): (usize, &Heard)| *heard == references[at % packets.len()];
    let wrong = run.heard.iter().enumerate().filter(|of| !right(*of)).count();
    let total = (pipelines * each) as f64;
    let mut late = run.late;
    let micros = |nanos: u64| nanos as f64 / 1000.0;
    let late = match late.is_empty() {
        true => [0.0; 3],
        false => percentiles(&mut late, [0.5, 0.99, 1.0]).map(micros),
    };
    println!(
        "{}",
        json!({
            "form": form, "pipelines": pipelines, "packets": total, "ok": wrong == 0 && run.exact,
            "wrong": wrong, "cpu_us_per_packet": run.cpu.as_secs_f64() * 1e6 / total,
            "cpu_cores": run.cpu.as_secs_f64() / run.wall.as_secs_f64(),
            "late_p50_us": late[0], "late_p99_us": late[1], "late_max_us": late[2],
        })
    );
}

/// What a run has come to.
struct Run {
    cpu: Duration,
    wall: Duration,
    /// Of every packet, in nanoseconds.
    late: Vec<u64>,
    /// Of every pipeline.
    heard: Vec<Heard>,
    /// Whether all counters say that nothing was lost.
    exact: bool,
}

/// What one of the many does.
trait Voice: Send {
    /// Takes a packet.
    fn push(&mut self, packet: &Packet);
    /// Waits for the audio that comes of it.
    fn pull(&mut self);
    /// Ends it; says what came of everything, and whether the counters agree.
    fn finish(self) -> (Heard, bool);
}

/// A pipeline, inline or on threads.
struct Piped {
    run: Pipeline,
    heard: Heard,
}

impl Piped {
    fn new(placement: &str) -> Self {
        let manifest = Manifest::from_value(manifest(placement)).expect("the manifest is right");
        let run = Pipeline::from_manifest(&manifest).expect("the manifest is right");
        Self { run, heard: Heard::default() }
    }
}

impl Voice for Piped {
    fn push(&mut self, packet: &Packet) {
        self.run.push(packet.clone()).expect("there is room");
    }

    fn pull(&mut self) {
        loop {
            match self.run.pull(LONG).expect("it runs") {
                Pull::Packet(_, packet) => {
                    if self.heard.take(&packet) {
                        return;
                    }
                }
                other => panic!("no audio but {other:?}"),
            }
        }
    }

    fn finish(mut self) -> (Heard, bool) {
        let take = |_: &str, packet: Packet| {
            self.heard.take(&packet);
            Ok(())
        };
        self.run.run(take).expect("it runs");
        let metrics = self.run.metrics();
        let list = |key: &str| metrics[key].as_array().cloned().unwrap_or_default();
        let links = list("links");
        let nodes = list("node_metrics");
        let exact = links.iter().all(|l| l["in"] == l["taken"] && l["queued"] == 0)
            && nodes.iter().all(|n| n["taken"] == n["success_count"]);
        (self.heard, exact)
    }
}

/// The bare functions.
#[derive(Default)]
struct Bare {
    kernels: Kernels,
    output: Vec<f32>,
    heard: Heard,
}

impl Voice for Bare {
    fn push(&mut self, packet: &Packet) {
        self.kernels.work(samples(packet), &mut self.output, &mut self.heard);
    }

    fn pull(&mut self) {}

    fn finish(mut self) -> (Heard, bool) {
        self.kernels.finish(&mut self.output, &mut self.heard);
        (self.heard, true)
    }
}

fn samples(packet: &Packet) -> &[f32] {
    packet.as_audio().and_then(Audio::f32).expect("the signal is audio")
}

/// Drives them for as long as `each` packets take.
fn drive<V: Voice>(drivers: usize, mut voices: Vec<V>, each: usize, packets: &[Packet]) -> Run {
    let share = voices.len().div_ceil(drivers);
    // With a driver a core, results are there when the push is back.
    let together = drivers > 1;
    // Time for all drivers to be there.
    let (begin, cpu) = (Instant::now() + Duration::from_millis(100), cpu_time());
    let late: Vec<u64> = thread::scope(|scope| {
        let one = |(nth, voices)| {
            scope.spawn(move || live(voices, nth * share, begin, each, packets, together))
        };
        let drivers: Vec<_> = voices.chunks_mut(share).enumerate().map(one).collect();
        drivers.into_iter().flat_map(|d| d.join().expect("it does not panic")).collect()
    });
    finished(voices, cpu_time() - cpu, begin.elapsed(), late)
}

/// One driver's work. Gives the lateness of every packet.
fn live<V: Voice>(
    voices: &mut [V],
    first: usize,
    begin: Instant,
    each: usize,
    packets: &[Packet],
    together: bool,
) -> Vec<u64> {
    let mut late = Vec::with_capacity(voices.len() * each);
    for tick in 0..each * TICKS {
        let due = begin + TICK * tick as u32;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let nth = tick / TICKS;
        let those = (tick % TICKS..voices.len()).step_by(TICKS);
        let mut pull = |voice: &mut V| {
            voice.pull();
            late.push(due.elapsed().as_nanos() as u64);
        };
        for at in those.clone() {
            voices[at].push(&packets[(first + at + nth) % packets.len()]);
            if together {
                pull(&mut voices[at]);
            }
        }
        if !together {
            // The last one first: when it is there, so are the others, and nobody was woken for them.
            those.rev().for_each(|at| pull(&mut voices[at]));
        }
    }
    late
}

/// All packets of all of them, one after the other, as fast as it goes.
fn plain<V: Voice>(mut voices: Vec<V>, each: usize, packets: &[Packet]) -> Run {
    let (begin, cpu) = (Instant::now(), cpu_time());
    for nth in 0..each {
        for (at, voice) in voices.iter_mut().enumerate() {
            voice.push(&packets[(at + nth) % packets.len()]);
            voice.pull();
        }
    }
    finished(voices, cpu_time() - cpu, begin.elapsed(), Vec::new())
}

fn finished<V: Voice>(voices: Vec<V>, cpu: Duration, wall: Duration, late: Vec<u64>) -> Run {
    let (heard, exact): (Vec<_>, Vec<_>) = voices.into_iter().map(V::finish).unzip();
    Run { cpu, wall, late, heard, exact: exact.into_iter().all(|exact| exact) }
}

/// What has to come out of pipelines that begin with each of the packets.
fn references(pipelines: usize, each: usize, packets: &[Packet]) -> Vec<Heard> {
    let one = |first: usize| {
        let mut bare = Bare::default();
        (0..each).for_each(|nth| bare.push(&packets[(first + nth) % packets.len()]));
        bare.finish().0
    };
    (0..packets.len().min(pipelines)).map(one).collect()
}
