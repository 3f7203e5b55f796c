//! An input of a pipeline: what it takes, its clock, and the rules for times that packets bring (S16).

use super::queue::duration_ns;
use super::stats::{DropReason, LinkStats};
use crate::error::{Error, Result, detail};
use crate::graph::{Endpoint, Late};
use crate::node::Caps;
use crate::packet::{AudioFormat, Kind, MediaTime, Packet, Payload, SampleClock};
use std::sync::Arc;

/// Times within this of the count are jitter; beyond it the stream has jumped.
const JITTER: MediaTime = MediaTime::from_millis(40);

/// The way into a pipeline: what it takes, and the times of what came. The caller holds its lock.
#[repr(C)]
pub(crate) struct Input {
    clock: Option<SampleClock>,
    /// Nothing earlier than this will come.
    bound: Option<MediaTime>,
    late: Late,
    /// The format of audio that was found to fit last.
    fits: Option<AudioFormat>,
    caps: Caps,
    pub(crate) name: Arc<str>,
}

/// What an input makes of a packet that fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Placed {
    /// Its pts and DISCONT flag are set.
    InTime,
    /// As `InTime`, after a jump from the first to the second time.
    Jump(MediaTime, MediaTime),
    /// It came too late and is dropped, counted.
    Dropped,
}

impl Input {
    pub(crate) fn new(endpoint: &Endpoint, caps: Caps) -> Self {
        Self {
            name: endpoint.name.as_str().into(),
            caps,
            late: endpoint.late,
            fits: None,
            clock: None,
            bound: None,
        }
    }

    /// Forgets the times.
    pub(crate) fn forget(&mut self) {
        self.clock = None;
        self.bound = None;
    }

    /// Takes it that nothing before `until` will come. False: that is known already.
    pub(crate) fn advance(&mut self, until: MediaTime) -> bool {
        let known = self.clock.map(|clock| clock.now()).max(self.bound);
        let news = known.is_none_or(|known| known < until);
        if news {
            self.bound = Some(until);
        }
        news
    }

    /// Checks a packet's kind and format and gives it its place in time. A packet that is refused
    /// is left as it was.
    pub(crate) fn admit(&mut self, packet: &mut Packet, stats: &LinkStats) -> Result<Placed> {
        match packet.payload() {
            Payload::Audio(audio) => {
                let (format, frames) = (audio.format(), audio.frames());
                if self.fits != Some(format) {
                    self.check(packet)?;
                    self.fits = Some(format);
                }
                self.place_audio(packet, format, frames, stats)
            }
            _ => {
                self.check(packet)?;
                self.place(packet, stats)
            }
        }
    }

    fn check(&self, packet: &Packet) -> Result<()> {
        let kind = packet.kind();
        if !self.caps.kinds.contains(kind) {
            return Err(Error::new(
                detail::FORMAT_KIND,
                format!("input '{}' takes {}, not {kind}", self.name, self.caps.kinds),
            )
            .at_port(&*self.name));
        }
        if kind == Kind::Audio
            && let Some(audio) = packet.as_audio()
            && !self.caps.audio.contains(&audio.format())
        {
            return Err(Error::new(
                detail::FORMAT_AUDIO,
                format!("input '{}' takes {}, not {}", self.name, self.caps, audio.format()),
            )
            .at_port(&*self.name));
        }
        Ok(())
    }

    fn place_audio(
        &mut self,
        packet: &mut Packet,
        format: AudioFormat,
        frames: usize,
        stats: &LinkStats,
    ) -> Result<Placed> {
        let mut placed = Placed::InTime;
        let mut broken = false;
        if let Some(bound) = self.bound
            && self.clock.is_none_or(|clock| clock.now() < bound)
        {
            // A gap was told of: what comes begins behind it.
            broken = self.clock.is_some();
            let rate = self.clock.map_or(format.rate, |clock| clock.rate());
            self.clock = Some(SampleClock::new(bound, rate));
        }
        let anchor = match (self.clock, packet.pts()) {
            (None, pts) => Some(pts.unwrap_or(MediaTime::ZERO)),
            (Some(clock), None) => {
                (packet.is_discont() || clock.rate() != format.rate).then(|| clock.now())
            }
            (Some(clock), Some(pts)) => {
                let expected = clock.now();
                let far = pts.distance(expected) > JITTER;
                if pts < expected && (far || packet.is_discont()) {
                    match self.late {
                        Late::Error => return Err(self.too_late(pts, expected)),
                        Late::Drop => return Ok(dropped(packet, stats)),
                        Late::Clamp => {
                            (packet.is_discont() || clock.rate() != format.rate).then_some(expected)
                        }
                    }
                } else if far {
                    placed = Placed::Jump(expected, pts);
                    Some(pts)
                } else if packet.is_discont() {
                    Some(pts)
                } else {
                    (clock.rate() != format.rate).then_some(expected)
                }
            }
        };
        let first = self.clock.is_none();
        if let Some(anchor) = anchor {
            self.clock = Some(SampleClock::new(anchor, format.rate));
        }
        let Some(clock) = &mut self.clock else { unreachable!("the clock was just set") };
        packet.set_pts(Some(clock.advance(frames)));
        if broken {
            packet.set_discont(true);
        } else if first || placed != Placed::InTime {
            // What comes first continues nothing, so it breaks nothing.
            packet.set_discont(!first);
        }
        Ok(placed)
    }

    fn place(&mut self, packet: &mut Packet, stats: &LinkStats) -> Result<Placed> {
        match (packet.pts(), self.bound) {
            (None, bound) => packet.set_pts(bound),
            (Some(pts), Some(bound)) if pts < bound => match self.late {
                Late::Error => return Err(self.too_late(pts, bound)),
                Late::Clamp => packet.set_pts(Some(bound)),
                Late::Drop => return Ok(dropped(packet, stats)),
            },
            (Some(pts), _) => self.bound = Some(pts),
        }
        Ok(Placed::InTime)
    }

    fn too_late(&self, pts: MediaTime, bound: MediaTime) -> Error {
        Error::new(
            detail::TIME_LATE,
            format!(
                "packet at {pts} on input '{}' lies before {bound}, which has passed",
                self.name
            ),
        )
        .at_port(&*self.name)
        .with_hint("push in order of time, or set `late: clamp` or `late: drop` on the input")
    }
}

/// Counts a packet that came too late.
fn dropped(packet: &Packet, stats: &LinkStats) -> Placed {
    stats.enter(duration_ns(packet));
    stats.drop(DropReason::Late, duration_ns(packet));
    Placed::Dropped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{PortRef, QueueLimits};
    use crate::packet::Audio;

    fn input(late: Late) -> (Input, LinkStats) {
        let endpoint = Endpoint {
            name: "mic".to_owned(),
            port: PortRef { node: 0, port: 0 },
            queue: QueueLimits::default(),
            late,
            source_rate: None,
        };
        (Input::new(&endpoint, Caps::ANY), LinkStats::default())
    }

    fn block(ms: Option<i64>) -> Packet {
        let packet = Packet::audio(Audio::from_f32(vec![0.0; 441], 44_100, 1).expect("good"));
        match ms {
            Some(ms) => packet.at(MediaTime::from_millis(ms)),
            None => packet,
        }
    }

    fn placed(input: &mut Input, mut packet: Packet, stats: &LinkStats) -> (i64, bool) {
        input.admit(&mut packet, stats).expect("it is admitted");
        let pts = packet.pts().expect("it has a time");
        (pts.nanos() / 1_000_000, packet.is_discont())
    }

    #[test]
    fn times_follow_the_count_and_jitter_is_taken_out() {
        let (mut input, stats) = input(Late::Error);
        let pts = [Some(100), None, Some(125), Some(129), Some(100)];
        let seen: Vec<_> = pts.map(|p| placed(&mut input, block(p), &stats)).into();
        assert_eq!(seen, [(100, false), (110, false), (120, false), (130, false), (140, false)]);
    }

    #[test]
    fn a_jump_ahead_is_a_discontinuity() {
        let (mut input, stats) = input(Late::Error);
        placed(&mut input, block(Some(0)), &stats);
        assert_eq!(placed(&mut input, block(Some(500)), &stats), (500, true));
        assert_eq!(placed(&mut input, block(None), &stats), (510, false));
    }

    #[test]
    fn late_packets_are_refused_clamped_or_dropped_as_the_input_says() {
        for late in [Late::Error, Late::Clamp, Late::Drop] {
            let (mut input, stats) = input(late);
            placed(&mut input, block(Some(1000)), &stats);
            let mut packet = block(Some(0));
            match (late, input.admit(&mut packet, &stats)) {
                (Late::Error, Err(error)) => {
                    assert_eq!(error.detail(), detail::TIME_LATE);
                    assert_eq!(packet.pts(), Some(MediaTime::ZERO), "it is left as it was");
                }
                (Late::Clamp, Ok(Placed::InTime)) => {
                    assert_eq!(packet.pts(), Some(MediaTime::from_millis(1010)));
                }
                (Late::Drop, Ok(Placed::Dropped)) => {
                    assert_eq!(stats.dropped[DropReason::Late as usize].get(), 1);
                }
                (_, other) => panic!("{late:?} gave {other:?}"),
            }
        }
    }

    #[test]
    fn text_keeps_the_last_time() {
        let (mut input, stats) = input(Late::Error);
        let mut first = Packet::text("a");
        assert_eq!(input.admit(&mut first, &stats), Ok(Placed::InTime));
        assert_eq!(first.pts(), None);
        let at = |ms| Packet::text("b").at(MediaTime::from_millis(ms));
        assert_eq!(placed(&mut input, at(7), &stats).0, 7);
        assert_eq!(placed(&mut input, "c".into(), &stats).0, 7);
        assert!(input.admit(&mut at(3), &stats).is_err());
    }
}
