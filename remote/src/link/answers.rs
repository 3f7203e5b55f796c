//! What answers come to: each completes its call's ticket.

use super::{Line, Moving, Waiting};
use crate::v1::stream_node_response as down;
use crate::{failure, wire};
use prost::Message;
use remotemedia_core::error::{Error, Result};
use remotemedia_core::packet::MediaTime;
use std::sync::atomic::Ordering;

/// After so many bytes of answers the server is told that they have come.
const TELL: usize = 1 << 20;

impl Line {
    /// The server has said what it allows.
    pub(super) fn opened(&self, credit: u32, most: u64) {
        let mut state = self.lock();
        if credit > 0 {
            state.credit = credit as usize;
        }
        state.most = usize::try_from(most).ok().filter(|most| *most > 0);
        state.wake();
    }

    /// Goes on behind the last call that the server has seen.
    pub(super) fn attached(&self, received: u64) {
        let mut state = self.lock();
        let seen = |waiting: &&Waiting| waiting.seq > 0 && waiting.seq <= received;
        state.sent = Some(state.calls.iter().take_while(seen).count());
        state.wake();
    }

    /// Takes an answer.
    pub(super) fn answered(&self, answer: down::Answer) -> Result<()> {
        let mut state = self.lock();
        if answer.seq <= state.answered {
            // It came twice: the stream broke before the server knew that it had come.
            return Ok(());
        }
        let Some(waiting) = state.calls.pop_front_if(|w| w.seq == answer.seq) else {
            return match state.closing {
                true => Ok(()),
                false => Err(wire::wrong(format!("an answer to call {}", answer.seq))),
            };
        };
        let trip = waiting.trip(&answer);
        state.answered = answer.seq;
        state.progress += 1;
        state.unacknowledged += answer.encoded_len();
        if state.unacknowledged >= TELL {
            // There may be no call that says so for a while.
            state.beat = true;
        }
        state.sent = state.sent.map(|sent| sent.saturating_sub(1));
        // There is credit again, for what waits for it.
        if state.has_to_say() {
            state.wake();
        }
        let bounds = answer.bounds.iter();
        let bounds = bounds.map(|b| (b.port as usize, MediaTime::from_nanos(b.until_ns)));
        state.bounds.extend(bounds);
        self.latency.store(answer.latency_ns, Ordering::Release);
        let mut outputs = wire::outputs_from_wire(answer.outputs, &self.pool);
        match (state.moving, &mut outputs) {
            (Some(Moving::Tail), outputs) => {
                let stale = std::mem::take(&mut state.stale);
                if let (Ok(outputs), false) = (outputs, stale) {
                    state.tail.append(outputs);
                }
                state.begun = Some(Vec::new());
            }
            (_, Ok(outputs)) => state.after_move(outputs),
            (_, Err(_)) => {}
        }
        let result = match answer.error {
            Some(error) => Err(failure::from_wire(error)),
            None => outputs,
        };
        if let (true, Err(error)) = (waiting.mute, &result) {
            // Nobody waits for this answer: the next call says so.
            state.lost = Some(error.clone());
        }
        let moving = state.moving.is_some();
        drop(state);
        if moving {
            self.move_on();
        }
        let Some(mut ticket) = waiting.ticket else { return Ok(()) };
        if let Some(trip) = trip {
            ticket.went(trip);
        }
        match result {
            Ok(outputs) => ticket.complete(outputs),
            Err(error) => ticket.fail(error),
        }
        Ok(())
    }

    pub(super) fn fail_after(&self, error: &Error, had_session: bool) {
        let mut state = self.lock();
        if had_session && state.calls.iter().all(|waiting| waiting.ticket.is_none()) {
            state.lost = Some(error.clone());
        }
        drop(state);
        self.fail(error);
    }

    /// Fails every call that waits. The next one begins with another session.
    pub(super) fn fail(&self, error: &Error) {
        let mut state = self.lock();
        state.tended = false;
        state.stream += 1;
        (state.sent, state.last, state.answered) = (Some(0), 0, 0);
        let calls = std::mem::take(&mut state.calls);
        drop(state);
        for ticket in calls.into_iter().filter_map(|waiting| waiting.ticket) {
            ticket.fail(error.clone());
        }
    }
}
