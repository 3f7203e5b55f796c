//! Adds up audio that comes by several connections.

#[cfg(test)]
mod tests;

use super::audio::{audio, audio_format, fill_f32, samples};
use crate::dsp::gain::{Gain, factor};
use crate::dsp::sum::{Tracks, clip};
use crate::error::{Error, Result, detail};
use crate::node::caps::Numbers;
use crate::node::params::Choice;
use crate::node::{Caps, Context, Descriptor, Flow, Join, MediaFormat, Node, Params, Port, Ports};
use crate::packet::{Audio, AudioFormat, MediaTime, Packet, Payload, SampleClock};

/// Seconds of silence between two sounds that are given out; what is longer is a break.
const LONGEST_SILENCE: i64 = 10;
/// Given out by one call.
const LONGEST_PACKET: MediaTime = MediaTime::from_millis(1_000);
/// Up to here all packets are given memory of one size, so that the pool soon has enough of it: the
/// sum comes in pieces of all lengths.
const LONGEST_USUAL: MediaTime = MediaTime::from_millis(100);
/// Times of packets are rounded to the nanosecond; this is more than that can make.
const ROUNDING: MediaTime = MediaTime::from_nanos(2);
/// How long a change of the gain takes.
const RAMP: MediaTime = MediaTime::from_millis(5);

/// What becomes of a sum beyond full scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub(crate) enum Limit {
    /// It stays as it is: f32 has room above full scale, and a Gain behind it brings it back.
    None,
    /// It is cut off at full scale.
    Clip,
}

/// Params of [`Mixer`].
#[derive(Debug, Clone, Params)]
pub struct MixerParams {
    /// Rate to which all that comes is converted. Absent: all of it has the same.
    #[param(default, min = 1, max = 768_000, unit = "Hz", alias = "sample_rate")]
    rate: Option<u32>,
    /// Channels to which all that comes is converted. Absent: all of it has the same.
    #[param(default, min = 1, max = 64)]
    channels: Option<u16>,
    /// How much louder the sum becomes; -120 is silence. A change begins with the next packet and
    /// takes 5 ms.
    #[param(default = 0.0, min = -120.0, max = 60.0, unit = "dB", live, alias = "gain")]
    gain_db: f32,
    /// What becomes of a sum beyond full scale.
    #[param(default = Limit::None)]
    limit: Limit,
}

/// Adds up audio by its time, to the sample, however it is cut into packets. Where nothing comes
/// there is silence, if it is not at the begin or the end and not longer than ten seconds: what
/// follows then is marked as a break. A break of one lane is none of the sum. What comes later than
/// the join has waited for it is left out.
pub struct Mixer {
    gain: Gain,
    /// Where the gain goes with the next packet.
    goal: f32,
    limit: Limit,
    format: Option<AudioFormat>,
    /// Nothing has come in this format yet.
    fresh: bool,
    /// Stands where the next packet begins; its anchor is frame zero of the tracks.
    clock: Option<SampleClock>,
    lanes: Vec<Option<Lane>>,
    /// One of each lane.
    tracks: Tracks<Block>,
    /// Length of the longest packet that has come, as far as that is usual.
    usual_frames: usize,
    /// Up to here the sum is complete and goes out.
    target: i64,
    /// What begins after a long silence, from that lane.
    beyond: Option<(usize, Packet)>,
    broken: bool,
    draining: bool,
}

/// A lane since its last break: between breaks the count of frames is the truth.
#[derive(Debug, Clone, Copy)]
struct Lane {
    /// Where it began, as a frame of the sum.
    first: i64,
    clock: SampleClock,
}

impl Lane {
    fn end(&self) -> i64 {
        self.first + self.clock.frames()
    }

    /// Whether something of that time goes on where it has ended, but for the rounding of times.
    fn is_continued(&self, pts: Option<MediaTime>, discont: bool) -> bool {
        let frame = MediaTime::from_frames(1, self.clock.rate());
        !discont
            && pts.is_none_or(|pts| {
                let off = pts.distance(self.clock.now());
                off + off <= frame
            })
    }
}

/// Interleaved f32 audio, which a look at it has shown.
struct Block(Audio);

impl AsRef<[f32]> for Block {
    fn as_ref(&self) -> &[f32] {
        self.0.f32().unwrap_or_default()
    }
}

impl Node for Mixer {
    type Params = MixerParams;

    const DESCRIPTOR: Descriptor = Descriptor {
        aliases: &["MixerNode", "AudioMixer", "AudioMixerNode"],
        category: "audio",
        inputs: &[Port::any("in", Caps::AUDIO_F32, "Audio of any number of connections.")],
        outputs: &[Port::like_input("out", Caps::AUDIO_F32, "The sum.")],
        realtime: true,
        join: Join::Ordered,
        ..Descriptor::new("Mixer", "Adds up audio of several connections by its time.")
    };

    fn ports(params: &Self::Params, ports: &mut Ports) -> Result<()> {
        let caps = &mut ports.inputs[0].caps.audio;
        if let Some(rate) = params.rate {
            caps.rates = Numbers::one(rate);
        }
        if let Some(channels) = params.channels {
            caps.channels = Numbers::one(channels.into());
        }
        Ok(())
    }

    fn new(params: Self::Params) -> Result<Self> {
        let goal = factor(params.gain_db);
        Ok(Self {
            gain: Gain::new(goal),
            goal,
            limit: params.limit,
            format: None,
            fresh: true,
            clock: None,
            lanes: Vec::new(),
            tracks: Tracks::new(1),
            usual_frames: 0,
            target: 0,
            beyond: None,
            broken: false,
            draining: false,
        })
    }

    fn configure(&mut self, cx: &mut Context<'_>, _: usize, format: &MediaFormat) -> Result<()> {
        let format = audio_format(format)?;
        if self.format.is_some_and(|known| is_like(known, format)) {
            return Ok(());
        }
        // With a single lane a change of format is no contradiction.
        if let Some(known) = self.format
            && !self.fresh
            && cx.lanes() > 1
        {
            return Err(differs(cx.lane(), format, known));
        }
        self.format = Some(format);
        self.tracks = Tracks::new(format.channels.into());
        self.usual_frames = 0;
        self.forget();
        Ok(())
    }

    fn process(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<Flow> {
        let audio = audio(&packet)?;
        samples(audio)?;
        if let Some(known) = self.format.filter(|known| !is_like(*known, audio.format())) {
            return Err(differs(cx.lane(), audio.format(), known));
        }
        if audio.frames() == 0 {
            return Ok(Flow::Done);
        }
        self.fresh = false;
        let usual = LONGEST_USUAL.to_frames(self.rate()) as usize;
        self.usual_frames = self.usual_frames.max(audio.frames().min(usual));
        let begin = self.begin_of(cx.lane(), &packet);
        let sound_end = self.tracks.end().max(self.target);
        if begin - sound_end > self.longest_silence() {
            self.target = sound_end;
            self.beyond = Some((cx.lane(), packet));
        } else {
            self.place(cx.lane(), packet);
        }
        self.resume(cx)
    }

    fn advance(&mut self, cx: &mut Context<'_>, until: MediaTime) -> Result<Flow> {
        let (complete, end) = (self.complete(until), self.tracks.end().max(self.target));
        // Silence waits for what follows it: it may turn out to be too long.
        self.target = self.target.max(complete.min(end));
        if complete - end > self.longest_silence() {
            cx.advance(0, until);
        }
        self.resume(cx)
    }

    fn resume(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
        if self.emit(cx)? == Flow::More {
            return Ok(Flow::More);
        }
        if self.draining {
            self.forget();
            self.gain = Gain::new(self.goal);
        }
        if let Some((lane, packet)) = self.beyond.take() {
            self.forget();
            self.broken = true;
            self.place(lane, packet);
        }
        if self.goal != self.gain.goal() {
            self.gain.go(self.goal, RAMP.to_frames(self.rate()) as u32);
        }
        if let Some(clock) = &self.clock {
            cx.advance(0, clock.now());
        }
        Ok(Flow::Done)
    }

    fn drain(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
        self.target = self.target.max(self.tracks.end());
        self.draining = true;
        self.resume(cx)
    }

    fn reset(&mut self) {
        self.forget();
        self.gain = Gain::new(self.goal);
        self.fresh = true;
    }

    fn set_params(&mut self, params: Self::Params) {
        self.goal = factor(params.gain_db);
    }
}

impl Mixer {
    /// Gives out the sum, as far as it is complete and one packet goes.
    fn emit(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
        let (Some(format), Some(clock)) = (self.format, &mut self.clock) else {
            return Ok(Flow::Done);
        };
        let (begin, longest) = (clock.frames(), LONGEST_PACKET.to_frames(format.rate).max(1));
        let frames = (self.target - begin).min(longest);
        if frames <= 0 {
            return Ok(Flow::Done);
        }
        let frames = frames as usize;
        let room = self.usual_frames.max(frames);
        let sum = fill_f32(cx.pool(), format, room, |output| {
            let output = &mut output[..frames * usize::from(format.channels)];
            self.tracks.sum(begin, output);
            if !self.gain.is_one() {
                self.gain.apply(output, format.channels.into());
            }
            if self.limit == Limit::Clip {
                clip(output);
            }
        })?;
        let mut packet = Packet::audio(sum.slice(0..frames)).at(clock.advance(frames));
        packet.set_discont(std::mem::take(&mut self.broken));
        cx.emit(0, packet);
        Ok(if clock.frames() < self.target { Flow::More } else { Flow::Done })
    }

    /// Lays a packet on its track. All that lies before it is complete.
    fn place(&mut self, lane: usize, packet: Packet) {
        let (pts, rate) = (packet.pts(), self.rate());
        let begin = self.begin_of(lane, &packet);
        let clock =
            self.clock.get_or_insert_with(|| SampleClock::new(pts.unwrap_or_default(), rate));
        let (out, now) = (clock.frames(), clock.now());
        self.target = self.target.max(pts.map_or(begin, |pts| self.complete(pts)));
        let Payload::Audio(audio) = packet.into_payload() else { return };
        if self.lanes.len() <= lane {
            self.lanes.resize(lane + 1, None);
        }
        let so_far = self.lanes[lane].filter(|lane| lane.end() == begin);
        let mut lane_now = so_far.unwrap_or_else(|| Lane {
            first: begin,
            clock: SampleClock::new(pts.unwrap_or(now), rate),
        });
        lane_now.clock.advance(audio.frames());
        self.lanes[lane] = Some(lane_now);
        if lane_now.end() > out {
            self.tracks.add(lane, begin, Block(audio));
        }
    }

    /// The frame at which a packet begins: where its lane has ended, or else by its time.
    fn begin_of(&self, lane: usize, packet: &Packet) -> i64 {
        let Some(clock) = &self.clock else { return 0 };
        match (self.lanes.get(lane).copied().flatten(), packet.pts()) {
            (Some(lane), pts) if lane.is_continued(pts, packet.is_discont()) => lane.end(),
            (_, Some(pts)) => (pts - anchor(clock)).to_frames(clock.rate()),
            (_, None) => clock.frames(),
        }
    }

    /// Up to which frame the sum is complete when nothing before `until` comes any more. What comes
    /// at `until` begins there or later, however its time and its lane's first were rounded.
    fn complete(&self, until: MediaTime) -> i64 {
        let frames =
            |clock: &SampleClock| (until - ROUNDING - anchor(clock)).to_frames(clock.rate());
        self.clock.as_ref().map_or(0, frames)
    }

    fn rate(&self) -> u32 {
        self.format.map_or(0, |format| format.rate)
    }

    fn longest_silence(&self) -> i64 {
        LONGEST_SILENCE * i64::from(self.rate())
    }

    /// Forgets what has come.
    fn forget(&mut self) {
        self.tracks.clear();
        self.lanes.fill(None);
        (self.clock, self.target, self.beyond) = (None, 0, None);
        (self.broken, self.draining) = (false, false);
    }
}

fn anchor(clock: &SampleClock) -> MediaTime {
    clock.at(-clock.frames())
}

fn is_like(a: AudioFormat, b: AudioFormat) -> bool {
    (a.rate, a.channels) == (b.rate, b.channels)
}

fn differs(lane: usize, format: AudioFormat, known: AudioFormat) -> Error {
    Error::new(
        detail::FORMAT_AUDIO,
        format!("connection {lane} brings audio as {format}, the others as {known}"),
    )
    .with_hint("Give the Mixer the params rate and channels: then all of it is converted to them.")
}
