//! Overlap-add by FFT over fixed blocks, with the crate `rubato`.
//!
//! Rubato wants whole blocks and delays by half a filter; this keeps what does not fill a block yet
//! and drops the delay at the start. Blocks have even lengths, so that the delay is a whole number
//! of frames at both rates, and no prime factor above 7, where the FFT is slow.

use super::{Quality, Ratio, finite};
use audioadapter_buffers::direct::InterleavedSlice;
use rubato::{FixedSync, Resampler as _, WindowFunction};

/// Longest block at the higher rate, in frames. Ratios that need a longer one get a FIR.
const MAX_BLOCK: u64 = 16_384;

pub(super) struct Fft {
    engine: rubato::Fft<f32>,
    channels: usize,
    block_in: usize,
    block_out: usize,
    /// Input that does not fill a block yet, interleaved, and its length in frames.
    pending: Vec<f32>,
    pending_frames: usize,
    /// One output block, for when only a part of it is wanted.
    scratch: Vec<f32>,
    /// Output frames still to be dropped at the start.
    skip: usize,
}

impl Fft {
    /// `None` when the ratio has no good block length.
    pub(super) fn new(ratio: Ratio, channels: usize, quality: Quality) -> Option<Self> {
        // The filter is as long as a block: about 14 frames of the lower rate per block length are
        // lost in the transition.
        let wanted = match quality {
            Quality::Low => 160,
            Quality::Medium => 320,
            Quality::High => 640,
            Quality::Vhq => 1536,
        };
        let (low, high) = (ratio.up.min(ratio.down), ratio.up.max(ratio.down));
        if !is_smooth(ratio.up) || !is_smooth(ratio.down) {
            return None;
        }
        let least = u64::div_ceil(wanted, low);
        let times = (least..).find(|k| k.is_multiple_of(2) && is_smooth(*k))?;
        if times * high > MAX_BLOCK {
            return None;
        }
        let (block_in, block_out) = ((times * ratio.down) as usize, (times * ratio.up) as usize);
        // Rates count to rubato by their ratio alone.
        let engine = rubato::Fft::new_custom(
            ratio.down as usize,
            ratio.up as usize,
            block_in,
            1,
            channels,
            WindowFunction::BlackmanHarris2,
            FixedSync::Both,
        )
        .ok()?;
        let made = (engine.input_frames_next(), engine.output_frames_next(), engine.output_delay());
        if made != (block_in, block_out, block_out / 2) {
            return None;
        }
        Some(Self {
            engine,
            channels,
            block_in,
            block_out,
            pending: vec![0.0; block_in * channels],
            pending_frames: 0,
            scratch: vec![0.0; block_out * channels],
            skip: block_out / 2,
        })
    }

    pub(super) fn lag(&self) -> usize {
        self.block_in + self.block_in / 2
    }

    pub(super) fn reset(&mut self) {
        self.engine.reset();
        self.pending_frames = 0;
        self.skip = self.block_out / 2;
    }

    pub(super) fn output_frames(&self, input: usize) -> usize {
        let made = (self.pending_frames + input) / self.block_in * self.block_out;
        made.saturating_sub(self.skip)
    }

    pub(super) fn process(&mut self, mut input: &[f32], mut output: &mut [f32]) {
        let block = self.block_in * self.channels;
        while !input.is_empty() {
            let have = self.pending_frames * self.channels;
            let (now, later) = input.split_at(input.len().min(block - have));
            for (into, x) in self.pending[have..].iter_mut().zip(now) {
                *into = finite(*x);
            }
            self.pending_frames += now.len() / self.channels;
            input = later;
            if self.pending_frames == self.block_in {
                output = self.run(output);
            }
        }
    }

    /// Gives the last frames, with silence after the input. `reset` has to follow.
    pub(super) fn finish(&mut self, mut output: &mut [f32]) {
        while !output.is_empty() {
            self.pending[self.pending_frames * self.channels..].fill(0.0);
            output = self.run(output);
        }
    }

    /// The pending block through the FFT into the beginning of `output`, as much of it as fits and
    /// is not delay. Returns the rest of `output`.
    fn run<'a>(&mut self, output: &'a mut [f32]) -> &'a mut [f32] {
        self.pending_frames = 0;
        let block = self.block_out * self.channels;
        if self.skip == 0 && output.len() >= block {
            let (now, later) = output.split_at_mut(block);
            self.transform(Some(now));
            return later;
        }
        self.transform(None);
        let skipped = self.skip.min(self.block_out);
        self.skip -= skipped;
        let made = &self.scratch[skipped * self.channels..];
        let (now, later) = output.split_at_mut(made.len().min(output.len()));
        now.copy_from_slice(&made[..now.len()]);
        later
    }

    /// The pending block, into `output` or else into the scratch block.
    fn transform(&mut self, output: Option<&mut [f32]>) {
        let output = output.unwrap_or(&mut self.scratch);
        let input = &self.pending[..];
        let done = InterleavedSlice::new(input, self.channels, self.block_in).and_then(|from| {
            let mut into = InterleavedSlice::new_mut(output, self.channels, self.block_out)?;
            Ok(self.engine.process_into_buffer(&from, &mut into, None))
        });
        assert!(matches!(done, Ok(Ok(_))), "both slices hold a block, which is all it asks for");
    }
}

/// Whether the number has no prime factor above 7.
fn is_smooth(mut n: u64) -> bool {
    for prime in [2, 3, 5, 7] {
        while n > 0 && n.is_multiple_of(prime) {
            n /= prime;
        }
    }
    n == 1
}
