//! What the nodes that look for speech share: their params, and audio that waits for a verdict.

use crate::dsp::segment::Rules;
use crate::dsp::vad::{Detector, Energy, Engine, Neural};
use crate::error::{Error, Result, detail};
use crate::node::caps::Numbers;
use crate::node::{Choice, MediaFormat, Ports};
use crate::packet::{Audio, AudioFormat, MediaTime, SampleFormat};
use std::collections::VecDeque;

/// Lowest rate at which the voice band is there to be measured.
const MIN_RATE: u32 = 4_000;

/// What scores frames of audio as speech.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Choice)]
pub enum VadEngine {
    /// The level in the voice band above the noise floor. Any rate; anything that stands out from
    /// the background counts.
    #[default]
    Energy,
    /// A small neural network that knows voice from other sounds. 16 kHz.
    Neural,
}

/// The params of detection, as the nodes have them.
pub(super) struct SpeechParams {
    pub(super) engine: VadEngine,
    pub(super) threshold: f32,
    pub(super) neg_threshold: Option<f32>,
    pub(super) energy_threshold: Option<f32>,
    pub(super) frame_duration_ms: f64,
    pub(super) min_speech_duration_ms: f64,
    pub(super) min_silence_duration_ms: f64,
    pub(super) speech_pad_ms: f64,
    pub(super) max_speech_duration_ms: Option<f64>,
}

impl SpeechParams {
    /// Checks the params against each other and narrows the ports to what the engine takes.
    pub(super) fn ports(&self, ports: &mut Ports) -> Result<()> {
        let conflict = if self.neg_threshold.is_some_and(|neg| neg > self.threshold) {
            "param 'neg_threshold' lies above 'threshold'"
        } else if self.engine == VadEngine::Neural && self.energy_threshold.is_some() {
            "param 'energy_threshold' is for the energy engine, not the neural one"
        } else {
            ""
        };
        if !conflict.is_empty() {
            return Err(Error::new(detail::MANIFEST_PARAM_CONFLICT, conflict));
        }
        let audio = &mut ports.inputs[0].caps.audio;
        audio.channels = Numbers::one(1);
        audio.rates = match self.engine {
            VadEngine::Energy => Numbers::Range(MIN_RATE, AudioFormat::MAX_RATE),
            VadEngine::Neural => Numbers::one(Neural::RATE),
        };
        Ok(())
    }

    /// The audio format, if the engine takes it.
    pub(super) fn format(&self, format: &MediaFormat) -> Result<AudioFormat> {
        let takes = |f: &AudioFormat| match self.engine {
            VadEngine::Energy => f.rate >= MIN_RATE,
            VadEngine::Neural => f.rate == Neural::RATE,
        };
        match format.audio() {
            Some(f) if f.channels == 1 && f.sample == SampleFormat::F32 && takes(&f) => Ok(f),
            _ => Err(Error::new(
                detail::FORMAT_AUDIO,
                format!(
                    "speech is looked for in mono f32 audio of a fitting rate, not in {format}"
                ),
            )
            .with_hint("the energy engine takes any rate from 4 kHz, the neural one 16 kHz")),
        }
    }

    pub(super) fn detector(&self, rate: u32) -> Detector {
        let frame = samples(self.frame_duration_ms, rate) as usize;
        let engine = match self.engine {
            VadEngine::Energy => Engine::Energy(Energy::new(rate, frame, self.energy_threshold)),
            VadEngine::Neural => Engine::Neural(Neural::new()),
        };
        Detector::new(engine, self.rules(rate))
    }

    pub(super) fn rules(&self, rate: u32) -> Rules {
        let neg = self.neg_threshold.unwrap_or((self.threshold - 0.15).max(0.01));
        Rules {
            threshold: self.threshold,
            neg_threshold: neg.min(self.threshold),
            min_speech: samples(self.min_speech_duration_ms, rate),
            min_silence: samples(self.min_silence_duration_ms, rate),
            pad: samples(self.speech_pad_ms, rate),
            max_speech: self.max_speech_duration_ms.map_or(u64::MAX, |ms| samples(ms, rate).max(1)),
        }
    }
}

fn samples(ms: f64, rate: u32) -> u64 {
    MediaTime::from_secs_f64(ms / 1e3).to_frames(rate).max(0) as u64
}

/// Audio of one stream that waits, as slices of the packets that it came in.
pub(super) struct Held {
    slices: VecDeque<Audio>,
    /// Sample at which the first slice begins.
    begin: u64,
}

impl Held {
    pub(super) fn new() -> Self {
        Self { slices: VecDeque::with_capacity(256), begin: 0 }
    }

    /// Empty and at sample zero, with the same memory.
    pub(super) fn emptied(&mut self) -> Self {
        let mut slices = std::mem::take(&mut self.slices);
        slices.clear();
        Self { slices, begin: 0 }
    }

    pub(super) fn push(&mut self, audio: Audio) {
        if audio.frames() > 0 {
            self.slices.push_back(audio);
        }
    }

    /// The next slice, as far as it lies before `until`, and the sample at which it begins.
    pub(super) fn take_before(&mut self, until: u64) -> Option<(u64, Audio)> {
        let wanted = usize::try_from(until.saturating_sub(self.begin)).unwrap_or(usize::MAX);
        let first = self.slices.front_mut()?;
        if wanted == 0 {
            return None;
        }
        let begin = self.begin;
        let taken = if wanted >= first.frames() {
            self.slices.pop_front()?
        } else {
            let taken = first.slice(0..wanted);
            *first = first.slice(wanted..first.frames());
            taken
        };
        self.begin += taken.frames() as u64;
        Some((begin, taken))
    }

    /// Drops what lies before `until`. Whether there was anything.
    pub(super) fn drop_before(&mut self, until: u64) -> bool {
        let mut any = false;
        while self.take_before(until).is_some() {
            any = true;
        }
        any
    }
}
