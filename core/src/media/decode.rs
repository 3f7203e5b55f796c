//! Streaming audio decoder: any audio file → packets, sample-exact.
//!
//! Containers and codecs are symphonia's, apart from plain WAV, which is read by [`wav`]. Encoder
//! delay and padding are left out, so that a file gives as many frames as went into it. Damaged
//! packets are stepped over: the hole is counted and marked as DISCONT, time goes on past it. A
//! file that ends early gives what is there.

use super::{convert, gapless, wav};
use crate::error::{Error, Result, detail};
use crate::packet::{Audio, AudioFormat, Layout, MediaTime, Packet, Pool, SampleFormat};
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::Path;
use symphonia::core::audio::{Channels, GenericAudioBufferRef};
use symphonia::core::codecs::audio::{AudioDecoder as Codec, AudioDecoderOptions};
use symphonia::core::errors::Error as Failure;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream, ReadOnlySource};
use symphonia::core::meta::MetadataOptions;

/// Frames to a packet of plain WAV, which has no packets of its own.
const WAV_FRAMES: usize = 1024;
/// Bytes that plain WAV is read by.
const READ_AHEAD: usize = 64 << 10;
/// So many packets in a row that are damaged mean that nothing more will come.
const MAX_DAMAGED_RUN: u32 = 256;

/// Decodes the default audio track of a file, packet by packet.
///
/// Packets are interleaved f32, or what the file stores when [`native`](Self::native) is set.
/// They have the times that the frame count says, beginning at zero.
pub struct AudioDecoder {
    source: Source,
    native: bool,
    format: AudioFormat,
    /// Frames of the track that lie before what comes next.
    position: u64,
    /// The part of the track that is given out.
    start: u64,
    end: u64,
    total: Option<u64>,
    hole: bool,
    damaged: u64,
}

enum Source {
    Wav(Wav),
    Coded(Box<Coded>),
}

/// Plain WAV.
struct Wav {
    reader: Box<dyn Read + Send>,
    stored: SampleFormat,
    left: u64,
    scratch: Vec<u8>,
}

/// What symphonia decodes.
struct Coded {
    container: Box<dyn FormatReader>,
    codec: Box<dyn Codec>,
    track: u32,
    /// The codec holds a decoded packet that nobody has taken.
    ready: bool,
}

/// What a step of the decoder came to.
enum Step {
    /// The codec holds decoded frames.
    Decoded,
    /// So many frames could not be decoded.
    Lost(u64),
    /// There is nothing more.
    End,
}

impl AudioDecoder {
    /// Opens a file.
    ///
    /// # Errors
    /// `io.open` when it can't be opened, `media.unknown_format`, `media.no_audio`,
    /// `media.corrupt` when nothing in it can be decoded.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let file = File::open(path).and_then(|file| {
            let kind = file.metadata()?;
            if kind.is_dir() { Err(io::ErrorKind::IsADirectory.into()) } else { Ok(file) }
        });
        let file = file.map_err(|e| {
            Error::new(detail::IO_OPEN, format!("'{}' can't be opened: {e}", path.display()))
        })?;
        let source: Box<dyn MediaSource> =
            if file.is_seekable() { Box::new(file) } else { Box::new(ReadOnlySource::new(file)) };
        Self::new(source, &format!("'{}'", path.display()))
    }

    /// Decodes a file that lies in memory.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_bytes(bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Result<Self> {
        Self::new(Box::new(Cursor::new(bytes)), "the data")
    }

    /// Decodes what comes from a reader that can't go back, e.g. standard input. MP4 files may
    /// have their index at the end, so they are read whole before the first packet.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_reader(reader: impl Read + Send + Sync + 'static) -> Result<Self> {
        Self::new(Box::new(ReadOnlySource::new(reader)), "the stream")
    }

    fn new(mut source: Box<dyn MediaSource>, name: &str) -> Result<Self> {
        // What the WAV parser reads is kept, for the case that it is none.
        let mut seen = Tee { inner: &mut source, seen: Vec::new() };
        let header = wav::read_header(&mut seen).map_err(|e| read_error(&e))?;
        let seen = seen.seen;
        if let Some(header) = header {
            return Ok(Self::wav(source, header, seen.len() as u64));
        }
        let source: Box<dyn MediaSource> = if source.is_seekable() {
            source.seek(SeekFrom::Start(0)).map_err(|e| read_error(&e))?;
            source
        } else if seen.get(4..8) == Some(b"ftyp") {
            let mut whole = seen;
            source.read_to_end(&mut whole).map_err(|e| read_error(&e))?;
            Box::new(Cursor::new(whole))
        } else {
            Box::new(ReadOnlySource::new(Cursor::new(seen).chain(source)))
        };
        Self::coded(source, name)
    }

    fn wav(source: Box<dyn MediaSource>, header: wav::Header, begin: u64) -> Self {
        let frame = header.format.frame_bytes() as u64;
        let rest = source.byte_len().map(|len| len.saturating_sub(begin));
        let left = header.bytes.unwrap_or(u64::MAX).min(rest.unwrap_or(u64::MAX));
        let known = header.bytes.is_some() || rest.is_some();
        Self {
            source: Source::Wav(Wav {
                reader: Box::new(BufReader::with_capacity(READ_AHEAD, source)),
                stored: header.format.sample,
                left: left / frame,
                scratch: Vec::new(),
            }),
            native: false,
            format: header.format,
            position: 0,
            start: 0,
            end: u64::MAX,
            total: known.then_some(left / frame),
            hole: false,
            damaged: 0,
        }
    }

    fn coded(mut source: Box<dyn MediaSource>, name: &str) -> Result<Self> {
        let seekable = source.is_seekable();
        let mut edits = Vec::new();
        if seekable {
            edits = gapless::read(&mut *source);
            source.seek(SeekFrom::Start(0)).map_err(|e| read_error(&e))?;
        }
        let stream = MediaSourceStream::new(source, Default::default());
        let (options, meta) = (FormatOptions::default(), MetadataOptions::default());
        let container = symphonia::default::get_probe()
            .probe(&Hint::new(), stream, options, meta)
            .map_err(|e| probe_error(&e, name))?;
        let (track, codec) = open_track(&*container, name)?;
        let params = codec.codec_params();
        let format = AudioFormat {
            rate: params.sample_rate.unwrap_or(0),
            ..AudioFormat::f32(1, params.channels.as_ref().map_or(0, |c| c.count() as u16))
        };
        let total = container.tracks().iter().find(|t| t.id == track).and_then(|t| t.num_frames);
        let mut this = Self {
            source: Source::Coded(Box::new(Coded { container, codec, track, ready: false })),
            native: false,
            format,
            position: 0,
            start: 0,
            end: u64::MAX,
            total,
            hole: false,
            damaged: 0,
        };
        this.prime(name)?;
        if let Some((_, edit)) = edits.iter().find(|(id, _)| *id == track)
            && (edit.scale == 0 || edit.scale == this.format.rate)
        {
            this.start = edit.delay;
            this.end = edit.frames.map_or(total.unwrap_or(u64::MAX), |n| edit.delay + n);
            this.total = edit.frames.or(total.map(|n| n.saturating_sub(edit.delay)));
        }
        Ok(this)
    }

    /// Decodes the first packet: only then is the format certain, and that it can be decoded.
    fn prime(&mut self, name: &str) -> Result<()> {
        let Source::Coded(coded) = &mut self.source else { return Ok(()) };
        let mut run = 0;
        loop {
            match coded.step(self.format.rate)? {
                Step::Decoded => {
                    self.format = format_of(&coded.codec.last_decoded(), self.format);
                    coded.ready = true;
                    return self.format.check();
                }
                Step::Lost(frames) => {
                    (self.damaged, run) = (self.damaged + 1, run + 1);
                    self.position += frames;
                    if run < MAX_DAMAGED_RUN {
                        continue;
                    }
                }
                Step::End => {}
            }
            if self.damaged > 0 {
                return Err(Error::new(
                    detail::MEDIA_CORRUPT,
                    format!("{name}: none of its audio can be decoded"),
                ));
            }
            // An empty track; a container that doesn't say of what has no use either.
            return self.format.check().map_err(|_| no_audio(name));
        }
    }

    /// Gives the samples as the file stores them, where that loses nothing: u8, i16, packed i24
    /// as i32, i32. Lossy codecs give f32 in any case. Set it before the first packet.
    #[must_use]
    pub fn native(mut self, native: bool) -> Self {
        self.native = native;
        self
    }

    /// Gives only the frames from `start` up to `end` (`None`: the end of the track), counted
    /// from the beginning of what the track gives. Set it before the first packet. What lies
    /// before `start` is decoded and dropped, so that the result is exact for every codec.
    #[must_use]
    pub fn trimmed(mut self, start: u64, end: Option<u64>) -> Self {
        let origin = self.start;
        self.end = end.map_or(self.end, |end| self.end.min(origin.saturating_add(end)));
        self.start = origin.saturating_add(start).min(self.end);
        let most = end.unwrap_or(u64::MAX);
        self.total = self.total.map(|total| total.min(most).saturating_sub(start));
        self
    }

    /// Format of the packet that comes next.
    pub fn format(&self) -> AudioFormat {
        let sample = if self.native { self.native_sample() } else { SampleFormat::F32 };
        self.format.with_sample(sample)
    }

    /// Frames that it gives from beginning to end, as far as the file says it. An MP3 without an
    /// info tag only allows an estimate.
    pub fn total_frames(&self) -> Option<u64> {
        self.total
    }

    /// Packets of the file that were damaged and have been stepped over so far.
    pub fn damaged_packets(&self) -> u64 {
        self.damaged
    }

    /// The next packet; `None` at the end.
    ///
    /// # Errors
    /// `io.read`, or `media.corrupt` for damage that can't be stepped over.
    pub fn next(&mut self, pool: &Pool) -> Result<Option<Packet>> {
        let mut run = 0;
        while self.position < self.end {
            let Some(audio) = self.decode(pool, &mut run)? else { break };
            let begin = self.position;
            self.position += audio.frames() as u64;
            // The part of it that is wanted.
            let from = self.start.saturating_sub(begin).min(audio.frames() as u64);
            let to = self.end.saturating_sub(begin).min(audio.frames() as u64);
            if from >= to {
                continue;
            }
            let whole = from == 0 && to == audio.frames() as u64;
            let audio = if whole { audio } else { audio.slice(from as usize..to as usize) };
            let frames = (begin + from - self.start) as i64;
            let time = MediaTime::from_frames(frames, self.format.rate);
            let mut packet = Packet::audio(audio).at(time);
            packet.set_discont(std::mem::take(&mut self.hole));
            return Ok(Some(packet));
        }
        Ok(None)
    }

    fn decode(&mut self, pool: &Pool, run: &mut u32) -> Result<Option<Audio>> {
        let format = self.format();
        let coded = match &mut self.source {
            Source::Wav(wav) => return wav.next(pool, format),
            Source::Coded(coded) => coded,
        };
        while !std::mem::take(&mut coded.ready) {
            match coded.step(self.format.rate)? {
                Step::Decoded => coded.ready = true,
                Step::Lost(frames) => {
                    self.damaged += 1;
                    self.position += frames;
                    self.hole = true;
                    *run += 1;
                    if *run >= MAX_DAMAGED_RUN {
                        return Ok(None);
                    }
                }
                Step::End => return Ok(None),
            }
        }
        let decoded = coded.codec.last_decoded();
        self.format = format_of(&decoded, self.format);
        let sample =
            if self.native { native_of(&decoded, &*coded.codec) } else { SampleFormat::F32 };
        let mut audio = Audio::from_pool(pool, self.format.with_sample(sample), decoded.frames())?;
        match sample {
            SampleFormat::U8 => copy::<u8>(&decoded, &mut audio),
            SampleFormat::I16 => copy::<i16>(&decoded, &mut audio),
            SampleFormat::I32 | SampleFormat::I24 => copy::<i32>(&decoded, &mut audio),
            SampleFormat::F32 => copy::<f32>(&decoded, &mut audio),
        }
        Ok(Some(audio))
    }

    fn native_sample(&self) -> SampleFormat {
        match &self.source {
            Source::Wav(wav) if wav.stored == SampleFormat::I24 => SampleFormat::I32,
            Source::Wav(wav) => wav.stored,
            Source::Coded(coded) => native_of(&coded.codec.last_decoded(), &*coded.codec),
        }
    }
}

impl Wav {
    fn next(&mut self, pool: &Pool, format: AudioFormat) -> Result<Option<Audio>> {
        let frames = self.left.min(WAV_FRAMES as u64);
        let frame = self.stored.bytes() * usize::from(format.channels);
        self.scratch.clear();
        let mut part = self.reader.by_ref().take(frames * frame as u64);
        part.read_to_end(&mut self.scratch).map_err(|e| read_error(&e))?;
        // A file that ends early has fewer frames than its header says.
        let got = self.scratch.len() / frame;
        if got == 0 {
            self.left = 0;
            return Ok(None);
        }
        self.left -= got as u64;
        let mut audio = Audio::from_pool(pool, format, got)?;
        let bytes = &self.scratch[..got * frame];
        match format.sample {
            SampleFormat::F32 => {
                if let Some(out) = audio.f32_mut() {
                    convert::to_f32(self.stored, bytes, out);
                }
            }
            SampleFormat::I32 => {
                let out = audio.samples_mut::<i32>(0).into_iter().flatten();
                // Packed 24-bit samples become the upper three bytes of 32 bits.
                let size = self.stored.bytes();
                for (out, sample) in out.zip(bytes.chunks_exact(size)) {
                    let mut wide = [0; 4];
                    wide[4 - size..].copy_from_slice(sample);
                    *out = i32::from_le_bytes(wide);
                }
            }
            SampleFormat::I16 => {
                let out = audio.samples_mut::<i16>(0).into_iter().flatten();
                for (out, sample) in out.zip(bytes.chunks_exact(2)) {
                    *out = i16::from_le_bytes([sample[0], sample[1]]);
                }
            }
            SampleFormat::U8 | SampleFormat::I24 => {
                if let Some(out) = audio.plane_mut(0) {
                    out.copy_from_slice(bytes);
                }
            }
        }
        Ok(Some(audio))
    }
}

impl Coded {
    /// Goes on to the next packet of the track and decodes it.
    fn step(&mut self, rate: u32) -> Result<Step> {
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
                    continue;
                }
                Err(Failure::DecodeError(_)) => return Ok(Step::Lost(0)),
                Err(e) => return Err(corrupt(&e)),
            };
            return match self.codec.decode(&packet) {
                // The first packet of some codecs only prepares the second.
                Ok(decoded) if decoded.is_empty() => continue,
                Ok(_) => Ok(Step::Decoded),
                Err(Failure::DecodeError(_) | Failure::IoError(_)) => {
                    Ok(Step::Lost(self.frames(packet.dur.get(), rate)))
                }
                Err(Failure::ResetRequired) => {
                    self.codec.reset();
                    Ok(Step::Lost(self.frames(packet.dur.get(), rate)))
                }
                Err(e) => Err(corrupt(&e)),
            };
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

fn format_of(decoded: &GenericAudioBufferRef<'_>, before: AudioFormat) -> AudioFormat {
    let spec = decoded.spec();
    let channels = spec.channels().count() as u16;
    let layout = match spec.channels() {
        _ if channels < 3 => Layout::default_for(channels),
        Channels::Positioned(positions) => {
            u32::try_from(positions.bits()).map_or(Layout::UNKNOWN, Layout)
        }
        _ => Layout::UNKNOWN,
    };
    AudioFormat { rate: spec.rate(), channels, layout, ..before }
}

/// The smallest of our formats that holds what the codec gives.
fn native_of(decoded: &GenericAudioBufferRef<'_>, codec: &dyn Codec) -> SampleFormat {
    use GenericAudioBufferRef as Ref;
    let bits = codec.codec_params().bits_per_sample.unwrap_or(32);
    match decoded {
        Ref::U8(_) => SampleFormat::U8,
        Ref::S8(_) | Ref::U16(_) | Ref::S16(_) => SampleFormat::I16,
        Ref::S24(_) | Ref::S32(_) | Ref::U24(_) | Ref::U32(_) if bits <= 16 => SampleFormat::I16,
        Ref::S24(_) | Ref::S32(_) | Ref::U24(_) | Ref::U32(_) => SampleFormat::I32,
        Ref::F32(_) | Ref::F64(_) => SampleFormat::F32,
    }
}

/// Keeps what passes through.
struct Tee<'a> {
    inner: &'a mut Box<dyn MediaSource>,
    seen: Vec<u8>,
}

impl Read for Tee<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(out)?;
        self.seen.extend_from_slice(&out[..n]);
        Ok(n)
    }
}

fn read_error(cause: &io::Error) -> Error {
    Error::new(detail::IO_READ, format!("the file can't be read on: {cause}"))
}

fn corrupt(cause: &Failure) -> Error {
    Error::new(detail::MEDIA_CORRUPT, format!("the file can't be decoded on: {cause}"))
}

fn no_audio(name: &str) -> Error {
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

#[cfg(test)]
mod tests {
    use super::super::recording;
    use super::*;

    /// Name, rate, channels, frames, native format of every recording.
    const RECORDINGS: [(&str, u32, u16, u64, SampleFormat); 19] = [
        ("speech.flac", 44_100, 1, 1_090_593, SampleFormat::I16),
        ("speech.mp3", 44_100, 1, 1_090_593, SampleFormat::F32),
        ("speech-16k.wav", 16_000, 1, 246_240, SampleFormat::I16),
        ("speech-16k-f32.wav", 16_000, 1, 47_840, SampleFormat::F32),
        ("speech-8k.wav", 8_000, 1, 48_400, SampleFormat::I16),
        ("speech-8k.mp3", 8_000, 1, 26_320, SampleFormat::F32),
        ("speech-8k.m4a", 8_000, 1, 48_400, SampleFormat::F32),
        ("speech-22k.ogg", 22_050, 1, 133_403, SampleFormat::F32),
        ("speech-it-8k.wav", 8_000, 1, 69_670, SampleFormat::I16),
        ("music-44k-stereo.flac", 44_100, 2, 264_600, SampleFormat::I16),
        ("music-44k-stereo.mp3", 44_100, 2, 439_768, SampleFormat::F32),
        ("music-44k-stereo.ogg", 44_100, 2, 439_768, SampleFormat::F32),
        ("music-44k-stereo.wav", 44_100, 2, 66_150, SampleFormat::I16),
        ("music-48k-stereo-vbr.mp3", 48_000, 2, 240_000, SampleFormat::F32),
        ("music-48k-stereo-f32.wav", 48_000, 2, 48_000, SampleFormat::F32),
        ("music-96k-24bit.wav", 96_000, 1, 96_000, SampleFormat::I32),
        ("tabla-22k.wav", 22_050, 1, 88_200, SampleFormat::I16),
        ("tabla-44k-mono.mp3", 44_100, 1, 470_723, SampleFormat::F32),
        ("tabla-48k-24bit.flac", 48_000, 1, 96_000, SampleFormat::I32),
    ];

    fn samples(decoder: &mut AudioDecoder) -> Vec<f32> {
        let (pool, mut out) = (Pool::new(), Vec::new());
        while let Some(packet) = decoder.next(&pool).expect("decodes") {
            out.extend(packet.as_audio().and_then(Audio::f32).expect("interleaved f32"));
        }
        out
    }

    #[test]
    fn every_recording_gives_exactly_the_frames_that_went_into_it() {
        let pool = Pool::new();
        for (name, rate, channels, frames, native) in RECORDINGS {
            let mut decoder = AudioDecoder::open(recording(name)).expect(name);
            assert_eq!(decoder.format(), AudioFormat::f32(rate, channels), "{name}");
            assert_eq!(decoder.total_frames(), Some(frames), "{name}");
            let mut count = 0;
            while let Some(packet) = decoder.next(&pool).expect(name) {
                assert_eq!(packet.pts(), Some(MediaTime::from_frames(count, rate)), "{name}");
                assert!(!packet.is_discont(), "{name}");
                let audio = packet.as_audio().expect("audio");
                assert_eq!(audio.format(), AudioFormat::f32(rate, channels), "{name}");
                assert!(audio.f32().is_some_and(|s| s.iter().all(|x| x.is_finite())), "{name}");
                count += audio.frames() as i64;
            }
            assert_eq!(count, frames as i64, "{name}");
            let decoder = AudioDecoder::open(recording(name)).expect(name).native(true);
            assert_eq!(decoder.format().sample, native, "{name}");
        }
    }

    #[test]
    fn lossy_and_lossless_copies_of_one_recording_line_up_to_the_frame() {
        for (lossless, lossy) in [
            ("speech.flac", "speech.mp3"),
            ("speech-8k.wav", "speech-8k.m4a"),
            ("music-44k-stereo.flac", "music-44k-stereo.mp3"),
            ("music-44k-stereo.flac", "music-44k-stereo.ogg"),
        ] {
            let mut decoder = AudioDecoder::open(recording(lossless)).expect(lossless);
            let channels = usize::from(decoder.format().channels);
            let a = samples(&mut decoder);
            let b = samples(&mut AudioDecoder::open(recording(lossy)).expect(lossy));
            let inner = 10 * channels..a.len() - 10 * channels;
            let error = |lag: usize| -> f32 {
                let shifted = &b[inner.start + lag * channels - 2 * channels..];
                a[inner.clone()].iter().zip(shifted).map(|(a, b)| (a - b).powi(2)).sum()
            };
            let errors = [0, 1, 2, 3, 4].map(error);
            let best = errors.into_iter().fold(f32::INFINITY, f32::min);
            assert_eq!(errors[2], best, "{lossy} is shifted: {errors:?}");
            let power: f32 = a.iter().map(|s| s * s).sum();
            let db = 10.0 * (best / power).log10();
            assert!(db < -10.0, "{lossy} differs from {lossless} by {db:.1} dB");
        }
    }

    #[test]
    fn native_samples_are_those_of_the_file() {
        let pool = Pool::new();
        for name in ["speech-16k.wav", "music-96k-24bit.wav", "tabla-48k-24bit.flac"] {
            let floats = samples(&mut AudioDecoder::open(recording(name)).expect(name));
            let mut decoder = AudioDecoder::open(recording(name)).expect(name).native(true);
            let mut at = 0;
            while let Some(packet) = decoder.next(&pool).expect(name) {
                let audio = packet.as_audio().expect("audio");
                let scaled: Vec<f32> = match audio.format().sample {
                    SampleFormat::I16 => audio
                        .samples::<i16>(0)
                        .into_iter()
                        .flatten()
                        .map(|s| f32::from(*s) / 32_768.0)
                        .collect(),
                    _ => audio
                        .samples::<i32>(0)
                        .into_iter()
                        .flatten()
                        .map(|s| (f64::from(*s) / 2_147_483_648.0) as f32)
                        .collect(),
                };
                assert!(scaled == floats[at..at + scaled.len()], "{name} at frame {at}");
                at += scaled.len();
            }
            assert_eq!(at, floats.len(), "{name}");
        }
    }

    #[test]
    fn memory_and_pipes_decode_as_files_do() {
        for (name, _, channels, frames, _) in RECORDINGS {
            let bytes = std::fs::read(recording(name)).expect(name);
            let pipe = Cursor::new(bytes.clone());
            let count = frames as usize * usize::from(channels);
            for (way, decoder) in [
                ("memory", AudioDecoder::from_bytes(bytes)),
                ("pipe", AudioDecoder::from_reader(pipe)),
            ] {
                let mut decoder = decoder.unwrap_or_else(|e| panic!("{name} from {way}: {e}"));
                assert_eq!(samples(&mut decoder).len(), count, "{name} from {way}");
            }
        }
    }

    #[test]
    fn a_part_is_the_same_part_of_the_whole() {
        for name in ["speech-8k.mp3", "speech-22k.ogg", "tabla-22k.wav"] {
            let whole = samples(&mut AudioDecoder::open(recording(name)).expect(name));
            let part = AudioDecoder::open(recording(name)).expect(name);
            let mut part = part.trimmed(1_000, Some(5_555));
            assert_eq!(part.total_frames(), Some(4_555));
            assert!(samples(&mut part) == whole[1_000..5_555], "{name}");
            let mut beyond =
                AudioDecoder::open(recording(name)).expect(name).trimmed(1 << 40, None);
            assert_eq!((samples(&mut beyond).len(), beyond.total_frames()), (0, Some(0)));
        }
    }

    #[test]
    fn a_file_that_ends_early_gives_what_is_there() {
        // The index of the M4A is at its end.
        for (name, _, channels, frames, _) in RECORDINGS.iter().filter(|r| !r.0.ends_with("m4a")) {
            let mut bytes = std::fs::read(recording(name)).expect(name);
            bytes.truncate(bytes.len() / 2);
            let mut decoder = AudioDecoder::from_bytes(bytes).expect(name);
            let share = samples(&mut decoder).len() as f64 / (frames * u64::from(*channels)) as f64;
            assert!((0.3..0.7).contains(&share), "{name}: {share:.2} of the frames");
        }
    }

    #[test]
    fn what_is_no_audio_file_is_refused_with_the_reason() {
        let error = AudioDecoder::open("no/such/file.wav").err().expect("it isn't there");
        assert_eq!(error.detail(), detail::IO_OPEN);
        assert!(error.message().contains("no/such/file.wav"), "{error}");
        let folder = AudioDecoder::open(recording("")).err().expect("a folder");
        assert_eq!(folder.detail(), detail::IO_OPEN);
        let text = AudioDecoder::open(recording("README.md")).err().expect("a text");
        assert_eq!(text.detail(), detail::MEDIA_UNKNOWN_FORMAT, "{text:?}");
        let empty = AudioDecoder::from_bytes(Vec::new()).err().expect("nothing");
        assert_eq!(empty.detail(), detail::MEDIA_UNKNOWN_FORMAT, "{empty:?}");
    }

    #[test]
    fn damage_is_stepped_over_and_counted_and_never_panics_or_hangs() {
        let mut state = 0x2545_F491_4F6C_DD1Du64;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let mut counted = 0;
        for (name, _, channels, frames, _) in RECORDINGS {
            let clean = std::fs::read(recording(name)).expect(name);
            for share in [1_000, 20_000] {
                let mut bytes = clean.clone();
                for _ in 0..bytes.len() / share {
                    let at = 200 + random() as usize % (bytes.len() - 200);
                    bytes[at] = random() as u8;
                }
                // A file whose headers are hit may be refused; what it must not do is worse.
                let Ok(mut decoder) = AudioDecoder::from_bytes(bytes) else { continue };
                let pool = Pool::new();
                let mut count = 0;
                while let Ok(Some(packet)) = decoder.next(&pool) {
                    count += packet.as_audio().expect("audio").frames() as u64;
                    assert!(count <= 2 * frames * u64::from(channels), "{name} has no end");
                }
                counted += decoder.damaged_packets();
            }
        }
        assert!(counted > 0, "some damage was noticed");
    }
}
