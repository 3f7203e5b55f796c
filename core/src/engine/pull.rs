//! Packets out of a pipeline, and what drives it meanwhile.

use super::answer::{Pull, Reason, interrupted};
use super::inside;
use super::pipeline::Pipeline;
use super::runner::Drive;
use crate::error::Result;
use crate::packet::Packet;
use std::sync::atomic::Ordering;
use std::time::Duration;

impl Pipeline {
    /// Pulls the next packet of any output, in the order in which they were emitted. Waits up to
    /// `timeout` where something other than the caller can still bring one: a ticket, or another
    /// thread that runs the pipeline.
    ///
    /// # Errors
    /// Once the pipeline is over: why. After a failure the packets from before it come first.
    pub fn pull(&self, timeout: Duration) -> Result<Pull<'_>> {
        self.pull_until(None, Some(timeout))
    }

    /// As [`pull`](Self::pull), from one output.
    ///
    /// # Errors
    /// As `pull`; also when there is no such output.
    pub fn pull_from(&self, output: &str, timeout: Duration) -> Result<Pull<'_>> {
        self.pull_until(Some(self.output_index(output)?), Some(timeout))
    }

    /// As [`pull`](Self::pull), from the output of that index.
    ///
    /// # Errors
    /// As `pull`; also when there is no such output.
    pub fn pull_at(&self, output: usize, timeout: Duration) -> Result<Pull<'_>> {
        if output >= self.shared.output_names.len() {
            return Err(self.no_port("output", output));
        }
        self.pull_until(Some(output), Some(timeout))
    }

    /// Pulls without waiting.
    ///
    /// # Errors
    /// As [`pull`](Self::pull).
    pub fn try_pull(&self) -> Result<Pull<'_>> {
        self.pull(Duration::ZERO)
    }

    pub(super) fn pull_until(
        &self,
        which: Option<usize>,
        timeout: Option<Duration>,
    ) -> Result<Pull<'_>> {
        let mut deadline = None;
        loop {
            let seen = self.shared.wait.seen();
            match self.pull_now(which)? {
                Pull::Idle(reason @ (Reason::InFlight(_) | Reason::Due(_) | Reason::Busy)) => {
                    if timeout == Some(Duration::ZERO) {
                        return Ok(Pull::Idle(reason));
                    }
                    // The clock is read only once there is something to wait for.
                    let begin = |time| self.shared.scheduler.clock.after(time);
                    deadline = deadline.or_else(|| timeout.and_then(begin));
                    if !self.shared.wait_until(seen, deadline) {
                        return Ok(Pull::Idle(reason));
                    }
                }
                pulled => return Ok(pulled),
            }
        }
    }

    /// Pulls without waiting, from the output of that index or any.
    pub(crate) fn pull_now(&self, which: Option<usize>) -> Result<Pull<'_>> {
        let shared = &*self.shared;
        inside::check(shared)?;
        if let Some(pull) = self.take_output(which) {
            return Ok(pull);
        }
        let state = shared.life.state();
        let reason = match shared.over(state) {
            None => self.drive(Drive::Until(which), which),
            Some(_) => Reason::Busy,
        };
        if let Some(pull) = self.take_output(which) {
            return Ok(pull);
        }
        if let Some(error) = shared.over(shared.life.state()) {
            return Err(error);
        }
        let outputs = shared.outputs();
        let ended = match which {
            Some(index) => outputs.list[index].ended && outputs.list[index].queue.is_empty(),
            None => {
                shared.finished.load(Ordering::Acquire)
                    && outputs.list.iter().all(|o| o.queue.is_empty())
            }
        };
        Ok(if ended { Pull::End } else { Pull::Idle(reason) })
    }

    /// Runs what can run on this thread, lets sources run that workers drive, and says why nothing
    /// goes on.
    pub(super) fn drive(&self, drive: Drive, which: Option<usize>) -> Reason {
        let shared = &*self.shared;
        if !shared.started.load(Ordering::Relaxed) {
            shared.start();
        }
        loop {
            let seen = shared.wait.seen();
            if !shared.run(drive) {
                return Reason::Busy;
            }
            match shared.reason(which) {
                Reason::Busy => return Reason::Busy,
                // A worker may have left something for this thread after it had looked.
                reason if shared.segments.len() > 1 && shared.wait.seen() != seen => {
                    if shared.has_output(which) {
                        return reason;
                    }
                }
                Reason::Need(_) | Reason::Full(_) if shared.relieve() => {}
                reason => return reason,
            }
        }
    }

    pub(super) fn take_output(&self, which: Option<usize>) -> Option<Pull<'_>> {
        let shared = &*self.shared;
        let mut held = shared.outputs();
        // Read under the lock: who begins an epoch goes through the outputs afterwards.
        let epochs = shared.life.epochs();
        let (outputs, bin) = held.parts();
        let mut next = None;
        for (index, output) in outputs.list.iter_mut().enumerate() {
            if which.is_some_and(|w| w != index) {
                continue;
            }
            if output.queue.front().is_some_and(|q| epochs.forget(q.epoch, output.hit)) {
                let link = &shared.links[shared.output_link(index)];
                output.queue.forget(epochs, output.hit, link, bin);
            }
            if let Some(front) = output.queue.front()
                && next.is_none_or(|(seq, _)| front.seq < seq)
            {
                next = Some((front.seq, index));
            }
        }
        let (_, index) = next?;
        let output = &mut outputs.list[index];
        let queued = output.queue.pop(&shared.links[shared.output_link(index)])?;
        output.pulled = queued.packet.pts().or(output.pulled);
        // Written under this lock alone.
        let blocked = &shared.blocked[index];
        let freed = blocked.load(Ordering::Relaxed) && !output.queue.level.blocks();
        if freed {
            blocked.store(false, Ordering::Relaxed);
        }
        drop(held);
        if freed {
            shared.wake(shared.feeder(index));
        }
        Some(Pull::Packet(&shared.output_names[index], queued.packet))
    }

    /// Why an input stays full: what would make room. Drives no sources.
    ///
    /// # Errors
    /// When called from inside a node.
    pub fn why_full(&self) -> Result<Reason> {
        let shared = &*self.shared;
        inside::check(shared)?;
        Ok(match shared.run(Drive::Pushed) {
            true => shared.reason(None),
            false => Reason::Busy,
        })
    }

    /// Runs whatever can run, sources included, until the outputs are full or there is nothing
    /// left to do. Pulls nothing. Says why it stopped: `Busy` while workers run. A simulated engine
    /// runs what is ready on all its pipelines; its time does not move.
    ///
    /// # Errors
    /// Once the pipeline is over: why.
    pub fn advance(&self) -> Result<Reason> {
        let shared = &*self.shared;
        inside::check(shared)?;
        let mut reason = self.drive(Drive::All, None);
        while shared.scheduler.step() {
            reason = self.drive(Drive::All, None);
        }
        match shared.over(shared.life.state()) {
            Some(error) => Err(error),
            None => Ok(reason),
        }
    }

    /// Ends all inputs, pulls everything to the end and hands it to `each`, with the output's name.
    ///
    /// # Errors
    /// Why the pipeline failed, or the error that `each` gave; the pipeline then stays as it is.
    pub fn run(&self, mut each: impl FnMut(&str, Packet) -> Result<()>) -> Result<()> {
        self.end()?;
        loop {
            match self.pull_until(None, None)? {
                Pull::Packet(output, packet) => each(output, packet)?,
                Pull::End => return Ok(()),
                Pull::Idle(reason) => return Err(interrupted(reason)),
            }
        }
    }
}
