//! Sessions: nodes that run here for engines elsewhere.
//!
//! A session outlives its connection by its lease. It keeps the answers that the client has not
//! acknowledged, so that after a broken connection none is lost and no call is made twice.

use crate::link::{ENVELOPE, MOST_BYTES, too_large};
use crate::v1::stream_node_request::{self as up, call::Call as Wire};
use crate::v1::stream_node_response as down;
use crate::whole::Whole;
use crate::{failure, v1, wire};
use prost::Message;
use remotemedia_core::engine::Engine;
use remotemedia_core::error::{Error, Result, detail};
use remotemedia_core::manifest::Manifest;
use remotemedia_core::packet::{MediaTime, Packet, Pool, read_json};
use remotemedia_core::seat::{Answer, Call, Seat};
use serde_json::{Map, Value as Json, json};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, Notify};

/// A node that runs here, for one client.
pub(crate) struct Session {
    pub(crate) id: String,
    /// Who may attach to it.
    pub(crate) owner: String,
    /// What runs in it.
    about: String,
    /// How long the server may say nothing, on whichever stream.
    pub(crate) beat: Duration,
    /// Number of the stream that it is on; an older one ends.
    stream: AtomicU64,
    /// Wakes a stream that is not the present one any more.
    pub(crate) replaced: Notify,
    /// Whether calls may take so long that other streams would have to wait.
    blocking: bool,
    work: Mutex<Work>,
}

struct Work {
    runs: Option<Runs>,
    /// The last call that has come.
    received: u64,
    /// What the client may not have got.
    answers: VecDeque<down::Answer>,
    pool: Pool,
}

/// How long a side may say nothing, unless the client says otherwise.
const BEAT: Duration = Duration::from_secs(10);

/// What runs in a session.
enum Runs {
    Node(Box<Seat>),
    Pipeline(Whole),
}

impl Runs {
    fn call(&mut self, call: Call) -> Result<Poll<Answer>> {
        match self {
            Self::Node(seat) => seat.call(call),
            Self::Pipeline(whole) => whole.call(call).map(Poll::Ready),
        }
    }

    fn poll(&mut self, waker: &Waker) -> Poll<Result<Answer>> {
        match self {
            Self::Node(seat) => seat.poll(waker),
            Self::Pipeline(_) => Poll::Pending,
        }
    }

    fn reset(&mut self) -> Result<()> {
        match self {
            Self::Node(seat) => seat.reset(),
            Self::Pipeline(whole) => whole.reset()?,
        }
        Ok(())
    }

    fn set_params(&mut self, params: &Map<String, Json>) -> Result<()> {
        match self {
            Self::Node(seat) => seat.set_params(params),
            Self::Pipeline(_) => {
                Err(wire::wrong("params for a pipeline, whose nodes have their own".to_owned()))
            }
        }
    }
}

/// Answers that wait to be acknowledged at most: more calls than a client may have on their way.
const MOST_ANSWERS: usize = 8192;

impl Session {
    /// Makes the node.
    ///
    /// # Errors
    /// Everything that is wrong with it; types that are not among `only` are refused.
    pub(crate) fn open(
        id: String,
        owner: String,
        open: up::Open,
        engine: &Engine,
        only: Option<&[String]>,
    ) -> Result<Self> {
        // A client that says nothing of it need not say anything for that long.
        let beat = match open.heartbeat_ms {
            0 => BEAT,
            ms => Duration::from_millis(ms.clamp(10, 86_400_000).into()),
        };
        let what = wire::present(open.what)?;
        let about = match &what {
            up::open::What::Node(node) => node.node_type.clone(),
            up::open::What::Manifest(_) => "a pipeline".to_owned(),
        };
        let runs = match what {
            up::open::What::Node(node) => {
                Runs::Node(Box::new(seat(node, open.lanes as usize, engine, only)?))
            }
            up::open::What::Manifest(text) => Runs::Pipeline(Whole::new(&text, engine, only)?),
        };
        let blocking = match &runs {
            Runs::Node(seat) => seat.node_type().descriptor().blocking,
            Runs::Pipeline(_) => true,
        };
        let (received, answers, pool) = (0, VecDeque::new(), engine.pool().clone());
        let work = Mutex::new(Work { runs: Some(runs), received, answers, pool });
        let (stream, replaced) = (AtomicU64::new(0), Notify::new());
        Ok(Self { id, owner, about, beat, stream, replaced, blocking, work })
    }

    /// What runs in it.
    pub(crate) fn about(&self) -> &str {
        &self.about
    }

    /// Takes the session over for another stream: its number.
    pub(crate) fn take_over(&self) -> u64 {
        let number = self.stream.fetch_add(1, Ordering::AcqRel) + 1;
        self.replaced.notify_waiters();
        number
    }

    /// Whether that stream is the present one.
    pub(crate) fn is_on(&self, stream: u64) -> bool {
        self.stream.load(Ordering::Acquire) == stream
    }

    /// The last call that has come, and the answers that the client has not got.
    pub(crate) async fn rest(&self, answered: u64) -> (u64, Vec<down::Answer>) {
        let mut work = self.work.lock().await;
        work.acknowledge(answered);
        (work.received, work.answers.iter().cloned().collect())
    }

    /// Makes a call. `None`: it came before, and its answer is out.
    ///
    /// # Errors
    /// `remote.protocol` when it is not the next one; what is wrong with the call itself is its answer.
    pub(crate) async fn call(&self, call: up::Call) -> Result<Option<down::Answer>> {
        let came = Instant::now();
        let mut work = self.work.lock().await;
        work.acknowledge(call.answered);
        if call.seq <= work.received {
            return Ok(None);
        }
        if call.seq != work.received + 1 {
            return Err(wire::wrong(format!("call {} after {}", call.seq, work.received)));
        }
        if work.answers.len() >= MOST_ANSWERS {
            let message = format!("{MOST_ANSWERS} answers have not been acknowledged");
            return Err(Error::new(detail::REMOTE_LIMIT, message));
        }
        work.received = call.seq;
        let begun = Instant::now();
        let made = work.make(wire::present(call.call), self.blocking).await;
        let mut answer = match made {
            Ok(answer) => {
                let answer = answer_to_wire(&answer);
                match answer.encoded_len() {
                    bytes if bytes > MOST_BYTES - ENVELOPE => down::Answer {
                        error: Some(failure::to_wire(&too_large("what the node gives", bytes))),
                        ..down::Answer::default()
                    },
                    _ => answer,
                }
            }
            Err(error) => {
                down::Answer { error: Some(failure::to_wire(&error)), ..down::Answer::default() }
            }
        };
        answer.seq = call.seq;
        answer.node_ns = nanos(begun.elapsed());
        answer.queue_ns = nanos(begun - came);
        work.answers.push_back(answer.clone());
        Ok(Some(answer))
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// The node that a message asks for. What comes over the network is not trusted.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn seat(
    node: v1::NodeSpec,
    lanes: usize,
    engine: &Engine,
    only: Option<&[String]>,
) -> Result<Seat> {
    let params = match node.params.as_str() {
        "" => json!({}),
        text => {
            read_json(text).map_err(|e| wire::wrong(format!("params that are no JSON: {e}")))?
        }
    };
    let manifest = Manifest::from_value(json!({
        "version": "v1",
        // What comes has been made to fit by the engine that sends it.
        "metadata": {"auto_negotiate": false},
        "nodes": [{"id": "node", "node_type": node.node_type, "params": params}],
    }))?;
    let manifest = match only {
        Some(only) => manifest.untrusted_only(only),
        None => manifest.untrusted(),
    };
    Seat::new(manifest.resolve(&engine.registry())?, lanes.max(1), engine.pool())
}

impl Work {
    /// Forgets the answers that the client has got.
    fn acknowledge(&mut self, answered: u64) {
        while self.answers.pop_front_if(|answer| answer.seq <= answered).is_some() {}
    }

    async fn make(&mut self, call: Result<Wire>, blocking: bool) -> Result<Answer> {
        let call = match call? {
            Wire::Process(process) => Call::Process {
                port: process.port as usize,
                lane: process.lane as usize,
                packet: self.packet(process.packet)?,
            },
            Wire::Join(set) => {
                let packet = |place: up::set::Place| {
                    place.packet.map(|packet| self.packet(Some(packet))).transpose()
                };
                Call::Join(set.places.into_iter().map(packet).collect::<Result<_>>()?)
            }
            Wire::AdvanceNs(until) => Call::Advance(MediaTime::from_nanos(until)),
            Wire::Drain(_) => Call::Drain,
            Wire::Finish(_) => Call::Finish,
            Wire::Reset(_) => {
                self.runs()?.reset()?;
                return Ok(Answer::default());
            }
            Wire::Params(text) => {
                let params = read_json(&text);
                let Ok(Json::Object(params)) = params else {
                    return Err(wire::wrong("params that are no object".to_owned()));
                };
                self.runs()?.set_params(&params)?;
                return Ok(Answer::default());
            }
        };
        let called = if blocking {
            // Away from the threads of all connections, for as long as it takes.
            let mut runs = self.runs.take().ok_or_else(gone)?;
            let joined = tokio::task::spawn_blocking(move || {
                let called = runs.call(call);
                (runs, called)
            });
            let (runs, called) = joined.await.map_err(|_| gone())?;
            self.runs = Some(runs);
            called
        } else {
            self.runs()?.call(call)
        };
        match called? {
            Poll::Ready(answer) => Ok(answer),
            Poll::Pending => {
                let runs = self.runs()?;
                poll_fn(|cx| runs.poll(cx.waker())).await
            }
        }
    }

    fn runs(&mut self) -> Result<&mut Runs> {
        self.runs.as_mut().ok_or_else(gone)
    }

    fn packet(&self, packet: Option<v1::Packet>) -> Result<Packet> {
        wire::from_wire(wire::present(packet)?, &self.pool)
    }
}

/// A call that was given up in the middle has the node.
fn gone() -> Error {
    Error::new(detail::REMOTE_LOST, "a call of the node was given up before it came back")
}

fn answer_to_wire(answer: &Answer) -> down::Answer {
    let bound = |(port, until): &(usize, MediaTime)| down::Bound {
        port: *port as u32,
        until_ns: until.nanos(),
    };
    down::Answer {
        outputs: wire::outputs_to_wire(&answer.outputs),
        bounds: answer.bounds.iter().map(bound).collect(),
        latency_ns: answer.latency.nanos(),
        ..down::Answer::default()
    }
}
