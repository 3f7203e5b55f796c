//! Voice activity detection: decisions, and a gate that lets only speech through.

use super::speech::{Held, SpeechParams, VadEngine};
use crate::dsp::segment::Event;
use crate::dsp::vad::{Decision, Detector};
use crate::error::Result;
use crate::node::{
    Caps, Choice, Context, Descriptor, Flow, MediaFormat, Node, Params, Port, Ports,
};
use crate::packet::record::{Field, FieldKind, Schema, Value};
use crate::packet::{AudioFormat, Kind, MediaTime, Packet, Payload, Record, SampleClock};

/// Output port of the audio, and of the decisions.
const OUT: usize = 0;
const VAD: usize = 1;

static SCHEMA: Schema = Schema {
    name: "vad",
    fields: &[
        Field { name: "has_speech", kind: FieldKind::Bool, doc: "Speech, after this frame." },
        Field {
            name: "speech_probability",
            kind: FieldKind::Float,
            doc: "Score of the frame, 0 … 1.",
        },
        Field {
            name: "is_speech_start",
            kind: FieldKind::Bool,
            doc: "Speech is certain with this frame.",
        },
        Field {
            name: "is_speech_end",
            kind: FieldKind::Bool,
            doc: "Speech is over with this frame.",
        },
        Field {
            name: "boundary_ms",
            kind: FieldKind::Float,
            doc: "At a start or end: where in media time the speech began or ended, with its \
                  padding, in ms; else null.",
        },
    ],
};

/// Params of [`Vad`].
#[derive(Debug, Clone, Params)]
pub struct VadParams {
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
    /// Speech that has to be there before it counts.
    #[param(default = 250.0, min = 0, max = 60_000, unit = "ms", live, alias = "min_speech_ms")]
    pub min_speech_duration_ms: f64,
    /// Silence that ends speech. At least the padding.
    #[param(default = 100.0, min = 0, max = 60_000, unit = "ms", live, alias = "min_silence_ms")]
    pub min_silence_duration_ms: f64,
    /// What belongs to speech before its first and after its last frame.
    #[param(default = 30.0, min = 0, max = 60_000, unit = "ms", live)]
    pub speech_pad_ms: f64,
    /// Whether only speech, with its padding, passes. It is held back until it is certain.
    #[param(default, alias = "filter_mode")]
    pub gate: bool,
    /// When to report.
    #[param(default)]
    pub report: Report,
}

/// When a [`Vad`] reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Choice)]
pub enum Report {
    /// At every frame.
    #[default]
    Frames,
    /// When speech begins and when it ends.
    Changes,
}

impl VadParams {
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
            max_speech_duration_ms: None,
        }
    }
}

/// Says which parts of a stream are speech.
///
/// Each frame gives a record on `vad` with the frame's time. The audio passes on `out` untouched,
/// or, as a gate, without what is not speech; the first packet after a hole is DISCONT.
pub struct Vad {
    params: VadParams,
    /// From the first packet on.
    stream: Option<Stream>,
}

struct Stream {
    format: AudioFormat,
    detector: Detector,
    /// Time of the first sample, from the first packet after a break.
    clock: Option<SampleClock>,
    gate: Option<Gate>,
}

/// Audio that waits for the verdict.
struct Gate {
    held: Held,
    /// Whether what comes next in `held` is speech.
    open: bool,
    hole: bool,
}

impl Gate {
    /// Lets pass or drops what is decided.
    fn apply(
        &mut self,
        event: Option<Event>,
        settled: u64,
        clock: &SampleClock,
        cx: &mut Context<'_>,
    ) {
        match event {
            Some(Event::Start(at)) => {
                self.hole |= self.held.drop_before(at);
                self.open = true;
            }
            Some(Event::End(at)) => {
                self.pass(at, clock, cx);
                self.open = false;
            }
            Some(Event::Cut(_)) | None => {}
        }
        if self.open {
            self.pass(settled, clock, cx);
        } else {
            self.hole |= self.held.drop_before(settled);
        }
    }

    fn pass(&mut self, until: u64, clock: &SampleClock, cx: &mut Context<'_>) {
        while let Some((begin, audio)) = self.held.take_before(until) {
            let mut packet = Packet::audio(audio).at(clock.at(begin as i64));
            packet.set_discont(std::mem::take(&mut self.hole));
            cx.emit(OUT, packet);
        }
    }
}

impl Report {
    /// The record of a frame, if it is wanted.
    fn record(self, d: &Decision, clock: &SampleClock) -> Option<Packet> {
        if self == Self::Changes && d.event.is_none() {
            return None;
        }
        let ms = |at: u64| clock.at(at as i64).as_secs_f64() * 1e3;
        let (start, end, boundary) = match d.event {
            Some(Event::Start(at)) => (true, false, ms(at)),
            Some(Event::End(at)) => (false, true, ms(at)),
            Some(Event::Cut(_)) | None => (false, false, f64::NAN),
        };
        let record = Record::new(
            &SCHEMA,
            &[
                Value::Bool(d.speech),
                Value::Float(f64::from(d.score)),
                Value::Bool(start),
                Value::Bool(end),
                Value::Float(boundary),
            ],
        );
        Some(Packet::record(record).at(clock.at(d.begin as i64)))
    }
}

impl Node for Vad {
    type Params = VadParams;

    const DESCRIPTOR: Descriptor = Descriptor {
        aliases: &["VADNode", "RustVADNode", "VoiceActivityDetector", "VoiceActivityDetectorNode"],
        category: "speech",
        inputs: &[Port::new("in", Caps::AUDIO_F32, "Mono audio; 16 kHz for the neural engine.")],
        outputs: &[
            Port::like_input("out", Caps::AUDIO_F32, "The audio; as a gate, the speech in it."),
            Port::new("vad", Caps::kind(Kind::Record), "The decisions."),
        ],
        realtime: true,
        ..Descriptor::new(
            "VAD",
            "Says which parts of a stream are speech, and can drop the others.",
        )
    };

    fn ports(params: &Self::Params, ports: &mut Ports) -> Result<()> {
        params.speech().ports(ports)
    }

    fn new(params: Self::Params) -> Result<Self> {
        Ok(Self { params, stream: None })
    }

    fn configure(&mut self, _: &mut Context<'_>, _: usize, format: &MediaFormat) -> Result<()> {
        let speech = self.params.speech();
        let format = speech.format(format)?;
        let gate = self.params.gate.then(|| Gate { held: Held::new(), open: false, hole: false });
        let detector = speech.detector(format.rate);
        self.stream = Some(Stream { format, detector, clock: None, gate });
        Ok(())
    }

    fn process(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<Flow> {
        let (Some(stream), Payload::Audio(audio)) = (&mut self.stream, packet.payload()) else {
            return Ok(Flow::Done);
        };
        let rate = stream.format.rate;
        let clock = *stream
            .clock
            .get_or_insert_with(|| SampleClock::new(packet.pts().unwrap_or_default(), rate));
        match &mut stream.gate {
            Some(gate) => gate.held.push(audio.clone()),
            None => cx.emit(OUT, packet.clone()),
        }
        let mut rest = audio.f32().unwrap_or(&[]);
        while !rest.is_empty() {
            let (decision, left) = stream.detector.push(rest);
            rest = left;
            let Some(decision) = decision else { continue };
            if let Some(record) = self.params.report.record(&decision, &clock) {
                cx.emit(VAD, record);
            }
            if let Some(gate) = &mut stream.gate {
                gate.apply(decision.event, stream.detector.segmenter().settled(), &clock, cx);
            }
        }
        Ok(Flow::Done)
    }

    fn drain(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
        if let Some(stream) = &mut self.stream
            && let Some(clock) = stream.clock
        {
            let begin = stream.detector.taken();
            let event = stream.detector.finish();
            // Whoever counts on an end after each start gets it.
            let last = Decision { begin, score: 0.0, speech: false, event };
            if event.is_some()
                && let Some(record) = self.params.report.record(&last, &clock)
            {
                cx.emit(VAD, record);
            }
            if let Some(gate) = &mut stream.gate {
                gate.apply(event, begin, &clock, cx);
            }
        }
        self.reset();
        Ok(Flow::Done)
    }

    fn reset(&mut self) {
        if let Some(stream) = &mut self.stream {
            stream.detector.reset();
            stream.clock = None;
            if let Some(gate) = &mut stream.gate {
                *gate = Gate { held: gate.held.emptied(), open: false, hole: false };
            }
        }
    }

    fn set_params(&mut self, params: Self::Params) {
        self.params = params;
        if let Some(stream) = &mut self.stream {
            stream.detector.set_rules(self.params.speech().rules(stream.format.rate));
        }
    }

    fn latency(&self) -> MediaTime {
        let hold = self.params.min_speech_duration_ms + self.params.speech_pad_ms;
        MediaTime::from_secs_f64(if self.params.gate { hold / 1e3 } else { 0.0 })
    }
}

#[cfg(test)]
mod tests;
