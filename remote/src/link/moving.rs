//! Leaving a server that is about to end: first all answers, then what is inside of the node, and then
//! on at another one.

use super::{Line, State, Waiting};
use crate::v1::stream_node_request::{self as up, call::Call};
use remotemedia_core::packet::Packet;

/// How far a node has come that leaves a server which is about to end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Moving {
    /// What was sent is to be answered.
    Answers,
    /// What is inside is to come out.
    Tail,
    /// The session is to be closed.
    Close,
}

impl Line {
    /// The server is about to end. It says so on each stream anew.
    pub(super) fn draining(&self) {
        if matches!(self.lock().moving, None | Some(Moving::Answers)) {
            self.move_on();
        }
    }

    /// Goes on with leaving the server: first all answers, then what is inside.
    pub(super) fn move_on(&self) {
        let mut state = self.lock();
        let sent = state.sent.unwrap_or(usize::MAX);
        let next = match state.moving {
            None | Some(Moving::Answers) if sent > 0 => Moving::Answers,
            // Nothing was ever asked of it.
            None | Some(Moving::Answers) if state.last == 0 => Moving::Close,
            None | Some(Moving::Answers) => {
                let call = Call::Drain(up::Drain {});
                state.calls.push_front(Waiting::new(call, None));
                Moving::Tail
            }
            Some(Moving::Tail | Moving::Close) => Moving::Close,
        };
        state.moving = Some(next);
        state.wake();
    }
}

impl State {
    /// Puts what came out of the node's inside when it moved before its first outputs since, which
    /// begin anew.
    pub(super) fn after_move(&mut self, outputs: &mut Vec<(usize, Packet)>) {
        let Some(begun) = &mut self.begun else { return };
        for (port, packet) in outputs.iter_mut() {
            if !begun.contains(port) {
                begun.push(*port);
                packet.set_discont(true);
            }
        }
        if !self.tail.is_empty() {
            let fresh = std::mem::replace(outputs, std::mem::take(&mut self.tail));
            outputs.extend(fresh);
        }
    }
}
