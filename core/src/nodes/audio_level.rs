//! Measures how loud audio is.

use super::audio::{audio, audio_format, samples};
use crate::dsp::level::Meter;
use crate::error::Result;
use crate::node::{Caps, Context, Descriptor, Flow, MediaFormat, Node, Params, Port};
use crate::packet::record::{Field, FieldKind, Record, Schema, Value};
use crate::packet::{Audio, Kind, MediaTime, Packet};

/// Records given out by one call; a longer packet is gone through in several.
const RECORDS_PER_CALL: usize = 64;

/// What a record of the port `levels` holds.
static LEVEL: Schema = Schema {
    name: "level",
    fields: &[
        Field {
            name: "rms_db",
            kind: FieldKind::Float,
            doc: "Root mean square over all channels, in dB of full scale; silence is -120.",
        },
        Field {
            name: "peak_db",
            kind: FieldKind::Float,
            doc: "Largest absolute sample of any channel, in dB of full scale; silence is -120.",
        },
        Field {
            name: "is_low_volume",
            kind: FieldKind::Bool,
            doc: "Whether rms_db lies below low_volume_threshold_db.",
        },
        Field {
            name: "is_silence",
            kind: FieldKind::Bool,
            doc: "Whether rms_db lies below silence_threshold_db.",
        },
        Field { name: "frames", kind: FieldKind::Int, doc: "Frames measured." },
    ],
};

/// Params of [`AudioLevel`].
#[derive(Debug, Clone, Params)]
pub struct AudioLevelParams {
    /// How much audio each record is about, counted from the first packet after a start or a break.
    #[param(default = 100, min = 1, max = 60_000, unit = "ms")]
    interval_ms: u32,
    /// Below it the volume counts as low.
    #[param(default = -20.0, min = -120.0, max = 20.0, unit = "dB", live)]
    low_volume_threshold_db: f64,
    /// Below it the audio counts as silence.
    #[param(default = -60.0, min = -120.0, max = 20.0, unit = "dB", live)]
    silence_threshold_db: f64,
}

/// Hands audio on untouched and gives a record of its level for every interval. Samples that are no
/// finite number count as silence.
pub struct AudioLevel {
    params: AudioLevelParams,
    rate: u32,
    channels: usize,
    meter: Meter,
    /// Time of the first frame after a start or break.
    anchor: Option<MediaTime>,
    /// Frames since then at which the window began and at which it will end.
    begin: u64,
    end: u64,
    /// Windows begun since then.
    windows: u64,
    /// A packet that is not all measured yet, and from which frame on.
    input: Option<(Audio, usize)>,
}

impl Node for AudioLevel {
    type Params = AudioLevelParams;

    const DESCRIPTOR: Descriptor = Descriptor {
        aliases: &["AudioLevelNode"],
        category: "audio",
        inputs: &[Port::new("in", Caps::AUDIO_F32, "Audio.")],
        outputs: &[
            Port::like_input("out", Caps::AUDIO_F32, "The same audio, untouched."),
            Port::new(
                "levels",
                Caps::kind(Kind::Record),
                "A record for every interval: rms_db, peak_db, is_low_volume, is_silence, frames.",
            ),
        ],
        realtime: true,
        keeps_time: true,
        ..Descriptor::new("AudioLevel", "Measures how loud audio is.")
    };

    fn new(params: Self::Params) -> Result<Self> {
        let (meter, anchor, input) = (Meter::default(), None, None);
        Ok(Self {
            params,
            rate: 0,
            channels: 1,
            meter,
            anchor,
            begin: 0,
            end: 0,
            windows: 0,
            input,
        })
    }

    fn configure(&mut self, _: &mut Context<'_>, _: usize, format: &MediaFormat) -> Result<()> {
        let format = audio_format(format)?;
        (self.rate, self.channels) = (format.rate, format.channels.into());
        Node::reset(self);
        Ok(())
    }

    fn process(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<Flow> {
        let audio = audio(&packet)?;
        samples(audio)?;
        if audio.frames() > 0 && self.anchor.is_none() {
            self.anchor = packet.pts().or(Some(MediaTime::ZERO));
            self.next_window();
        }
        // A view of its own is needed only where one call does not go through the packet.
        let (at, flow) = self.measure(cx, audio, 0)?;
        if flow == Flow::More {
            self.input = Some((audio.clone(), at));
        }
        cx.emit(0, packet);
        Ok(flow)
    }

    fn resume(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
        let Some((audio, at)) = self.input.take() else { return Ok(Flow::Done) };
        let (at, flow) = self.measure(cx, &audio, at)?;
        if flow == Flow::More {
            self.input = Some((audio, at));
        }
        Ok(flow)
    }

    fn drain(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
        if self.meter.samples() > 0 {
            self.report(cx);
        }
        Node::reset(self);
        Ok(Flow::Done)
    }

    fn reset(&mut self) {
        self.meter.reset();
        (self.anchor, self.input) = (None, None);
        (self.begin, self.end, self.windows) = (0, 0, 0);
    }

    fn set_params(&mut self, params: Self::Params) {
        self.params = params;
    }
}

impl AudioLevel {
    /// Measures from frame `at` on; returns up to where, and whether that is all.
    fn measure(&mut self, cx: &mut Context<'_>, audio: &Audio, at: usize) -> Result<(usize, Flow)> {
        let samples = samples(audio)?;
        let mut at = at;
        for _ in 0..RECORDS_PER_CALL {
            let measured = self.meter.samples() / self.channels as u64;
            let missing = self.end - self.begin - measured;
            let take = (missing as usize).min(audio.frames() - at);
            self.meter.add(&samples[at * self.channels..(at + take) * self.channels]);
            at += take;
            if take < missing as usize || take == 0 {
                return Ok((at, Flow::Done));
            }
            self.report(cx);
            self.begin = self.end;
            self.next_window();
        }
        Ok((at, Flow::More))
    }

    /// Sets the window's end. Windows end at whole multiples of the interval, rounded to the frame,
    /// so that they never drift; an interval shorter than a frame gives windows of one frame.
    fn next_window(&mut self) {
        while self.end <= self.begin {
            self.windows += 1;
            let ms = i64::from(self.params.interval_ms) * self.windows as i64;
            self.end = MediaTime::from_millis(ms).to_frames(self.rate) as u64;
        }
    }

    fn report(&mut self, cx: &mut Context<'_>) {
        let (rms, peak) = (self.meter.rms_db(), self.meter.peak_db());
        let record = Record::new(
            &LEVEL,
            &[
                Value::Float(rms),
                Value::Float(peak),
                Value::Bool(rms < self.params.low_volume_threshold_db),
                Value::Bool(rms < self.params.silence_threshold_db),
                Value::Int((self.meter.samples() / self.channels as u64) as i64),
            ],
        );
        let begin = MediaTime::from_frames(self.begin as i64, self.rate);
        cx.emit(1, Packet::record(record).at(self.anchor.unwrap_or_default() + begin));
        self.meter.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::{Harness, Random, check_chunking};
    use serde_json::json;

    #[test]
    fn windows_do_not_depend_on_how_the_audio_is_cut() {
        for rate in [8_000, 11_025, 44_100] {
            let noise = Random::new(8).noise(rate, 2, 20_000);
            let out = check_chunking::<AudioLevel>(&json!({"interval_ms": 7}), &noise);
            assert_eq!(out[&0].f32(), noise.f32().expect("f32"));
            let windows = (20_000.0 / f64::from(rate) / 0.007).ceil() as usize;
            assert_eq!(out[&1].other.len(), windows);
        }
    }

    #[test]
    fn levels_are_those_of_the_signal() {
        let mut node = Harness::new::<AudioLevel>(json!({})).expect("makes");
        let mut samples = vec![0.0; 1_600];
        samples.extend((0..1_600).map(|n| if n % 2 == 0 { 0.5 } else { -0.5 }));
        let audio = Audio::from_f32(samples, 16_000, 1).expect("fits");
        let out = node.push(Packet::audio(audio).at(MediaTime::from_millis(50))).expect("ok");
        let records: Vec<_> = out.iter().filter(|(port, _)| *port == 1).map(|(_, p)| p).collect();
        let [silence, tone] = records[..] else { panic!("two windows, not {}", records.len()) };
        assert_eq!(
            silence.as_record().expect("record").to_json(),
            json!({"rms_db": -120.0, "peak_db": -120.0, "is_low_volume": true, "is_silence": true,
                   "frames": 1600})
        );
        assert_eq!(tone.pts(), Some(MediaTime::from_millis(150)));
        let record = tone.as_record().expect("record");
        assert!(matches!(record.get("rms_db"), Some(Value::Float(db)) if (db + 6.02).abs() < 0.01));
        assert_eq!(record.get("is_low_volume"), Some(Value::Bool(false)));
    }

    #[test]
    fn the_end_reports_what_fills_no_window_and_a_reset_forgets_it() {
        let mut node = Harness::new::<AudioLevel>(json!({})).expect("makes");
        let noise = Random::new(1).noise(16_000, 1, 100);
        node.push(Packet::audio(noise.clone())).expect("ok");
        let out = node.drain().expect("drains");
        assert_eq!(out[0].1.as_record().and_then(|r| r.get("frames")), Some(Value::Int(100)));
        node.push(Packet::audio(noise)).expect("ok");
        node.node().reset();
        assert!(node.drain().expect("drains").is_empty());
    }
}
