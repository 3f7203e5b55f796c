//! Packets into a pipeline.

use super::answer::{PushError, Reason};
use super::event::Event;
use super::input::Placed;
use super::inside;
use super::life::State;
use super::pipeline::{Pipeline, ended};
use super::queue::Queued;
use super::runner::Drive;
use super::stats::DropReason;
use super::ticks;
use crate::error::{Error, Result, detail};
use crate::packet::{MediaTime, Packet};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Whether an input that was full takes more without the caller's help.
pub(super) enum Room {
    /// Something is at work that may make room.
    MayCome,
    /// Something has been at work since.
    HasCome,
    /// Only the caller can help.
    None,
}

impl Pipeline {
    /// Pushes a packet into the only input.
    ///
    /// # Errors
    /// As [`push_to`](Self::push_to).
    pub fn push(&self, packet: impl Into<Packet>) -> Result<(), PushError> {
        let packet = packet.into();
        match self.only_input() {
            Ok(index) => self.push_index(index, packet),
            Err(error) => Err(PushError::Refused(packet, error)),
        }
    }

    /// Pushes a packet into an input and works it through the nodes as far as the outputs have
    /// room. Never waits: a full input refuses the packet at once (`try_push` is the same call).
    ///
    /// # Errors
    /// [`PushError`]; the packet comes back unless it was taken.
    ///
    /// # Real-time
    /// rt-safe after warm-up if all nodes are, except where another thread holds the input's or
    /// outputs' lock for the moment of handing over a packet.
    pub fn push_to(&self, input: &str, packet: impl Into<Packet>) -> Result<(), PushError> {
        let packet = packet.into();
        match self.input_index(input) {
            Ok(index) => self.push_index(index, packet),
            Err(error) => Err(PushError::Refused(packet, error)),
        }
    }

    /// The same as [`push`](Self::push), which never waits.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn try_push(&self, packet: impl Into<Packet>) -> Result<(), PushError> {
        self.push(packet)
    }

    /// As [`push_to`](Self::push_to), into the input of that index.
    ///
    /// # Errors
    /// As `push_to`.
    pub fn push_at(&self, input: usize, packet: Packet) -> Result<(), PushError> {
        match self.shared.graph.inputs.len() {
            inputs if input < inputs => self.push_index(input, packet),
            _ => Err(PushError::Refused(packet, self.no_port("input", input))),
        }
    }

    /// As [`push_at`](Self::push_at), and waits up to `timeout` for room, where something other than
    /// the caller can still make it: workers, a ticket, a timer.
    ///
    /// # Errors
    /// As `push_at`; `Interrupted` when an interrupt or reset came meanwhile that hits the input.
    pub fn push_within(
        &self,
        input: usize,
        packet: Packet,
        timeout: Duration,
    ) -> Result<(), PushError> {
        let deadline = self.shared.scheduler.clock.after(timeout);
        let (epoch, mut packet) = (self.epoch(), packet);
        loop {
            let seen = self.shared.wait.seen();
            packet = match self.push_at(input, packet) {
                Err(PushError::Full(packet)) => packet,
                pushed => return pushed,
            };
            let waited = match self.room(seen) {
                Room::MayCome => self.shared.wait_until(seen, deadline),
                Room::HasCome => !timeout.is_zero(),
                Room::None => false,
            };
            // Before it is pushed again: what an interrupt has made room for is the new epoch's.
            if self.has_forgotten(input, epoch) {
                return Err(PushError::Interrupted(packet));
            }
            if !waited {
                return Err(PushError::Full(packet));
            }
        }
    }

    /// What becomes of an input that was full; so many changes had there been before that was seen.
    pub(super) fn room(&self, seen: u64) -> Room {
        match self.why_full() {
            Ok(Reason::InFlight(_) | Reason::Due(_) | Reason::Busy) => Room::MayCome,
            // Nothing is at work any more, and what was has made room.
            Ok(Reason::Need(_)) if self.shared.wait.seen() != seen => Room::HasCome,
            _ => Room::None,
        }
    }

    /// The epoch: how many resets and interrupts there have been.
    pub fn epoch(&self) -> u32 {
        self.shared.life.epochs().now
    }

    /// Whether an interrupt or reset since that epoch has made the pipeline forget what came to an
    /// input.
    pub fn has_forgotten(&self, input: usize, epoch: u32) -> bool {
        let graph = &self.shared.graph;
        let hit = graph.inputs.get(input).is_some_and(|i| graph.nodes[i.port.node].hit);
        self.shared.life.epochs().forget(epoch, hit)
    }

    pub(super) fn push_index(&self, index: usize, mut packet: Packet) -> Result<(), PushError> {
        let shared = &*self.shared;
        if let Err(error) = inside::check(shared) {
            return Err(PushError::Refused(packet, error));
        }
        let way = shared.ways[index];
        let inline = shared.inline == Some(way.to);
        if inline {
            shared.segments[way.to].footprint.call();
        }
        let mut made_room = !inline;
        let mut entry = loop {
            if let Some(error) = shared.over(shared.life.state()) {
                return Err(PushError::Refused(packet, error));
            }
            let entry = shared.entry_now(index);
            if entry.ended {
                let name = &*shared.graph.inputs[index].name;
                return Err(PushError::Refused(packet, ended(name)));
            }
            if !entry.queue.level.blocks() {
                break entry;
            }
            drop(entry);
            if made_room {
                return Err(PushError::Full(packet));
            }
            made_room = true;
            shared.run(Drive::Pushed);
        };
        if shared.pool.live_bytes() > shared.memory_limit {
            let limit = shared.memory_limit;
            let error = Error::new(
                detail::LIMIT_MEMORY,
                format!("packets hold more than the engine's memory limit of {limit} bytes"),
            )
            .with_hint("release results, or raise the engine's memory limit");
            return Err(PushError::Refused(packet, error));
        }
        let stats = &shared.links[way.link];
        let placed = match &mut entry.input {
            Some(input) => input.admit(&mut packet, stats),
            None => Ok(Placed::InTime),
        };
        match placed {
            Ok(Placed::InTime) => {}
            Ok(Placed::Jump(expected, found)) => {
                let input = shared.graph.inputs[index].name.as_str().into();
                shared.event(Event::Discontinuity { input, expected, found });
            }
            Ok(Placed::Dropped) => {
                drop(entry);
                shared.drop_event(way.link, DropReason::Late, 1);
                shared.tell();
                return Ok(());
            }
            Err(error) => return Err(PushError::Refused(packet, error)),
        }
        let (stamp, epochs) = (ticks::now(), entry.epochs);
        // The direct way: nothing waits here and nobody has the turn, so the packet need not queue.
        if inline
            && entry.queue.is_empty()
            && let Some(mut guard) = shared.segments[way.to].turn.enter()
        {
            if let Some(nth) = guard.with(|runner| runner.can_take(shared, index, epochs)) {
                entry.queue.pass(&packet, stats);
                drop(entry);
                guard.with(|runner| runner.take(shared, nth, packet, stamp));
                shared.run_with(guard, Drive::Pushed);
                return self.pushed();
            }
            // What others asked for in between is done by the run below.
            drop(guard);
        }
        let seq = shared.arrivals.fetch_add(1, Ordering::Relaxed);
        let queued = Queued { packet, epoch: epochs.now, stamp, since: stamp, seq };
        let dropped = shared.enqueue(index, &mut entry, queued);
        drop(entry);
        if let Some(reason) = dropped {
            shared.drop_event(way.link, reason, 1);
        }
        if inline {
            shared.run(Drive::Pushed);
        } else {
            shared.wake(way.to);
        }
        self.pushed()
    }

    /// What a push came to whose packet was taken.
    pub(super) fn pushed(&self) -> Result<(), PushError> {
        self.shared.tell();
        match self.shared.life.state() {
            State::Failed => {
                let error = self.shared.over(State::Failed);
                Err(PushError::Failed(error.expect("a failed pipeline has an error")))
            }
            _ => Ok(()),
        }
    }

    /// Says that nothing before `until` will come into an input: what waits for it at a join goes on.
    /// A packet that is pushed afterwards without a time begins there, after a break.
    ///
    /// # Errors
    /// When there is no such input, or it has ended; once the pipeline is over: why.
    pub fn gap(&self, input: &str, until: MediaTime) -> Result<()> {
        let index = self.input_index(input)?;
        let shared = &*self.shared;
        inside::check(shared)?;
        if let Some(error) = shared.over(shared.life.state()) {
            return Err(error);
        }
        let mut entry = shared.entry_now(index);
        if entry.ended {
            return Err(ended(input));
        }
        if !entry.input.as_mut().is_some_and(|input| input.advance(until)) {
            return Ok(());
        }
        let to = shared.ways[index].to;
        let new = entry.gap.replace(until).is_none();
        shared.segments[to].backlog.fetch_add(usize::from(new), Ordering::AcqRel);
        drop(entry);
        match shared.inline == Some(to) {
            true => _ = shared.run(Drive::Pushed),
            false => shared.wake(to),
        }
        shared.tell();
        match shared.life.state() {
            State::Failed => Err(shared.over(State::Failed).expect("it has an error")),
            _ => Ok(()),
        }
    }
}
