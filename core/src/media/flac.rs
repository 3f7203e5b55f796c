//! The FLAC container, writing: frames of fixed size as they fill, and the header that is known
//! only at the end. Prediction and coding of the frames are flacenc's; format: RFC 9639.

use crate::error::{Error, Result, detail};
use crate::packet::AudioFormat;
use flacenc::bitsink::ByteSink;
use flacenc::component::{BitRepr, StreamInfo};
use flacenc::config;
use flacenc::error::{Verified, Verify};
use flacenc::source::{Context, Fill, FrameBuf};

/// Samples of each channel in a frame; the last frame has fewer.
const BLOCK: usize = 4096;
/// Length of [`Encoder::header`].
pub const HEADER_BYTES: usize = 42;
/// Highest rate and channel count, and the sample sizes that are written.
const MAX_RATE: u32 = 96_000;
const MAX_CHANNELS: u16 = 8;

/// Encodes interleaved integers to FLAC frames.
pub struct Encoder {
    config: Verified<config::Encoder>,
    info: StreamInfo,
    /// One block for flacenc, and the samples that wait for it to fill.
    block: FrameBuf,
    waiting: Vec<i32>,
    /// Counts samples and blocks, and computes the checksum of the whole.
    context: Context,
    channels: usize,
    /// Smallest and largest frame so far, in bytes.
    sizes: (u32, u32),
}

impl Encoder {
    /// An encoder for audio of this rate and channel count, with samples of `bits` bits.
    ///
    /// # Errors
    /// `format.audio` beyond 96 kHz, 8 channels, and other sizes than 8, 16 and 24 bits.
    pub fn new(format: &AudioFormat, bits: usize) -> Result<Self> {
        let refused = || {
            Error::new(
                detail::FORMAT_AUDIO,
                format!(
                    "FLAC is written for rates up to {MAX_RATE} Hz, up to {MAX_CHANNELS} channels \
                     and samples of 16 or 24 bits, not for {} Hz, {} channels, {bits} bits",
                    format.rate, format.channels
                ),
            )
            .with_hint("write a .wav file, or resample before the writer")
        };
        if format.rate > MAX_RATE || format.channels > MAX_CHANNELS {
            return Err(refused());
        }
        let channels = usize::from(format.channels);
        let info = StreamInfo::new(format.rate as usize, channels, bits).map_err(|_| refused())?;
        let block = FrameBuf::with_size(channels, BLOCK).map_err(|_| refused())?;
        let config = config::Encoder::default().into_verified().map_err(|_| refused())?;
        let context = Context::new(bits, channels);
        let sizes = (u32::MAX, 0);
        Ok(Self { config, info, block, waiting: Vec::new(), context, channels, sizes })
    }

    /// Takes interleaved samples, each within the range of the sample size, and appends the frames
    /// that have become full to `out`.
    ///
    /// # Errors
    /// `io.write` when the encoder refuses them.
    pub fn push(
        &mut self,
        samples: impl IntoIterator<Item = i32>,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let full = BLOCK * self.channels;
        for sample in samples {
            self.waiting.push(sample);
            if self.waiting.len() == full {
                self.frame(out)?;
            }
        }
        Ok(())
    }

    /// Appends the last frame to `out`, if samples are left for it.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<()> {
        if self.waiting.is_empty() { Ok(()) } else { self.frame(out) }
    }

    fn frame(&mut self, out: &mut Vec<u8>) -> Result<()> {
        let failed = |e: &dyn std::fmt::Display| {
            Error::new(detail::IO_WRITE, format!("a block could not be encoded as FLAC: {e}"))
        };
        self.block.fill_interleaved(&self.waiting).map_err(|e| failed(&e))?;
        self.context.fill_interleaved(&self.waiting).map_err(|e| failed(&e))?;
        self.waiting.clear();
        let number = self.context.current_frame_number().unwrap_or(0);
        let (config, block) = (&self.config, &self.block);
        let frame = flacenc::encode_fixed_size_frame(config, block, number, &self.info)
            .map_err(|e| failed(&e))?;
        let mut sink = ByteSink::new();
        frame.write(&mut sink).map_err(|e| failed(&e))?;
        let bytes = sink.as_slice();
        let size = bytes.len() as u32;
        self.sizes = (self.sizes.0.min(size), self.sizes.1.max(size));
        out.extend_from_slice(bytes);
        Ok(())
    }

    /// What stands before the frames, for what was pushed so far. At the beginning length and
    /// checksum are open (zero), which is valid for a stream that can't be written to again.
    pub fn header(&self) -> [u8; HEADER_BYTES] {
        let total = self.context.total_samples() as u64;
        let (min, max) = if total == 0 { (0, 0) } else { self.sizes };
        let mut out = [0; HEADER_BYTES];
        out[..4].copy_from_slice(b"fLaC");
        // The only metadata block: STREAMINFO, 34 bytes.
        out[4..8].copy_from_slice(&[0x80, 0, 0, 34]);
        out[8..10].copy_from_slice(&(BLOCK as u16).to_be_bytes());
        out[10..12].copy_from_slice(&(BLOCK as u16).to_be_bytes());
        out[12..15].copy_from_slice(&min.to_be_bytes()[1..]);
        out[15..18].copy_from_slice(&max.to_be_bytes()[1..]);
        let packed = (self.info.sample_rate() as u64) << 44
            | (self.channels as u64 - 1) << 41
            | (self.info.bits_per_sample() as u64 - 1) << 36
            // 36 bits; a longer stream has an open length.
            | if total >> 36 == 0 { total } else { 0 };
        out[18..26].copy_from_slice(&packed.to_be_bytes());
        if total > 0 {
            out[26..42].copy_from_slice(&self.context.md5_digest());
        }
        out
    }
}
