//! Polyphase FIR: every output frame is the dot product of the input around its time with the row
//! of a filter bank that belongs to its phase.
//!
//! The prototype is a sinc under a Kaiser window (J. F. Kaiser, "Nonrecursive digital filter design
//! using the I0-sinh window function", 1974). Where the ratio's phases are few each has a row of its
//! own; else rows lie so close that a straight line between two neighbours errs less than the filter
//! itself.

use super::{Latency, Quality, Ratio, finite};
use multiversion::multiversion;

/// Most coefficients for a bank with exact phases: 2 MB of them.
const MAX_EXACT: u64 = 1 << 19;
/// Rows of an interpolated bank for a full-band filter. A line between samples of a wave errs by
/// (π/rows)²/8 at most: -130 dB.
const ROWS: f64 = 2048.0;
/// Rows are a multiple of this long, with zeros before the first tap.
const LANES: usize = 8;
/// Frames that are taken in at a time, beside the filter's length.
const BLOCK: usize = 2048;

/// What the filter should do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// Rejection in dB.
    rejection: f64,
    /// Width of the transition, as a part of the lower Nyquist frequency.
    transition: f64,
    /// Longest lag in seconds.
    max_lag: f64,
}

impl Shape {
    pub(super) fn new(quality: Quality, latency: Latency) -> Self {
        let (rejection, transition) = match quality {
            Quality::Low => (80.0, 0.15),
            Quality::Medium => (100.0, 0.15),
            Quality::High => (120.0, 0.09),
            Quality::Vhq => (140.0, 0.05),
        };
        let max_lag = match latency {
            Latency::Low => 0.003,
            Latency::Auto => 0.020,
            Latency::Offline => f64::INFINITY,
        };
        Self { rejection, transition, max_lag }
    }
}

pub(super) struct Fir {
    bank: Bank,
    /// A row between two rows of the bank.
    blend: Vec<f32>,
    ratio: Ratio,
    channels: usize,
    /// Half the filter in input frames.
    half: usize,
    /// Input of each channel: `capacity` samples one after the other, `len` of them valid.
    history: Vec<f32>,
    capacity: usize,
    len: usize,
    /// Where the next output frame begins to read, and its phase in 1/`ratio.up` input frames.
    start: usize,
    phase: u64,
}

/// Rows of coefficients, one for each phase.
struct Bank {
    coefficients: Vec<f32>,
    taps: usize,
    /// Phases from one input frame to the next.
    rows: u64,
    /// Whether phases lie between the rows.
    between: bool,
}

impl Fir {
    pub(super) fn new(from: u32, ratio: Ratio, channels: usize, shape: Shape) -> Self {
        let band = ratio.band();
        // Kaiser's estimate: length - 1 = (rejection - 7.95) / (2.285 × transition in radians).
        let radians = std::f64::consts::PI * band;
        let wanted = (shape.rejection - 7.95) / (2.285 * radians * shape.transition) + 1.0;
        let half = (wanted / 2.0).ceil().min((shape.max_lag * f64::from(from)).floor()).max(4.0);
        // What the length allows in the end; the stopband begins at Nyquist unless that would take
        // more than 15 % of the band.
        let transition = (shape.rejection - 7.95) / (2.285 * radians * (2.0 * half - 1.0));
        let stop = (0.85 + transition).max(1.0).min(1.0 + transition / 2.0);
        let cutoff = band * (stop - transition / 2.0);
        let half = half as usize;
        let taps = (2 * half).next_multiple_of(LANES);
        let bank = Bank::new(ratio, half, taps, cutoff, kaiser_beta(shape.rejection));
        let capacity = 2 * taps + BLOCK;
        let mut fir = Self {
            bank,
            blend: vec![0.0; taps],
            ratio,
            channels,
            half,
            history: vec![0.0; capacity * channels],
            capacity,
            len: 0,
            start: 0,
            phase: 0,
        };
        fir.reset();
        fir
    }

    pub(super) fn lag(&self) -> usize {
        self.half
    }

    pub(super) fn reset(&mut self) {
        // Silence before the first frame, which the first output frame has in its middle.
        self.len = self.bank.taps - self.half - 1;
        self.start = 0;
        self.phase = 0;
        for history in self.history.chunks_exact_mut(self.capacity) {
            history[..self.len].fill(0.0);
        }
    }

    pub(super) fn output_frames(&self, input: usize) -> usize {
        let Some(last_start) = (self.len + input).checked_sub(self.start + self.bank.taps) else {
            return 0;
        };
        // Frame k reads from start + (phase + k × down) / up; count those at last_start or before.
        let room = (last_start as u64 + 1) * self.ratio.up - self.phase;
        room.div_ceil(self.ratio.down) as usize
    }

    pub(super) fn process(&mut self, mut input: &[f32], mut output: &mut [f32]) {
        if self.start >= self.bank.taps {
            // What stays is no more than what goes: cheap, and the same memory serves for the next
            // packet, so that many resamplers together stay in the caches.
            self.drop_read();
        }
        while !input.is_empty() {
            self.make_room();
            let frames = (self.capacity - self.len).min(input.len() / self.channels);
            let (now, later) = input.split_at(frames * self.channels);
            let out_frames = self.output_frames(frames);
            let (out_now, out_later) = output.split_at_mut(out_frames * self.channels);
            self.append(now, frames);
            self.run(out_now);
            (input, output) = (later, out_later);
        }
    }

    /// Gives the last frames, with silence after the input. `reset` has to follow.
    pub(super) fn finish(&mut self, mut output: &mut [f32]) {
        while !output.is_empty() {
            self.make_room();
            let frames = self.capacity - self.len;
            let out_frames = self.output_frames(frames).min(output.len() / self.channels);
            let (now, later) = output.split_at_mut(out_frames * self.channels);
            for history in self.history.chunks_exact_mut(self.capacity) {
                history[self.len..].fill(0.0);
            }
            self.len = self.capacity;
            self.run(now);
            output = later;
        }
    }

    fn make_room(&mut self) {
        if self.len == self.capacity {
            self.drop_read();
        }
    }

    /// Drops what no output frame will read any more.
    fn drop_read(&mut self) {
        let drop = self.start.min(self.len);
        for history in self.history.chunks_exact_mut(self.capacity) {
            history.copy_within(drop..self.len, 0);
        }
        self.len -= drop;
        self.start -= drop;
    }

    fn append(&mut self, input: &[f32], frames: usize) {
        for (c, history) in self.history.chunks_exact_mut(self.capacity).enumerate() {
            let into = &mut history[self.len..self.len + frames];
            if self.channels == 1 {
                into.iter_mut().zip(input).for_each(|(h, x)| *h = finite(*x));
            } else {
                let samples = input[c..].iter().step_by(self.channels);
                into.iter_mut().zip(samples).for_each(|(h, x)| *h = finite(*x));
            }
        }
        self.len += frames;
    }

    fn run(&mut self, output: &mut [f32]) {
        let begin = (self.start, self.phase);
        let mut end = begin;
        for (c, history) in self.history.chunks_exact(self.capacity).enumerate() {
            let place = (c, self.channels);
            end = filter(&self.bank, self.ratio, &mut self.blend, history, begin, output, place);
        }
        (self.start, self.phase) = end;
    }
}

impl Bank {
    fn new(ratio: Ratio, half: usize, taps: usize, cutoff: f64, beta: f64) -> Self {
        let exact = ratio.up * taps as u64 <= MAX_EXACT;
        let rows = if exact {
            ratio.up
        } else {
            // The narrower the band, the smoother the filter.
            (ROWS * ratio.band()).ceil().max(16.0) as u64
        };
        let mut coefficients = vec![0.0; (rows as usize + usize::from(!exact)) * taps];
        let mut row = vec![0.0; taps];
        for (r, into) in coefficients.chunks_exact_mut(taps).enumerate() {
            let phase = r as f64 / rows as f64;
            for (k, c) in row.iter_mut().enumerate() {
                let time = k as f64 - (taps - half - 1) as f64 - phase;
                *c = windowed_sinc(time, cutoff, half as f64, beta);
            }
            // Equal gain for all phases, or a constant would come out with a ripple.
            let sum: f64 = row.iter().sum();
            for (into, c) in into.iter_mut().zip(&row) {
                *into = (c / sum) as f32;
            }
        }
        Self { coefficients, taps, rows, between: !exact }
    }

    fn row(&self, row: usize) -> &[f32] {
        &self.coefficients[row * self.taps..][..self.taps]
    }
}

/// Output frames that are worked on at a time.
const GROUP: usize = 16;

/// Fills one channel of `output`; returns where the next frame begins, and its phase.
#[multiversion(targets("x86_64+avx+avx2"))]
fn filter(
    bank: &Bank,
    ratio: Ratio,
    blend: &mut [f32],
    history: &[f32],
    (mut start, mut phase): (usize, u64),
    output: &mut [f32],
    (channel, channels): (usize, usize),
) -> (usize, u64) {
    let (step, phase_step) = ((ratio.down / ratio.up) as usize, ratio.down % ratio.up);
    // The lanes of several frames are kept and added up later: seen together with the products,
    // the sum across lanes would make the compiler split the vectors.
    let mut lanes = [[0.0; LANES / 2]; GROUP];
    for group in output.chunks_mut(GROUP * channels) {
        let frames = group.len() / channels;
        for sums in &mut lanes[..frames] {
            let input = &history[start..start + bank.taps];
            let eight: [f32; LANES] = if bank.between {
                let place = phase * bank.rows;
                let row = (place / ratio.up) as usize;
                let part = (place % ratio.up) as f32 / ratio.up as f32;
                let rows = bank.row(row).iter().zip(bank.row(row + 1));
                for (b, (low, high)) in blend.iter_mut().zip(rows) {
                    *b = low + (high - low) * part;
                }
                dot(blend, input)
            } else {
                dot(bank.row(phase as usize), input)
            };
            *sums = std::array::from_fn(|i| eight[i] + eight[i + LANES / 2]);
            start += step;
            phase += phase_step;
            if phase >= ratio.up {
                phase -= ratio.up;
                start += 1;
            }
        }
        for (frame, s) in group.chunks_exact_mut(channels).zip(&lanes) {
            frame[channel] = (s[0] + s[2]) + (s[1] + s[3]);
        }
    }
    (start, phase)
}

/// Sums of products of every eighth element, in an order that does not depend on the SIMD level: 32
/// sums side by side (enough to hide the adder's delay), folded to eight. Lengths are a multiple of
/// eight.
#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> [f32; LANES] {
    let (a_wide, a_rest) = a.as_chunks::<{ 4 * LANES }>();
    let (b_wide, b_rest) = b.as_chunks::<{ 4 * LANES }>();
    let mut wide = [0.0f32; 4 * LANES];
    for (a, b) in a_wide.iter().zip(b_wide) {
        for i in 0..4 * LANES {
            wide[i] += a[i] * b[i];
        }
    }
    let mut sums: [f32; LANES] =
        std::array::from_fn(|i| (wide[i] + wide[i + 8]) + (wide[i + 16] + wide[i + 24]));
    for (a, b) in a_rest.as_chunks::<LANES>().0.iter().zip(b_rest.as_chunks::<LANES>().0) {
        for i in 0..LANES {
            sums[i] += a[i] * b[i];
        }
    }
    sums
}

/// The prototype at `time` (in input frames): cut off at `cutoff` × Nyquist, zero from ±`half` on.
fn windowed_sinc(time: f64, cutoff: f64, half: f64, beta: f64) -> f64 {
    let place = time / half;
    if place.abs() > 1.0 {
        return 0.0;
    }
    let angle = std::f64::consts::PI * cutoff * time;
    let sinc = if angle.abs() < 1e-9 { 1.0 } else { angle.sin() / angle };
    sinc * bessel_i0(beta * (1.0 - place * place).sqrt())
}

/// Kaiser's shape parameter for a rejection in dB (above 50).
fn kaiser_beta(rejection: f64) -> f64 {
    0.1102 * (rejection - 8.7)
}

/// Modified Bessel function of the first kind, order zero, by its power series.
fn bessel_i0(x: f64) -> f64 {
    let (mut sum, mut term, mut n) = (1.0, 1.0, 1.0);
    while term > sum * 1e-17 {
        term *= (x / (2.0 * n)).powi(2);
        sum += term;
        n += 1.0;
    }
    sum
}
