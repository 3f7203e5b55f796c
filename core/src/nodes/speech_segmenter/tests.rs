use super::*;
use crate::dsp::vad::tests::{noise, wav};
use crate::node::testing::Harness;
use crate::packet::MediaTime;
use serde_json::{Value as Json, json};

/// Segments: time, samples, DISCONT, record.
type Segments = Vec<(MediaTime, Vec<f32>, bool, Json)>;

fn run(params: Json, samples: &[f32], rate: u32, size: usize) -> Segments {
    let mut node = Harness::new::<SpeechSegmenter>(params).expect("makes");
    let mut out = Vec::new();
    let mut clock = SampleClock::new(MediaTime::from_millis(2_000), rate);
    for part in samples.chunks(size) {
        let audio = Audio::from_f32(part.to_vec(), rate, 1).expect("mono");
        let packet = Packet::audio(audio).at(clock.advance(part.len()));
        out.extend(node.push(packet).expect("takes it"));
    }
    out.extend(node.finish().expect("ends"));
    out.chunks(2)
        .map(|pair| {
            let [(OUT, audio), (SEGMENTS, record)] = pair else { panic!("audio, then record") };
            assert_eq!(audio.pts(), record.pts());
            let samples = audio.as_audio().and_then(Audio::f32).expect("f32").to_vec();
            let record = record.as_record().expect("a record").to_json();
            (audio.pts().expect("a time"), samples, audio.is_discont(), record)
        })
        .collect()
}

#[test]
fn each_sentence_is_one_packet_with_its_time_and_its_record() {
    let (rate, samples) = wav("speech-16k.wav");
    for engine in ["energy", "neural"] {
        let found = run(json!({"engine": engine}), &samples, rate, 480);
        assert_eq!(found.len(), 3, "{engine}");
        for (index, (time, audio, discont, record)) in found.iter().enumerate() {
            let at = (*time - MediaTime::from_millis(2_000)).to_frames(rate) as usize;
            assert!(samples[at..at + audio.len()] == audio[..], "{engine}, segment {index}");
            assert_eq!(*discont, index > 0);
            let number = |name: &str| record[name].as_f64().expect(name);
            assert_eq!(record["index"], index);
            assert!((number("start_ms") - time.as_secs_f64() * 1e3).abs() < 1e-3);
            assert!((number("duration_ms") - audio.len() as f64 / 16.0).abs() < 1e-3);
            assert!((number("end_ms") - number("start_ms") - number("duration_ms")).abs() < 1e-3);
            assert!(number("peak_probability") > 0.9 && number("mean_probability") > 0.5);
            assert!((-35.0..-10.0).contains(&number("rms_db")), "{record}");
            // The recording ends soon after the last word.
            assert!(record["reason"] == "silence" || index == 2);
        }
    }
}

#[test]
fn the_size_of_the_packets_does_not_matter() {
    let (rate, samples) = wav("speech-16k.wav");
    for engine in ["energy", "neural"] {
        let params = json!({"engine": engine, "max_speech_duration_ms": 2_500.0});
        let whole = run(params.clone(), &samples, rate, samples.len());
        assert!(whole.len() > 5);
        for size in [37, 160, 1_024, 5_000] {
            assert!(run(params.clone(), &samples, rate, size) == whole, "{engine}, {size}");
        }
    }
}

#[test]
fn long_speech_is_cut_without_a_hole() {
    let (rate, samples) = wav("speech-it-8k.wav");
    let params = json!({"max_speech_duration_ms": 1_000.0});
    let found = run(params, &samples, rate, 800);
    let cut: Vec<_> = found.iter().filter(|s| s.3["reason"] == "max_length").collect();
    assert!(cut.len() >= 6, "{} segments", cut.len());
    for pair in found.windows(2) {
        let end = pair[0].0 + MediaTime::from_frames(pair[0].1.len() as i64, rate);
        assert_eq!(pair[1].2, end != pair[1].0, "DISCONT says whether there is a hole");
        assert_eq!(pair[0].3["reason"] == "max_length", end == pair[1].0);
    }
}

#[test]
fn speech_that_is_open_at_the_end_comes_out() {
    let (rate, samples) = wav("speech-16k.wav");
    let found = run(json!({}), &samples[..3 * 16_000], rate, 333);
    let (time, audio, _, record) = found.last().expect("a segment");
    assert_eq!(record["reason"], "end");
    let end = *time + MediaTime::from_frames(audio.len() as i64, rate);
    assert_eq!(end, MediaTime::from_millis(5_000), "up to the last sample");
}

#[test]
fn silence_and_steady_noise_give_nothing() {
    for samples in [vec![0.0; 80_000], noise(80_000, 0.01)] {
        assert!(run(json!({}), &samples, 16_000, 1_000).is_empty());
    }
}
