//! Sample rate conversion of a stream: any chunking in, equal samples out.
//!
//! Output frame `n` is the input at time `n × from / to`: the filter's delay is trimmed at the
//! start, and [`Resampler::drain`] gives the rest, so that the output lasts as long as the input,
//! rounded to the frame. Samples that are no number, infinite or beyond 10^18 count as silence. Two engines do the work:
//! * `fir`: a bank of polyphase filters. Every output frame is one dot product, so the lag is
//!   half a filter and nothing else. For live use.
//! * `fft`: overlap-add over long blocks (the crate `rubato`). A steeper filter at less cost, with
//!   a block's lag. For files. Without the feature `fft`, and for ratios that have no good block
//!   length, a filter bank does its work.
//!
//! | latency | quality | engine | rejection | passband (of the lower Nyquist frequency) |
//! |---|---|---|---|---|
//! | low, auto | low | fir | 80 dB | 85 % |
//! | low, auto | medium | fir | 100 dB | 85 % |
//! | low, auto | high | fir | 120 dB | 91 %, low latency 85 % |
//! | low, auto | vhq | fir | 140 dB | 95 %, low latency 85 % |
//! | offline | low … vhq | fft | 140 dB | 85 % … 98 % |
//!
//! The stopband begins at the lower Nyquist frequency, except where the lag allowed is too short for
//! that: then the passband keeps its 85 % and what aliases lies above it.

#[cfg(feature = "fft")]
mod fft;
mod fir;

#[cfg(feature = "fft")]
use fft::Fft;
use fir::Fir;

/// How sharp the filter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quality {
    /// 80 dB, flat to 85 % of the lower Nyquist frequency.
    Low,
    /// 100 dB, flat to 85 % of the lower Nyquist frequency.
    Medium,
    /// 120 dB, flat to 91 %.
    High,
    /// 140 dB, flat to 95 %.
    Vhq,
}

/// How long the output may lag behind the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Latency {
    /// At most 3 ms, whatever that costs in sharpness.
    Low,
    /// At most 20 ms, and no more than the quality needs.
    Auto,
    /// As long as it takes.
    Offline,
}

/// Converts a stream of interleaved f32 frames from one rate to another.
pub struct Resampler {
    engine: Engine,
    ratio: Ratio,
    channels: usize,
    /// Frames taken and given since the start.
    taken: u64,
    given: u64,
}

enum Engine {
    Fir(Fir),
    #[cfg(feature = "fft")]
    Fft(Box<Fft>),
}

/// Output rate : input rate in lowest terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ratio {
    up: u64,
    down: u64,
}

impl Ratio {
    fn new(from: u32, to: u32) -> Self {
        let (mut a, mut b) = (from, to);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        Self { up: u64::from(to / a), down: u64::from(from / a) }
    }

    /// What so many input frames come to, rounded to the nearest.
    fn scale(self, frames: u64) -> u64 {
        let doubled = 2 * u128::from(frames) * u128::from(self.up) + u128::from(self.down);
        (doubled / (2 * u128::from(self.down))) as u64
    }

    /// Share of the input's band that the output holds.
    fn band(self) -> f64 {
        (self.up as f64 / self.down as f64).min(1.0)
    }
}

/// Silence for what is no number or absurdly large: it would spoil a whole block of the FFT, which
/// refuses it with a panic.
#[inline(always)]
fn finite(x: f32) -> f32 {
    if x.abs() < 1e18 { x } else { 0.0 }
}

impl Resampler {
    /// A resampler for `channels` interleaved channels. Allocates all that it will ever need.
    ///
    /// # Panics
    /// If a rate or `channels` is zero.
    pub fn new(from: u32, to: u32, channels: usize, quality: Quality, latency: Latency) -> Self {
        assert!(from > 0 && to > 0 && channels > 0, "rates and channels are at least one");
        let ratio = Ratio::new(from, to);
        #[cfg(feature = "fft")]
        if latency == Latency::Offline
            && let Some(fft) = Fft::new(ratio, channels, quality)
        {
            return Self {
                engine: Engine::Fft(Box::new(fft)),
                ratio,
                channels,
                taken: 0,
                given: 0,
            };
        }
        let fir = Fir::new(from, ratio, channels, fir::Shape::new(quality, latency));
        Self { engine: Engine::Fir(fir), ratio, channels, taken: 0, given: 0 }
    }

    /// How many input frames the output lags behind: those that have to come before the output for
    /// a frame is sure to be there.
    pub fn lag(&self) -> usize {
        match &self.engine {
            Engine::Fir(fir) => fir.lag(),
            #[cfg(feature = "fft")]
            Engine::Fft(fft) => fft.lag(),
        }
    }

    /// How many frames [`process`](Self::process) will give for so many input frames.
    pub fn output_frames(&self, input: usize) -> usize {
        match &self.engine {
            Engine::Fir(fir) => fir.output_frames(input),
            #[cfg(feature = "fft")]
            Engine::Fft(fft) => fft.output_frames(input),
        }
    }

    /// Takes interleaved frames and gives exactly [`output_frames`](Self::output_frames).
    ///
    /// # Panics
    /// If `input` is no whole number of frames or `output` has another length than that.
    ///
    /// # Real-time
    /// rt-safe.
    pub fn process(&mut self, input: &[f32], output: &mut [f32]) {
        assert!(input.len().is_multiple_of(self.channels), "whole frames");
        let frames = input.len() / self.channels;
        let out_frames = self.output_frames(frames);
        assert_eq!(output.len(), out_frames * self.channels, "what `output_frames` says");
        self.taken += frames as u64;
        self.given += out_frames as u64;
        match &mut self.engine {
            Engine::Fir(fir) => fir.process(input, output),
            #[cfg(feature = "fft")]
            Engine::Fft(fft) => fft.process(input, output),
        }
    }

    /// How many frames [`drain`](Self::drain) will give.
    pub fn tail_frames(&self) -> usize {
        (self.ratio.scale(self.taken) - self.given) as usize
    }

    /// Gives the rest, exactly [`tail_frames`](Self::tail_frames), and is as new.
    ///
    /// # Panics
    /// If `output` has another length than that.
    ///
    /// # Real-time
    /// rt-safe.
    pub fn drain(&mut self, output: &mut [f32]) {
        assert_eq!(output.len(), self.tail_frames() * self.channels, "what `tail_frames` says");
        match &mut self.engine {
            Engine::Fir(fir) => fir.finish(output),
            #[cfg(feature = "fft")]
            Engine::Fft(fft) => fft.finish(output),
        }
        self.reset();
    }

    /// Forgets everything and is as new.
    pub fn reset(&mut self) {
        (self.taken, self.given) = (0, 0);
        match &mut self.engine {
            Engine::Fir(fir) => fir.reset(),
            #[cfg(feature = "fft")]
            Engine::Fft(fft) => fft.reset(),
        }
    }
}

#[cfg(test)]
mod tests;
