//! What drives a pipeline that runs for a client: commands are done in their order, outputs taken as far as
//! they are allowed.

use super::budget::Share;
use super::calls::no_room;
use super::running::{BATCH, MOST_REFUSED, Over, Running, State, Waiting};
use super::session::Session;
use super::sessions::Sessions;
use super::whole;
use crate::parts::too_large;
use crate::v1::PortPacket;
use crate::v1::stream_pipeline_request::command::Command as Wire;
use crate::v1::stream_pipeline_response as down;
use crate::{failure, v1, wire};
use prost::Message;
use remotemedia_core::engine::{Pull, PushError};
use remotemedia_core::error::{Error, Result, detail};
use remotemedia_core::packet::Packet;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Drives the pipeline of a session until that is over.
pub(super) async fn drive(session: Arc<Session>, sessions: Sessions) {
    let Ok(running) = session.running() else { return };
    let _broken = Broken(running);
    let failed = |seq, why: &str| sessions.note_call(&session, seq, why);
    poll_fn(|cx| blocking(|| running.step(cx, &failed))).await;
}

/// Says that a pipeline is not driven any more.
struct Broken<'a>(&'a Running);

impl Drop for Broken<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        if !state.closed && state.over.is_none() {
            let message = "what drives the pipeline did not come back";
            state.end(Over::Failed(Error::new(detail::NODE_PANICKED, message)));
        }
    }
}

/// Nodes may work in it: where there are other threads, connections that this one looks after go on
/// there.
fn blocking<T>(work: impl FnOnce() -> T) -> T {
    match tokio::runtime::Handle::current().runtime_flavor() {
        tokio::runtime::RuntimeFlavor::MultiThread => tokio::task::block_in_place(work),
        _ => work(),
    }
}

impl Running {
    /// The session is over: nothing more is done.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.wake_driver();
        drop(state);
        self.pipeline.cancel();
    }

    /// Does commands from the front of the line, and takes outputs as far as they are allowed. Ready when
    /// the session is over.
    fn step(&self, cx: &mut Context<'_>, failed: &dyn Fn(u64, &str)) -> Poll<()> {
        self.pipeline.wake_on_change(cx.waker());
        // Nobody here asks for what else there is to know.
        while self.pipeline.event().is_some() {}
        self.lock().driver = Some(cx.waker().clone());
        for _ in 0..BATCH {
            let next = {
                let mut state = self.lock();
                if state.closed {
                    return Poll::Ready(());
                }
                state.next()
            };
            let made = next.is_some_and(|next| self.make(next, failed));
            let took = self.take(cx);
            if !made && !took {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Does a command, or says that it has `failed`. False: there is no room for its packet.
    fn make(&self, mut waiting: Waiting, failed: &dyn Fn(u64, &str)) -> bool {
        let forgotten = waiting.is_push() && waiting.seq < self.lock().overtaken;
        let error = match if forgotten { Ok(true) } else { self.carry_out(&mut waiting) } {
            Ok(true) => None,
            Ok(false) => {
                self.lock().put_back(waiting);
                return false;
            }
            Err(error) => {
                let error = failure::to_wire(&error);
                failed(waiting.seq, &error.message);
                Some(self.kept(waiting.seq, error))
            }
        };
        let mut state = self.lock();
        state.done = waiting.seq;
        // Where its stream has broken meanwhile, it has not come again yet.
        state.came = state.came.max(waiting.seq);
        if let Some(error) = error {
            if state.refused.len() >= MOST_REFUSED {
                state.refused.pop_front();
            }
            state.refused.push_back(error);
        }
        state.wake_teller();
        true
    }

    /// Why a command was not done, to be kept.
    fn kept(&self, seq: u64, error: v1::Error) -> (down::Done, Share) {
        let mut share = self.budget.share();
        let error = match share.set(error.encoded_len()) {
            Ok(()) => error,
            Err(_) => failure::to_wire(&no_room()),
        };
        (down::Done { seq, error: Some(error) }, share)
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

    /// Takes an output. False: there is none, or none is allowed. Nothing is locked while nodes work.
    fn take(&self, cx: &mut Context<'_>) -> bool {
        {
            let mut state = self.lock();
            if state.over.is_some() {
                return false;
            }
            if state.last >= state.until {
                // That nothing more comes needs no credit.
                if self.pipeline.is_finished() && !self.pipeline.has_news() {
                    state.end(Over::Ended);
                }
                return false;
            }
            state.idle = false;
        }
        let pulled = self.pipeline.poll_pull(cx);
        let mut state = self.lock();
        let over = match pulled {
            Poll::Ready(Ok(Pull::Packet(name, packet))) => {
                match self.keep(&mut state, name, &packet) {
                    Ok(()) => {
                        state.wake_teller();
                        return true;
                    }
                    Err(error) => {
                        state.end(Over::Failed(error));
                        drop(state);
                        // Nothing more of it is wanted.
                        self.pipeline.cancel();
                        return false;
                    }
                }
            }
            Poll::Ready(Ok(Pull::End)) => Over::Ended,
            Poll::Ready(Err(error)) => Over::Failed(error),
            Poll::Ready(Ok(Pull::Idle(_))) => {
                state.idle = true;
                return false;
            }
            Poll::Pending => return false,
        };
        state.end(over);
        false
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
        state.outputs.keep(output, bytes)?;
        state.last += 1;
        Ok(())
    }
}
