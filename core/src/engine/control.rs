//! A pipeline's life from outside: ends, close, cancel, reset, rewind, live params, events.

use super::answer::{Closed, Closing, Reason};
use super::event::{Event, ParamsOutcome};
use super::inside;
use super::life::State;
use super::pipeline::Pipeline;
use super::runner::Drive;
use super::shared::lock;
use super::stats::DropReason;
use super::time::Instant;
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
        (0..self.shared.inputs.len()).for_each(|index| self.end_index(index));
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
        if input >= self.shared.inputs.len() {
            return Err(self.no_port("input", input));
        }
        inside::check(&self.shared)?;
        self.end_index(input);
        self.settle()
    }

    fn end_index(&self, index: usize) {
        let mut input = self.shared.input(index);
        if !input.ended {
            input.ended = true;
            self.shared.backlog.fetch_add(1, Ordering::AcqRel);
        }
    }

    fn settle(&self) -> Result<()> {
        let shared = &*self.shared;
        if let Some(error) = shared.over(shared.life.state()) {
            return Err(error);
        }
        shared.run(Drive::Pushed, |_| ());
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
        let deadline = Instant::now().checked_add(timeout);
        loop {
            let seen = self.shared.wait.seen();
            if let Closing::Over(closed) = self.close_now()? {
                return Ok(closed);
            }
            if !self.shared.wait.until(seen, deadline) {
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
        if shared.life.advance(State::Closing) {
            shared.event(Event::State(State::Closing));
        }
        {
            // Under the lock, so that the runner does not block an output again that it has looked
            // at before.
            let _outputs = shared.outputs();
            shared.blocked.iter().for_each(|b| b.store(false, Ordering::Relaxed));
        }
        (0..shared.inputs.len()).for_each(|index| self.end_index(index));
        let reason = shared.run(Drive::All, |runner| runner.reason(shared, None));
        if let Some(closed) = self.closed() {
            return closed.map(Closing::Over);
        }
        if !shared.finished.load(Ordering::Acquire) {
            return Ok(Closing::Waits(reason.unwrap_or(Reason::Busy)));
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
            shared.run(Drive::Pushed, |_| ());
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
            if inside::check(shared).is_ok() {
                shared.run(Drive::Pushed, |_| ());
            }
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
        self.begin_epoch(false)
    }

    fn begin_epoch(&self, rewind: bool) -> Result<u32> {
        let shared = &*self.shared;
        inside::check(shared)?;
        let Some(epoch) = shared.life.next_epoch() else {
            let state = shared.life.state();
            return Err(shared.over(state).expect("only terminal states have no next epoch"));
        };
        let mut discarded = 0;
        for index in 0..shared.inputs.len() {
            let mut input = shared.input_now(index);
            if rewind {
                (input.ended, input.end_taken) = (false, false);
            }
        }
        {
            let mut held = shared.outputs();
            let (outputs, bin) = held.parts();
            for (index, output) in outputs.iter_mut().enumerate() {
                let link = &shared.links[shared.output_link(index)];
                discarded += output.queue.drop_before(epoch, DropReason::Reset, link, bin);
                shared.blocked[index].store(output.queue.level.blocks(), Ordering::Relaxed);
            }
        }
        shared.discarded.fetch_add(discarded, Ordering::AcqRel);
        shared.run(Drive::Pushed, |_| ());
        shared.wait.notify();
        Ok(epoch)
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
        shared.outputs().iter_mut().for_each(|output| output.ended = false);
        shared.stopping.store(false, Ordering::Release);
        shared.rewinding.store(true, Ordering::Release);
        // The inputs open in the new epoch: what comes before it would meet nodes that have ended.
        self.begin_epoch(true).map(|_| ())
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
        shared.run(Drive::Pushed, |_| ());
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

    /// Media time that the sources have reached; `None` without sources, and while another thread
    /// runs the pipeline.
    pub fn position(&self) -> Option<MediaTime> {
        if inside::check(&self.shared).is_err() {
            return None;
        }
        self.shared.run(Drive::Pushed, |runner| runner.position()).flatten()
    }
}
