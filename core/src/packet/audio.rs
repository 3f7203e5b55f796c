//! Audio: sample formats, channel layouts, and blocks of samples.

use super::buffer::Buffer;
use super::pool::Pool;
use super::time::MediaTime;
use crate::error::{Error, Result, detail};
use std::fmt;

/// Most channels that audio can have.
pub const MAX_CHANNELS: u16 = 64;

/// How one sample is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum SampleFormat {
    /// 32-bit float, full scale ±1.0.
    F32,
    /// Signed 16-bit integer.
    I16,
    /// Signed 24-bit integer, packed in three bytes, little-endian. Found at the borders only.
    I24,
    /// Signed 32-bit integer.
    I32,
    /// Unsigned 8-bit integer, silence at 128.
    U8,
}

impl SampleFormat {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::F32, Self::I16, Self::I24, Self::I32, Self::U8];

    /// Bytes per sample.
    pub const fn bytes(self) -> usize {
        match self {
            Self::F32 | Self::I32 => 4,
            Self::I16 => 2,
            Self::I24 => 3,
            Self::U8 => 1,
        }
    }

    /// Alignment that samples need in memory.
    pub const fn align(self) -> usize {
        match self {
            Self::I24 => 1,
            other => other.bytes(),
        }
    }

    /// Name in manifests: `f32`, `i16`, `i24`, `i32`, `u8`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::I16 => "i16",
            Self::I24 => "i24",
            Self::I32 => "i32",
            Self::U8 => "u8",
        }
    }

    /// The format of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|f| f.name() == name)
    }
}

/// Which speaker each channel feeds: a bit mask in the order of WAVE_FORMAT_EXTENSIBLE
/// (front left = bit 0). Zero: not known, or more channels than speakers have names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Layout(pub u32);

impl Layout {
    /// Unknown positions.
    pub const UNKNOWN: Self = Self(0);
    /// One channel, front centre.
    pub const MONO: Self = Self(0b100);
    /// Front left and right.
    pub const STEREO: Self = Self(0b11);
    /// 5.1: FL FR FC LFE BL BR.
    pub const SURROUND_5_1: Self = Self(0x3F);
    /// 7.1: FL FR FC LFE BL BR SL SR.
    pub const SURROUND_7_1: Self = Self(0x63F);

    /// The usual layout of that many channels.
    pub const fn default_for(channels: u16) -> Self {
        match channels {
            1 => Self::MONO,
            2 => Self::STEREO,
            4 => Self(0x33),
            6 => Self::SURROUND_5_1,
            8 => Self::SURROUND_7_1,
            _ => Self::UNKNOWN,
        }
    }
}

/// Everything that has to be known to read samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AudioFormat {
    /// Frames a second, 1 … 768,000.
    pub rate: u32,
    /// Channels, 1 … 64.
    pub channels: u16,
    /// How a sample is stored.
    pub sample: SampleFormat,
    /// Each channel in a plane of its own, or all channels of a frame side by side.
    pub planar: bool,
    /// Speaker positions.
    pub layout: Layout,
}

impl AudioFormat {
    /// Highest rate taken.
    pub const MAX_RATE: u32 = 768_000;

    /// Interleaved f32 with the usual layout.
    pub const fn f32(rate: u32, channels: u16) -> Self {
        let layout = Layout::default_for(channels);
        Self { rate, channels, sample: SampleFormat::F32, planar: false, layout }
    }

    /// The same with another sample format.
    #[must_use]
    pub const fn with_sample(mut self, sample: SampleFormat) -> Self {
        self.sample = sample;
        self
    }

    /// The same, planar or interleaved.
    #[must_use]
    pub const fn with_planar(mut self, planar: bool) -> Self {
        self.planar = planar;
        self
    }

    /// Bytes per frame, over all channels.
    pub const fn frame_bytes(&self) -> usize {
        self.sample.bytes() * self.channels as usize
    }

    /// Whether rate and channel count lie in their ranges.
    ///
    /// # Errors
    /// `format.audio` that names the field.
    pub fn check(&self) -> Result<()> {
        if self.rate == 0 || self.rate > Self::MAX_RATE {
            return Err(Error::new(
                detail::FORMAT_AUDIO,
                format!("sample rate {} is not between 1 and {}", self.rate, Self::MAX_RATE),
            ));
        }
        if self.channels == 0 || self.channels > MAX_CHANNELS {
            return Err(Error::new(
                detail::FORMAT_AUDIO,
                format!("{} channels are not between 1 and {MAX_CHANNELS}", self.channels),
            ));
        }
        Ok(())
    }
}

impl fmt::Display for AudioFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let planar = if self.planar { " planar" } else { "" };
        write!(f, "{} {} Hz {} ch{planar}", self.sample.name(), self.rate, self.channels)
    }
}

/// A block of samples: a format, and a view of the memory that holds them.
#[derive(Debug, Clone)]
pub struct Audio {
    format: AudioFormat,
    buffer: Buffer,
    frames: usize,
    /// Planar: bytes from the beginning of one plane to the next.
    stride: usize,
    /// Kept, because it is asked for at every link and costs a division.
    duration: MediaTime,
}

impl Audio {
    /// A block over `buffer`, which holds `frames` frames and nothing else. Planes follow each
    /// other without gaps.
    ///
    /// # Errors
    /// `format.audio` for a bad format, `format.payload` when size or alignment don't fit.
    pub fn new(format: AudioFormat, buffer: Buffer) -> Result<Self> {
        format.check()?;
        let bytes = format.frame_bytes();
        if !buffer.len().is_multiple_of(bytes) {
            return Err(Error::new(
                detail::FORMAT_PAYLOAD,
                format!("{} bytes are no whole number of {bytes}-byte frames", buffer.len()),
            ));
        }
        if buffer.as_slice().as_ptr().align_offset(format.sample.align()) != 0 {
            return Err(Error::new(
                detail::FORMAT_PAYLOAD,
                format!("{} samples must lie on a multiple of their size", format.sample.name()),
            ));
        }
        let frames = buffer.len() / bytes;
        Ok(Self::over(format, buffer, frames, frames * format.sample.bytes()))
    }

    /// A writable block from the pool. The samples are whatever was in the memory before.
    ///
    /// # Errors
    /// `format.audio` for a bad format.
    pub fn from_pool(pool: &Pool, format: AudioFormat, frames: usize) -> Result<Self> {
        format.check()?;
        let buffer = pool.buffer(frames * format.frame_bytes());
        Ok(Self::over(format, buffer, frames, frames * format.sample.bytes()))
    }

    /// Interleaved f32 samples, taken over without a copy.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn from_f32(samples: Vec<f32>, rate: u32, channels: u16) -> Result<Self> {
        Self::new(AudioFormat::f32(rate, channels), Buffer::from_vec(samples))
    }

    /// The format.
    pub fn format(&self) -> AudioFormat {
        self.format
    }

    /// Number of frames.
    pub fn frames(&self) -> usize {
        self.frames
    }

    /// How long the block lasts.
    pub fn duration(&self) -> MediaTime {
        self.duration
    }

    /// The memory behind the block.
    pub fn buffer(&self) -> &Buffer {
        &self.buffer
    }

    /// Bytes of one plane (planar), or of all samples (interleaved).
    ///
    /// # Panics
    /// If there is no such plane.
    pub fn plane(&self, plane: usize) -> &[u8] {
        let (start, len) = self.plane_range(plane);
        &self.buffer.as_slice()[start..start + len]
    }

    /// As [`plane`](Self::plane), for writing; `None` while the memory is shared.
    ///
    /// # Panics
    /// If there is no such plane.
    pub fn plane_mut(&mut self, plane: usize) -> Option<&mut [u8]> {
        let (start, len) = self.plane_range(plane);
        self.buffer.as_mut_slice().map(|bytes| &mut bytes[start..start + len])
    }

    /// Number of planes: the channels when planar, else one.
    pub fn planes(&self) -> usize {
        if self.format.planar { usize::from(self.format.channels) } else { 1 }
    }

    fn plane_range(&self, plane: usize) -> (usize, usize) {
        assert!(plane < self.planes(), "the block has {} planes", self.planes());
        if self.format.planar {
            (plane * self.stride, self.frames * self.format.sample.bytes())
        } else {
            (0, self.frames * self.format.frame_bytes())
        }
    }

    /// Samples of one plane as `T`, or `None` when the format stores another type.
    pub fn samples<T: Sample>(&self, plane: usize) -> Option<&[T]> {
        (self.format.sample == T::FORMAT).then(|| bytemuck::cast_slice(self.plane(plane)))
    }

    /// As [`samples`](Self::samples), for writing; `None` also while the memory is shared.
    pub fn samples_mut<T: Sample>(&mut self, plane: usize) -> Option<&mut [T]> {
        if self.format.sample != T::FORMAT {
            return None;
        }
        self.plane_mut(plane).map(bytemuck::cast_slice_mut)
    }

    /// Interleaved f32 samples (or the single plane); `None` for any other format.
    pub fn f32(&self) -> Option<&[f32]> {
        (self.planes() == 1).then(|| self.samples(0)).flatten()
    }

    /// As [`f32`](Self::f32), for writing; `None` also while the memory is shared.
    pub fn f32_mut(&mut self) -> Option<&mut [f32]> {
        if self.planes() == 1 { self.samples_mut(0) } else { None }
    }

    /// A part of the block, without a copy.
    ///
    /// # Panics
    /// If the frames do not lie within the block.
    #[must_use]
    pub fn slice(&self, frames: std::ops::Range<usize>) -> Self {
        assert!(frames.start <= frames.end && frames.end <= self.frames, "slice outside the block");
        let (format, len) = (self.format, frames.end - frames.start);
        let (start, bytes) = if format.planar {
            let sample = format.sample.bytes();
            let last = (usize::from(format.channels) - 1) * self.stride;
            (frames.start * sample, if len == 0 { 0 } else { last + len * sample })
        } else {
            (frames.start * format.frame_bytes(), len * format.frame_bytes())
        };
        let buffer = self.buffer.slice(start..start + bytes);
        // An empty planar slice has no bytes at all: its planes must all begin at zero.
        let stride = if len == 0 { 0 } else { self.stride };
        Self::over(format, buffer, len, stride)
    }

    fn over(format: AudioFormat, buffer: Buffer, frames: usize, stride: usize) -> Self {
        let duration = MediaTime::from_frames(frames as i64, format.rate);
        Self { format, buffer, frames, stride, duration }
    }
}

/// A sample type that memory can be read as.
pub trait Sample: bytemuck::Pod + Send + Sync {
    /// Its format.
    const FORMAT: SampleFormat;
}

impl Sample for f32 {
    const FORMAT: SampleFormat = SampleFormat::F32;
}
impl Sample for i16 {
    const FORMAT: SampleFormat = SampleFormat::I16;
}
impl Sample for i32 {
    const FORMAT: SampleFormat = SampleFormat::I32;
}
impl Sample for u8 {
    const FORMAT: SampleFormat = SampleFormat::U8;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planar_slices_keep_every_plane_and_copy_nothing() {
        let format = AudioFormat::f32(48_000, 2).with_planar(true);
        let samples: Vec<f32> = (0..20u8).map(f32::from).collect();
        let audio = Audio::new(format, Buffer::from_vec(samples)).expect("a good block");
        let part = audio.slice(3..6);
        assert_eq!(part.samples::<f32>(0), Some(&[3.0, 4.0, 5.0][..]));
        assert_eq!(part.samples::<f32>(1), Some(&[13.0, 14.0, 15.0][..]));
        assert_eq!(part.slice(1..2).samples::<f32>(1), Some(&[14.0][..]));
        let empty = part.slice(3..3);
        assert_eq!((empty.frames(), empty.samples::<f32>(1)), (0, Some(&[][..])));
    }

    #[test]
    fn bad_sizes_and_formats_are_refused() {
        let stereo = AudioFormat::f32(48_000, 2);
        let odd = Audio::new(stereo, Buffer::zeroed(12)).expect_err("one and a half frames");
        assert_eq!(odd.detail(), detail::FORMAT_PAYLOAD);
        let shifted = Buffer::zeroed(17).into_slice(1..17);
        let error = Audio::new(stereo, shifted).expect_err("not aligned");
        assert_eq!(error.detail(), detail::FORMAT_PAYLOAD);
        for (rate, channels) in [(0, 1), (48_000, 0), (48_000, 65), (768_001, 1)] {
            let error = Audio::from_f32(Vec::new(), rate, channels).expect_err("out of range");
            assert_eq!(error.detail(), detail::FORMAT_AUDIO);
        }
    }
}
