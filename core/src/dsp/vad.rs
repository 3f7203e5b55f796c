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
pub(crate) mod tests;
