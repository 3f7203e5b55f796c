//! Voice activity: how likely each frame of audio is speech.
//!
//! Two engines score frames of mono f32 audio between 0 and 1; [`segment`](super::segment) turns
//! scores into decisions. [`Energy`] compares the level in the voice band with the noise floor and
//! costs next to nothing; it takes anything for speech that stands out from the background.
//! [`Neural`] is a small recurrent network that tells voice from other sounds.

use super::segment::{Event, Rules, Segmenter};
use std::f64::consts::TAU;

/// Lowest level that is taken for a noise floor, in dB of full scale: below it lie digital silence
/// and dither, above which everything would stand out.
const QUIETEST_DB: f32 = -60.0;
/// Highest floor that is believed before the first window has passed: a recording that begins
/// with speech would otherwise be its own background.
const LOUDEST_START_DB: f32 = -36.0;
/// Span over which the lowest level counts as the noise floor. Longer than words, which have dips
/// between syllables; shorter would follow speech, longer would follow changes too late.
const FLOOR_SECONDS: f64 = 2.4;
/// The span is kept as so many blocks, each with its own minimum.
const FLOOR_BLOCKS: usize = 12;
/// Level above the floor at which a frame is as likely speech as not, and by how much a level has
/// to change for the likelihood to go from there to 0.73.
const MIDDLE_DB: f32 = 6.0;
const SLOPE_DB: f32 = 2.0;
/// The voice band: rumble and offset lie below, most of the noise above.
const LOW_HZ: f64 = 120.0;
const HIGH_HZ: f64 = 1_500.0;

/// Scores frames by their level in the voice band above the noise floor.
///
/// The floor is the lowest smoothed level of the last seconds (minimum statistics, after
/// R. Martin, *Noise power spectral density estimation based on optimal smoothing and minimum
/// statistics*, 2001, in one band). With a fixed level instead, frames of that level score 0.5.
///
/// # Real-time
/// rt-safe; about ten operations a sample.
#[derive(Debug, Clone)]
pub struct Energy {
    frame: usize,
    fixed_db: Option<f32>,
    filter: [Biquad; 2],
    /// Smoothed level.
    level: Option<f32>,
    smoothing: f32,
    /// Lowest level of each block of the span, the newest last.
    minima: [f32; FLOOR_BLOCKS],
    /// Frames in the newest block, and in a full one.
    in_block: u32,
    block: u32,
    /// Blocks that have passed, up to a full span.
    blocks: usize,
}

impl Energy {
    /// For frames of `frame` samples at `rate` Hz. `fixed` is an RMS level of 0 … 1 that decides
    /// instead of the noise floor.
    pub fn new(rate: u32, frame: usize, fixed: Option<f32>) -> Self {
        let rate = f64::from(rate.max(1));
        let seconds = frame.max(1) as f64 / rate;
        let frames = (FLOOR_SECONDS / FLOOR_BLOCKS as f64 / seconds).round().max(1.0);
        Self {
            frame: frame.max(1),
            fixed_db: fixed.map(|level| decibels(f64::from(level * level))),
            // At low rates the upper edge would lie beyond half the rate.
            filter: [
                Biquad::high_pass(LOW_HZ, rate),
                Biquad::low_pass(HIGH_HZ.min(0.4 * rate), rate),
            ],
            level: None,
            smoothing: (1.0 - (-seconds / 0.03).exp()) as f32,
            minima: [f32::INFINITY; FLOOR_BLOCKS],
            in_block: 0,
            block: frames as u32,
            blocks: 0,
        }
    }

    /// Samples of a frame.
    pub fn frame(&self) -> usize {
        self.frame
    }

    /// Score of the next frame, 0 … 1.
    pub fn score(&mut self, samples: &[f32]) -> f32 {
        let [high, low] = &mut self.filter;
        let power: f64 = samples
            .iter()
            // Not-a-number would stay in the filter for ever.
            .map(|s| if s.is_finite() { f64::from(*s).clamp(-8.0, 8.0) } else { 0.0 })
            .map(|s| low.next(high.next(s)).powi(2))
            .sum();
        let now = decibels(power / samples.len().max(1) as f64);
        let before = self.level.unwrap_or(now);
        // Up at once, so that the beginning of a word counts; down smoothly.
        let level = before + self.smoothing * (now - before);
        self.level = Some(level);
        let floor = self.track(level);
        let middle = self.fixed_db.unwrap_or(floor + MIDDLE_DB);
        1.0 / (1.0 + ((middle - level.max(now)) / SLOPE_DB).exp())
    }

    /// Takes a level into the span and gives the noise floor.
    fn track(&mut self, level: f32) -> f32 {
        if self.in_block == self.block {
            self.minima.rotate_left(1);
            self.minima[FLOOR_BLOCKS - 1] = f32::INFINITY;
            self.in_block = 0;
            self.blocks = (self.blocks + 1).min(FLOOR_BLOCKS);
        }
        self.in_block += 1;
        let newest = &mut self.minima[FLOOR_BLOCKS - 1];
        *newest = newest.min(level);
        let lowest = self.minima.iter().copied().fold(f32::INFINITY, f32::min);
        let highest = if self.blocks < FLOOR_BLOCKS { LOUDEST_START_DB } else { 0.0 };
        lowest.clamp(QUIETEST_DB, highest)
    }

    /// Forgets the audio so far, and the noise floor with it.
    pub fn reset(&mut self) {
        self.filter.iter_mut().for_each(Biquad::reset);
        self.level = None;
        self.minima = [f32::INFINITY; FLOOR_BLOCKS];
        (self.in_block, self.blocks) = (0, 0);
    }
}

/// Power to dB, at least −100.
fn decibels(power: f64) -> f32 {
    (10.0 * (power + 1e-10).log10()) as f32
}

/// Second-order Butterworth filter (R. Bristow-Johnson, *Audio EQ cookbook*), transposed form II.
#[derive(Debug, Clone)]
struct Biquad {
    b: [f64; 3],
    a: [f64; 2],
    z: [f64; 2],
}

impl Biquad {
    fn high_pass(hz: f64, rate: f64) -> Self {
        Self::new(hz, rate, |cos| [(1.0 + cos) / 2.0, -(1.0 + cos), (1.0 + cos) / 2.0])
    }

    fn low_pass(hz: f64, rate: f64) -> Self {
        Self::new(hz, rate, |cos| [(1.0 - cos) / 2.0, 1.0 - cos, (1.0 - cos) / 2.0])
    }

    fn new(hz: f64, rate: f64, b: impl Fn(f64) -> [f64; 3]) -> Self {
        let (sin, cos) = (TAU * hz / rate).sin_cos();
        let alpha = sin / std::f64::consts::SQRT_2;
        let a0 = 1.0 + alpha;
        let b = b(cos).map(|b| b / a0);
        Self { b, a: [-2.0 * cos / a0, (1.0 - alpha) / a0], z: [0.0; 2] }
    }

    fn next(&mut self, x: f64) -> f64 {
        let y = self.b[0] * x + self.z[0];
        self.z[0] = self.b[1] * x - self.a[0] * y + self.z[1];
        self.z[1] = self.b[2] * x - self.a[1] * y;
        y
    }

    fn reset(&mut self) {
        self.z = [0.0; 2];
    }
}

/// Scores frames with the network of the crate `earshot`: 16 kHz, 256 samples (16 ms) a frame.
///
/// # Real-time
/// rt-safe; made once, it holds all of its memory (about 8 KiB).
pub struct Neural {
    detector: Box<earshot::Detector>,
}

impl Neural {
    /// The only rate that it takes, in Hz.
    pub const RATE: u32 = 16_000;
    /// Samples of a frame.
    pub const FRAME: usize = 256;

    /// A network that has heard nothing yet.
    pub fn new() -> Self {
        Self { detector: earshot::Detector::default_boxed() }
    }

    /// Score of the next frame, 0 … 1. Takes [`FRAME`](Self::FRAME) samples.
    pub fn score(&mut self, samples: &[f32]) -> f32 {
        let mut frame = [0.0; Self::FRAME];
        for (out, sample) in frame.iter_mut().zip(samples) {
            // The network expects full scale at most; not-a-number would stay in it for ever.
            *out = if sample.is_nan() { 0.0 } else { sample.clamp(-1.0, 1.0) };
        }
        self.detector.predict_f32(&frame).clamp(0.0, 1.0)
    }

    /// Forgets the audio so far.
    pub fn reset(&mut self) {
        self.detector.reset();
    }
}

impl Default for Neural {
    fn default() -> Self {
        Self::new()
    }
}

/// One of the engines.
pub enum Engine {
    /// By level.
    Energy(Energy),
    /// By network.
    Neural(Neural),
}

impl Engine {
    /// Samples of a frame.
    pub fn frame(&self) -> usize {
        match self {
            Self::Energy(energy) => energy.frame(),
            Self::Neural(_) => Neural::FRAME,
        }
    }

    /// Score of the next frame of [`frame`](Self::frame) samples, 0 … 1.
    pub fn score(&mut self, samples: &[f32]) -> f32 {
        match self {
            Self::Energy(energy) => energy.score(samples),
            Self::Neural(neural) => neural.score(samples),
        }
    }

    /// Forgets the audio so far.
    pub fn reset(&mut self) {
        match self {
            Self::Energy(energy) => energy.reset(),
            Self::Neural(neural) => neural.reset(),
        }
    }
}

/// What one frame has brought.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decision {
    /// Sample at which the frame begins, counted from the beginning of the stream.
    pub begin: u64,
    /// Score of the frame, 0 … 1.
    pub score: f32,
    /// Whether a stretch of speech is open after it.
    pub speech: bool,
    /// What has begun or ended with it.
    pub event: Option<Event>,
}

/// An engine and the rules over it, fed with audio in pieces of any size. The pieces don't matter:
/// frames are counted from the beginning of the stream.
///
/// # Real-time
/// rt-safe.
pub struct Detector {
    engine: Engine,
    segmenter: Segmenter,
    /// Samples of the frame that is not full yet.
    partial: Vec<f32>,
    /// Samples taken.
    taken: u64,
}

impl Detector {
    /// A detector that has heard nothing yet.
    pub fn new(engine: Engine, rules: Rules) -> Self {
        let partial = Vec::with_capacity(engine.frame());
        Self { engine, segmenter: Segmenter::new(rules), partial, taken: 0 }
    }

    /// The state of the rules.
    pub fn segmenter(&self) -> &Segmenter {
        &self.segmenter
    }

    /// Samples taken since it had heard nothing.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// Takes other rules, from the next frame on.
    pub fn set_rules(&mut self, rules: Rules) {
        self.segmenter.set_rules(rules);
    }

    /// Takes samples up to the end of the next frame: gives what the frame has brought, if it has
    /// become full, and the samples that are left.
    pub fn push<'a>(&mut self, samples: &'a [f32]) -> (Option<Decision>, &'a [f32]) {
        let frame = self.engine.frame();
        let (now, left) = samples.split_at(samples.len().min(frame - self.partial.len()));
        self.taken += now.len() as u64;
        // A frame that lies whole in the input needs no copy.
        let whole = if now.len() == frame {
            now
        } else {
            self.partial.extend_from_slice(now);
            &self.partial
        };
        if whole.len() < frame {
            return (None, left);
        }
        let score = self.engine.score(whole);
        self.partial.clear();
        let event = self.segmenter.push(score, frame as u64);
        let begin = self.taken - frame as u64;
        (Some(Decision { begin, score, speech: self.segmenter.is_speech(), event }), left)
    }

    /// Ends the stream: an open stretch ends. Afterwards it has heard nothing yet.
    pub fn finish(&mut self) -> Option<Event> {
        let event = self.segmenter.finish(self.taken);
        self.reset();
        event
    }

    /// Forgets everything.
    pub fn reset(&mut self) {
        self.engine.reset();
        self.segmenter.reset();
        self.partial.clear();
        self.taken = 0;
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Rate and samples of a mono WAV among the recordings, the offset taken off.
    pub(crate) fn wav(name: &str) -> (u32, Vec<f32>) {
        let path = format!("{}/../media/{name}", env!("CARGO_MANIFEST_DIR"));
        let mut reader = hound::WavReader::open(path).expect(name);
        let rate = reader.spec().sample_rate;
        let channels = usize::from(reader.spec().channels);
        let all: Vec<i16> = reader.samples().map(|s| s.expect("a sample")).collect();
        (rate, all.chunks(channels).map(|c| f32::from(c[0]) / 32_768.0).collect())
    }

    /// White noise of this RMS level.
    pub(crate) fn noise(samples: usize, level: f32) -> Vec<f32> {
        let mut state = 0x9E37_79B9_7F4A_7C15u64;
        let mut next = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
        };
        // Twelve uniform values make a normal one of variance one.
        (0..samples).map(|_| level * (0..12).map(|_| next()).sum::<f32>()).collect()
    }

    fn engines(rate: u32) -> Vec<(&'static str, Engine)> {
        let mut out = vec![("energy", Engine::Energy(Energy::new(rate, rate as usize / 50, None)))];
        if rate == Neural::RATE {
            out.push(("neural", Engine::Neural(Neural::new())));
        }
        out
    }

    /// Stretches of speech, in samples, without padding.
    fn stretches(engine: &mut Engine, rate: u32, samples: &[f32]) -> Vec<(u64, u64)> {
        let ms = |ms: u64| ms * u64::from(rate) / 1_000;
        let rules = Rules {
            threshold: 0.5,
            neg_threshold: 0.35,
            min_speech: ms(100),
            min_silence: ms(150),
            pad: 0,
            max_speech: u64::MAX,
        };
        let mut segmenter = Segmenter::new(rules);
        let (mut out, mut start) = (Vec::new(), 0);
        let frame = engine.frame();
        let mut events: Vec<Event> = samples
            .chunks_exact(frame)
            .filter_map(|f| segmenter.push(engine.score(f), frame as u64))
            .collect();
        events.extend(segmenter.finish(samples.len() as u64));
        for event in events {
            match event {
                Event::Start(at) => start = at,
                Event::End(at) | Event::Cut(at) => out.push((start, at)),
            }
        }
        out
    }

    /// Which 10 ms pieces are speech, going by the clean recording alone: level in 30 ms around
    /// them above −38 dBFS, gaps below 150 ms closed.
    fn labels(rate: u32, samples: &[f32]) -> Vec<bool> {
        let mean = samples.iter().sum::<f32>() / samples.len() as f32;
        let piece = rate as usize / 100;
        let count = samples.len() / piece;
        let mut loud: Vec<bool> = (0..count)
            .map(|i| {
                let around =
                    &samples[piece * i.saturating_sub(1)..(piece * (i + 2)).min(samples.len())];
                let power: f32 = around.iter().map(|s| (s - mean).powi(2)).sum();
                10.0 * (power / around.len() as f32).log10() > -38.0
            })
            .collect();
        let mut last: Option<usize> = None;
        for i in 0..count {
            if loud[i] {
                if let Some(last) = last
                    && i - last <= 15
                {
                    loud[last..i].fill(true);
                }
                last = Some(i);
            }
        }
        loud
    }

    fn f1(labels: &[bool], found: &[(u64, u64)], rate: u32) -> f64 {
        let piece = u64::from(rate) / 100;
        let speech = |i: usize| {
            let middle = piece * i as u64 + piece / 2;
            found.iter().any(|(from, to)| (*from..*to).contains(&middle))
        };
        let (mut hit, mut wrong) = (0, 0);
        for (i, label) in labels.iter().enumerate() {
            match (label, speech(i)) {
                (true, true) => hit += 1,
                (true, false) | (false, true) => wrong += 1,
                (false, false) => {}
            }
        }
        2.0 * f64::from(hit) / f64::from(2 * hit + wrong)
    }

    /// The clean recording with white noise, `snr` dB below its level over all.
    fn noisy(clean: &[f32], snr: f32) -> Vec<f32> {
        let mean = clean.iter().sum::<f32>() / clean.len() as f32;
        let power = clean.iter().map(|s| (s - mean).powi(2)).sum::<f32>() / clean.len() as f32;
        let noise = noise(clean.len(), (power / 10f32.powf(snr / 10.0)).sqrt());
        clean.iter().zip(noise).map(|(a, b)| a + b).collect()
    }

    #[test]
    fn speech_is_found_in_clean_and_in_noisy_recordings() {
        for name in ["speech-16k.wav", "speech-8k.wav", "speech-it-8k.wav"] {
            let (rate, clean) = wav(name);
            let labels = labels(rate, &clean);
            for (snr, least) in [(60.0, 0.95), (20.0, 0.95), (10.0, 0.9)] {
                let noisy = noisy(&clean, snr);
                for (engine, mut detector) in engines(rate) {
                    let found = stretches(&mut detector, rate, &noisy);
                    let f1 = f1(&labels, &found, rate);
                    println!("{name} {snr} dB {engine}: F1 {f1:.3}");
                    assert!(f1 >= least, "{name} at {snr} dB, {engine}: F1 {f1:.3}");
                }
            }
        }
    }

    #[test]
    fn the_pauses_between_the_sentences_are_found() {
        let (rate, samples) = wav("speech-16k.wav");
        for (engine, mut detector) in engines(rate) {
            let found = stretches(&mut detector, rate, &samples);
            assert_eq!(found.len(), 3, "{engine}: {found:?}");
            // Where the pauses end, see media/README.md.
            for ((start, _), pause) in found[1..].iter().zip([7.37, 10.37]) {
                let start = *start as f64 / f64::from(rate);
                assert!((start - pause).abs() < 0.06, "{engine}: {start} s, not {pause} s");
            }
        }
    }

    #[test]
    fn silence_offset_and_steady_noise_are_no_speech() {
        let second = 16_000;
        for (sound, samples) in [
            ("silence", vec![0.0; 6 * second]),
            ("an offset", vec![0.3; 6 * second]),
            ("dither", noise(6 * second, 2e-5)),
            ("soft noise", noise(6 * second, 0.003)),
            ("noise", noise(6 * second, 0.05)),
        ] {
            for (engine, mut detector) in engines(16_000) {
                let found = stretches(&mut detector, 16_000, &samples);
                let speech: u64 = found.iter().map(|(from, to)| to - from).sum();
                // The network takes up to a third of a second to settle.
                let most = if engine == "neural" { second as u64 * 2 / 5 } else { 0 };
                assert!(speech <= most, "{sound}, {engine}: {found:?}");
            }
        }
    }

    #[test]
    fn the_network_tells_voice_from_drums_which_levels_can_not() {
        let (rate, tabla) = wav("tabla-22k.wav");
        // Linear interpolation to 16 kHz: good enough for ears that listen for voice.
        let step = f64::from(rate) / 16_000.0;
        let count = ((tabla.len() - 1) as f64 / step) as usize;
        let drums: Vec<f32> = (0..count)
            .map(|i| {
                let at = i as f64 * step;
                let (index, part) = (at as usize, at.fract() as f32);
                tabla[index] * (1.0 - part) + tabla[index + 1] * part
            })
            .collect();
        let share = |engine: &mut Engine| {
            let found = stretches(engine, 16_000, &drums);
            found.iter().map(|(a, b)| b - a).sum::<u64>() as f64 / drums.len() as f64
        };
        let neural = share(&mut Engine::Neural(Neural::new()));
        assert!(neural < 0.1, "{neural:.2} of the drums is voice to the network");
        assert!(share(&mut Engine::Energy(Energy::new(16_000, 320, None))) > 0.8);
    }

    #[test]
    fn a_fixed_level_decides_in_place_of_the_noise_floor() {
        let mut energy = Energy::new(16_000, 320, Some(0.02));
        let tone = |level: f32| -> Vec<f32> {
            (0..320).map(|n| level * (n as f32 * 500.0 * TAU as f32 / 16_000.0).sin()).collect()
        };
        let soft = (0..10).map(|_| energy.score(&tone(0.02))).fold(0.0, f32::max);
        let loud = (0..10).map(|_| energy.score(&tone(0.04))).fold(0.0, f32::max);
        assert!(soft < 0.5 && loud > 0.5, "{soft} and {loud}");
    }

    #[test]
    fn samples_that_are_no_numbers_do_no_lasting_harm() {
        let (rate, mut samples) = wav("speech-16k.wav");
        samples[..3].copy_from_slice(&[f32::NAN, f32::INFINITY, -1e30]);
        for (engine, mut detector) in engines(rate) {
            assert_eq!(stretches(&mut detector, rate, &samples).len(), 3, "{engine}");
        }
    }

    #[test]
    fn the_size_of_the_pieces_does_not_matter() {
        let (rate, samples) = wav("speech-16k.wav");
        let rules = Rules {
            threshold: 0.5,
            neg_threshold: 0.35,
            min_speech: 4_000,
            min_silence: 1_600,
            pad: 480,
            max_speech: 48_000,
        };
        for (name, _) in engines(rate) {
            let decisions = |size: usize| -> Vec<Decision> {
                let engine =
                    engines(rate).into_iter().find(|(n, _)| *n == name).expect("is there").1;
                let mut detector = Detector::new(engine, rules);
                let mut out = Vec::new();
                for mut piece in samples.chunks(size) {
                    while !piece.is_empty() {
                        let (decision, left) = detector.push(piece);
                        piece = left;
                        out.extend(decision);
                    }
                }
                out
            };
            let whole = decisions(samples.len());
            assert!(whole.iter().any(|d| matches!(d.event, Some(Event::Cut(_)))));
            for size in [1, 7, 255, 256, 4_000] {
                assert!(decisions(size) == whole, "{name} in pieces of {size}");
            }
        }
    }
}
