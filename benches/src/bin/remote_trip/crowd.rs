//! How many live streams a server carries: each sends 20 ms of audio every 20 ms, and 99 of 100 packets are
//! to be back within 20 ms.
//!
//! Due times are absolute, and a packet's time counts from when it was due: what a busy machine sends late
//! counts as slow. The clients are the generated code, the same for both servers: a pipeline for each
//! stream would cost as much as the server does. Streams are spread evenly over the 20 ms.

use crate::Done;
use crate::bare;
use crate::load::Load;
use bytes::Bytes;
use remotemedia::remote::v1;
use remotemedia_benches::process;
use serde_json::{Value as Json, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::Streaming;

/// Between two packets of a stream; and what 99 of 100 may take.
const PERIOD: Duration = Duration::from_millis(20);
/// Packets of a stream that don't count, and those that do.
const WARM: u64 = 50;
const COUNTED: u64 = 150;
/// How long answers may be late before they count as lost.
const PATIENCE: Duration = Duration::from_secs(5);
/// A number of streams that fails is tried once more: the machine may have been busy with others.
const TRIES: usize = 2;
/// The search ends when it knows the number to one part in so many.
const EXACT: usize = 8;

/// What a number of streams came to.
struct Found {
    streams: usize,
    p50: Duration,
    p99: Duration,
    /// Cores that the server and this process kept busy.
    server_cores: f64,
    client_cores: f64,
}

/// Finds the largest number of streams, from `first` up; `server` is the process at the endpoint.
pub(crate) fn run(
    side: &str,
    endpoint: &str,
    server: u32,
    first: usize,
    per_connection: usize,
) -> Done<Json> {
    let (runtime, load) = (Runtime::new()?, Arc::new(Load::named("packet")?));
    let carry = |streams: usize| -> Done<Option<Found>> {
        for _ in 0..TRIES {
            let found = measure(&runtime, &load, endpoint, server, streams, per_connection)?;
            match &found {
                Some(Found { p50, p99, server_cores, .. }) => eprintln!(
                    "{streams} streams: p50 {p50:?}, p99 {p99:?}, {server_cores:.2} cores"
                ),
                None => eprintln!("{streams} streams: answers are missing"),
            }
            if let Some(found) = found
                && found.p99 <= PERIOD
            {
                return Ok(Some(found));
            }
        }
        Ok(None)
    };
    let (mut best, mut too_many) = (None, first);
    while let Some(found) = carry(too_many)? {
        best = Some(found);
        too_many *= 2;
    }
    while best.is_none() && too_many > 1 {
        best = carry(too_many / 2)?;
        if best.is_none() {
            too_many /= 2;
        }
    }
    let mut best = best.ok_or("not even one stream is carried")?;
    while too_many - best.streams > best.streams.div_ceil(EXACT) {
        let between = usize::midpoint(best.streams, too_many);
        match carry(between)? {
            Some(found) => best = found,
            None => too_many = between,
        }
    }
    Ok(json!({
        "ok": true, "side": side, "streams": best.streams, "per_connection": per_connection,
        "p50_us": best.p50.as_secs_f64() * 1e6, "p99_us": best.p99.as_secs_f64() * 1e6,
        "server_cores": best.server_cores, "client_cores": best.client_cores,
    }))
}

/// A stream's sending side.
struct Mouth {
    send: UnboundedSender<v1::StreamNodeRequest>,
    /// The last call whose answer has come.
    answered: Arc<AtomicU64>,
}

/// Runs so many streams. `None`: answers were so late that they count as lost.
fn measure(
    runtime: &Runtime,
    load: &Arc<Load>,
    endpoint: &str,
    server: u32,
    streams: usize,
    per_connection: usize,
) -> Done<Option<Found>> {
    let (mut mouths, mut ears) = (Vec::new(), Vec::new());
    runtime.block_on(async {
        let mut client = None;
        for stream in 0..streams {
            if stream % per_connection == 0 {
                client = Some(bare::connect(endpoint).await?);
            }
            let client = client.as_mut().ok_or("the first stream connects")?;
            let (send, calls) = unbounded_channel();
            send.send(bare::opening())?;
            let answers = client.stream_node(UnboundedReceiverStream::new(calls)).await?;
            let answered = Arc::new(AtomicU64::new(0));
            ears.push((answers.into_inner(), Arc::clone(&answered)));
            mouths.push(Mouth { send, answered });
        }
        Done::Ok(())
    })?;
    // All of them are open by then.
    let start = Instant::now() + Duration::from_millis(200);
    let due = |stream: usize| start + PERIOD.mul_f64(stream as f64 / streams as f64);
    let listening: Vec<_> = ears
        .into_iter()
        .enumerate()
        .map(|(stream, (answers, answered))| {
            runtime.spawn(listen(answers, answered, due(stream), Arc::clone(load)))
        })
        .collect();
    let used = send_all(load, &mouths, due, server)?;
    let end = tokio::time::Instant::now() + PATIENCE;
    let mut times = Vec::with_capacity(streams * COUNTED as usize);
    let complete = runtime.block_on(async {
        let mut complete = true;
        for mut task in listening {
            match tokio::time::timeout_at(end, &mut task).await {
                Ok(heard) => times.extend(heard??),
                Err(_) => {
                    task.abort();
                    complete = false;
                }
            }
        }
        // The server forgets them before the next ones come.
        for mouth in &mouths {
            let _ = mouth.send.send(bare::closing());
        }
        tokio::time::sleep(Duration::from_millis(if complete { 200 } else { 2000 })).await;
        Done::Ok(complete)
    })?;
    if !complete {
        return Ok(None);
    }
    times.sort_unstable();
    let at = |part: f64| times[((times.len() - 1) as f64 * part).ceil() as usize];
    let [server_cores, client_cores] = used;
    Ok(Some(Found { streams, p50: at(0.5), p99: at(0.99), server_cores, client_cores }))
}

/// Sends everything when it is due: cores that the server and this process used meanwhile.
fn send_all(
    load: &Load,
    mouths: &[Mouth],
    due: impl Fn(usize) -> Instant,
    server: u32,
) -> Done<[f64; 2]> {
    // Making them is not what is measured; each is sent again and again under another time.
    let made: Vec<Bytes> = (1..=WARM + COUNTED).map(|seq| load.bytes(seq)).collect();
    let busy = || [process::cpu_time_of(server), process::cpu_time()];
    let mut begun = (Instant::now(), busy());
    for (seq, bytes) in (1..).zip(made) {
        if seq == WARM + 1 {
            begun = (Instant::now(), busy());
        }
        for (stream, mouth) in mouths.iter().enumerate() {
            let due = due(stream) + PERIOD * (seq as u32 - 1);
            if let Some(early) = due.checked_duration_since(Instant::now()) {
                std::thread::sleep(early);
            }
            let answered = mouth.answered.load(Ordering::Relaxed);
            mouth.send.send(bare::call(seq, answered, load.message(bytes.clone(), seq)))?;
        }
    }
    let (wall, now) = (begun.0.elapsed().as_secs_f64(), busy());
    let cores = |index: usize| (now[index] - begun.1[index]).as_secs_f64() / wall;
    Ok([cores(0), cores(1)])
}

/// Takes a stream's answers; how long after its due time each one that counts came.
async fn listen(
    mut answers: Streaming<v1::StreamNodeResponse>,
    answered: Arc<AtomicU64>,
    first_due: Instant,
    load: Arc<Load>,
) -> Done<Vec<Duration>> {
    let mut times = Vec::with_capacity(COUNTED as usize);
    for seq in 1..=WARM + COUNTED {
        let answer = bare::answer(&mut answers).await?.ok_or("the stream ended")?;
        let time = first_due + PERIOD * (seq as u32 - 1);
        let time = Instant::now().saturating_duration_since(time);
        if answer.seq != seq {
            return Err(format!("answer {} came for call {seq}", answer.seq).into());
        }
        load.check_outputs(&answer.outputs, seq)?;
        answered.store(seq, Ordering::Relaxed);
        if seq > WARM {
            times.push(time);
        }
    }
    Ok(times)
}
