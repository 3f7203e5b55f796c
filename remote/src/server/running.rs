//! A pipeline that runs here for a client: commands come in, outputs go out, each side numbered, and each
//! no further than the other allows.
//!
//! A task of the session's own drives it, and streams only bring and tell: so a client hears of the server
//! while nodes work, and a stream that breaks stops nothing. What a broken stream did not bring to its end,
//! the client brings again: a command counts as come only when it is done, and an output is kept until the
//! client has it.

use super::budget::{Budget, Share};
use super::kept::{Kept, Numbered};
use super::session::{Opening, Session, Work, check_protocol};
use super::sessions::Limits;
use super::whole;
use crate::parts::part_size;
use crate::v1::stream_pipeline_request::{self as up, command::Command as Wire};
use crate::v1::stream_pipeline_response::{self as down, Response as Say};
use crate::{failure, wire};
use prost::Message;
use remotemedia_core::engine::{Engine, Pipeline};
use remotemedia_core::error::{Error, Result, detail};
use remotemedia_core::packet::{Packet, Pool};
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Pushes that may wait to be done.
pub(super) const CREDIT: usize = 64;
/// Commands of all kinds that may wait.
const MOST_COMMANDS: usize = 1024;
/// Errors of commands that a stream may not have told of before it takes more commands; and all that are kept:
/// those that wait may fail, too, and the one at work.
const MOST_UNTOLD: usize = CREDIT;
pub(super) const MOST_REFUSED: usize = MOST_UNTOLD + MOST_COMMANDS + 1;
/// Outputs that a client may allow beyond those that it says it has.
const MOST_OUTPUTS: u64 = 4096;
/// Things that are done, or said, before others have their turn.
pub(super) const BATCH: usize = 16;

/// A pipeline, and how far it has come.
pub(super) struct Running {
    pub(super) pipeline: Pipeline,
    pub(super) pool: Pool,
    /// Outputs that have more bytes go in parts of so many; 0: all go whole.
    pub(super) part_bytes: usize,
    /// Bytes of an output at most.
    pub(super) most: usize,
    /// What the errors of commands take.
    pub(super) budget: Budget,
    state: Mutex<State>,
}

pub(super) struct State {
    /// Commands that wait for their turn.
    pub(super) line: VecDeque<Waiting>,
    /// The last command that has come, and the last that is done.
    pub(super) came: u64,
    pub(super) done: u64,
    /// Pushes before that command are forgotten.
    pub(super) overtaken: u64,
    /// The last output that may be sent.
    pub(super) until: u64,
    /// The last output that there was.
    pub(super) last: u64,
    pub(super) outputs: Kept<down::Output>,
    /// Commands that were not done, the latest, and what each takes.
    pub(super) refused: VecDeque<(down::Done, Share)>,
    pub(super) over: Option<Over>,
    /// Its inputs want something, and nothing else goes on in it.
    pub(super) idle: bool,
    /// The session is over.
    pub(super) closed: bool,
    /// What drives it, and the stream that tells of it.
    pub(super) driver: Option<Waker>,
    pub(super) teller: Option<Waker>,
}

impl Numbered for down::Output {
    fn seq(&self) -> u64 {
        self.seq
    }
}

/// How far a stream has told of it.
#[derive(Default)]
pub(super) struct Told {
    /// The last command that it has said is done.
    pub(super) done: u64,
    /// The last output.
    pub(super) output: u64,
    pub(super) over: bool,
}

/// How it came to its end.
#[derive(Clone)]
pub(super) enum Over {
    Ended,
    Failed(Error),
}

impl Over {
    fn say(&self) -> Say {
        match self {
            Self::Ended => Say::Ended(down::Ended {}),
            Self::Failed(error) => Say::Failed(failure::to_wire(error)),
        }
    }
}

/// A command that has come, and waits for its turn.
pub(super) struct Waiting {
    pub(super) seq: u64,
    pub(super) command: Option<Wire>,
    /// Its packet, once it was read.
    pub(super) packet: Option<(usize, Packet)>,
    _share: Share,
}

impl Waiting {
    /// # Errors
    /// `remote.limit` when the server has no room for it.
    pub(super) fn new(command: up::Command, mut share: Share) -> Result<Self> {
        share.set(command.encoded_len() + size_of::<Self>())?;
        let up::Command { seq, command } = command;
        Ok(Self { seq, command, packet: None, _share: share })
    }

    /// Whether it needs credit, and an interrupt makes the pipeline forget it.
    pub(super) fn is_push(&self) -> bool {
        self.packet.is_some() || matches!(self.command, Some(Wire::Push(_)))
    }

    fn is_interrupt(&self) -> bool {
        matches!(self.command, Some(Wire::Interrupt(_)))
    }
}

/// Opens a session for a pipeline.
///
/// # Errors
/// Everything that is wrong with it; types that are not among `only` are refused.
pub(super) fn open(
    opening: Opening,
    open: &up::Open,
    engine: &Engine,
    only: Option<&[String]>,
    limits: &Limits,
) -> Result<Session> {
    check_protocol(open.protocol)?;
    let pipeline = whole::pipeline(&open.manifest, engine, only)?;
    let state = State {
        line: VecDeque::new(),
        came: 0,
        done: 0,
        overtaken: 0,
        until: open.credit.min(MOST_OUTPUTS),
        last: 0,
        outputs: Kept::new(opening.budget.share()),
        refused: VecDeque::new(),
        over: None,
        idle: false,
        closed: false,
        driver: None,
        teller: None,
    };
    let part_bytes = part_size(open.part_bytes);
    let about = match pipeline.graph().name.as_str() {
        "" => "a pipeline".to_owned(),
        name => format!("the pipeline '{name}'"),
    };
    let running = Running {
        pipeline,
        pool: engine.pool().clone(),
        part_bytes,
        most: limits.most(part_bytes),
        budget: opening.budget.clone(),
        state: Mutex::new(state),
    };
    Ok(Session::new(opening, about, open.heartbeat_ms, Work::Pipeline(running)))
}

impl Session {
    /// Its pipeline.
    ///
    /// # Errors
    /// `remote.protocol` when it runs a node.
    pub(super) fn running(&self) -> Result<&Running> {
        match &self.work {
            Work::Pipeline(running) => Ok(running),
            Work::Calls(_) => {
                Err(wire::wrong("the session is StreamNode's, not StreamPipeline's".to_owned()))
            }
        }
    }
}

impl State {
    /// There may be something to do.
    pub(super) fn wake_driver(&mut self) {
        if let Some(driver) = self.driver.take() {
            driver.wake();
        }
    }

    /// There is something to tell of.
    pub(super) fn wake_teller(&mut self) {
        if let Some(teller) = self.teller.take() {
            teller.wake();
        }
    }

    /// Whether more comes out only when the client allows more.
    fn is_out_of_credit(&self) -> bool {
        self.over.is_none() && self.last >= self.until
    }

    /// Errors of commands that a stream has not told of.
    fn untold(&self, told: &Told) -> impl Iterator<Item = &down::Done> {
        let done = told.done;
        self.refused.iter().map(|(refused, _)| refused).filter(move |refused| refused.seq > done)
    }

    /// The next command.
    pub(super) fn next(&mut self) -> Option<Waiting> {
        loop {
            let next = self.line.pop_front()?;
            // One that was at work when its stream broke came twice.
            if next.seq > self.done {
                return Some(next);
            }
        }
    }

    /// Puts the next command back, unless the client brings it again.
    pub(super) fn put_back(&mut self, waiting: Waiting) {
        let follows = |next: &Waiting| next.seq == waiting.seq + 1;
        if waiting.seq <= self.came && self.line.front().is_none_or(follows) {
            self.line.push_front(waiting);
        }
    }

    pub(super) fn end(&mut self, over: Over) {
        self.over = Some(over);
        self.wake_teller();
    }
}

/// What streams bring, and tell of.
impl Running {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Names of its inputs and outputs.
    pub(super) fn ports(&self) -> (Vec<String>, Vec<String>) {
        let names = |names: &mut dyn Iterator<Item = &str>| names.map(str::to_owned).collect();
        (names(&mut self.pipeline.inputs()), names(&mut self.pipeline.outputs()))
    }

    /// What a client is told that comes back on a stream, having got outputs up to that one; and what is
    /// left to tell.
    pub(super) fn rest(&self, received: u64, is_on: impl FnOnce() -> bool) -> (Vec<Say>, Told) {
        self.allow(0, received);
        let mut state = self.lock();
        if is_on() {
            // What is not done comes again.
            state.line.clear();
            (state.came, state.overtaken) = (state.done, 0);
        }
        let mut say = vec![Say::Attached(down::Attached { received: state.done })];
        // It may have been told of them, or not.
        say.extend(state.refused.iter().map(|(done, _)| Say::Done(done.clone())));
        (say, Told { done: state.done, output: received.min(state.last), over: false })
    }

    /// Allows outputs up to one, and forgets those that the client has got.
    pub(super) fn allow(&self, until: u64, received: u64) {
        let mut state = self.lock();
        let received = received.min(state.last);
        state.outputs.forget(received);
        state.until = state.until.max(until.min(received.saturating_add(MOST_OUTPUTS)));
        state.wake_driver();
    }

    /// Whether more commands may come. No more than may wait, so that the client has to wait; but behind
    /// all that may wait there may be an interrupt, or what allows more outputs.
    ///
    /// # Errors
    /// `remote.limit` when the client sends on, and allows nothing to come out.
    pub(super) fn has_room(&self, told: &Told) -> Result<bool> {
        let state = self.lock();
        // Else errors would be forgotten that nobody has been told of.
        if state.untold(told).nth(MOST_UNTOLD).is_some() {
            return Ok(false);
        }
        let stuck = state.is_out_of_credit();
        if state.line.len() < MOST_COMMANDS {
            let pushes = state.line.iter().filter(|waiting| waiting.is_push()).count();
            return Ok(pushes <= CREDIT || stuck);
        }
        if stuck {
            let message = format!("{MOST_COMMANDS} commands wait, and no more outputs are allowed");
            return Err(Error::new(detail::REMOTE_LIMIT, message).with_hint(
                "allow outputs with 'credit', and push no more than the server has room for",
            ));
        }
        Ok(false)
    }

    /// Whether the client waits for something to be done.
    pub(super) fn is_busy(&self) -> bool {
        let state = self.lock();
        state.done < state.came
    }

    /// Whether it waits for the client: for commands, or to be allowed more outputs.
    pub(super) fn wants(&self) -> bool {
        let state = self.lock();
        state.is_out_of_credit() || state.over.is_none() && state.idle && state.line.is_empty()
    }

    /// Takes a command from a stream, if that `is_on`: the client of another brings it again.
    ///
    /// # Errors
    /// `remote.protocol` when it is not the next one.
    pub(super) fn bring(&self, waiting: Waiting, is_on: impl FnOnce() -> bool) -> Result<()> {
        let mut state = self.lock();
        if !is_on() || waiting.seq <= state.came {
            return Ok(());
        }
        if waiting.seq != state.came + 1 {
            return Err(wire::wrong(format!("command {} after {}", waiting.seq, state.came)));
        }
        state.came = waiting.seq;
        if waiting.is_interrupt() {
            state.overtaken = waiting.seq;
        }
        state.line.push_back(waiting);
        state.wake_driver();
        Ok(())
    }

    /// What a stream has not told of yet, if that `is_on`.
    pub(super) fn poll_news(
        &self,
        cx: &mut Context<'_>,
        told: &mut Told,
        is_on: impl FnOnce() -> bool,
    ) -> Poll<Vec<Say>> {
        let mut state = self.lock();
        let mut say = Vec::new();
        say.extend(state.untold(told).take(BATCH).cloned().map(Say::Done));
        if say.len() == BATCH
            && let Some(Say::Done(last)) = say.last()
        {
            told.done = last.seq;
            return Poll::Ready(say);
        }
        let refused = state.refused.back().map_or(0, |(refused, _)| refused.seq);
        if state.done > told.done.max(refused) {
            say.push(Say::Done(down::Done { seq: state.done, error: None }));
        }
        told.done = state.done;
        for output in state.outputs.after(told.output).take(BATCH) {
            told.output = output.seq;
            say.push(Say::Output(output.clone()));
        }
        if let (Some(over), false, true) = (&state.over, told.over, told.output >= state.last) {
            told.over = true;
            say.push(over.say());
        }
        if !say.is_empty() {
            return Poll::Ready(say);
        }
        if is_on() {
            state.teller = Some(cx.waker().clone());
        }
        Poll::Pending
    }
}
