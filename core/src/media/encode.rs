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
mod tests {
    use super::super::testing::{Folder, decode};
    use super::super::{AudioDecoder, recording};
    use super::*;
    use crate::packet::{Layout, Pool};
    use serde_json::json;

    fn options(format: SampleFormat) -> WriterOptions {
        WriterOptions { format: Some(format), ..Default::default() }
    }

    /// Writes a recording as the file stores it.
    fn copy(name: &str, path: &Path, options: WriterOptions) {
        let mut decoder = AudioDecoder::open(recording(name)).expect(name).native(true);
        let mut writer = Writer::create(path, options).expect(name);
        let pool = Pool::new();
        while let Some(packet) = decoder.next(&pool).expect(name) {
            writer.write(&packet).expect(name);
        }
        writer.finish().expect(name);
    }

    #[test]
    fn lossless_files_come_back_bit_for_bit() {
        let folder = Folder::new("lossless");
        for name in
            ["speech-8k.wav", "music-44k-stereo.wav", "music-96k-24bit.wav", "tabla-48k-24bit.flac"]
        {
            for out in ["out.wav", "out.flac"] {
                let path = folder.path(out);
                copy(name, &path, WriterOptions::default());
                let (before, after) = (decode(&recording(name)), decode(&path));
                assert_eq!(before.0, after.0, "{name} as {out}");
                assert!(before.1 == after.1, "{name} as {out}: the samples differ");
            }
        }
        assert_eq!(folder.files().len(), 2, "no other file is left");
    }

    #[test]
    fn every_sample_format_is_written_to_within_half_a_step() {
        let folder = Folder::new("formats");
        let source = decode(&recording("speech-16k-f32.wav")).1;
        for (format, step) in [
            (SampleFormat::F32, 0.0),
            (SampleFormat::I32, 1e-7),
            (SampleFormat::I24, 0.51 / 8_388_608.0),
            (SampleFormat::I16, 0.51 / 32_768.0),
            (SampleFormat::U8, 0.51 / 128.0),
        ] {
            let path = folder.path("out.wav");
            copy("speech-16k-f32.wav", &path, options(format));
            let written = decode(&path).1;
            assert_eq!(written.len(), source.len());
            let worst = source.iter().zip(&written).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst <= step, "{}: off by {worst}", format.name());
        }
    }

    #[test]
    fn channels_and_their_positions_are_kept() {
        let folder = Folder::new("channels");
        for (channels, layout) in [(1, Layout::MONO), (2, Layout(0x600)), (6, Layout::SURROUND_5_1)]
        {
            let format = AudioFormat { layout, ..AudioFormat::f32(44_100, channels) };
            let samples: Vec<f32> = (0..channels * 10).map(|n| f32::from(n) / 1e3).collect();
            let audio = Audio::new(format, crate::packet::Buffer::from_vec(samples.clone()));
            let mut writer =
                Writer::create(folder.path("out.wav"), WriterOptions::default()).expect("creates");
            writer.write(&Packet::audio(audio.expect("fits"))).expect("writes");
            writer.finish().expect("ends");
            assert_eq!(decode(&folder.path("out.wav")), (format, samples));
        }
    }

    #[test]
    fn hound_reads_what_is_written_here() {
        let folder = Folder::new("hound");
        let path = folder.path("out.wav");
        for format in [SampleFormat::I16, SampleFormat::I24, SampleFormat::I32] {
            copy("speech-8k.wav", &path, options(format));
            let mut reader = hound::WavReader::open(&path).expect("hound opens it");
            assert_eq!(reader.spec().bits_per_sample as usize, 8 * format.bytes());
            let shift = 8 * format.bytes() - 16;
            let ours = decode(&recording("speech-8k.wav")).1;
            let theirs: Vec<i32> = reader.samples::<i32>().map(|s| s.expect("a sample")).collect();
            assert_eq!(theirs.len(), ours.len());
            assert!(theirs.iter().zip(&ours).all(|(t, o)| (*t >> shift) as f32 / 32_768.0 == *o));
        }
    }

    #[test]
    fn nothing_at_all_gives_a_valid_empty_file() {
        let folder = Folder::new("empty");
        for name in ["out.wav", "out.flac"] {
            let path = folder.path(name);
            let writer = Writer::create(&path, WriterOptions::default()).expect("creates");
            writer.finish().expect("ends");
        }
        assert_eq!(decode(&folder.path("out.wav")), (AudioFormat::f32(48_000, 1), Vec::new()));
        let flac = fs::read(folder.path("out.flac")).expect("is there");
        assert_eq!(flac.len(), flac::HEADER_BYTES, "a header and no frame");
    }

    #[test]
    fn the_last_flac_frame_may_have_any_length() {
        let folder = Folder::new("flac_tail");
        let path = folder.path("out.flac");
        for frames in [1usize, 15, 16, 4_095, 4_096, 4_097, 8_192] {
            let samples: Vec<f32> =
                (0..2 * frames).map(|n| ((n * 37) % 255) as f32 / 256.0).collect();
            let mut writer = Writer::create(&path, options(SampleFormat::I16)).expect("creates");
            for part in samples.chunks(2 * 700) {
                let audio = Audio::from_f32(part.to_vec(), 48_000, 2).expect("stereo");
                writer.write(&Packet::audio(audio)).expect("writes");
            }
            writer.finish().expect("ends");
            assert!(decode(&path).1 == samples, "{frames} frames");
        }
    }

    #[test]
    fn lines_hold_json_records_and_text() {
        let folder = Folder::new("lines");
        let path = folder.path("out.jsonl");
        let mut writer = Writer::create(&path, WriterOptions::default()).expect("creates");
        writer.write(&Packet::json(json!({"a": [1, "ü"]}))).expect("writes");
        writer.write(&Packet::text("two\nlines")).expect("writes");
        let audio = Packet::audio(Audio::from_f32(vec![0.0], 8_000, 1).expect("mono"));
        let error = writer.write(&audio).expect_err("audio is no line");
        assert_eq!(error.detail(), detail::FORMAT_KIND);
        let file = writer.finish().expect("ends");
        assert_eq!(file.mime.as_deref(), Some("application/x-ndjson"));
        let text = std::fs::read_to_string(&path).expect("is there");
        assert_eq!(text, "{\"a\":[1,\"ü\"]}\n\"two\\nlines\"\n");
    }

    #[test]
    fn a_longer_header_moves_the_samples_without_changing_them() {
        let folder = Folder::new("header");
        let path = folder.path("out");
        fs::write(&path, b"OLDsamples").expect("writes");
        let mut file = fs::File::options().write(true).open(&path).expect("opens");
        replace_header(&mut file, &path, 3, b"LONGER").expect("replaces");
        assert_eq!(fs::read(&path).expect("is there"), b"LONGERsamples");
        assert_eq!(folder.files(), ["out"]);
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error_at_once() {
        let error = Writer::create("no/such/folder/out.wav", WriterOptions::default())
            .err()
            .expect("no folder");
        assert_eq!(error.detail(), detail::IO_OPEN);
        let flac = options(SampleFormat::F32).check(Path::new("a.flac")).expect_err("no floats");
        assert_eq!(flac.detail(), detail::MANIFEST_PARAM_CONFLICT);
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_is_written_to_directly_with_open_lengths() {
        let mut writer = Writer::create(
            "/dev/null",
            WriterOptions { container: Some(Container::Wav), ..Default::default() },
        )
        .expect("opens");
        let audio = Audio::from_f32(vec![0.0; 10], 8_000, 1).expect("mono");
        writer.write(&Packet::audio(audio)).expect("writes");
        writer.finish().expect("ends");
        let header = wav::open_header(&AudioFormat::f32(8_000, 1));
        let read = wav::read_header(&mut &header[..]).expect("no I/O error").expect("a header");
        assert_eq!(read.bytes, None);
    }
}
