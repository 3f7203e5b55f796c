//! Cuts a stream into stretches of speech, one packet each.

use super::speech::{Held, SpeechParams, VadEngine};
use crate::dsp::segment::Event;
use crate::dsp::vad::Detector;
use crate::error::Result;
use crate::node::{Caps, Context, Descriptor, Flow, MediaFormat, Node, Params, Port, Ports};
use crate::packet::record::{Field, FieldKind, Schema, Value};
use crate::packet::{Audio, AudioFormat, Kind, Packet, Payload, Record, SampleClock};

/// Output port of the audio, and of what is known about it.
const OUT: usize = 0;
const SEGMENTS: usize = 1;

const SILENCE: &str = "silence";
const MAX_LENGTH: &str = "max_length";
const END: &str = "end";

static SCHEMA: Schema = Schema {
    name: "segment",
    fields: &[
        Field { name: "index", kind: FieldKind::Int, doc: "Number of the segment, from 0." },
        Field { name: "start_ms", kind: FieldKind::Float, doc: "Its begin in media time, in ms." },
        Field { name: "end_ms", kind: FieldKind::Float, doc: "Its end in media time, in ms." },
        Field { name: "duration_ms", kind: FieldKind::Float, doc: "Its length, in ms." },
        Field {
            name: "peak_probability",
            kind: FieldKind::Float,
            doc: "Highest score of its frames.",
        },
        Field {
            name: "mean_probability",
            kind: FieldKind::Float,
            doc: "Mean score of its frames.",
        },
        Field { name: "rms_db", kind: FieldKind::Float, doc: "Its level, in dB of full scale." },
        Field {
            name: "reason",
            kind: FieldKind::Name(&[SILENCE, MAX_LENGTH, END]),
            doc: "What ended it: silence, its length, or the end of the stream.",
        },
    ],
};

/// Params of [`SpeechSegmenter`].
#[derive(Debug, Clone, Params)]
pub struct SpeechSegmenterParams {
    /// What scores the frames.
    #[param(default)]
    pub engine: VadEngine,
    /// Score from which a frame is speech.
    #[param(
        default = 0.5,
        min = 0,
        max = 1,
        live,
        alias = "speech_threshold",
        alias = "vad_threshold"
    )]
    pub threshold: f32,
    /// Score below which a frame within speech is silence; absent: 0.15 below the threshold.
    #[param(default, min = 0, max = 1, live)]
    pub neg_threshold: Option<f32>,
    /// RMS level (1: full scale) that decides instead of the noise floor. Energy engine only.
    #[param(default, min = 0, max = 1)]
    pub energy_threshold: Option<f32>,
    /// Length of a frame of the energy engine. The neural engine has 16 ms.
    #[param(default = 20.0, min = 10, max = 100, unit = "ms", alias = "frame_ms")]
    pub frame_duration_ms: f64,
    /// Speech that has to be there for a segment.
    #[param(
        default = 250.0,
        min = 0,
        max = 60_000,
        unit = "ms",
        live,
        alias = "min_speech_ms",
        alias = "min_utterance_duration_ms",
        alias = "minUtteranceDurationMs"
    )]
    pub min_speech_duration_ms: f64,
    /// Silence that ends a segment. At least the padding.
    #[param(default = 200.0, min = 0, max = 60_000, unit = "ms", live, alias = "min_silence_ms")]
    pub min_silence_duration_ms: f64,
    /// What belongs to a segment before its first and after its last frame of speech.
    #[param(default = 100.0, min = 0, max = 60_000, unit = "ms", live)]
    pub speech_pad_ms: f64,
    /// Longest segment; longer speech is cut without a hole.
    #[param(
        default = 30_000.0,
        min = 100,
        max = 3_600_000,
        unit = "ms",
        live,
        alias = "max_speech_ms",
        alias = "max_utterance_duration_ms",
        alias = "maxUtteranceDurationMs"
    )]
    pub max_speech_duration_ms: f64,
}

impl SpeechSegmenterParams {
    fn speech(&self) -> SpeechParams {
        SpeechParams {
            engine: self.engine,
            threshold: self.threshold,
            neg_threshold: self.neg_threshold,
            energy_threshold: self.energy_threshold,
            frame_duration_ms: self.frame_duration_ms,
            min_speech_duration_ms: self.min_speech_duration_ms,
            min_silence_duration_ms: self.min_silence_duration_ms,
            speech_pad_ms: self.speech_pad_ms,
            max_speech_duration_ms: Some(self.max_speech_duration_ms),
        }
    }
}

/// Cuts a stream into stretches of speech.
///
/// Each stretch, with its padding, is one packet on `out` and one record on `segments`, both with
/// the time at which it begins. Packets that don't follow directly on the one before are DISCONT.
pub struct SpeechSegmenter {
    params: SpeechSegmenterParams,
    /// Number of the next segment.
    index: i64,
    /// From the first packet on.
    stream: Option<Stream>,
}

struct Stream {
    format: AudioFormat,
    detector: Detector,
    /// Time of the first sample, from the first packet after a break.
    clock: Option<SampleClock>,
    held: Held,
    /// Sample at which the open segment begins.
    start: Option<u64>,
    /// Sample at which the segment before ended.
    ended: Option<u64>,
    scores: Scores,
}

/// Scores of the frames since the segment, or what may become one, began.
#[derive(Default)]
struct Scores {
    peak: f32,
    sum: f64,
    count: u32,
}

impl Scores {
    fn add(&mut self, score: f32) {
        self.peak = self.peak.max(score);
        self.sum += f64::from(score);
        self.count += 1;
    }
}

impl Stream {
    fn handle(
        &mut self,
        event: Option<Event>,
        end: &'static str,
        index: &mut i64,
        cx: &mut Context<'_>,
    ) -> Result<()> {
        match event {
            Some(Event::Start(at)) => {
                self.held.drop_before(at);
                self.start = Some(at);
            }
            Some(Event::End(at)) => {
                self.emit(at, end, index, cx)?;
                self.start = None;
            }
            Some(Event::Cut(at)) => {
                self.emit(at, MAX_LENGTH, index, cx)?;
                self.start = Some(at);
            }
            None => {}
        }
        Ok(())
    }

    /// Gives out the open segment up to sample `end`, as one block.
    fn emit(
        &mut self,
        end: u64,
        reason: &'static str,
        index: &mut i64,
        cx: &mut Context<'_>,
    ) -> Result<()> {
        let scores = std::mem::take(&mut self.scores);
        let (Some(start), Some(clock)) = (self.start, self.clock) else { return Ok(()) };
        if start >= end {
            return Ok(());
        }
        let mut audio = Audio::from_pool(cx.pool(), self.format, (end - start) as usize)?;
        let (mut filled, mut power) = (0, 0.0);
        if let Some(out) = audio.f32_mut() {
            while let Some((_, part)) = self.held.take_before(end) {
                let part = part.f32().unwrap_or(&[]);
                out[filled..filled + part.len()].copy_from_slice(part);
                power += part.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>();
                filled += part.len();
            }
        }
        // Live params can make the padding reach back to where nothing is held any more.
        let start = end - filled as u64;
        let audio = if filled < audio.frames() { audio.slice(0..filled) } else { audio };
        cx.count_copy(4 * filled);
        let (from, to) = (clock.at(start as i64), clock.at(end as i64));
        let ms = |nanos: i64| nanos as f64 / 1e6;
        let record = Record::new(
            &SCHEMA,
            &[
                Value::Int(*index),
                Value::Float(ms(from.nanos())),
                Value::Float(ms(to.nanos())),
                Value::Float(ms((to - from).nanos())),
                Value::Float(f64::from(scores.peak)),
                Value::Float(scores.sum / f64::from(scores.count.max(1))),
                Value::Float(10.0 * (power / filled.max(1) as f64).log10()),
                Value::Name(reason),
            ],
        );
        *index += 1;
        let mut packet = Packet::audio(audio).at(from);
        packet.set_discont(self.ended.replace(end).is_some_and(|ended| ended != start));
        cx.emit(OUT, packet);
        cx.emit(SEGMENTS, Packet::record(record).at(from));
        Ok(())
    }
}

impl Node for SpeechSegmenter {
    type Params = SpeechSegmenterParams;

    const DESCRIPTOR: Descriptor = Descriptor {
        aliases: &["SpeechSegmenterNode", "AudioBufferAccumulator", "AudioBufferAccumulatorNode"],
        category: "speech",
        inputs: &[Port::new("in", Caps::AUDIO_F32, "Mono audio; 16 kHz for the neural engine.")],
        outputs: &[
            Port::like_input("out", Caps::AUDIO_F32, "Each stretch of speech as one packet."),
            Port::new("segments", Caps::kind(Kind::Record), "What is known about each of them."),
        ],
        ..Descriptor::new(
            "SpeechSegmenter",
            "Cuts a stream into stretches of speech, one packet each.",
        )
    };

    fn ports(params: &Self::Params, ports: &mut Ports) -> Result<()> {
        params.speech().ports(ports)
    }

    fn new(params: Self::Params) -> Result<Self> {
        Ok(Self { params, index: 0, stream: None })
    }

    fn configure(&mut self, _: &mut Context<'_>, _: usize, format: &MediaFormat) -> Result<()> {
        let speech = self.params.speech();
        let format = speech.format(format)?;
        self.stream = Some(Stream {
            format,
            detector: speech.detector(format.rate),
            clock: None,
            held: Held::new(),
            start: None,
            ended: None,
            scores: Scores::default(),
        });
        Ok(())
    }

    fn process(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<Flow> {
        let (Some(stream), Payload::Audio(audio)) = (&mut self.stream, packet.payload()) else {
            return Ok(Flow::Done);
        };
        let rate = stream.format.rate;
        stream
            .clock
            .get_or_insert_with(|| SampleClock::new(packet.pts().unwrap_or_default(), rate));
        stream.held.push(audio.clone());
        let mut rest = audio.f32().unwrap_or(&[]);
        while !rest.is_empty() {
            let (decision, left) = stream.detector.push(rest);
            rest = left;
            let Some(decision) = decision else { continue };
            if stream.detector.segmenter().is_idle() && decision.event.is_none() {
                stream.scores = Scores::default();
            } else {
                stream.scores.add(decision.score);
            }
            stream.handle(decision.event, SILENCE, &mut self.index, cx)?;
            if stream.start.is_none() {
                stream.held.drop_before(stream.detector.segmenter().settled());
            }
        }
        Ok(Flow::Done)
    }

    fn drain(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
        if let Some(stream) = &mut self.stream {
            let event = stream.detector.finish();
            stream.handle(event, END, &mut self.index, cx)?;
        }
        let index = self.index;
        self.reset();
        self.index = index;
        Ok(Flow::Done)
    }

    fn reset(&mut self) {
        self.index = 0;
        if let Some(stream) = &mut self.stream {
            stream.detector.reset();
            stream.held = stream.held.emptied();
            stream.scores = Scores::default();
            (stream.clock, stream.start, stream.ended) = (None, None, None);
        }
    }

    fn set_params(&mut self, params: Self::Params) {
        self.params = params;
        if let Some(stream) = &mut self.stream {
            stream.detector.set_rules(self.params.speech().rules(stream.format.rate));
        }
    }
}

#[cfg(test)]
mod tests;
