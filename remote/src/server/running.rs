//! A pipeline that runs here for a client: commands come in, outputs go out, each side numbered, and each
//! no further than the other allows.
//!
//! What a broken stream did not bring to its end, the client brings again: a command counts as come only
//! when it is done, and an output is kept until the client has it.

use super::budget::Share;
use super::session::{Opening, Session, Work, check_protocol};
use super::sessions::Limits;
use super::whole;
use crate::parts::{part_size, too_large};
use crate::v1::PortPacket;
use crate::v1::stream_pipeline_request::{self as up, command::Command as Wire};
use crate::v1::stream_pipeline_response::{self as down, Response as Say};
use crate::{failure, wire};
use prost::Message;
use remotemedia_core::engine::{Engine, Pipeline, Pull, PushError};
use remotemedia_core::error::{Error, Result};
use remotemedia_core::packet::{Packet, Pool};
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

/// Pushes that may wait to be done.
pub(super) const CREDIT: usize = 64;
/// Commands of all kinds that may wait.
pub(super) const MOST_COMMANDS: usize = 1024;
/// Outputs that a client may allow beyond those that it says it has.
const MOST_OUTPUTS: u64 = 4096;
/// Things that are said before what comes is looked at again.
const BATCH: usize = 16;

/// A pipeline, and how far it has come.
pub(super) struct Running {
    pipeline: Pipeline,
    pool: Pool,
    /// Outputs that have more bytes go in parts of so many; 0: all go whole.
    pub(super) part_bytes: usize,
    /// Bytes of an output at most.
    most: usize,
    /// Whose turn it is to drive it: a stream that was replaced may still be at it.
    turn: Mutex<()>,
    state: Mutex<State>,
}

struct State {
    /// The last command that is done.
    done: u64,
    /// The last output that may be sent.
    until: u64,
    /// The last output that there was.
    last: u64,
    /// What the client may not have got.
    outputs: VecDeque<(down::Output, usize)>,
    share: Share,
    /// Commands that were not done, the latest.
    refused: VecDeque<down::Done>,
    over: Option<Over>,
}

/// How far a stream has told of it.
#[derive(Default)]
pub(super) struct Told {
    /// The last output.
    pub(super) output: u64,
    pub(super) over: bool,
}

/// How it came to its end.
#[derive(Clone)]
enum Over {
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
    seq: u64,
    command: Option<Wire>,
    /// Its packet, once it was read.
    packet: Option<(usize, Packet)>,
    _share: Share,
    forgotten: bool,
}

impl Waiting {
    /// # Errors
    /// `remote.limit` when the server has no room for it.
    pub(super) fn new(command: up::Command, mut share: Share) -> Result<Self> {
        share.set(command.encoded_len() + size_of::<Self>())?;
        let up::Command { seq, command } = command;
        Ok(Self { seq, command, packet: None, _share: share, forgotten: false })
    }

    /// Whether it needs credit.
    pub(super) fn is_push(&self) -> bool {
        self.packet.is_some() || matches!(self.command, Some(Wire::Push(_)))
    }

    /// Whether it makes the pipeline forget what waits before it.
    pub(super) fn overtakes(&self) -> bool {
        matches!(self.command, Some(Wire::Interrupt(_)))
    }

    /// It is not to be done any more, if it is one of those that an interrupt forgets.
    pub(super) fn forget(&mut self) {
        self.forgotten |= self.is_push();
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
    let (outputs, share) = (VecDeque::new(), opening.budget.share());
    let until = open.credit.min(MOST_OUTPUTS);
    let refused = VecDeque::new();
    let state = State { done: 0, until, last: 0, outputs, share, refused, over: None };
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
        turn: Mutex::new(()),
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

impl Running {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nothing more comes out.
    pub(super) fn is_over(&self) -> bool {
        self.lock().over.is_some()
    }

    /// Names of its inputs and outputs.
    pub(super) fn ports(&self) -> (Vec<String>, Vec<String>) {
        let names = |names: &mut dyn Iterator<Item = &str>| names.map(str::to_owned).collect();
        (names(&mut self.pipeline.inputs()), names(&mut self.pipeline.outputs()))
    }

    /// What a client is told that comes back, having got outputs up to that one.
    pub(super) fn rest(&self, received: u64) -> Vec<Say> {
        self.allow(0, received);
        let state = self.lock();
        let mut say = vec![Say::Attached(down::Attached { received: state.done })];
        // It may have been told of them, or not.
        say.extend(state.refused.iter().cloned().map(Say::Done));
        say
    }

    /// Allows outputs up to one, and forgets those that the client has got.
    pub(super) fn allow(&self, until: u64, received: u64) {
        let mut state = self.lock();
        let received = received.min(state.last);
        let mut bytes = state.share.bytes();
        while let Some((_, size)) = state.outputs.pop_front_if(|(o, _)| o.seq <= received) {
            bytes -= size;
        }
        // Less is always good.
        let _ = state.share.set(bytes);
        state.until = state.until.max(until.min(received.saturating_add(MOST_OUTPUTS)));
    }

    /// Whether more comes out only when the client allows more.
    pub(super) fn is_out_of_credit(&self) -> bool {
        let state = self.lock();
        state.over.is_none() && state.last >= state.until
    }

    /// Goes on: does commands from the front of the line, takes outputs as far as they are allowed.
    /// Ready with what there is to say on that stream.
    ///
    /// # Errors
    /// `remote.protocol` when a command is not the next one.
    pub(super) fn poll(
        &self,
        cx: &mut Context<'_>,
        line: &mut VecDeque<Waiting>,
        told: &mut Told,
        is_on: impl Fn() -> bool,
    ) -> Poll<Result<Vec<Say>>> {
        self.pipeline.wake_on_change(cx.waker());
        let mut say = Vec::new();
        // The stream before this one may be at work with it: then the next tick comes back here.
        if let Ok(_turn) = self.turn.try_lock() {
            loop {
                if !is_on() {
                    return Poll::Pending;
                }
                let before = say.len();
                if let Some(front) = line.front_mut() {
                    match self.make(front) {
                        Err(error) => return Poll::Ready(Err(error)),
                        Ok(None) => {}
                        Ok(Some(done)) => {
                            line.pop_front();
                            say.push(Say::Done(done));
                        }
                    }
                }
                let taken = self.take(cx, BATCH);
                if say.len() == before && taken == 0 || say.len() + taken >= BATCH {
                    break;
                }
            }
        }
        self.tell(told, &mut say);
        if say.is_empty() { Poll::Pending } else { Poll::Ready(Ok(say)) }
    }

    /// What a stream has not told of yet.
    fn tell(&self, told: &mut Told, say: &mut Vec<Say>) {
        let state = self.lock();
        let new = state.outputs.iter().filter(|(output, _)| output.seq > told.output);
        say.extend(new.map(|(output, _)| Say::Output(output.clone())));
        told.output = state.last.max(told.output);
        if let (Some(over), false) = (&state.over, told.over) {
            told.over = true;
            say.push(over.say());
        }
    }

    /// Does a command. `None`: there is no room for its packet.
    fn make(&self, waiting: &mut Waiting) -> Result<Option<down::Done>> {
        let (seq, done) = (waiting.seq, self.lock().done);
        if seq <= done {
            // It came before.
            return Ok(Some(down::Done { seq: done, error: None }));
        }
        if seq != done + 1 {
            return Err(wire::wrong(format!("command {seq} after {done}")));
        }
        let error = match waiting.forgotten {
            true => None,
            false => match self.carry_out(waiting) {
                Ok(true) => None,
                Ok(false) => return Ok(None),
                Err(error) => Some(failure::to_wire(&error)),
            },
        };
        let done = down::Done { seq, error };
        let mut state = self.lock();
        state.done = seq;
        if done.error.is_some() {
            if state.refused.len() >= CREDIT {
                state.refused.pop_front();
            }
            state.refused.push_back(done.clone());
        }
        Ok(Some(done))
    }

    fn carry_out(&self, waiting: &mut Waiting) -> Result<bool> {
        if let Some(command) = waiting.command.take() {
            match command {
                Wire::Push(PortPacket { port, packet }) => {
                    let port = whole::input(&self.pipeline, &port)?;
                    let packet = wire::from_wire(wire::present(packet)?, &self.pool)?;
                    waiting.packet = Some((port, packet));
                }
                Wire::EndInput(name) if name.is_empty() => self.pipeline.end()?,
                Wire::EndInput(name) => self.pipeline.end_input(&name)?,
                Wire::Interrupt(_) => {
                    self.pipeline.interrupt()?;
                }
                Wire::SetParams(set) => {
                    self.pipeline.set_params(&set.node, &wire::params(&set.params)?)?;
                }
            }
        } else if waiting.packet.is_none() {
            return Err(wire::wrong("a command of nothing, or of something newer".to_owned()));
        }
        let Some((port, packet)) = waiting.packet.take() else { return Ok(true) };
        match self.pipeline.push_at(port, packet) {
            Ok(()) => Ok(true),
            Err(PushError::Full(packet)) => {
                waiting.packet = Some((port, packet));
                Ok(false)
            }
            Err(PushError::Interrupted(_)) => Ok(true),
            Err(refused) => Err(refused.into()),
        }
    }

    /// Takes outputs, at most so many: how many. Nothing is locked while nodes work.
    fn take(&self, cx: &mut Context<'_>, most: usize) -> usize {
        let mut taken = 0;
        while taken < most {
            {
                let mut state = self.lock();
                if state.over.is_some() {
                    return taken;
                }
                if state.last >= state.until {
                    // That nothing more comes needs no credit.
                    if self.pipeline.is_finished() && !self.pipeline.has_news() {
                        state.over = Some(Over::Ended);
                    }
                    return taken;
                }
            }
            let pulled = self.pipeline.poll_pull(cx);
            let mut state = self.lock();
            let over = match pulled {
                Poll::Ready(Ok(Pull::Packet(name, packet))) => {
                    match self.keep(&mut state, name, &packet) {
                        Ok(()) => {
                            taken += 1;
                            continue;
                        }
                        Err(error) => Over::Failed(error),
                    }
                }
                Poll::Ready(Ok(Pull::End)) => Over::Ended,
                Poll::Ready(Err(error)) => Over::Failed(error),
                Poll::Ready(Ok(Pull::Idle(_))) | Poll::Pending => return taken,
            };
            state.over = Some(over);
        }
        taken
    }

    /// Keeps an output until the client has it.
    fn keep(&self, state: &mut State, name: &str, packet: &Packet) -> Result<()> {
        let packet = Some(wire::to_wire(packet));
        let packet = Some(PortPacket { port: name.to_owned(), packet });
        let output = down::Output { seq: state.last + 1, packet };
        let bytes = output.encoded_len();
        if bytes > self.most {
            return Err(too_large("what the pipeline gives", bytes as u64, self.most));
        }
        let held = state.share.bytes();
        state.share.set(held + bytes)?;
        state.last += 1;
        state.outputs.push_back((output, bytes));
        Ok(())
    }
}
