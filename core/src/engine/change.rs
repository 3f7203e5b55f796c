//! Changes of a node's params: at once, or from a sample on (rule S12).

use super::event::ParamsOutcome;
use super::item::Item;
use super::live::Change;
use super::slot::{NodeSlot, Stage};
use crate::packet::{MediaTime, Packet, Payload};

impl NodeSlot {
    /// Applies the changes that are due before the packet at the inbox's head; cuts the packet in
    /// two where one is due inside it.
    #[inline(never)]
    pub(super) fn cut_for_changes(&mut self) {
        let front = self.inbox.front().and_then(|item| item.packet.as_ref());
        let Some(pts) = front.and_then(Packet::pts) else { return };
        while let Some(change) = self.timed.pop_front_if(|c| c.at.is_none_or(|at| at <= pts)) {
            self.apply(change, Some(pts));
        }
        let Some(item) = self.inbox.front_mut() else { return };
        let Some(Payload::Audio(audio)) = item.packet.as_mut().map(Packet::payload_mut) else {
            return;
        };
        let (rate, length) = (audio.format().rate, audio.frames());
        // The first frame that does not lie before `at`; times of frames are rounded to 1 ns.
        let frames_before = |at: MediaTime| {
            let nearest = (at - pts).to_frames(rate);
            let early = pts + MediaTime::from_frames(nearest, rate) < at - MediaTime::from_nanos(1);
            nearest + i64::from(early)
        };
        while let Some(change) =
            self.timed.pop_front_if(|c| c.at.is_none_or(|at| frames_before(at) <= 0))
        {
            self.apply(change, Some(pts));
        }
        let Some(at) = self.timed.front().and_then(|c| c.at) else { return };
        let frames = frames_before(at);
        if frames as usize >= length {
            return;
        }
        self.cut(frames as usize, at);
    }

    /// Cuts the audio at the inbox's head in two; the second part begins at `frames`, at the
    /// earliest at `at`.
    pub(super) fn cut(&mut self, frames: usize, at: MediaTime) {
        let Some(item) = self.inbox.front_mut() else { return };
        let pts = item.packet.as_ref().and_then(Packet::pts).unwrap_or_default();
        let Some(Payload::Audio(audio)) = item.packet.as_mut().map(Packet::payload_mut) else {
            return;
        };
        let rest = audio.slice(frames..audio.frames());
        *audio = audio.slice(0..frames);
        // Rounded to the nanosecond, the rest may begin just before the change's time.
        let begin = pts + MediaTime::from_frames(frames as i64, rest.format().rate);
        // The packet is done when its last part is; the link counts it once, with the first.
        self.partial = true;
        let rest = Item::counted(Packet::audio(rest).at(begin.max(at)), item.lane, item.stamp);
        self.inbox.insert(1, rest);
    }

    /// Puts a param change into force.
    pub(super) fn apply(&mut self, change: Change, pts: Option<MediaTime>) {
        self.node.set_params(change.prepared);
        self.acks.push((change.seq, ParamsOutcome::Applied(pts)));
    }

    /// Takes a param change: at once, or when its time comes.
    pub(crate) fn change(&mut self, change: Change) {
        if change.again {
            if let Some(waiting) = self.timed.iter_mut().find(|c| c.seq == change.seq) {
                waiting.prepared = change.prepared;
            }
            return;
        }
        if self.stage == Stage::Ended {
            self.acks.push((change.seq, ParamsOutcome::Discarded));
            return;
        }
        match change.at {
            None => self.apply(change, self.reached),
            Some(at) if self.reached.is_some_and(|reached| at <= reached) => {
                self.apply(change, self.reached);
            }
            Some(at) => {
                let later = self.timed.iter().position(|c| c.at.is_some_and(|other| other > at));
                self.timed.insert(later.unwrap_or(self.timed.len()), change);
            }
        }
    }

    /// Gives up the changes whose time has not come.
    pub(crate) fn discard_changes(&mut self) {
        let acks = self.timed.drain(..).map(|c| (c.seq, ParamsOutcome::Discarded));
        self.acks.extend(acks);
    }
}
