//! Async forms. They need no runtime: any executor that polls futures will do.

use super::answer::{Pull, PushError, Reason, interrupted};
use super::pipeline::Pipeline;
use super::push::Room;
use super::time::Instant;
use crate::error::Result;
use crate::packet::Packet;
use std::future::{Future, poll_fn};
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};

impl Pipeline {
    /// Wakes `waker` once, at the next change of anything: an output, an event, room, the end.
    /// Ask first, then look: what came in between is not missed.
    pub fn wake_on_change(&self, waker: &Waker) {
        self.register(waker);
    }

    fn register(&self, waker: &Waker) {
        let shared = &*self.shared;
        shared.wait.register(waker);
        // From now on somebody has to watch the time for the calling threads.
        shared.watched.store(true, Ordering::SeqCst);
        if let Some(segment) = shared.inline
            && let Some(due) = shared.segments[segment].rest.due()
        {
            shared.arm(segment, due);
        }
    }

    /// Number of changes so far; see [`wait_for_change`](Self::wait_for_change).
    pub fn changes(&self) -> u64 {
        self.shared.wait.seen()
    }

    /// Blocks until something has changed since `seen`, or until the deadline (`None`: for ever).
    /// False when the deadline came first. Read [`changes`](Self::changes), look, then wait.
    pub fn wait_for_change(&self, seen: u64, deadline: Option<Instant>) -> bool {
        let left = |at: Instant| at.saturating_duration_since(Instant::now());
        let deadline = deadline.and_then(|at| self.shared.scheduler.clock.after(left(at)));
        self.shared.wait_until(seen, deadline)
    }

    /// Whether a packet or an event waits to be pulled.
    pub fn has_news(&self) -> bool {
        self.shared.has_output(None) || self.shared.has_event()
    }

    /// As [`pull`](Pipeline::pull), but waits without blocking the thread, for as long as
    /// something other than the caller can bring a packet. Dropping the future loses nothing.
    ///
    /// # Errors
    /// As `pull`.
    pub fn pull_async(&self) -> impl Future<Output = Result<Pull<'_>>> {
        poll_fn(|cx| self.poll_pull(cx))
    }

    /// [`pull_async`](Self::pull_async) as a poll function, for streams of one's own.
    pub fn poll_pull(&self, cx: &mut Context<'_>) -> Poll<Result<Pull<'_>>> {
        self.register(cx.waker());
        match self.pull_now(None) {
            Ok(Pull::Idle(Reason::InFlight(_) | Reason::Due(_) | Reason::Busy)) => Poll::Pending,
            pulled => Poll::Ready(pulled),
        }
    }

    /// Pushes into the only input; while the input is full because a ticket or another thread
    /// still has to make room, waits without blocking the thread. A future that is dropped before
    /// it is ready has pushed nothing; the packet goes with it.
    ///
    /// # Errors
    /// As [`push`](Pipeline::push): `Full` where only pulling would help.
    pub async fn push_async(&self, packet: impl Into<Packet>) -> Result<(), PushError> {
        let (mut waiting, epoch) = (Some(packet.into()), self.epoch());
        poll_fn(|cx| {
            let Some(mut packet) = waiting.take() else {
                unreachable!("a ready future is not polled again")
            };
            self.register(cx.waker());
            loop {
                let seen = self.shared.wait.seen();
                // Before it is pushed again: what an interrupt has made room for is the new epoch's.
                if self.has_forgotten(0, epoch) {
                    return Poll::Ready(Err(PushError::Interrupted(packet)));
                }
                packet = match self.push(packet) {
                    Err(PushError::Full(packet)) => packet,
                    pushed => return Poll::Ready(pushed),
                };
                match self.room(seen) {
                    Room::MayCome => {
                        waiting = Some(packet);
                        return Poll::Pending;
                    }
                    Room::HasCome => {}
                    Room::None => return Poll::Ready(Err(PushError::Full(packet))),
                }
            }
        })
        .await
    }

    /// Ends all inputs, pulls everything to the end and hands it to `each`.
    ///
    /// # Errors
    /// As [`run`](Pipeline::run).
    pub async fn run_async(&self, mut each: impl FnMut(&str, Packet) -> Result<()>) -> Result<()> {
        self.end()?;
        loop {
            match self.pull_async().await? {
                Pull::Packet(output, packet) => each(output, packet)?,
                Pull::End => return Ok(()),
                Pull::Idle(reason) => return Err(interrupted(reason)),
            }
        }
    }
}
