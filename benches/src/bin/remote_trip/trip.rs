//! One packet at a time, there and back: a stream or a call for each, by bare tonic and by us.
//!
//! Both sides take turns within the process, so that a busy moment of the machine hits both.

use crate::bare::{self, Client};
use crate::load::Load;
use crate::{Done, pipeline};
use remotemedia::remote::v1;
use remotemedia::{Engine, Pipeline, Pull};
use serde_json::{Value as Json, json};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::Streaming;

/// How often a side has its turn.
const TURNS: u64 = 10;

/// Who brings a packet there and back.
enum Side<'a> {
    /// A node with `placement: remote`.
    Ours { engine: Engine, pipeline: Pipeline },
    /// The generated client on an open stream.
    Stream {
        runtime: &'a Runtime,
        send: UnboundedSender<v1::StreamNodeRequest>,
        answers: Streaming<v1::StreamNodeResponse>,
    },
    /// The generated client with a call for each.
    Unary { runtime: &'a Runtime, client: Client },
}

/// Measures `stream` or `unary` with so many packets for each side, at the bare server and at ours.
pub(crate) fn run(form: &str, name: &str, count: u64, servers: [&str; 2]) -> Done<Json> {
    let (runtime, load) = (Runtime::new()?, Load::named(name)?);
    let mut sides = match form {
        "stream" => [Side::stream(&runtime, servers[0])?, Side::ours(servers[1])?],
        // The same client for both: such calls are for those that have no engine.
        "unary" => [Side::unary(&runtime, servers[0])?, Side::unary(&runtime, servers[1])?],
        _ => return Err("stream or unary".into()),
    };
    let mut times = [Vec::new(), Vec::new()];
    let (turn, warm) = (count.div_ceil(TURNS), (count / 10).clamp(3, 1000));
    let mut numbers = [0, 0];
    for round in 0..=TURNS {
        for index in 0..2 {
            // Neither is always the first.
            let index = if round % 2 == 0 { index } else { 1 - index };
            let (side, number) = (&mut sides[index], &mut numbers[index]);
            for _ in 0..if round == 0 { warm } else { turn } {
                let time = side.trip(&load, *number)?;
                *number += 1;
                if round > 0 {
                    times[index].push(time);
                }
            }
        }
    }
    let [bare, ours] = times.map(figures);
    Ok(json!({"ok": true, "form": form, "load": name, "bare": bare, "ours": ours}))
}

fn figures(mut times: Vec<Duration>) -> Json {
    times.sort_unstable();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e6;
    json!({"count": times.len(), "p50_us": at(0.5), "p99_us": at(0.99)})
}

impl<'a> Side<'a> {
    fn ours(endpoint: &str) -> Done<Self> {
        let engine = Engine::default();
        let pipeline = pipeline(&engine, endpoint)?;
        Ok(Self::Ours { engine, pipeline })
    }

    fn stream(runtime: &'a Runtime, endpoint: &str) -> Done<Self> {
        let (send, calls) = unbounded_channel();
        let calls = UnboundedReceiverStream::new(calls);
        let answers = runtime.block_on(async {
            Done::Ok(bare::connect(endpoint).await?.stream_node(calls).await?.into_inner())
        })?;
        Ok(Self::Stream { runtime, send, answers })
    }

    fn unary(runtime: &'a Runtime, endpoint: &str) -> Done<Self> {
        Ok(Self::Unary { runtime, client: runtime.block_on(bare::connect(endpoint))? })
    }

    /// Sends a packet and waits for it. Making and checking it is not measured.
    fn trip(&mut self, load: &Load, number: u64) -> Done<Duration> {
        match self {
            Self::Ours { engine, pipeline } => {
                let packet = load.packet(engine, number)?;
                let begun = Instant::now();
                pipeline.push(packet)?;
                let pulled = pipeline.pull(Duration::from_secs(60))?;
                let time = begun.elapsed();
                let Pull::Packet(_, back) = pulled else { return Err("nothing came back".into()) };
                load.check(&back, number)?;
                Ok(time)
            }
            Self::Stream { runtime, send, answers } => {
                let packet = load.message(load.bytes(number), number);
                let begun = Instant::now();
                send.send(bare::call(number + 1, number, packet))?;
                let answer = runtime.block_on(bare::answer(answers))?.ok_or("no answer")?;
                let time = begun.elapsed();
                load.check_outputs(&answer.outputs, number)?;
                Ok(time)
            }
            Self::Unary { runtime, client } => {
                let (node, packet) =
                    (Some(bare::pass_through()), load.message(load.bytes(number), number));
                let begun = Instant::now();
                let request = v1::ExecuteNodeRequest { node, inputs: vec![packet] };
                let answer = runtime.block_on(client.execute_node(request))?.into_inner();
                let time = begun.elapsed();
                load.check_outputs(&answer.outputs, number)?;
                Ok(time)
            }
        }
    }
}
