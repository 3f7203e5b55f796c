//! A node with `placement: remote` that is fed as fast as there is room, for a long time: every packet comes
//! back, in order, and memory stays.

use crate::load::Load;
use crate::{Done, pipeline};
use remotemedia::{Engine, Pipeline, Pull, PushError};
use remotemedia_benches::process;
use serde_json::{Value as Json, json};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A stream that says nothing for so long has stalled.
const STALLED: Duration = Duration::from_secs(60);

/// Feeds it for so many seconds; `server` is the process at the endpoint.
pub(crate) fn run(endpoint: &str, server: u32, seconds: u64) -> Done<Json> {
    let (engine, load) = (Engine::default(), Load::named("packet")?);
    let pipeline = pipeline(&engine, endpoint)?;
    let pushed = AtomicU64::new(0);
    let begun = Instant::now();
    let time = Duration::from_secs(seconds);
    let (pulled, found) = std::thread::scope(|scope| {
        let pushing = scope.spawn(|| push(&engine, &pipeline, &load, begun + time, &pushed));
        let mut watch = Watch::new(server, time);
        let pulled = pull(&pipeline, &load, &mut watch);
        if pulled.is_err() {
            pipeline.cancel();
        }
        let pushing = pushing.join().map_err(|_| "the thread that pushes panicked")?;
        // Where both failed, the first to see it says why.
        let pulled = pulled?;
        pushing?;
        Done::Ok((pulled, watch))
    })?;
    let pushed = pushed.into_inner();
    if pushed != pulled {
        return Err(format!("{pushed} packets went in, {pulled} came out").into());
    }
    let memory = |(seconds, server, client): &(f64, i64, i64)| json!({"seconds": seconds, "server_bytes": server, "client_bytes": client});
    Ok(json!({
        "ok": true, "packets": pulled, "seconds": found.last.duration_since(begun).as_secs_f64(),
        "longest_gap_ms": found.longest.as_secs_f64() * 1e3,
        "memory": found.memory.iter().map(memory).collect::<Vec<_>>(),
    }))
}

fn push(
    engine: &Engine,
    pipeline: &Pipeline,
    load: &Load,
    until: Instant,
    pushed: &AtomicU64,
) -> Done {
    while Instant::now() < until {
        let number = pushed.load(Ordering::Relaxed);
        let mut packet = load.packet(engine, number)?;
        while let Err(full) = pipeline.push_within(0, packet, Duration::from_secs(1)) {
            // With a full output, too, there is only room when the other thread has pulled.
            match full {
                PushError::Full(back) => packet = back,
                other => return Err(other.into()),
            }
            std::thread::yield_now();
        }
        pushed.store(number + 1, Ordering::Relaxed);
    }
    Ok(pipeline.end()?)
}

/// Pulls to the end: how many packets there were.
fn pull(pipeline: &Pipeline, load: &Load, watch: &mut Watch) -> Done<u64> {
    let mut number = 0;
    loop {
        match pipeline.pull(Duration::from_millis(100))? {
            Pull::Packet(_, back) => {
                load.check(&back, number)?;
                number += 1;
                watch.answer();
            }
            Pull::End => return Ok(number),
            Pull::Idle(_) if watch.last.elapsed() > STALLED => {
                return Err(format!("nothing came after packet {number}").into());
            }
            // Nothing is inside at the moment: the other thread is about to push.
            Pull::Idle(_) => std::thread::yield_now(),
        }
    }
}

/// What is seen of answers and memory.
struct Watch {
    begun: Instant,
    last: Instant,
    longest: Duration,
    server: u32,
    /// When memory is to be looked at next.
    due: Vec<Duration>,
    /// Seconds, bytes of the server, bytes of this process.
    memory: Vec<(f64, i64, i64)>,
}

impl Watch {
    fn new(server: u32, time: Duration) -> Self {
        let now = Instant::now();
        let minute = Duration::from_secs(60).min(time / 2);
        // From the last: a little before the end, when the stream is still full.
        let due = vec![time.saturating_sub(time / 100), minute, Duration::ZERO];
        let (longest, memory) = (Duration::ZERO, Vec::new());
        Self { begun: now, last: now, longest, server, due, memory }
    }

    fn answer(&mut self) {
        let now = Instant::now();
        // Before the first answer the connection is made.
        if !self.memory.is_empty() {
            self.longest = self.longest.max(now - self.last);
        }
        self.last = now;
        let past = now - self.begun;
        if self.due.pop_if(|due| *due <= past).is_some() {
            let server = process::resident_of(self.server);
            self.memory.push((past.as_secs_f64(), server, process::resident()));
        }
    }
}
