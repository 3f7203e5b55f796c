//! What the audio nodes share: access to packets, and steps that make one block from another.

use crate::dsp::convert::convert;
use crate::dsp::mix::Mix;
use crate::dsp::resample::Resampler;
use crate::error::{Error, Result, detail};
use crate::node::MediaFormat;
use crate::node::params::Choice;
use crate::packet::{Audio, AudioFormat, Layout, Packet, Pool, SampleFormat};

/// A sample format as a param.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub(super) enum SampleParam {
    /// 32-bit float, full scale ±1.0.
    #[param(name = "f32", alias = "float32", alias = "float", alias = "flt", alias = "f32le")]
    F32,
    /// Signed 16-bit integer.
    #[param(name = "i16", alias = "int16", alias = "s16", alias = "s16le", alias = "pcm16")]
    I16,
    /// Signed 24-bit integer, packed in three bytes, little-endian.
    #[param(name = "i24", alias = "int24", alias = "s24", alias = "s24le", alias = "pcm24")]
    I24,
    /// Signed 32-bit integer.
    #[param(name = "i32", alias = "int32", alias = "s32", alias = "s32le", alias = "pcm32")]
    I32,
    /// Unsigned 8-bit integer, silence at 128.
    #[param(name = "u8", alias = "uint8", alias = "pcm8")]
    U8,
}

impl From<SampleParam> for SampleFormat {
    fn from(param: SampleParam) -> Self {
        match param {
            SampleParam::F32 => Self::F32,
            SampleParam::I16 => Self::I16,
            SampleParam::I24 => Self::I24,
            SampleParam::I32 => Self::I32,
            SampleParam::U8 => Self::U8,
        }
    }
}

/// The packet's audio.
pub(super) fn audio(packet: &Packet) -> Result<&Audio> {
    packet.as_audio().ok_or_else(|| not_audio(&packet.kind().to_string()))
}

/// The stream's audio format.
pub(super) fn audio_format(format: &MediaFormat) -> Result<AudioFormat> {
    format.audio().ok_or_else(|| not_audio(&format.to_string()))
}

fn not_audio(found: &str) -> Error {
    Error::new(detail::FORMAT_KIND, format!("the node takes audio, not {found}"))
}

/// The block's interleaved f32 samples.
pub(super) fn samples(audio: &Audio) -> Result<&[f32]> {
    audio.f32().ok_or_else(|| {
        Error::new(
            detail::FORMAT_AUDIO,
            format!("the node works on interleaved f32 audio, not on {}", audio.format()),
        )
        .with_hint("Put a FormatConverter with format 'f32' and planar false before it.")
    })
}

/// A fresh block from the pool with its interleaved f32 samples to be filled.
pub(super) fn fill_f32(
    pool: &Pool,
    format: AudioFormat,
    frames: usize,
    fill: impl FnOnce(&mut [f32]),
) -> Result<Audio> {
    let mut audio = Audio::from_pool(pool, format, frames)?;
    fill(audio.f32_mut().expect("the block is interleaved f32 and nobody else has it"));
    Ok(audio)
}

/// The block in another sample format or arrangement of planes.
pub(super) fn converted(pool: &Pool, audio: &Audio, format: AudioFormat) -> Result<Audio> {
    let mut out = Audio::from_pool(pool, format, audio.frames())?;
    convert(audio, &mut out);
    Ok(out)
}

/// The block, mixed to other channels.
pub(super) fn mixed(pool: &Pool, audio: &Audio, mix: &Mix, format: AudioFormat) -> Result<Audio> {
    let input = samples(audio)?;
    fill_f32(pool, format, audio.frames(), |output| mix.run(input, output))
}

/// What the resampler makes of the block; `None` while it has too little for a frame.
pub(super) fn resampled(
    pool: &Pool,
    audio: &Audio,
    resampler: &mut Resampler,
    format: AudioFormat,
) -> Result<Option<Audio>> {
    let input = samples(audio)?;
    let frames = resampler.output_frames(audio.frames());
    if frames == 0 {
        resampler.process(input, &mut []);
        return Ok(None);
    }
    fill_f32(pool, format, frames, |output| resampler.process(input, output)).map(Some)
}

/// What the resampler still holds, if it holds anything.
pub(super) fn resampler_tail(
    pool: &Pool,
    resampler: &mut Resampler,
    format: AudioFormat,
) -> Result<Option<Audio>> {
    let frames = resampler.tail_frames();
    if frames == 0 {
        resampler.reset();
        return Ok(None);
    }
    fill_f32(pool, format, frames, |output| resampler.drain(output)).map(Some)
}

/// The usual mix from a format to `channels`.
pub(super) fn usual_mix(from: AudioFormat, channels: u16) -> Result<Mix> {
    Mix::usual(usize::from(from.channels), from.layout, usize::from(channels)).ok_or_else(|| {
        let positions =
            if from.layout == Layout::UNKNOWN { " without known positions" } else { "" };
        Error::new(
            detail::FORMAT_AUDIO,
            format!(
                "there is no usual mix from {} channels{positions} to {channels}",
                from.channels
            ),
        )
        .with_hint("Put a ChannelMixer with a matrix before it.")
    })
}

/// Copies frames of one block into another of the same format, which nobody else has.
pub(super) fn copy_frames(from: &Audio, begin: usize, into: &mut Audio, at: usize, frames: usize) {
    let format = from.format();
    let step = if format.planar { format.sample.bytes() } else { format.frame_bytes() };
    for plane in 0..from.planes() {
        let source = &from.plane(plane)[begin * step..][..frames * step];
        let target = into.plane_mut(plane).expect("the caller holds the only view");
        target[at * step..][..frames * step].copy_from_slice(source);
    }
}

/// Makes the end of a block silent, from a frame on.
pub(super) fn silence_from(audio: &mut Audio, frame: usize) {
    let format = audio.format();
    let step = if format.planar { format.sample.bytes() } else { format.frame_bytes() };
    let zero = if format.sample == SampleFormat::U8 { 128 } else { 0 };
    for plane in 0..audio.planes() {
        let target = audio.plane_mut(plane).expect("the caller holds the only view");
        target[frame * step..].fill(zero);
    }
}
