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
    let ended = records.iter().position(|(_, r)| r.pts() >= Some(MediaTime::from_millis(60_000)));
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
    assert_eq!(records.len(), 2, "the speech of the first second ends; no other is long enough");
}
