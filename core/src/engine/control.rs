//! A pipeline's life from outside: ends, close, cancel, reset, rewind, live params, events.

use super::answer::{Closed, Closing};
use super::event::{Event, ParamsOutcome};
use super::inside;
use super::life::{Begin, State};
use super::pipeline::Pipeline;
use super::runner::Drive;
use super::shared::lock;
use super::stats::DropReason;
use crate::error::{Error, Result, detail};
use crate::packet::MediaTime;
use serde_json::{Map, Value as Json};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

impl Pipeline {
    /// Ends all inputs: nothing more will be pushed. The tails come with the next pulls, then the
    /// end.
    ///
    /// # Errors
    /// Once the pipeline is over: why.
    pub fn end(&self) -> Result<()> {
        inside::check(&self.shared)?;
        (0..self.shared.graph.inputs.len()).for_each(|index| self.end_index(index));
        self.settle()
    }

    /// As [`end`](Self::end), and ends the sources too, wherever they are: a run that is to stop
    /// early, with everything that has come so far delivered.
    ///
    /// # Errors
    /// Once the pipeline is over: why.
    pub fn stop(&self) -> Result<()> {
        inside::check(&self.shared)?;
        self.shared.stopping.store(true, Ordering::Release);
        self.shared.start();
        self.shared.wake_workers();
        self.end()
    }

    /// Ends one input. Ending it again does nothing.
    ///
    /// # Errors
    /// When there is no such input; once the pipeline is over: why.
    pub fn end_input(&self, input: &str) -> Result<()> {
        let index = self.input_index(input)?;
        inside::check(&self.shared)?;
        self.end_index(index);
        self.settle()
    }

    /// As [`end_input`](Self::end_input), the input of that index.
    ///
    /// # Errors
    /// As `end_input`.
    pub fn end_at(&self, input: usize) -> Result<()> {
        if input >= self.shared.graph.inputs.len() {
            return Err(self.no_port("input", input));
        }
        inside::check(&self.shared)?;
        self.end_index(input);
        self.settle()
    }

    fn end_index(&self, index: usize) {
        let mut entry = self.shared.entry(index);
        if !std::mem::replace(&mut entry.ended, true) {
            let segment = self.shared.ways[index].to;
            self.shared.segments[segment].backlog.fetch_add(1, Ordering::AcqRel);
            drop(entry);
            self.shared.wake_worker(segment);
        }
    }

    fn settle(&self) -> Result<()> {
        let shared = &*self.shared;
        if let Some(error) = shared.over(shared.life.state()) {
            return Err(error);
        }
        shared.run(Drive::Pushed);
        match shared.life.state() {
            State::Failed => Err(shared.over(State::Failed).expect("it has an error")),
            _ => Ok(()),
        }
    }

    /// Ends all inputs and works everything off, waiting for open tickets up to `timeout`. From
    /// now on a full output drops what comes (`closed`), so that writers on other branches finish.
    /// To get every result: `end`, pull to the end, then `close`.
    ///
    /// # Errors
    /// Once the pipeline is over: why.
    pub fn close(&self, timeout: Duration) -> Result<Closed> {
        let deadline = self.shared.scheduler.clock.after(timeout);
        loop {
            let seen = self.shared.wait.seen();
            if let Closing::Over(closed) = self.close_now()? {
                return Ok(closed);
            }
            if !self.shared.wait_until(seen, deadline) {
                return self.cut();
            }
        }
    }

    /// Begins to close, or goes on with it, without waiting: says how it went, or what it waits for.
    ///
    /// # Errors
    /// Once the pipeline is over: why.
    pub fn close_now(&self) -> Result<Closing> {
        let shared = &*self.shared;
        inside::check(shared)?;
        if let Some(closed) = self.closed() {
            return closed.map(Closing::Over);
        }
        let begins = shared.life.advance(State::Closing);
        if begins {
            shared.event(Event::State(State::Closing));
        }
        {
            // Under the lock, so that the runner does not block an output again that it has looked
            // at before.
            let outputs = shared.outputs();
            let outputs = &shared.blocked[..outputs.list.len()];
            outputs.iter().for_each(|b| b.store(false, Ordering::Relaxed));
        }
        (0..shared.graph.inputs.len()).for_each(|index| self.end_index(index));
        if begins {
            // What an output held back goes on. Once: workers that find nothing to do wake us.
            shared.wake_workers();
        }
        let reason = self.drive(Drive::All, None);
        if let Some(closed) = self.closed() {
            return closed.map(Closing::Over);
        }
        if !shared.finished.load(Ordering::Acquire) {
            return Ok(Closing::Waits(reason));
        }
        self.finish_closing();
        Ok(Closing::Over(Closed::Drained))
    }

    /// Ends a close before everything is worked off: what is left is dropped.
    ///
    /// # Errors
    /// When called from inside a node; why the pipeline failed or was cancelled meanwhile.
    pub fn cut(&self) -> Result<Closed> {
        inside::check(&self.shared)?;
        if let Some(closed) = self.closed() {
            return closed;
        }
        self.finish_closing();
        Ok(Closed::Cut)
    }

    fn finish_closing(&self) {
        let shared = &*self.shared;
        if shared.life.advance(State::Closed) {
            shared.run(Drive::Pushed);
            shared.wake_workers();
            shared.clear_outputs(DropReason::Closed);
            shared.event(Event::State(State::Closed));
            shared.wait.notify();
        }
    }

    /// What a `close` comes to that finds the pipeline over.
    fn closed(&self) -> Option<Result<Closed>> {
        let shared = &*self.shared;
        let error = shared.over(shared.life.state())?;
        Some(match shared.life.state() {
            State::Closed if self.is_finished() => Ok(Closed::Drained),
            State::Closed => Ok(Closed::Cut),
            _ => Err(error),
        })
    }

    /// Stops at once. Never waits: a node that runs on another thread finishes its call, and that
    /// thread lets go of everything.
    pub fn cancel(&self) {
        let shared = &*self.shared;
        if shared.life.advance(State::Cancelled) {
            shared.event(Event::State(State::Cancelled));
            shared.clear_outputs(DropReason::Cancelled);
            // Also from inside a node: whoever has the turn looks again, else no node code runs.
            shared.run(Drive::Control);
            shared.wake_workers();
            shared.wait.notify();
        }
    }

    /// Forgets everything inside, at once: queues, the nodes' state, open tickets. Params, ends
    /// and formats stay; sources that have not ended begin again. Gives the epoch that begins.
    /// Never waits: what was emitted before is never pulled, and a push after it belongs to the
    /// new epoch.
    ///
    /// # Errors
    /// Once the pipeline is over: why.
    pub fn reset(&self) -> Result<u32> {
        inside::check(&self.shared)?;
        self.begin(Begin::Reset, false)
    }

    /// Forgets everything behind where the manifest says (`interrupt: {from: […]}`; without it,
    /// everything), at once: what somebody has heard enough of. Gives the epoch that begins. Never
    /// waits: once it has returned, no pull gives what was emitted before, and a push belongs to the
    /// new epoch. A node that is at work finishes its call, and what comes of it is dropped. Params
    /// and ends stay. One [`Event::Interrupted`] says what was forgotten.
    ///
    /// # Errors
    /// Once the pipeline is over: why.
    pub fn interrupt(&self) -> Result<u32> {
        inside::check(&self.shared)?;
        self.begin(Begin::Interrupt, false)
    }

    fn begin(&self, begin: Begin, rewind: bool) -> Result<u32> {
        let shared = &*self.shared;
        if rewind {
            shared.segments.iter().for_each(|s| s.rewinding.store(true, Ordering::Release));
        }
        let Some(epochs) = shared.begin(begin) else {
            let state = shared.life.state();
            return Err(shared.over(state).expect("only terminal states have no next epoch"));
        };
        for index in 0..shared.entries.len() {
            let mut entry = shared.entry_now(index);
            if rewind {
                (entry.ended, entry.end_taken) = (false, false);
            }
        }
        let mut pulled = Vec::new();
        {
            let mut held = shared.outputs();
            let (outputs, bin) = held.parts();
            for (index, output) in outputs.list.iter_mut().enumerate() {
                let link = &shared.links[shared.output_link(index)];
                output.queue.forget(epochs, output.hit, link, bin);
                // Who was held back goes on below, with all others.
                if !output.queue.level.blocks() {
                    shared.blocked[index].store(false, Ordering::Relaxed);
                }
                pulled.push(output.pulled);
            }
        }
        shared.note_pulled(epochs.now, pulled);
        shared.settle(epochs.now.wrapping_sub(1), epochs.now, 0);
        shared.run(match begin {
            Begin::Interrupt => Drive::Control,
            Begin::Reset => Drive::Pushed,
        });
        shared.wake_workers();
        shared.wait.notify();
        Ok(epochs.now)
    }

    /// Makes a finished pipeline ready for another run: inputs are open again, sources begin at
    /// their start.
    ///
    /// # Errors
    /// `state.not_finished` while it still runs; once the pipeline is over: why.
    pub fn rewind(&self) -> Result<()> {
        let shared = &*self.shared;
        inside::check(shared)?;
        if let Some(error) = shared.over(shared.life.state()) {
            return Err(error);
        }
        if !shared.finished.swap(false, Ordering::AcqRel) {
            let message = "only a pipeline that has come to its end can be rewound";
            return Err(Error::new(detail::STATE_NOT_FINISHED, message)
                .with_hint("end its inputs and pull to the end first"));
        }
        shared.outputs().list.iter_mut().for_each(|output| output.ended = false);
        shared.stopping.store(false, Ordering::Release);
        shared.ended.store(0, Ordering::Release);
        // The inputs open in the new epoch: what comes before it would meet nodes that have ended.
        self.begin(Begin::Reset, true).map(|_| ())
    }

    /// Sets live params of a node, at the next border between two packets. `values` is an object
    /// of those that change. Gives a number; exactly one [`Event::Params`] with it will say what
    /// became of it.
    ///
    /// # Errors
    /// When there is no such node, or a value is not one that can be set now; nothing is set then.
    pub fn set_params(&self, node: &str, values: &Map<String, Json>) -> Result<u64> {
        self.change(node, values, None)
    }

    /// As [`set_params`](Self::set_params), in force from the sample at `at` of the node's input
    /// on: audio is cut there, so that it does not matter how it is chunked.
    ///
    /// # Errors
    /// As `set_params`.
    pub fn set_params_at(
        &self,
        node: &str,
        values: &Map<String, Json>,
        at: MediaTime,
    ) -> Result<u64> {
        self.change(node, values, Some(at))
    }

    fn change(&self, node: &str, values: &Map<String, Json>, at: Option<MediaTime>) -> Result<u64> {
        let shared = &*self.shared;
        inside::check(shared)?;
        let nodes = &shared.graph.nodes;
        let Some(index) = nodes.iter().position(|n| n.id == node) else {
            let ids: Vec<_> = nodes.iter().map(|n| n.id.as_str()).collect();
            let message = format!("there is no node '{node}'");
            return Err(Error::new(detail::ARGUMENT_UNKNOWN_NODE, message)
                .with_hint(format!("the nodes are {}", ids.join(", "))));
        };
        let (seq, superseded) = shared.live.set(&nodes[index], index, values, at)?;
        let id: Arc<str> = node.into();
        for seq in superseded {
            let outcome = ParamsOutcome::Superseded;
            shared.event(Event::Params { seq, node: id.clone(), outcome });
        }
        shared.run(Drive::Control);
        shared.wake_worker(nodes[index].segment);
        Ok(seq)
    }

    /// The next event, oldest first.
    pub fn event(&self) -> Option<Event> {
        lock(&self.shared.events).pop()
    }

    /// What it is doing.
    pub fn state(&self) -> State {
        self.shared.life.state()
    }

    /// Whether all inputs have ended, all sources are done and every node has delivered its tail.
    /// Results may still wait to be pulled.
    pub fn is_finished(&self) -> bool {
        self.shared.finished.load(Ordering::Acquire)
    }

    /// Media time that the sources have reached, as of the last run; `None` without sources.
    pub fn position(&self) -> Option<MediaTime> {
        let segments = self.shared.segments.iter();
        segments.filter_map(|s| s.rest.position()).min().map(MediaTime::from_nanos)
    }
}
