//! Streaming audio decoder: any audio file → packets, sample-exact.
//!
//! Containers and codecs are symphonia's, apart from plain WAV, which is read by [`wav`]. Encoder
//! delay and padding are left out, so that a file gives as many frames as went into it. Damaged
//! packets are stepped over: the hole is counted and marked as DISCONT, time goes on past it. A
//! file that ends early gives what is there.

use super::coded::{Coded, Step, no_audio, read_error};
use super::{convert, gapless, wav};
use crate::error::{Error, Result, detail};
use crate::packet::{Audio, AudioFormat, MediaTime, Packet, Pool, SampleFormat};
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::Path;
use symphonia::core::io::{MediaSource, ReadOnlySource};

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
    Coded {
        coded: Box<Coded>,
        /// It holds a decoded packet that nobody has taken.
        ready: bool,
    },
}

/// Plain WAV.
struct Wav {
    reader: Box<dyn Read + Send>,
    stored: SampleFormat,
    left: u64,
    scratch: Vec<u8>,
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
        let source = Source::Wav(Wav {
            reader: Box::new(BufReader::with_capacity(READ_AHEAD, source)),
            stored: header.format.sample,
            left: left / frame,
            scratch: Vec::new(),
        });
        Self::with(source, header.format, known.then_some(left / frame))
    }

    fn coded(mut source: Box<dyn MediaSource>, name: &str) -> Result<Self> {
        let mut edits = Vec::new();
        if source.is_seekable() {
            edits = gapless::read(&mut *source);
            source.seek(SeekFrom::Start(0)).map_err(|e| read_error(&e))?;
        }
        let coded = Box::new(Coded::open(source, name)?);
        let (track, total, format) = (coded.track(), coded.total(), coded.announced());
        let mut this = Self::with(Source::Coded { coded, ready: false }, format, total);
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

    fn with(source: Source, format: AudioFormat, total: Option<u64>) -> Self {
        let (start, end, hole, damaged) = (0, u64::MAX, false, 0);
        Self { source, native: false, format, position: 0, start, end, total, hole, damaged }
    }

    /// Decodes the first packet: only then is the format certain, and that it can be decoded.
    fn prime(&mut self, name: &str) -> Result<()> {
        if self.step()? {
            return self.format.check();
        }
        if self.damaged > 0 {
            return Err(Error::new(
                detail::MEDIA_CORRUPT,
                format!("{name}: none of its audio can be decoded"),
            ));
        }
        // An empty track; a container that doesn't say of what has no use either.
        self.format.check().map_err(|_| no_audio(name))
    }

    /// Decodes on until there is something; false at the end.
    fn step(&mut self) -> Result<bool> {
        let Source::Coded { coded, ready } = &mut self.source else { return Ok(false) };
        for _ in 0..MAX_DAMAGED_RUN {
            match coded.step(self.format.rate)? {
                Step::Decoded { missing } => {
                    *ready = true;
                    self.position += missing;
                    self.hole |= missing > 0;
                    self.damaged += u64::from(missing > 0);
                    let rate = self.format.rate;
                    self.format = coded.format(false);
                    if rate != self.format.rate {
                        self.recount(rate);
                    }
                    return Ok(true);
                }
                Step::Lost(frames) => {
                    self.damaged += 1;
                    self.position += frames;
                    self.hole = true;
                }
                Step::End => break,
            }
        }
        Ok(false)
    }

    /// Keeps times right when the rate changes in the middle (chained Ogg files).
    fn recount(&mut self, before: u32) {
        let (now, before) = (u128::from(self.format.rate), u128::from(before.max(1)));
        for count in [&mut self.position, &mut self.start, &mut self.end] {
            if *count < u64::MAX {
                let scaled = u128::from(*count) * now / before;
                *count = u64::try_from(scaled).unwrap_or(u64::MAX - 1);
            }
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
        match &self.source {
            _ if !self.native => self.format.with_sample(SampleFormat::F32),
            Source::Wav(wav) if wav.stored == SampleFormat::I24 => {
                self.format.with_sample(SampleFormat::I32)
            }
            Source::Wav(wav) => self.format.with_sample(wav.stored),
            // An empty track has decoded nothing that it could be told from.
            Source::Coded { ready: false, .. } if self.position == 0 => self.format,
            Source::Coded { coded, .. } => coded.format(true),
        }
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
        while self.position < self.end {
            let Some(audio) = self.decode(pool)? else { break };
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

    fn decode(&mut self, pool: &Pool) -> Result<Option<Audio>> {
        let format = self.format();
        if let Source::Wav(wav) = &mut self.source {
            return wav.next(pool, format);
        }
        if !matches!(self.source, Source::Coded { ready: true, .. }) && !self.step()? {
            return Ok(None);
        }
        let Source::Coded { coded, ready } = &mut self.source else { return Ok(None) };
        *ready = false;
        coded.decoded(pool, self.native).map(Some)
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

#[cfg(test)]
mod tests;
