//! What symphonia demuxes and decodes: one audio track, packet by packet.

use crate::error::{Error, Result, detail};
use crate::packet::{Audio, AudioFormat, Layout, Pool, SampleFormat};
use std::io;
use symphonia::core::audio::{Channels, GenericAudioBufferRef};
use symphonia::core::codecs::audio::{AudioDecoder as Codec, AudioDecoderOptions};
use symphonia::core::errors::Error as Failure;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream};
use symphonia::core::meta::MetadataOptions;
use symphonia::core::units::TimeBase;

/// Speaker positions that have a bit in WAVE_FORMAT_EXTENSIBLE.
const WAVE_POSITIONS: u32 = 18;

/// The default audio track of a container, and its codec.
pub(super) struct Coded {
    container: Box<dyn FormatReader>,
    codec: Box<dyn Codec>,
    track: u32,
    /// Where the next packet begins when none is missing, in ticks of the track's time base.
    next: Option<i64>,
}

/// What a step of the decoder came to.
pub(super) enum Step {
    /// The codec holds decoded frames. So many are missing before them: the demuxer has stepped
    /// over damage by itself.
    Decoded {
        /// Frames that are missing.
        missing: u64,
    },
    /// So many frames could not be decoded.
    Lost(u64),
    /// There is nothing more.
    End,
}

impl Coded {
    /// Finds out what the source is and opens its default audio track. `name` is for messages.
    pub(super) fn open(source: Box<dyn MediaSource>, name: &str) -> Result<Self> {
        let stream = MediaSourceStream::new(source, Default::default());
        let (options, meta) = (FormatOptions::default(), MetadataOptions::default());
        let container = symphonia::default::get_probe()
            .probe(&Hint::new(), stream, options, meta)
            .map_err(|e| probe_error(&e, name))?;
        let (track, codec) = open_track(&*container, name)?;
        Ok(Self { container, codec, track, next: None })
    }

    /// Id of the track in its container.
    pub(super) fn track(&self) -> u32 {
        self.track
    }

    /// Frames of the track, as far as the container says it.
    pub(super) fn total(&self) -> Option<u64> {
        self.container.tracks().iter().find(|t| t.id == self.track)?.num_frames
    }

    /// Format that the container announces. What it doesn't say is zero.
    pub(super) fn announced(&self) -> AudioFormat {
        let params = self.codec.codec_params();
        let channels = params.channels.as_ref().map_or(0, |c| c.count() as u16);
        AudioFormat::f32(params.sample_rate.unwrap_or(0), channels)
    }

    /// Format of what is decoded, as f32 or in the smallest format that loses nothing.
    pub(super) fn format(&self, native: bool) -> AudioFormat {
        let decoded = self.codec.last_decoded();
        let spec = decoded.spec();
        let channels = spec.channels().count() as u16;
        let layout = match spec.channels() {
            _ if channels < 3 => Layout::default_for(channels),
            Channels::Positioned(positions) if positions.bits() >> WAVE_POSITIONS == 0 => {
                Layout(positions.bits() as u32)
            }
            _ => Layout::UNKNOWN,
        };
        let sample = if native { self.native_sample(&decoded) } else { SampleFormat::F32 };
        AudioFormat { layout, ..AudioFormat::f32(spec.rate(), channels) }.with_sample(sample)
    }

    fn native_sample(&self, decoded: &GenericAudioBufferRef<'_>) -> SampleFormat {
        use GenericAudioBufferRef as Ref;
        let bits = self.codec.codec_params().bits_per_sample.unwrap_or(32);
        match decoded {
            Ref::U8(_) => SampleFormat::U8,
            Ref::S8(_) | Ref::U16(_) | Ref::S16(_) => SampleFormat::I16,
            Ref::F32(_) | Ref::F64(_) => SampleFormat::F32,
            _ if bits <= 16 => SampleFormat::I16,
            _ => SampleFormat::I32,
        }
    }

    /// Copies what is decoded into a block from the pool.
    pub(super) fn decoded(&self, pool: &Pool, native: bool) -> Result<Audio> {
        let decoded = self.codec.last_decoded();
        let format = self.format(native);
        let mut audio = Audio::from_pool(pool, format, decoded.frames())?;
        match format.sample {
            SampleFormat::U8 => copy::<u8>(&decoded, &mut audio),
            SampleFormat::I16 => copy::<i16>(&decoded, &mut audio),
            SampleFormat::I32 | SampleFormat::I24 => copy::<i32>(&decoded, &mut audio),
            SampleFormat::F32 => copy::<f32>(&decoded, &mut audio),
        }
        Ok(audio)
    }

    /// Goes on to the next packet of the track and decodes it. `rate` is for counting what is
    /// lost.
    pub(super) fn step(&mut self, rate: u32) -> Result<Step> {
        loop {
            let packet = match self.container.next_packet() {
                Ok(Some(packet)) if packet.track_id == self.track => packet,
                Ok(Some(_)) => continue,
                Ok(None) => return Ok(Step::End),
                Err(Failure::IoError(e)) if e.kind() == io::ErrorKind::UnexpectedEof => {
                    return Ok(Step::End);
                }
                Err(Failure::IoError(e)) => return Err(read_error(&e)),
                // A new chain of an Ogg file: other tracks, perhaps another format.
                Err(Failure::ResetRequired) => {
                    (self.track, self.codec) = open_track(&*self.container, "the next part")?;
                    self.next = None;
                    continue;
                }
                Err(Failure::DecodeError(_)) => return Ok(Step::Lost(0)),
                Err(e) => return Err(corrupt(&e)),
            };
            let missing = self.missing(&packet, rate);
            return match self.codec.decode(&packet) {
                // The first packet of some codecs only prepares the second.
                Ok(decoded) if decoded.is_empty() => continue,
                Ok(_) => Ok(Step::Decoded { missing }),
                Err(Failure::DecodeError(_) | Failure::IoError(_)) => {
                    Ok(Step::Lost(missing + self.frames(packet.dur.get(), rate)))
                }
                Err(Failure::ResetRequired) => {
                    self.codec.reset();
                    Ok(Step::Lost(missing + self.frames(packet.dur.get(), rate)))
                }
                Err(e) => Err(corrupt(&e)),
            };
        }
    }

    /// Frames that are missing between the packet before and this one, in containers that count
    /// time in frames. Others (Matroska) are too coarse to tell.
    fn missing(&mut self, packet: &symphonia::core::packet::Packet, rate: u32) -> u64 {
        let counts_frames = TimeBase::try_from_recip(rate).is_some_and(|base| {
            let mut tracks = self.container.tracks().iter();
            tracks.any(|t| t.id == self.track && t.time_base == Some(base))
        });
        let (begin, frames) = (packet.pts.get(), packet.block_dur().get());
        let end = begin.saturating_add(i64::try_from(frames).unwrap_or(i64::MAX));
        match self.next.replace(end) {
            Some(next) if counts_frames && frames > 0 => {
                u64::try_from(begin.saturating_sub(next)).unwrap_or(0)
            }
            _ => 0,
        }
    }

    /// A span in the track's time base as frames.
    fn frames(&self, ticks: u64, rate: u32) -> u64 {
        let track = self.container.tracks().iter().find(|t| t.id == self.track);
        track.and_then(|t| t.time_base).map_or(ticks, |base| {
            let (numer, denom) = (u64::from(base.numer.get()), u64::from(base.denom.get()));
            ticks.saturating_mul(numer).saturating_mul(u64::from(rate)) / denom
        })
    }
}

fn open_track(container: &dyn FormatReader, name: &str) -> Result<(u32, Box<dyn Codec>)> {
    let track = container
        .default_track(TrackType::Audio)
        .or_else(|| container.first_track(TrackType::Audio))
        .ok_or_else(|| no_audio(name))?;
    let params = track
        .codec_params
        .as_ref()
        .and_then(|params| params.audio())
        .ok_or_else(|| no_audio(name))?;
    let codec = symphonia::default::get_codecs()
        .make_audio_decoder(params, &AudioDecoderOptions::default())
        .map_err(|e| probe_error(&e, name))?;
    Ok((track.id, codec))
}

fn copy<T>(decoded: &GenericAudioBufferRef<'_>, audio: &mut Audio)
where
    T: crate::packet::Sample + symphonia::core::audio::conv::ConvertibleSample,
{
    if let Some(out) = audio.samples_mut::<T>(0) {
        decoded.copy_to_slice_interleaved(out);
    }
}

pub(super) fn read_error(cause: &io::Error) -> Error {
    Error::new(detail::IO_READ, format!("the file can't be read on: {cause}"))
}

fn corrupt(cause: &Failure) -> Error {
    Error::new(detail::MEDIA_CORRUPT, format!("the file can't be decoded on: {cause}"))
}

pub(super) fn no_audio(name: &str) -> Error {
    Error::new(detail::MEDIA_NO_AUDIO, format!("{name} holds no audio track"))
}

fn probe_error(cause: &Failure, name: &str) -> Error {
    match cause {
        Failure::IoError(e) if e.kind() != io::ErrorKind::UnexpectedEof => read_error(e),
        Failure::DecodeError(_) | Failure::LimitError(_) => {
            Error::new(detail::MEDIA_CORRUPT, format!("{name} is damaged: {cause}"))
        }
        _ => Error::new(
            detail::MEDIA_UNKNOWN_FORMAT,
            format!("{name} has no known audio format: {cause}"),
        )
        .with_hint("WAV, FLAC, MP3, Ogg Vorbis, M4A (AAC, ALAC), AIFF and Matroska are read"),
    }
}
