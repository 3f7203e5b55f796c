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
mod tests {
    use super::*;
    use crate::dsp::vad::tests::wav;
    use crate::error::detail;
    use crate::node::testing::Harness;
    use crate::packet::Audio;
    use serde_json::{Value as Json, json};

    fn packets(samples: &[f32], rate: u32, size: usize, begin: MediaTime) -> Vec<Packet> {
        let mut clock = SampleClock::new(begin, rate);
        let packet = |part: &[f32]| {
            let audio = Audio::from_f32(part.to_vec(), rate, 1).expect("mono");
            Packet::audio(audio).at(clock.advance(part.len()))
        };
        samples.chunks(size).map(packet).collect()
    }

    /// What comes out: audio packets, records.
    fn run(params: Json, input: Vec<Packet>) -> (Vec<Packet>, Vec<Packet>) {
        let mut node = Harness::new::<Vad>(params).expect("makes");
        let mut out = Vec::new();
        for packet in input {
            out.extend(node.push(packet).expect("takes it"));
        }
        out.extend(node.finish().expect("ends"));
        let (audio, records): (Vec<_>, Vec<_>) = out.into_iter().partition(|(p, _)| *p == OUT);
        let packets = |list: Vec<(usize, Packet)>| list.into_iter().map(|(_, p)| p).collect();
        (packets(audio), packets(records))
    }

    fn flag(packet: &Packet, name: &str) -> bool {
        packet.as_record().expect("a record").get(name) == Some(Value::Bool(true))
    }

    /// Stretches of samples that follow one another, each with its time.
    fn merged(audio: &[Packet]) -> Vec<(MediaTime, Vec<f32>)> {
        let mut out: Vec<(MediaTime, Vec<f32>)> = Vec::new();
        for packet in audio {
            let samples = packet.as_audio().and_then(Audio::f32).expect("f32");
            match out.last_mut() {
                Some((_, last)) if !packet.is_discont() => last.extend(samples),
                _ => out.push((packet.pts().expect("a time"), samples.to_vec())),
            }
        }
        out
    }

    #[test]
    fn audio_passes_untouched_and_each_frame_gives_a_record_with_its_time() {
        let (rate, samples) = wav("speech-16k.wav");
        let begin = MediaTime::from_millis(5_000);
        let input = packets(&samples, rate, 1_000, begin);
        let (audio, records) = run(json!({}), input.clone());
        assert_eq!(audio.len(), input.len());
        for (a, b) in audio.iter().zip(&input) {
            assert_eq!(a.pts(), b.pts());
            let memory = |p: &Packet| p.as_audio().expect("audio").buffer().as_slice().as_ptr();
            assert_eq!(memory(a), memory(b), "no copy");
        }
        let frames = samples.len() / 320;
        for (index, record) in records[..frames].iter().enumerate() {
            let time = begin + MediaTime::from_millis(20 * index as i64);
            assert_eq!(record.pts(), Some(time));
        }
        let changes: Vec<bool> = records
            .iter()
            .filter(|r| flag(r, "is_speech_start") || flag(r, "is_speech_end"))
            .map(|r| flag(r, "is_speech_start"))
            .collect();
        assert!(changes.len() >= 6 && changes.len().is_multiple_of(2), "{changes:?}");
        assert!(changes.chunks(2).all(|c| c == [true, false]), "starts and ends take turns");
    }

    #[test]
    fn changes_alone_are_the_same_changes() {
        let (rate, samples) = wav("speech-16k.wav");
        let input = packets(&samples, rate, 512, MediaTime::ZERO);
        for engine in ["energy", "neural"] {
            let (_, all) = run(json!({"engine": engine}), input.clone());
            let (_, few) = run(json!({"engine": engine, "report": "changes"}), input.clone());
            let changes: Vec<_> = all
                .iter()
                .filter(|r| flag(r, "is_speech_start") || flag(r, "is_speech_end"))
                .map(|r| (r.pts(), r.as_record().copied()))
                .collect();
            let few: Vec<_> = few.iter().map(|r| (r.pts(), r.as_record().copied())).collect();
            // Not-a-number differs from itself only as a number: records compare by bits.
            assert!(few == changes && few.len() >= 6, "{engine}");
        }
    }

    #[test]
    fn the_gate_passes_the_speech_at_its_time_and_marks_the_holes() {
        let (rate, samples) = wav("speech-16k.wav");
        for engine in ["energy", "neural"] {
            let params = json!({"engine": engine, "gate": true, "min_silence_duration_ms": 200.0});
            let (audio, records) = run(params, packets(&samples, rate, 700, MediaTime::ZERO));
            let parts = merged(&audio);
            assert_eq!(parts.len(), 3, "three sentences");
            for (time, part) in &parts {
                let at = time.to_frames(rate) as usize;
                assert!(samples[at..at + part.len()] == part[..], "{engine} at {time}");
            }
            let edges: Vec<f64> = records
                .iter()
                .filter_map(|r| match r.as_record().and_then(|r| r.get("boundary_ms")) {
                    Some(Value::Float(ms)) if ms.is_finite() => Some(ms),
                    _ => None,
                })
                .collect();
            let ends = |(time, part): &(MediaTime, Vec<f32>)| {
                let ms = time.as_secs_f64() * 1e3;
                [ms, ms + part.len() as f64 / 16.0]
            };
            let passed: Vec<f64> = parts.iter().flat_map(ends).collect();
            assert_eq!(edges.len(), passed.len(), "{engine}");
            assert!(edges.iter().zip(&passed).all(|(a, b)| (a - b).abs() < 1e-3), "{engine}");
        }
    }

    #[test]
    fn the_size_of_the_packets_changes_neither_records_nor_audio() {
        let (rate, samples) = wav("speech-16k.wav");
        for engine in ["energy", "neural"] {
            let params = json!({"engine": engine, "gate": true});
            let result = |size: usize| {
                let (audio, records) =
                    run(params.clone(), packets(&samples, rate, size, MediaTime::ZERO));
                let records: Vec<_> =
                    records.iter().map(|r| (r.pts(), r.as_record().copied())).collect();
                (merged(&audio), records)
            };
            let whole = result(samples.len());
            for size in [37, 160, 320, 1_024, 5_000] {
                assert!(result(size) == whole, "{engine}, packets of {size}");
            }
        }
    }

    #[test]
    fn after_a_break_times_begin_anew_and_open_speech_has_ended() {
        let (rate, samples) = wav("speech-16k.wav");
        let mut node = Harness::new::<Vad>(json!({"report": "changes"})).expect("makes");
        let audio = |at: i64| {
            let audio = Audio::from_f32(samples[..3 * 16_000].to_vec(), rate, 1).expect("mono");
            Packet::audio(audio).at(MediaTime::from_millis(at))
        };
        let mut records = node.push(audio(0)).expect("takes it");
        records.extend(node.drain().expect("breaks"));
        records.extend(node.push(audio(60_000)).expect("takes it"));
        records.retain(|(port, _)| *port == VAD);
        let ended =
            records.iter().position(|(_, r)| r.pts() >= Some(MediaTime::from_millis(60_000)));
        let ended = ended.expect("speech after the break");
        assert!(flag(&records[ended - 1].1, "is_speech_end"));
        let first = records[0].1.pts().expect("a time") + MediaTime::from_millis(60_000);
        assert_eq!(records[ended].1.pts(), Some(first), "the same audio, a minute later");
    }

    #[test]
    fn the_neural_engine_asks_for_16_khz_and_params_must_fit_each_other() {
        let params = |json: Json| VadParams::from_map(json.as_object().expect("an object"));
        let ports = |json: Json| {
            let mut ports = Ports::of(&Vad::DESCRIPTOR);
            Vad::ports(&params(json), &mut ports).map(|()| ports.inputs[0].caps.to_string())
        };
        assert_eq!(
            ports(json!({"engine": "neural"})).expect("fits"),
            "audio (f32, 16000 Hz, 1 ch, interleaved)"
        );
        for bad in [
            json!({"engine": "neural", "energy_threshold": 0.02}),
            json!({"threshold": 0.5, "neg_threshold": 0.6}),
        ] {
            let error = ports(bad).expect_err("a conflict");
            assert_eq!(error.detail(), detail::MANIFEST_PARAM_CONFLICT);
        }
    }

    #[test]
    fn live_params_count_from_the_next_packet_on() {
        let (rate, samples) = wav("speech-16k.wav");
        let mut node = Harness::new::<Vad>(json!({"report": "changes"})).expect("makes");
        let input = packets(&samples, rate, 16_000, MediaTime::ZERO);
        let mut out = Vec::new();
        for (index, packet) in input.into_iter().enumerate() {
            if index == 1 {
                let mut params = VadParams::from_map(&serde_json::Map::new());
                params.report = Report::Changes;
                params.min_speech_duration_ms = 60_000.0;
                params.min_silence_duration_ms = 400.0;
                node.node().set_params(Box::new(params));
            }
            out.extend(node.push(packet).expect("takes it"));
        }
        let records: Vec<_> = out.iter().filter(|(port, _)| *port == VAD).collect();
        assert_eq!(
            records.len(),
            2,
            "the speech of the first second ends; no other is long enough"
        );
    }
}
