//! Packets → a file that appears only when it is whole.
//!
//! A [`Writer`] writes beside its goal, to `.name.part`, and renames at the end: a run that fails
//! leaves no file that looks finished. What is no regular file (a pipe, `/dev/stdout`) is written
//! to directly, with the lengths in headers left open.

use super::{convert, flac, wav};
use crate::error::{Error, Result, detail};
use crate::node::Choice;
use crate::packet::{Audio, AudioFormat, Packet, Payload, SampleFormat};
use std::fs;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// What a file is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum Container {
    /// WAV: `.wav`, `.wave`. Larger than 4 GiB it becomes RF64.
    #[param(alias = "wave")]
    Wav,
    /// FLAC: `.flac`.
    Flac,
    /// Interleaved little-endian samples without a header: `.pcm`, `.raw`.
    #[param(alias = "pcm")]
    Raw,
    /// One JSON value a line, from json, record and text packets: `.jsonl`, `.ndjson`, `.json`.
    #[param(alias = "jsonl", alias = "ndjson", alias = "json")]
    JsonLines,
    /// One text packet a line: `.txt`.
    #[param(alias = "txt")]
    Text,
}

impl Container {
    /// The container that a file name asks for.
    ///
    /// # Errors
    /// `media.unknown_format` for an ending that isn't known.
    pub fn for_path(path: &Path) -> Result<Self> {
        let ending = path.extension().and_then(|e| e.to_str()).unwrap_or("").to_ascii_lowercase();
        match ending.as_str() {
            "wav" | "wave" => Ok(Self::Wav),
            "flac" => Ok(Self::Flac),
            "pcm" | "raw" => Ok(Self::Raw),
            "jsonl" | "ndjson" | "json" => Ok(Self::JsonLines),
            "txt" => Ok(Self::Text),
            _ => Err(Error::new(
                detail::MEDIA_UNKNOWN_FORMAT,
                format!("'{}' does not say what to write", path.display()),
            )
            .with_hint("end it in .wav, .flac, .pcm, .raw, .jsonl or .txt, or name the container")),
        }
    }

    /// Whether it holds audio, rather than lines.
    pub fn is_audio(self) -> bool {
        matches!(self, Self::Wav | Self::Flac | Self::Raw)
    }

    fn mime(self) -> &'static str {
        match self {
            Self::Wav => "audio/wav",
            Self::Flac => "audio/flac",
            Self::Raw => "application/octet-stream",
            Self::JsonLines => "application/x-ndjson",
            Self::Text => "text/plain",
        }
    }
}

/// Sample format in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum WriterFormat {
    /// 32-bit float.
    #[param(alias = "float32", alias = "float")]
    F32,
    /// Signed 16-bit.
    #[param(alias = "s16", alias = "int16")]
    I16,
    /// Signed 24-bit, three bytes.
    #[param(alias = "s24", alias = "int24")]
    I24,
    /// Signed 32-bit.
    #[param(alias = "s32", alias = "int32")]
    I32,
    /// Unsigned 8-bit.
    #[param(alias = "uint8")]
    U8,
}

impl From<WriterFormat> for SampleFormat {
    fn from(format: WriterFormat) -> Self {
        match format {
            WriterFormat::F32 => Self::F32,
            WriterFormat::I16 => Self::I16,
            WriterFormat::I24 => Self::I24,
            WriterFormat::I32 => Self::I32,
            WriterFormat::U8 => Self::U8,
        }
    }
}

/// What a [`Writer`] can be told.
#[derive(Debug, Clone, Copy, Default)]
pub struct WriterOptions {
    /// Container; absent: what the file name asks for.
    pub container: Option<Container>,
    /// Sample format; absent: that of the stream, in FLAC i16 for 16 and fewer bits, else i24.
    pub format: Option<SampleFormat>,
}

impl WriterOptions {
    /// Container of a file of that name with these options.
    ///
    /// # Errors
    /// `media.unknown_format` when neither says it, `manifest.param_conflict` when the container
    /// doesn't take the sample format.
    pub fn check(&self, path: &Path) -> Result<Container> {
        let container = self.container.map_or_else(|| Container::for_path(path), Ok)?;
        let refused = match (container, self.format) {
            (_, None) | (Container::Wav | Container::Raw, _) => None,
            (Container::Flac, Some(SampleFormat::I16 | SampleFormat::I24)) => None,
            (Container::Flac, Some(format)) => {
                Some(format!("FLAC holds i16 or i24 samples, not {}", format.name()))
            }
            (_, Some(_)) => Some("a file of lines has no sample format".to_owned()),
        };
        match refused {
            Some(message) => Err(Error::new(detail::MANIFEST_PARAM_CONFLICT, message)),
            None => Ok(container),
        }
    }
}

/// Writes packets to one file. Dropping it unfinished leaves no file.
pub struct Writer {
    path: PathBuf,
    /// Where it writes until it is finished; absent: to `path` directly.
    part: Option<PathBuf>,
    /// Absent once the file is finished or given up.
    out: Option<BufWriter<fs::File>>,
    container: Container,
    asked: Option<SampleFormat>,
    /// What the stream turned out to be, with the sample format of the file.
    format: Option<AudioFormat>,
    flac: Option<flac::Encoder>,
    /// Bytes of samples written.
    data: u64,
    scratch: Vec<u8>,
}

impl Writer {
    /// Begins a file. A file of that name stays untouched until [`finish`](Self::finish).
    ///
    /// # Errors
    /// `io.open` when it can't be created, and what [`WriterOptions::check`] says.
    pub fn create(path: impl Into<PathBuf>, options: WriterOptions) -> Result<Self> {
        let path = path.into();
        let container = options.check(&path)?;
        let special = fs::metadata(&path).is_ok_and(|meta| !meta.is_file());
        let part = if special { None } else { Some(part_path(&path)) };
        let file = fs::File::create(part.as_ref().unwrap_or(&path)).map_err(|e| {
            let message = format!("'{}' can't be created: {e}", path.display());
            Error::new(detail::IO_OPEN, message).with_hint("the folder must exist and be writable")
        })?;
        Ok(Self {
            path,
            part,
            out: Some(BufWriter::with_capacity(64 << 10, file)),
            container,
            asked: options.format,
            format: None,
            flac: None,
            data: 0,
            scratch: Vec::new(),
        })
    }

    /// Writes one packet.
    ///
    /// # Errors
    /// `format.kind` for a packet that the container doesn't hold, `format.audio` when the audio
    /// changes its rate or channels, `io.write`.
    pub fn write(&mut self, packet: &Packet) -> Result<()> {
        self.scratch.clear();
        match (self.container, packet.payload()) {
            (Container::Wav | Container::Flac | Container::Raw, Payload::Audio(audio)) => {
                return self.write_audio(audio);
            }
            (Container::Text, Payload::Text(text)) => {
                self.scratch.extend_from_slice(text.as_bytes());
            }
            (Container::JsonLines, Payload::Text(text)) => {
                append_json(&serde_json::Value::from(&**text), &mut self.scratch);
            }
            (Container::JsonLines, Payload::Json(value)) => append_json(value, &mut self.scratch),
            (Container::JsonLines, Payload::Record(record)) => {
                append_json(&record.to_json(), &mut self.scratch);
            }
            (container, _) => {
                return Err(Error::new(
                    detail::FORMAT_KIND,
                    format!("{} does not fit into a {} file", packet.kind(), container.mime()),
                ));
            }
        }
        self.scratch.push(b'\n');
        self.put()
    }

    /// Fixes the format of the file, as the first audio packet would.
    ///
    /// # Errors
    /// `format.audio` when it is not what the file holds already, or the container can't hold it.
    pub fn set_format(&mut self, stream: &AudioFormat) -> Result<()> {
        if let Some(format) = self.format {
            if (format.rate, format.channels) != (stream.rate, stream.channels) {
                return Err(Error::new(
                    detail::FORMAT_AUDIO,
                    format!(
                        "the stream changes from {} Hz, {} ch to {} Hz, {} ch; a file holds one \
                         format",
                        format.rate, format.channels, stream.rate, stream.channels
                    ),
                )
                .with_hint("place a Resample or ChannelMix node before the writer"));
            }
            return Ok(());
        }
        let natural = match (self.container, stream.sample) {
            (Container::Flac, SampleFormat::I16 | SampleFormat::U8) => SampleFormat::I16,
            (Container::Flac, _) => SampleFormat::I24,
            (_, sample) => sample,
        };
        let format = stream.with_sample(self.asked.unwrap_or(natural)).with_planar(false);
        self.scratch.clear();
        match self.container {
            Container::Wav if self.part.is_none() => self.scratch = wav::open_header(&format),
            Container::Wav => self.scratch = wav::header(&format, 0),
            Container::Flac => {
                let encoder = flac::Encoder::new(&format, 8 * format.sample.bytes())?;
                self.scratch.extend_from_slice(&encoder.header());
                self.flac = Some(encoder);
            }
            _ => {}
        }
        self.put()?;
        self.format = Some(format);
        Ok(())
    }

    fn write_audio(&mut self, audio: &Audio) -> Result<()> {
        self.set_format(&audio.format())?;
        let Some(format) = self.format else { return Ok(()) };
        self.scratch.clear();
        convert::append_audio(audio, format.sample, &mut self.scratch);
        self.data += self.scratch.len() as u64;
        if let Some(encoder) = &mut self.flac {
            let (pcm, size) = (std::mem::take(&mut self.scratch), format.sample.bytes());
            let samples = pcm.chunks_exact(size).map(|bytes| {
                let mut wide = [0; 4];
                wide[4 - size..].copy_from_slice(bytes);
                i32::from_le_bytes(wide) >> (32 - 8 * size)
            });
            encoder.push(samples, &mut self.scratch)?;
        }
        self.put()
    }

    /// Writes what `scratch` holds.
    fn put(&mut self) -> Result<()> {
        let Some(out) = &mut self.out else {
            return Err(Error::new(
                detail::IO_WRITE,
                format!("'{}' could not be written before", self.path.display()),
            ));
        };
        out.write_all(&self.scratch).map_err(|e| write_error(&self.path, &e))
    }

    /// Ends the file and gives it its name. A stream without a single packet gives a valid empty
    /// file (mono, 48 kHz).
    ///
    /// # Errors
    /// `io.write`; there is no file then.
    pub fn finish(mut self) -> Result<crate::packet::File> {
        if self.container.is_audio() && self.format.is_none() {
            self.set_format(&AudioFormat::f32(48_000, 1))?;
        }
        self.scratch.clear();
        if let Some(encoder) = &mut self.flac {
            encoder.finish(&mut self.scratch)?;
        } else if self.container == Container::Wav && self.data % 2 == 1 {
            // Chunks are padded to even sizes.
            self.scratch.push(0);
        }
        self.put()?;
        self.close().map_err(|e| write_error(&self.path, &e))?;
        let mime = Some(self.container.mime().to_owned());
        Ok(crate::packet::File { path: self.path.clone(), mime })
    }

    fn close(&mut self) -> io::Result<()> {
        let Some(mut out) = self.out.take() else { return Ok(()) };
        out.flush()?;
        let Some(part) = &self.part else { return Ok(()) };
        let mut file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        match (self.container, &self.format, &self.flac) {
            (Container::Wav, Some(format), _) => {
                let before = wav::header(format, 0).len();
                replace_header(&mut file, part, before, &wav::header(format, self.data))?;
            }
            (Container::Flac, _, Some(encoder)) => {
                replace_header(&mut file, part, flac::HEADER_BYTES, &encoder.header())?;
            }
            _ => {}
        }
        drop(file);
        fs::rename(part, &self.path)?;
        self.part = None;
        Ok(())
    }

    /// Gives the file up: what was written is removed.
    pub fn abort(self) {}
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Whatever comes of it, there is nobody to tell.
        drop(self.out.take());
        if let Some(part) = &self.part {
            let _ = fs::remove_file(part);
        }
    }
}

/// Puts the final header in place of the first one. When it is longer (WAV beyond 4 GiB becomes
/// RF64) the file is copied once; that keeps the plain header for all others.
fn replace_header(
    file: &mut fs::File,
    path: &Path,
    before: usize,
    header: &[u8],
) -> io::Result<()> {
    if header.len() == before {
        file.seek(SeekFrom::Start(0))?;
        return file.write_all(header);
    }
    let longer = part_path(path);
    let copied = fs::File::create(&longer).and_then(|mut out| {
        out.write_all(header)?;
        let mut old = fs::File::open(path)?;
        old.seek(SeekFrom::Start(before as u64))?;
        io::copy(&mut old, &mut out)?;
        fs::rename(&longer, path)
    });
    if copied.is_err() {
        let _ = fs::remove_file(&longer);
    }
    copied
}

/// `.name.part` beside `name`.
fn part_path(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".part");
    path.with_file_name(name)
}

fn append_json(value: &serde_json::Value, out: &mut Vec<u8>) {
    // Writing a value into memory can't fail.
    let _ = serde_json::to_writer(out, value);
}

fn write_error(path: &Path, cause: &io::Error) -> Error {
    Error::new(detail::IO_WRITE, format!("'{}' can't be written: {cause}", path.display()))
}

#[cfg(test)]
mod tests;
