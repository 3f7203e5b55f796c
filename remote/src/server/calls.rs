//! A node that is called from elsewhere: one numbered call after the other, each with its answer.
//!
//! It keeps the answers that the client has not acknowledged, so that after a broken connection none is
//! lost and no call is made twice. A call that takes its time comes to its end without the stream that
//! brought it.

use super::budget::Share;
use super::kept::{Kept, Numbered};
use super::runs::{Runs, Todo, answer_to_wire, seat};
use super::session::{Opening, Session, Work, check_protocol};
use super::sessions::Limits;
use super::whole::{self, Whole};
use crate::parts::{part_size, too_large};
use crate::v1::stream_node_request::{self as up, call::Call as Wire};
use crate::v1::stream_node_response as down;
use crate::{failure, wire};
use prost::Message;
use remotemedia_core::engine::{Engine, Pipeline};
use remotemedia_core::error::{Error, Result, detail};
use remotemedia_core::packet::Pool;
use remotemedia_core::seat::Answer;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Calls that a client may have without an answer.
pub(super) const CREDIT: u32 = 256;
/// Bytes of answers that are kept; while there are more, no call is made.
const HOLD: usize = 64 << 20;
/// Answers that are kept: a client that acknowledges none has to be told.
const MOST_ANSWERS: usize = 8192;

/// The calls of a session.
pub(super) struct Calls {
    /// Whether calls may take so long that other streams would have to wait.
    blocking: bool,
    /// The pipeline that is called.
    whole: Option<Arc<Pipeline>>,
    pool: Pool,
    /// Bytes of an answer at most.
    most: usize,
    /// Answers that have more bytes go in parts of so many; 0: all go whole.
    pub(super) part_bytes: usize,
    state: Mutex<State>,
    /// The last answer that went out.
    told: AtomicU64,
    /// A call has come to its end.
    pub(super) finished: Notify,
}

struct State {
    /// `None`: a call that takes its time has it, or has broken it.
    runs: Option<Runs>,
    /// A call takes its time.
    busy: bool,
    /// The last call that was begun.
    received: u64,
    answers: Kept<down::Answer>,
}

impl Numbered for down::Answer {
    fn seq(&self) -> u64 {
        self.seq
    }
}

/// A call that has come, and waits for its turn.
pub(super) struct Waiting {
    call: up::Call,
    came: Instant,
    /// What it takes.
    share: Share,
}

impl Waiting {
    /// # Errors
    /// `remote.limit` when the server has no room for it.
    pub(super) fn new(call: up::Call, mut share: Share) -> Result<Self> {
        share.set(call.encoded_len() + size_of::<Self>())?;
        Ok(Self { call, came: Instant::now(), share })
    }

    pub(super) fn seq(&self) -> u64 {
        self.call.seq
    }

    pub(super) fn bytes(&self) -> usize {
        self.share.bytes()
    }

    /// Whether it makes the node forget what waits before it.
    pub(super) fn overtakes(&self) -> bool {
        matches!(self.call.call, Some(Wire::Reset(_)))
    }

    /// Whether such a one makes the node forget it.
    fn is_overtaken(&self) -> bool {
        !matches!(self.call.call, Some(Wire::Reset(_) | Wire::Params(_)))
    }
}

/// Opens a session for a node, or for a pipeline that is called as one.
///
/// # Errors
/// Everything that is wrong with it; types that are not among `only` are refused.
pub(super) fn open(
    opening: Opening,
    open: up::Open,
    engine: &Engine,
    only: Option<&[String]>,
    limits: &Limits,
) -> Result<Session> {
    check_protocol(open.protocol)?;
    let mut whole = None;
    let (about, runs, blocking) = match wire::present(open.what)? {
        up::open::What::Node(node) => {
            let about = node.node_type.clone();
            let seat = seat(node, open.lanes as usize, engine, only)?;
            let blocking = seat.node_type().descriptor().blocking;
            (about, Runs::Node(Box::new(seat)), blocking)
        }
        up::open::What::Manifest(text) => {
            let pipeline = Arc::new(whole::pipeline(&text, engine, only)?);
            whole = Some(Arc::clone(&pipeline));
            ("a pipeline".to_owned(), Runs::Pipeline(Whole::new(pipeline)?), true)
        }
    };
    let answers = Kept::new(opening.budget.share());
    let state = State { runs: Some(runs), busy: false, received: 0, answers };
    let part_bytes = part_size(open.part_bytes);
    let (pool, most) = (engine.pool().clone(), limits.most(part_bytes));
    let (state, finished) = (Mutex::new(state), Notify::new());
    let told = AtomicU64::new(0);
    let calls = Calls { blocking, whole, pool, most, part_bytes, state, told, finished };
    Ok(Session::new(opening, about, open.heartbeat_ms, Work::Calls(calls)))
}

impl Session {
    /// Its calls.
    ///
    /// # Errors
    /// `remote.protocol` when it runs a pipeline for streams of pipelines.
    pub(super) fn calls(&self) -> Result<&Calls> {
        match &self.work {
            Work::Calls(calls) => Ok(calls),
            Work::Pipeline(_) => {
                Err(wire::wrong("the session is StreamPipeline's, not StreamNode's".to_owned()))
            }
        }
    }
}

impl Calls {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session is over: a pipeline does not go on.
    pub(super) fn close(&self) {
        if let Some(whole) = &self.whole {
            whole.cancel();
        }
    }

    /// The last call that was begun.
    pub(super) fn received(&self) -> u64 {
        self.lock().received
    }

    /// Whether an answer goes out for the first time.
    pub(super) fn is_first(&self, seq: u64) -> bool {
        self.told.fetch_max(seq, Ordering::AcqRel) < seq
    }

    /// Whether a call is at work.
    pub(super) fn is_busy(&self) -> bool {
        self.lock().busy
    }

    /// Whether the client has to acknowledge answers before another call is made.
    pub(super) fn is_full(&self) -> bool {
        self.lock().answers.bytes() >= HOLD
    }

    /// Forgets the answers that the client has got.
    pub(super) fn acknowledge(&self, answered: u64) {
        self.lock().answers.forget(answered);
    }

    /// The answer that comes after that one, if it is there.
    pub(super) fn answer_after(&self, seq: u64) -> Option<down::Answer> {
        self.lock().answers.after(seq).next().cloned()
    }
}

/// Begins a call: its answer may be there at once, or [`Calls::finished`] tells of it. There is none at
/// work. What an interrupt with the number `overtaken` makes the node forget is not made.
///
/// # Errors
/// `remote.protocol` when it is not the next one, `remote.limit` when too many answers have not been
/// acknowledged; what is wrong with the call itself is its answer.
pub(super) fn begin(session: &Arc<Session>, waiting: Waiting, overtaken: u64) -> Result<()> {
    let calls = session.calls()?;
    let forgotten = waiting.seq() < overtaken && waiting.is_overtaken();
    let Waiting { call, came, share } = waiting;
    let begun = Instant::now();
    let mut state = calls.lock();
    if call.seq <= state.received {
        // It came before, and its answer is kept, or has come.
        return Ok(());
    }
    if call.seq != state.received + 1 {
        return Err(wire::wrong(format!("call {} after {}", call.seq, state.received)));
    }
    if state.answers.len() >= MOST_ANSWERS {
        return Err(unacknowledged());
    }
    state.received = call.seq;
    let job = Job { seq: call.seq, came, begun, _share: share };
    if forgotten {
        calls.answer(&mut state, &job, Ok(Answer::default()));
        return Ok(());
    }
    let todo = match Todo::read(call.call, &calls.pool) {
        Ok(todo) => todo,
        Err(error) => {
            calls.answer(&mut state, &job, Err(error));
            return Ok(());
        }
    };
    let Some(mut runs) = state.runs.take() else {
        calls.answer(&mut state, &job, Err(broken()));
        return Ok(());
    };
    // Nothing is locked while the node works: a client that comes back is not to wait for it.
    state.busy = true;
    drop(state);
    let working = Working { session: Arc::clone(session), job: Some(job) };
    if calls.blocking {
        // Away from the threads of all connections, for as long as it takes.
        let runtime = tokio::runtime::Handle::current();
        tokio::task::spawn_blocking(move || {
            let made = match runs.make(todo) {
                Ok(Poll::Pending) => runtime.block_on(poll_fn(|cx| runs.poll(cx.waker()))),
                Ok(Poll::Ready(answer)) => Ok(answer),
                Err(error) => Err(error),
            };
            working.finish(runs, made);
        });
        return Ok(());
    }
    match runs.make(todo) {
        Ok(Poll::Ready(answer)) => working.finish(runs, Ok(answer)),
        Err(error) => working.finish(runs, Err(error)),
        Ok(Poll::Pending) => {
            tokio::spawn(async move {
                let made = poll_fn(|cx: &mut Context<'_>| runs.poll(cx.waker())).await;
                working.finish(runs, made);
            });
        }
    }
    Ok(())
}

/// A call that was begun.
struct Job {
    seq: u64,
    came: Instant,
    begun: Instant,
    /// What it takes.
    _share: Share,
}

/// A call that takes its time. However it ends, it is answered.
struct Working {
    session: Arc<Session>,
    job: Option<Job>,
}

impl Working {
    fn finish(mut self, runs: Runs, made: Result<Answer>) {
        self.end(Some(runs), made);
    }

    fn end(&mut self, runs: Option<Runs>, made: Result<Answer>) {
        let (Ok(calls), Some(job)) = (self.session.calls(), self.job.take()) else { return };
        let mut state = calls.lock();
        (state.runs, state.busy) = (runs, false);
        calls.answer(&mut state, &job, made);
        drop(state);
        calls.finished.notify_one();
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        // It panicked, or its thread is gone.
        self.end(None, Err(broken()));
    }
}

/// A call that did not come back has what runs in the session.
fn broken() -> Error {
    let message = "a call did not come back, and with it what ran in the session";
    Error::new(detail::NODE_PANICKED, message)
}

/// What is said in place of an error that there is no room for.
pub(super) fn no_room() -> Error {
    let message = "it failed, and the server has no room to keep why";
    Error::new(detail::REMOTE_LIMIT, message)
}

/// The client has got answers, and does not say so.
pub(super) fn unacknowledged() -> Error {
    let message = "too many answers have not been acknowledged";
    Error::new(detail::REMOTE_LIMIT, message).with_hint("say in 'answered' which answers have come")
}

impl Calls {
    /// Keeps an answer until the client has it.
    fn answer(&self, state: &mut State, job: &Job, made: Result<Answer>) {
        let mut keep = |answer, bytes| {
            let (node_ns, queue_ns) = (nanos(job.begun.elapsed()), nanos(job.begun - job.came));
            state.answers.keep(down::Answer { seq: job.seq, node_ns, queue_ns, ..answer }, bytes)
        };
        let kept = made.and_then(|answer| {
            let answer = answer_to_wire(&answer);
            let bytes = answer.encoded_len();
            if bytes > self.most {
                return Err(too_large("what the node gives", bytes as u64, self.most));
            }
            keep(answer, bytes)
        });
        if let Err(error) = kept {
            let error = Some(failure::to_wire(&error));
            let answer = down::Answer { error, ..down::Answer::default() };
            let bytes = answer.encoded_len();
            if keep(answer, bytes).is_err() {
                // There is no room for what it says; what takes nothing is always kept.
                let error = Some(failure::to_wire(&no_room()));
                let _ = keep(down::Answer { error, ..down::Answer::default() }, 0);
            }
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
