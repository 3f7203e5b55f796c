//! The voice job, as a pipeline and as its bare signal processing: 20 ms packets of 48 kHz mono are
//! resampled to 16 kHz, searched for speech and made louder.

use crate::FRAMES;
use remotemedia::dsp::gain::{self, Gain};
use remotemedia::dsp::resample::{Latency, Quality, Resampler};
use remotemedia::dsp::segment::Rules;
use remotemedia::dsp::vad::{Detector, Energy, Engine};
use remotemedia::packet::{AudioFormat, Pool};
use remotemedia::{Audio, Packet};
use serde_json::{Value, json};

/// Packets of a second.
pub const PER_SECOND: u32 = 50;

/// Two seconds of bursts of noise and pauses, as packets without times.
///
/// # Panics
/// If memory runs out.
pub fn signal(pool: &Pool) -> Vec<Packet> {
    let mut state = 1u32;
    let packet = |n: usize| {
        let format = AudioFormat::f32(48_000, 1);
        let mut audio = Audio::from_pool(pool, format, FRAMES).expect("a good format");
        let level = if (n / 20).is_multiple_of(2) { 0.3 } else { 0.001 };
        for sample in audio.f32_mut().expect("fresh memory") {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *sample = level * (state as f32 / u32::MAX as f32 - 0.5);
        }
        Packet::audio(audio)
    };
    (0..100).map(packet).collect()
}

/// The pipeline; `placement` says where it runs.
pub fn manifest(placement: &str) -> Value {
    json!({
        "version": "v1",
        "nodes": [
            {"id": "resample", "node_type": "AudioResample", "params": {"target_rate": 16_000},
             "placement": placement},
            {"id": "vad", "node_type": "VAD", "params": {"report": "changes"}},
            {"id": "gain", "node_type": "Gain", "params": {"gain_db": 3}},
        ],
        "connections": [{"from": "resample", "to": "vad"}, {"from": "vad", "to": "gain"}],
        "outputs": {"audio": "gain.out", "speech": "vad.vad"},
    })
}

/// The same functions that the pipeline's nodes call, without anything around them.
pub struct Kernels {
    resampler: Resampler,
    detector: Detector,
    gain: Gain,
}

impl Default for Kernels {
    fn default() -> Self {
        let ms = |ms: u64| 16 * ms;
        let rules = Rules {
            threshold: 0.5,
            neg_threshold: 0.35,
            min_speech: ms(250),
            min_silence: ms(100),
            pad: ms(30),
            max_speech: u64::MAX,
        };
        let energy = Energy::new(16_000, ms(20) as usize, None);
        Self {
            resampler: Resampler::new(48_000, 16_000, 1, Quality::Medium, Latency::Auto),
            detector: Detector::new(Engine::Energy(energy), rules),
            gain: Gain::new(gain::factor(3.0)),
        }
    }
}

impl Kernels {
    /// Works on a packet: `output` gets the audio, `heard` what comes of it.
    pub fn work(&mut self, input: &[f32], output: &mut Vec<f32>, heard: &mut Heard) {
        output.resize(self.resampler.output_frames(input.len()), 0.0);
        self.resampler.process(input, output);
        self.listen(output, heard);
    }

    /// Works on what the resampler still has, and ends.
    pub fn finish(&mut self, output: &mut Vec<f32>, heard: &mut Heard) {
        output.resize(self.resampler.tail_frames(), 0.0);
        self.resampler.drain(output);
        self.listen(output, heard);
        heard.changes += u64::from(self.detector.finish().is_some());
    }

    fn listen(&mut self, audio: &mut [f32], heard: &mut Heard) {
        let mut rest = &*audio;
        while !rest.is_empty() {
            let (decision, left) = self.detector.push(rest);
            rest = left;
            heard.changes += u64::from(decision.is_some_and(|d| d.event.is_some()));
        }
        self.gain.apply(audio, 1);
        heard.add(audio);
    }
}

/// What has come out of one pipeline: enough to see whether anything is missing or other than it
/// should be, at next to no cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Heard {
    /// Samples of audio.
    pub samples: u64,
    /// Checksum of them, by pieces: each has its place.
    pub sum: u64,
    /// Begins and ends of speech.
    pub changes: u64,
}

impl Heard {
    /// Adds audio.
    pub fn add(&mut self, samples: &[f32]) {
        if samples.is_empty() {
            return;
        }
        let sum: u64 = samples.iter().map(|s| u64::from(s.to_bits())).sum();
        self.sum = self.sum.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(sum);
        self.samples += samples.len() as u64;
    }

    /// Adds a packet. True: it was audio.
    pub fn take(&mut self, packet: &Packet) -> bool {
        match packet.as_audio().and_then(Audio::f32) {
            Some(samples) => {
                self.add(samples);
                true
            }
            None => {
                self.changes += 1;
                false
            }
        }
    }
}
