//! Chains of thread segments, and the same with plain threads and channels: throughput flat out and
//! delay from push to pull, one packet at a time and paced. One JSON line per chain, in the form that
//! `peers/gstreamer_threads.c` prints, too; the job is in `peers/README.md`.
//!
//! `live_chain SIDE [PACKETS [PACED [N...]]]`, where SIDE is `engine` or `channels`.
#![allow(clippy::print_stdout, reason = "its output is what it is for")]

use remotemedia::{Engine, Packet, Pipeline, Pull, PushError};
use remotemedia_benches::args::Args;
use remotemedia_benches::figures::percentiles;
use remotemedia_benches::numbered::Numbered;
use remotemedia_benches::{chain_manifest, cpu_time, on_threads, pipeline};
use serde_json::json;
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// Packets that each queue holds, on every side.
const QUEUE: usize = 64;
/// Packets that go through one at a time before anything is measured.
const WARM_UP: u64 = 4_000;
/// From packet to packet when it is paced.
const PACE: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_secs(60);

fn main() {
    let args = Args::read();
    let job = Job { packets: args.number(1, 100_000), paced: args.number(2, 2_000) };
    let mut lengths = args.numbers(3);
    if lengths.is_empty() {
        lengths = vec![1, 3, 10];
    }
    for n in lengths {
        match args.text(0) {
            "engine" => engine(n, job),
            "channels" => channels(n, job),
            _ => panic!("usage: live_chain engine|channels [PACKETS [PACED [N...]]]"),
        }
    }
}

/// `n` PassThrough nodes, each in a segment of its own.
fn engine(n: u64, job: Job) {
    let nodes = vec![("PassThrough", json!({})); n as usize];
    let mut manifest = on_threads(chain_manifest(&nodes));
    manifest["queue"] = json!({"items": QUEUE});
    let run = pipeline(manifest);
    job.run("remotemedia", n, |packet| push(&run, packet), || pull(&run));
    let metrics = run.metrics();
    for link in metrics["links"].as_array().expect("links") {
        assert_eq!(link["in"], link["taken"], "nothing is dropped and nothing is left: {link}");
    }
}

/// Pushes, when need be after another thread has pulled.
fn push(run: &Pipeline, mut packet: Packet) {
    loop {
        let seen = run.changes();
        packet = match run.push_within(0, packet, LONG) {
            Ok(()) => return,
            Err(PushError::Full(packet)) => packet,
            Err(error) => panic!("{error}"),
        };
        run.wait_for_change(seen, None);
    }
}

/// The next packet, which another thread may yet have to push.
fn pull(run: &Pipeline) -> Packet {
    loop {
        let seen = run.changes();
        match run.pull(LONG).expect("it runs") {
            Pull::Packet(_, packet) => return packet,
            Pull::End => unreachable!("nobody ends it"),
            Pull::Idle(_) => _ = run.wait_for_change(seen, None),
        }
    }
}

/// `n` threads that hand packets on, with bounded channels before, between and behind them.
fn channels(n: u64, job: Job) {
    let (first, mut last): (SyncSender<Packet>, Receiver<Packet>) = sync_channel(QUEUE);
    thread::scope(|scope| {
        for _ in 0..n {
            let (to, next) = sync_channel(QUEUE);
            let from = std::mem::replace(&mut last, next);
            scope.spawn(move || from.into_iter().try_for_each(|packet| to.send(packet)));
        }
        let pull = || last.recv().expect("the threads are there");
        let push = |packet| first.send(packet).expect("the threads are there");
        job.run("std-channels", n, push, pull);
        drop(first);
    });
}

/// How much is measured.
#[derive(Clone, Copy)]
struct Job {
    packets: u64,
    paced: u64,
}

impl Job {
    /// Measures one chain and prints its line.
    fn run(self, peer: &str, n: u64, push: impl Fn(Packet) + Sync, pull: impl Fn() -> Packet) {
        let numbered = Numbered::new(Engine::default().pool());
        let (next, ok) = (Cell::new(0), Cell::new(true));
        // Each number once, in order, with all its samples and its time.
        let pull = || {
            let packet = pull();
            let number = next.replace(next.get() + 1);
            ok.set(ok.get() && numbered.is(&packet, number));
        };
        let push = |number| push(numbered.make(number));
        // Pushes so many from another thread, and pulls them on this one.
        let both = |count: u64, before_push: &(dyn Fn(u64) + Sync), after_pull: &dyn Fn(u64)| {
            let first = next.get();
            thread::scope(|scope| {
                scope.spawn(|| {
                    for i in 0..count {
                        before_push(i);
                        push(first + i);
                    }
                });
                for i in 0..count {
                    pull();
                    after_pull(i);
                }
            });
        };
        let ping = || {
            let begin = Instant::now();
            push(next.get());
            pull();
            nanos(begin)
        };
        (0..WARM_UP).for_each(|_| _ = ping());

        let (cpu, begin) = (cpu_time(), Instant::now());
        both(self.packets, &|_| {}, &|_| {});
        let (cpu, wall) = (cpu_time() - cpu, begin.elapsed());

        let mut pings: Vec<u64> = (0..self.packets / 4).map(|_| ping()).collect();

        let begin = Instant::now();
        let pushed: Vec<AtomicU64> = (0..self.paced).map(|_| AtomicU64::new(0)).collect();
        let pulled: Vec<Cell<u64>> = (0..self.paced).map(|_| Cell::new(0)).collect();
        let wait = |i: u64| {
            thread::sleep((PACE * i as u32).saturating_sub(begin.elapsed()));
            pushed[i as usize].store(nanos(begin), Ordering::Relaxed);
        };
        both(self.paced, &wait, &|i| pulled[i as usize].set(nanos(begin)));
        let delay = |(from, to): (&AtomicU64, &Cell<u64>)| to.get() - from.load(Ordering::Relaxed);
        let mut paced: Vec<u64> = pushed.iter().zip(&pulled).map(delay).collect();

        let micros = |nanos: u64| nanos as f64 / 1000.0;
        let [ping_p50, ping_p99] = percentiles(&mut pings, [0.5, 0.99]).map(micros);
        let [paced_p50, paced_p99] = percentiles(&mut paced, [0.5, 0.99]).map(micros);
        println!(
            "{}",
            json!({
                "peer": peer, "n": n, "packets": self.packets, "ok": ok.get(),
                "per_second": self.packets as f64 / wall.as_secs_f64(),
                "cpu_us_per_packet": cpu.as_secs_f64() * 1e6 / self.packets as f64,
                "ping_p50_us": ping_p50, "ping_p99_us": ping_p99,
                "paced_p50_us": paced_p50, "paced_p99_us": paced_p99,
            })
        );
    }
}

fn nanos(since: Instant) -> u64 {
    since.elapsed().as_nanos() as u64
}
